import Foundation
import GRDB
import Model

extension Ledger {
    /// Takes over from another record what a plan depends on besides the services: what is known of hosts and their quotas,
    /// of places and digests, and the images that were learned from runs. Nothing of what is wanted else.
    ///
    /// - Throws: `LedgerError` where that record cannot be read.
    package func learn(from reader: RecordReader) throws {
        for (table, condition) in Self.knowledge {
            let rows = try reader.read { try Row.fetchAll($0, sql: "SELECT * FROM \(table) WHERE \(condition)") }
            try database.write { database in
                // A record of before may lack columns.
                let known = Set(try database.columns(in: table).map(\.name))
                for row in rows {
                    let columns = row.columnNames.filter(known.contains)
                    let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
                    let values: [any DatabaseValueConvertible] = columns.map { row[$0] as DatabaseValue }
                    try database.execute(
                        sql: """
                            INSERT OR IGNORE INTO \(table) (\(names))
                            VALUES (\(databaseQuestionMarks(count: columns.count)))
                            """,
                        arguments: StatementArguments(values)
                    )
                }
            }
        }
        try database.write {
            // Planned anew, whatever became of them there.
            try $0.execute(
                sql: """
                    UPDATE image SET state = 'pending', dueAt = 0, reason = NULL, mend = NULL, failureClass = NULL,
                        urgency = 2
                    """
            )
        }
    }

    /// Tables in the order in which they refer to each other.
    private static let knowledge = [
        ("host", "1"), ("pull", "1"), ("ruleUse", "1"), ("bytesMoved", "1"),
        ("image", "destination <> '' AND COALESCE(failureClass, '') <> 'unmapped'"),
        ("digest", "isReplaced = 0"),
        (
            "demand",
            """
            kind = 'learned' AND endedAt IS NULL AND certainty <> 'inactive' AND imageID IN
                (SELECT id FROM image WHERE destination <> '' AND COALESCE(failureClass, '') <> 'unmapped')
            """
        ),
    ]

    /// Leaves only what was learned of one workflow; nil: of all.
    package func endLearned(besides workflow: String?) throws {
        guard let workflow else { return }
        try database.write {
            try $0.execute(
                sql: """
                    UPDATE demand SET endedAt = 0
                    WHERE kind = 'learned' AND subject <> ? AND substr(subject, 1, length(?) + 1) <> ? || '/'
                    """,
                arguments: [workflow, workflow, workflow]
            )
        }
    }
}
