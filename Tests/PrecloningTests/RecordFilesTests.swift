import Foundation
import GRDB
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Model
@testable import Precloning
@testable import Record

#if canImport(Glibc)
import Glibc
#endif

/// The record's files while they are open: whether what happens to them is noticed.
@Suite("The record's files while it is open")
struct RecordFilesTests {
    private func withRecord(_ body: (String, Ledger, RecordFiles) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("record.sqlite").path
        let ledger = try Ledger(path: path)
        try ledger.saveLog()
        try body(path, ledger, RecordFiles(path: path))
    }

    private func lost(_ files: RecordFiles, _ ledger: Ledger) -> RecordFiles.Lost? {
        do { try files.check(ledger) } catch { return error as? RecordFiles.Lost }
        return nil
    }

    @Test(
        "what is done to them is told",
        arguments: [
            ("removed", "record.sqlite was removed"), ("replaced", "record.sqlite was replaced by another file"),
            ("emptied", "record.sqlite was emptied"), ("written over", "record.sqlite was written over"),
            ("cut off", "record.sqlite was cut off"), ("log removed", "record.sqlite-wal was removed"),
            ("index replaced", "record.sqlite-shm was replaced"), ("folder removed", "record.sqlite was removed"),
        ]
    )
    func told(kind: String, words: String) throws {
        try withRecord { path, ledger, files in
            #expect(lost(files, ledger) == nil)
            let file = URL(fileURLWithPath: path)
            func change(_ body: (FileHandle) throws -> Void) throws {
                let handle = try FileHandle(forWritingTo: file)
                try body(handle)
                try handle.close()
            }
            switch kind {
            case "removed": try FileManager.default.removeItem(at: file)
            case "replaced": try Data("another".utf8).write(to: file, options: .atomic)
            case "emptied": try change { try $0.truncate(atOffset: 0) }
            case "written over": try change { try $0.write(contentsOf: Data("This is not a record".utf8)) }
            case "cut off": try change { try $0.truncate(atOffset: 8192) }
            case "log removed": try FileManager.default.removeItem(atPath: path + "-wal")
            case "index replaced": try Data().write(to: URL(fileURLWithPath: path + "-shm"), options: .atomic)
            default: try FileManager.default.removeItem(at: file.deletingLastPathComponent())
            }
            let error = try #require(lost(files, ledger))
            #expect(error.description.contains(words), "\(error)")
        }
    }

    @Test("what was written is brought into the file although its log was removed")
    func saved() throws {
        try withRecord { path, ledger, files in
            try ledger.trouble(of: "x", "kept", now: Date())
            try FileManager.default.removeItem(atPath: path + "-wal")
            #expect(lost(files, ledger)?.isLogAlone == true)
            try ledger.saveLog()
            // As the next process finds it.
            let copy = path + "-copy"
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            let found = try Ledger(path: copy).database.read {
                try String.fetchAll($0, sql: "SELECT what FROM trouble")
            }
            #expect(found == ["kept"])
        }
    }

    @Test("growing, shrinking and being written by others is no fault")
    func work() throws {
        try withRecord { path, ledger, files in
            let other = try Ledger(path: path)
            for round in 0..<20 {
                let writer = round.isMultiple(of: 2) ? ledger : other
                try writer.database.write {
                    try $0.execute(sql: "DELETE FROM setting WHERE key LIKE 'x%'")
                    for number in 0..<round * 5 {
                        try $0.execute(
                            sql: "INSERT INTO setting (key, value) VALUES (?, hex(zeroblob(5000)))",
                            arguments: ["x\(number)"]
                        )
                    }
                }
                if round.isMultiple(of: 3) { try other.saveLog() }
                if round.isMultiple(of: 5) { _ = try ledger.vacuum(pages: 100) }
                #expect(lost(files, ledger) == nil)
            }
            // A full copy in its place by SQLite's own means keeps the file.
            try ledger.database.vacuum()
            #expect(lost(files, ledger) == nil)
        }
    }

    @Test("read-only files and what the lock's holder says can be seen from outside")
    func outside() throws {
        try withRecord { path, _, _ in
            #expect(RecordCondition.troubles(of: path).isEmpty)
            try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
            #expect(RecordCondition.troubles(of: path).first?.contains("was made read-only") == true)
            try FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path)

            let lock = try RecordLock(record: path, holder: "preclone run")
            #expect(RecordCondition.troubles(of: path).isEmpty)
            lock.say("database or\ndisk is full")
            #expect(RecordCondition.troubles(of: path) == ["the record cannot be used: database or disk is full"])
            #expect(RecordLock.holder(record: path) == "preclone run, process \(getpid())")
            #expect(RecordLock.isHeld(record: path, by: getpid()) == true)
            lock.say(String(repeating: "long ", count: 1000))
            #expect(RecordLock.holder(record: path) == "preclone run, process \(getpid())")
            lock.say(nil)
            #expect(RecordCondition.troubles(of: path).isEmpty)
            lock.say("gone with its holder")
            lock.release()
            #expect(RecordCondition.troubles(of: path).isEmpty)
        }
    }

    @Test("the loop of health writes what it is told, says what is wrong with the record, and that it is over")
    func loop() async throws {
        let clock = ManualClock()
        let ledger = try Ledger()
        try ledger.workerStarted(WorkerIdentity(pid: 1, version: "1", mode: "run"), now: clock.now)
        let troubles = Troubles()
        let said = Words()
        let late = Words()
        let loop = HealthLoop(
            ledger: ledger,
            files: nil,
            troubles: troubles,
            timeline: clock.timeline(),
            overdue: { late.all.compactMap(\.self) },
            record: { said.add($0) },
            lost: { _ in }
        )
        func written() throws -> [String] {
            try ledger.database.read {
                try String.fetchAll($0, sql: "SELECT part || ': ' || what FROM trouble ORDER BY part")
            }
        }
        troubles.tell("workflows", "refused")
        troubles.tell("ecr", "does not answer", until: clock.timeline().elapsed() + .seconds(300))
        late.add("verifier")
        late.add("health")
        #expect(try await loop.pass() == .seconds(5))
        #expect(
            try written() == [
                "ecr: does not answer", "loops: no sign of life from: verifier", "workflows: refused",
            ]
        )
        #expect(try RecordReader(ledger).worker()?.aliveAt == clock.now.milliseconds)
        late.clear()
        troubles.tell("workflows", nil)
        clock.advance(by: .seconds(301))
        _ = try await loop.pass()
        #expect(try written().isEmpty)
        #expect(try RecordReader(ledger).worker()?.aliveAt == clock.now.milliseconds)

        try await ledger.database.write { try $0.execute(sql: "ALTER TABLE daemon RENAME TO away") }
        _ = try await loop.pass()
        _ = try await loop.pass()
        #expect(said.all.count == 1 && said.all.first??.contains("no such table: daemon") == true)
        #expect(troubles.now["record"] != nil)
        try await ledger.database.write { try $0.execute(sql: "ALTER TABLE away RENAME TO daemon") }
        _ = try await loop.pass()
        #expect(said.all.count == 2 && said.all.last == .some(nil))
        #expect(try written().isEmpty)
    }
}

/// What was said, in its order.
private final class Words: Sendable {
    private let words = Mutex<[String?]>([])

    var all: [String?] { words.withLock { $0 } }

    func add(_ word: String?) { words.withLock { $0.append(word) } }

    func clear() { words.withLock { $0 = [] } }
}
