package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Makes images due now that are blocked or wait: their attempts count anew, and hosts that were left alone may be
    /// asked again.
    ///
    /// - Parameter images: references as people write them, or ECR URIs; nil for all.
    /// - Returns: what was changed; images that are ready, being cloned or due already are left as they are.
    /// - Throws: `LedgerError` for an image that is not in the record.
    package func retry(_ images: [String]?, caller: Caller, now: Date) throws -> [RetriedImage] {
        try database.write { database in
            guard let images else {
                try Self.retrySurveys(database, of: "1", [], at: now.milliseconds)
                return try Self.retry(database, "1", [], caller: caller, at: now)
            }
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
        caller: Caller,
        at now: Date
    ) throws -> [RetriedImage] {
        let waits =
            "urgency < \(Urgency.nobody.rawValue) AND (state = 'blocked' OR (state IN ('retrying', 'pending') "
            + "AND (dueAt IS NULL OR dueAt > \(now.milliseconds))))"
        let rows = try Row.fetchAll(
            database,
            sql:
                "SELECT id, source, destination, registry, state, reason FROM image WHERE \(condition) AND \(waits) ORDER BY id",
            arguments: StatementArguments(arguments)
        )
        for row in rows {
            try tell(.retried, of: row["id"], in: database, now: now)
            var entry = AuditEntry(.retried, by: caller, detail: row["reason"], at: now)
            entry.source = row["source"]
            entry.destination = row["destination"]
            entry.before = row["state"]
            try insert(entry, in: database)
        }
        for registry in Set(rows.map { $0["registry"] as String }) {
            try database.execute(
                sql: """
                    UPDATE host SET pausedUntil = NULL, pauseReason = NULL, breaker = 'closed', breakerUntil = NULL
                    WHERE host = ?
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

    /// Whose wish an attempt would carry out, as policy names callers: the daemon's own first where a run or a version wants
    /// the image, then each person who waits for it.
    package func callers(for imageID: Int64) throws -> [String] {
        try database.read { database in
            let isOwn = try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM demand WHERE imageID = ? AND kind <> 'clone' AND endedAt IS NULL)
                    """,
                arguments: [imageID]
            )
            let people = try String.fetchAll(
                database,
                sql: """
                    SELECT CASE WHEN agent IS NULL THEN 'user ' || userName
                        ELSE 'agent ' || agent || ' of user ' || userName END AS caller
                    FROM request WHERE imageID = ? AND (state = 'taken' OR EXISTS (
                        SELECT 1 FROM demand WHERE kind = 'clone' AND subject = CAST(request.id AS TEXT)
                        AND endedAt IS NULL)) GROUP BY caller ORDER BY MAX(id) DESC
                    """,
                arguments: [imageID]
            )
            return (isOwn == true ? ["daemon"] : []) + people
        }
    }
}
