package import Foundation

/// The story of one reference: which digests it had upstream and in ECR, when, and which runs used them. Newest first.
package struct TagHistory: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var reference: String
    package var entries: [Entry]

    package init(schemaVersion: Int = 1, reference: String, entries: [Entry]) {
        self.schemaVersion = schemaVersion
        self.reference = reference
        self.entries = entries
    }

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

        package init(
            location: String,
            digest: String,
            previousDigest: String? = nil,
            firstSeenAt: Date,
            lastSeenAt: Date,
            note: String? = nil,
            runs: [String],
            runsTotal: Int
        ) {
            self.location = location
            self.digest = digest
            self.previousDigest = previousDigest
            self.firstSeenAt = firstSeenAt
            self.lastSeenAt = lastSeenAt
            self.note = note
            self.runs = runs
            self.runsTotal = runsTotal
        }
    }
}
