package import Foundation
import GRDB
package import Model

extension Ledger {
    /// The most urgent image that is due and whose registry is not in `pausedRegistries`, marked `cloning`; nil when
    /// nothing is due.
    package func takeDue(
        now: Date,
        pausedRegistries: Set<String>,
        upTo urgency: Urgency = .refresh,
        only ids: Set<Int64>? = nil
    ) throws -> ImageRecord? {
        try database.write { database in
            // One urgency after the other, so that the index gives the first without sorting all that are due.
            for level in 0...urgency.rawValue {
                let rows = try ImageRecord.fetchCursor(
                    database,
                    cached: Self.dueImages,
                    arguments: [level, now.milliseconds]
                )
                while let row = try rows.next() {
                    if pausedRegistries.contains(row.registry) { continue }
                    if let ids, !ids.contains(row.id) { continue }
                    try database.execute(
                        cached: "UPDATE image SET state = 'cloning', updatedAt = ? WHERE id = ?",
                        arguments: [now.milliseconds, row.id]
                    )
                    return row
                }
            }
            return nil
        }
    }

    /// The due images of one urgency, by the index `imageToTake`.
    package static let dueImages = """
        SELECT * FROM image WHERE state IN ('pending', 'retrying', 'blocked') AND urgency = ? AND dueAt <= ?
        ORDER BY dueAt, id
        """

    /// When the next image falls due that is not due yet.
    package func nextDue(after now: Date) throws -> Date? {
        try database.read { database in
            try Milliseconds.fetchOne(
                database,
                cached: """
                    SELECT MIN(dueAt) FROM image WHERE state IN ('pending', 'retrying', 'blocked') AND dueAt > ?
                    """,
                arguments: [now.milliseconds]
            ).map(Date.init(milliseconds:))
        }
    }

    /// Whether an image is due now.
    package func hasDue(now: Date) throws -> Bool {
        try database.read { database in
            try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM image WHERE state IN ('pending', 'retrying', 'blocked') AND dueAt <= ?)
                    """,
                arguments: [now.milliseconds]
            ) ?? false
        }
    }

    /// The image of a row id.
    package func image(id: Int64) throws -> ImageRecord? {
        try database.read { try ImageRecord.fetchOne($0, sql: "SELECT * FROM image WHERE id = ?", arguments: [id]) }
    }

    /// Every image; for records made for one plan.
    package func allImages() throws -> [ImageRecord] {
        try database.read { try ImageRecord.fetchAll($0, sql: "SELECT * FROM image ORDER BY id") }
    }

    /// Who wants an image now.
    package func subjects(imageID: Int64) throws -> [String] {
        try database.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT kind || ' ' || CASE kind WHEN 'run' THEN substr(subject, 1, instr(subject, '@') - 1)
                        ELSE subject END FROM demand WHERE imageID = ? AND endedAt IS NULL ORDER BY 1
                    """,
                arguments: [imageID]
            )
        }
    }

    /// A line on how far an image is, for a person who waits.
    package func progressLine(_ imageID: Int64) throws -> String? {
        try database.read { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT source, state, bytesDone, bytesTotal FROM image
                    LEFT JOIN progress ON progress.imageID = image.id WHERE image.id = ?
                    """,
                arguments: [imageID]
            ).map { row in
                let done = row["bytesDone"] as Int64?
                let total = row["bytesTotal"] as Int64?
                var line = "\(row["state"] as String)  \(row["source"] as String)"
                if let done, let total, total > 0 { line += "  \(done * 100 / total) % of \(total) bytes" }
                return line
            }
        }
    }

    /// Every row of one source reference.
    package func images(source: String) throws -> [ImageRecord] {
        try database.read {
            try ImageRecord.fetchAll($0, sql: "SELECT * FROM image WHERE source = ? ORDER BY id", arguments: [source])
        }
    }

    /// Ends an attempt: the image's new standing, its attempt row, the bytes of the day and the digests seen.
    package func finish(_ imageID: Int64, _ update: ImageUpdate, attempt: AttemptRow?, now: Date) throws {
        try database.write { database in
            let at = now.milliseconds
            try database.execute(
                sql: """
                    UPDATE image SET state = :state, route = COALESCE(:route, route), routeDetail = :routeDetail,
                        reason = :reason, mend = :mend, failureClass = :failureClass, rule = COALESCE(:rule, rule),
                        sourceDigest = COALESCE(:sourceDigest, sourceDigest), ecrDigest = COALESCE(:ecrDigest, ecrDigest),
                        platformDigest = COALESCE(:platformDigest, platformDigest), bytes = COALESCE(:bytes, bytes),
                        access = COALESCE(:access, access), dueAt = :due,
                        attempts = CASE WHEN :state = 'ready' THEN 0 ELSE attempts + :counted END,
                        failures = CASE WHEN :state = 'ready' THEN 0 ELSE failures + :failed END,
                        firstAttemptAt = CASE WHEN :state = 'ready' THEN NULL
                            WHEN :counted = 1 THEN COALESCE(firstAttemptAt, :at) ELSE firstAttemptAt END,
                        readyAt = CASE WHEN :state = 'ready' THEN COALESCE(readyAt, :at) ELSE NULL END,
                        verifiedAt = CASE WHEN :state = 'ready' THEN :at ELSE verifiedAt END,
                        urgency = CASE WHEN :state = 'ready' THEN 3 ELSE urgency END,
                        movedDigest = CASE WHEN :state = 'ready' AND :sourceDigest IS NOT NULL
                            AND :sourceDigest = movedDigest THEN NULL ELSE movedDigest END,
                        upstreamSeenAt = CASE WHEN :sourceDigest IS NOT NULL THEN :at ELSE upstreamSeenAt END,
                        updatedAt = :at
                    WHERE id = :id
                    """,
                arguments: [
                    "id": imageID, "state": update.state.rawValue, "route": update.route,
                    "routeDetail": update.routeDetail, "reason": update.reason, "mend": update.mend,
                    "failureClass": update.failureClass?.rawValue, "rule": update.rule,
                    "sourceDigest": update.sourceDigest, "ecrDigest": update.ecrDigest,
                    "platformDigest": update.platformDigest, "bytes": update.bytes,
                    "access": update.access?.rawValue, "due": update.due?.milliseconds,
                    "counted": update.countsAsAttempt ? 1 : 0, "failed": update.isFailure ? 1 : 0, "at": at,
                ]
            )
            try database.execute(cached: "DELETE FROM progress WHERE imageID = ?", arguments: [imageID])
            guard let attempt else { return }
            try database.execute(
                sql: """
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
                    sql: """
                        INSERT INTO bytesMoved (day, bytes) VALUES (strftime('%Y-%m-%d', ? / 1000.0, 'unixepoch'), ?)
                        ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes
                        """,
                    arguments: [at, attempt.bytesMoved]
                )
            }
        }
    }

    /// Bytes moved since UTC midnight, for `clone.maxBytesPerDay`.
    package func bytesMovedToday(now: Date) throws -> Int64 {
        try database.read { database in
            try Int64.fetchOne(
                database,
                sql: "SELECT bytes FROM bytesMoved WHERE day = strftime('%Y-%m-%d', ? / 1000.0, 'unixepoch')",
                arguments: [now.milliseconds]
            ) ?? 0
        }
    }

    /// After a start: what was being cloned when the last process ended is due again, at once; pulls that it had
    /// reserved count as made.
    ///
    /// - Returns: how many images there were.
    @discardableResult
    package func recoverInterrupted(now: Date) throws -> Int {
        try loseReservations(now: now)
        return try database.write { database in
            try database.execute(
                sql: """
                    UPDATE image SET state = 'pending', dueAt = ?, updatedAt = ?,
                        reason = 'the attempt was interrupted' WHERE state = 'cloning'
                    """,
                arguments: [now.milliseconds, now.milliseconds]
            )
            let count = database.changesCount
            try database.execute(sql: "DELETE FROM progress")
            return count
        }
    }

    /// Makes an image due now, unless it is being cloned or ready.
    package func makeDue(_ imageID: Int64, urgency: Urgency, now: Date) throws {
        try database.write { database in
            try database.execute(
                sql: """
                    UPDATE image SET dueAt = ?, urgency = MIN(urgency, ?), updatedAt = ?
                    WHERE id = ? AND state NOT IN ('cloning', 'ready')
                    """,
                arguments: [now.milliseconds, urgency.rawValue, now.milliseconds, imageID]
            )
        }
    }

    /// A ready image that is no longer what it was: due again, with the reason; a run that waits goes first.
    package func reopen(_ imageID: Int64, reason: String, now: Date) throws {
        try database.write { database in
            try database.execute(
                sql: """
                    UPDATE image SET state = 'pending', dueAt = :at, reason = :reason, readyAt = NULL, updatedAt = :at,
                        urgency = CASE WHEN EXISTS (SELECT 1 FROM demand WHERE imageID = image.id AND kind = 'run'
                            AND endedAt IS NULL) THEN 0 ELSE 2 END
                    WHERE id = :id AND state = 'ready'
                    """,
                arguments: ["id": imageID, "reason": reason, "at": now.milliseconds]
            )
        }
    }

    /// A look that found everything as it should be.
    package func verified(_ imageID: Int64, access: HealthOmicsAccess, now: Date) throws {
        try database.write { database in
            try database.execute(
                cached: "UPDATE image SET verifiedAt = ?, access = ? WHERE id = ?",
                arguments: [now.milliseconds, access.rawValue, imageID]
            )
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
                sql: "SELECT id, digest FROM digest WHERE source = ? AND location = ? ORDER BY id DESC LIMIT 1",
                arguments: [source, location]
            )
            if let last, last["digest"] == digest {
                try database.execute(
                    sql: "UPDATE digest SET lastSeenAt = ?, note = COALESCE(?, note) WHERE id = ?",
                    arguments: [now.milliseconds, note, last["id"] as Int64]
                )
                return nil
            }
            try database.execute(
                sql: """
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
                sql: "SELECT state, SUM(images) AS number FROM tally GROUP BY state HAVING SUM(images) > 0"
            )
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["state"] as String, $0["number"] as Int) })
        }
    }
}
