package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Deletes what is older than the configuration keeps: at most `batch` rows of every table in one short transaction,
    /// so that nobody waits for it.
    ///
    /// - Returns: whether there is more to delete; the caller goes on after a breath.
    package func prune(_ keep: RetentionPeriods, batch: Int = 500, now: Date) throws -> Bool {
        try database.write { database in
            try database.execute(
                sql: "UPDATE setting SET value = ? WHERE key = 'keepAuditMilliseconds' AND value <> ?",
                arguments: [String(keep.audit.milliseconds), String(keep.audit.milliseconds)]
            )
            var isMore = false
            for rule in Self.retentionRules(keep, at: now.milliseconds) {
                try database.execute(
                    sql: """
                        DELETE FROM \(rule.table) WHERE rowid IN (
                            SELECT \(rule.table).rowid FROM \(rule.table) WHERE \(rule.condition) LIMIT ?)
                        """,
                    arguments: [rule.cutoff, batch]
                )
                if database.changesCount >= batch { isMore = true }
            }
            let oldest = now.milliseconds - keep.audit.milliseconds
            if try AuditChain.prune(before: oldest, batch: batch, in: database) { isMore = true }
            if try Self.pruneManifests(database, to: Self.keptManifestBytes, batch: batch) { isMore = true }
            return isMore
        }
    }

    /// Gives pages that deletions freed back to the disk, a few at a time.
    ///
    /// - Returns: whether there are more.
    package func vacuum(pages: Int = 256) throws -> Bool {
        try database.writeWithoutTransaction { database in
            let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            guard free > 0 else { return false }
            // Every step of the statement frees one page.
            _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum(\(pages))")
            let left = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            return left > 0 && left < free
        }
    }

    struct RetentionRule {
        var table: String
        /// With one parameter: rows older than it go.
        var condition: String
        var cutoff: Milliseconds
    }

    static func retentionRules(_ keep: RetentionPeriods, at now: Milliseconds) -> [RetentionRule] {
        let attempts = now - keep.attempts.milliseconds
        let events = now - keep.events.milliseconds
        // Longer than any window of a quota or a rate may be.
        let windows = now - Duration.seconds(32 * 86_400).milliseconds
        // ECR forgets an upload after a day.
        let uploads = now - Duration.seconds(2 * 86_400).milliseconds
        return [
            RetentionRule(table: "attempt", condition: "endedAt < ?", cutoff: attempts),
            RetentionRule(table: "event", condition: "at < ?", cutoff: events),
            RetentionRule(table: "demand", condition: "endedAt < ?", cutoff: attempts),
            RetentionRule(table: "unresolved", condition: "endedAt < ?", cutoff: attempts),
            // The last word on a place is kept, however old.
            RetentionRule(table: "digest", condition: "isReplaced = 1 AND lastSeenAt < ?", cutoff: attempts),
            RetentionRule(table: "run", condition: "endedAt < ?", cutoff: events),
            RetentionRule(table: "coverage", condition: "at < ?", cutoff: events),
            RetentionRule(table: "request", condition: "endedAt < ?", cutoff: events),
            RetentionRule(table: "pull", condition: "at < ?", cutoff: windows),
            RetentionRule(table: "ruleUse", condition: "at < ?", cutoff: windows),
            RetentionRule(table: "notice", condition: "at < ?", cutoff: events),
            RetentionRule(table: "ruleHit", condition: "lastAt < ?", cutoff: now - keep.audit.milliseconds),
            RetentionRule(table: "manifest", condition: "usedAt < ?", cutoff: attempts),
            RetentionRule(table: "upload", condition: "updatedAt < ?", cutoff: uploads),
        ]
    }
}
