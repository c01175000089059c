import Foundation
import GRDB
import Precloning
import Record

/// What happens to the record from outside the program.
extension Ledger {
    /// What a process that dies now leaves, in another file.
    ///
    /// - Throws: what the record throws.
    func left(in path: String) throws -> Ledger {
        let copy = try DatabaseQueue(path: path)
        try database.backup(to: copy)
        try copy.close()
        return try Ledger(path: path)
    }

    /// Calls `told` right after each transaction, with a way to what a process that dies there leaves.
    func watchCommits(_ told: @escaping (_ left: (String) throws -> Ledger) -> Void) {
        database.add(transactionObserver: CommitWatch(told), extent: .databaseLifetime)
    }

    /// Nobody works on it any more, and its file goes.
    func discard(_ path: String) {
        try? database.close()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    /// No page more than there are, or as many as wanted.
    ///
    /// - Throws: what the record throws.
    func setFull(_ isFull: Bool) throws {
        try database.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            _ = try Int.fetchOne(database, sql: "PRAGMA max_page_count = \(isFull ? pages : 1_000_000)")
        }
    }
}

/// Told of every transaction that was committed.
private final class CommitWatch: TransactionObserver {
    private let told: ((String) throws -> Ledger) -> Void

    init(_ told: @escaping ((String) throws -> Ledger) -> Void) { self.told = told }

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { false }
    func databaseDidChange(with event: DatabaseEvent) {}
    func databaseDidRollback(_ db: Database) {}

    func databaseDidCommit(_ db: Database) {
        told { path in
            let copy = try DatabaseQueue(path: path)
            try copy.writeWithoutTransaction { try db.backup(to: $0) }
            try copy.close()
            return try Ledger(path: path)
        }
    }
}
