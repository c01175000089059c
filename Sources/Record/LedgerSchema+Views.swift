import GRDB

/// The stable views of the record.
extension LedgerSchema {
    static func viewsAreCurrent(_ database: Database) throws -> Bool {
        let rows = try Row.fetchAll(database, sql: "SELECT name, sql FROM sqlite_master WHERE type = 'view'")
        let found = Dictionary(rows.map { ($0["name"] as String, $0["sql"] as String) }) { first, _ in first }
        return views.allSatisfy { found[$0.name] == $0.statement }
    }

    /// Drops those that are there; an operator's own views are left alone.
    static func dropViews(_ database: Database) throws {
        for view in views { try database.execute(sql: "DROP VIEW IF EXISTS \(view.name)") }
    }

    static func makeViews(_ database: Database) throws {
        try dropViews(database)
        for view in views { try database.execute(sql: view.statement) }
    }

    struct View {
        var name: String
        var query: String

        var statement: String { "CREATE VIEW \(name) AS \(query)" }
    }

    /// The contract with operators: documented in README, columns kept.
    static let views = [
        View(
            name: "images",
            query: """
                SELECT
                image.id, source, destination, state, route, reason, mend, failureClass AS failure_class, rule,
                sourceDigest AS source_digest, ecrDigest AS ecr_digest, platformDigest AS platform_digest, bytes, access,
                movedDigest AS moved_digest, attempts,
                strftime('%Y-%m-%dT%H:%M:%fZ', dueAt / 1000.0, 'unixepoch') AS due_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', readyAt / 1000.0, 'unixepoch') AS ready_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', verifiedAt / 1000.0, 'unixepoch') AS verified_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch') AS created_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', updatedAt / 1000.0, 'unixepoch') AS updated_at
                FROM image
                """
        ),
        View(
            name: "digests",
            query: """
                SELECT
                source, location, digest, note,
                strftime('%Y-%m-%dT%H:%M:%fZ', firstSeenAt / 1000.0, 'unixepoch') AS first_seen_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', lastSeenAt / 1000.0, 'unixepoch') AS last_seen_at
                FROM digest
                """
        ),
        View(
            name: "attempts",
            query: """
                SELECT
                attempt.id, image.source, image.destination, attempt.route, result, attempt.failureClass AS failure_class,
                message, host, status, requestID AS request_id, attempt.bytes,
                attempt.sourceDigest AS source_digest, attempt.ecrDigest AS ecr_digest,
                strftime('%Y-%m-%dT%H:%M:%fZ', startedAt / 1000.0, 'unixepoch') AS started_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
                FROM attempt JOIN image ON image.id = attempt.imageID
                """
        ),
        View(
            name: "demands",
            query: """
                SELECT
                image.source, image.destination, kind, subject, certainty, demand.reason, depth, mention, places, tasks,
                strftime('%Y-%m-%dT%H:%M:%fZ', demand.createdAt / 1000.0, 'unixepoch') AS created_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
                FROM demand JOIN image ON image.id = demand.imageID
                UNION ALL SELECT
                NULL, NULL, kind, subject, 'unresolved', missing, NULL, expression, json_array(place), tasks,
                strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch'),
                strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch')
                FROM unresolved
                """
        ),
        View(
            name: "runs",
            query: """
                SELECT
                id, uuid, name, status, workflowID AS workflow_id, versionName AS workflow_version, batchID AS batch_id,
                trouble,
                strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch') AS created_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', surveyedAt / 1000.0, 'unixepoch') AS surveyed_at,
                strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
                FROM run
                """
        ),
        View(
            name: "events",
            query: """
                SELECT
                id, kind, subject, status, outcome, messageID AS message_id,
                strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
                FROM event
                """
        ),
        View(
            name: "audit",
            query: """
                SELECT
                id, caller, action, source, destination, rule, before, after, requestID AS request_id, detail,
                strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
                FROM auditEntry
                """
        ),
    ]
}
