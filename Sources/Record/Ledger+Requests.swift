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

    /// Requests that nobody has looked at, oldest first.
    package func newRequests() throws -> [CloneRequestRow] {
        try database.read {
            try CloneRequestRow.fetchAll($0, sql: "SELECT * FROM request WHERE state = 'new' ORDER BY id LIMIT 500")
        }
    }

    /// Requests that can be answered: an attempt that began after the question has ended, or its success came after it.
    package func answerableRequests() throws -> [CloneRequestRow] {
        try database.read {
            try CloneRequestRow.fetchAll(
                $0,
                sql: """
                    SELECT request.* FROM request JOIN image ON image.id = request.imageID
                    WHERE request.state = 'taken' AND image.state <> 'cloning'
                    AND (image.generation >= request.generation
                        OR image.state = 'ready' AND image.attemptedAt >= request.createdAt)
                    ORDER BY request.id LIMIT 500
                    """
            )
        }
    }

    /// Whether a request waits for its answer.
    package func hasOpenRequests() throws -> Bool {
        try database.read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM request WHERE state IN ('new', 'taken'))") ?? false
        }
    }

    /// The images that open requests wait for.
    package func requestedImages() throws -> Set<Int64> {
        try database.read {
            try Int64.fetchSet($0, sql: "SELECT imageID FROM request WHERE state = 'taken' AND imageID IS NOT NULL")
        }
    }

    /// A request is taken up: the image is wanted and asked for, in one transaction, and the answer will be of an attempt
    /// that begins after this.
    package func take(_ request: Int64, wanting demand: PlannedDemand, now: Date) throws {
        guard let id = try want(.clone(request: String(request)), [demand], now: now).first else { return }
        try database.write { database in
            guard let standing = try Self.tell(.asked, of: id, in: database, now: now) else { return }
            try database.execute(
                sql: "UPDATE request SET state = 'taken', imageID = ?, generation = ? WHERE id = ? AND state = 'new'",
                arguments: [id, standing.askedGeneration, request]
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
