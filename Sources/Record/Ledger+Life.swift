package import Foundation
import GRDB
package import Model

/// The life of images in the record: each event is told to `ImageLife`, and what it answers is written in the transaction
/// that read the standing. No other statement writes these columns.
extension Ledger {
    /// Tells what happened to an image.
    ///
    /// - Parameters:
    ///   - random: from 0 to 1, for jitter.
    ///   - mark: what decides now; nil leaves open whether it is another.
    package func tell(
        _ event: ImageEvent,
        of image: Int64,
        now: Date,
        random: Double = 1,
        schedule: ImageRetrySchedule = .standard,
        mark: String? = nil
    ) throws {
        try database.write {
            _ = try Self.tell(event, of: image, in: $0, now: now, random: random, schedule: schedule, mark: mark)
        }
    }

    /// - Returns: where it stands now; nil for an image that is not there.
    @discardableResult
    static func tell(
        _ event: ImageEvent,
        of image: Int64,
        in database: Database,
        now: Date,
        random: Double = 1,
        schedule: ImageRetrySchedule = .standard,
        mark: String? = nil
    ) throws -> ImageStanding? {
        guard
            let row = try ImageRecord.fetchOne(database, cached: "SELECT * FROM image WHERE id = ?", arguments: [image])
        else { return nil }
        let need = try need(of: image, in: database)
        let moment = ImageMoment(
            now: now,
            random: random,
            urgency: need.urgency,
            order: need.order,
            schedule: schedule,
            mark: mark
        )
        let standing = ImageLife.next(row.standing, event, moment)
        guard standing != row.standing else { return standing }
        try database.execute(
            cached: """
                UPDATE image SET state = :state, urgency = :urgency, needOrder = :order, dueAt = :due, reason = :reason, mend = :mend,
                    failureClass = :failureClass, attempts = :attempts, firstAttemptAt = :firstAttemptAt,
                    failures = :failures, generation = :generation, askedGeneration = :askedGeneration,
                    attemptedAt = :endedAt, readyAt = :readyAt, verifiedAt = :verifiedAt, movedDigest = :movedDigest,
                    mark = :mark, updatedAt = :now WHERE id = :id
                """,
            arguments: [
                "id": image, "now": now.milliseconds, "state": standing.state.rawValue,
                "urgency": standing.urgency.rawValue, "order": standing.order, "due": standing.due?.milliseconds,
                "reason": standing.reason, "mend": standing.mend, "failureClass": standing.failureClass?.rawValue,
                "attempts": standing.attempts, "firstAttemptAt": standing.firstAttemptAt?.milliseconds,
                "failures": standing.failures, "generation": standing.generation,
                "askedGeneration": standing.askedGeneration, "endedAt": standing.endedAt?.milliseconds,
                "readyAt": standing.readyAt?.milliseconds, "verifiedAt": standing.verifiedAt?.milliseconds,
                "movedDigest": standing.movedDigest, "mark": standing.mark,
            ]
        )
        try noteChange(of: row, to: standing, by: event, in: database, now: now)
        return standing
    }

    /// By who wants it now: the most urgent of them, and of those the one that will use it first. What is certain goes
    /// before what is not, however early.
    private static func need(of image: Int64, in database: Database) throws -> (urgency: Urgency, order: Int) {
        let row = try Row.fetchOne(
            database,
            cached: """
                SELECT CASE kind WHEN 'run' THEN 0
                        WHEN 'clone' THEN MIN(1, COALESCE(json_extract(request.options, '$.urgency'), 1)) ELSE 2 END
                        AS urgency,
                    (certainty <> 'certain') * 1000000 + MIN(depth, 999999) AS needOrder
                FROM demand LEFT JOIN request ON kind = 'clone' AND request.id = CAST(subject AS INTEGER)
                WHERE demand.imageID = ? AND demand.endedAt IS NULL ORDER BY 1, 2 LIMIT 1
                """,
            arguments: [image]
        )
        guard let row, let urgency = Urgency(rawValue: row["urgency"]) else { return (.nobody, 0) }
        return (urgency, row["needOrder"])
    }

    /// After a start or a reload: what was decided under something else is decided again.
    ///
    /// - Returns: how many images are due by it.
    @discardableResult
    package func reconfigured(mark: String, now: Date) throws -> Int {
        try database.write { database in
            let ids = try Int64.fetchAll(
                database,
                cached: "SELECT id FROM image WHERE state IN ('blocked', 'retrying') AND mark IS NOT ? ORDER BY id",
                arguments: [mark]
            )
            var due = 0
            for id in ids {
                let after = try Self.tell(.reconfigured, of: id, in: database, now: now, mark: mark)
                if let moment = after?.due, moment <= now { due += 1 }
            }
            return due
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
            let ids = try Int64.fetchAll(database, cached: "SELECT id FROM image WHERE state = 'cloning'")
            for id in ids { try Self.tell(.interrupted, of: id, in: database, now: now) }
            try database.execute(cached: "DELETE FROM progress")
            return ids.count
        }
    }
}

extension ImageRecord {
    /// The part of the row that is its life.
    package var standing: ImageStanding {
        var standing = ImageStanding()
        standing.state = state
        standing.urgency = urgency
        standing.order = needOrder
        standing.due = dueAt.map(Date.init(milliseconds:))
        standing.reason = reason
        standing.mend = mend
        standing.failureClass = failureClass
        standing.attempts = attempts
        standing.firstAttemptAt = firstAttemptAt.map(Date.init(milliseconds:))
        standing.failures = failures
        standing.generation = generation
        standing.askedGeneration = askedGeneration
        standing.endedAt = attemptedAt.map(Date.init(milliseconds:))
        standing.readyAt = readyAt.map(Date.init(milliseconds:))
        standing.verifiedAt = verifiedAt.map(Date.init(milliseconds:))
        standing.movedDigest = movedDigest
        standing.mark = mark
        return standing
    }
}
