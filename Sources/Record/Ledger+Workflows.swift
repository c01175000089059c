package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Notes workflows that a list showed, and their own definitions as the version with the empty name.
    package func saw(_ sightings: [WorkflowSighting], now: Date) throws {
        let at = now.milliseconds
        try database.write { database in
            for workflow in sightings {
                try database.execute(
                    sql: """
                        INSERT INTO workflow (id, name, type, status, digest, createdAt, seenAt, firstSeenAt, lastRunAt)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?,
                            (SELECT MAX(COALESCE(createdAt, seenAt)) FROM run WHERE workflowID = ?))
                        ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status,
                            digest = excluded.digest, seenAt = excluded.seenAt
                            WHERE name IS NOT excluded.name OR status <> excluded.status
                                OR digest IS NOT excluded.digest
                        """,
                    arguments: [
                        workflow.id, workflow.name, workflow.type, workflow.status, workflow.digest,
                        workflow.created?.milliseconds, at, at, workflow.id,
                    ]
                )
                try Self.noteVersion(
                    VersionSighting(
                        workflowID: workflow.id,
                        name: "",
                        status: workflow.status,
                        digest: workflow.digest,
                        created: workflow.created
                    ),
                    in: database,
                    at: at
                )
            }
        }
    }

    /// Notes versions that a list showed.
    package func saw(_ sightings: [VersionSighting], sweptWorkflow: String? = nil, now: Date) throws {
        try database.write { database in
            for version in sightings { try Self.noteVersion(version, in: database, at: now.milliseconds) }
            if let sweptWorkflow {
                try database.execute(
                    sql: "UPDATE workflow SET sweptAt = ? WHERE id = ?",
                    arguments: [now.milliseconds, sweptWorkflow]
                )
            }
        }
    }

    private static func noteVersion(_ version: VersionSighting, in database: Database, at: Milliseconds) throws {
        try database.execute(
            sql: """
                INSERT INTO version (workflowID, name, status, digest, createdAt, seenAt) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (workflowID, name) DO UPDATE SET status = excluded.status,
                    digest = COALESCE(excluded.digest, digest), seenAt = excluded.seenAt
                    WHERE status <> excluded.status OR (excluded.digest IS NOT NULL AND digest IS NOT excluded.digest)
                """,
            arguments: [
                version.workflowID, version.name, version.status, version.digest, version.created?.milliseconds, at,
            ]
        )
    }

    /// Stores what GetWorkflow or GetWorkflowVersion said.
    package func store(_ version: VersionRow) throws {
        try database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO version (workflowID, name, ownerID, status, digest, engine, main, registryMap, definition,
                        surveyedDigest, trouble, seenAt, createdAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (workflowID, name) DO UPDATE SET ownerID = excluded.ownerID, status = excluded.status,
                        digest = excluded.digest, engine = excluded.engine, main = excluded.main,
                        registryMap = excluded.registryMap, definition = excluded.definition,
                        surveyedDigest = excluded.surveyedDigest, trouble = excluded.trouble, seenAt = excluded.seenAt
                    """,
                arguments: [
                    version.workflowID, version.name, version.ownerID, version.status, version.digest, version.engine,
                    version.main, version.registryMap, version.definition, version.surveyedDigest, version.trouble,
                    version.seenAt, version.createdAt,
                ]
            )
        }
    }

    package func version(workflowID: String, name: String) throws -> VersionRow? {
        try database.read {
            try VersionRow.fetchOne(
                $0,
                sql: "SELECT * FROM version WHERE workflowID = ? AND name = ?",
                arguments: [workflowID, name]
            )
        }
    }

    /// Active versions whose images are not worked out for their present digest, of workflows that were used since
    /// `usedSince` or created after `createdSince`; those used last first.
    package func versionsToSurvey(usedSince: Date, createdSince: Date, limit: Int) throws -> [VersionRow] {
        try database.read {
            try VersionRow.fetchAll(
                $0,
                cached: """
                    SELECT version.* FROM version JOIN workflow ON workflow.id = version.workflowID
                    WHERE version.status = 'ACTIVE' AND workflow.type = 'PRIVATE' AND workflow.status <> 'DELETED'
                    AND (surveyedDigest IS NULL OR surveyedDigest <> COALESCE(version.digest, '?'))
                    AND (workflow.lastRunAt >= :used OR workflow.createdAt >= :created OR version.createdAt >= :created)
                    ORDER BY workflow.lastRunAt DESC, version.createdAt DESC LIMIT :limit
                    """,
                arguments: [
                    "used": usedSince.milliseconds, "created": createdSince.milliseconds, "limit": limit,
                ]
            )
        }
    }

    /// Workflows whose versions are to be listed next: with recent runs first, then the one swept longest ago.
    package func workflowsToSweep(limit: Int, sweptBefore: Date, recentSince: Date) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                cached: """
                    SELECT id FROM workflow WHERE type = 'PRIVATE' AND status NOT IN ('DELETED', 'FAILED')
                    AND (sweptAt IS NULL OR sweptAt < :before)
                    ORDER BY sweptAt IS NOT NULL, COALESCE(lastRunAt, 0) >= :recent DESC, sweptAt, id LIMIT :limit
                    """,
                arguments: [
                    "before": sweptBefore.milliseconds, "recent": recentSince.milliseconds, "limit": limit,
                ]
            )
        }
    }

    /// How many workflows have versions to be listed.
    package func sweptWorkflowCount() throws -> Int {
        try database.read {
            try Int.fetchOne(
                $0,
                cached: "SELECT COUNT(*) FROM workflow WHERE type = 'PRIVATE' AND status NOT IN ('DELETED', 'FAILED')"
            ) ?? 0
        }
    }

    /// Workflows that ran or were made since.
    package func workflowsInUse(usedSince: Date, createdSince: Date) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                cached: """
                    SELECT id FROM workflow WHERE type = 'PRIVATE' AND status NOT IN ('DELETED', 'FAILED')
                    AND (lastRunAt >= ? OR createdAt >= ?) ORDER BY id
                    """,
                arguments: [usedSince.milliseconds, createdSince.milliseconds]
            )
        }
    }

    /// Workflows that a full list no longer showed.
    ///
    /// - Parameter seenBefore: when the list began; what an event told of meanwhile may be in no page of it.
    package func endWorkflows(notIn ids: Set<String>, seenBefore: Date, now: Date) throws {
        let gone = try database.read { database in
            try String.fetchAll(
                database,
                sql: "SELECT id FROM workflow WHERE status <> 'DELETED' AND type = 'PRIVATE' AND seenAt < ?",
                arguments: [seenBefore.milliseconds]
            ).filter { !ids.contains($0) }
        }
        guard !gone.isEmpty else { return }
        try database.write { database in
            for id in gone { try Self.endWorkflow(id, in: database, at: now.milliseconds) }
        }
    }

    /// The service knows the workflow no longer.
    package func endWorkflow(_ id: String, now: Date) throws {
        try database.write { try Self.endWorkflow(id, in: $0, at: now.milliseconds) }
    }

    /// The service knows the version no longer.
    package func endVersion(workflowID: String, name: String, now: Date) throws {
        try database.write { database in
            try database.execute(
                sql: "UPDATE version SET status = 'DELETED' WHERE workflowID = ? AND name = ?",
                arguments: [workflowID, name]
            )
            try database.execute(
                sql: """
                    UPDATE demand SET endedAt = ? WHERE kind IN ('version', 'learned') AND endedAt IS NULL AND subject = ?
                    """,
                arguments: [now.milliseconds, "\(workflowID)/\(name)"]
            )
        }
    }

    private static func endWorkflow(_ id: String, in database: Database, at: Milliseconds) throws {
        try database.execute(
            sql: "UPDATE workflow SET status = 'DELETED', seenAt = ? WHERE id = ?",
            arguments: [at, id]
        )
        try database.execute(sql: "UPDATE version SET status = 'DELETED' WHERE workflowID = ?", arguments: [id])
        try database.execute(
            sql: """
                UPDATE demand SET endedAt = ? WHERE kind IN ('version', 'learned') AND endedAt IS NULL
                AND (subject = ? OR subject LIKE ? || '/%')
                """,
            arguments: [at, id, id]
        )
    }

    // MARK: Sweeps

    /// When this record was first worked on; noted at the first call.
    package func firstStart(now: Date) throws -> Date {
        try database.write { database in
            try database.execute(
                cached: "INSERT OR IGNORE INTO setting (key, value) VALUES ('firstStart', ?)",
                arguments: [String(now.milliseconds)]
            )
            let text = try String.fetchOne(database, cached: "SELECT value FROM setting WHERE key = 'firstStart'")
            return text.flatMap(Milliseconds.init).map(Date.init(milliseconds:)) ?? now
        }
    }

    package func sweep(_ name: String) throws -> (position: String?, started: Date?, finished: Date?)? {
        try database.read {
            try Row.fetchOne($0, cached: "SELECT * FROM sweep WHERE name = ?", arguments: [name]).map { row in
                (
                    row["position"], (row["startedAt"] as Milliseconds?).map(Date.init(milliseconds:)),
                    (row["finishedAt"] as Milliseconds?).map(Date.init(milliseconds:))
                )
            }
        }
    }

    /// A sweep has come to its end.
    ///
    /// - Parameter period: how long until the next one, as planned now; for `versions` until each workflow had its turn.
    package func sweepFinished(
        _ name: String,
        started: Date,
        period: Duration,
        trouble: String? = nil,
        now: Date
    ) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT INTO sweep (name, startedAt, finishedAt, trouble, period) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET startedAt = excluded.startedAt, period = excluded.period,
                        finishedAt = CASE WHEN excluded.trouble IS NULL THEN excluded.finishedAt ELSE finishedAt END,
                        trouble = excluded.trouble
                    """,
                arguments: [
                    name, started.milliseconds, now.milliseconds, trouble, period.components.seconds * 1000,
                ]
            )
        }
    }
}
