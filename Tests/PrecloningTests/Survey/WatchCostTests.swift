import Foundation
import GRDB
import Remotes
import Sandbox
import Synchronization
import TestSupport
import Testing

@testable import Model
@testable import Precloning
@testable import Record

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
            let (versions, began) = (works.versions, works.clock.elapsed)
            for _ in 0..<10 {
                #expect(try await works.withTimePassing { try await versions.pass() } == .zero, "there is more to do")
            }
            #expect(works.calls("ListWorkflowVersions") == 10)
            #expect(works.clock.elapsed - began >= .seconds(18), "30 a minute")
            try await works.withTimePassing { _ = try await works.runs.pass() }
            let periods = try await works.ledger.database.read { database in
                try Row.fetchAll(database, sql: "SELECT name, period FROM sweep ORDER BY name").map { row in
                    "\(row["name"] as String) \(row["period"] as Int)"
                }
            }
            // Thirty workflows take a minute, and none is listed again before ten.
            #expect(periods == ["allRuns 3600000", "runs 30000", "versions 600000", "workflows 600000"])
            // A new process over the same record takes the other twenty, none again.
            for _ in 0..<25 { _ = try await works.withTimePassing { try await works.versions.pass() } }
            #expect(works.calls("ListWorkflowVersions") == 30)
        }
    }

    /// What watching a batch came to; times are those of the paced clock.
    struct BatchWatched: Sendable {
        var firstPage = Duration.zero
        var pending = Duration.zero
        var listed = Duration.zero
        var done = Duration.zero
    }

    private final class Times: Sendable {
        let noted = Mutex(BatchWatched())
    }

    /// Lists runs and works out what they need at the same time, as the daemon does.
    ///
    /// - Parameter isWhole: until nothing is due; else until the list is at its end.
    static func watch(_ works: SandboxWorks, isWhole: Bool) async throws -> BatchWatched {
        let times = Times()
        let (pages, found) = AsyncStream<Int>.makeStream()
        let clock = works.clock
        let runs = RunWatcher(
            ledger: works.ledger,
            healthOmics: works.healthOmics,
            timeline: works.timeline,
            interval: { .seconds(30) },
            sweepInterval: { .seconds(3600) },
            foundNew: { new in
                times.noted.withLock { if $0.firstPage == .zero { $0.firstPage = clock.elapsed } }
                found.yield(new)
            },
            polled: { _ in }
        )
        let surveys = RunSurveyLoop(
            ledger: works.ledger,
            surveyor: works.surveyor,
            timeline: works.timeline,
            choices: { SandboxWorks.choices },
            demanded: { times.noted.withLock { if $0.pending == .zero { $0.pending = clock.elapsed } } }
        )
        try await works.withTimePassing {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await runs.pass()
                    times.noted.withLock { $0.listed = clock.elapsed }
                    found.finish()
                }
                group.addTask {
                    do {
                        for await _ in pages { _ = try await surveys.pass() }
                    } catch is CancellationError {}
                }
                try await group.next()
                if !isWhole { group.cancelAll() }
                try await group.waitForAll()
            }
        }
        return times.noted.withLock { times in
            times.done = clock.elapsed
            return times
        }
    }

    @Test("the images of a batch of 2,000 runs are pending within 10 s of the first page of the list")
    func largeBatch() async throws {
        try await SandboxWorks.with { works in
            let workflow = works.sandbox.addWorkflow(Self.recipe)
            try works.sandbox.startBatch(workflow: workflow, count: 2000)
            let times = try await Self.watch(works, isWhole: false)
            #expect(times.pending > .zero && times.pending - times.firstPage <= .seconds(10))
            #expect(works.calls("GetWorkflow") == 2, "and one definition")
            #expect(works.calls("GetBatch") < 5)
        }
    }

    @Test("a batch costs one definition and one GetBatch, and GetRun follows at its pace")
    func batch() async throws {
        let count = 120
        try await SandboxWorks.with { works in
            let workflow = works.sandbox.addWorkflow(Self.recipe)
            try works.sandbox.startBatch(workflow: workflow, count: count)
            try await works.withTimePassing {
                _ = try await works.runs.pass()
                _ = try await works.surveys.pass()
            }
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
            #expect(try works.ledger.runsToSurvey(mark: nil, limit: 1, now: works.timeline.now()).isEmpty)
        }
    }

    @Test("what a list showed before it failed is known, and no run is thought over for being in no page")
    func tornList() async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            let workflow = works.sandbox.addWorkflow(Self.recipe)
            for _ in 0..<150 { try works.sandbox.startRun(workflow: workflow) }
            works.sandbox.add(
                Fault(
                    .error,
                    service: "omics",
                    operation: "ListRuns",
                    after: 1,
                    status: 400,
                    code: "ValidationException"
                )
            )
            await #expect(throws: AWSError.self) {
                try await works.withTimePassing { _ = try await works.runs.pass() }
            }
            #expect(try works.ledger.liveRunKeys().count == 100)
            works.sandbox.clearFaults()
            try await works.withTimePassing { _ = try await works.runs.pass() }
            #expect(try works.ledger.liveRunKeys().count == 150)
            works.sandbox.add(
                Fault(
                    .error,
                    service: "omics",
                    operation: "ListRuns",
                    after: 1,
                    status: 400,
                    code: "ValidationException"
                )
            )
            await #expect(throws: AWSError.self) {
                try await works.withTimePassing { _ = try await works.runs.pass() }
            }
            #expect(try works.ledger.liveRunKeys().count == 150)
        }
    }

    @Test("a workflow that an event tells of while all are listed is not thought gone")
    func newDuringList() throws {
        let ledger = try Ledger()
        let start = Date(timeIntervalSince1970: 1_790_000_000)
        func sighting(_ id: String) -> WorkflowSighting {
            WorkflowSighting(id: id, name: id, type: "PRIVATE", status: "ACTIVE", digest: nil, created: nil)
        }
        try ledger.saw([sighting("old"), sighting("gone")], now: start.addingTimeInterval(-60))
        try ledger.saw([sighting("new")], now: start.addingTimeInterval(5))
        #expect(try ledger.workflows(notIn: ["old"], seenBefore: start) == ["gone"])
    }

    @Test("a workflow that could not be read for want of good keys is read when they are good")
    func badKeys() async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            _ = try works.ledger.firstStart(now: works.timeline.now())
            works.clock.advance(by: .seconds(1))
            works.sandbox.addWorkflow(Self.recipe)
            for code in ["UnrecognizedClientException", "InvalidSignatureException"] {
                works.sandbox.add(
                    Fault(.error, service: "omics", operation: "GetWorkflow", status: 403, code: code)
                )
                try await works.withTimePassing {
                    _ = try await works.workflows.pass()
                    _ = try await works.definitions.pass()
                }
                #expect(try works.ledger.unread().map(\.isFinal) == [false])
                works.sandbox.clearFaults()
                works.clock.advance(by: .seconds(121))
            }
            try await works.withTimePassing { _ = try await works.definitions.pass() }
            #expect(try works.ledger.unread().isEmpty)
            #expect(try works.ledger.allImages().map(\.source) == ["quay.io/org/tool:1.0"])
        }
    }

    @Test("a run is one run, whether a time is told with its fraction or without")
    func fraction() throws {
        let ledger = try Ledger()
        let created = Date(timeIntervalSince1970: 1_790_000_000)
        func sighting(_ fraction: Double) -> RunSighting {
            RunSighting(
                id: "1",
                created: created.addingTimeInterval(fraction),
                name: nil,
                status: "PENDING",
                workflowID: "w",
                versionName: "",
                batchID: nil
            )
        }
        #expect(try ledger.saw([sighting(0.123456)], now: created) == 1)
        #expect(try ledger.saw([sighting(0)], now: created) == 0)
        #expect(try ledger.saw([sighting(0.999)], now: created) == 0)
        #expect(try ledger.saw([sighting(86_400)], now: created) == 1, "ids are used again")
    }
}
