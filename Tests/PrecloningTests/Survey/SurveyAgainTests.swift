import Foundation
import GRDB
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Configuring
@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

/// What could not be read is read when it can be, and what was decided is decided again when what decided it is another.
@Suite("Surveys that are made again")
struct SurveyAgainTests {
    private static let image = "quay.io/org/tool:1.0"

    private static func with(_ body: @Sendable (SandboxWorks, _ workflow: String) async throws -> Void) async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            _ = try works.ledger.firstStart(now: works.timeline.now())
            works.clock.advance(by: .seconds(1))
            try await body(works, works.sandbox.addWorkflow(EventWatcherTests.recipe))
        }
    }

    private static func pass(_ works: SandboxWorks, after seconds: Double = 0) async throws {
        works.clock.advance(by: .seconds(seconds))
        try await WatchCostTests.round(works)
    }

    private static func sources(_ works: SandboxWorks, _ kind: String = "%") throws -> Set<String> {
        try works.ledger.database.read {
            try String.fetchSet(
                $0,
                sql: """
                    SELECT source FROM demand JOIN image ON image.id = demand.imageID
                    WHERE kind LIKE ? AND endedAt IS NULL
                    """,
                arguments: [kind]
            )
        }
    }

    private static func run(_ works: SandboxWorks) throws -> RunRow {
        try works.ledger.database.read { try #require(try RunRow.fetchOne($0, sql: "SELECT * FROM run")) }
    }

    private static func report(_ works: SandboxWorks, _ filter: StatusReport.Filter) throws -> StatusReport.Focus {
        let report = try StatusReport.read(
            from: RecordReader(works.ledger),
            filter: filter,
            now: works.timeline.now(),
            isAlive: { _ in true }
        )
        return try #require(report.focus)
    }

    // MARK: What could not be read

    static let faults = [
        Fault(.error, service: "omics", operation: "GetWorkflow", status: 403, code: "AccessDeniedException"),
        Fault(.error, service: "omics", operation: "GetWorkflow", status: 400, code: "ValidationException"),
        Fault(.error, service: "omics", operation: "GetWorkflow", status: 402, code: "ServiceQuotaExceededException"),
        Fault(.error, service: "omics", operation: "GetWorkflow", status: 404, code: "ResourceNotFoundException"),
        Fault(.error, service: "omics", operation: "GetWorkflow", status: 500),
        Fault(.error, service: "omics", operation: "GetWorkflow", after: 1, status: 403, code: "AccessDeniedException"),
        Fault(.error, service: "storage", operation: "GetObject", status: 403, code: "AccessDenied"),
        Fault(.error, service: "storage", operation: "GetObject", status: 404, code: "NoSuchKey"),
        Fault(.corrupt, service: "storage", operation: "GetObject"),
        Fault(.cut, service: "storage", operation: "GetObject", bytes: 40),
    ]

    @Test("whatever an answer was that may change, a run is asked for again within seconds", arguments: faults)
    func run(fault: Fault) async throws {
        try await Self.with { works, workflow in
            let id = try works.sandbox.startRun(workflow: workflow)
            works.sandbox.add(fault)
            try await works.withTimePassing {
                _ = try await works.runs.pass()
                _ = try await works.surveys.pass()
            }
            let row = try Self.run(works)
            #expect(row.surveyedAt == nil && row.trouble != nil && row.surveyMark == nil)
            #expect(try !Self.report(works, .run(id: id)).isReady)
            works.sandbox.clearFaults()
            works.clock.advance(by: .seconds(6))
            try await works.withTimePassing { _ = try await works.surveys.pass() }
            #expect(try Self.sources(works, "run") == [Self.image])
            #expect(try Self.run(works).trouble == nil)
        }
    }

    @Test("and a version within a minute or so", arguments: faults)
    func version(fault: Fault) async throws {
        try await Self.with { works, workflow in
            works.sandbox.add(fault)
            try await works.withTimePassing {
                _ = try await works.workflows.pass()
                _ = try? await works.definitions.pass()
            }
            let row = try #require(try works.ledger.version(workflowID: workflow, name: ""))
            #expect(row.surveyedDigest == nil && row.trouble != nil)
            #expect(try !Self.report(works, .workflow(workflow)).isReady)
            works.sandbox.clearFaults()
            works.clock.advance(by: .seconds(61))
            try await works.withTimePassing { _ = try await works.definitions.pass() }
            #expect(try Self.sources(works, "version") == [Self.image])
            #expect(try works.ledger.version(workflowID: workflow, name: "")?.trouble == nil)
        }
    }

    @Test("a GetRun that was refused, or did not know the run yet")
    func getRun() async throws {
        for (status, code) in [(403, "AccessDeniedException"), (404, "ResourceNotFoundException")] {
            try await Self.with { works, workflow in
                try works.sandbox.startRun(workflow: workflow)
                works.sandbox.add(Fault(.error, service: "omics", operation: "GetRun", status: status, code: code))
                try await Self.pass(works)
                #expect(try Self.run(works).endedAt == nil)
                works.sandbox.clearFaults()
                try await Self.pass(works, after: 6)
                #expect(try Self.sources(works, "run") == [Self.image])
            }
        }
    }

    @Test("pauses grow to an hour; a new run, a reload and a person end them")
    func backOff() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            works.sandbox.deny(["omics:GetWorkflow"])
            var waits: [Int64] = []
            for _ in 0..<12 {
                try await works.withTimePassing {
                    _ = try await works.runs.pass()
                    _ = try await works.surveys.pass()
                }
                let due = try #require(try Self.run(works).surveyDueAt)
                let wait = due - works.timeline.now().milliseconds
                waits.append((wait + 999) / 1000)
                works.clock.advance(by: .milliseconds(wait))
            }
            #expect(waits.first == 5 && waits.last == 3600 && waits == waits.sorted())
            try await Self.pass(works)
            let now = works.timeline.now()
            #expect(try works.ledger.runsToSurvey(mark: nil, limit: 9, now: now).isEmpty)
            #expect(try works.ledger.retrySurveys(now: now) == 2, "the run and the version")
            #expect(try works.ledger.runsToSurvey(mark: nil, limit: 9, now: now).count == 1)
            try await Self.pass(works)
            #expect(try works.ledger.runsToSurvey(mark: nil, limit: 9, now: works.timeline.now()).isEmpty)
            // Another run of the workflow: the permission was given meanwhile.
            works.sandbox.deny([])
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            #expect(try Self.sources(works, "run") == [Self.image])
            try await Self.pass(works)
            #expect(try works.ledger.unread().isEmpty)
        }
    }

    @Test("what keeps one run of a version from being known is asked once in a pass, not for each run")
    func askedOnce() async throws {
        try await Self.with { works, workflow in
            for _ in 0..<20 { try works.sandbox.startRun(workflow: workflow) }
            works.sandbox.deny(["omics:GetWorkflow"])
            try await works.withTimePassing {
                _ = try await works.runs.pass()
                _ = try await works.surveys.pass()
            }
            #expect(works.calls("GetWorkflow") == 1)
            #expect(try works.ledger.unread().count == 20)
            works.sandbox.deny([])
            try await Self.pass(works, after: 6)
            #expect(try works.ledger.unread().isEmpty)
        }
    }

    @Test("a batch whose workflow could not be read is read as a batch again")
    func batch() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startBatch(workflow: workflow, count: 30)
            works.sandbox.deny(["omics:GetWorkflow"])
            try await works.withTimePassing {
                _ = try await works.runs.pass()
                _ = try await works.surveys.pass()
            }
            #expect(try works.ledger.unread().count == 30)
            works.sandbox.deny([])
            works.clock.advance(by: .seconds(6))
            try await works.withTimePassing { _ = try await works.surveys.pass() }
            #expect(works.calls("GetBatch") == 2)
            #expect(try works.ledger.unread().isEmpty)
        }
    }

    @Test("a zip that is proven to be bad is fetched again by another preclone only")
    func proven() async throws {
        try await Self.with { works, _ in
            let recipe = WorkflowRecipe("bad", engine: "WDL", main: "main.wdl", zip: Array("no zip at all".utf8))
            let bad = works.sandbox.addWorkflow(recipe)
            try works.sandbox.startRun(workflow: bad)
            for _ in 0..<3 { try await Self.pass(works, after: 3700) }
            #expect(try works.ledger.unread().map(\.isFinal) == [true, true])
            works.sandbox.forgetRequests()
            try works.ledger.retrySurveys(now: works.timeline.now())
            try await Self.pass(works)
            #expect(works.sandbox.requests.counts["storage/GetObject"] == nil)
            try await works.ledger.database.write {
                try $0.execute(sql: "UPDATE definition SET program = '0.0.1'; UPDATE run SET surveyMark = '0.0.1'")
            }
            try await Self.pass(works)
            #expect(works.sandbox.requests.counts["storage/GetObject"] == 1)
        }
    }

    // MARK: What a list misses

    @Test("a live run that lists miss goes on; one that is over is over")
    func missedRun() async throws {
        try await Self.with { works, workflow in
            let id = try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            works.lists.set(["/run"])
            for _ in 0..<3 {
                try await Self.pass(works, after: 31)
                #expect(try Self.run(works).endedAt == nil)
                #expect(try Self.sources(works, "run") == [Self.image])
            }
            try works.sandbox.setRun(id, status: "STOPPING")
            try await Self.pass(works, after: 31)
            #expect(try Self.run(works).status == "STOPPING")
            #expect(try Self.sources(works, "run").isEmpty)
        }
    }

    @Test("a run that the service knows no longer is over, and one that comes back is worked out again")
    func goneRun() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            works.lists.set(["/run"])
            works.sandbox.add(Fault(.error, operation: "GetRun", status: 404, code: "ResourceNotFoundException"))
            try await Self.pass(works, after: 31)
            #expect(try Self.run(works).status == "DELETED")
            #expect(try Self.sources(works, "run").isEmpty)
            works.lists.set([])
            works.sandbox.clearFaults()
            try await Self.pass(works, after: 31)
            #expect(try Self.sources(works, "run") == [Self.image])
        }
    }

    @Test("many runs that end at once cost a list, not a call for each")
    func manyEnd() async throws {
        try await Self.with { works, workflow in
            let batch = try works.sandbox.startBatch(workflow: workflow, count: 60)
            try await Self.pass(works)
            works.sandbox.setBatch(batch, status: "COMPLETED")
            works.sandbox.forgetRequests()
            try await Self.pass(works, after: 31)
            #expect(try works.ledger.liveRunKeys().isEmpty)
            #expect(works.calls("GetRun") == 0 && works.calls("ListRuns") == 4)
        }
    }

    @Test("a workflow or version that a list misses stays; one that comes back is read again")
    func missedWorkflow() async throws {
        try await Self.with { works, workflow in
            var version = EventWatcherTests.recipe
            version.name = "v2"
            works.sandbox.addVersion(version, workflow: workflow)
            func sweep() async throws {
                works.clock.advance(by: .seconds(700))
                try await works.withTimePassing { _ = try await works.versions.pass() }
                try await Self.pass(works)
            }
            try await Self.pass(works)
            try await sweep()
            func demands() throws -> Int {
                try works.ledger.database.read {
                    try Int.fetchOne(
                        $0,
                        sql: "SELECT COUNT(DISTINCT subject) FROM demand WHERE kind = 'version' AND endedAt IS NULL"
                    )
                        ?? 0
                }
            }
            #expect(try demands() == 2)
            works.lists.set(["/workflow", "/workflow/\(workflow)/version"])
            try await sweep()
            #expect(try demands() == 2)
            works.sandbox.add(Fault(.error, operation: "GetWorkflow", status: 404, code: "ResourceNotFoundException"))
            try await sweep()
            #expect(try demands() == 0)
            works.sandbox.clearFaults()
            works.lists.set([])
            try await sweep()
            try await sweep()
            #expect(try demands() == 2)
            works.lists.set(["/workflow/\(workflow)/version"])
            works.sandbox.add(
                Fault(.error, operation: "GetWorkflowVersion", status: 404, code: "ResourceNotFoundException")
            )
            try await sweep()
            #expect(try demands() == 1, "a version that is deleted is over, without an event")
        }
    }

    // MARK: What decided

    private final class Choosing: Sendable {
        let choices: Surveyor.Choices
        let workflows: Configuring.Configuration.Watch.Workflows
        init(_ choices: Surveyor.Choices, _ workflows: Configuring.Configuration.Watch.Workflows = .init()) {
            (self.choices, self.workflows) = (choices, workflows)
        }
    }

    private static func pass(_ works: SandboxWorks, _ choosing: Choosing) async throws {
        let runs = RunSurveyLoop(
            ledger: works.ledger,
            surveyor: works.surveyor,
            timeline: works.timeline,
            choices: { choosing.choices },
            demanded: {}
        )
        let versions = VersionSurveyLoop(
            ledger: works.ledger,
            surveyor: works.surveyor,
            timeline: works.timeline,
            selection: { choosing.workflows },
            choices: { choosing.choices },
            demanded: {}
        )
        try await works.withTimePassing {
            _ = try await versions.pass()
            _ = try await runs.pass()
        }
    }

    private static func places(_ works: SandboxWorks) throws -> Set<String> {
        try works.ledger.database.read {
            try String.fetchSet(
                $0,
                sql: """
                    SELECT kind || ' ' || substr(destination, instr(destination, '/') + 1) FROM demand
                    JOIN image ON image.id = demand.imageID WHERE endedAt IS NULL
                    """
            )
        }
    }

    @Test("clone.unmapped, clone.destination, clone.certainty and a rule are felt, without a call to HealthOmics")
    func choices() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            var choices = SandboxWorks.choices
            choices.clonesUnmapped = false
            try await works.withTimePassing {
                _ = try await works.workflows.pass()
                _ = try await works.runs.pass()
            }
            try await Self.pass(works, Choosing(choices))
            #expect(try Self.places(works) == ["run ", "version "], "blocked: no mapping")
            works.sandbox.forgetRequests()
            choices.clonesUnmapped = true
            choices.template = "one/{repository}"
            try await Self.pass(works, Choosing(choices))
            #expect(try Self.places(works) == ["run ", "version ", "run one/org/tool:1.0", "version one/org/tool:1.0"])
            choices.template = "two/{repository}"
            try await Self.pass(works, Choosing(choices))
            #expect(try Self.places(works) == ["run ", "version ", "run two/org/tool:1.0", "version two/org/tool:1.0"])
            choices.certainties = []
            try await Self.pass(works, Choosing(choices))
            #expect(try Self.places(works).isEmpty)
            choices.certainties = ["certain"]
            choices.clonesUnmapped = false
            try works.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            works.clock.advance(by: .seconds(301))
            choices.clonesUnmapped = true
            try await Self.pass(works, Choosing(choices))
            #expect(try Self.places(works).contains("run quay/org/tool:1.0"))
            let calls = works.sandbox.requests.counts.keys.filter { $0.hasPrefix("omics/") || $0.hasPrefix("storage/") }
            #expect(calls.isEmpty)
        }
    }

    @Test("an upgrade evaluates again, and reads no definition twice")
    func upgrade() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            try await Self.pass(works)
            try await works.ledger.database.write {
                try $0.execute(
                    sql: """
                        UPDATE run SET surveyMark = 'old'; UPDATE version SET surveyMark = 'old';
                        UPDATE demand SET endedAt = 1;
                        UPDATE inspection SET profiles = replace(profiles, '\(Version.current)', '0.0.1'), result = '{}'
                        """
                )
            }
            works.sandbox.forgetRequests()
            try await Self.pass(works)
            #expect(try Self.sources(works, "run") == [Self.image])
            #expect(try Self.sources(works, "version") == [Self.image])
            #expect(works.sandbox.requests.counts["storage/GetObject"] == nil)
        }
    }

    @Test("a registry map that was changed is found: by a new run, by an event, and where an image is not mapped")
    func registryMap() async throws {
        let map: SandboxJSON = [
            "registryMappings": [["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "mine"]]
        ]
        let mapped: Set = ["run mine/org/tool:1.0", "version mine/org/tool:1.0"]
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            works.sandbox.setRegistryMap(map, workflow: workflow)
            try await Self.pass(works, after: 61)
            try await Self.pass(works)
            #expect(try Self.places(works) == mapped, "a live run waits")
            // Away from there again, and nothing is unmapped: a new run tells.
            works.sandbox.setRegistryMap(
                ["registryMappings": [["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "other"]]],
                workflow: workflow
            )
            try await Self.pass(works, after: 61)
            #expect(try Self.places(works) == mapped)
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            try await Self.pass(works)
            #expect(try Self.places(works) == ["run other/org/tool:1.0", "version other/org/tool:1.0"])
        }
        try await EventWatcherTests.with { watched in
            let works = watched.works
            try works.sandbox.startRun(workflow: watched.workflow)
            try await Self.pass(works)
            works.sandbox.setRegistryMap(map, workflow: watched.workflow)
            works.sandbox.send(
                #"{"detail-type":"Workflow Status Change","detail":{"arn":"arn:aws:omics:us-east-1:123456789012:workflow/\#(watched.workflow)","status":"ACTIVE"}}"#
            )
            try await watched.pass()
            try await Self.pass(works)
            #expect(try Self.places(works) == mapped)
        }
    }

    @Test(
        "an excluded workflow loses what is cloned ahead, also what was learned, and gets it back; its live run keeps all"
    )
    func excluded() async throws {
        try await Self.with { works, workflow in
            try works.sandbox.startRun(workflow: workflow)
            try await Self.pass(works)
            try await Self.pass(works)
            var learned = PlannedDemand(
                source: "quay.io/a/more:1",
                destination: "d",
                registry: "quay.io",
                mention: "quay.io/a/more:1",
                certainty: "certain"
            )
            learned.reason = "a finished run used it"
            try works.ledger.want(
                .learned(workflowID: workflow, name: ""),
                [learned],
                isMore: true,
                now: works.timeline.now()
            )
            var workflows = Configuring.Configuration.Watch.Workflows()
            workflows.exclude = [try #require(Glob(workflow))]
            try await Self.pass(works, Choosing(SandboxWorks.choices, workflows))
            #expect(try Self.sources(works, "version").isEmpty && Self.sources(works, "learned").isEmpty)
            #expect(try Self.sources(works, "run") == [Self.image])
            // A new version of it, and a new run.
            var version = EventWatcherTests.recipe
            version.name = "v2"
            works.sandbox.addVersion(version, workflow: workflow)
            works.clock.advance(by: .seconds(700))
            works.sandbox.forgetRequests()
            try works.sandbox.startRun(workflow: workflow)
            try await works.withTimePassing {
                _ = try await works.versions.pass()
                _ = try await works.runs.pass()
            }
            try await Self.pass(works, Choosing(SandboxWorks.choices, workflows))
            #expect(works.calls("ListWorkflowVersions") == 0)
            #expect(try Self.sources(works, "version").isEmpty)
            #expect(try Self.sources(works, "run") == [Self.image, "quay.io/a/more:1"])
            try await Self.pass(works, Choosing(SandboxWorks.choices))
            #expect(try Self.sources(works, "version") == [Self.image])
            #expect(try Self.sources(works, "learned") == ["quay.io/a/more:1"])
        }
    }

    @Test("a shared workflow with a learned image is not known, and so not ready")
    func shared() async throws {
        try await Self.with { works, _ in
            var recipe = EventWatcherTests.recipe
            recipe.owner = "999999999999"
            // Not one that was read by its digest where it is ours.
            recipe.files["main.wdl"]?.append("# theirs\n")
            let shared = works.sandbox.addWorkflow(recipe)
            let settings: [String: SandboxJSON] = ["workflowOwnerId": "999999999999"]
            try works.ledger.want(
                .learned(workflowID: shared, name: ""),
                [
                    PlannedDemand(
                        source: Self.image,
                        destination: "d",
                        registry: "quay.io",
                        mention: Self.image,
                        certainty: "certain"
                    )
                ],
                isMore: true,
                now: works.timeline.now()
            )
            let id = try works.sandbox.startRun(workflow: shared, settings: settings)
            try await Self.pass(works)
            #expect(try Self.sources(works, "run") == [Self.image])
            try await works.ledger.database.write { try $0.execute(sql: "UPDATE image SET state = 'ready'") }
            for filter in [StatusReport.Filter.run(id: id), .workflow(shared)] {
                let focus = try Self.report(works, filter)
                #expect(!focus.isReady)
                #expect(focus.sentence.contains("not worked out"))
            }
        }
    }

    // MARK: Time, and turns

    @Test("moments from a clock that was ahead hold nothing up when it is right")
    func clockAhead() async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            works.clock.shiftWallClock(by: 86_400)
            _ = try works.ledger.firstStart(now: works.timeline.now())
            let id = works.sandbox.addWorkflow(EventWatcherTests.recipe)
            let tomorrow = works.timeline.now().milliseconds
            try await works.ledger.database.write {
                try $0.execute(
                    sql: """
                        INSERT INTO workflow (id, type, status, seenAt, firstSeenAt, sweptAt) VALUES (?, 'PRIVATE', 'ACTIVE', ?, ?, ?)
                        """,
                    arguments: [id, tomorrow, tomorrow, tomorrow]
                )
            }
            works.clock.shiftWallClock(by: -86_400)
            let now = works.timeline.now()
            // The record keeps whole milliseconds.
            #expect(try works.ledger.firstStart(now: now).milliseconds <= now.milliseconds)
            #expect(
                try works.ledger.workflowsToSweep(sweptBefore: now - 600, recentSince: now - 86_400, now: now) == [id]
            )
            // What waits until tomorrow waits for nothing that we wait for.
            let sighting = RunSighting(
                id: "1",
                created: now,
                name: nil,
                status: "PENDING",
                workflowID: id,
                versionName: "",
                batchID: nil
            )
            try works.ledger.saw([sighting], now: now.addingTimeInterval(86_400))
            #expect(try works.ledger.runsToSurvey(mark: nil, limit: 9, now: now).map(\.id) == ["1"])
        }
        // With a heartbeat from then the first start is what it was by the right clock.
        let fixture = try RecordFixture()
        let ahead = fixture.now.addingTimeInterval(86_400)
        _ = try fixture.ledger.firstStart(now: ahead)
        try fixture.ledger.workerStarted(WorkerIdentity(pid: 1, version: "1", mode: "run"), now: ahead + 100)
        #expect(try fixture.ledger.beat(now: fixture.now + 100) != nil)
        #expect(try fixture.ledger.firstStart(now: fixture.now + 200) == fixture.now)
    }

    @Test("workflows with recent runs have their turn more often, and leave others theirs")
    func fairness() throws {
        let ledger = try Ledger()
        var now = Date(timeIntervalSince1970: 1_790_000_000)
        for number in 0..<400 {
            let id = "\(number)"
            let sighting = WorkflowSighting(
                id: id,
                name: nil,
                type: "PRIVATE",
                status: "ACTIVE",
                digest: nil,
                created: nil
            )
            try ledger.saw([sighting], now: now)
            if number < 300 { _ = try ledger.workflowInUse(id, now: now) }
        }
        var turns: [String: Int] = [:]
        // Thirty a minute, for four hours.
        for _ in 0..<7200 {
            now += 2
            let due = try ledger.workflowsToSweep(sweptBefore: now - 600, recentSince: now - 86_400, now: now)
            guard let first = due.first else { continue }
            turns[first, default: 0] += 1
            try ledger.swept(first, now: now)
        }
        let others = (300..<400).map { turns["\($0)", default: 0] }
        let recent = (0..<300).map { turns["\($0)", default: 0] }
        #expect((others.min() ?? 0) >= 4, "\(others)")
        #expect((recent.min() ?? 0) >= 2 * (others.max() ?? 0))
    }

    @Test("a workflow whose versions cannot be listed keeps none from their turn, and a refused list is told")
    func refusedLists() async throws {
        try await Self.with { works, _ in
            works.sandbox.addWorkflow(EventWatcherTests.recipe)
            try await Self.pass(works)
            func trouble(_ name: String) throws -> String? {
                try works.ledger.database.read {
                    try String.fetchOne($0, sql: "SELECT trouble FROM sweep WHERE name = ?", arguments: [name])
                }
            }
            works.sandbox.deny(["omics:ListWorkflowVersions", "omics:ListWorkflows", "omics:ListRuns"])
            for _ in 0..<2 {
                await #expect(throws: AWSError.self) {
                    try await works.withTimePassing { _ = try await works.versions.pass() }
                }
            }
            #expect(try await works.withTimePassing { try await works.versions.pass() } == .seconds(30))
            await #expect(throws: AWSError.self) {
                try await works.withTimePassing { _ = try await works.workflows.pass() }
            }
            await #expect(throws: AWSError.self) { try await works.withTimePassing { _ = try await works.runs.pass() } }
            for name in ["workflows", "runs"] { #expect(try trouble(name)?.contains("AccessDenied") == true) }
            works.sandbox.deny([])
            try await Self.pass(works, after: 700)
            try await works.withTimePassing { _ = try await works.versions.pass() }
            for name in ["workflows", "runs", "versions"] { #expect(try trouble(name) == nil) }
        }
    }
}
