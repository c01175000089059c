import Foundation
import GRDB
import Model

extension ActivityReport.Storage {
    /// Counted anew: it grows with the record.
    static func counted(in database: Database, region: String?) throws -> Self {
        // A destination without its tag or digest. The host of ECR has no port.
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT COUNT(*) AS images, COALESCE(SUM(bytes), 0) AS bytes FROM (
                    SELECT MAX(bytes) AS bytes FROM image WHERE state = 'ready' AND ecrDigest IS NOT NULL
                    GROUP BY CASE WHEN instr(destination, '@') > 0 THEN substr(destination, 1, instr(destination, '@') - 1)
                        WHEN instr(destination, ':') > 0 THEN substr(destination, 1, instr(destination, ':') - 1)
                        ELSE destination END, ecrDigest)
                """
        )
        return .init(images: row?["images"] ?? 0, bytes: row?["bytes"] ?? 0, region: region)
    }

    /// As it was counted last; nil before.
    static func noted(in database: Database, region: String?) throws -> Self? {
        let text = try String.fetchOne(database, sql: "SELECT value FROM setting WHERE key = 'storage'")
        let parts = text?.split(separator: " ").compactMap { Int64($0) } ?? []
        return parts.count == 2 ? .init(images: Int(parts[0]), bytes: parts[1], region: region) : nil
    }
}

extension Ledger {
    /// Counts what the ready images take, for `status`, which does not count itself.
    package func noteStorage() throws {
        // Counted apart: nobody's write waits for it.
        let storage = try database.read { try ActivityReport.Storage.counted(in: $0, region: nil) }
        try database.write { database in
            try database.execute(
                sql:
                    "INSERT INTO setting (key, value) VALUES ('storage', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                arguments: ["\(storage.images) \(storage.bytes)"]
            )
        }
    }
}
