package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Asks for an image; whoever works on the record takes the row.
    package func request(
        _ image: String,
        options: CloneOptions,
        userID: Int64,
        userName: String,
        now: Date
    ) throws -> Int64 {
        let text = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        return try database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO request (image, options, userID, userName, createdAt, state)
                    VALUES (?, ?, ?, ?, ?, 'new')
                    """,
                arguments: [image, text, userID, userName, now.milliseconds]
            )
            return database.lastInsertedRowID
        }
    }

    package func request(id: Int64) throws -> CloneRequestRow? {
        try database.read {
            try CloneRequestRow.fetchOne($0, sql: "SELECT * FROM request WHERE id = ?", arguments: [id])
        }
    }

    /// Requests that are not done, oldest first.
    package func openRequests() throws -> [CloneRequestRow] {
        try database.read {
            try CloneRequestRow.fetchAll($0, cached: "SELECT * FROM request WHERE state <> 'done' ORDER BY id LIMIT 500")
        }
    }

    package func taken(_ request: Int64, imageID: Int64) throws {
        try database.write {
            try $0.execute(
                sql: "UPDATE request SET state = 'taken', imageID = ? WHERE id = ? AND state = 'new'",
                arguments: [imageID, request]
            )
        }
    }

    package func done(_ request: Int64, result: CloneResult, now: Date) throws {
        let text = try result.json
        try database.write {
            try $0.execute(
                sql: "UPDATE request SET state = 'done', result = ?, endedAt = ? WHERE id = ?",
                arguments: [text, now.milliseconds, request]
            )
        }
    }

    /// Whether a repository was made for a destination since a moment.
    func madeRepository(for destination: String, since: Milliseconds) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM auditEntry WHERE destination = ? AND action = 'repositoryCreated'
                        AND at >= ?)
                    """,
                arguments: [destination, since]
            ) ?? false
        }
    }

    private func attempts(of image: Int64, since: Milliseconds) throws -> Int {
        try database.read {
            try Int.fetchOne(
                $0,
                sql: "SELECT count(*) FROM attempt WHERE imageID = ? AND startedAt >= ?",
                arguments: [image, since]
            ) ?? 0
        }
    }

    /// What became of an image since it was asked for.
    package func result(of image: ImageRecord, requested: CloneRequestRow, now: Date) throws -> CloneResult {
        CloneResult(
            image,
            asked: requested.image,
            repositoryCreated: try madeRepository(for: image.destination, since: requested.createdAt),
            attempts: try attempts(of: image.id, since: requested.createdAt),
            elapsed: now.milliseconds - requested.createdAt
        )
    }
}
