package import Foundation
import GRDB
package import Model

extension Ledger {
    /// How many finished runs of one definition and set of parameters are compared with what was foretold for them.
    package static let comparedRuns = 3

    /// The next finished run whose tasks are compared with what was foretold for them: of the first three for each workflow
    /// version, definition digest and set of image-relevant parameters (an inspection stands for the two last). Those that
    /// it passes over are not looked at again.
    ///
    /// - Parameter most: how many runs are looked at, so that nobody waits for it.
    /// - Returns: the run, and whether there may be more of them.
    package func nextToLearn(most: Int = 200, now: Date) throws -> (run: RunRow?, isMore: Bool) {
        try database.write { database in
            let runs = try RunRow.fetchAll(database, sql: Self.runsToLearn, arguments: [most])
            let count = try database.cachedStatement(sql: Self.comparedOfSet)
            let pass = try database.cachedStatement(sql: "UPDATE run SET learnedAt = ? WHERE key = ?")
            for run in runs {
                let isTold = !["DELETED", "CANCELLED"].contains(run.status) && run.workflowType != "READY2RUN"
                let arguments: StatementArguments = [run.workflowID ?? "", run.versionName, run.inspection]
                if isTold, try Int.fetchOne(count, arguments: arguments) ?? 0 < Self.comparedRuns { return (run, true) }
                try pass.execute(arguments: [now.milliseconds, run.key])
            }
            return (nil, runs.count == most)
        }
    }

    static let runsToLearn = """
        SELECT * FROM run INDEXED BY runToLearn WHERE endedAt IS NOT NULL AND learnedAt IS NULL AND surveyedAt IS NOT NULL
        ORDER BY endedAt, key LIMIT ?
        """

    static let comparedOfSet = """
        SELECT COUNT(*) FROM coverage WHERE workflowID = ? AND versionName = ? AND inspection IS ?
        """

    /// What was foretold for a run, also after it ended.
    package func foretoldImages(runKey: String) throws -> ForetoldImages {
        try database.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT source, destination, mention FROM demand JOIN image ON image.id = demand.imageID
                    WHERE kind = 'run' AND subject = ?
                    """,
                arguments: [runKey]
            )
            return ForetoldImages(rows.map { [$0["source"], $0["destination"], $0["mention"]] })
        }
    }

    /// The images that finished runs of a version used and the definition did not foretell; also of one for which nothing
    /// is cloned ahead now.
    package func learnedSources(workflowID: String, name: String) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT DISTINCT mention FROM demand WHERE kind = 'learned' AND subject = ?
                    ORDER BY mention
                    """,
                arguments: [DemandSubject.learned(workflowID: workflowID, name: name).text]
            )
        }
    }

    /// A finished run was compared with what was foretold for it.
    ///
    /// - Parameters:
    ///   - used: how many images its tasks used, of those that were looked at.
    ///   - missed: the images among them that were not foretold.
    ///   - counts: whether there was anything to compare; else the run is only not looked at again.
    ///   - firstTaskAt: when the first of its tasks began; nil where that is not known.
    package func learned(
        _ run: RunRow,
        foretold: Int,
        used: Int,
        missed: [String],
        counts: Bool,
        firstTaskAt: Date? = nil,
        now: Date
    ) throws {
        try database.write { database in
            try database.execute(
                sql: "UPDATE run SET learnedAt = ?, firstTaskAt = ? WHERE key = ?",
                arguments: [now.milliseconds, firstTaskAt?.milliseconds, run.key]
            )
            guard counts else { return }
            try database.execute(
                sql: """
                    INSERT INTO coverage (workflowID, versionName, inspection, runKey, predicted, used, missed, at)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    run.workflowID ?? "", run.versionName, run.inspection, run.key, foretold, used,
                    JSONColumn.array(missed), now.milliseconds,
                ]
            )
        }
    }
}
