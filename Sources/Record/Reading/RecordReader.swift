package import Foundation
package import GRDB
package import Model

/// The record for those who only look: `status`, `history`, `audit`. Works while the daemon runs and while it does not.
package struct RecordReader: Sendable {
    package let database: any DatabaseReader
    package let path: String

    /// Opens the record without ever writing to it.
    ///
    /// - Throws: `LedgerError` that says which of these it is: no record, not permitted, a newer version, damaged.
    package init(path: String) throws(LedgerError) {
        self.path = path
        try Self.checkAccess(path)
        do {
            var configuration = GRDB.Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            configuration.label = "record reader"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let version = try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
            if version > LedgerSchema.version { throw Ledger.newer(version, path: path) }
            if version == 0 { throw Self.missing(path) }
            if version < LedgerSchema.version {
                throw LedgerError(
                    "\(path) was written by an older preclone (record version \(version), this program reads "
                        + "\(LedgerSchema.version)); start the daemon once, it brings the record up to date"
                )
            }
            database = queue
        } catch let error as LedgerError {
            throw error
        } catch let error as DatabaseError {
            throw Self.explained(error, path: path)
        } catch {
            throw LedgerError("\(path): \(error)")
        }
    }

    /// For a record that is open already: tests, and commands that work on it themselves.
    package init(_ ledger: Ledger) {
        database = ledger.database
        path = "(memory)"
    }

    /// Whether there is no record at a path at all: no daemon ever ran with this configuration.
    package static func isMissing(_ path: String) -> Bool { reason(path, mode: F_OK) == ENOENT }

    /// When this record was first worked on; nil before that.
    package func firstStart() throws -> Date? {
        try read { database in
            try String.fetchOne(database, sql: "SELECT value FROM setting WHERE key = 'firstStart'")
                .flatMap(Milliseconds.init).map(Date.init(milliseconds:))
        }
    }

    /// The hosts that images which somebody wants come from; empty where that cannot be read.
    package func registriesInUse() -> [String] {
        (try? read {
            try String.fetchAll($0, sql: "SELECT DISTINCT registry FROM tally WHERE images > 0 AND registry <> ''")
        })
            ?? []
    }

    /// Reads in one transaction, so that all figures belong to one moment.
    package func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        do {
            return try database.read(body)
        } catch let error as DatabaseError {
            throw Self.explained(error, path: path)
        }
    }

    private static func checkAccess(_ path: String) throws(LedgerError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        // `access` is asked on purpose: what matters is what this user may do, and the reason is for a person.
        switch reason(path, mode: R_OK) {
        case nil: break
        case EACCES, EPERM: throw notPermitted(path)
        case ENOENT, ENOTDIR:
            if let reason = Self.reason(folder, mode: X_OK), reason == EACCES { throw notPermitted(path) }
            throw missing(path)
        case let code?: throw LedgerError("\(path): \(String(cString: strerror(code)))")
        }
    }

    private static func reason(_ path: String, mode: CInt) -> CInt? { access(path, mode) == 0 ? nil : errno }

    /// No file, or one that is only just being made.
    private static func missing(_ path: String) -> LedgerError {
        LedgerError(
            "there is no record at \(path): preclone has not run with this configuration yet; "
                + "start it (`systemctl start preclone`), or name its configuration with --config"
        )
    }

    private static func notPermitted(_ path: String) -> LedgerError {
        LedgerError(
            "\(path) may be read by members of group `preclone` only; "
                + "ask for `sudo usermod --append --groups preclone \(NSUserName())` and log in again"
        )
    }

    private static func explained(_ error: DatabaseError, path: String) -> LedgerError {
        switch error.resultCode {
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            // The -wal and -shm files beside the record are needed for reading too.
            notPermitted("\(path) (with its -wal and -shm files)")
        default: Ledger.explained(error, path: path)
        }
    }
}

/// JSON arrays of strings in columns.
func strings(inJSON text: String?) -> [String] {
    guard let text else { return [] }
    return (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
}
