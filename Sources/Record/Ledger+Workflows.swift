package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Notes workflows that a list showed, and their own definitions as the version with the empty name.
    package func saw(_ sightings: [WorkflowSighting], now: Date) throws {
        let at = now.milliseconds
        try database.write { database in
            for workflow in sightings {
                try database.execute(
                    cached: """
                        INSERT INTO workflow (id, name, type, status, digest, createdAt, seenAt, firstSeenAt, lastRunAt,
                            isExcluded) VALUES (:id, :name, :type, :status, :digest, :created, :at, :at,
                            (SELECT COALESCE(createdAt, seenAt) FROM run WHERE workflowID = :id
                                ORDER BY createdAt DESC LIMIT 1), :isExcluded)
                        ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status,
                            digest = excluded.digest, seenAt = excluded.seenAt, isExcluded = excluded.isExcluded
                            WHERE name IS NOT excluded.name OR status <> excluded.status
                                OR digest IS NOT excluded.digest OR isExcluded <> excluded.isExcluded
                        """,
                    arguments: [
                        "id": workflow.id, "name": workflow.name, "type": workflow.type, "status": workflow.status,
                        "digest": workflow.digest, "created": workflow.created?.milliseconds, "at": at,
                        "isExcluded": workflow.isExcluded,
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
    package func saw(_ sightings: [VersionSighting], now: Date) throws {
        try database.write { database in
            for version in sightings { try Self.noteVersion(version, in: database, at: now.milliseconds) }
        }
    }

    private static func noteVersion(_ version: VersionSighting, in database: Database, at: Milliseconds) throws {
        try database.execute(
            // Another definition, or one that is there again, is looked at at once.
            cached: """
                INSERT INTO version (workflowID, name, status, digest, createdAt, seenAt) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (workflowID, name) DO UPDATE SET status = excluded.status,
                    digest = COALESCE(excluded.digest, digest), seenAt = excluded.seenAt, surveyMark = NULL, surveyDueAt = NULL
                    WHERE status <> excluded.status OR (excluded.digest IS NOT NULL AND digest IS NOT excluded.digest)
                """,
            arguments: [
                version.workflowID, version.name, version.status, version.digest, version.created?.milliseconds, at,
            ]
        )
    }

    /// Stores what GetWorkflow or GetWorkflowVersion said. Where the definition or its registry map is another, the version
    /// and its live runs are decided again.
    package func read(_ version: VersionRow) throws {
        try database.write { database in
            let old = try VersionRow.fetchOne(
                database,
                cached: Self.oneVersion,
                arguments: [version.workflowID, version.name]
            )
            try database.execute(
                cached: """
                    INSERT INTO version (workflowID, name, ownerID, status, digest, engine, main, registryMap, readAt, seenAt,
                        createdAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (workflowID, name) DO UPDATE SET ownerID = excluded.ownerID, status = excluded.status,
                        digest = excluded.digest, engine = excluded.engine, main = excluded.main,
                        registryMap = excluded.registryMap, readAt = excluded.readAt, seenAt = excluded.seenAt
                    """,
                arguments: [
                    version.workflowID, version.name, version.ownerID, version.status, version.digest, version.engine,
                    version.main, version.registryMap, version.readAt, version.seenAt, version.createdAt,
                ]
            )
            guard let old, old.engine != nil, !old.isDecided(like: version) else { return }
            // `+`: by the few runs that are live, not by all that the workflow ever had.
            for (table, name) in [("version", "name"), ("run", "endedAt IS NULL AND versionName")] {
                try database.execute(
                    cached: """
                        UPDATE \(table) SET surveyMark = NULL, surveyDueAt = NULL WHERE +workflowID = ? AND \(name) = ?
                        """,
                    arguments: [version.workflowID, version.name]
                )
            }
        }
    }

    /// Notes what a survey of a version came to. What could not be read is not noted as read: it is due again.
    package func surveyed(_ version: VersionRow, _ result: SurveyResult, mark: String?, now: Date) throws {
        let wait = SurveySchedule.wait(after: result, isRun: false, attempts: version.surveyAttempts)
        try database.write {
            try $0.execute(
                cached: """
                    UPDATE version SET surveyedDigest = COALESCE(?, surveyedDigest), surveyMark = ?, surveyDueAt = ?,
                        surveyAttempts = ?, trouble = ? WHERE workflowID = ? AND name = ?
                    """,
                arguments: [
                    result.isDecided ? version.digest ?? "?" : nil, result.isDecided ? mark : nil,
                    wait.map { (now + $0.seconds).milliseconds }, wait == nil ? 0 : version.surveyAttempts + 1,
                    result.trouble?.message, version.workflowID, version.name,
                ]
            )
        }
    }

    private static let oneVersion = "SELECT * FROM version WHERE workflowID = ? AND name = ?"

    package func version(workflowID: String, name: String) throws -> VersionRow? {
        try database.read {
            try VersionRow.fetchOne($0, cached: Self.oneVersion, arguments: [workflowID, name])
        }
    }

    /// Versions for which images are cloned ahead: active ones of the workflows that `watch.workflows` selects, if they were
    /// used since `:used` or made after `:created`.
    private static let isWanted = """
        (version.status = 'ACTIVE' AND workflow.type = 'PRIVATE' AND workflow.status <> 'DELETED' AND NOT workflow.isExcluded
        AND (workflow.lastRunAt >= :used OR workflow.createdAt >= :created OR version.createdAt >= :created))
        """

    /// Wanted versions whose turn it is, or that were decided otherwise than by `mark`; those used last first.
    package func versionsToSurvey(
        mark: String,
        usedSince: Date,
        createdSince: Date,
        limit: Int,
        now: Date
    ) throws -> [VersionRow] {
        try database.read {
            try VersionRow.fetchAll(
                $0,
                cached: """
                    SELECT version.* FROM version JOIN workflow ON workflow.id = version.workflowID
                    WHERE \(Self.isWanted)
                    AND (\(Self.isDue) OR surveyMark <> :mark OR (surveyMark IS NOT NULL
                        AND surveyedDigest IS NOT COALESCE(version.digest, '?')))
                    ORDER BY workflow.lastRunAt DESC, version.createdAt DESC LIMIT :limit
                    """,
                arguments: Self.due(now) + [
                    "mark": mark, "used": usedSince.milliseconds, "created": createdSince.milliseconds, "limit": limit,
                ]
            )
        }
    }

    /// Ends what is cloned ahead for versions that are not wanted any more. When they are again, they are decided anew.
    package func dropUnwantedVersions(usedSince: Date, createdSince: Date, now: Date) throws {
        let versions = try database.read {
            try VersionRow.fetchAll(
                $0,
                cached: """
                    SELECT version.* FROM version JOIN workflow ON workflow.id = version.workflowID
                    WHERE (surveyMark IS NOT NULL OR surveyDueAt IS NOT NULL OR surveyedDigest IS NOT NULL)
                    AND version.status <> 'UPDATING' AND COALESCE(NOT \(Self.isWanted), 1)
                    """,
                arguments: ["used": usedSince.milliseconds, "created": createdSince.milliseconds]
            )
        }
        for version in versions {
            try endDemands(of: .version(workflowID: version.workflowID, name: version.name), now: now)
            try endDemands(of: .learned(workflowID: version.workflowID, name: version.name), now: now)
            try database.write {
                try $0.execute(
                    cached: """
                        UPDATE version SET surveyedDigest = NULL, surveyMark = NULL, surveyDueAt = NULL, surveyAttempts = 0,
                            trouble = NULL WHERE workflowID = ? AND name = ?
                        """,
                    arguments: [version.workflowID, version.name]
                )
            }
        }
    }

    package func hasVersions() throws -> Bool {
        try database.read { try Bool.fetchOne($0, cached: "SELECT EXISTS (SELECT 1 FROM version)") ?? false }
    }

    /// Whether `watch.workflows` leaves a workflow out.
    package func isExcluded(_ workflowID: String) throws -> Bool {
        try database.read {
            try Bool.fetchOne($0, cached: "SELECT isExcluded FROM workflow WHERE id = ?", arguments: [workflowID])
                ?? false
        }
    }

    /// Chooses anew among the workflows that are known, where the choice is another than the last time.
    ///
    /// - Parameter choice: a text that is another for another choice.
    package func select(_ choice: String, _ isSelected: (_ id: String, _ name: String?) -> Bool) throws {
        try database.write { database in
            let last = try String.fetchOne(database, cached: "SELECT value FROM setting WHERE key = 'selection'")
            guard last != choice else { return }
            for row in try Row.fetchAll(database, cached: "SELECT id, name FROM workflow") {
                try database.execute(
                    cached: "UPDATE workflow SET isExcluded = ? WHERE id = ?",
                    arguments: [!isSelected(row["id"], row["name"]), row["id"] as String]
                )
            }
            try database.execute(
                cached: "INSERT OR REPLACE INTO setting (key, value) VALUES ('selection', ?)",
                arguments: [choice]
            )
        }
    }

    /// How often a workflow with recent runs has its turn before others'.
    private static let weightOfRecent: Int64 = 4

    /// The workflows whose versions are listed next: those listed longest ago, time counting more where runs are recent, so
    /// that nobody waits for ever.
    package func workflowsToSweep(sweptBefore: Date, recentSince: Date, now: Date) throws -> [String] {
        struct Candidate: Decodable, FetchableRecord {
            var id: String
            var sweptAt: Milliseconds?
        }
        return try database.read { database in
            func first(_ condition: String) throws -> [Candidate] {
                try Candidate.fetchAll(
                    database,
                    cached: """
                        SELECT id, sweptAt FROM workflow WHERE \(Self.isSwept) AND COALESCE(sweptAt, 0) < :before
                        AND \(condition) ORDER BY sweptAt, id LIMIT 2
                        """,
                    arguments: ["before": sweptBefore.milliseconds, "recent": recentSince.milliseconds]
                )
            }
            let recent = try first("+lastRunAt >= :recent").map { ($0, Self.weightOfRecent) }
            let others = try first("COALESCE(lastRunAt, 0) < :recent").map { ($0, Int64(1)) }
            // Listed in the future: the clock was wrong, and nothing is known of when it was.
            let lost = try Candidate.fetchAll(
                database,
                cached:
                    "SELECT id, sweptAt FROM workflow WHERE \(Self.isSwept) AND sweptAt > ? ORDER BY sweptAt, id LIMIT 2",
                arguments: [(now + 60).milliseconds]
            ).map { (Candidate(id: $0.id, sweptAt: nil), Int64(1)) }
            func age(_ candidate: (Candidate, Int64)) -> Int64 {
                candidate.0.sweptAt.map { (now.milliseconds - $0) * candidate.1 } ?? .max
            }
            return (recent + others + lost).sorted { age($0) > age($1) }.map(\.0.id)
        }
    }

    private static let isSwept = "type = 'PRIVATE' AND status NOT IN ('DELETED', 'FAILED') AND isExcluded = 0"

    /// How many turns it takes until each workflow has had its own.
    package func turnsOfSweep(recentSince: Date) throws -> Int64 {
        try database.read {
            try Int64.fetchOne(
                $0,
                cached: """
                    SELECT COUNT(*) + (SELECT COUNT(*) FROM workflow WHERE \(Self.isSwept) AND lastRunAt >= ?) * ?
                    FROM workflow WHERE \(Self.isSwept)
                    """,
                arguments: [recentSince.milliseconds, Self.weightOfRecent - 1]
            ) ?? 0
        }
    }

    /// The listing of a workflow's versions was tried; others have their turn now.
    package func swept(_ workflowID: String, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: "UPDATE workflow SET sweptAt = ? WHERE id = ?",
                arguments: [now.milliseconds, workflowID]
            )
        }
    }

    /// Active versions of a workflow that its list did not show.
    package func versions(of workflowID: String, notIn names: Set<String>) throws -> [VersionRow] {
        try database.read {
            try VersionRow.fetchAll(
                $0,
                cached: "SELECT * FROM version WHERE workflowID = ? AND name <> '' AND status = 'ACTIVE' ORDER BY name",
                arguments: [workflowID]
            ).filter { !names.contains($0.name) }
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

    /// Workflows that a full list did not show. A list that misses one once proves nothing: it is asked for.
    ///
    /// - Parameter seenBefore: when the list began; what an event told of meanwhile may be in no page of it.
    package func workflows(notIn ids: Set<String>, seenBefore: Date) throws -> [String] {
        try database.read { database in
            try String.fetchAll(
                database,
                cached:
                    "SELECT id FROM workflow WHERE status <> 'DELETED' AND type = 'PRIVATE' AND seenAt < ? ORDER BY id",
                arguments: [seenBefore.milliseconds]
            ).filter { !ids.contains($0) }
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
                cached: "UPDATE version SET status = 'DELETED' WHERE workflowID = ? AND name = ?",
                arguments: [workflowID, name]
            )
            let subject = DemandSubject.version(workflowID: workflowID, name: name).text
            try Self.endVersionDemands(in: database, at: now.milliseconds, of: "subject = ?", [subject])
        }
    }

    private static func endWorkflow(_ id: String, in database: Database, at: Milliseconds) throws {
        try database.execute(
            cached: "UPDATE workflow SET status = 'DELETED', seenAt = ? WHERE id = ?",
            arguments: [at, id]
        )
        try database.execute(cached: "UPDATE version SET status = 'DELETED' WHERE workflowID = ?", arguments: [id])
        // `9/` is below every version of workflow 9, and `90` above.
        try endVersionDemands(in: database, at: at, of: "subject = ?", [id])
        try endVersionDemands(in: database, at: at, of: "subject > ? || '/' AND subject < ? || '0'", [id, id])
    }

    private static func endVersionDemands(
        in database: Database,
        at: Milliseconds,
        of subjects: String,
        _ arguments: StatementArguments
    ) throws {
        try endDemands(
            where: "kind IN ('version', 'learned') AND \(subjects)",
            arguments,
            in: database,
            now: Date(milliseconds: at)
        )
    }

    // MARK: Sweeps

    /// When this record was first worked on; noted at the first call. A moment that lies ahead comes from a clock that was
    /// wrong: it was now, or earlier.
    package func firstStart(now: Date) throws -> Date {
        try database.write { database in
            try database.execute(
                cached: """
                    INSERT INTO setting (key, value) VALUES ('firstStart', :now) ON CONFLICT (key)
                    DO UPDATE SET value = excluded.value WHERE CAST(value AS INTEGER) > CAST(excluded.value AS INTEGER)
                    """,
                arguments: ["now": String(now.milliseconds)]
            )
            let text = try String.fetchOne(database, cached: "SELECT value FROM setting WHERE key = 'firstStart'")
            return text.flatMap(Milliseconds.init).map(Date.init(milliseconds:)) ?? now
        }
    }

    /// What keeps a list from being gone through; nil when nothing does.
    package func sweepTrouble(_ name: String, _ trouble: String?) throws {
        try database.write { database in
            if let trouble {
                try database.execute(
                    cached: """
                        INSERT INTO sweep (name, trouble) VALUES (?, ?)
                        ON CONFLICT (name) DO UPDATE SET trouble = excluded.trouble
                        """,
                    arguments: [name, trouble]
                )
            } else {
                try database.execute(
                    cached: "UPDATE sweep SET trouble = NULL WHERE name = ? AND trouble IS NOT NULL",
                    arguments: [name]
                )
            }
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
    package func sweepFinished(_ name: String, started: Date, period: Duration, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT INTO sweep (name, startedAt, finishedAt, period) VALUES (?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET startedAt = excluded.startedAt, period = excluded.period,
                        finishedAt = excluded.finishedAt
                    """,
                arguments: [name, started.milliseconds, now.milliseconds, period.components.seconds * 1000]
            )
        }
    }
}
