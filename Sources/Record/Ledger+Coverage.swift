package import Foundation
import GRDB
package import Model

extension Ledger {
    /// How many finished runs of one definition and set of parameters are compared with what was foretold for them.
    package static let comparedRuns = 3

    /// Finished runs whose tasks were not compared with what was foretold, of the first three for each workflow version,
    /// definition digest and set of image-relevant parameters (an inspection stands for the two last).
    package func runsToLearn(limit: Int) throws -> [RunRow] {
        try database.read {
            try RunRow.fetchAll(
                $0,
                cached: """
                    SELECT * FROM run WHERE endedAt IS NOT NULL AND learnedAt IS NULL AND surveyedAt IS NOT NULL
                    AND status NOT IN ('DELETED', 'CANCELLED') AND COALESCE(workflowType, '') <> 'READY2RUN'
                    AND (SELECT COUNT(*) FROM coverage WHERE coverage.inspection IS run.inspection
                        AND coverage.workflowID = run.workflowID AND coverage.versionName = run.versionName) < ?
                    ORDER BY endedAt, key LIMIT ?
                    """,
                arguments: [Self.comparedRuns, limit]
            )
        }
    }

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

    /// The images that finished runs of a version used and the definition did not foretell.
    package func learnedSources(workflowID: String, name: String) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT DISTINCT mention FROM demand WHERE kind = 'learned' AND subject = ? AND endedAt IS NULL
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
    package func learned(
        _ run: RunRow,
        foretold: Int,
        used: Int,
        missed: [String],
        counts: Bool,
        now: Date
    ) throws {
        try database.write { database in
            try database.execute(
                sql: "UPDATE run SET learnedAt = ? WHERE key = ?",
                arguments: [now.milliseconds, run.key]
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
