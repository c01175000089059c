package import Remotes
import Synchronization

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

/// Looks at what ECR holds, by its API: what a manifest request answers proves nothing about the layers.
package struct ECRView: Sendable {
    /// Reads a small blob of a location's repository.
    package typealias BlobReader = @Sendable (ECRLocation, Descriptor) async throws -> [UInt8]

    let ecr: ECRClient
    private let readBlob: BlobReader
    private let platforms = SeenPlatforms()

    package init(ecr: ECRClient, readBlob: @escaping BlobReader) {
        self.ecr = ecr
        self.readBlob = readBlob
    }

    /// Looks at one location in full: tag or digest, the linux/amd64 manifest, its blobs, and the repository's policy.
    ///
    /// - Parameter known: the digest of a manifest that was found to be of linux/amd64 before, so that its configuration
    ///   need not be read again.
    package func look(at location: ECRLocation, known: Digest? = nil) async throws -> ECRHolding {
        var holding = try await image(at: location)
        guard holding.presence == .held, let digest = holding.digest else { return holding }
        try await fill(&holding, digest: digest, at: location, known: known)
        let verdict = try await access(to: location)
        holding.access = verdict.access
        holding.accessReason = verdict.reason
        return holding
    }

    /// Whether the tag or digest is there and active, and which digest it has. One call.
    package func image(at location: ECRLocation) async throws -> ECRHolding {
        let wanted = ImageIdentifier(
            imageDigest: location.digest?.description,
            imageTag: location.digest == nil ? location.tag : nil
        )
        let details: [ImageDetail]
        do {
            details = try await ecr.describeImages(
                repositoryName: location.repository,
                registryId: location.account,
                imageIds: [wanted]
            )
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return ECRHolding(.noRepository)
        } catch let error as AWSError where error.code == "ImageNotFoundException" {
            return ECRHolding(.noImage)
        }
        guard let detail = details.first else { return ECRHolding(.noImage) }
        return Self.holding(detail)
    }

    static func holding(_ detail: ImageDetail) -> ECRHolding {
        let isActive = detail.imageStatus == nil || detail.imageStatus == .active
        var holding = ECRHolding(isActive ? .held : .archived)
        holding.digest = detail.imageDigest.flatMap { try? Digest($0) }
        holding.mediaType = detail.imageManifestMediaType.map(MediaType.init(rawValue:))
        return holding
    }

    /// The linux/amd64 manifest of what is held, and which of its blobs are missing.
    package func fill(
        _ holding: inout ECRHolding,
        digest: Digest,
        at location: ECRLocation,
        known: Digest? = nil
    ) async throws {
        guard let top = try await manifest(digest, at: location) else {
            holding.presence = .noImage
            return
        }
        let image: Manifest
        switch top.content {
        case .index(let index):
            holding.platforms = index.images.compactMap(\.platform)
            guard let child = index.images.first(where: { $0.platform.map(Platform.linuxAMD64.accepts) ?? false })
            else {
                return
            }
            holding.platformDigest = child.digest
            guard case .image(let found)? = try await manifest(child.digest, at: location)?.content else {
                holding.missingBlobs = [child.digest]
                return
            }
            image = found
        case .image(let found):
            holding.platformDigest = digest
            image = found
        }
        let blobs = image.blobs
        holding.bytes = blobs.reduce(0) { $0 + $1.size }
        let wanted = Array(Set(blobs.map(\.digest)))
        let available = try await ecr.batchCheckLayerAvailability(
            repositoryName: location.repository,
            registryId: location.account,
            layerDigests: wanted.map(\.description)
        )
        let there = Set(available.filter { $0.layerAvailability == .available }.compactMap(\.layerDigest))
        holding.missingBlobs = wanted.filter { !there.contains($0.description) }
        guard case .image = top.content, digest != known else { return }
        // A manifest outside an index does not say its platform; its configuration does.
        let configuration = image.configuration
        guard configuration.mediaType.isImageConfiguration, configuration.size <= ImageConfiguration.maximumBytes,
            there.contains(configuration.digest.description),
            let platform = try await platform(configuration, at: location)
        else { return }
        holding.platforms = [platform]
        if !Platform.linuxAMD64.accepts(platform) { holding.platformDigest = nil }
    }

    /// The platform of an image, by its configuration; nil when that does not say.
    private func platform(_ configuration: Descriptor, at location: ECRLocation) async throws -> Platform? {
        if let seen = platforms.find(configuration.digest) { return seen }
        let bytes = try await readBlob(location, configuration)
        guard let platform = ImageConfiguration(bytes: bytes)?.platform else { return nil }
        platforms.keep(platform, of: configuration.digest)
        return platform
    }

    private func manifest(_ digest: Digest, at location: ECRLocation) async throws -> ManifestDocument? {
        let answer = try await ecr.batchGetImage(
            repositoryName: location.repository,
            registryId: location.account,
            imageIds: [ImageIdentifier(imageDigest: digest.description, imageTag: nil)],
            acceptedMediaTypes: MediaType.accepted.map(\.rawValue)
        )
        guard let image = answer.images?.first, let text = image.imageManifest else { return nil }
        return try ManifestDocument(
            bytes: Array(text.utf8),
            contentType: image.imageManifestMediaType,
            expected: digest
        )
    }

    /// Whether HealthOmics may read the repository, by its policy. One call.
    package func access(to location: ECRLocation) async throws -> (access: HealthOmicsAccess, reason: String?) {
        do {
            guard
                let text = try await ecr.getRepositoryPolicy(
                    repositoryName: location.repository,
                    registryId: location.account
                )
            else {
                return (.notAccessible, "the repository has no policy")
            }
            let verdict = try RepositoryPolicy(json: text).healthOmicsVerdict
            return (verdict.isAccessible ? .accessible : .notAccessible, verdict.reason)
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return (.notAccessible, "the repository does not exist")
        } catch let error as AWSError where error.isAccessDenied {
            return (.unknown, "reading the repository's policy is not permitted: \(error)")
        }
    }
}

/// The platforms of configurations that were read; their digests say that they do not change.
private final class SeenPlatforms: Sendable {
    private static let capacity = 10_000
    private let state = Mutex([Digest: Platform]())

    func find(_ digest: Digest) -> Platform? { state.withLock { $0[digest] } }

    func keep(_ platform: Platform, of digest: Digest) {
        state.withLock { seen in
            if seen.count >= Self.capacity { seen = [:] }
            seen[digest] = platform
        }
    }
}
