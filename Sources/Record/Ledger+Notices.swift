package import Foundation
import GRDB
package import Model

/// The outbox: what happened is written with the change itself, and sent later, once to each target.
extension Ledger {
    /// What is told, and where to.
    private struct Choice: Codable, Equatable {
        var on: [NoticeKind]
        var targets: [NoticeTarget]
    }

    /// Sets what is told from now on. None of what happened before is told to a target that is new.
    package func notify(of kinds: [NoticeKind], to targets: [NoticeTarget]) throws {
        let choice = Choice(on: targets.isEmpty ? [] : kinds, targets: targets)
        let text = try ReportJSON.text(choice, pretty: false)
        try database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO setting (key, value) VALUES ('notify', ?)
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value
                    """,
                arguments: [text]
            )
            let marks = databaseQuestionMarks(count: targets.count)
            try database.execute(
                sql: "DELETE FROM delivery WHERE sentAt IS NULL AND target NOT IN (\(marks))",
                arguments: StatementArguments(targets.map(\.rawValue))
            )
        }
    }

    private static func choice(in database: Database) throws -> Choice? {
        guard let text = try String.fetchOne(database, cached: "SELECT value FROM setting WHERE key = 'notify'")
        else { return nil }
        let choice = try? JSONDecoder().decode(Choice.self, from: Data(text.utf8))
        return choice.flatMap { $0.on.isEmpty ? nil : $0 }
    }

    private static func write(_ notice: Notice, _ choice: Choice, key: String? = nil, in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO notice (at, kind, subject, key, text) VALUES (?, ?, ?, ?, ?)",
            arguments: [notice.at.milliseconds, notice.kind.rawValue, notice.subject, key, notice.text]
        )
        let id = database.lastInsertedRowID
        for target in choice.targets {
            try database.execute(
                sql: "INSERT INTO delivery (target, noticeID, dueAt) VALUES (?, ?, ?)",
                arguments: [target.rawValue, id, notice.at.milliseconds]
            )
        }
    }

    // MARK: What happens

    /// An image's standing changed: told of in the same transaction.
    static func noteChange(
        of row: ImageRecord,
        to after: ImageStanding,
        by event: ImageEvent,
        in database: Database,
        now: Date
    ) throws {
        guard let choice = try choice(in: database) else { return }
        if choice.on.contains(.blocked) { try noteBlocked(row, after, choice, in: database, now: now) }
        if choice.on.contains(.moved), case .tagMoved(let digest, _) = event {
            try noteMoved(row, to: digest, choice, in: database, now: now)
        }
        if choice.on.contains(.ready), (row.state == .ready) != (after.state == .ready) {
            for run in try runs(thatChangeBy: row.id, isReady: after.state == .ready, in: database) {
                try noteRun(run, choice, in: database, now: now)
            }
        }
    }

    /// Of the runs that want an image, those that may be whole by it, or were called whole: of a burst that is few.
    private static func runs(thatChangeBy image: Int64, isReady: Bool, in database: Database) throws -> [String] {
        try String.fetchAll(
            database,
            cached: isReady
                ? """
                SELECT subject FROM demand WHERE imageID = ? AND kind = 'run' AND endedAt IS NULL AND NOT EXISTS (
                    SELECT 1 FROM demand AS other JOIN image ON image.id = other.imageID WHERE other.kind = 'run'
                    AND other.subject = demand.subject AND other.endedAt IS NULL AND other.certainty <> 'inactive'
                    AND image.state <> 'ready')
                """
                : """
                SELECT subject FROM demand JOIN run ON run.key = demand.subject WHERE imageID = ? AND kind = 'run'
                    AND demand.endedAt IS NULL AND run.isNoticed
                """,
            arguments: [image]
        )
    }

    /// Said once for each cause, however often it is looked at again meanwhile.
    private static func noteBlocked(
        _ row: ImageRecord,
        _ after: ImageStanding,
        _ choice: Choice,
        in database: Database,
        now: Date
    ) throws {
        let said = try String.fetchOne(
            database,
            cached: "SELECT noticedBlock FROM image WHERE id = ?",
            arguments: [row.id]
        )
        let cause: String?
        switch after.state {
        case .blocked where after.urgency == .run: cause = after.failureClass?.rawValue ?? "blocked"
        // On its way again, it may end as before: then nothing has changed.
        case .pending, .cloning, .retrying: cause = after.urgency == .run ? said : nil
        case .ready, .blocked: cause = nil
        }
        guard cause != said else { return }
        try database.execute(sql: "UPDATE image SET noticedBlock = ? WHERE id = ?", arguments: [cause, row.id])
        guard cause != nil, after.state == .blocked else { return }
        let runs = try String.fetchAll(
            database,
            sql: """
                SELECT substr(subject, 1, instr(subject || '@', '@') - 1) FROM demand WHERE imageID = ? AND kind = 'run'
                AND endedAt IS NULL AND certainty <> 'inactive' AND NOT comesByItself ORDER BY id LIMIT 4
                """,
            arguments: [row.id]
        )
        // HealthOmics brings it to the others, late.
        guard !runs.isEmpty else { return }
        let wanted = runs.prefix(3).joined(separator: ", ") + (runs.count > 3 ? " …" : "")
        var text = "\(row.source), which run \(wanted) needs, is blocked: \(after.reason ?? "no reason is recorded")"
        if let mend = after.mend { text += "; mend: \(mend)" }
        try write(Notice(kind: .blocked, subject: row.source, text: text, at: now), choice, in: database)
    }

    private static func noteMoved(
        _ row: ImageRecord,
        to digest: String,
        _ choice: Choice,
        in database: Database,
        now: Date
    ) throws {
        let key = "\(row.source) \(digest)"
        let isNews = try Bool.fetchOne(
            database,
            sql: """
                SELECT NOT EXISTS (SELECT 1 FROM notice WHERE kind = 'moved' AND key = :key) AND (
                    EXISTS (SELECT 1 FROM demand WHERE imageID = :id AND kind <> 'clone' AND endedAt IS NULL
                        AND certainty <> 'inactive')
                    OR EXISTS (SELECT 1 FROM auditEntry WHERE source IS NULL AND destination = :destination
                        AND action = 'imagePushed' AND detail LIKE 'locked as %'))
                """,
            arguments: ["key": key, "id": row.id, "destination": row.destination]
        )
        guard isNews == true else { return }
        let was = row.sourceDigest.map { " from \(Phrase.short($0))" } ?? ""
        let text = "\(row.source) has moved upstream\(was) to \(Phrase.short(digest))"
        try write(Notice(kind: .moved, subject: row.source, text: text, at: now), choice, key: key, in: database)
    }

    /// A run was worked out, or one of its images came or went.
    static func noteRun(_ key: String, in database: Database, now: Date) throws {
        guard let choice = try choice(in: database), choice.on.contains(.ready) else { return }
        try noteRun(key, choice, in: database, now: now)
    }

    private static func noteRun(_ key: String, _ choice: Choice, in database: Database, now: Date) throws {
        let run = try Row.fetchOne(
            database,
            cached: "SELECT * FROM run WHERE key = ? AND endedAt IS NULL",
            arguments: [key]
        )
        guard let run else { return }
        let query = try StatusQuery(database: database, extent: .init(), now: now)
        let standings = try query.standings(
            demand: "demand.kind = 'run' AND demand.subject = ? AND demand.endedAt IS NULL",
            unresolved: "kind = 'run' AND subject = ? AND endedAt IS NULL",
            arguments: [key]
        )
        let standing = StatusQuery.runStatus(run, standings[key]).standing
        guard standing.isReady != (run["isNoticed"] as Bool) else { return }
        try database.execute(sql: "UPDATE run SET isNoticed = ? WHERE key = ?", arguments: [standing.isReady, key])
        // A run that needs none has nothing to wait for.
        guard standing.isReady, standing.total > 0 else { return }
        let name = (run["name"] as String?).map { " (\($0))" } ?? ""
        let id: String = run["id"]
        let text = "run \(id)\(name): all \(Phrase.count(standing.total, "image")) are there"
        try write(Notice(kind: .ready, subject: id, text: text, at: now), choice, in: database)
    }

    /// A registry refuses what we log in with: told of once, until it is asked for anew.
    static func noteRefused(_ host: String, _ reason: String, in database: Database, now: Date) throws {
        guard let choice = try choice(in: database), choice.on.contains(.refused) else { return }
        let text = "\(Phrase.registry(host)) refuses our credentials: \(reason)"
        try write(Notice(kind: .refused, subject: host, text: text, at: now), choice, in: database)
    }

    /// How the daemon is: told of when it becomes degraded.
    package func noteHealth(_ health: Health, now: Date) throws {
        try database.write { database in
            guard let choice = try Self.choice(in: database), choice.on.contains(.degraded) else { return }
            let isDegraded = health.exitCode != 0
            let was = try String.fetchOne(database, cached: "SELECT value FROM setting WHERE key = 'noticedHealth'")
            guard (was == "degraded") != isDegraded else { return }
            try database.execute(
                sql: """
                    INSERT INTO setting (key, value) VALUES ('noticedHealth', ?)
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value
                    """,
                arguments: [isDegraded ? "degraded" : "healthy"]
            )
            guard isDegraded else { return }
            let text = "preclone is degraded: " + health.reasons.joined(separator: "; ")
            try Self.write(Notice(kind: .degraded, subject: "daemon", text: text, at: now), choice, in: database)
        }
    }

    // MARK: Sending

    /// The next message for a target; nil: none is due. What was begun to be sent comes again as it was, before all else.
    ///
    /// - Parameter perHour: messages that a target gets in an hour; the last of them gathers what there is.
    package func nextMessage(for target: NoticeTarget, perHour: Int, now: Date) throws -> NoticeMessage? {
        try database.write { database in
            let begun = try Row.fetchOne(
                database,
                cached: """
                    SELECT message, dueAt FROM delivery WHERE target = ? AND sentAt IS NULL AND message IS NOT NULL LIMIT 1
                    """,
                arguments: [target.rawValue]
            )
            if let begun {
                guard (begun["dueAt"] as Milliseconds) <= now.milliseconds else { return nil }
                return try Self.message(begun["message"], target, in: database)
            }
            let open = try Int64.fetchAll(
                database,
                cached:
                    "SELECT noticeID FROM delivery WHERE target = ? AND sentAt IS NULL ORDER BY noticeID LIMIT 1000",
                arguments: [target.rawValue]
            )
            guard let first = open.first else { return nil }
            let sent = try Int.fetchOne(
                database,
                sql: "SELECT COUNT(DISTINCT message) FROM delivery WHERE target = ? AND sentAt > ?",
                arguments: [target.rawValue, now.milliseconds - 3_600_000]
            )
            let left = perHour - (sent ?? 0)
            guard left > 0 else { return nil }
            let isGathered = left == 1 && open.count > 1
            let at = try Milliseconds.fetchOne(database, sql: "SELECT at FROM notice WHERE id = ?", arguments: [first])
            let id = "\(at ?? 0)-\(first)\(isGathered ? "-and-\(open.count - 1)" : "")"
            for notice in isGathered ? open : [first] {
                try database.execute(
                    sql: "UPDATE delivery SET message = ? WHERE target = ? AND noticeID = ?",
                    arguments: [id, target.rawValue, notice]
                )
            }
            return try Self.message(id, target, in: database)
        }
    }

    private static func message(_ id: String, _ target: NoticeTarget, in database: Database) throws -> NoticeMessage? {
        let notices = try Row.fetchAll(
            database,
            sql: """
                SELECT notice.* FROM delivery JOIN notice ON notice.id = noticeID WHERE target = ? AND message = ?
                ORDER BY noticeID
                """,
            arguments: [target.rawValue, id]
        ).compactMap { row in
            NoticeKind(rawValue: row["kind"]).map {
                Notice(kind: $0, subject: row["subject"], text: row["text"], at: Date(milliseconds: row["at"]))
            }
        }
        guard !notices.isEmpty else { return nil }
        let daemon = try Row.fetchOne(database, sql: "SELECT account, region FROM daemon")
        return NoticeMessage(id: id, account: daemon?["account"], region: daemon?["region"], notices: notices)
    }

    package func delivered(_ message: NoticeMessage, to target: NoticeTarget, now: Date) throws {
        try database.write {
            try $0.execute(
                sql: "UPDATE delivery SET sentAt = ? WHERE target = ? AND message = ?",
                arguments: [now.milliseconds, target.rawValue, message.id]
            )
        }
    }

    /// It could not be sent: again after a growing pause, for as long as the notice is kept.
    ///
    /// - Returns: the pause.
    @discardableResult
    package func undelivered(_ message: NoticeMessage, to target: NoticeTarget, now: Date) throws -> Duration {
        try database.write { database in
            let attempts = try Int.fetchOne(
                database,
                sql: "SELECT MAX(attempts) FROM delivery WHERE target = ? AND message = ?",
                arguments: [target.rawValue, message.id]
            )
            let pause = Duration.seconds(min(300, 1 << min((attempts ?? 0) + 1, 9)))
            try database.execute(
                sql: "UPDATE delivery SET attempts = attempts + 1, dueAt = ? WHERE target = ? AND message = ?",
                arguments: [now.milliseconds + pause.milliseconds, target.rawValue, message.id]
            )
            return pause
        }
    }
}
