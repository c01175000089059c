import Foundation
import Testing

@testable import Precloning

/// What bodies of messages come to. The shapes are those of the HealthOmics user guide, of older events, of SNS and of
/// input transformers.
@Suite("EventReading")
struct EventReadingTests {
    static let runEvent = #"""
        {"version":"0","id":"64ca0eda-9751-dc55-c41a-1bd50b4fc9b7","detail-type":"Run Status Change","source":"aws.omics",
        "account":"123456789012","time":"2026-10-20T20:24:01Z","region":"us-west-2",
        "resources":["arn:aws:omics:us-west-2:123456789012:run/2101313"],
        "detail":{"omicsVersion":"1.0.0","arn":"arn:aws:omics:us-west-2:123456789012:run/2101313","status":"PENDING",
        "uuid":"c5a0","runId":"1234567","runName":"a","workflowId":"4711","future":{"x":[1,2.5,null]}}}
        """#

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var body: String
        var kind: String
        var subject: EventMessage.Subject
        var status: String
        var testDescription: String { name }

        init(_ name: String, _ body: String, _ kind: String, _ subject: EventMessage.Subject, _ status: String) {
            (self.name, self.body, self.kind, self.subject, self.status) = (name, body, kind, subject, status)
        }
    }

    static func quoted(_ text: String) -> String {
        String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
    }

    static let cases: [Case] = [
        Case(
            "a run, whose runId counts and not the ARN's",
            runEvent,
            "Run Status Change",
            .run(id: "1234567", uuid: "c5a0"),
            "PENDING"
        ),
        Case(
            "a run of 2023, ARN and status alone",
            #"{"detail-type":"Run Status Change","source":"aws.omics","detail":{"omicsVersion":"1.0.0","arn":"arn:aws:omics:us-east-1:1:run/77","status":"RUNNING"}}"#,
            "Run Status Change",
            .run(id: "77", uuid: nil),
            "RUNNING"
        ),
        Case(
            "a run named by its resource alone",
            #"{"detail-type":"Run Status Change","resources":["arn:aws-us-gov:omics:us-gov-west-1:1:run/8"],"detail":{"status":"completed"}}"#,
            "Run Status Change",
            .run(id: "8", uuid: nil),
            "COMPLETED"
        ),
        Case(
            "a task, with its run's ARN",
            #"{"detail-type":"Task Status Change","source":"aws.omics","detail":{"arn":"arn:aws:omics:us-east-1:1:task/5","runArn":"arn:aws:omics:us-east-1:1:run/9","runUuid":"u","status":"STARTING"}}"#,
            "Task Status Change",
            .task(runID: "9", runUUID: "u"),
            "STARTING"
        ),
        Case(
            "a workflow",
            #"{"detail-type":"Workflow Status Change","source":"aws.omics","detail":{"arn":"arn:aws:omics:us-east-1:1:workflow/42","status":"creation success","workflowUuid":"w"}}"#,
            "Workflow Status Change",
            .workflow(id: "42", version: nil),
            "CREATION_SUCCESS"
        ),
        Case(
            "a version",
            #"{"detail-type":"Workflow Status Change","detail":{"arn":"arn:aws:omics:us-east-1:1:workflow/42/version/v1.2_a","status":"ACTIVE"}}"#,
            "Workflow Status Change",
            .workflow(id: "42", version: "v1.2_a"),
            "ACTIVE"
        ),
        Case(
            "a batch, its counts texts",
            #"{"detail-type":"RunBatch Status Change","source":"aws.omics","detail":{"batchId":"600","status":"INPROGRESS","totalRuns":"2000","workflowId":"42"}}"#,
            "RunBatch Status Change",
            .batch(id: "600"),
            "INPROGRESS"
        ),
        Case(
            "an SNS envelope",
            #"{"Type":"Notification","TopicArn":"arn:aws:sns:us-east-1:1:t","Message":\#(quoted(runEvent))}"#,
            "Run Status Change",
            .run(id: "1234567", uuid: "c5a0"),
            "PENDING"
        ),
        Case(
            "JSON in a JSON text",
            quoted(runEvent),
            "Run Status Change",
            .run(id: "1234567", uuid: "c5a0"),
            "PENDING"
        ),
        Case("a list of one", "[\(runEvent)]", "Run Status Change", .run(id: "1234567", uuid: "c5a0"), "PENDING"),
        Case(
            "the detail alone, by a transformer",
            #"{"omicsVersion":"1.0.0","arn":"arn:aws:omics:us-east-1:1:run/5","status":"PENDING"}"#,
            "Run Status Change",
            .run(id: "5", uuid: nil),
            "PENDING"
        ),
        Case(
            "a transformer's own names",
            #"{"run_id":"5","Status":"Pending","account":"1"}"#,
            "Run Status Change",
            .run(id: "5", uuid: nil),
            "PENDING"
        ),
        Case(
            "a number for an id",
            #"{"runId":5,"status":"PENDING"}"#,
            "Run Status Change",
            .run(id: "5", uuid: nil),
            "PENDING"
        ),
        Case(
            "a transformer's sentence",
            #""Run arn:aws:omics:us-east-1:1:run/5 is now PENDING.""#,
            "Run Status Change",
            .run(id: "5", uuid: nil),
            "PENDING"
        ),
        Case(
            "a sentence that is not even JSON",
            "Workflow arn:aws:omics:us-east-1:1:workflow/6 is ACTIVE",
            "Workflow Status Change",
            .workflow(id: "6", version: nil),
            "ACTIVE"
        ),
    ]

    @Test("understands", arguments: cases)
    func understands(_ one: Case) {
        guard case .event(let event) = EventReading(one.body) else {
            Issue.record("not understood: \(EventReading(one.body))")
            return
        }
        #expect(event.kind == one.kind)
        #expect(event.subject == one.subject)
        #expect(event.status == one.status)
    }

    @Test("keeps time, account and Region, which judge whether an event is ours and new")
    func circumstances() throws {
        guard case .event(let event) = EventReading(Self.runEvent) else {
            Issue.record("not understood")
            return
        }
        #expect(event.at == Date(timeIntervalSince1970: 1_792_527_841))
        #expect(event.account == "123456789012")
        #expect(event.region == "us-west-2")
        #expect(event.workflowID == "4711")
    }

    @Test("an account that a transformer made a number of has its zeros again")
    func accountNumber() {
        guard case .event(let event) = EventReading(#"{"runId":5,"status":"PENDING","account":12345678901}"#) else {
            Issue.record("not understood")
            return
        }
        #expect(event.account == "012345678901")
    }

    @Test(
        "records and drops what is of another kind",
        arguments: [
            (#"{"detail-type":"Object Created","source":"aws.s3","detail":{}}"#, "Object Created"),
            (
                #"{"detail-type":"Workflow Share Status Change","source":"aws.omics","detail":{}}"#,
                "Workflow Share Status Change"
            ),
            (#"{"source":"aws.ec2"}"#, "?"),
        ]
    )
    func others(_ body: String, _ kind: String) {
        guard case .other(let found, _) = EventReading(body) else {
            Issue.record("\(EventReading(body))")
            return
        }
        #expect(found == kind)
    }

    @Test(
        "calls poison what cannot be understood",
        arguments: [
            "", "{", "null", "5", "[]", "[1]", "[{},{}]", "{}", "hello", #"{"detail":"PENDING"}"#,
            #"{"detail-type":"Run Status Change","source":"aws.omics","detail":{"status":"PENDING"}}"#,
            #"{"detail-type":"Run Status Change","detail":{"runId":"../../run/1","status":"PENDING"}}"#,
            #"{"detail-type":"Task Status Change","detail":{"arn":"arn:aws:omics:us-east-1:1:task/5"}}"#,
            #"{"runId":"1?x=y"}"#, #"{"arn":"arn:aws:s3:::run/5"}"#,
            String(repeating: "[", count: 100_000),
        ]
    )
    func poison(_ body: String) {
        guard case .poison(let why) = EventReading(body) else {
            Issue.record("\(EventReading(body))")
            return
        }
        #expect(!why.isEmpty)
    }

    @Test("does not follow envelopes without end")
    func envelopes() {
        var body = Self.runEvent
        for _ in 0..<6 { body = Self.quoted(body) }
        #expect(EventReading(body) == .poison(why: "envelopes within envelopes"))
    }
}
