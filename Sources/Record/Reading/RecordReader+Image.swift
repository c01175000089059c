package import Foundation
import GRDB
package import Model

/// What the record knows of one image and its place.
package struct KnownImage: Sendable {
    package var row: ImageRecord
    /// Who wants it now: `run 123`, `version 9/v2`.
    package var wantedBy: [String]
    /// The last attempts, newest first.
    package var attempts: [PastAttempt]
}

/// One attempt that ended.
package struct PastAttempt: Codable, Sendable, Hashable {
    package var endedAt: Date
    package var route: String
    package var result: String
    package var failureClass: String?
    package var message: String?
}

extension RecordReader {
    /// Every row of these names, by source or by place.
    ///
    /// - Parameter attempts: how many of the last attempts are read of each.
    package func images(named names: [String], attempts: Int = 5) throws -> [KnownImage] {
        try read { database in
            let marks = databaseQuestionMarks(count: names.count)
            let rows = try ImageRecord.fetchAll(
                database,
                sql: "SELECT * FROM image WHERE source IN (\(marks)) OR destination IN (\(marks)) ORDER BY id",
                arguments: StatementArguments(names + names)
            )
            return try rows.map { row in
                let subjects = try String.fetchAll(
                    database,
                    sql: """
                        SELECT kind || ' ' || CASE kind WHEN 'run' THEN substr(subject, 1, instr(subject, '@') - 1)
                            ELSE subject END FROM demand WHERE imageID = ? AND endedAt IS NULL ORDER BY 1
                        """,
                    arguments: [row.id]
                )
                let past = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT endedAt, route, result, failureClass, message FROM attempt WHERE imageID = ?
                        ORDER BY id DESC LIMIT ?
                        """,
                    arguments: [row.id, attempts]
                )
                return KnownImage(
                    row: row,
                    wantedBy: subjects,
                    attempts: past.map { attempt in
                        PastAttempt(
                            endedAt: Date(milliseconds: attempt["endedAt"]),
                            route: attempt["route"],
                            result: attempt["result"],
                            failureClass: attempt["failureClass"],
                            message: attempt["message"]
                        )
                    }
                )
            }
        }
    }

    /// The registries of images that somebody wants now, sorted.
    package func wantedRegistries() throws -> [String] {
        try read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT registry FROM image WHERE registry <> '' AND EXISTS
                        (SELECT 1 FROM demand WHERE demand.imageID = image.id AND demand.endedAt IS NULL) ORDER BY 1
                    """
            )
        }
    }
}
