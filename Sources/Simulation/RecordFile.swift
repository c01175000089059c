import GRDB
import Precloning
import Record

/// What happens to the record from outside the program.
extension Ledger {
    /// What a process that dies now leaves.
    ///
    /// - Throws: what the record throws.
    func left() throws -> Ledger {
        let queue = try DatabaseQueue()
        try database.backup(to: queue)
        return try Ledger(writer: queue)
    }

    /// Calls `told` right after each transaction, with what a process that dies there leaves.
    func watchCommits(_ told: @escaping (_ left: () throws -> Ledger) -> Void) {
        database.add(transactionObserver: CommitWatch(told), extent: .databaseLifetime)
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
    private let told: (() throws -> Ledger) -> Void

    init(_ told: @escaping (() throws -> Ledger) -> Void) { self.told = told }

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { false }
    func databaseDidChange(with event: DatabaseEvent) {}
    func databaseDidRollback(_ db: Database) {}

    func databaseDidCommit(_ db: Database) {
        told {
            let queue = try DatabaseQueue()
            try queue.writeWithoutTransaction { try db.backup(to: $0) }
            return try Ledger(writer: queue)
        }
    }
}
