package import Foundation
import GRDB
import Remotes

/// The story of one reference: which digests it had upstream and in ECR, when, and which runs used them. Newest first.
package struct TagHistory: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var reference: String
    package var entries: [Entry]

    /// A digest that the reference had at one place.
    package struct Entry: Codable, Sendable, Equatable {
        /// `upstream`, or the ECR URI.
        package var location: String
        package var digest: String
        /// What the place had before; absent for the first.
        package var previousDigest: String?
        package var firstSeenAt: Date
        package var lastSeenAt: Date
        /// `cloned`, `moved`, `gone`, `kept as TAG`.
        package var note: String?
        /// Runs that used it there; at most ten ids, newest first. Empty for upstream.
        package var runs: [String]
        package var runsTotal: Int
    }

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

    /// The story as a person reads it, newest first.
    package func lines(now: Date, style: TextStyle) -> [String] {
        var lines = [style.tinted(style.fitted(reference), .bold)]
        if entries.isEmpty { lines.append("  nothing was seen of it yet") }
        for entry in entries {
            let stamp = Phrase.stamp(entry.firstSeenAt, zone: style.zone)
            lines.append("  " + style.fitted("\(stamp)  \(entry.sentence)", indent: 2))
            lines.append("    " + style.fitted("last seen \(Phrase.age(entry.lastSeenAt, now: now))", indent: 4))
            if entry.runsTotal > 0 {
                let more = entry.runsTotal > entry.runs.count ? " …" : ""
                lines.append(
                    "    "
                        + style.fitted(
                            "used by \(Phrase.count(entry.runsTotal, "run")): \(entry.runs.joined(separator: ", "))\(more)",
                            indent: 4
                        )
                )
            }
        }
        return lines
    }
}

extension TagHistory.Entry {
    var sentence: String {
        let digest = Phrase.short(digest)
        let was = previousDigest.map { ", was \(Phrase.short($0))" } ?? ""
        if location == "upstream" {
            if note == "gone" { return "gone upstream\(was)" }
            let left = note.flatMap { $0 == "moved" ? nil : " (\($0))" } ?? ""
            return (previousDigest == nil ? "upstream is at \(digest)" : "upstream moved to \(digest)\(was)") + left
        }
        switch note {
        case "cloned": return "cloned to \(location) as \(digest)\(was)"
        case "gone": return "gone from \(location)\(was)"
        case let note?: return "\(location) at \(digest), \(note)\(was)"
        case nil: return "\(location) had \(digest)\(was)"
        }
    }
}
