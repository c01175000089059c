package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Asks for images, one row each, all or none; whoever works on the record takes the rows.
    ///
    /// - Parameter key: of the asker's own making, for this question alone: asked again with it, since no answer came, it
    ///   is the same question. Nil: each time a new one.
    /// - Returns: the rows' ids, in the images' order.
    package func request(
        _ images: [String],
        options: CloneOptions,
        caller: Caller,
        key: String? = nil,
        now: Date
    ) throws -> [Int64] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(options), as: UTF8.self)
        // A password that was pasted with a name is kept by nobody.
        let images = images.map(ImageReference.withoutCredentials)
        return try database.write { database in
            if let key {
                let asked = try Row.fetchAll(
                    database,
                    cached: "SELECT id, image, options FROM request WHERE userID = ? AND key = ? ORDER BY id",
                    arguments: [caller.userID, key]
                )
                if !asked.isEmpty {
                    guard asked.map({ $0["image"] as String }) == images,
                        asked.allSatisfy({ $0["options"] == text })
                    else { throw LedgerError("key \(key) was used for another request; take a new key for each") }
                    return asked.map { $0["id"] }
                }
            }
            return try images.map { image in
                try database.execute(
                    cached: """
                        INSERT INTO request (image, options, userID, userName, agent, key, createdAt, state)
                        VALUES (?, ?, ?, ?, ?, ?, ?, 'new')
                        """,
                    arguments: [
                        image, text, caller.userID, caller.userName, caller.agent, key, now.milliseconds,
                    ]
                )
                let id = database.lastInsertedRowID
                var entry = AuditEntry(.requested, by: caller, detail: "request \(id)", at: now)
                entry.source =
                    (try? ImageReference(image))?.description ?? PrintableText.stripped(String(image.prefix(300)))
                entry.destination = options.destination
                try Self.insert(entry, in: database)
                return id
            }
        }
    }

    package func request(id: Int64) throws -> CloneRequestRow? {
        try database.read {
            try CloneRequestRow.fetchOne($0, cached: "SELECT * FROM request WHERE id = ?", arguments: [id])
        }
    }

    /// Requests that nobody has looked at, oldest first.
    package func newRequests() throws -> [CloneRequestRow] {
        try database.read {
            try CloneRequestRow.fetchAll($0, cached: "SELECT * FROM request WHERE state = 'new' ORDER BY id LIMIT 500")
        }
    }

    /// Requests that can be answered: an attempt that began after the question has ended, or its success came after it.
    package func answerableRequests() throws -> [CloneRequestRow] {
        try database.read {
            try CloneRequestRow.fetchAll(
                $0,
                cached: """
                    SELECT request.* FROM request JOIN image ON image.id = request.imageID
                    WHERE request.state = 'taken' AND image.state <> 'cloning'
                    AND (image.generation >= request.generation
                        OR image.state = 'ready' AND image.attemptedAt >= request.createdAt)
                    ORDER BY request.id LIMIT 500
                    """
            )
        }
    }

    /// The images that open requests wait for.
    package func requestedImages() throws -> Set<Int64> {
        try database.read {
            try Int64.fetchSet($0, cached: "SELECT imageID FROM request WHERE state = 'taken' AND imageID IS NOT NULL")
        }
    }

    /// A request is taken up: the image is wanted and asked for, in one transaction, and the answer will be of an attempt
    /// that begins after this.
    package func take(_ request: Int64, wanting demand: PlannedDemand, now: Date) throws {
        guard let id = try want(.clone(request: String(request)), [demand], now: now).first else { return }
        try database.write { database in
            guard let standing = try Self.tell(.asked, of: id, in: database, now: now) else { return }
            try database.execute(
                cached:
                    "UPDATE request SET state = 'taken', imageID = ?, generation = ? WHERE id = ? AND state = 'new'",
                arguments: [id, standing.askedGeneration, request]
            )
        }
    }

    /// A request has its answer.
    ///
    /// - Parameter endsDemand: whoever asked wants the image no longer: in the same transaction, or a process that is killed
    ///   between the two leaves it wanted for good.
    package func done(_ request: Int64, result: CloneResult, endsDemand: Bool = false, now: Date) throws {
        let text = try result.json
        try database.write { database in
            try database.execute(
                cached: "UPDATE request SET state = 'done', result = ?, endedAt = ? WHERE id = ?",
                arguments: [text, now.milliseconds, request]
            )
            if endsDemand { try Self.endDemands(of: .clone(request: String(request)), in: database, now: now) }
        }
    }

    /// What became of an image since it was asked for.
    package func result(of image: ImageRecord, requested: CloneRequestRow, now: Date) throws -> CloneResult {
        try database.read { try Self.result(of: image, requested: requested, in: $0, now: now) }
    }

    static func result(
        of image: ImageRecord,
        requested: CloneRequestRow,
        in database: Database,
        now: Date
    ) throws -> CloneResult {
        let madeRepository = try Bool.fetchOne(
            database,
            cached: """
                SELECT EXISTS (SELECT 1 FROM auditEntry WHERE destination = ? AND action = 'repositoryCreated'
                    AND at >= ?)
                """,
            arguments: [image.destination, requested.createdAt]
        )
        let attempts = try Int.fetchOne(
            database,
            cached: "SELECT count(*) FROM attempt WHERE imageID = ? AND startedAt >= ?",
            arguments: [image.id, requested.createdAt]
        )
        return CloneResult(
            image,
            asked: requested.image,
            repositoryCreated: madeRepository ?? false,
            attempts: attempts ?? 0,
            elapsed: now.milliseconds - requested.createdAt
        )
    }
}

extension RecordReader {
    /// A request, for whoever waits for its answer and may not write.
    package func request(id: Int64) throws -> CloneRequestRow? {
        try read { try CloneRequestRow.fetchOne($0, cached: "SELECT * FROM request WHERE id = ?", arguments: [id]) }
    }

    /// How a request stands: its answer, or what its image's row says meanwhile; nil where there is no such request.
    package func standing(ofRequest id: Int64, now: Date) throws -> CloneResult? {
        try read { database in
            let found = try CloneRequestRow.fetchOne(
                database,
                cached: "SELECT * FROM request WHERE id = ?",
                arguments: [id]
            )
            guard let found else { return nil }
            if let result = found.result { return try CloneResult(json: result) }
            guard let imageID = found.imageID,
                let image = try ImageRecord.fetchOne(
                    database,
                    cached: "SELECT * FROM image WHERE id = ?",
                    arguments: [imageID]
                )
            else { return CloneResult(waiting: found.image, elapsed: now.milliseconds - found.createdAt) }
            var result = try Ledger.result(of: image, requested: found, in: database, now: now)
            // What it was before it was asked for is no answer: that is looked at again.
            result.success = false
            if result.state == .ready { result.state = .pending }
            return result
        }
    }

    /// Whether a request waits for its answer.
    package func hasOpenRequests() throws -> Bool {
        try read {
            try Bool.fetchOne($0, cached: "SELECT EXISTS (SELECT 1 FROM request WHERE state IN ('new', 'taken'))")
                ?? false
        }
    }

    /// How far an image is.
    package func progress(of image: Int64) throws -> ImageProgress? {
        try read { try ImageProgress.fetch(image, from: $0) }
    }
}
