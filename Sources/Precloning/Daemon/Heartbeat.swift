package import Foundation
import GRDB

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
            try $0.execute(
                sql: """
                    INSERT INTO daemon (id, pid, version, mode, startedAt, beatAt) VALUES (1, ?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, version = excluded.version, mode = excluded.mode,
                        startedAt = excluded.startedAt, beatAt = excluded.beatAt, stoppedAt = NULL,
                        configTrouble = NULL, configTroubleAt = NULL, eventTrouble = NULL
                    """,
                arguments: [worker.pid, worker.version, worker.mode, now.milliseconds, now.milliseconds]
            )
        }
    }

    /// Every loop has given a sign of life.
    package func beat(now: Date) throws {
        try database.write { try $0.execute(sql: "UPDATE daemon SET beatAt = ?", arguments: [now.milliseconds]) }
    }

    /// The worker ends in good order.
    package func workerStopped(now: Date) throws {
        try database.write {
            try $0.execute(
                sql: "UPDATE daemon SET stoppedAt = ?, beatAt = ?",
                arguments: [now.milliseconds, now.milliseconds]
            )
        }
    }

    /// A poll of the runs ended, well or with trouble.
    package func polled(trouble: String?, now: Date) throws {
        try database.write {
            try $0.execute(
                sql: """
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
                sql: "UPDATE daemon SET configTrouble = ?, configTroubleAt = ?",
                arguments: [trouble, trouble == nil ? nil : now.milliseconds]
            )
        }
    }

    /// Whom the services say we are.
    package func identity(account: String, region: String) throws {
        try database.write {
            try $0.execute(sql: "UPDATE daemon SET account = ?, region = ?", arguments: [account, region])
        }
    }
}
