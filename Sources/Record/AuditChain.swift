import GRDB
import Model
import Names

/// The audit's chain of hashes: each row holds the hash of the one before and of itself, and the record holds the hash before
/// the first row and that of the last. Whoever changes, removes, adds or moves a row breaks it.
///
/// It proves nothing against somebody who writes the whole chain anew; for that its head is told to the journal.
enum AuditChain {
    private static let headKey = "auditHead"
    /// The hash of the last row that was deleted for its age.
    private static let anchorKey = "auditAnchor"

    /// - Parameter texts: the row's columns but for `id`, `at` and `hash`, in their order.
    static func hash(after previous: String, id: Int64, at: Milliseconds, _ texts: [String?]) -> String {
        var bytes = Array("\(previous)\n\(id)\n\(at)\n".utf8)
        for text in texts {
            // With its length, so that no two rows read alike; a text is never mistaken for none.
            bytes += text.map { Array("\($0.utf8.count):\($0)".utf8) } ?? Array("-".utf8)
        }
        return Digest.of(bytes).encoded
    }

    static func head(in database: Database) throws -> String { try setting(headKey, in: database) ?? "" }

    static func setHead(_ hash: String, in database: Database) throws { try set(headKey, hash, in: database) }

    private static func setting(_ key: String, in database: Database) throws -> String? {
        try String.fetchOne(database, sql: "SELECT value FROM setting WHERE key = ?", arguments: [key])
    }

    private static func set(_ key: String, _ value: String, in database: Database) throws {
        try database.execute(
            sql:
                "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            arguments: [key, value]
        )
    }

    private static let columns =
        "id, at, caller, action, source, destination, rule, before, after, requestID, detail, hash"

    private static func hash(of row: Row, after previous: String) -> String {
        hash(after: previous, id: row[0], at: row[1], (2..<11).map { row[$0] as String? })
    }

    /// Gives every row of a record of before its hash.
    static func begin(in database: Database) throws {
        let guardian = try String.fetchOne(
            database,
            sql: "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'auditIsNotChanged'"
        )
        try database.execute(sql: "DROP TRIGGER IF EXISTS auditIsNotChanged")
        var previous = ""
        var last: Int64 = 0
        while true {
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT \(columns) FROM auditEntry WHERE id > ? ORDER BY id LIMIT 1000",
                arguments: [last]
            )
            for row in rows {
                previous = hash(of: row, after: previous)
                last = row[0]
                try database.execute(sql: "UPDATE auditEntry SET hash = ? WHERE id = ?", arguments: [previous, last])
            }
            if rows.isEmpty { break }
        }
        if let guardian { try database.execute(sql: guardian) }
        try setHead(previous, in: database)
        try set(anchorKey, "", in: database)
    }

    /// Deletes what is older than is kept, from the beginning on and nowhere else.
    ///
    /// - Returns: whether there may be more.
    static func prune(before oldest: Milliseconds, batch: Int, in database: Database) throws -> Bool {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT id, hash FROM auditEntry WHERE id < COALESCE(
                    (SELECT id FROM auditEntry WHERE +at >= ? ORDER BY id LIMIT 1), 9223372036854775807)
                ORDER BY id LIMIT ?
                """,
            arguments: [oldest, batch]
        )
        guard let last = rows.last else { return false }
        try database.execute(sql: "DELETE FROM auditEntry WHERE id <= ?", arguments: [last["id"] as Int64])
        if let hash = last["hash"] as String? { try set(anchorKey, hash, in: database) }
        return rows.count == batch
    }

    static func verify(in database: Database) throws -> AuditVerdict {
        var verdict = AuditVerdict()
        var previous = try setting(anchorKey, in: database) ?? ""
        let rows = try Row.fetchCursor(database, sql: "SELECT \(columns) FROM auditEntry ORDER BY id")
        while let row = try rows.next() {
            verdict.rows += 1
            let hash = hash(of: row, after: previous)
            guard (row[11] as String?) == hash else {
                verdict.fault = "row \(row[0] as Int64), or the one before it, is not as it was written"
                return verdict
            }
            previous = hash
        }
        verdict.head = previous
        if previous != (try head(in: database)) {
            verdict.fault = verdict.rows == 0 ? "every row was removed" : "rows after the last one were removed"
        }
        return verdict
    }
}
