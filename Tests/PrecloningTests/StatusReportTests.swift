import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite struct DaemonLifeTests {
    private func row(beat: Double, stopped: Bool = false, now: Date) throws -> DaemonRow {
        let fixture = try RecordFixture()
        try fixture.daemon(beat: beat, stopped: stopped ? beat : nil)
        let row = try fixture.reader.read { try DaemonRow.fetchOne($0, sql: "SELECT * FROM daemon") }
        return try #require(row)
    }

    @Test(arguments: [
        (-1.0, false, true, DaemonLife.running), (-119, false, true, .running), (-121, false, true, .stuck),
        (-1, false, false, .dead), (-9999, false, false, .dead), (-1, true, true, .stopped),
        (-1, true, false, .stopped),
        (86_400, false, true, .running),
    ])
    func isToldApartByHeartbeatAndProcess(beat: Double, stopped: Bool, alive: Bool, life: DaemonLife) throws {
        let now = try RecordFixture().now
        #expect(DaemonLife(try row(beat: beat, stopped: stopped, now: now), isAlive: alive, now: now) == life)
    }

    @Test func withoutARowNothingEverRan() throws {
        #expect(DaemonLife(nil, isAlive: false, now: Date()) == .never)
    }
}

@Suite struct StatusReportTests {
    @Test func anEmptyRecordIsNotRunning() throws {
        let fixture = try RecordFixture()
        let report = try fixture.report()
        #expect(report.health.state == .notRunning && report.exitCode == 3)
        #expect(fixture.text(report).hasPrefix("stopped: no daemon has worked on this record yet\nimages: -\n"))
    }

    @Test func aRunningDaemonWithNothingToDoIsIdle() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.run("1", images: [try fixture.image("docker.io/library/a:1")])
        let report = try fixture.report()
        #expect(report.health.state == .idle && report.exitCode == 0)
        #expect(report.images.ready == 1 && report.images.total == 1)
        let text = fixture.text(report)
        #expect(text.hasPrefix("idle: nothing to do\nimages: 1 ready\n"))
        #expect(text.contains("last poll 12 s ago, last event -, next retry -"))
    }

    @Test func showsHowOftenEachListIsGoneThrough() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        #expect(!fixture.text(try fixture.report()).contains("listed:"), "nothing is yet")
        let periods: [(String, Int64)] = [("runs", 300), ("allRuns", 3600), ("workflows", 600), ("versions", 10_000)]
        for (name, seconds) in periods {
            try fixture.ledger.sweepFinished(name, started: fixture.now, period: .seconds(seconds), now: fixture.now)
        }
        let report = try fixture.report()
        #expect(report.daemon.sweeps?.map(\.every) == [3600, 300, 10_000, 600])
        let words = fixture.text(report).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(
            words.contains(
                "listed: all runs every 1 h, live runs every 5 min, all versions every 2 h 46 min, workflows every 10 min"
            )
        )
    }

    @Test func deadStuckAndStoppedAreSaid() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        #expect(try fixture.report(alive: false).exitCode == 3)
        #expect(fixture.text(try fixture.report(alive: false)).hasPrefix("dead: process 4711 is gone"))
        try fixture.daemon(beat: -600)
        #expect(try fixture.report().exitCode == 4)
        #expect(fixture.text(try fixture.report()).contains("no sign of life (last sign of life 10 min ago)"))
        try fixture.daemon(stopped: -7200)
        #expect(
            fixture.text(try fixture.report()).hasPrefix(
                "stopped: the daemon was stopped (last sign of life 2 h ago)"
            )
        )
        try fixture.daemon(mode: "clone")
        #expect(try fixture.report().exitCode == 3)
        try fixture.daemon(mode: "once")
        #expect(try fixture.report().exitCode == 0)
    }

    @Test func aRunIsAnsweredInOneSentence() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        var images = try (1...18).map { try fixture.image("quay.io/a/b:\($0)") }
        images.append(
            try fixture.image("docker.io/a/b:1", state: "retrying", reason: "quota", failureClass: "quota", due: 600)
        )
        try fixture.run("77", images: images)
        let unused = try fixture.image("quay.io/a/c:1", state: "blocked")
        try fixture.run("77", images: [unused], certainty: "inactive")
        let report = try fixture.report(.run(id: "77"))
        let focus = try #require(report.focus)
        #expect(focus.sentence == "18 of 19 images ready; 1 waits for Docker Hub until 14:23")
        #expect(!focus.isReady && report.exitCode == 4)
        #expect(focus.images.count == 20)
        #expect(focus.images[0].state == "blocked" && focus.images[0].certainty == "inactive")
        #expect(focus.images[1].state == "retrying")
        #expect(report.health.state == .healthy)
        #expect(report.runs.shown[0].standing.waits[0].registry == "docker.io")

        // On a terminal elsewhere the time is local.
        let zone = try #require(TimeZone(secondsFromGMT: 7200))
        let local = StatusText(report, style: TextStyle(zone: zone)).text
        #expect(local.contains("18 of 19 images ready; 1 waits for Docker Hub until 16:23"))

        try fixture.execute("UPDATE image SET state = 'ready' WHERE state = 'retrying'")
        let ready = try fixture.report(.run(id: "77"))
        #expect(ready.focus?.sentence == "19 of 19 images ready")
        #expect(ready.exitCode == 0)
    }

    @Test func aRunWhoseImagesAreNotKnownIsNotReady() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.run("5", images: [])
        #expect(try fixture.report(.run(id: "5")).exitCode == 0)
        try fixture.execute("UPDATE run SET surveyedAt = NULL, trouble = 'access denied'")
        let report = try fixture.report(.run(id: "5"))
        #expect(report.exitCode == 4)
        #expect(report.focus?.sentence == "its images are not worked out yet; access denied")
        try fixture.execute("UPDATE run SET surveyedAt = 1, trouble = NULL")
        try fixture.execute(
            """
            INSERT INTO unresolved (kind, subject, place, expression, missing, tasks, createdAt)
            VALUES ('run', '5@1', 'main.wdl:3', '~{docker}', 'input docker has no default', '["t"]', 1)
            """
        )
        let unresolved = try fixture.report(.run(id: "5"))
        #expect(unresolved.exitCode == 4 && unresolved.health.state == .degraded)
        #expect(unresolved.focus?.unresolved.first?.missing == "input docker has no default")
        #expect(unresolved.focus?.unresolved.first?.tasks == ["t"])
    }

    @Test func whatIsNotInTheRecordIsAnError() throws {
        let fixture = try RecordFixture()
        for filter in [StatusReport.Filter.run(id: "1"), .workflow("1"), .image("ubuntu")] {
            #expect(throws: LedgerError.self) { try fixture.report(filter) }
        }
    }

    @Test func anImageIsFoundByAnySpelling() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let id = try fixture.image(
            "docker.io/library/ubuntu:22.04",
            state: "blocked",
            reason: "not found",
            mend: "check it"
        )
        try fixture.execute(
            """
            INSERT INTO attempt (imageID, startedAt, endedAt, route, result, message) VALUES (?, 1, 2, 'copy', 'failed', 'm')
            """,
            [id]
        )
        for name in [
            "ubuntu:22.04", "docker.io/library/ubuntu:22.04", "index.docker.io/ubuntu:22.04",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1",
        ] {
            let focus = try #require(try fixture.report(.image(name)).focus)
            #expect(focus.images.count == 1 && focus.attempts.count == 1, "\(name)")
            #expect(focus.sentence == "blocked: not found")
        }
        #expect(fixture.text(try fixture.report(.image("ubuntu:22.04"))).contains("mend: check it"))
    }

    @Test func aWorkflowCountsAnImageOfSeveralVersionsOnce() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let shared = try fixture.image("quay.io/a/b:1")
        let other = try fixture.image("quay.io/a/b:2", state: "pending")
        for (image, subject) in [(shared, "9"), (shared, "9/v1"), (other, "9/v2"), (other, "91/v2")] {
            try fixture.execute(
                """
                INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt)
                VALUES (?, 'version', ?, 'certain', 'm', '[]', '[]', 1)
                """,
                [image, subject]
            )
        }
        #expect(try fixture.report(.workflow("9")).focus?.sentence == "1 of 2 images ready; 1 is queued")
        #expect(try fixture.report(.workflow("9/v1")).focus?.sentence == "1 of 1 image ready")
    }

    @Test func aBlockedImageOfALiveRunDegradesAndOneOfNoRunDoesNot() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let blocked = try fixture.image("quay.io/a/b:1", state: "blocked", reason: "gone", mend: "name another")
        #expect(try fixture.report().health.state == .idle)
        try fixture.run("1", images: [blocked])
        let report = try fixture.report()
        #expect(report.health.state == .degraded && report.exitCode == 4)
        #expect(report.health.reasons == ["1 live run cannot go on: 1 blocked image"])
        #expect(report.blocked.shown.first?.wantedBy == ["run 1"])
    }

    @Test(arguments: [
        ("lastPollTrouble", "the last poll failed: why"),
        ("configTrouble", "the changed configuration is not in force: why"),
        ("eventTrouble", "events do not arrive: why"),
    ])
    func troublesDegrade(column: String, reason: String) throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.execute("UPDATE daemon SET \(column) = 'why'")
        let report = try fixture.report()
        #expect(report.exitCode == 4 && report.health.reasons == [reason])
    }

    @Test func copiesShowTheirProgress() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let id = try fixture.image("quay.io/a/b:1", state: "cloning")
        try fixture.execute(
            """
            INSERT INTO progress (imageID, startedAt, updatedAt, bytesDone, bytesTotal, bytesPerSecond)
            VALUES (?, 1, 2, 500000000, 2000000000, 12000000)
            """,
            [id]
        )
        let text = fixture.text(try fixture.report())
        #expect(text.contains("    [#####---------------] 25 % of 2.0 GB, 12 MB/s, 2 min left\n"))
    }

    @Test func registriesSayWhatIsLeft() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.image("docker.io/a/b:1", state: "retrying", failureClass: "quota", due: 60)
        try fixture.ledger.sawQuota(
            host: "docker.io",
            credential: "",
            RateLimitHeaders(limit: 100, remaining: 37, window: .seconds(21_600)),
            now: fixture.now.addingTimeInterval(-60)
        )
        let registry = try #require(try fixture.report().registries.first)
        #expect(registry.limit == 100 && registry.left == 37 && registry.waiting == 1)
        #expect(
            registry.sentence(now: fixture.now, zone: .gmt)
                == "Docker Hub: 37 of 100 pulls left, all back by 20:12; 1 image waits"
        )
    }

    @Test func theTallyFollowsEveryChange() throws {
        let fixture = try RecordFixture()
        let first = try fixture.image("quay.io/a:1", state: "pending")
        try fixture.image("quay.io/a:2", state: "pending")
        try fixture.execute("UPDATE image SET state = 'cloning' WHERE id = ?", [first])
        try fixture.execute("UPDATE image SET state = 'cloning' WHERE id = ?", [first])
        try fixture.execute("UPDATE image SET reason = 'x'")
        var counts = try fixture.report().images
        #expect(counts.pending == 1 && counts.cloning == 1 && counts.total == 2)
        try fixture.execute("DELETE FROM image WHERE id = ?", [first])
        counts = try fixture.report().images
        #expect(counts.pending == 1 && counts.total == 1)
    }

    @Test func controlCharactersFromOutsideDoNotReachTheTerminal() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let evil = "evil\u{1B}[2J\u{07}\u{202E}\u{9B}31m\r\nforged: line"
        let id = try fixture.image(
            "quay.io/a:1",
            state: "blocked",
            destination: evil,
            reason: evil,
            mend: evil,
            failureClass: evil
        )
        try fixture.run("1", images: [id])
        try fixture.execute("UPDATE run SET name = ?, trouble = ?", [evil, evil])
        try fixture.execute(
            """
            INSERT INTO unresolved (kind, subject, place, expression, missing, tasks, createdAt)
            VALUES ('run', '1@1', ?, ?, ?, '[]', 1)
            """,
            [evil, evil, evil]
        )
        for filter in [nil, StatusReport.Filter.run(id: "1"), .image("quay.io/a:1")] {
            for width in [nil, 80] {
                let text = fixture.text(try fixture.report(filter), width: width)
                let unsafe = text.unicodeScalars.filter {
                    $0 != "\n" && [.control, .format].contains($0.properties.generalCategory)
                }
                #expect(unsafe.isEmpty)
                #expect(!text.contains("\nforged"))
            }
        }
    }

    @Test func linesKeepToTheWidthAndColourIsNotTheOnlySign() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let long = String(repeating: "long words ", count: 30)
        let id = try fixture.image("quay.io/\(long)/a:1", state: "blocked", reason: long, mend: long)
        try fixture.run("1", images: [id])
        let report = try fixture.report()
        for line in fixture.text(report, width: 60).split(separator: "\n") {
            #expect(line.count <= 60, "\(line)")
        }
        #expect(fixture.text(report, width: 60).contains("mend: long words"))
        let coloured = fixture.text(report, colour: true)
        #expect(coloured.hasPrefix("\u{1B}[33mdegraded\u{1B}[0m: "))
        #expect(!fixture.text(report).contains("\u{1B}"))
    }

    @Test func theJSONIsStable() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.run("1", images: [try fixture.image("quay.io/a:1", state: "retrying", due: 60)])
        let json = try fixture.report(.run(id: "1")).json()
        #expect(json == (try fixture.report(.run(id: "1")).json()))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["schemaVersion"] as? Int == 1)
        #expect(object["generatedAt"] as? String == "2026-09-21T14:13:20Z")
        #expect(object["nextRetryAt"] as? String == "2026-09-21T14:14:20Z")
        #expect((object["health"] as? [String: Any])?["state"] as? String == "healthy")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        #expect(throws: Never.self) { try decoder.decode(StatusReport.self, from: Data(json.utf8)) }
    }
}

@Suite struct RecordReaderTests {
    private func folder() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appending(path: "record-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    private func message(_ path: String) -> String {
        do throws(LedgerError) {
            _ = try RecordReader(path: path)
            return "no error"
        } catch {
            return error.description
        }
    }

    @Test func readsWhatAWriterHasOpenAndWhatItLeft() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "record.sqlite").path
        do {
            let ledger = try Ledger(path: path)
            let reader = try RecordReader(path: path)
            try ledger.pause(host: "quay.io", until: Date(timeIntervalSince1970: 1), reason: "r", now: .distantPast)
            #expect(try reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM host") } == 1)
        }
        let reader = try RecordReader(path: path)
        #expect(try reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM host") } == 1)
        #expect(throws: (any Error).self) { try reader.read { try $0.execute(sql: "DELETE FROM host") } }
    }

    @Test func saysWhatIsWrong() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let missing = folder.appending(path: "record.sqlite").path
        #expect(message(missing).contains("there is no record at"))
        #expect(message(missing).contains("--config"))

        let damaged = folder.appending(path: "damaged.sqlite")
        try Data(repeating: 0x41, count: 8192).write(to: damaged)
        #expect(message(damaged.path).contains("damaged or not a record"))

        let newer = folder.appending(path: "newer.sqlite").path
        do {
            let ledger = try Ledger(path: newer)
            try ledger.database.write { try $0.execute(sql: "PRAGMA user_version = 99") }
        }
        #expect(message(newer).contains("written by a newer preclone"))
    }

    /// Root may read everything, so this says nothing there.
    @Test(.enabled(if: getuid() != 0)) func namesTheGroup() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "record.sqlite").path
        _ = try Ledger(path: path)
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
        #expect(message(path).contains("group `preclone`"))
    }
}
