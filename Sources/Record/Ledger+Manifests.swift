package import Foundation
import GRDB
import Model

/// A manifest as it is kept.
package struct StoredManifest: Sendable, Hashable {
    package var mediaType: String
    package var content: Data

    package init(mediaType: String, content: Data) {
        self.mediaType = mediaType
        self.content = content
    }
}

/// Manifests by digest: what was read once is not asked for again.
extension Ledger {
    /// How many bytes of them are kept: those used last.
    package static let keptManifestBytes = 256 << 20

    package func manifest(_ digest: String, now: Date) throws -> StoredManifest? {
        let found = try database.read { database in
            try Row.fetchOne(
                database,
                cached: "SELECT mediaType, content, usedAt FROM manifest WHERE digest = ?",
                arguments: [digest]
            )
        }
        guard let found else { return nil }
        let today = Self.day(of: now)
        if (found["usedAt"] as Milliseconds) < today {
            try database.write {
                try $0.execute(cached: "UPDATE manifest SET usedAt = ? WHERE digest = ?", arguments: [today, digest])
            }
        }
        return StoredManifest(mediaType: found["mediaType"], content: found["content"])
    }

    package func keep(_ manifest: StoredManifest, digest: String, now: Date) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT INTO manifest (digest, mediaType, size, usedAt, content) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (digest) DO UPDATE SET usedAt = excluded.usedAt
                    """,
                arguments: [digest, manifest.mediaType, manifest.content.count, Self.day(of: now), manifest.content]
            )
        }
    }

    /// Deletes those used longest ago, until the rest is within bounds; at most `batch`.
    ///
    /// - Returns: whether there is more to delete.
    static func pruneManifests(_ database: Database, to bytes: Int, batch: Int) throws -> Bool {
        var excess = try Int.fetchOne(database, cached: "SELECT SUM(size) FROM manifest") ?? 0
        excess -= bytes
        guard excess > 0 else { return false }
        let oldest = try Row.fetchAll(
            database,
            cached: "SELECT rowid, size FROM manifest ORDER BY usedAt LIMIT ?",
            arguments: [batch]
        )
        for row in oldest where excess > 0 {
            try database.execute(cached: "DELETE FROM manifest WHERE rowid = ?", arguments: [row["rowid"] as Int64])
            excess -= row["size"] as Int
        }
        return excess > 0
    }

    private static func day(of now: Date) -> Milliseconds { now.milliseconds / 86_400_000 * 86_400_000 }
}
