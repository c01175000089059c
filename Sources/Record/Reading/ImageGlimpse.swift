import GRDB
package import Model

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
