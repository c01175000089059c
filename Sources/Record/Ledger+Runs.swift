package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Notes runs that a list showed. Live ones that are new, or were thought over, are due for their survey at once, and
    /// with them whatever of their workflow could not be read.
    ///
    /// - Parameter byPoll: a poll showed them, not an event; for the judgement whether events arrive.
    /// - Returns: how many were not known.
    @discardableResult
    package func saw(_ sightings: [RunSighting], byPoll: Bool = false, now: Date) throws -> Int {
        let at = now.milliseconds
        return try database.write { database in
            var new = 0
            var wanted: Set<String> = []
            for run in sightings {
                let known = try Row.fetchOne(
                    database,
                    cached: "SELECT status, endedAt FROM run WHERE key = ?",
                    arguments: [run.key]
                )
                if let known {
                    guard
                        known["status"] as String != run.status
                            || (known["endedAt"] as Milliseconds? != nil) == run.isLive
                    else { continue }
                    try database.execute(
                        cached: """
                            UPDATE run SET status = :status, seenAt = :at,
                                surveyDueAt = CASE WHEN NOT :isLive THEN NULL WHEN endedAt IS NULL THEN surveyDueAt ELSE :at END,
                                endedAt = CASE WHEN :isLive THEN NULL ELSE COALESCE(endedAt, :at) END WHERE key = :key
                            """,
                        arguments: ["status": run.status, "at": at, "isLive": run.isLive, "key": run.key]
                    )
                    if !run.isLive {
                        try Self.endDemands(of: .run(key: run.key), in: database, now: Date(milliseconds: at))
                    }
                    continue
                }
                new += 1
                try database.execute(
                    cached: """
                        INSERT INTO run (key, id, name, status, workflowID, versionName, batchID, createdAt, seenAt,
                            endedAt, surveyDueAt, polledAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        run.key, run.id, run.name, run.status, run.workflowID, run.versionName, run.batchID,
                        run.created?.milliseconds, at, run.isLive ? nil : at, run.isLive ? at : nil,
                        byPoll && run.isLive ? at : nil,
                    ]
                )
                if let workflowID = run.workflowID {
                    try database.execute(
                        cached: "UPDATE workflow SET lastRunAt = MAX(COALESCE(lastRunAt, 0), ?) WHERE id = ?",
                        arguments: [run.created?.milliseconds ?? at, workflowID]
                    )
                    guard run.isLive else { continue }
                    wanted.insert(workflowID)
                    try Self.foresee(run, workflowID, in: database, now: now)
                }
            }
            for workflowID in wanted.sorted() {
                // `+`: by the few that are live, not by all that the workflow ever had.
                try Self.retrySurveys(database, of: "+workflowID = ?", [workflowID], at: at)
            }
            return new
        }
    }

    /// A new run wants at once what its version is known to need: its own call, and its parameters, come later, and one run
    /// after the other. Until then nothing is said of what it needs.
    private static func foresee(
        _ run: RunSighting,
        _ workflowID: String,
        in database: Database,
        now: Date
    ) throws {
        let subject = DemandSubject.version(workflowID: workflowID, name: run.versionName).text
        try database.execute(
            sql: """
                INSERT INTO demand (imageID, kind, subject, certainty, reason, depth, mention, places, tasks, comesByItself,
                    createdAt)
                SELECT imageID, 'run', :run, MIN(certainty), MAX(reason), MIN(depth), mention, places, tasks,
                    MAX(comesByItself), :at
                FROM demand WHERE kind IN ('version', 'learned') AND subject = :subject AND endedAt IS NULL
                    AND certainty <> 'inactive' GROUP BY imageID
                ON CONFLICT DO NOTHING
                """,
            arguments: ["run": run.key, "subject": subject, "at": now.milliseconds]
        )
        let images = try Int64.fetchAll(
            database,
            // What other runs have made urgent already, and waits for nothing, changes nothing: of a burst each run would ask.
            sql: """
                SELECT imageID FROM demand JOIN image ON image.id = imageID WHERE kind = 'run' AND subject = ?
                    AND (urgency <> ? OR state IN ('blocked', 'retrying')) ORDER BY imageID
                """,
            arguments: [run.key, Urgency.run.rawValue]
        )
        for image in images { try tell(.wanted(isNew: true), of: image, in: database, now: now) }
    }

    /// Live runs that a full list of live runs did not show. A list that misses one once proves nothing: it is asked for.
    ///
    /// - Parameter seenBefore: when the list began; what was seen since may be in no page of it.
    package func liveRuns(notIn keys: Set<String>, seenBefore: Date) throws -> [RunRow] {
        try database.read { database in
            try RunRow.fetchAll(
                database,
                cached: "SELECT * FROM run WHERE endedAt IS NULL AND seenAt < ? ORDER BY seenAt, key",
                arguments: [seenBefore.milliseconds]
            ).filter { !keys.contains($0.key) }
        }
    }

    /// The service knows the run no longer.
    package func endRun(_ run: RunRow, now: Date) throws {
        try database.write { database in
            try database.execute(
                cached: """
                    UPDATE run SET endedAt = COALESCE(endedAt, ?), surveyDueAt = NULL, status = 'DELETED' WHERE key = ?
                    """,
                arguments: [now.milliseconds, run.key]
            )
            try Self.endDemands(of: .run(key: run.key), in: database, now: now)
        }
    }

    /// Live runs whose turn it is: of each version of which no run is worked out yet, one; then the oldest.
    ///
    /// - Parameter mark: what decides now; runs that were decided otherwise are due. Nil: that is not known.
    package func runsToSurvey(mark: String?, limit: Int, now: Date) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll(
                $0,
                cached: """
                    SELECT * FROM (SELECT run.*, NOT EXISTS (SELECT 1 FROM run AS other INDEXED BY runByWorkflow
                            WHERE other.workflowID = run.workflowID AND other.versionName = run.versionName
                            AND other.endedAt IS NULL AND other.surveyedAt IS NOT NULL)
                        AND ROW_NUMBER() OVER (PARTITION BY workflowID, versionName ORDER BY surveyDueAt, createdAt, key) = 1
                        AS isFirst
                        FROM run WHERE endedAt IS NULL AND (\(Self.isDue) OR surveyMark <> :mark))
                    ORDER BY isFirst DESC, surveyDueAt, createdAt LIMIT :limit
                    """,
                arguments: Self.due(now) + ["mark": mark, "limit": limit]
            )
        }
    }

    /// Whether a run is still to be looked at: it may have ended, or was answered for together with others of its batch.
    package func isToSurvey(_ run: RunRow, mark: String, now: Date) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                cached: """
                    SELECT EXISTS (SELECT 1 FROM run WHERE key = :key AND endedAt IS NULL
                        AND (\(Self.isDue) OR surveyMark <> :mark))
                    """,
                arguments: Self.due(now) + ["key": run.key, "mark": mark]
            ) ?? false
        }
    }

    /// When the next run is to be surveyed that is not due yet.
    package func nextSurvey(after now: Date) throws -> Date? {
        try database.read {
            try Milliseconds.fetchOne(
                $0,
                cached: "SELECT MIN(surveyDueAt) FROM run WHERE endedAt IS NULL AND surveyDueAt > ?",
                arguments: [now.milliseconds]
            ).map(Date.init(milliseconds:))
        }
    }

    /// Of a run or a version: its time has come, or nobody looked at it yet. A time further ahead than any wait comes from
    /// a clock that was wrong.
    static let isDue = """
        (surveyDueAt <= :now OR surveyDueAt > :furthest OR (surveyDueAt IS NULL AND surveyMark IS NULL))
        """

    static func due(_ now: Date) -> StatementArguments {
        ["now": now.milliseconds, "furthest": (now + 2 * SurveySchedule.ceiling.seconds).milliseconds]
    }

    /// Makes runs and versions due now whose definitions could not be read: a person asks for it, the configuration is
    /// another, or a run waits.
    ///
    /// - Returns: how many.
    @discardableResult
    package func retrySurveys(now: Date) throws -> Int {
        try database.write { try Self.retrySurveys($0, of: "1", [], at: now.milliseconds) }
    }

    @discardableResult
    static func retrySurveys(
        _ database: Database,
        of subjects: String,
        _ arguments: StatementArguments,
        at: Milliseconds
    ) throws -> Int {
        var due = 0
        for waiting in ["run WHERE endedAt IS NULL AND trouble IS NOT NULL", "version WHERE 1"] {
            let (table, condition) = (waiting.prefix { $0 != " " }, waiting.drop { $0 != " " })
            try database.execute(
                cached: "UPDATE \(table) SET surveyDueAt = ?\(condition) AND surveyDueAt > ? AND \(subjects)",
                arguments: [at, at] + arguments
            )
            due += database.changesCount
        }
        return due
    }

    /// Live runs, `run 123`, and versions, `workflow 9/v2`, of which it is not known what they need, or not all.
    package func unread() throws -> [UnreadSubject] {
        try database.read {
            try UnreadSubject.fetchAll(
                $0,
                cached: """
                    SELECT 'run ' || id AS subject, trouble, surveyMark IS NOT NULL AS isFinal FROM run
                    WHERE endedAt IS NULL AND trouble IS NOT NULL AND COALESCE(workflowType, '') <> 'READY2RUN'
                    UNION ALL SELECT 'workflow ' || workflowID || CASE name WHEN '' THEN '' ELSE '/' || name END, trouble,
                    surveyMark IS NOT NULL FROM version WHERE trouble IS NOT NULL AND status = 'ACTIVE'
                    """
            )
        }
    }

    /// Notes what a survey of a run came to. What could not be read is not noted as read: it is due again.
    ///
    /// - Parameters:
    ///   - mark: what decided; kept only where something was.
    ///   - followUp: when the run itself is to be looked at, where only its batch was.
    package func surveyed(
        _ run: RunRow,
        _ result: SurveyResult,
        mark: String?,
        followUp: Date? = nil,
        now: Date
    ) throws {
        let wait = SurveySchedule.wait(after: result, isRun: true, attempts: run.surveyAttempts)
        try database.write { database in
            try database.execute(
                cached: """
                    UPDATE run SET surveyedAt = COALESCE(?, surveyedAt), surveyDueAt = ?, surveyMark = ?,
                        inspection = COALESCE(?, inspection), trouble = ?, uuid = ?, batchID = ?, workflowID = ?,
                        workflowType = ?, ownerID = ?, versionName = ?, surveyAttempts = ? WHERE key = ?
                    """,
                arguments: [
                    result.isDecided ? now.milliseconds : nil,
                    (followUp ?? wait.map { now + $0.seconds })?.milliseconds, result.isDecided ? mark : nil,
                    result.inspection, result.trouble?.message, run.uuid, run.batchID, run.workflowID,
                    run.workflowType, run.ownerID, run.versionName, wait == nil ? 0 : run.surveyAttempts + 1, run.key,
                ]
            )
            // It may have ended while it was looked at.
            let isOver = try Bool.fetchOne(
                database,
                cached: "SELECT endedAt IS NOT NULL FROM run WHERE key = ?",
                arguments: [run.key]
            )
            guard isOver == true else { return try Self.noteRun(run.key, in: database, now: now) }
            try database.execute(cached: "UPDATE run SET surveyDueAt = NULL WHERE key = ?", arguments: [run.key])
            try Self.endDemands(of: .run(key: run.key), in: database, now: now)
        }
    }

    /// Runs of one batch that are not worked out at all yet.
    package func unsurveyedRuns(batchID: String) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll(
                $0,
                cached: "SELECT * FROM run WHERE batchID = ? AND surveyedAt IS NULL AND endedAt IS NULL",
                arguments: [batchID]
            )
        }
    }

    package func hasLiveRuns() throws -> Bool {
        try database.read {
            try Bool.fetchOne($0, cached: "SELECT EXISTS (SELECT 1 FROM run WHERE endedAt IS NULL)") ?? false
        }
    }

    /// Live runs with their keys, for the sets that lists are compared with.
    package func liveRunKeys() throws -> Set<String> {
        try database.read { try String.fetchSet($0, cached: "SELECT key FROM run WHERE endedAt IS NULL") }
    }

    package func run(key: String) throws -> RunRow? {
        try database.read { try RunRow.fetchOne($0, cached: "SELECT * FROM run WHERE key = ?", arguments: [key]) }
    }

    /// Other batches of which live runs are not worked out at all yet, in order of their ids.
    package func unsurveyedBatches(besides batches: Set<String>, now: Date) throws -> [String] {
        try database.read {
            try String.fetchSet(
                $0,
                cached: """
                    SELECT DISTINCT batchID FROM run WHERE batchID IS NOT NULL AND surveyedAt IS NULL
                    AND endedAt IS NULL AND surveyDueAt <= ?
                    """,
                arguments: [now.milliseconds]
            ).subtracting(batches).sorted()
        }
    }

    /// Runs by id, newest first (ids are used again).
    package func runs(id: String) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll($0, cached: "SELECT * FROM run WHERE id = ? ORDER BY createdAt DESC", arguments: [id])
        }
    }
}
