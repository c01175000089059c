import Foundation
import GRDB
package import Model
import Names

extension TagHistory {
    /// - Parameter image: a reference as people write it, or an ECR URI that images are cloned to.
    /// - Throws: `LedgerError` when nothing is recorded for it.
    package static func read(_ image: String, from reader: RecordReader) throws -> [TagHistory] {
        let canonical = (try? ImageReference(image))?.description ?? image
        return try reader.read { database in
            let sources = try String.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT source FROM image WHERE source IN (:text, :canonical)
                    OR destination IN (:text, :canonical)
                    UNION SELECT source FROM digest WHERE source = :canonical ORDER BY 1
                    """,
                arguments: ["text": image, "canonical": canonical]
            )
            let histories = try sources.map { source in
                TagHistory(reference: source, entries: try entries(of: source, in: database))
            }
            if sources.isEmpty {
                throw LedgerError("\(canonical) is not in the record: no run or workflow that preclone saw needs it")
            }
            return histories
        }
    }

    private static func entries(of source: String, in database: Database) throws -> [Entry] {
        var last: [String: Int] = [:]
        var entries: [Entry] = []
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT * FROM digest WHERE source = ? ORDER BY firstSeenAt, id",
            arguments: [source]
        )
        for row in rows {
            let location: String = row["location"]
            let previous = last[location]
            last[location] = entries.count
            entries.append(
                Entry(
                    location: location,
                    digest: row["digest"],
                    previousDigest: previous.map { entries[$0].digest },
                    firstSeenAt: Date(milliseconds: row["firstSeenAt"]),
                    lastSeenAt: Date(milliseconds: row["lastSeenAt"]),
                    note: row["note"],
                    runs: [],
                    runsTotal: 0
                )
            )
        }
        var until: [String: Date] = [:]
        for index in entries.indices.reversed() where entries[index].location != "upstream" {
            let entry = entries[index]
            let runs = try runs(
                source,
                at: entry.location,
                from: entry.firstSeenAt,
                to: until[entry.location],
                in: database
            )
            entries[index].runs = Array(runs.prefix(10))
            entries[index].runsTotal = runs.count
            until[entry.location] = entry.firstSeenAt
        }
        return entries.reversed()
    }

    /// Runs that wanted the image while the place had one digest.
    private static func runs(
        _ source: String,
        at location: String,
        from: Date,
        to end: Date?,
        in database: Database
    ) throws -> [String] {
        try String.fetchAll(
            database,
            sql: """
                SELECT demand.subject FROM image JOIN demand ON demand.imageID = image.id
                WHERE image.source = ? AND image.destination = ? AND demand.kind = 'run'
                AND demand.certainty <> 'inactive'
                AND demand.createdAt < ? AND (demand.endedAt IS NULL OR demand.endedAt >= ?)
                ORDER BY demand.id DESC
                """,
            arguments: [source, location, end?.milliseconds ?? Milliseconds.max, from.milliseconds]
        ).map { String($0.prefix { $0 != "@" }) }
    }
}
