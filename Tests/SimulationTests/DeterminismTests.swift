import Foundation
import Testing

@Suite struct DeterminismTests {
    @Test(arguments: [1, 2, 3])
    func theSameSeedGivesTheSameStepsInTwoProcesses(seed: Int) throws {
        let arguments = ["--seed", "\(seed)", "--days", "0.05", "--bound", "0", "--size", "tiny"]
        let first = try SimulateProgram(arguments)
        let second = try SimulateProgram(arguments)
        let trace = try #require(first.output.firstMatch(of: /trace [0-9a-f]+, .* jobs/))
        #expect(second.output.contains(trace.output))
        #expect(first.code == 0, "\(first.output)")
    }

    @Test func anotherSeedGivesOtherSteps() throws {
        let traces = try [1, 2].map { seed in
            try SimulateProgram(["--seed", "\(seed)", "--days", "0.01", "--bound", "0", "--size", "tiny"]).output
                .firstMatch(of: /trace ([0-9a-f]+)/)?.output.1
        }
        #expect(traces[0] != nil)
        #expect(traces[0] != traces[1])
    }
}
