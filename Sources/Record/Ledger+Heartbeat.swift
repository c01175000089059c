package import Foundation
import GRDB
import Model

/// Who works on the record, as the first row of `daemon` says.
package struct WorkerIdentity: Sendable {
    package var pid: Int32
    package var version: String
    /// `run`, `once` or `clone`.
    package var mode: String

    package init(pid: Int32, version: String, mode: String) {
        self.pid = pid
        self.version = version
        self.mode = mode
    }
}

extension Ledger {
    /// A worker has started.
    package func workerStarted(_ worker: WorkerIdentity, now: Date) throws {
        try database.write {
            try Self.followClock($0, now: now)
            try $0.execute(
                cached: """
                    INSERT INTO daemon (id, pid, version, mode, startedAt, beatAt) VALUES (1, ?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, version = excluded.version, mode = excluded.mode,
                        startedAt = excluded.startedAt, beatAt = excluded.beatAt, stoppedAt = NULL,
                        configTrouble = NULL, configTroubleAt = NULL, eventTrouble = NULL, tokenExpiresAt = NULL,
                        lastPollTrouble = NULL, aliveAt = NULL
                    """,
                arguments: [worker.pid, worker.version, worker.mode, now.milliseconds, now.milliseconds]
            )
            try $0.execute(cached: "DELETE FROM trouble")
        }
    }

    /// Every loop has given a sign of life.
    ///
    /// - Returns: by how much the clock was found to have been set back; nil when it was not.
    @discardableResult
    package func beat(now: Date) throws -> Duration? {
        try database.write {
            let back = try Self.followClock($0, now: now)
            try $0.execute(cached: "UPDATE daemon SET beatAt = ?", arguments: [now.milliseconds])
            return back
        }
    }

    /// A heartbeat from the future means that the clock was set back. Moments that lie ahead then were meant nearer, or
    /// are past: without this an image that waits a minute would wait a day.
    @discardableResult
    private static func followClock(_ database: Database, now: Date) throws -> Duration? {
        let beat = try Milliseconds.fetchOne(database, cached: "SELECT beatAt FROM daemon WHERE id = 1")
        guard let back = beat.map({ $0 - now.milliseconds }), back > 60_000 else { return nil }
        for (table, columns) in [
            ("image", ["dueAt", "firstAttemptAt", "verifiedAt", "upstreamSeenAt"]),
            ("run", ["surveyDueAt", "seenAt", "polledAt"]), ("version", ["surveyDueAt"]), ("pull", ["at"]),
            ("workflow", ["sweptAt", "lastRunAt", "seenAt"]), ("sweep", ["startedAt", "finishedAt"]),
            ("host", ["pausedUntil", "breakerUntil", "quotaSeenAt"]),
        ] {
            for column in columns {
                try database.execute(
                    sql: "UPDATE \(table) SET \(column) = \(column) - :back WHERE \(column) > :now",
                    arguments: ["back": back, "now": now.milliseconds]
                )
            }
        }
        try database.execute(
            cached:
                "UPDATE setting SET value = value - :back WHERE key = 'firstStart' AND CAST(value AS INTEGER) > :now",
            arguments: ["back": back, "now": now.milliseconds]
        )
        return .milliseconds(back)
    }

    /// The worker ends in good order.
    ///
    /// All that was written is in the one file then, for who copies it.
    package func workerStopped(now: Date) throws {
        defer { _ = try? database.writeWithoutTransaction { try $0.checkpoint(.truncate) } }
        try database.write {
            try $0.execute(
                cached: "UPDATE daemon SET stoppedAt = ?, beatAt = ?",
                arguments: [now.milliseconds, now.milliseconds]
            )
        }
    }

    /// A poll of the runs ended, well or with trouble.
    package func polled(trouble: String?, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: """
                    UPDATE daemon SET lastPollTrouble = :trouble,
                        lastPollAt = CASE WHEN :trouble IS NULL THEN :at ELSE lastPollAt END
                    """,
                arguments: ["trouble": trouble, "at": now.milliseconds]
            )
        }
    }

    /// What `status` says of the configuration file: nil when it is in force as it stands.
    package func configurationTrouble(_ trouble: String?, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: "UPDATE daemon SET configTrouble = ?, configTroubleAt = ?",
                arguments: [trouble, trouble == nil ? nil : now.milliseconds]
            )
        }
    }

    /// What a person should look at: the last poll, the configuration, events.
    package func troubles() throws -> [String] {
        guard let row = try database.read({ try DaemonRow.fetchOne($0, cached: "SELECT * FROM daemon") }) else {
            return []
        }
        return row.troubles
    }

    /// When the token for ECR that is in use ends.
    package func tokenExpires(_ moment: Date) throws {
        try database.write {
            try $0.execute(cached: "UPDATE daemon SET tokenExpiresAt = ?", arguments: [moment.milliseconds])
        }
    }

    /// Whom the services say we are.
    package func identity(account: String, region: String) throws {
        try database.write {
            try $0.execute(cached: "UPDATE daemon SET account = ?, region = ?", arguments: [account, region])
        }
    }
}
