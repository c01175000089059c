import GRDB

/// Where one image stands, in few words: for whoever follows the record while it is worked on.
package struct ImageGlimpse: Sendable, Equatable {
    package var source: String
    package var destination: String
    package var state: String
    package var route: String?
    package var platformDigest: String?
    /// The digest under its name in ECR.
    package var digest: String?
    /// The live runs that need it.
    package var runs: [String]
    /// How far a copy is; nil when none runs.
    package var progress: String?

    package var key: String { source + " " + destination }

    package var line: String {
        var text = state + String(repeating: " ", count: max(0, 9 - state.count)) + " " + source
        if state == "ready", let route { text += "  by \(route)" }
        if let progress, state == "cloning" { text += "  \(progress)" }
        return text
    }

    /// Whether a definition's text means this image: the canonical source ends with it, short names of Docker Hub
    /// included.
    package func matches(_ text: String) -> Bool { source == text || source.hasSuffix("/\(text)") }
}

extension RecordReader {
    /// Every image of the record, in the order they were asked for.
    package func glimpses() throws -> [ImageGlimpse] {
        try database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT source, destination, state, route, platformDigest, ecrDigest, bytesDone, bytesTotal,
                    (SELECT group_concat(run.id, ' ') FROM demand JOIN run ON run.key = demand.subject
                        WHERE demand.imageID = image.id AND kind = 'run' AND demand.endedAt IS NULL) AS runs
                    FROM image LEFT JOIN progress ON progress.imageID = image.id ORDER BY image.id
                    """
            ).map { row in
                let done = row["bytesDone"] as Int64?
                let total = row["bytesTotal"] as Int64?
                return ImageGlimpse(
                    source: row["source"],
                    destination: row["destination"],
                    state: row["state"],
                    route: row["route"],
                    platformDigest: row["platformDigest"],
                    digest: row["ecrDigest"],
                    runs: (row["runs"] as String?)?.split(separator: " ").map(String.init).sorted() ?? [],
                    progress: total.flatMap { total in
                        total > 0 ? done.map { "\($0 * 100 / total) % of \(total / 1_000_000) MB" } : nil
                    }
                )
            }
        }
    }
}
