package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Every host that something is known of, by name.
    package func hosts() throws -> [HostRow] {
        try database.read { try HostRow.fetchAll($0, cached: "SELECT * FROM host ORDER BY host, credential") }
    }

    /// Answers to requests that were out together come in any order: for so long after a word the lower one counts.
    private static let crossing = Duration.seconds(30)

    /// The registry said what it allows, in the headers of one answer.
    ///
    /// More than it said a moment ago, under the same limit, is taken for an older answer that came later, and waits for
    /// the next word.
    ///
    /// What it leaves out is taken from the configured quota, as it was when a pull was made last.
    package func sawQuota(host: String, credential: String, _ said: RateLimitHeaders, now: Date) throws {
        try database.write {
            let row = try HostRow.fetchOne(
                $0,
                cached: "SELECT * FROM host WHERE host = ? AND credential = ?",
                arguments: [host, credential]
            )
            let limit = said.limit ?? max(row?.countedLimit ?? 0, said.remaining)
            let window =
                said.window ?? (row?.countedWindow ?? row?.quotaWindow).map { .seconds($0) } ?? Self.assumedWindow
            try $0.execute(
                cached: """
                    INSERT INTO host (host, credential, quotaLimit, quotaRemaining, quotaWindow, quotaSeenAt)
                    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (host, credential) DO UPDATE SET
                        quotaLimit = excluded.quotaLimit, quotaRemaining = excluded.quotaRemaining,
                        quotaWindow = excluded.quotaWindow, quotaSeenAt = excluded.quotaSeenAt
                    WHERE quotaSeenAt IS NULL OR quotaLimit <> excluded.quotaLimit
                        OR quotaWindow <> excluded.quotaWindow OR quotaRemaining >= excluded.quotaRemaining
                        OR quotaSeenAt NOT BETWEEN excluded.quotaSeenAt - ? AND excluded.quotaSeenAt
                    """,
                arguments: [
                    host, credential, limit, said.remaining, max(1, window.milliseconds / 1000), now.milliseconds,
                    Self.crossing.milliseconds,
                ]
            )
        }
    }

    /// Nothing is asked of a host before then; nil: it may be asked again.
    package func pause(host: String, credential: String = "", until: Date?, reason: String?, now: Date) throws {
        try database.write { database in
            if let reason, reason.hasPrefix(HostRow.credentialPause) {
                let former = try String.fetchOne(
                    database,
                    cached: "SELECT pauseReason FROM host WHERE host = ? AND credential = ?",
                    arguments: [host, credential]
                )
                if former != reason { try Self.noteRefused(host, reason, in: database, now: now) }
            }
            try database.execute(
                cached: """
                    INSERT INTO host (host, credential, pausedUntil, pauseReason) VALUES (?, ?, ?, ?)
                    ON CONFLICT (host, credential) DO UPDATE SET pausedUntil = excluded.pausedUntil,
                        pauseReason = excluded.pauseReason
                    """,
                arguments: [host, credential, until?.milliseconds, reason]
            )
        }
    }

    /// After a reload: pauses for credentials end, since these may be others now.
    package func endCredentialPauses() throws {
        try database.write {
            try $0.execute(
                cached: """
                    UPDATE host SET pausedUntil = NULL, pauseReason = NULL
                    WHERE pauseReason LIKE '\(HostRow.credentialPause)%'
                    """
            )
        }
    }

    /// The circuit breaker of a host, kept so that a restart does not forget it.
    package func breaker(host: String, state: String, until: Date?, failures: Int) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT INTO host (host, credential, breaker, breakerUntil, failures) VALUES (?, '', ?, ?, ?)
                    ON CONFLICT (host, credential) DO UPDATE SET breaker = excluded.breaker,
                        breakerUntil = excluded.breakerUntil, failures = excluded.failures
                    """,
                arguments: [host, state, until?.milliseconds, failures]
            )
        }
    }
}

extension HostRow {
    /// The count as it stands, by the limit that was configured when a pull was made last.
    func quotaCount(in database: Database, now: Date) throws -> PullQuotaCount {
        var quota: PullQuota?
        if let countedLimit, let countedWindow { quota = PullQuota(pulls: countedLimit, per: .seconds(countedWindow)) }
        return try Ledger.quotaCount(
            host: host,
            credential: credential,
            header: header,
            quota: quota,
            in: database,
            now: now
        )
    }
}
