package import Foundation
package import GRDB
package import Model

extension Ledger {
    /// Notes a change made to AWS or by a person.
    package func audit(_ entry: AuditEntry) throws {
        try database.write { try Self.insert(entry, in: $0) }
    }

    /// Notes what policy decided over an image, unless it decided the same by the same rule the last time, for the same
    /// caller and for whoever came last.
    ///
    /// - Returns: whether a row was written.
    @discardableResult
    package func audit(
        _ decision: PolicyDecision,
        source: String,
        destination: String?,
        caller: String,
        now: Date
    ) throws -> Bool {
        try database.write { database in
            try Self.count(decision.isAllowed ? .allowed : .denied, of: decision.rule, in: database, now: now)
            func last(_ caller: String?) throws -> Row? {
                try Row.fetchOne(
                    database,
                    cached: """
                        SELECT rule, after FROM auditEntry WHERE source = :source AND destination IS :destination
                        AND action = 'decided' AND (:caller IS NULL OR caller = :caller) ORDER BY id DESC LIMIT 1
                        """,
                    arguments: ["source": source, "destination": destination, "caller": caller]
                )
            }
            func isSame(_ row: Row?) -> Bool {
                guard let row else { return false }
                return row["after"] == decision.verdict.rawValue && row["rule"] == decision.rule
            }
            let latest = try last(nil)
            let before: String? = latest?["after"]
            if isSame(latest), isSame(try last(caller)) { return false }
            var entry = AuditEntry(.decided, caller: caller, at: now)
            entry.source = source
            entry.destination = destination
            entry.rule = decision.rule
            entry.before = before
            entry.after = decision.verdict.rawValue
            entry.detail = decision.reason
            try Self.insert(entry, in: database)
            return true
        }
    }

    /// What a rule of policy decided; a column of the record.
    package enum RuleHit: String, Sendable { case allowed, denied, warned }

    /// Counts what a rule decided where nothing else is kept of it.
    package func count(_ hit: RuleHit, of rule: String, now: Date) throws {
        try database.write { try Self.count(hit, of: rule, in: $0, now: now) }
    }

    private static func count(_ hit: RuleHit, of rule: String, in database: Database, now: Date) throws {
        try database.execute(
            cached: """
                INSERT INTO ruleHit (rule, \(hit.rawValue), lastAt) VALUES (?, 1, ?)
                ON CONFLICT (rule) DO UPDATE SET \(hit.rawValue) = \(hit.rawValue) + 1, lastAt = excluded.lastAt
                """,
            arguments: [rule, now.milliseconds]
        )
    }

    /// Whether a repository was made by preclone, is there still as far as it knows, and no other image is in it or on
    /// its way there.
    package func isOursAndUnused(_ location: ECRLocation, besides image: Int64) throws -> Bool {
        let place = "\(location.registry)/\(location.repository)"
        return try database.read { database in
            let last = try String.fetchOne(
                database,
                cached: """
                    SELECT action FROM auditEntry
                    WHERE (action = 'repositoryCreated' AND (after = :name OR substr(after, -length(:tail)) = :tail))
                    OR (action = 'repositoryDeleted' AND before = :name) ORDER BY id DESC LIMIT 1
                    """,
                arguments: ["name": location.repository, "tail": ":repository/\(location.repository)"]
            )
            guard last == AuditEntry.Action.repositoryCreated.rawValue else { return false }
            let isUsed = try Bool.fetchOne(
                database,
                cached: """
                    SELECT EXISTS (SELECT 1 FROM image WHERE id <> :id AND state IN ('cloning', 'ready')
                    AND (destination BETWEEN :place || ':' AND :place || ';'
                        OR destination BETWEEN :place || '@' AND :place || 'A'))
                    """,
                arguments: ["id": image, "place": place]
            )
            return isUsed == false
        }
    }

    /// The hash of the audit's last row; empty before the first.
    package func auditHead() throws -> String { try database.read(AuditChain.head) }

    static func insert(_ entry: AuditEntry, in database: Database) throws {
        let id = try (Int64.fetchOne(database, cached: "SELECT MAX(id) FROM auditEntry") ?? 0) + 1
        let at = entry.at.milliseconds
        let hash = AuditChain.hash(
            after: try AuditChain.head(in: database),
            id: id,
            at: at,
            [
                entry.caller, entry.action, entry.source, entry.destination, entry.rule, entry.before, entry.after,
                entry.requestID, entry.detail,
            ]
        )
        try database.execute(
            cached: """
                INSERT INTO auditEntry
                (id, at, caller, action, source, destination, rule, before, after, requestID, detail, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, at, entry.caller, entry.action, entry.source, entry.destination, entry.rule, entry.before,
                entry.after, entry.requestID, entry.detail, hash,
            ]
        )
        try AuditChain.setHead(hash, in: database)
    }

    /// Keeps in the audit what a rule that only warns would have denied, unless that is what was kept last for this caller.
    package func audit(
        _ warning: PolicyDecision.Warning,
        source: String,
        destination: String?,
        caller: String,
        now: Date
    ) throws {
        try database.write { database in
            try Self.count(.warned, of: warning.rule, in: database, now: now)
            let isKnown = try Bool.fetchOne(
                database,
                cached: """
                    SELECT EXISTS (SELECT 1 FROM auditEntry WHERE source = ? AND destination IS ? AND action = 'warned'
                        AND rule = ? AND caller = ?)
                    """,
                arguments: [source, destination, warning.rule, caller]
            )
            guard isKnown != true else { return }
            var entry = AuditEntry(.warned, caller: caller, at: now)
            entry.source = source
            entry.destination = destination
            entry.rule = warning.rule
            entry.detail = warning.reason
            try Self.insert(entry, in: database)
        }
    }
}

extension RecordReader {
    /// Goes through the whole audit, and finds any row that was changed, removed, added or put elsewhere.
    package func verifyAudit() throws -> AuditVerdict { try read(Self.verifyAudit) }

    package static func verifyAudit(in database: Database) throws -> AuditVerdict {
        try AuditChain.verify(in: database)
    }

    /// Audit rows from a moment on, oldest first, a part at a time so that memory does not grow with their number.
    ///
    /// - Parameters:
    ///   - after: the last row id of the part before; 0 for the first.
    /// - Returns: the rows, and the id to go on from; nil at the end.
    package func audit(since: Date, after: Int64, limit: Int = 1000) throws -> (entries: [AuditEntry], next: Int64?) {
        try read { database in
            var after = after
            if after == 0 {
                // Begins where the index by time says, instead of walking through years of rows.
                let first = try Int64.fetchOne(
                    database,
                    cached: "SELECT MIN(id) FROM auditEntry WHERE at >= ?",
                    arguments: [since.milliseconds]
                )
                guard let first else { return ([], nil) }
                after = first - 1
            }
            let rows = try Row.fetchAll(
                database,
                cached: "SELECT * FROM auditEntry WHERE id > ? AND at >= ? ORDER BY id LIMIT ?",
                arguments: [after, since.milliseconds, limit]
            )
            return (rows.map(AuditEntry.init), rows.count == limit ? rows.last?["id"] : nil)
        }
    }
}

extension AuditEntry {
    init(_ row: Row) {
        self.init(action: row["action"], caller: row["caller"], at: Date(milliseconds: row["at"]))
        source = row["source"]
        destination = row["destination"]
        rule = row["rule"]
        before = row["before"]
        after = row["after"]
        requestID = row["requestID"]
        detail = row["detail"]
    }
}
