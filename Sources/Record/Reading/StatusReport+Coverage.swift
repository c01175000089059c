import Foundation
import GRDB
import Model

extension StatusQuery {
    /// - Parameter text: `9` for all versions of a workflow, `9/v2` for one.
    func coverage(workflow text: String) throws -> StatusReport.Coverage {
        let id = String(text.prefix { $0 != "/" })
        let version = id == text ? nil : String(text.dropFirst(id.count + 1))
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT used, missed, at FROM coverage WHERE workflowID = :id AND (:version IS NULL OR versionName = :version)
                """,
            arguments: ["id": id, "version": version]
        )
        var coverage = StatusReport.Coverage()
        var missed: Set<String> = []
        for row in rows {
            let names = JSONColumn.strings(row["missed"])
            let used: Int = row["used"]
            coverage.runs += 1
            coverage.used += used
            coverage.foretold += max(0, used - names.count)
            missed.formUnion(names)
            coverage.comparedAt = max(coverage.comparedAt ?? .distantPast, Date(milliseconds: row["at"]))
        }
        coverage.missed = missed.sorted()
        return coverage
    }
}
