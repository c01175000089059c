import Foundation
import GRDB
import Synchronization
import Testing

@testable import Model
@testable import Record

/// Records that earlier versions left, brought to this one.
@Suite("Records of earlier versions")
struct RecordMigrationTests {
    /// One for each schema that shipped; they lie beside the tests as SQL.
    static let shipped = ["first-schema", "0.1.0"]

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Records")

    /// Lends the path of a record, in a folder of its own.
    private func withRecord(_ name: String?, _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("record.sqlite").path
        if let name {
            let sql = try String(contentsOf: Self.folder.appendingPathComponent(name + ".sql"), encoding: .utf8)
            try change(path, sql)
        }
        try body(path)
    }

    private func change(_ path: String, _ sql: String) throws {
        // A dump has its tables in alphabetical order.
        var configuration = GRDB.Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    private func strings(_ ledger: Ledger, _ sql: String) throws -> [String] {
        try ledger.database.read { try String.fetchAll($0, sql: sql) }
    }

    @Test("several that find an old record, or none, bring it up to date once", arguments: [nil] + shipped)
    func together(name: String?) throws {
        for _ in 0..<5 {
            try withRecord(name) { path in
                let faults = Mutex([String]())
                DispatchQueue.concurrentPerform(iterations: 8) { _ in
                    do { _ = try Ledger(path: path) } catch { faults.withLock { $0.append("\(error)") } }
                }
                #expect(faults.withLock { $0 } == [])
            }
        }
    }

    @Test("go on with all they hold, with every view of this version", arguments: shipped)
    func goOn(name: String) throws {
        try withRecord(name) { path in
            #expect {
                try RecordReader(path: path)
            } throws: {
                "\($0)".contains("was written by an older preclone (record version 1, this program reads")
                    && "\($0)".contains("start the daemon once")
            }
            let ledger = try Ledger(path: path)
            #expect(
                try strings(ledger, "SELECT source || ' ' || state FROM images ORDER BY id") == [
                    "quay.io/org/ready:1 ready", "quay.io/org/gone:1 blocked", "docker.io/library/later:1 retrying",
                    "ghcr.io/org/new:1 pending", "ghcr.io/org/moving:1 cloning",
                ]
            )
            #expect(
                try strings(ledger, "SELECT digest FROM digests ORDER BY first_seen_at") == ["sha256:a0", "sha256:aa"]
            )
            #expect(try strings(ledger, "SELECT result FROM attempts ORDER BY id") == ["ready", "failed"])
            #expect(try strings(ledger, "SELECT certainty FROM demands ORDER BY certainty").count == 6)
            #expect(try strings(ledger, "SELECT id FROM runs ORDER BY id") == ["1234567", "1234568"])
            #expect(try strings(ledger, "SELECT outcome FROM events") == ["looked at"])
            #expect(try strings(ledger, "SELECT action FROM audit") == ["imagePushed"])
            #expect(try strings(ledger, "PRAGMA integrity_check") == ["ok"])
            #expect(try strings(ledger, "PRAGMA foreign_key_check").isEmpty)
            let found = try ledger.database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            #expect(found == LedgerSchema.version && found > 1)

            // It is worked on and read as any other.
            let now = Date(timeIntervalSince1970: 1_790_000_000)
            try ledger.workerStarted(WorkerIdentity(pid: 1, version: "2", mode: "run"), now: now)
            #expect(try ledger.recoverInterrupted(now: now) == 1)
            let report = try StatusReport.read(from: RecordReader(path: path), now: now, isAlive: { _ in true })
            #expect(report.images.ready == 1 && report.images.blocked == 1 && report.images.total == 5)
            #expect(report.runs.shown.map(\.id) == ["1234567"])
            #expect(report.unresolved.total == 1)
        }
    }

    @Test("have the tables that a new record has", arguments: shipped)
    func sameTables(name: String) throws {
        // Spaces and comments aside: a column that a migration added stands at the end of its table.
        let query = """
            SELECT sqlite_master.name || '.' || field.name || ' ' || field.type
            FROM sqlite_master, pragma_table_info(sqlite_master.name) AS field
            UNION ALL SELECT type || ' ' || name FROM sqlite_master ORDER BY 1
            """
        try withRecord(name) { old in
            try withRecord(nil) { new in
                let (migrated, fresh) = (try Ledger(path: old), try Ledger(path: new))
                #expect(try strings(migrated, query) == strings(fresh, query))
            }
        }
    }

    @Test("the views are made anew where they differ, and an operator's own stay")
    func views() throws {
        try withRecord(nil) { path in
            try Ledger(path: path).database.close()
            try change(
                path,
                """
                DROP VIEW images; CREATE VIEW images AS SELECT id FROM image; DROP VIEW audit;
                CREATE VIEW mine AS SELECT source FROM image
                """
            )
            let ledger = try Ledger(path: path)
            #expect(try strings(ledger, "SELECT source FROM images UNION SELECT action FROM audit").isEmpty)
            #expect(try strings(ledger, "SELECT source FROM mine").isEmpty)
            #expect(try ledger.database.read(LedgerSchema.viewsAreCurrent))
        }
    }

    @Test("one that an older program works on now is not changed under it")
    func inUse() throws {
        try withRecord("0.1.0") { path in
            try Data("preclone run, process 1\n".utf8).write(to: URL(fileURLWithPath: path + ".lock"))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [
                "python3", "-c",
                """
                import fcntl, sys
                lock = open(sys.argv[1], "r+")
                fcntl.lockf(lock, fcntl.LOCK_EX)
                print("held", flush=True)
                sys.stdin.read()
                """, path + ".lock",
            ]
            let (input, output) = (Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            try #require(String(decoding: output.fileHandleForReading.availableData, as: UTF8.self).hasPrefix("held"))
            #expect {
                _ = try Ledger(path: path)
            } throws: {
                "\($0)".contains("is worked on by an older preclone (preclone run, process 1); restart it")
            }
            try input.fileHandleForWriting.close()
            process.waitUntilExit()
            _ = try Ledger(path: path)
        }
    }

    @Test("a reader that is held open while much is written leaves no large log behind")
    func log() throws {
        try withRecord(nil) { path in
            let ledger = try Ledger(path: path)
            func size() throws -> Int {
                try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int ?? 0
            }
            func write(_ rounds: Int) throws {
                for _ in 0..<rounds {
                    try ledger.database.write {
                        try $0.execute(
                            sql: "INSERT INTO setting (key, value) VALUES (hex(randomblob(16)), hex(zeroblob(100000)))"
                        )
                    }
                }
            }
            let reader = try RecordReader(path: path)
            try reader.read { held in
                _ = try Int.fetchOne(held, sql: "SELECT COUNT(*) FROM setting")
                try write(100)
            }
            #expect(try size() > 16 << 20)
            try write(4)
            #expect(try size() <= 5 << 20)
        }
    }
}
