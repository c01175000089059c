import Foundation
import Testing

/// The seeds that every build plays. What one of them breaks is told with its story; `preclone-simulate --seed N` with the
/// same arguments plays it again.
@Suite struct SeedTests {
    /// Two at a time: so many cores a runner has.
    @Test(arguments: [1, 2])
    func nothingBreaks(half: Int) throws {
        let played = try SimulateProgram([
            "--seed", "\(half * 100)", "--seeds", "3", "--days", "0.25", "--bound", "0.1", "--size", "tiny",
        ])
        #expect(played.code == 0, "\(played.output)")
    }
}
