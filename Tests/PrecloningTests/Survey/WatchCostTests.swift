import Foundation
import GRDB
import Remotes
import Sandbox
import Synchronization
import TestSupport
import Testing

@testable import Precloning

/// What watching costs: calls depend on what changed, not on how much there is.
@Suite("Cost of watching")
struct WatchCostTests {
    static let recipe = EventWatcherTests.recipe

    /// One round of everything that watches, but for the rolling sweep of versions.
    static func round(_ works: SandboxWorks) async throws {
        try await works.withTimePassing {
            _ = try await works.workflows.pass()
            _ = try await works.definitions.pass()
            _ = try await works.runs.pass()
            _ = try await works.surveys.pass()
        }
    }

    @Test(
        "with nothing new a round is the pages of the lists, whatever is live and known",
        arguments: [(workflows: 20, runs: 5), (workflows: 120, runs: 40)]
    )
    func idle(workflows: Int, runs: Int) async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            let ids = works.sandbox.addWorkflows(workflows, versions: 3, like: Self.recipe)
            for number in 0..<runs { try works.sandbox.startRun(workflow: ids[number % ids.count]) }
            try await Self.round(works)
            #expect(try works.ledger.liveRunKeys().count == runs)
            // The workflows that these runs use are news until the second round.
            try await Self.round(works)
            works.sandbox.forgetRequests()
            try await Self.round(works)
            let pages = (workflows + 99) / 100
            #expect(works.sandbox.requests.counts == ["omics/ListWorkflows": pages, "omics/ListRuns": 3])
        }
    }

    @Test("one new run costs its own GetRun and nothing for the others")
    func oneNewRun() async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            let id = works.sandbox.addWorkflow(Self.recipe)
            for _ in 0..<20 { try works.sandbox.startRun(workflow: id) }
            try await Self.round(works)
            // The workflow that they use is news until the second round.
            try await Self.round(works)
            try works.sandbox.startRun(workflow: id)
            works.sandbox.forgetRequests()
            try await Self.round(works)
            #expect(
                works.sandbox.requests.counts == ["omics/ListWorkflows": 1, "omics/ListRuns": 3, "omics/GetRun": 1]
            )
        }
    }

    @Test("the sweep of versions keeps to its calls a minute and goes on where it stood")
    func versionSweep() async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            works.sandbox.addWorkflows(30, versions: 3, like: Self.recipe)
            try await works.withTimePassing { _ = try await works.workflows.pass() }
            works.sandbox.forgetRequests()
            var waited = Duration.zero
            for _ in 0..<10 { waited += try await works.withTimePassing { try await works.versions.pass() } }
            #expect(works.calls("ListWorkflowVersions") == 10)
            #expect(waited == .seconds(20), "30 a minute")
            // A new process over the same record takes the other twenty, none again.
            for _ in 0..<25 { _ = try await works.withTimePassing { try await works.versions.pass() } }
            #expect(works.calls("ListWorkflowVersions") == 30)
        }
    }

    @Test("a batch costs one definition and one GetBatch; its images are pending at once, GetRun follows at its pace")
    func batch() async throws {
        let count = 120
        try await SandboxWorks.with { works in
            let workflow = works.sandbox.addWorkflow(Self.recipe)
            try works.sandbox.startBatch(workflow: workflow, count: count)
            let pending = Mutex<Duration?>(nil)
            let listed = Mutex<Duration?>(nil)
            let surveys = RunSurveyLoop(
                ledger: works.ledger,
                surveyor: works.surveyor,
                timeline: works.timeline,
                choices: { SandboxWorks.choices },
                demanded: { pending.withLock { $0 = $0 ?? works.clock.elapsed } }
            )
            try await works.withTimePassing {
                _ = try await works.runs.pass()
                listed.withLock { $0 = works.clock.elapsed }
                _ = try await surveys.pass()
            }
            let start = try #require(listed.withLock { $0 })
            let known = try #require(pending.withLock { $0 })
            #expect(known - start <= .seconds(10))
            #expect(works.clock.elapsed - known >= .seconds(Double(count - 3) / 2), "two GetRun a second")
            var counts = works.sandbox.requests.counts
            // The first poll is also the first full sweep: the pages of PENDING, STARTING, RUNNING and of all.
            #expect(counts.removeValue(forKey: "omics/ListRuns") == 6)
            #expect(counts.removeValue(forKey: "sts/GetCallerIdentity") == 1)
            #expect(counts.removeValue(forKey: "ecr/DescribePullThroughCacheRules") == 1)
            #expect(
                counts == [
                    "omics/GetBatch": 1, "omics/GetWorkflow": 2, "storage/GetObject": 1, "omics/GetRun": count,
                ]
            )
            #expect(try works.ledger.allImages().count == 1)
            #expect(try works.ledger.runsToSurvey(limit: 1, now: works.timeline.now()).isEmpty)
        }
    }
}
