package import Foundation
import GRDB
package import Model
package import Names

extension Ledger {
    /// Takes a place under a policy rule's rate and bytes of its budget, per caller (`daemon`, `user NAME`).
    ///
    /// Never more than `rate.max` places, taken or used, lie in any window of `rate.window`, and never more bytes than
    /// `budget.bytes` in any of `budget.window`.
    package func reserve(
        rule: String,
        rate: PolicyRate?,
        budget: PolicyBudget? = nil,
        bytes: Int64 = 0,
        caller: String,
        now: Date
    ) throws -> RuleAnswer {
        try database.write { database in
            let at = now.milliseconds
            // A row from the future stems from a clock that was set back; it counts from now on.
            try database.execute(
                cached: "UPDATE ruleUse SET at = ? WHERE rule = ? AND caller = ? AND at > ?",
                arguments: [at, rule, caller, at]
            )
            var until: Milliseconds?
            if let rate {
                let window = rate.window.milliseconds
                let times = try Milliseconds.fetchAll(
                    database,
                    cached: "SELECT at FROM ruleUse WHERE rule = ? AND caller = ? AND at > ? ORDER BY at DESC LIMIT ?",
                    arguments: [rule, caller, at - window, rate.max]
                )
                if times.count >= rate.max, let oldest = times.last { until = oldest + window }
            }
            if let budget {
                let window = budget.window.milliseconds
                let uses = try Row.fetchAll(
                    database,
                    cached:
                        "SELECT at, bytes FROM ruleUse WHERE rule = ? AND caller = ? AND at > ? AND bytes > 0 ORDER BY at",
                    arguments: [rule, caller, at - window]
                )
                var over = uses.reduce(bytes) { $0 + ($1["bytes"] as Int64) } - budget.bytes.bytes
                for use in uses where over > 0 {
                    over -= use["bytes"] as Int64
                    until = max(until ?? 0, (use["at"] as Milliseconds) + window)
                }
                // More than the whole budget never fits; policy denies that, and here it waits.
                if over > 0 { until = max(until ?? 0, at + window) }
            }
            if let until { return .later(until: Date(milliseconds: until)) }
            try database.execute(
                cached: "INSERT INTO ruleUse (rule, caller, at, state, bytes) VALUES (?, ?, ?, 'reserved', ?)",
                arguments: [rule, caller, at, bytes]
            )
            return .reserved(RuleReservation(id: database.lastInsertedRowID, rule: rule))
        }
    }

    /// The clone under a rule's rate has begun.
    package func commit(_ reservation: RuleReservation) throws {
        try database.write {
            try $0.execute(cached: "UPDATE ruleUse SET state = 'committed' WHERE id = ?", arguments: [reservation.id])
        }
    }

    /// The clone did not begin; its place is free again.
    package func release(_ reservation: RuleReservation) throws {
        try database.write {
            try $0.execute(
                cached: "DELETE FROM ruleUse WHERE id = ? AND state = 'reserved'",
                arguments: [reservation.id]
            )
        }
    }
}

// MARK: Pulls

extension Ledger {
    /// Takes one pull from a registry's allowance before the manifest is asked for.
    ///
    /// A reservation counts until it is released or its window has passed: after a crash between here and `commit`
    /// nobody knows whether the registry counted it, and the careful answer is that it did.
    ///
    /// - Parameters:
    ///   - quota: as configured; nil where only the registry's own headers limit.
    ///   - urgency: 0 a live run, 1 a person, 2 a new version, 3 a refresh.
    package func reservePull(
        host: String,
        credential: String,
        quota: PullQuota?,
        urgency: Int,
        now: Date
    ) throws -> PullAnswer {
        try database.write { database in
            try Self.clampFuture(host: host, credential: credential, in: database, at: now.milliseconds)
            let row = try HostRow.fetchOne(
                database,
                cached: "SELECT * FROM host WHERE host = ? AND credential = ?",
                arguments: [host, credential]
            )
            let count = try Self.quotaCount(
                host: host,
                credential: credential,
                header: row?.header,
                quota: quota,
                in: database,
                now: now
            )
            if let quota, row?.countedLimit != quota.pulls || row?.countedWindow != quota.seconds {
                try database.execute(
                    cached: """
                        INSERT INTO host (host, credential, countedLimit, countedWindow) VALUES (?, ?, ?, ?)
                        ON CONFLICT (host, credential) DO UPDATE SET countedLimit = excluded.countedLimit,
                            countedWindow = excluded.countedWindow
                        """,
                    arguments: [host, credential, quota.pulls, quota.seconds]
                )
            }
            if let until = count.wait(urgency: urgency, now: now) { return .later(until: until) }
            try database.execute(
                cached: "INSERT INTO pull (host, credential, at, state) VALUES (?, ?, ?, 'reserved')",
                arguments: [host, credential, now.milliseconds]
            )
            return .reserved(
                PullReservation(registry: host, id: database.lastInsertedRowID)
            )
        }
    }

    /// After the clock was set back, what lies in the future counts from now on, and not until the clock is there again.
    private static func clampFuture(
        host: String,
        credential: String,
        in database: Database,
        at: Milliseconds
    ) throws {
        try database.execute(
            cached: "UPDATE pull SET at = :at WHERE host = :host AND credential = :credential AND at > :at",
            arguments: ["at": at, "host": host, "credential": credential]
        )
        try database.execute(
            cached: """
                UPDATE host SET quotaSeenAt = :at
                WHERE host = :host AND credential = :credential AND quotaSeenAt > :at
                """,
            arguments: ["at": at, "host": host, "credential": credential]
        )
    }

    /// The registry counted the pull: the manifest was answered.
    package func commit(_ pull: PullReservation) throws {
        try database.write {
            try $0.execute(cached: "UPDATE pull SET state = 'committed' WHERE id = ?", arguments: [pull.id])
        }
    }

    /// Nobody knows whether the registry counted the pull: it counts from now on, until the registry says what it did.
    package func lose(_ pull: PullReservation, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: "UPDATE pull SET state = 'committed', at = ? WHERE id = ? AND state = 'reserved'",
                arguments: [now.milliseconds, pull.id]
            )
        }
    }

    /// After a start: what the last process had reserved and not settled is lost.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func loseReservations(now: Date) throws -> Int {
        try database.write {
            try $0.execute(
                cached: "UPDATE pull SET state = 'committed', at = ? WHERE state = 'reserved'",
                arguments: [now.milliseconds]
            )
            return $0.changesCount
        }
    }

    /// The registry refused a pull since the allowance is used up: by others on the same address, or by a count that
    /// differs from ours. That is its word, as good as a header.
    ///
    /// - Parameters:
    ///   - quota: as configured; its window holds where the registry names no time.
    ///   - retryAfter: the time that the registry named.
    package func exhaust(
        _ pull: PullReservation,
        credential: String,
        quota: PullQuota?,
        retryAfter: Duration?,
        now: Date
    ) throws {
        try database.write { database in
            try database.execute(cached: "DELETE FROM pull WHERE id = ? AND state = 'reserved'", arguments: [pull.id])
            let row = try HostRow.fetchOne(
                database,
                cached: "SELECT * FROM host WHERE host = ? AND credential = ?",
                arguments: [pull.registry, credential]
            )
            let header = row?.header.flatMap { now.timeIntervalSince($0.seenAt) < $0.window.seconds ? $0 : nil }
            // The headers of the same answer said so already.
            if header?.remaining == 0 { return }
            let window = retryAfter ?? header?.window ?? quota?.per ?? Self.assumedWindow
            try database.execute(
                cached: """
                    INSERT INTO host (host, credential, quotaLimit, quotaRemaining, quotaWindow, quotaSeenAt)
                    VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT (host, credential) DO UPDATE SET
                        quotaLimit = excluded.quotaLimit, quotaRemaining = 0,
                        quotaWindow = excluded.quotaWindow, quotaSeenAt = excluded.quotaSeenAt
                    """,
                arguments: [
                    pull.registry, credential, header?.limit ?? quota?.pulls ?? 0,
                    max(1, window.milliseconds / 1000), now.milliseconds,
                ]
            )
        }
    }

    /// Where a registry limits pulls and neither it nor the configuration names the window.
    static let assumedWindow = Duration.seconds(3600)

    /// The registry did not count it: no answer, or one that costs nothing.
    package func release(_ pull: PullReservation) throws {
        try database.write {
            try $0.execute(cached: "DELETE FROM pull WHERE id = ? AND state = 'reserved'", arguments: [pull.id])
        }
    }

    /// The count of one host and credential, with the pulls of the widest window that matters.
    static func quotaCount(
        host: String,
        credential: String,
        header: PullQuotaCount.Header?,
        quota: PullQuota?,
        in database: Database,
        now: Date
    ) throws -> PullQuotaCount {
        let window = max(header?.window ?? .zero, quota?.per ?? .zero)
        let pulls = try Row.fetchAll(
            database,
            cached: "SELECT at, state FROM pull WHERE host = ? AND credential = ? AND at > ? ORDER BY at",
            arguments: [host, credential, now.milliseconds - window.milliseconds]
        ).map {
            PullQuotaCount.Pull(at: Date(milliseconds: $0["at"]), isCommitted: $0["state"] == "committed")
        }
        return PullQuotaCount(quota: quota, header: header, pulls: pulls)
    }
}

extension PullQuota {
    fileprivate var seconds: Int { Int(per.milliseconds / 1000) }
}
