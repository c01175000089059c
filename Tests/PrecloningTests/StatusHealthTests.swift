import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// The first line of `status`: what it must not call idle or healthy.
@Suite("Health")
struct StatusHealthTests {
    private func demand(
        _ fixture: RecordFixture,
        _ image: Int64,
        _ subject: String,
        kind: String = "version",
        certainty: String = "certain",
        isOver: Bool = false
    ) throws {
        try fixture.execute(
            """
            INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt, endedAt)
            VALUES (?, ?, ?, ?, 'm', '[]', '[]', ?, ?)
            """,
            [image, kind, subject, certainty, fixture.at(-900), isOver ? fixture.at(-10) : nil]
        )
    }

    // MARK: Workflows

    @Test("a workflow that no run could go on with, with no run there", arguments: ["certain", "alternative"])
    func stuckWorkflow(certainty: String) throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        for number in 0..<3 {
            let image = try fixture.image("quay.io/org/\(number):1", state: "blocked")
            try demand(fixture, image, "7654321/v2", certainty: certainty)
        }
        let report = try fixture.report()
        #expect(report.health.state == .degraded && report.exitCode == 4)
        #expect(report.health.reasons == ["runs of workflow 7654321/v2 could not go on: 3 blocked images"])
        #expect(fixture.text(report).hasPrefix("degraded: runs of workflow 7654321/v2 could not go on"))
        try demand(fixture, try fixture.image("quay.io/org/other:1", state: "blocked"), "1", kind: "learned")
        #expect(
            try fixture.report().health.reasons
                == ["runs of 2 workflow versions could not go on: workflow 1 with 1 blocked image …"]
        )
    }

    @Test(
        "one that perhaps is not used, one that nobody wants any more, and one that a person asked for alone are no fault"
    )
    func blockedForNobody() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let blocked = try fixture.image("quay.io/org/a:1", state: "blocked")
        try demand(fixture, blocked, "1", certainty: "alternative")
        try demand(fixture, try fixture.image("quay.io/org/b:1"), "1")
        try demand(fixture, blocked, "2", isOver: true)
        try demand(fixture, blocked, "3", certainty: "inactive")
        try demand(fixture, blocked, "4", kind: "clone")
        #expect(try fixture.report().health.state == .idle)
    }

    // MARK: Runs

    @Test("an image that no mapping reaches is never ready for its run, though it is cloned elsewhere")
    func unmapped() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        var images = try (0..<3).map { try fixture.image("quay.io/org/\($0):1", destination: "e/\($0):1") }
        images.append(try fixture.image("ghcr.io/org/x:1", destination: "e/ghcr/org/x:1"))
        images.append(
            try fixture.image("ghcr.io/org/x:1", state: "blocked", destination: "", failureClass: "unmapped")
        )
        try fixture.run("5", images: images)
        for image in images { try demand(fixture, image, "9/v1") }
        for filter in [StatusReport.Filter.run(id: "5"), .workflow("9/v1")] {
            let report = try fixture.report(filter)
            #expect(report.focus?.sentence == "3 of 4 images ready; 1 is blocked")
            #expect(report.focus?.isReady == false && report.exitCode == 4)
            #expect(fixture.text(report).contains("cloned where no mapping leads"))
        }
        let standing = try #require(try fixture.report().runs.shown.first?.standing)
        #expect(standing.ready == 3 && standing.total == 4 && standing.blocked == 1)
        // The same place is another run's image where that run's map leads there.
        try fixture.run("6", images: [images[3]])
        #expect(try fixture.report(.run(id: "6")).focus?.sentence == "1 of 1 image ready")
    }

    @Test("all runs are counted, not those that are shown")
    func manyRuns() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let image = try fixture.image("quay.io/org/a:1", state: "pending")
        try fixture.execute(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
            INSERT INTO run (key, id, status, createdAt, seenAt, surveyedAt) SELECT n || '@1', n, 'PENDING', n, n, n FROM numbers
            """
        )
        try fixture.execute(
            """
            INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt)
            SELECT ?, 'run', key, 'certain', 'm', '[]', '[]', 1 FROM run
            """,
            [image]
        )
        let report = try fixture.report()
        #expect(report.health.reasons.first == "10,000 runs wait for images")
        #expect(report.runs.total == 10_000 && report.runs.shown.count == 1000)
        #expect(report.runCounts?.waiting == 10_000)
        try fixture.execute("UPDATE image SET state = 'blocked'")
        #expect(try fixture.report().health.reasons.first == "10,000 live runs cannot go on: 1 blocked image")
    }

    // MARK: The daemon

    @Test("nothing is idle before the runs were seen once since the start", arguments: [nil, -4000.0])
    func noPollYet(formerPoll: Double?) throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.execute(
            "UPDATE daemon SET startedAt = ?, lastPollAt = ?",
            [fixture.at(-10), formerPoll.map { fixture.at($0) }]
        )
        let early = try fixture.report()
        #expect(early.health.state == .healthy)
        #expect(early.health.reasons == ["starting: HealthOmics has not answered yet, which runs wait is not known"])
        try fixture.execute("UPDATE daemon SET startedAt = ?", [fixture.at(-40)])
        let late = try fixture.report()
        #expect(late.health.state == .degraded && late.exitCode == 4)
        #expect(
            late.health.reasons
                == ["HealthOmics has not answered since the start 40 s ago: which runs wait is not known"]
        )
        try fixture.execute("UPDATE daemon SET lastPollAt = ?", [fixture.at(-1)])
        #expect(try fixture.report().health.state == .idle)
    }

    @Test("nor when the last look at the runs is far back, by how often they are looked at", arguments: [30.0, 300])
    func pollOverdue(every: Double) throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.execute(
            "INSERT INTO sweep (name, startedAt, finishedAt, period) VALUES ('runs', 1, 1, ?)",
            [Milliseconds(every * 1000)]
        )
        try fixture.execute("UPDATE daemon SET lastPollAt = ?", [fixture.at(-2 * every - 29)])
        #expect(try fixture.report().health.state == .idle)
        try fixture.execute("UPDATE daemon SET lastPollAt = ?", [fixture.at(-2 * every - 31)])
        let report = try fixture.report()
        #expect(report.health.state == .degraded)
        #expect(report.health.reasons.first?.hasPrefix("HealthOmics has not answered for ") == true)
    }

    @Test("a process that says nothing is degraded after three of its signs, and stuck after two minutes")
    func silent() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        func health(_ seconds: Double) throws -> Health {
            try fixture.execute("UPDATE daemon SET aliveAt = ?", [fixture.at(-seconds)])
            return try fixture.report().health
        }
        #expect(try health(15).state == .idle)
        let silent = try health(25)
        #expect(silent.state == .degraded)
        #expect(silent.reasons == ["process 4711 is there but has given no sign of life for 25 s"])
        #expect(
            RecordCondition.worry(of: "/nonexistent/record", RecordReader(fixture.ledger), now: fixture.now)
                == "process 4711, which would do it, has given no sign of life for 25 s"
        )
        #expect(try health(121).state == .stuck)
        // A clock that was set back is no silence.
        #expect(try health(-4000).state == .idle)
    }

    @Test("what keeps a loop from its work is told until the loop works again, and forgotten by the next process")
    func troubles() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let ledger = fixture.ledger
        try ledger.trouble(of: "workflows", "AccessDenied for omics:ListWorkflows", now: fixture.now)
        try ledger.trouble(of: "ecr", "does not answer: HTTP 503", now: fixture.now)
        let report = try fixture.report()
        #expect(report.health.state == .degraded && report.exitCode == 4)
        #expect(
            report.health.reasons == [
                "ECR does not answer: HTTP 503", "workflows are not listed: AccessDenied for omics:ListWorkflows",
            ]
        )
        #expect(report.daemon.troubles?.map(\.part) == ["ecr", "workflows"])
        try ledger.trouble(of: "ecr", nil, now: fixture.now)
        #expect(try fixture.report().health.reasons.count == 1)
        try ledger.workerStarted(WorkerIdentity(pid: 4711, version: "1", mode: "run"), now: fixture.now)
        #expect(try fixture.report().daemon.troubles == nil)
    }

    @Test("what credentials are refused by is told once, not for each loop")
    func credentials() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        for loop in ["workflows", "learner"] {
            try fixture.ledger.trouble(of: loop, "no credentials: the container said 403", now: fixture.now)
        }
        try fixture.ledger.trouble(of: "credentials", "the container said 403", now: fixture.now)
        #expect(try fixture.report().health.reasons == ["AWS credentials: the container said 403"])
    }

    @Test("what one list met on its way is told too")
    func sweepTrouble() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.execute(
            "INSERT INTO sweep (name, startedAt, trouble) VALUES ('versions', ?, 'workflow 9 was refused')",
            [fixture.at(-5)]
        )
        #expect(try fixture.report().health.reasons == ["versions are not listed: workflow 9 was refused"])
    }

    @Test("what is wrong with the record stands before all else")
    func condition() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.ledger.trouble(of: "workflows", "refused", now: fixture.now)
        let report = try StatusReport.read(
            from: fixture.reader,
            now: fixture.now,
            condition: ["disk full: 0 B are free at /x"],
            isAlive: { _ in true }
        )
        #expect(fixture.text(report).hasPrefix("degraded: disk full: 0 B are free at /x; workflows"))
    }
}
