package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Ready images whose tag is to be looked at upstream, the longest unseen first: named by tag alone, and wanted by a run
    /// or an active version.
    package func toRefresh(limit: Int, seenBefore: Date, pausedRegistries: Set<String>) throws -> [ImageRecord] {
        try database.read { database in
            let rows = try ImageRecord.fetchCursor(
                database,
                cached: Self.tagsToRefresh,
                arguments: [seenBefore.milliseconds]
            )
            var due: [ImageRecord] = []
            while due.count < limit, let row = try rows.next() {
                if !pausedRegistries.contains(row.registry) { due.append(row) }
            }
            return due
        }
    }

    /// By the index `imageByRefresh`.
    package static let tagsToRefresh = """
        SELECT * FROM image INDEXED BY imageByRefresh
        WHERE state = 'ready' AND COALESCE(upstreamSeenAt, readyAt, 0) < ?
        AND instr(source, '@') = 0 AND source <> destination
        AND EXISTS (SELECT 1 FROM demand WHERE imageID = image.id AND endedAt IS NULL AND certainty <> 'inactive')
        ORDER BY COALESCE(upstreamSeenAt, readyAt, 0)
        """

    /// Upstream was looked at, and the tag is where it was; with no digest, that could not be told.
    package func sawUpstreamUnchanged(_ imageID: Int64, digest: String?, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: "UPDATE image SET upstreamSeenAt = ?, sourceDigest = COALESCE(sourceDigest, ?) WHERE id = ?",
                arguments: [now.milliseconds, digest, imageID]
            )
            if digest != nil { try Self.tell(.tagUnmoved, of: imageID, in: $0, now: now) }
        }
    }

    /// Upstream's tag has moved. With `follows` the image is due again; without, it is only marked. It stays ready.
    package func sawUpstreamMoved(_ imageID: Int64, to digest: String, follows: Bool, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: "UPDATE image SET upstreamSeenAt = ? WHERE id = ?",
                arguments: [now.milliseconds, imageID]
            )
            try Self.tell(.tagMoved(to: digest, follows: follows), of: imageID, in: $0, now: now)
        }
    }
}
