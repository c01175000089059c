import Foundation
import GRDB
import Logging
package import Remotes

/// Uploads of very large layers that were begun, kept in the record.
package struct LedgerUploadJournal: UploadJournal {
    private let ledger: Ledger
    private let timeline: Timeline

    package init(ledger: Ledger, timeline: Timeline) {
        self.ledger = ledger
        self.timeline = timeline
    }

    package func load(registry: String, repository: String, digest: Digest) async -> UploadRecord? {
        let row = try? ledger.database.read { database in
            try Row.fetchOne(
                database,
                sql:
                    "SELECT uploadID, partSize, offset FROM upload WHERE registry = ? AND repository = ? AND digest = ?",
                arguments: [registry, repository, digest.description]
            )
        }
        guard let row else { return nil }
        return UploadRecord(
            registry: registry,
            repository: repository,
            digest: digest,
            uploadID: row["uploadID"],
            partSize: row["partSize"],
            bytesSent: row["offset"]
        )
    }

    package func save(_ record: UploadRecord) async {
        let at = timeline.now().milliseconds
        keep {
            try $0.execute(
                sql: """
                    INSERT OR REPLACE INTO upload (registry, repository, digest, uploadID, partSize, offset, updatedAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    record.registry, record.repository, record.digest.description, record.uploadID, record.partSize,
                    record.bytesSent, at,
                ]
            )
        }
    }

    package func drop(registry: String, repository: String, digest: Digest) async {
        keep {
            try $0.execute(
                sql: "DELETE FROM upload WHERE registry = ? AND repository = ? AND digest = ?",
                arguments: [registry, repository, digest.description]
            )
        }
    }

    /// Losing an entry costs bytes, never correctness.
    private func keep(_ body: (Database) throws -> Void) {
        do {
            try ledger.database.write(body)
        } catch {
            Logger.current.warning("An upload could not be noted in the record", metadata: ["error": "\(error)"])
        }
    }
}
