import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite("Heartbeat")
struct HeartbeatTests {
    private let day = 86_400.0

    private func started() throws -> RecordFixture {
        let fixture = try RecordFixture()
        try fixture.ledger.workerStarted(WorkerIdentity(pid: 1, version: "1", mode: "run"), now: fixture.now)
        return fixture
    }

    private func dues(_ fixture: RecordFixture) throws -> [Milliseconds] {
        try fixture.reader.read { try Milliseconds.fetchAll($0, sql: "SELECT dueAt FROM image ORDER BY id") }
    }

    @Test("a clock that was set back takes what waits with it")
    func back() throws {
        let fixture = try started()
        try fixture.image("quay.io/a:1", state: "retrying", due: 30)
        try fixture.image("quay.io/b:1", state: "retrying", due: -day * 2)
        try fixture.ledger.pause(
            host: "quay.io",
            until: fixture.now.addingTimeInterval(90),
            reason: "it said so",
            now: fixture.now
        )
        #expect(try fixture.ledger.beat(now: fixture.now) == nil)
        let earlier = fixture.now.addingTimeInterval(-day)
        #expect(try fixture.ledger.beat(now: earlier) == .seconds(day))
        #expect(try dues(fixture) == [fixture.at(30 - day), fixture.at(-day * 2)])
        #expect(try fixture.ledger.hosts().first?.pausedUntil == fixture.at(90 - day))
        #expect(try fixture.ledger.beat(now: earlier) == nil)
    }

    @Test("a process that starts after it was set back finds it too")
    func restart() throws {
        let fixture = try started()
        try fixture.image("quay.io/a:1", state: "retrying", due: 30)
        let earlier = fixture.now.addingTimeInterval(-day)
        try fixture.ledger.workerStarted(WorkerIdentity(pid: 2, version: "1", mode: "run"), now: earlier)
        #expect(try dues(fixture) == [fixture.at(30 - day)])
    }

    @Test("a correction by less than a minute, and a clock set forward, move nothing", arguments: [-59.0, 0, 86_400])
    func small(seconds: Double) throws {
        let fixture = try started()
        try fixture.image("quay.io/a:1", state: "retrying", due: 30)
        #expect(try fixture.ledger.beat(now: fixture.now.addingTimeInterval(seconds)) == nil)
        #expect(try dues(fixture) == [fixture.at(30)])
    }

    @Test("the token's end is kept for the metrics, and forgotten by the next process")
    func token() throws {
        let fixture = try started()
        func ends() throws -> Milliseconds? {
            try fixture.reader.read { try Milliseconds.fetchOne($0, sql: "SELECT tokenExpiresAt FROM daemon") }
        }
        try fixture.ledger.tokenExpires(fixture.now.addingTimeInterval(100))
        #expect(try ends() == fixture.at(100))
        try fixture.ledger.workerStarted(WorkerIdentity(pid: 2, version: "1", mode: "run"), now: fixture.now)
        #expect(try ends() == nil)
    }
}

@Suite("The record's files")
struct RecordFileTests {
    @Test(
        "are the service's to write, and the group's to read where the folder is",
        arguments: [0o2770, 0o2750, 0o755]
    )
    func modes(folderMode: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.setAttributes([.posixPermissions: folderMode], ofItemAtPath: folder.path)
        let path = folder.appendingPathComponent("record.sqlite").path
        let ledger = try Ledger(path: path)
        let lock = try RecordLock(record: path, holder: "a test")
        defer { lock.release() }
        try ledger.beat(now: Date())
        for name in ["record.sqlite", "record.sqlite-wal", "record.sqlite-shm", "record.sqlite.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
            #expect(attributes[.posixPermissions] as? Int == 0o640, "\(name)")
        }
    }

    @Test("are narrowed where an earlier version let the group write")
    func narrowed() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("record.sqlite").path
        let names = ["", "-wal", "-shm", ".lock"]
        do {
            _ = try Ledger(path: path)
            try RecordLock(record: path, holder: "a test").release()
        }
        for name in names {
            try FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path + name)
        }
        _ = try Ledger(path: path)
        try RecordLock(record: path, holder: "a test").release()
        for name in names {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + name)
            #expect(attributes[.posixPermissions] as? Int == 0o640, "\(name)")
        }
    }
}
