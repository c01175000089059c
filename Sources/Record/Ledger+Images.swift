package import Foundation
import GRDB
package import Model

extension Ledger {
    /// The most urgent image that is due and that may be taken, marked `cloning`; nil when there is none.
    package func takeDue(
        now: Date,
        upTo urgency: Urgency = .refresh,
        mayTake: (ImageRecord) -> Bool = { _ in true }
    ) throws -> ImageRecord? {
        try database.write { database in
            // One urgency after the other, so that only those are sorted that are due at that one.
            for level in 0...urgency.rawValue {
                let ids = try Int64.fetchCursor(
                    database,
                    cached: Self.dueImages,
                    arguments: [level, now.milliseconds]
                )
                while let id = try ids.next() {
                    guard
                        let row = try ImageRecord.fetchOne(
                            database,
                            cached: "SELECT * FROM image WHERE id = ?",
                            arguments: [id]
                        ), mayTake(row)
                    else { continue }
                    try Self.tell(.taken, of: row.id, in: database, now: now)
                    return row
                }
            }
            return nil
        }
    }

    /// The due images of one urgency, by the index `imageToTake`: those that are sure and used first, the small before the
    /// large (where ECR's or a former attempt's size is known), and those that wait longest.
    package static let dueImages = """
        SELECT id FROM image INDEXED BY imageToTake
        WHERE state <> 'cloning' AND dueAt IS NOT NULL AND urgency = ? AND dueAt <= ?
        ORDER BY needOrder, COALESCE(bytes, 0), dueAt, id
        """

    /// When the next image falls due that is not due yet.
    package func nextDue(after now: Date) throws -> Date? {
        try database.read { database in
            try Milliseconds.fetchOne(
                database,
                cached: """
                    SELECT MIN(dueAt) FROM image WHERE state <> 'cloning' AND dueAt > ?
                    """,
                arguments: [now.milliseconds]
            ).map(Date.init(milliseconds:))
        }
    }

    /// The image of a row id.
    package func image(id: Int64) throws -> ImageRecord? {
        try database.read { try ImageRecord.fetchOne($0, cached: "SELECT * FROM image WHERE id = ?", arguments: [id]) }
    }

    /// Every image; for records made for one plan.
    package func allImages() throws -> [ImageRecord] {
        try database.read { try ImageRecord.fetchAll($0, cached: "SELECT * FROM image ORDER BY id") }
    }

    /// Who wants an image now.
    package func subjects(imageID: Int64) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                cached: """
                    SELECT kind || ' ' || CASE kind WHEN 'run' THEN substr(subject, 1, instr(subject, '@') - 1)
                        ELSE subject END FROM demand WHERE imageID = ? AND endedAt IS NULL ORDER BY 1
                    """,
                arguments: [imageID]
            )
        }
    }

    /// Every row of one source reference.
    package func images(source: String) throws -> [ImageRecord] {
        try database.read {
            try ImageRecord.fetchAll(
                $0,
                cached: "SELECT * FROM image WHERE source = ? ORDER BY id",
                arguments: [source]
            )
        }
    }

    /// Ends an attempt: the image's new standing, what was found, its attempt row, the bytes of the day.
    ///
    /// - Returns: where the image stands now.
    @discardableResult
    package func finish(
        _ imageID: Int64,
        _ end: AttemptEnd,
        found: AttemptFindings,
        attempt: AttemptRow?,
        moment: AttemptMoment
    ) throws -> ImageStanding? {
        try database.write { database in
            let at = moment.now.milliseconds
            try database.execute(
                cached: """
                    UPDATE image SET route = COALESCE(:route, route), routeDetail = :routeDetail,
                        rule = COALESCE(:rule, rule),
                        sourceDigest = CASE WHEN :forgets THEN :sourceDigest
                            ELSE COALESCE(:sourceDigest, sourceDigest) END, ecrDigest = COALESCE(:ecrDigest, ecrDigest),
                        platformDigest = COALESCE(:platformDigest, platformDigest), bytes = COALESCE(:bytes, bytes),
                        access = COALESCE(:access, access),
                        upstreamSeenAt = CASE WHEN COALESCE(:sourceDigest, :moved) IS NOT NULL THEN :at
                            ELSE upstreamSeenAt END
                    WHERE id = :id
                    """,
                arguments: [
                    "id": imageID, "route": found.route, "routeDetail": found.routeDetail, "rule": found.rule,
                    "sourceDigest": found.sourceDigest, "forgets": found.forgetsSource, "moved": found.movedDigest,
                    "ecrDigest": found.ecrDigest, "platformDigest": found.platformDigest, "bytes": found.bytes,
                    "access": found.access?.rawValue, "at": at,
                ]
            )
            let standing = try Self.tell(
                .ended(end, mark: moment.markAtStart),
                of: imageID,
                in: database,
                now: moment.now,
                random: moment.random,
                schedule: moment.schedule,
                mark: moment.mark
            )
            if standing?.state == .ready, found.sourceDigest ?? found.movedDigest != nil {
                let event = found.movedDigest.map { ImageEvent.tagMoved(to: $0, follows: false) } ?? .tagUnmoved
                try Self.tell(event, of: imageID, in: database, now: moment.now)
            }
            try database.execute(cached: "DELETE FROM progress WHERE imageID = ?", arguments: [imageID])
            guard let attempt else { return standing }
            try database.execute(
                cached: """
                    INSERT INTO attempt (imageID, startedAt, endedAt, route, result, failureClass, message, host, status,
                        requestID, bytes, sourceDigest, ecrDigest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    imageID, attempt.started.milliseconds, at, attempt.route, attempt.result,
                    attempt.failureClass?.rawValue, attempt.message, attempt.host, attempt.status, attempt.requestID,
                    attempt.bytesMoved, attempt.sourceDigest, attempt.ecrDigest,
                ]
            )
            if attempt.bytesMoved > 0 {
                try database.execute(
                    cached: """
                        INSERT INTO bytesMoved (day, bytes) VALUES (strftime('%Y-%m-%d', ? / 1000.0, 'unixepoch'), ?)
                        ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes
                        """,
                    arguments: [at, attempt.bytesMoved]
                )
            }
            return standing
        }
    }

    /// Bytes moved since UTC midnight, for `clone.maxBytesPerDay`.
    package func bytesMovedToday(now: Date) throws -> Int64 {
        try database.read { database in
            try Int64.fetchOne(
                database,
                cached: "SELECT bytes FROM bytesMoved WHERE day = strftime('%Y-%m-%d', ? / 1000.0, 'unixepoch')",
                arguments: [now.milliseconds]
            ) ?? 0
        }
    }

    /// A look that found everything as it should be.
    package func verified(_ imageID: Int64, access: HealthOmicsAccess, now: Date) throws {
        try database.write { database in
            try database.execute(
                cached: "UPDATE image SET access = ? WHERE id = ?",
                arguments: [access.rawValue, imageID]
            )
            try Self.tell(.found, of: imageID, in: database, now: now)
        }
    }

    /// The progress of a running clone, for `status`. Written at most every second or two by the caller.
    package func progress(
        _ imageID: Int64,
        done: Int64,
        total: Int64?,
        bytesPerSecond: Int64?,
        started: Date,
        now: Date
    ) throws {
        try database.write { database in
            try database.execute(
                cached: """
                    INSERT INTO progress (imageID, startedAt, updatedAt, bytesDone, bytesTotal, bytesPerSecond)
                    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (imageID) DO UPDATE SET updatedAt = excluded.updatedAt,
                        bytesDone = excluded.bytesDone, bytesTotal = excluded.bytesTotal,
                        bytesPerSecond = excluded.bytesPerSecond
                    """,
                arguments: [imageID, started.milliseconds, now.milliseconds, done, total, bytesPerSecond]
            )
        }
    }

    /// Notes that a tag points to a digest at a place. A new row only when the digest differs from the last one there,
    /// so that the history grows with what happened and not with how often we looked.
    ///
    /// - Returns: the digest it pointed to before, when that was another.
    @discardableResult
    package func sawDigest(
        source: String,
        location: String,
        digest: String,
        note: String? = nil,
        now: Date
    ) throws -> String? {
        try database.write { database in
            let last = try Row.fetchOne(
                database,
                cached: "SELECT id, digest FROM digest WHERE source = ? AND location = ? ORDER BY id DESC LIMIT 1",
                arguments: [source, location]
            )
            if let last, last["digest"] == digest {
                try database.execute(
                    cached: "UPDATE digest SET lastSeenAt = ?, note = COALESCE(?, note) WHERE id = ?",
                    arguments: [now.milliseconds, note, last["id"] as Int64]
                )
                return nil
            }
            try database.execute(
                cached: """
                    INSERT INTO digest (source, location, digest, firstSeenAt, lastSeenAt, note) VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [source, location, digest, now.milliseconds, now.milliseconds, note]
            )
            return last?["digest"]
        }
    }
}

extension Ledger {
    /// Images by state, from the tally that triggers keep.
    package func counts() throws -> [String: Int] {
        try database.read { database in
            let rows = try Row.fetchAll(
                database,
                cached: "SELECT state, SUM(images) AS number FROM tally GROUP BY state HAVING SUM(images) > 0"
            )
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["state"] as String, $0["number"] as Int) })
        }
    }
}

extension ImageProgress {
    static func fetch(_ image: Int64, from database: Database) throws -> ImageProgress? {
        try Row.fetchOne(
            database,
            cached: """
                SELECT source, state, reason, dueAt, bytesDone, bytesTotal FROM image
                LEFT JOIN progress ON progress.imageID = image.id WHERE image.id = ?
                """,
            arguments: [image]
        ).map { row in
            var progress = ImageProgress(
                source: row["source"],
                state: ImageState(rawValue: row["state"]) ?? .pending
            )
            progress.reason = row["reason"]
            progress.due = (row["dueAt"] as Milliseconds?).map(Date.init(milliseconds:))
            progress.bytesDone = row["bytesDone"]
            progress.bytesTotal = row["bytesTotal"]
            return progress
        }
    }
}
