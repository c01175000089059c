import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// Many runs at once.
@Suite("A burst of runs")
struct BurstTests {
    private let fixture: RecordFixture

    init() throws { fixture = try RecordFixture() }

    private func sighting(_ id: String, _ workflow: String) -> RunSighting {
        RunSighting(
            id: id,
            created: fixture.now,
            name: nil,
            status: "PENDING",
            workflowID: workflow,
            versionName: "",
            batchID: nil
        )
    }

    @Test("what a version is known to need is wanted with a run's urgency as soon as a list shows a run of it")
    func foreseen() throws {
        let image = try fixture.image("quay.io/a/b:1", state: "pending", due: 3600, urgency: 2)
        let other = try fixture.image("quay.io/a/c:1", state: "pending", due: 3600, urgency: 2)
        try fixture.version("9", images: [image])
        try fixture.version("8", images: [other])
        try fixture.ledger.saw([sighting("1", "9")], now: fixture.now)
        let rows = try fixture.ledger.allImages()
        let urgent = try #require(rows.first { $0.id == image })
        #expect(urgent.urgency == .run)
        #expect(urgent.standing.due.map { $0 <= fixture.now.addingTimeInterval(5) } == true)
        #expect(rows.first { $0.id == other }?.urgency == .version)
        // What it needs is not claimed to be known.
        let report = try StatusReport.read(from: fixture.reader, now: fixture.now) { _ in true }
        #expect(report.runs.shown.first?.standing.isUnknown == true)
        // Its own survey decides: what it does not need is the version's alone again.
        let run = try #require(try fixture.ledger.runsToSurvey(mark: nil, limit: 9, now: fixture.now).first)
        try fixture.ledger.want(.run(key: run.key), [], now: fixture.now)
        #expect(try fixture.ledger.allImages().first { $0.id == image }?.urgency == .version)
    }

    @Test("a second run of a version ends the wait of what is blocked, and leaves alone what is under way")
    func second() throws {
        let blocked = try fixture.image(
            "quay.io/a/b:1",
            state: "blocked",
            failureClass: "notFound",
            due: 3600,
            urgency: 0
        )
        let queued = try fixture.image(
            "quay.io/a/c:1",
            state: "pending",
            destination: "elsewhere:1",
            due: 1,
            urgency: 0
        )
        try fixture.version("9", images: [blocked, queued])
        try fixture.run("1", images: [blocked, queued])
        let before = try fixture.ledger.allImages().first { $0.id == queued }
        try fixture.ledger.saw([sighting("2", "9")], now: fixture.now)
        let rows = try fixture.ledger.allImages()
        let due = try #require(rows.first { $0.id == blocked }?.standing.due)
        #expect(due <= fixture.now.addingTimeInterval(60))
        #expect(rows.first { $0.id == queued }?.standing == before?.standing)
        let wanted = try fixture.ledger.database.read {
            try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM demand WHERE kind = 'run' AND subject LIKE '2@%'")
        }
        #expect(wanted == 2)
    }

    @Test("one run of each version is asked about before the second of any")
    func order() throws {
        let runs = (0..<30).map { sighting("\(100 + $0)", $0 < 20 ? "1" : $0 < 29 ? "2" : "3") }
        try fixture.ledger.saw(runs, now: fixture.now)
        let due = try fixture.ledger.runsToSurvey(mark: nil, limit: 5, now: fixture.now)
        #expect(Set(due.prefix(3).compactMap(\.workflowID)) == ["1", "2", "3"])
        #expect(try fixture.ledger.runsToSurvey(mark: nil, limit: 100, now: fixture.now).count == 30)
        // Once one of a version is worked out, the others are as the rest.
        try fixture.execute("UPDATE run SET surveyedAt = 1, surveyDueAt = NULL WHERE id IN ('100', '120')")
        #expect(try fixture.ledger.runsToSurvey(mark: nil, limit: 1, now: fixture.now).first?.workflowID == "3")
    }
}
