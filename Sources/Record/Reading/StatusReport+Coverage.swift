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
        for row in rows { coverage.add(row) }
        return coverage
    }
}

extension StatusReport.Coverage {
    /// Counts a run that was compared: a row of `coverage`.
    mutating func add(_ row: Row) {
        let names = JSONColumn.strings(row["missed"])
        let used: Int = row["used"]
        runs += 1
        self.used += used
        foretold += max(0, used - names.count)
        missed = Set(missed).union(names).sorted()
        comparedAt = max(comparedAt ?? .distantPast, Date(milliseconds: row["at"]))
    }
}
