package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Makes images due now that are blocked or wait: their attempts count anew, and hosts that were paused for their
    /// credentials may be asked again.
    ///
    /// - Parameter images: references as people write them, or ECR URIs; nil for all.
    /// - Returns: what was changed; images that are ready, being cloned or due already are left as they are.
    /// - Throws: `LedgerError` for an image that is not in the record.
    package func retry(_ images: [String]?, caller: String, now: Date) throws -> [RetriedImage] {
        try database.write { database in
            guard let images else { return try Self.retry(database, "1", [], caller: caller, at: now) }
            var all: [RetriedImage] = []
            for text in images {
                let canonical = (try? ImageReference(text))?.description ?? text
                let names = [text, canonical]
                let isKnown = try Bool.fetchOne(
                    database,
                    sql: "SELECT EXISTS (SELECT 1 FROM image WHERE source IN (?, ?) OR destination IN (?, ?))",
                    arguments: StatementArguments(names + names)
                )
                guard isKnown == true else {
                    throw LedgerError("\(canonical) is not in the record; `preclone clone \(text)` clones it")
                }
                all += try Self.retry(
                    database,
                    "(source IN (?, ?) OR destination IN (?, ?))",
                    names + names,
                    caller: caller,
                    at: now
                )
            }
            return all
        }
    }

    private static func retry(
        _ database: Database,
        _ condition: String,
        _ arguments: [String],
        caller: String,
        at now: Date
    ) throws -> [RetriedImage] {
        let waits =
            "(state = 'blocked' OR (state IN ('retrying', 'pending') AND (dueAt IS NULL OR dueAt > \(now.milliseconds))))"
        let rows = try Row.fetchAll(
            database,
            sql:
                "SELECT id, source, destination, registry, state, reason FROM image WHERE \(condition) AND \(waits) ORDER BY id",
            arguments: StatementArguments(arguments)
        )
        for row in rows {
            try database.execute(
                sql: """
                    UPDATE image SET dueAt = :at, attempts = 0, firstAttemptAt = NULL, failures = 0,
                        urgency = MIN(urgency, 1), updatedAt = :at WHERE id = :id
                    """,
                arguments: ["at": now.milliseconds, "id": row["id"] as Int64]
            )
            var entry = AuditEntry(.retried, caller: caller, at: now)
            entry.source = row["source"]
            entry.destination = row["destination"]
            entry.before = row["state"]
            entry.detail = row["reason"]
            try insert(entry, in: database)
        }
        for registry in Set(rows.map { $0["registry"] as String }) {
            try database.execute(
                sql: """
                    UPDATE host SET pausedUntil = NULL, pauseReason = NULL
                    WHERE host = ? AND pauseReason LIKE '\(credentialPause)%'
                    """,
                arguments: [registry]
            )
        }
        return rows.map {
            RetriedImage(
                source: $0["source"],
                destination: $0["destination"],
                state: $0["state"],
                reason: $0["reason"]
            )
        }
    }

    /// How the reason of a pause begins that a person ends: with other credentials, or with `preclone retry`.
    package static let credentialPause = "credentials refused"

    /// Who waits for an image with `preclone clone`, as policy names callers; nil when nobody does.
    package func requester(of imageID: Int64) throws -> String? {
        try database.read {
            try String.fetchOne(
                $0,
                sql: """
                    SELECT 'user ' || userName FROM request WHERE state = 'taken' AND imageID = ? ORDER BY id DESC LIMIT 1
                    """,
                arguments: [imageID]
            )
        }
    }
}
