package import Foundation
package import Model
package import Record

/// What is asked of the record alone: the same functions for the command line, agents' tools and their resources.
package struct RecordVerbs: Sendable {
    package let path: String
    private let now: @Sendable () -> Date

    package init(path: String, now: @escaping @Sendable () -> Date = { Date() }) {
        self.path = path
        self.now = now
    }

    /// What `preclone history` answers.
    package struct History: Codable, Sendable, Equatable {
        package var schemaVersion = 1
        package var histories: [TagHistory]
    }

    /// What `preclone audit --verify` answers.
    package struct Verification: Codable, Sendable, Equatable {
        package var schemaVersion = 1
        package var isWhole: Bool
        package var rows: Int
        package var head: String?
        package var fault: String?
    }

    /// There is no record, and nobody who works on one.
    package var isMissing: Bool { RecordCondition.isGone(path) == nil && RecordReader.isMissing(path) }

    /// What is going on. Where somebody works on a record that is gone or cannot be read, that is the answer.
    ///
    /// - Throws: `LedgerError` where there is no record, or nothing in it of what was asked for.
    package func status(
        _ filter: StatusReport.Filter? = nil,
        extent: StatusReport.Extent = .init()
    ) throws -> StatusReport {
        if let gone = RecordCondition.isGone(path) { return try without(gone) }
        let condition = RecordCondition.troubles(of: path)
        do {
            return try StatusReport.read(
                from: RecordReader(path: path),
                filter: filter,
                extent: extent,
                now: now(),
                condition: condition,
                isAlive: { RecordLock.isHeld(record: path, by: $0) ?? WorkerProcess.isAlive($0) }
            )
        } catch let error as LedgerError where RecordLock.trouble(record: path) != nil {
            return try without((condition + [error.description]).joined(separator: "; "))
        }
    }

    /// What is going on where there is no record yet: programs get a document in any case.
    package func statusOfNothing() throws -> StatusReport {
        try StatusReport.read(
            from: RecordReader(Ledger()),
            now: now(),
            condition: RecordCondition.troubles(of: path),
            isAlive: { _ in false }
        )
    }

    private func without(_ trouble: String) throws -> StatusReport {
        var report = try StatusReport.read(from: RecordReader(Ledger()), now: now(), isAlive: { _ in false })
        report.daemon.life = .running
        report.health = Health(state: .degraded, reasons: [trouble])
        return report
    }

    /// The digests that a reference had.
    ///
    /// - Throws: `LedgerError` where nothing is recorded of it.
    package func history(of image: String) throws -> History {
        History(histories: try TagHistory.read(image, from: RecordReader(path: path)))
    }

    /// Rows of the audit, oldest first, and from where to go on; nil at the end.
    ///
    /// - Parameter after: the last part's `next`; 0 for the first.
    /// - Throws: `LedgerError` where there is no record.
    package func audit(since: Date, after: Int64 = 0, most: Int = 1000) throws -> (entries: [AuditEntry], next: Int64?)
    {
        try RecordReader(path: path).audit(since: since, after: after, limit: most)
    }

    /// Whether every row of the audit is as it was written.
    ///
    /// - Throws: `LedgerError` where there is no record.
    package func verifyAudit() throws -> Verification {
        let found = try RecordReader(path: path).verifyAudit()
        return Verification(isWhole: found.isWhole, rows: found.rows, head: found.head, fault: found.fault)
    }
}
