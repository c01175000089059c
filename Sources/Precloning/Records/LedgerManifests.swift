import Foundation
import Logging
package import Names
package import Record
package import Remotes

/// Manifests that were read, kept in the record.
package struct LedgerManifests: ManifestStore {
    private let ledger: Ledger
    private let timeline: Timeline

    package init(ledger: Ledger, timeline: Timeline) {
        self.ledger = ledger
        self.timeline = timeline
    }

    package func load(_ digest: Digest) async -> ManifestDocument? {
        guard let stored = try? ledger.manifest(digest.description, now: timeline.now()) else { return nil }
        // Its digest is computed again: what was spoilt on the disk is read anew.
        return try? ManifestDocument(
            bytes: Array(stored.content),
            contentType: stored.mediaType,
            expected: digest
        )
    }

    package func keep(_ document: ManifestDocument) async {
        do {
            try ledger.keep(
                StoredManifest(mediaType: document.mediaType.rawValue, content: Data(document.bytes)),
                digest: document.digest.description,
                now: timeline.now()
            )
        } catch {
            Logger.current.warning("A manifest could not be kept in the record", metadata: ["error": "\(error)"])
        }
    }
}
