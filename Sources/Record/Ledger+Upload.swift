package import Foundation
import GRDB
import Model

/// An upload of a very large layer that was begun and may go on.
package struct StoredUpload: Sendable, Hashable {
    package var uploadID: String
    /// Of each part but the last, in bytes.
    package var partSize: Int
    /// Bytes that the registry has confirmed.
    package var bytesSent: Int64

    package init(uploadID: String, partSize: Int, bytesSent: Int64) {
        self.uploadID = uploadID
        self.partSize = partSize
        self.bytesSent = bytesSent
    }
}

/// Uploads of very large layers that were begun.
extension Ledger {
    package func upload(registry: String, repository: String, digest: String) throws -> StoredUpload? {
        try database.read { database in
            try Row.fetchOne(
                database,
                cached:
                    "SELECT uploadID, partSize, offset FROM upload WHERE registry = ? AND repository = ? AND digest = ?",
                arguments: [registry, repository, digest]
            ).map { StoredUpload(uploadID: $0["uploadID"], partSize: $0["partSize"], bytesSent: $0["offset"]) }
        }
    }

    package func keepUpload(
        _ upload: StoredUpload,
        registry: String,
        repository: String,
        digest: String,
        now: Date
    ) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT OR REPLACE INTO upload (registry, repository, digest, uploadID, partSize, offset, updatedAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    registry, repository, digest, upload.uploadID, upload.partSize, upload.bytesSent, now.milliseconds,
                ]
            )
        }
    }

    package func dropUpload(registry: String, repository: String, digest: String) throws {
        try database.write {
            try $0.execute(
                cached: "DELETE FROM upload WHERE registry = ? AND repository = ? AND digest = ?",
                arguments: [registry, repository, digest]
            )
        }
    }
}
