package import Foundation

/// Ready images that no run has used for a time and that nothing wants now, and how ECR could let go of them. Nothing is
/// deleted, or changed, by us.
package struct UnusedImages: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var generatedAt: Date
    package var since: Date
    package var images: [Image]
    /// What they take in ECR at most, each manifest of a repository counted once.
    package var storage: ActivityReport.Storage
    package var policies: [Policy] = []
    package var notes: [String] = []

    package init(generatedAt: Date, since: Date, images: [Image], region: String?) {
        self.generatedAt = generatedAt
        self.since = since
        self.images = images
        let manifests = Dictionary(images.map { ([$0.repository, $0.digest ?? $0.destination], $0.bytes ?? 0) }) {
            max($0, $1)
        }
        storage = .init(images: manifests.count, bytes: manifests.values.reduce(0, +), region: region)
    }

    package struct Image: Codable, Sendable, Equatable {
        package var source: String
        package var destination: String
        /// With its registry.
        package var repository: String
        package var tag: String?
        package var digest: String?
        package var bytes: Int64?
        package var readyAt: Date
        /// When the last run ended that wanted it, as far as the record goes back.
        package var lastRunAt: Date?
        /// Why no rule is proposed for it; absent where one is.
        package var keptBecause: String?

        package init(
            source: String,
            destination: String,
            repository: String,
            tag: String?,
            digest: String?,
            bytes: Int64?,
            readyAt: Date,
            lastRunAt: Date?
        ) {
            self.source = source
            self.destination = destination
            self.repository = repository
            self.tag = tag
            self.digest = digest
            self.bytes = bytes
            self.readyAt = readyAt
            self.lastRunAt = lastRunAt
        }
    }

    /// A lifecycle policy that would let go of the unused images of one repository, and of no other.
    package struct Policy: Codable, Sendable, Equatable {
        /// With its registry.
        package var repository: String
        package var tags: [String]
        /// The policy's text, as PutLifecyclePolicy takes it.
        package var text: String
        /// The commands by which a person looks at what it would do, and then puts it.
        package var commands: [String]

        package init(repository: String, tags: [String], text: String, commands: [String]) {
            self.repository = repository
            self.tags = tags
            self.text = text
            self.commands = commands
        }
    }

    package func json() throws -> String { try ReportJSON.text(self) }
}
