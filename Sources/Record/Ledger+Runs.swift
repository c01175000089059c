package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Notes runs that a list showed. New live ones are due for their survey at once.
    ///
    /// - Parameter byPoll: a poll showed them, not an event; for the judgement whether events arrive.
    /// - Returns: how many were not known.
    @discardableResult
    package func saw(_ sightings: [RunSighting], byPoll: Bool = false, now: Date) throws -> Int {
        let at = now.milliseconds
        return try database.write { database in
            var new = 0
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
                        sql: """
                            UPDATE run SET status = ?, seenAt = ?,
                                endedAt = CASE WHEN ? THEN NULL ELSE COALESCE(endedAt, ?) END WHERE key = ?
                            """,
                        arguments: [run.status, at, run.isLive, at, run.key]
                    )
                    if !run.isLive { try Self.endDemands(ofRun: run.key, in: database, at: at) }
                    continue
                }
                new += 1
                try database.execute(
                    sql: """
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
                        sql: "UPDATE workflow SET lastRunAt = MAX(COALESCE(lastRunAt, 0), ?) WHERE id = ?",
                        arguments: [run.created?.milliseconds ?? at, workflowID]
                    )
                }
            }
            return new
        }
    }

    /// Live runs that the last full list of live runs did not show: they are over.
    ///
    /// - Returns: the rows, whose demands the caller ends.
    package func endRuns(notIn liveKeys: Set<String>, seenBefore: Date, now: Date) throws -> [RunRow] {
        try database.write { database in
            let rows = try RunRow.fetchAll(
                database,
                cached: "SELECT * FROM run WHERE endedAt IS NULL AND seenAt < ?",
                arguments: [seenBefore.milliseconds]
            ).filter { !liveKeys.contains($0.key) }
            for row in rows {
                try database.execute(
                    sql: """
                        UPDATE run SET endedAt = ?, surveyDueAt = NULL,
                            status = CASE WHEN status IN ('PENDING', 'STARTING', 'RUNNING') THEN 'ENDED' ELSE status END
                        WHERE key = ?
                        """,
                    arguments: [now.milliseconds, row.key]
                )
                try Self.endDemands(ofRun: row.key, in: database, at: now.milliseconds)
            }
            return rows
        }
    }

    private static func endDemands(ofRun key: String, in database: Database, at: Milliseconds) throws {
        for table in ["demand", "unresolved"] {
            try database.execute(
                sql: "UPDATE \(table) SET endedAt = ? WHERE kind = 'run' AND subject = ? AND endedAt IS NULL",
                arguments: [at, key]
            )
        }
    }

    /// Live runs whose images are not worked out yet and whose turn it is, oldest first.
    package func runsToSurvey(limit: Int, now: Date) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll(
                $0,
                cached: """
                    SELECT * FROM run WHERE endedAt IS NULL AND surveyDueAt IS NOT NULL AND surveyDueAt <= ?
                    ORDER BY surveyDueAt, createdAt LIMIT ?
                    """,
                arguments: [now.milliseconds, limit]
            )
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

    /// A run's images are worked out.
    ///
    /// - Parameter followUp: when the run itself is to be looked at, where only its batch was.
    package func surveyed(
        _ run: RunRow,
        inspection: Int64?,
        trouble: String?,
        followUp: Date? = nil,
        now: Date
    ) throws {
        try database.write {
            try $0.execute(
                sql: """
                    UPDATE run SET surveyedAt = ?, surveyDueAt = ?, inspection = ?, trouble = ?, uuid = ?, batchID = ?,
                        workflowID = ?, workflowType = ?, ownerID = ?, versionName = ?, surveyAttempts = 0 WHERE key = ?
                    """,
                arguments: [
                    now.milliseconds, followUp?.milliseconds, inspection, trouble, run.uuid, run.batchID,
                    run.workflowID, run.workflowType, run.ownerID, run.versionName, run.key,
                ]
            )
        }
    }

    /// Runs of one batch that are not worked out at all yet.
    package func unsurveyedRuns(batchID: String) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll(
                $0,
                sql: "SELECT * FROM run WHERE batchID = ? AND surveyedAt IS NULL AND endedAt IS NULL",
                arguments: [batchID]
            )
        }
    }

    /// A run's images could not be worked out; tried again at `due`.
    package func surveyFailed(_ run: RunRow, trouble: String, due: Date?) throws {
        try database.write {
            try $0.execute(
                sql: "UPDATE run SET trouble = ?, surveyDueAt = ?, surveyAttempts = surveyAttempts + 1 WHERE key = ?",
                arguments: [trouble, due?.milliseconds, run.key]
            )
        }
    }

    /// Live runs with their keys, for the sets that lists are compared with.
    package func liveRunKeys() throws -> Set<String> {
        try database.read { try String.fetchSet($0, sql: "SELECT key FROM run WHERE endedAt IS NULL") }
    }

    package func run(key: String) throws -> RunRow? {
        try database.read { try RunRow.fetchOne($0, sql: "SELECT * FROM run WHERE key = ?", arguments: [key]) }
    }

    /// Other batches of which live runs are not worked out at all yet, in order of their ids.
    package func unsurveyedBatches(besides batches: Set<String>) throws -> [String] {
        try database.read {
            try String.fetchSet(
                $0,
                cached: """
                    SELECT DISTINCT batchID FROM run WHERE batchID IS NOT NULL AND surveyedAt IS NULL
                    AND endedAt IS NULL AND surveyDueAt IS NOT NULL AND surveyAttempts = 0
                    """
            ).subtracting(batches).sorted()
        }
    }

    /// Runs by id, newest first (ids are used again).
    package func runs(id: String) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll($0, sql: "SELECT * FROM run WHERE id = ? ORDER BY createdAt DESC", arguments: [id])
        }
    }
}
