package import Foundation
import GRDB

/// Who wants an image.
package enum DemandSubject: Sendable, Hashable {
    /// A live run, by its record key.
    case run(key: String)
    /// What any run of a version needs; the name is empty for the workflow's own definition.
    case version(workflowID: String, name: String)
    /// A person, by the number of the request.
    case clone(request: String)
    /// Seen in a finished run's tasks and not predicted; kept for the version.
    case learned(workflowID: String, name: String)

    package var kind: String {
        switch self {
        case .run: "run"
        case .version: "version"
        case .clone: "clone"
        case .learned: "learned"
        }
    }

    /// The record's text for it.
    package var text: String {
        switch self {
        case .run(let key): key
        case .version(let id, let name), .learned(let id, let name): name.isEmpty ? id : "\(id)/\(name)"
        case .clone(let request): request
        }
    }

    package var urgency: Urgency {
        switch self {
        case .run: .run
        case .clone: .person
        case .version, .learned: .version
        }
    }
}

/// A demand with the place that the planner found for it.
package struct PlannedDemand: Sendable, Hashable {
    /// The canonical reference, or the text itself where it is none.
    package var source: String
    /// The ECR URI; empty where there is none.
    package var destination: String
    package var registry: String
    package var mention: String
    package var certainty: String
    package var reason: String?
    package var places: [String]
    package var tasks: [String]
    /// Set when no attempt can be made: class, reason, mend.
    package var refusal: Refusal?

    package init(source: String, destination: String, registry: String, mention: String, certainty: String) {
        self.source = source
        self.destination = destination
        self.registry = registry
        self.mention = mention
        self.certainty = certainty
        places = []
        tasks = []
    }
}

/// Why nothing is done for an image, and what a person can do.
package struct Refusal: Error, Sendable, Hashable {
    package var failureClass: FailureClass
    package var reason: String
    package var mend: String
    /// The policy rule that decided, if one did.
    package var rule: String?

    package init(_ failureClass: FailureClass, reason: String, mend: String, rule: String? = nil) {
        self.failureClass = failureClass
        self.reason = reason
        self.mend = mend
        self.rule = rule
    }
}

/// A mention that could not be resolved, for the record.
package struct UnresolvedDemand: Sendable, Hashable {
    package var place: String
    package var expression: String
    package var missing: String
    package var tasks: [String]

    package init(place: String, expression: String, missing: String, tasks: [String]) {
        self.place = place
        self.expression = expression
        self.missing = missing
        self.tasks = tasks
    }
}

extension Ledger {
    /// Writes what a subject wants, replacing what it wanted before: rows for new images (due now, or blocked), demand
    /// rows, unresolved mentions. Idempotent.
    ///
    /// - Returns: the ids of the images that are wanted, in the order given.
    @discardableResult
    package func want(
        _ subject: DemandSubject,
        _ demands: [PlannedDemand],
        unresolved: [UnresolvedDemand] = [],
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
            if subject.kind != "learned" {
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
enum JSONColumn {
    static func array(_ values: [String]) -> String {
        guard let data = try? JSONEncoder().encode(values) else { return "[]" }
        return String(decoding: data, as: UTF8.self)
    }

    static func strings(_ text: String) -> [String] {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }
}
