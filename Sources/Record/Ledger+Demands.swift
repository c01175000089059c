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
                let id = try Self.imageID(for: demand, in: database, at: at)
                ids.append(id)
                let isNew = try Bool.fetchOne(
                    database,
                    cached: """
                        SELECT NOT EXISTS (SELECT 1 FROM demand WHERE kind = ? AND subject = ? AND imageID = ?
                            AND endedAt IS NULL)
                        """,
                    arguments: [subject.kind, subject.text, id]
                )
                try database.execute(
                    cached: """
                        INSERT INTO demand (imageID, kind, subject, certainty, reason, depth, mention, places, tasks,
                            comesByItself, createdAt)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (kind, subject, imageID) DO UPDATE SET certainty = excluded.certainty,
                            reason = excluded.reason, depth = excluded.depth, mention = excluded.mention,
                            places = excluded.places, tasks = excluded.tasks,
                            comesByItself = excluded.comesByItself, endedAt = NULL
                        """,
                    arguments: [
                        id, subject.kind, subject.text, demand.certainty, demand.reason, demand.depth,
                        demand.mention, JSONColumn.array(demand.places), JSONColumn.array(demand.tasks),
                        demand.comesByItself, at,
                    ]
                )
                let event = demand.refusal.map(ImageEvent.refused) ?? .wanted(isNew: isNew ?? true)
                try Self.tell(event, of: id, in: database, now: now)
                if let rule = demand.refusal?.rule {
                    try database.execute(cached: "UPDATE image SET rule = ? WHERE id = ?", arguments: [rule, id])
                }
            }
            if !isMore {
                try Self.endDemands(of: subject, except: Set(ids), in: database, now: now)
            }
            try database.execute(
                cached: "DELETE FROM unresolved WHERE kind = ? AND subject = ?",
                arguments: [subject.kind, subject.text]
            )
            for mention in unresolved {
                try database.execute(
                    cached: """
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
        now: Date
    ) throws {
        let rows = try Row.fetchAll(
            database,
            cached: "SELECT id, imageID FROM demand WHERE kind = ? AND subject = ? AND endedAt IS NULL",
            arguments: [subject.kind, subject.text]
        )
        for row in rows where !ids.contains(row["imageID"]) {
            try database.execute(
                cached: "UPDATE demand SET endedAt = ? WHERE id = ?",
                arguments: [now.milliseconds, row["id"] as Int64]
            )
            try tell(.unwanted, of: row["imageID"], in: database, now: now)
        }
    }

    /// The row of an image and its place; made when there is none.
    private static func imageID(for demand: PlannedDemand, in database: Database, at: Milliseconds) throws -> Int64 {
        let found = try Int64.fetchOne(
            database,
            cached: "SELECT id FROM image WHERE source = ? AND destination = ?",
            arguments: [demand.source, demand.destination]
        )
        if let found { return found }
        try database.execute(
            cached: """
                INSERT INTO image (source, destination, registry, state, route, urgency, createdAt, updatedAt)
                VALUES (?, ?, ?, 'pending', ?, ?, ?, ?)
                """,
            arguments: [
                demand.source, demand.destination, demand.registry, demand.refusal == nil ? nil : "refused",
                Urgency.nobody.rawValue, at, at,
            ]
        )
        return database.lastInsertedRowID
    }

    /// Ends the demands of a run that is over, or of a version that is gone.
    package func endDemands(of subject: DemandSubject, now: Date) throws {
        try database.write { try Self.endDemands(of: subject, in: $0, now: now) }
    }

    static func endDemands(of subject: DemandSubject, in database: Database, now: Date) throws {
        try endDemands(where: "kind = ? AND subject = ?", [subject.kind, subject.text], in: database, now: now)
    }

    /// Ends every live demand and unresolved mention of a condition; the images hear of it.
    static func endDemands(
        where condition: String,
        _ arguments: StatementArguments,
        in database: Database,
        now: Date
    ) throws {
        let images = try Int64.fetchAll(
            database,
            cached: "SELECT DISTINCT imageID FROM demand WHERE endedAt IS NULL AND \(condition)",
            arguments: arguments
        )
        for table in ["demand", "unresolved"] {
            try database.execute(
                cached: "UPDATE \(table) SET endedAt = ? WHERE endedAt IS NULL AND \(condition)",
                arguments: [now.milliseconds] + arguments
            )
        }
        for image in images { try tell(.unwanted, of: image, in: database, now: now) }
    }
}
