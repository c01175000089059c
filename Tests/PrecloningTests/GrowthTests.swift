import Configuring
import Foundation
import GRDB
import Remotes
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// What is asked often costs no more in a large record than in a small one: by indexes, without sorting.
@Suite struct GrowthTests {
    private let fixture: RecordFixture

    init() throws { fixture = try RecordFixture() }

    /// How SQLite goes about a query.
    private func plan(_ sql: String, _ arguments: StatementArguments = []) throws -> [String] {
        try fixture.reader.read { database in
            try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN \(sql)", arguments: arguments).map { $0["detail"] }
        }
    }

    @Test func theNextImageIsFoundAmongThoseThatAreDueAlone() throws {
        let plan = try plan(Ledger.dueImages, [0, 1])
        #expect(plan.first?.contains("USING INDEX imageToTake (urgency=? AND dueAt") == true, "\(plan)")
    }

    @Test func theNextTagsToLookAtAreFoundWithoutSorting() throws {
        let plan = try plan(Ledger.tagsToRefresh, [1])
        #expect(plan.first?.contains("USING INDEX imageByRefresh") == true, "\(plan)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
    }

    @Test func theNextRunToLearnFromIsFoundWithoutCountingAll() throws {
        let plan = try plan(Ledger.runsToLearn, [1])
        #expect(plan.count == 1 && plan[0].contains("INDEX runToLearn"), "\(plan)")
        let count = try self.plan(Ledger.comparedOfSet, ["9", "", 1])
        #expect(
            count.count == 1 && count[0].contains("INDEX coverageBySet") && count[0].contains("inspection"),
            "\(count)"
        )
        // Of two sets three runs each were compared; a third has none.
        for number in 0..<900 {
            let run = "r\(number)"
            try fixture.run(run, images: [], ended: true)
            try fixture.execute("UPDATE run SET inspection = ? WHERE id = ?", [number == 777 ? 3 : number % 2, run])
        }
        for inspection in [0, 0, 0, 1, 1, 1] {
            try fixture.execute(
                """
                INSERT INTO coverage (workflowID, versionName, inspection, runKey, predicted, used, missed, at)
                VALUES ('9', '', ?, 'r', 1, 1, '[]', 1)
                """,
                [inspection]
            )
        }
        var looks = 0
        var found: String?
        var isMore = true
        while isMore, found == nil {
            let next = try fixture.ledger.nextToLearn(most: 100, now: fixture.now)
            (found, isMore, looks) = (next.run?.id, next.isMore, looks + 1)
        }
        #expect(found == "r777" && looks > 1)
    }

    @Test func whatIsTooOldIsFoundByAnIndexInEveryTable() throws {
        let keep = RetentionPeriods(attempts: .seconds(1), events: .seconds(1), audit: .seconds(1))
        for rule in Ledger.retentionRules(keep, at: 1) {
            let plan = try plan("SELECT rowid FROM \(rule.table) WHERE \(rule.condition) LIMIT 5", [1])
            // Uploads under way are few.
            guard rule.table != "upload" else { continue }
            #expect(plan.count == 1 && plan[0].contains("SEARCH"), "\(rule.table): \(plan)")
        }
    }

    @Test func whatIsToBeVerifiedIsFoundByWhatIsDueAndByLiveRuns() throws {
        func ready(_ name: String, _ seen: Double?, run: Bool = false) throws {
            let id = try fixture.image("quay.io/\(name):1", destination: name)
            try fixture.execute("UPDATE image SET verifiedAt = ? WHERE id = ?", [seen.map(fixture.at), id])
            if run { try fixture.run(name, images: [id]) }
        }
        try ready("other-new", nil)
        try ready("run-new", nil, run: true)
        try ready("run-old", -500, run: true)
        try ready("run-older", -90_000, run: true)
        try ready("run-fresh", -200, run: true)
        try ready("other-old", -100_000)
        try ready("other-fresh", -500)
        func due(_ limit: Int) throws -> [String] {
            try fixture.ledger.toVerify(
                limit: limit,
                liveOlderThan: fixture.now.addingTimeInterval(-300),
                othersOlderThan: fixture.now.addingTimeInterval(-86_400)
            ).map(\.destination)
        }
        let all = ["run-new", "other-new", "run-older", "run-old", "other-old"]
        #expect(try due(10) == all)
        for limit in 1...5 { #expect(try due(limit) == Array(all.prefix(limit))) }
        for sql in [Ledger.neverVerified, Ledger.verifiedForRuns, Ledger.verifiedLongAgo] {
            let plan = try plan(sql, sql.contains(":before") ? ["limit": 1, "before": 1] : ["limit": 1])
            #expect(!plan.contains { $0.hasPrefix("SCAN") }, "\(plan)")
        }
    }

    @Test func theMostUrgentGoFirstThenThoseThatWaitLongest() throws {
        for (name, urgency, due) in [("a", 3, -90.0), ("b", 2, -10), ("c", 0, -1), ("d", 2, -20), ("e", 0, 1)] {
            try fixture.image("quay.io/\(name):1", state: "retrying", destination: name, due: due, urgency: urgency)
        }
        var taken: [String] = []
        while let image = try fixture.ledger.takeDue(now: fixture.now) {
            taken.append(image.destination)
        }
        #expect(taken == ["c", "d", "b", "a"])
    }

    @Test func amongEquallyUrgentOnesTheSureTheEarlyAndTheSmallGoFirst() throws {
        let rows: [(name: String, certainty: String, depth: Int)] = [
            ("late", "certain", 2), ("maybe", "alternative", 0), ("early", "certain", 0), ("middle", "certain", 1),
            ("large", "certain", 1),
        ]
        func want(_ run: String, depth: (Int) -> Int) throws {
            try fixture.ledger.want(
                .run(key: run),
                rows.map { row in
                    var demand = PlannedDemand(
                        source: "quay.io/\(row.name):1",
                        destination: row.name,
                        registry: "quay.io",
                        mention: row.name,
                        certainty: row.certainty
                    )
                    demand.depth = depth(row.depth)
                    return demand
                },
                now: fixture.now
            )
        }
        func taken() throws -> [String] {
            try fixture.execute("UPDATE image SET state = 'pending', dueAt = ?", [fixture.at(0)])
            var taken: [String] = []
            while let image = try fixture.ledger.takeDue(now: fixture.now) { taken.append(image.destination) }
            return taken
        }
        try want("1@1") { $0 }
        try fixture.execute("UPDATE image SET bytes = CASE destination WHEN 'large' THEN 2000000 ELSE 1000 END")
        #expect(try taken() == ["early", "middle", "large", "late", "maybe"])
        let focus = try fixture.reader.read { database in
            try Row.fetchAll(database, sql: "SELECT depth FROM demands ORDER BY depth").map { $0["depth"] as Int }
        }
        #expect(focus == [0, 0, 1, 1, 2])
        // A second run uses the late one at once; when that run ends, it is late again.
        try want("2@1") { 2 - $0 }
        #expect(try taken() == ["late", "early", "middle", "large", "maybe"])
        try fixture.ledger.endDemands(of: .run(key: "2@1"), now: fixture.now)
        #expect(try taken() == ["early", "middle", "large", "late", "maybe"])
    }

    @Test func countsComeFromTheTally() throws {
        let image = try fixture.image("quay.io/a:1", state: "pending", destination: "a")
        try fixture.image("quay.io/b:1", destination: "b")
        try fixture.image("ghcr.io/b:1", destination: "c")
        #expect(try fixture.ledger.counts() == ["pending": 1, "ready": 2])
        try fixture.execute("UPDATE image SET state = 'ready' WHERE id = ?", [image])
        #expect(try fixture.ledger.counts() == ["ready": 3])
    }

    @Test func anAuditRowCannotBeReplaced() throws {
        try fixture.ledger.audit(AuditEntry(.decided, caller: "daemon", at: Date()))
        let row = try fixture.reader.read { try Row.fetchOne($0, sql: "SELECT * FROM auditEntry") }
        let id: Int64 = try #require(row)["id"]
        for verb in ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"] {
            #expect(throws: DatabaseError.self) {
                try fixture.execute(
                    "\(verb) INTO auditEntry (id, at, caller, action) VALUES (?, 1, 'nobody', 'decided')",
                    [id]
                )
            }
        }
        let callers = try fixture.reader.audit(since: .distantPast, after: 0).entries.map(\.caller)
        #expect(callers == ["daemon"])
    }
}

/// How attempts change an image's row.
@Suite struct BackOffRecordTests {
    private let fixture: RecordFixture
    private let image: Int64

    init() throws {
        fixture = try RecordFixture()
        image = try fixture.image("quay.io/a:1", state: "pending", due: -1)
        try fixture.version("9", images: [image])
    }

    private func record(_ failure: CloneFailure) async throws -> ImageRecord {
        let timeline = Timeline(elapsed: { .zero }, sleep: { _ in }, now: { fixture.now }, random: { 1 })
        var configuration = Configuring.Configuration()
        configuration.retry.image.attempts = 3
        configuration.retry.image.total = .seconds(86_400)
        let settings = Settings(configuration)
        let recorder = OutcomeRecorder(ledger: fixture.ledger, timeline: timeline, settings: settings)
        let before = try #require(try fixture.ledger.image(id: image))
        try recorder.record(
            before,
            CloneOutcome(end: .failed(failure), route: "copy", started: fixture.now),
            mark: settings.mark
        )
        return try #require(try fixture.ledger.image(id: image))
    }

    private func attempts() throws -> Int {
        try fixture.reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM attempt") ?? 0 }
    }

    private func wait(_ image: ImageRecord) -> Int64 { ((image.dueAt ?? 0) - fixture.at(0)) / 1000 }

    @Test func aHostThatIsDownIsAskedLessAndLessAndCostsNoAttempt() async throws {
        let down = CloneFailure(.unreachable, message: "down", mend: "m")
        var waits: [Int64] = []
        for _ in 0..<9 {
            let image = try await record(down)
            #expect(image.state == .retrying && image.attempts == 0 && image.firstAttemptAt == nil)
            waits.append(wait(image))
        }
        #expect(waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
        #expect(try attempts() == 9)
        // Held back by our own limits it was not tried at all.
        var held = down
        held.isHeldBack = true
        held.retryAfter = .seconds(90)
        let image = try await record(held)
        #expect(image.failures == 9 && image.failureClass == .unreachable && wait(image) == 90)
        #expect(try attempts() == 9)
        // By hand it begins anew.
        #expect(
            try fixture.ledger.retry(nil, caller: Caller(userID: 1000, userName: "ann"), now: fixture.now).count == 1
        )
        #expect(try fixture.ledger.image(id: self.image)?.failures == 0)
    }

    @Test func attemptsAreSpentBlockedAndLookedAtDaily() async throws {
        let broken = CloneFailure(.brokenAnswer, message: "broken", mend: "tell them")
        for attempt in 1...2 {
            let image = try await record(broken)
            #expect(image.state == .retrying && image.attempts == attempt)
        }
        for attempt in 3...5 {
            let image = try await record(broken)
            #expect(image.state == .blocked && image.attempts == attempt && wait(image) == 86_400)
            #expect(image.failureClass == .brokenAnswer && image.mend == "tell them")
            #expect(image.reason == "broken (given up after \(attempt) attempts)")
        }
    }

    @Test func whatWasDecidedUnderAnotherConfigurationIsDecidedAgain() throws {
        func image(_ name: String, _ failure: String, state: String = "blocked", mark: String? = "old") throws -> Int64
        {
            let id = try fixture.image(
                "quay.io/\(name):1",
                state: state,
                destination: name,
                failureClass: failure,
                due: 80_000
            )
            try fixture.execute("UPDATE image SET attempts = 7, mark = ? WHERE id = ?", [mark, id])
            return id
        }
        let due = [
            try image("a", "policy"), try image("b", "noCredentials"), try image("c", "denied"),
            try image("d", "noCredentials", state: "retrying"), try image("e", "notFound", mark: nil),
        ]
        let others = [try image("f", "unreachable", state: "retrying"), try image("g", "policy", mark: "new")]
        let unwanted = try image("h", "policy")
        try fixture.version("9/v2", images: due + others)
        #expect(try fixture.ledger.reconfigured(mark: "new", now: fixture.now) == due.count)
        for id in due {
            let image = try #require(try fixture.ledger.image(id: id))
            #expect(image.dueAt == fixture.at(0) && image.attempts == 7)
        }
        for id in others + [unwanted] { #expect(try fixture.ledger.image(id: id)?.dueAt != fixture.at(0)) }
    }

    @Test func whatWasRefusedWhenFirstWantedIsTriedOnceItCanBe() throws {
        var demand = PlannedDemand(
            source: "quay.io/b:1",
            destination: "d",
            registry: "quay.io",
            mention: "m",
            certainty: "certain"
        )
        let subject = DemandSubject.version(workflowID: "9", name: "")
        demand.refusal = Refusal(.unmapped, reason: "r", mend: "m")
        let id = try #require(try fixture.ledger.want(subject, [demand], now: fixture.now).first)
        #expect(try fixture.ledger.image(id: id)?.dueAt == nil)
        demand.refusal = nil
        try fixture.ledger.want(subject, [demand], now: fixture.now)
        #expect(try fixture.ledger.image(id: id)?.dueAt == fixture.at(0))
        // A back-off is not reset so.
        try fixture.execute("UPDATE image SET dueAt = 5 WHERE id = ?", [id])
        try fixture.ledger.want(subject, [demand], now: fixture.now)
        #expect(try fixture.ledger.image(id: id)?.dueAt == 5)
    }
}
