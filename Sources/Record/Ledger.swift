import Foundation
package import GRDB
import GRDBSQLite
import Model

/// The record: what was asked for, done and seen, in SQLite. One writer per process; readers open it read-only.
///
/// Verbs are idempotent and each is one short transaction; none is held across a request. The verbs stand in
/// `Ledger+….swift` by subject.
package struct Ledger: Sendable {
    package let database: any DatabaseWriter

    /// The size that the write-ahead log is cut to once nobody reads what it holds; SQLite copies it into the record after
    /// 1000 pages, or 4 MB.
    private static let longestLog = 4 << 20

    /// Opens or creates the record at a path, and brings it to this program's version.
    ///
    /// - Throws: `LedgerError` for a record of a newer version, a damaged or unreadable file, or a full disk.
    package init(path: String) throws {
        try Self.refuseOthers(path: path)
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(10)
        configuration.label = "record"
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            // Has an effect only before the first table is made: freed pages can then be given back bit by bit.
            if !database.configuration.readonly { try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL") }
            // While somebody reads, the log of changes only grows; the next writer after that gives its room back.
            try database.execute(sql: "PRAGMA journal_size_limit = \(Self.longestLog)")
        }
        SharedFile.make(path)
        do {
            let lock = FolderLock(of: path)
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { try Self.keepWAL($0) }
            try self.init(writer: pool)
            _ = consume lock
            if let what = try damage() {
                throw LedgerError("\(path) \(what): move it away (preclone starts a new one), or restore a copy")
            }
        } catch let error as DatabaseError {
            throw Self.explained(error, path: path)
        }
    }

    /// A record in memory, for tests and `copy --config`.
    package init() throws {
        try self.init(writer: DatabaseQueue())
    }

    /// A record on a database that is open already.
    package init(writer: any DatabaseWriter) throws {
        database = writer
        try LedgerSchema.migrate(writer)
    }

    /// WAL files are kept after the last connection closes, so that readers without write permission can still read.
    /// See https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html#sqlitefcntlpersistwal
    private static func keepWAL(_ database: Database) throws {
        var on: CInt = 1
        let code = sqlite3_file_control(database.sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &on)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    /// Refuses a record of a newer program, and one that an older program works on now: it would find its tables changed
    /// under it.
    private static func refuseOthers(path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            var configuration = GRDB.Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let found = try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            try queue.close()
            if found > LedgerSchema.version { throw newer(found, path: path) }
            if found < LedgerSchema.version, found > 0, let holder = RecordLock.holder(record: path),
                RecordLock.isHeld(record: path, by: getpid()) != true
            {
                throw LedgerError(
                    "\(path) is worked on by an older preclone (\(holder)); restart it "
                        + "(`systemctl restart preclone`), which brings the record up to date"
                )
            }
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT
        {
            throw explained(error, path: path)
        } catch is DatabaseError {
            // The writer's own opening reports anything else with its reason.
        }
    }

    static func newer(_ found: Int, path: String) -> LedgerError {
        LedgerError(
            "\(path) was written by a newer preclone (record version \(found), this program knows \(LedgerSchema.version)); "
                + "install that version again, or name another file in record.path"
        )
    }

    static func explained(_ error: DatabaseError, path: String) -> LedgerError {
        let what = error.message ?? "\(error.resultCode)"
        let mend: String =
            switch error.resultCode {
            case .SQLITE_NOTADB, .SQLITE_CORRUPT:
                "it is damaged or not a record: move it away (preclone starts a new one), or restore a copy"
            case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
                "check that the folder exists and that this user may write it; the service alone writes its record, and members "
                    + "of group preclone ask it while it runs"
            case .SQLITE_FULL, .SQLITE_IOERR: "free space on its disk"
            case .SQLITE_BUSY, .SQLITE_LOCKED: "another program holds it; stop that one"
            default: "see https://www.sqlite.org/rescode.html for the code"
            }
        return LedgerError("\(path): \(what); \(mend)")
    }
}
