package import Names

/// What ECR holds at a location, as far as it was looked at.
package struct ECRHolding: Sendable, Equatable {
    package enum Presence: Sendable, Equatable {
        case noRepository
        case noImage
        /// Described, but in archive storage: it cannot be pulled until it is pushed again.
        case archived
        case held
    }

    package var presence: Presence
    /// The digest that the tag (or the digest itself) names.
    package var digest: Digest?
    package var mediaType: MediaType?
    /// The linux/amd64 manifest: the image itself, or the child of an index.
    package var platformDigest: Digest?
    /// Platforms of an index, for the message when amd64 is not among them.
    package var platforms: [Platform] = []
    /// Config and layers of the linux/amd64 manifest, in bytes.
    package var bytes: Int64?
    /// Blobs of that manifest that ECR does not have available.
    package var missingBlobs: [Digest] = []
    package var access: HealthOmicsAccess = .unknown
    /// Why HealthOmics may not read it, or may only under conditions.
    package var accessReason: String?

    package init(_ presence: Presence) { self.presence = presence }

    /// Everything a task needs to pull it, but for the policy.
    package var isComplete: Bool { presence == .held && platformDigest != nil && missingBlobs.isEmpty }
}
