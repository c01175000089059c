import Foundation
import Logging
package import Names
package import Record
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
        guard
            let stored = try? ledger.upload(registry: registry, repository: repository, digest: digest.description)
        else { return nil }
        return UploadRecord(
            registry: registry,
            repository: repository,
            digest: digest,
            uploadID: stored.uploadID,
            partSize: stored.partSize,
            bytesSent: stored.bytesSent
        )
    }

    package func save(_ record: UploadRecord) async {
        keep {
            try ledger.keepUpload(
                StoredUpload(uploadID: record.uploadID, partSize: record.partSize, bytesSent: record.bytesSent),
                registry: record.registry,
                repository: record.repository,
                digest: record.digest.description,
                now: timeline.now()
            )
        }
    }

    package func drop(registry: String, repository: String, digest: Digest) async {
        keep { try ledger.dropUpload(registry: registry, repository: repository, digest: digest.description) }
    }

    /// Losing an entry costs bytes, never correctness.
    private func keep(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            Logger.current.warning("An upload could not be noted in the record", metadata: ["error": "\(error)"])
        }
    }
}
