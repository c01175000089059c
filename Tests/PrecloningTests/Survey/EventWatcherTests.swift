import Foundation
import GRDB
import NIOHTTP1
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Configuring
@testable import Model
@testable import Precloning
@testable import Record

/// The loop over the queue, against the sandbox's HealthOmics and SQS.
@Suite("EventWatcher")
struct EventWatcherTests {
    /// What a test has in hand.
    struct Watched: Sendable {
        var works: SandboxWorks
        var health: EventHealth
        var events: EventWatcher
        var workflow: String
        /// Rung for runs, versions, and the end of slow polling.
        var found = Counter()
        var versions = Counter()
        var fellBack = Counter()

        func rows(_ kind: String = "%") throws -> [Row] {
            try works.ledger.database.read {
                try Row.fetchAll($0, sql: "SELECT * FROM event WHERE kind LIKE ? ORDER BY id", arguments: [kind])
            }
        }

        func daemon(_ column: String) throws -> String? {
            try works.ledger.database.read { try String.fetchOne($0, sql: "SELECT \(column) FROM daemon") }
        }

        func outcomes() throws -> [String] { try rows().map { $0["outcome"] } }

        func pass() async throws { _ = try await works.withTimePassing { try await events.pass() } }

        func liveRuns() throws -> [String] {
            try works.ledger.database.read {
                try String.fetchAll($0, sql: "SELECT id FROM run WHERE endedAt IS NULL ORDER BY id")
            }
        }
    }

    static let recipe = WorkflowRecipe(
        "w",
        engine: "WDL",
        files: [
            "main.wdl": """
            version 1.0
            workflow w { call t }
            task t { command {} runtime { docker: "quay.io/org/tool:1.0" } }
            """
        ]
    )

    static func with<Value: Sendable>(_ body: @Sendable (Watched) async throws -> Value) async throws -> Value {
        try await SandboxWorks.with { works in
            // The workflow is there before the queue, so that only what a test does makes events.
            let workflow = works.sandbox.addWorkflow(recipe)
            let queue = works.queue(works.sandbox.makeQueue())
            let health = EventHealth(ledger: works.ledger, now: works.timeline.now)
            let (found, versions, fellBack) = (Counter(), Counter(), Counter())
            try works.ledger.workerStarted(
                WorkerIdentity(pid: 1, version: "1", mode: "run"),
                now: works.timeline.now()
            )
            let events = EventWatcher(
                ledger: works.ledger,
                queue: { queue },
                actions: EventActions(
                    ledger: works.ledger,
                    healthOmics: works.healthOmics,
                    account: works.account,
                    timeline: works.timeline,
                    selection: { Configuring.Configuration.Watch.Workflows() },
                    foundRuns: { found.add() },
                    foundVersions: { versions.add() }
                ),
                health: health,
                timeline: works.timeline,
                longestPoll: 1,
                beat: {},
                fellBack: { fellBack.add() }
            )
            return try await body(
                Watched(
                    works: works,
                    health: health,
                    events: events,
                    workflow: workflow,
                    found: found,
                    versions: versions,
                    fellBack: fellBack
                )
            )
        }
    }

    @Test("a new run is in the record, due for its survey, and its message deleted, at the price of one call")
    func newRun() async throws {
        try await Self.with { watched in
            let id = try watched.works.sandbox.startRun(workflow: watched.workflow)
            watched.works.sandbox.forgetRequests()
            try await watched.pass()
            #expect(try watched.liveRuns() == [id])
            let row = try #require(try watched.works.ledger.runs(id: id).first)
            #expect(row.surveyDueAt != nil && row.workflowID == watched.workflow)
            #expect(watched.found.value == 1)
            #expect(watched.works.sandbox.messageCount() == 0)
            #expect(watched.works.calls("GetRun") == 1)
            #expect(watched.works.calls("ListRuns") == 0)
            #expect(try watched.outcomes() == ["a new run"])
            #expect(try watched.daemon("lastEventAt") != nil)
        }
    }

    @Test("duplicates and any order change nothing")
    func duplicatesAndOrder() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            let id = try sandbox.startRun(workflow: watched.workflow)
            func event(_ status: String) -> String {
                #"{"detail-type":"Run Status Change","source":"aws.omics","detail":{"runId":"\#(id)","status":"\#(status)"}}"#
            }
            // RUNNING and a duplicate before PENDING, which the sandbox sent by itself.
            for status in ["RUNNING", "RUNNING", "PENDING"] { sandbox.send(event(status)) }
            sandbox.forgetRequests()
            try await watched.pass()
            #expect(try watched.liveRuns() == [id])
            #expect(watched.works.calls("GetRun") == 1)
            #expect(sandbox.messageCount() == 0)
            sandbox.send(event("COMPLETED"))
            sandbox.send(event("RUNNING"))
            try await watched.pass()
            #expect(try watched.liveRuns().isEmpty, "a late RUNNING does not bring a run back")
            #expect(try watched.works.ledger.runs(id: id).first?.status == "COMPLETED")
        }
    }

    @Test("an event of an earlier run with the same id leaves the present one alone")
    func reusedID() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            let id = try sandbox.startRun(workflow: watched.workflow)
            try await watched.pass()
            let early = watched.works.timeline.now().addingTimeInterval(-86_400).formatted(.iso8601)
            sandbox.send(
                #"{"detail-type":"Run Status Change","time":"\#(early)","detail":{"runId":"\#(id)","status":"DELETED"}}"#
            )
            try await watched.pass()
            #expect(try watched.liveRuns() == [id])
            #expect(try watched.outcomes().last == "dropped: of an earlier run with this id")
        }
    }

    @Test("many new runs at once cost one list, not a call for each")
    func storm() async throws {
        try await Self.with { watched in
            for number in 0..<40 {
                try watched.works.sandbox.startRun(workflow: watched.workflow, name: "r\(number)")
            }
            watched.works.sandbox.forgetRequests()
            for _ in 0..<4 { try await watched.pass() }
            #expect(try watched.liveRuns().count == 40)
            #expect(watched.works.calls("ListRuns") == 1)
            #expect(watched.works.calls("GetRun") == 0)
            #expect(watched.works.sandbox.messageCount() == 0)
        }
    }

    @Test("poison ends in the record with its reason, and is not received again")
    func poison() async throws {
        try await Self.with { watched in
            for body in ["no event", #"{"detail-type":"Run Status Change","detail":{"runId":"../x"}}"#] {
                watched.works.sandbox.send(body)
            }
            try await watched.pass()
            let rows = try watched.rows("poison")
            #expect(rows.count == 2)
            #expect(rows.allSatisfy { !($0["outcome"] as String).isEmpty })
            #expect(watched.works.sandbox.messageCount() == 0)
        }
    }

    @Test("an event of another account or Region is dropped without a call")
    func strangers() async throws {
        try await Self.with { watched in
            for place in [#""account":"999999999999""#, #""region":"ap-southeast-1""#] {
                watched.works.sandbox.send(
                    #"{"detail-type":"Run Status Change",\#(place),"detail":{"runId":"1","status":"PENDING"}}"#
                )
            }
            try await watched.pass()
            #expect(
                try watched.outcomes() == ["dropped: of account 999999999999", "dropped: of Region ap-southeast-1"]
            )
            #expect(watched.works.calls("GetRun") == 0)
        }
    }

    @Test("a message whose meaning is not recorded stays in the queue, and is taken later")
    func failingService() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            let id = try sandbox.startRun(workflow: watched.workflow)
            sandbox.send("poison among it")
            sandbox.add(Fault(.error, service: "omics", operation: "GetRun", times: 5))
            await #expect(throws: AWSError.self) { try await watched.pass() }
            #expect(sandbox.messageCount() == 1, "the run's message is still there, the poison is gone")
            #expect(try watched.rows().count == 1)
            #expect(try watched.liveRuns().isEmpty)
            watched.works.clock.advance(by: .seconds(31))
            try await watched.pass()
            #expect(try watched.liveRuns() == [id])
            #expect(sandbox.messageCount() == 0)
        }
    }

    @Test("a message that never works is given up with the reason")
    func givesUp() async throws {
        try await Self.with { watched in
            try watched.works.sandbox.startRun(workflow: watched.workflow)
            watched.works.sandbox.add(Fault(.error, service: "omics", operation: "GetRun"))
            for _ in 0..<5 {
                await #expect(throws: AWSError.self) { try await watched.pass() }
                watched.works.clock.advance(by: .seconds(901))
            }
            try await watched.pass()
            #expect(watched.works.sandbox.messageCount() == 0)
            let outcome = try #require(try watched.outcomes().first)
            #expect(outcome.hasPrefix("received 6 times: omics:GetRun"))
        }
    }

    @Test("a message whose deletion failed is known when it comes again, and costs nothing")
    func failedDelete() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            try sandbox.startRun(workflow: watched.workflow)
            sandbox.add(Fault(.error, service: "sqs", operation: "DeleteMessageBatch", times: 5))
            await #expect(throws: AWSError.self) { try await watched.pass() }
            #expect(sandbox.messageCount() == 1)
            sandbox.forgetRequests()
            watched.works.clock.advance(by: .seconds(61))
            try await watched.pass()
            #expect(sandbox.messageCount() == 0)
            #expect(watched.works.calls("GetRun") == 0)
            #expect(try watched.rows().count == 1)
        }
    }

    @Test("of a batch of deletions each entry is looked at: those that failed are sent once more, and nothing else")
    func failedEntries() async throws {
        try await Self.with { watched in
            let messages = ["a", "b"].map { #"{"MessageId":"\#($0)","ReceiptHandle":"h-\#($0)","Body":"poison"}"# }
            let transport = ScriptedTransport([
                .answer(200, [], #"{"Messages":[\#(messages.joined(separator: ","))]}"#),
                .answer(
                    200,
                    [],
                    #"{"Successful":[{"Id":"m0"}],"Failed":[{"Id":"m1","SenderFault":false,"Code":"InternalError"}]}"#
                ),
                .answer(200, [], #"{"Successful":[{"Id":"m0"}]}"#),
            ])
            let client = AWSClient(
                endpoint: .init(service: "sqs", signingName: "sqs", url: "http://127.0.0.1:1"),
                region: "us-east-1",
                transport: transport,
                credentials: { _ in AWSCredentials(accessKeyID: "a", secretAccessKey: "b", provider: "test") },
                timeline: watched.works.timeline
            )
            let queue = SQSClient(client: client, queueURL: "https://sqs.us-east-1.amazonaws.com/1/q")
            let events = EventWatcher(
                ledger: watched.works.ledger,
                queue: { queue },
                actions: watched.events.actions,
                health: watched.health,
                timeline: watched.works.timeline,
                longestPoll: 1,
                beat: {},
                fellBack: {}
            )
            _ = try await watched.works.withTimePassing { try await events.pass() }
            #expect(
                transport.sent.map { $0.headers.first(name: "X-Amz-Target") } == [
                    "AmazonSQS.ReceiveMessage", "AmazonSQS.DeleteMessageBatch", "AmazonSQS.DeleteMessageBatch",
                ]
            )
            #expect(try watched.rows("poison").count == 2)
        }
    }

    @Test("messages stay hidden for as long as work on them lasts")
    func visibility() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            try sandbox.startRun(workflow: watched.workflow)
            sandbox.add(Fault(.delay, service: "omics", operation: "GetRun", times: 1, seconds: 100))
            try await watched.pass()
            #expect(sandbox.requests.counts["sqs/ChangeMessageVisibilityBatch", default: 0] >= 1)
            #expect(sandbox.messageCount() == 0)
        }
    }

    @Test("a version made active is read at once; a batch names its runs")
    func workflowsAndBatches() async throws {
        try await Self.with { watched in
            let (works, sandbox) = (watched.works, watched.works.sandbox)
            var version = Self.recipe
            version.name = "v2"
            sandbox.addVersion(version, workflow: watched.workflow)
            try await watched.pass()
            #expect(try works.ledger.version(workflowID: watched.workflow, name: "v2")?.status == "ACTIVE")
            #expect(watched.versions.value == 1)
            // Of a workflow that is new as well, even if the rule's events for it were lost.
            #expect(try works.ledger.knowsWorkflow(watched.workflow))
            let batch = try sandbox.startBatch(workflow: watched.workflow, count: 3)
            _ = try await works.queue(sandbox.makeQueue()).receiveMessages(maximum: 10, waitSeconds: 0)
            sandbox.send(
                #"{"detail-type":"RunBatch Status Change","detail":{"batchId":"\#(batch)","status":"INPROGRESS"}}"#
            )
            try await watched.pass()
            #expect(try watched.liveRuns().count == 3)
            #expect(try watched.outcomes().last == "3 new runs")
        }
    }

    @Test("a workflow that the service no longer has ends in the record")
    func goneWorkflow() async throws {
        try await Self.with { watched in
            try await watched.works.withTimePassing { _ = try await watched.works.workflows.pass() }
            #expect(try watched.works.ledger.knowsWorkflow(watched.workflow))
            watched.works.sandbox.add(
                Fault(.error, operation: "GetWorkflow", status: 404, code: "ResourceNotFoundException")
            )
            watched.works.sandbox.send(
                #"{"detail-type":"Workflow Status Change","detail":{"arn":"arn:aws:omics:us-east-1:123456789012:workflow/\#(watched.workflow)","status":"deletion success"}}"#
            )
            try await watched.pass()
            #expect(try !watched.works.ledger.knowsWorkflow(watched.workflow))
            #expect(try watched.outcomes() == ["the workflow is gone"])
        }
    }

    // MARK: How often to poll

    @Test("polling goes ten times slower once events have proved themselves, never slower than ten minutes by it")
    func slower() async throws {
        try await Self.with { watched in
            #expect(watched.health.interval(.seconds(30)) == .seconds(30), "before the first answer of the queue")
            try await watched.pass()
            #expect(watched.health.interval(.seconds(30)) == .seconds(30), "an answer without events proves nothing")
            watched.works.sandbox.send(
                #"{"detail-type":"Run Status Change","detail":{"runId":"4711","status":"PENDING"}}"#
            )
            try await watched.pass()
            #expect(watched.health.interval(.seconds(30)) == .seconds(30), "nor does one of a run that nobody knows")
            try watched.works.sandbox.startRun(workflow: watched.workflow)
            try await watched.pass()
            #expect(watched.health.interval(.seconds(30)) == .seconds(300))
            #expect(watched.health.interval(.seconds(90)) == .seconds(600))
            #expect(watched.health.interval(.seconds(1200)) == .seconds(1200))
            watched.works.clock.advance(by: .seconds(86_460))
            try await watched.pass()
            #expect(watched.health.interval(.seconds(30)) == .seconds(30), "a day without any")
        }
    }

    /// Takes what is in the queue away, as somebody else who reads it.
    private static func swallow(_ watched: Watched) async throws {
        let queue = watched.works.queue(watched.works.sandbox.makeQueue())
        let messages = try await queue.receiveMessages(maximum: 10, waitSeconds: 0)
        _ = try await queue.deleteMessages(messages.map(\.receiptHandle))
    }

    @Test("a poll that found a run first ends it for an hour, unless the event comes within a minute")
    func pollWasFirst() async throws {
        try await Self.with { watched in
            let works = watched.works
            try works.sandbox.startRun(workflow: watched.workflow)
            try await watched.pass()
            #expect(watched.health.isHealthy)
            let id = try works.sandbox.startRun(workflow: watched.workflow)
            try await Self.swallow(watched)
            try await works.withTimePassing { _ = try await works.runs.pass() }
            try await watched.pass()
            #expect(watched.health.isHealthy, "the event may still come")
            works.clock.advance(by: .seconds(61))
            try await watched.pass()
            #expect(!watched.health.isHealthy)
            #expect(try watched.daemon("eventTrouble") == nil, "best effort: one is lost now and then")
            works.sandbox.send(#"{"detail-type":"Run Status Change","detail":{"runId":"\#(id)","status":"PENDING"}}"#)
            try await watched.pass()
            #expect(watched.health.isHealthy, "late, but it came: best effort, and the order of nothing")
        }
    }

    @Test("a queue that nothing feeds is told once a poll found a run, and no more when events come")
    func silentQueue() async throws {
        try await Self.with { watched in
            let works = watched.works
            try works.sandbox.startRun(workflow: watched.workflow)
            try await Self.swallow(watched)
            try await works.withTimePassing { _ = try await works.runs.pass() }
            try await watched.pass()
            #expect(try watched.daemon("eventTrouble") == nil, "the event may still come")
            works.clock.advance(by: .seconds(61))
            try await watched.pass()
            #expect(try watched.daemon("eventTrouble")?.contains("no event ever came") == true)
            try works.sandbox.startRun(workflow: watched.workflow)
            try await watched.pass()
            try await watched.pass()
            #expect(try watched.daemon("eventTrouble") == nil)
        }
    }

    @Test("a backlog of events of runs that are gone costs one call for each run, of workflows that are there likewise")
    func backlog() async throws {
        try await Self.with { watched in
            let sandbox = watched.works.sandbox
            let time = watched.works.timeline.now().addingTimeInterval(-60).formatted(.iso8601)
            for number in 0..<120 {
                let run = 7_000_000 + number % 6
                let kind = number % 3 == 0 ? "Task" : "Run"
                let at = number % 2 == 0 ? #""time":"\#(time)","# : ""
                sandbox.send(
                    #"{"detail-type":"\#(kind) Status Change",\#(at)"detail":{"runId":"\#(run)","status":"RUNNING"}}"#
                )
                sandbox.send(
                    #"{"detail-type":"Workflow Status Change","time":"\#(time)","detail":{"workflowId":"\#(watched.workflow)","status":"ACTIVE"}}"#
                )
            }
            sandbox.forgetRequests()
            while sandbox.messageCount() > 0 { try await watched.pass() }
            #expect(watched.works.calls("GetRun") == 6)
            #expect(watched.works.calls("GetWorkflow") == 1)
            #expect(watched.works.calls("ListRuns") <= 6)
            #expect(try watched.rows().count == 240)
            // Ids are used again after deletion: what comes later is asked for.
            let later = watched.works.timeline.now().addingTimeInterval(60).formatted(.iso8601)
            sandbox.send(
                #"{"detail-type":"Run Status Change","time":"\#(later)","detail":{"runId":"7000001","status":"PENDING"}}"#
            )
            try await watched.pass()
            #expect(watched.works.calls("GetRun") == 7)
        }
    }

    @Test("a queue that fails ends it at once, wakes the polls, and status says why")
    func failingQueue() async throws {
        try await Self.with { watched in
            try watched.works.sandbox.startRun(workflow: watched.workflow)
            try await watched.pass()
            #expect(watched.health.isHealthy)
            watched.works.sandbox.add(
                Fault(.error, service: "sqs", operation: "ReceiveMessage", status: 400, code: "QueueDoesNotExist")
            )
            await #expect(throws: AWSError.self) { try await watched.pass() }
            #expect(!watched.health.isHealthy)
            #expect(watched.fellBack.value == 1)
            #expect(try watched.daemon("eventTrouble")?.contains("NonExistentQueue") == true)
            watched.works.sandbox.clearFaults()
            try await watched.pass()
            #expect(try watched.daemon("eventTrouble") == nil)
            #expect(watched.health.isHealthy)
        }
    }
}
