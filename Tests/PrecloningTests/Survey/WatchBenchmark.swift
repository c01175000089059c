import Foundation
import GRDB
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Precloning

/// Prints what watching costs in calls and time. Runs only for `Tests/Benchmarks/watch.sh`, which names the numbers of
/// workflows; figures are printed, since a limit in a test would depend on the machine.
@Suite struct WatchBenchmark {
    private static let sizes = (ProcessInfo.processInfo.environment["PRECLONE_BENCHMARK_WORKFLOWS"] ?? "")
        .split(separator: " ").compactMap { Int($0) }

    @Test(.enabled(if: !sizes.isEmpty), arguments: sizes)
    func watching(workflows: Int) async throws {
        try await SandboxWorks.with { works in
            let recipe = EventWatcherTests.recipe
            let ids = works.sandbox.addWorkflows(workflows, versions: 3, like: recipe)
            for number in 0..<50 { try works.sandbox.startRun(workflow: ids[number % ids.count]) }
            try await measure("\(workflows) workflows, 50 runs, first round", works) {
                try await WatchCostTests.round(works)
            }
            // The workflows that these runs use are news until the second round.
            try await WatchCostTests.round(works)
            try await measure("\(workflows) workflows, 50 runs, nothing new", works) {
                try await WatchCostTests.round(works)
            }
            try works.sandbox.startBatch(workflow: ids[0], count: 2000)
            try await measure("\(workflows) workflows, a batch of 2,000", works) {
                let times = try await WatchCostTests.watch(works, isWhole: true)
                print(
                    "watch:   its images pending \(times.pending - times.firstPage) after the first page of the list,"
                )
                print("watch:   the whole list after \(times.listed - times.firstPage), all GetRun after")
                print("watch:   \(times.done - times.firstPage)")
            }
        }
    }

    /// Prints the time by the paced clock, which is what a service sees, and the machine's own.
    private func measure(_ name: String, _ works: SandboxWorks, _ body: () async throws -> Void) async throws {
        works.sandbox.forgetRequests()
        let started = works.clock.elapsed
        let time = try await ContinuousClock().measure { try await body() }
        let counts = works.sandbox.requests.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        print("watch: \(name): \(works.clock.elapsed - started) paced, \(time) of work")
        print("watch:   calls: \(counts.joined(separator: ", "))")
    }
}
