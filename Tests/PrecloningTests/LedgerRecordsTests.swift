import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite struct AuditTests {
    private let fixture: RecordFixture

    init() throws { fixture = try RecordFixture() }

    private func decision(_ verdict: PolicyDecision.Verdict, _ rule: String) -> PolicyDecision {
        PolicyDecision(verdict: verdict, rule: rule, reason: "because", mend: nil, factsNeeded: false, rate: nil)
    }

    private func decide(_ verdict: PolicyDecision.Verdict, _ rule: String, _ destination: String? = "d") throws -> Bool
    {
        try fixture.ledger.audit(
            decision(verdict, rule),
            source: "quay.io/a:1",
            destination: destination,
            caller: "daemon",
            now: fixture.now
        )
    }

    @Test func theSameDecisionIsWrittenOnce() throws {
        #expect(try decide(.allow, "a"))
        #expect(try !decide(.allow, "a"))
        #expect(try decide(.allow, "b"))
        #expect(try decide(.deny, "b"))
        #expect(try !decide(.deny, "b"))
        #expect(try decide(.deny, "b", "elsewhere"))
        #expect(try decide(.deny, "b", nil))
        #expect(try !decide(.deny, "b", nil))
        let entries = try fixture.reader.audit(since: .distantPast, after: 0).entries
        #expect(entries.map(\.after) == ["allow", "allow", "deny", "deny", "deny"])
        #expect(entries.map(\.before) == [nil, "allow", "allow", nil, nil])
    }

    @Test func rowsComeInPartsFromAMomentOn() throws {
        for second in 0..<25 {
            try fixture.ledger.audit(
                AuditEntry(.imagePushed, caller: "daemon", at: fixture.now.addingTimeInterval(Double(second)))
            )
        }
        var entries: [AuditEntry] = []
        var next: Int64? = 0
        while let after = next {
            let part = try fixture.reader.audit(since: fixture.now.addingTimeInterval(5), after: after, limit: 10)
            #expect(part.entries.count <= 10)
            entries += part.entries
            next = part.next
        }
        #expect(entries.count == 20 && entries.first?.at == fixture.now.addingTimeInterval(5))
        #expect(try fixture.reader.audit(since: fixture.now.addingTimeInterval(99), after: 0).entries.isEmpty)
    }

    @Test func rowsAreNeverChangedAndKeptForTheirTime() throws {
        try fixture.ledger.audit(
            AuditEntry(.decided, caller: "daemon", at: Date().addingTimeInterval(-500 * 86_400))
        )
        try fixture.ledger.audit(AuditEntry(.decided, caller: "daemon", at: Date()))
        #expect(throws: DatabaseError.self) { try fixture.execute("UPDATE auditEntry SET caller = 'nobody'") }
        #expect(throws: DatabaseError.self) { try fixture.execute("DELETE FROM auditEntry") }
        let keep = RetentionPeriods(attempts: .seconds(1), events: .seconds(1), audit: .seconds(400 * 86_400))
        _ = try fixture.ledger.prune(keep, now: Date())
        #expect(try fixture.reader.audit(since: .distantPast, after: 0).entries.count == 1)
    }
}

@Suite struct RetentionTests {
    @Test func oldRowsGoInBatchesAndTheLastWordStays() throws {
        let fixture = try RecordFixture()
        let image = try fixture.image("quay.io/a:1")
        for index in 0..<25 {
            try fixture.execute(
                "INSERT INTO attempt (imageID, startedAt, endedAt, route, result) VALUES (?, 1, ?, 'copy', 'failed')",
                [image, fixture.at(index < 20 ? -200 : -50)]
            )
            try fixture.execute(
                """
                INSERT INTO digest (source, location, digest, firstSeenAt, lastSeenAt) VALUES ('s', ?, 'd', 1, ?)
                """,
                [index < 12 ? "upstream" : "ecr", fixture.at(-200)]
            )
            try fixture.execute(
                "INSERT INTO event (at, kind, outcome) VALUES (?, 'k', 'o')",
                [fixture.at(index < 5 ? -400 : -200)]
            )
        }
        let keep = RetentionPeriods(attempts: .seconds(100), events: .seconds(300), audit: .seconds(1000))
        #expect(try fixture.ledger.prune(keep, batch: 10, now: fixture.now))
        var passes = 1
        while try fixture.ledger.prune(keep, batch: 10, now: fixture.now) { passes += 1 }
        #expect(passes >= 2)
        func count(_ table: String) throws -> Int? {
            try fixture.reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") }
        }
        #expect(try count("attempt") == 5)
        #expect(try count("digest") == 2)
        #expect(try count("event") == 20)
        #expect(try count("image") == 1)
    }

    @Test func freedPagesGoBackToTheDisk() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "vacuum-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ledger = try Ledger(path: folder.appending(path: "record.sqlite").path)
        func pages() throws -> Int? {
            try ledger.database.read { try Int.fetchOne($0, sql: "PRAGMA page_count") }
        }
        let before = try #require(try pages())
        try ledger.database.write { database in
            for index in 0..<2000 {
                try database.execute(
                    sql: "INSERT INTO event (at, kind, outcome) VALUES (?, 'k', ?)",
                    arguments: [index, String(repeating: "x", count: 1000)]
                )
            }
        }
        #expect(try #require(try pages()) > before + 400)
        let keep = RetentionPeriods(attempts: .seconds(1), events: .seconds(1), audit: .seconds(1))
        while try ledger.prune(keep, now: Date()) {}
        var steps = 1
        while try ledger.vacuum(pages: 100) { steps += 1 }
        #expect(steps > 3)
        #expect(try #require(try pages()) < before + 20)
    }
}

@Suite struct RetryTests {
    @Test func blockedAndWaitingImagesAreDueNowAndOthersAreLeftAlone() throws {
        let fixture = try RecordFixture()
        let blocked = try fixture.image("docker.io/library/a:1", state: "blocked", reason: "r")
        try fixture.execute("UPDATE image SET attempts = 12, firstAttemptAt = 1")
        let waiting = try fixture.image("docker.io/library/b:1", state: "retrying", due: 600)
        let due = try fixture.image("docker.io/library/c:1", state: "retrying", due: -1)
        try fixture.version("9", images: [blocked, waiting, due])
        // Nobody wants it: it moves no byte.
        try fixture.image("docker.io/library/f:1", state: "blocked", urgency: 4)
        try fixture.image("docker.io/library/d:1")
        try fixture.image("docker.io/library/e:1", state: "cloning")
        let one = try fixture.ledger.retry(["a:1"], caller: Caller(userID: 1000, userName: "ann"), now: fixture.now)
        #expect(one.map(\.source) == ["docker.io/library/a:1"])
        let row = try #require(
            try fixture.reader.read {
                try Row.fetchOne($0, sql: "SELECT * FROM image WHERE id = ?", arguments: [blocked])
            }
        )
        let dueAt: Milliseconds? = row["dueAt"]
        let attempts: Int = row["attempts"]
        let first: Milliseconds? = row["firstAttemptAt"]
        let urgency: Int = row["urgency"]
        #expect(dueAt == fixture.at(0) && attempts == 0)
        #expect(first == nil && urgency == 2)
        // Blocked still, and due: a second request changes nothing worse.
        let all = try fixture.ledger.retry(nil, caller: Caller(userID: 1000, userName: "ann"), now: fixture.now)
        #expect(all.map(\.source) == ["docker.io/library/a:1", "docker.io/library/b:1"])
        let entries = try fixture.reader.audit(since: .distantPast, after: 0).entries
        #expect(entries.map(\.action) == ["retried", "retried", "retried"])
        #expect(entries[0].before == "blocked" && entries[0].caller == "user ann")
        #expect(throws: LedgerError.self) {
            try fixture.ledger.retry(["z"], caller: Caller(userID: 1000, userName: "ann"), now: fixture.now)
        }
    }
}

@Suite struct TagHistoryTests {
    @Test func tellsTheStoryOfATag() throws {
        let fixture = try RecordFixture()
        let place = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/ubuntu:22.04"
        let source = "docker.io/library/ubuntu:22.04"
        let image = try fixture.image(source, destination: place)
        let old = "sha256:" + String(repeating: "a", count: 64)
        let new = "sha256:" + String(repeating: "b", count: 64)
        for (location, digest, first, last, note) in [
            ("upstream", old, -7200.0, -3600.0, nil as String?), (place, old, -7100, -900, "cloned"),
            ("upstream", new, -3600, -60, "moved"), (place, new, -800, -60, "cloned"),
        ] {
            try fixture.execute(
                "INSERT INTO digest (source, location, digest, firstSeenAt, lastSeenAt, note) VALUES (?, ?, ?, ?, ?, ?)",
                [source, location, digest, fixture.at(first), fixture.at(last), note]
            )
        }
        try fixture.run("12", images: [image])
        try fixture.run("13", images: [image], ended: true)
        try fixture.execute(
            "UPDATE demand SET createdAt = ?, endedAt = ? WHERE subject = '13@1'",
            [fixture.at(-5000), fixture.at(-4000)]
        )
        try fixture.execute("UPDATE demand SET createdAt = ? WHERE subject = '12@1'", [fixture.at(-700)])

        let histories = try TagHistory.read("ubuntu:22.04", from: fixture.reader)
        #expect(try TagHistory.read(place, from: fixture.reader) == histories)
        let history = try #require(histories.first)
        #expect(history.entries.map(\.location) == [place, "upstream", place, "upstream"])
        #expect(history.entries.map(\.previousDigest) == [old, old, nil, nil])
        #expect(history.entries[0].runs == ["12"] && history.entries[2].runs == ["13"])
        let text = history.lines(now: fixture.now, style: TextStyle()).joined(separator: "\n")
        #expect(
            text == """
                docker.io/library/ubuntu:22.04
                  2026-09-21 14:00  cloned to \(place) as sha256:bbbbbbbbbbbb, was sha256:aaaaaaaaaaaa
                    last seen 1 min ago
                    used by 1 run: 12
                  2026-09-21 13:13  upstream moved to sha256:bbbbbbbbbbbb, was sha256:aaaaaaaaaaaa
                    last seen 1 min ago
                  2026-09-21 12:15  cloned to \(place) as sha256:aaaaaaaaaaaa
                    last seen 15 min ago
                    used by 1 run: 13
                  2026-09-21 12:13  upstream is at sha256:aaaaaaaaaaaa
                    last seen 1 h ago
                """
        )
        #expect(throws: LedgerError.self) { try TagHistory.read("alpine", from: fixture.reader) }
    }
}

@Suite struct PhraseTests {
    @Test(arguments: [
        (0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (3660, "1 h 1 min"),
        (36_000, "10 h"), (86_399, "23 h"), (86_400, "1 d"), (-5, "0 s"), (.infinity, "11574074 d"),
    ])
    func lengths(seconds: Double, text: String) { #expect(Phrase.length(seconds) == text) }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_950, "10 kB"), (999_499, "999 kB"),
        (999_500, "1.0 MB"), (2_000_000_000, "2.0 GB"), (Int64.max, "9223 PB"),
    ])
    func amounts(bytes: Int64, text: String) { #expect(Phrase.bytes(bytes) == text) }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")])
    func groups(number: Int, text: String) { #expect(Phrase.grouped(number) == text) }

    @Test func clocksNameTheDayWhereItIsAnother() {
        let now = Date(timeIntervalSince1970: 1_790_000_000)
        #expect(Phrase.clock(now, now: now, zone: .gmt) == "14:13")
        #expect(Phrase.clock(now.addingTimeInterval(86_400), now: now, zone: .gmt) == "22 Sep 14:13")
        #expect(Phrase.clock(now.addingTimeInterval(200 * 86_400), now: now, zone: .gmt) == "9 Apr 2027 14:13")
    }

    @Test func pastMomentsInThreeForms() {
        let now = Date(timeIntervalSince1970: 1_790_000_000)
        #expect(PastMoment.parse("36h", now: now, zone: .gmt) == now.addingTimeInterval(-36 * 3600))
        #expect(PastMoment.parse("2026-09-21T14:13:20Z", now: now, zone: .gmt) == now)
        #expect(PastMoment.parse("2026-09-21T16:13:20+02:00", now: now, zone: .gmt) == now)
        #expect(PastMoment.parse("2026-09-21T14:13:20.250Z", now: now, zone: .gmt) == now.addingTimeInterval(0.25))
        #expect(PastMoment.parse("2026-09-21", now: now, zone: .gmt) == Date(timeIntervalSince1970: 1_789_948_800))
        for bad in ["yesterday", "2026-13-01", "2026-02-30", "26-01-01", "", "2026-9"] {
            #expect(PastMoment.parse(bad, now: now, zone: .gmt) == nil, "\(bad)")
        }
    }
}
