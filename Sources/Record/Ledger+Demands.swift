package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Writes what a subject wants, replacing what it wanted before: rows for new images (due now, or blocked), demand
    /// rows, unresolved mentions. Idempotent.
    ///
    /// - Parameter isMore: it is wanted besides what was wanted before.
    /// - Returns: the ids of the images that are wanted, in the order given.
    @discardableResult
    package func want(
        _ subject: DemandSubject,
        _ demands: [PlannedDemand],
        unresolved: [UnresolvedDemand] = [],
        isMore: Bool = false,
        now: Date
    ) throws -> [Int64] {
        try database.write { database in
            let at = now.milliseconds
            var ids: [Int64] = []
            for demand in demands {
                let id = try Self.imageID(for: demand, urgency: subject.urgency, in: database, at: at)
                ids.append(id)
                try database.execute(
                    sql: """
                        INSERT INTO demand (imageID, kind, subject, certainty, reason, mention, places, tasks, createdAt)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (kind, subject, imageID) DO UPDATE SET certainty = excluded.certainty,
                            reason = excluded.reason, mention = excluded.mention, places = excluded.places,
                            tasks = excluded.tasks, endedAt = NULL
                        """,
                    arguments: [
                        id, subject.kind, subject.text, demand.certainty, demand.reason, demand.mention,
                        JSONColumn.array(demand.places), JSONColumn.array(demand.tasks), at,
                    ]
                )
            }
            if !isMore {
                try Self.endDemands(of: subject, except: Set(ids), in: database, at: at)
            }
            try database.execute(
                sql: "DELETE FROM unresolved WHERE kind = ? AND subject = ?",
                arguments: [subject.kind, subject.text]
            )
            for mention in unresolved {
                try database.execute(
                    sql: """
                        INSERT OR IGNORE INTO unresolved (kind, subject, place, expression, missing, tasks, createdAt)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        subject.kind, subject.text, mention.place, mention.expression, mention.missing,
                        JSONColumn.array(mention.tasks), at,
                    ]
                )
            }
            return ids
        }
    }

    private static func endDemands(
        of subject: DemandSubject,
        except ids: Set<Int64>,
        in database: Database,
        at: Milliseconds
    ) throws {
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT id, imageID FROM demand WHERE kind = ? AND subject = ? AND endedAt IS NULL",
            arguments: [subject.kind, subject.text]
        )
        for row in rows where !ids.contains(row["imageID"]) {
            try database.execute(
                sql: "UPDATE demand SET endedAt = ? WHERE id = ?",
                arguments: [at, row["id"] as Int64]
            )
        }
    }

    private static func imageID(
        for demand: PlannedDemand,
        urgency: Urgency,
        in database: Database,
        at: Milliseconds
    ) throws -> Int64 {
        let found = try ImageRecord.fetchOne(
            database,
            sql: "SELECT * FROM image WHERE source = ? AND destination = ?",
            arguments: [demand.source, demand.destination]
        )
        guard let found else {
            try database.execute(
                sql: """
                    INSERT INTO image (source, destination, registry, state, reason, mend, failureClass, rule, route,
                        urgency, dueAt, createdAt, updatedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    demand.source, demand.destination, demand.registry,
                    demand.refusal == nil ? ImageState.pending.rawValue : ImageState.blocked.rawValue,
                    demand.refusal?.reason, demand.refusal?.mend, demand.refusal?.failureClass.rawValue,
                    demand.refusal?.rule, demand.refusal == nil ? nil : "refused", urgency.rawValue,
                    demand.refusal == nil ? at : nil, at, at,
                ]
            )
            return database.lastInsertedRowID
        }
        if let refusal = demand.refusal {
            if found.state == .blocked, found.reason != refusal.reason || found.mend != refusal.mend {
                try database.execute(
                    sql: "UPDATE image SET reason = ?, mend = ?, failureClass = ?, updatedAt = ? WHERE id = ?",
                    arguments: [refusal.reason, refusal.mend, refusal.failureClass.rawValue, at, found.id]
                )
            }
            return found.id
        }
        switch found.state {
        case .ready:
            // A run that just came: look at once whether it is still so.
            if urgency == .run {
                try database.execute(sql: "UPDATE image SET verifiedAt = NULL WHERE id = ?", arguments: [found.id])
            }
        case .pending, .retrying, .blocked, .cloning:
            // More urgent, but a back-off is never reset by asking again.
            try database.execute(
                // Refused when it was first wanted, it was never due; now it can be tried.
                sql: """
                    UPDATE image SET urgency = MIN(urgency, ?),
                        dueAt = CASE WHEN state = 'blocked' AND dueAt IS NULL THEN ? ELSE dueAt END WHERE id = ?
                    """,
                arguments: [urgency.rawValue, at, found.id]
            )
        }
        return found.id
    }

    /// Ends the demands of a run that is over, or of a version that is gone.
    package func endDemands(of subject: DemandSubject, now: Date) throws {
        try database.write { database in
            try Self.endDemands(of: subject, except: [], in: database, at: now.milliseconds)
            try database.execute(
                sql: "UPDATE unresolved SET endedAt = ? WHERE kind = ? AND subject = ? AND endedAt IS NULL",
                arguments: [now.milliseconds, subject.kind, subject.text]
            )
        }
    }
}

/// JSON texts in columns.
package enum JSONColumn {
    package static func array(_ values: [String]) -> String {
        guard let data = try? JSONEncoder().encode(values) else { return "[]" }
        return String(decoding: data, as: UTF8.self)
    }

    package static func strings(_ text: String) -> [String] {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }
}
