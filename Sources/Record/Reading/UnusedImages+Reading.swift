package import Foundation
import GRDB
package import Model

/// What the record knows of images that could go, and of those that must stay.
package struct UnusedCandidates: Sendable {
    package var images: [UnusedImages.Image]
    /// Digests that ECR holds for what somebody wants, by repository with its registry.
    package var needed: [String: Set<String>]
    package var region: String?
}

extension RecordReader {
    /// Ready images that no run or person has wanted since a time, and nothing wants now.
    package func unused(since: Date) throws -> UnusedCandidates {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT *, (SELECT MAX(endedAt) FROM demand WHERE imageID = image.id AND kind = 'run'
                        AND certainty <> 'inactive') AS lastRunAt
                    FROM image WHERE state = 'ready' AND destination <> '' AND COALESCE(readyAt, createdAt) < :since
                    AND NOT EXISTS (SELECT 1 FROM demand WHERE imageID = image.id AND certainty <> 'inactive'
                        AND (endedAt IS NULL OR kind IN ('run', 'clone') AND endedAt >= :since))
                    ORDER BY bytes DESC, source, destination
                    """,
                arguments: ["since": since.milliseconds]
            )
            let ids = Set(rows.map { $0["id"] as Int64 })
            let images = rows.map { row in
                let destination: String = row["destination"]
                let place = Self.place(destination)
                return UnusedImages.Image(
                    source: row["source"],
                    destination: destination,
                    repository: place.repository,
                    tag: place.tag,
                    digest: row["ecrDigest"],
                    bytes: row["bytes"],
                    readyAt: Date(milliseconds: row["readyAt"] ?? row["createdAt"]),
                    lastRunAt: (row["lastRunAt"] as Milliseconds?).map(Date.init(milliseconds:))
                )
            }
            var needed: [String: Set<String>] = [:]
            let others = try Row.fetchCursor(
                database,
                sql: "SELECT id, destination, ecrDigest, platformDigest FROM image WHERE destination <> ''"
            )
            while let row = try others.next() {
                guard !ids.contains(row["id"]) else { continue }
                let digests = [row["ecrDigest"] as String?, row["platformDigest"] as String?].compactMap(\.self)
                needed[Self.place(row["destination"]).repository, default: []].formUnion(digests)
            }
            let region = try String.fetchOne(database, sql: "SELECT region FROM daemon")
            return UnusedCandidates(images: images, needed: needed, region: region)
        }
    }

    /// An ECR URI's repository with its registry, and its tag. The host of ECR has no port.
    private static func place(_ destination: String) -> (repository: String, tag: String?) {
        let name = destination.prefix { $0 != "@" }
        guard let colon = name.lastIndex(of: ":") else { return (String(name), nil) }
        return (String(name[..<colon]), String(name[name.index(after: colon)...]))
    }
}
