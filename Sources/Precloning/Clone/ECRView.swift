import Foundation
package import Model
package import Names
package import Remotes
import Synchronization

/// Looks at what ECR holds, by its API: what a manifest request answers proves nothing about the layers.
package struct ECRView: Sendable {
    /// Reads a small blob of a location's repository.
    package typealias BlobReader = @Sendable (ECRLocation, Descriptor) async throws -> [UInt8]

    /// One image to look at.
    package struct Wanted: Sendable {
        package var location: ECRLocation
        /// The digest of a manifest that was found to be of linux/amd64 before, so that its configuration need not be
        /// read again.
        package var known: Digest?
        /// The linux/amd64 image of the index that was seen there last, which is then asked for along with it.
        package var child: Digest?

        package init(_ location: ECRLocation, known: Digest? = nil, child: Digest? = nil) {
            self.location = location
            self.known = known
            self.child = child
        }
    }

    /// How closely is looked.
    package enum Depth: Sendable {
        /// Whether every blob is there.
        case whole
        /// What was found whole within the last hour is taken to be so, as long as it is the same push of the same digest.
        case changes
    }

    let ecr: ECRClient
    private let circumstances: PolicyReading.Circumstances
    private let manifests: (any ManifestStore)?
    private let elapsed: @Sendable () -> Duration
    private let readBlob: BlobReader
    private let platforms = SeenPlatforms()
    private let whole = WholeImages()

    /// - Parameters:
    ///   - circumstances: in whose account HealthOmics reads.
    ///   - manifests: those that were read before: for ECR each reading is a pull of the image, by which its lifecycle rules
    ///     decide what is still in use.
    ///   - elapsed: as `Timeline.elapsed`.
    package init(
        ecr: ECRClient,
        circumstances: @escaping PolicyReading.Circumstances = { PolicyCircumstances() },
        manifests: (any ManifestStore)? = nil,
        elapsed: @escaping @Sendable () -> Duration = Timeline.system.elapsed,
        readBlob: @escaping BlobReader
    ) {
        self.ecr = ecr
        self.circumstances = circumstances
        self.manifests = manifests
        self.elapsed = elapsed
        self.readBlob = readBlob
    }

    /// Looks at one location in full: tag or digest, the linux/amd64 manifest, its blobs, and the repository's policy.
    package func look(at location: ECRLocation, known: Digest? = nil) async throws -> ECRHolding {
        try await look(at: [Wanted(location, known: known)])[0]
    }

    /// Looks at several images of one repository, in about as few calls as at one of them.
    ///
    /// - Parameter wanted: at least one; all in the first one's repository.
    /// - Returns: what is held of each, in their order.
    package func look(at wanted: [Wanted], depth: Depth = .whole) async throws -> [ECRHolding] {
        let place = wanted[0].location
        let (found, seen) = try await described(wanted)
        var holdings = found.map(\.holding)
        let held = holdings.indices.filter { holdings[$0].presence == .held && holdings[$0].digest != nil }
        guard !held.isEmpty else { return holdings }
        let tops = try await manifests(Set(held.compactMap { holdings[$0].digest }), in: place)
        let children = try await manifests(Set(tops.documents.values.compactMap(Self.amd64Child)), in: place)
        var images: [Int: Manifest] = [:]
        for index in held {
            images[index] = Self.note(tops: tops.documents, children: children.documents, in: &holdings[index])
        }
        let keys = held.reduce(into: [:]) { keys, index in
            keys[index] = holdings[index].digest.map { WholeImages.Key(place, $0, found[index].pushedAt) }
        }
        let looked = held.filter { index in
            depth == .whole || !(keys[index].map { whole.contains($0, at: elapsed()) } ?? false)
        }
        let there = try await available(
            Set(looked.compactMap { images[$0] }.flatMap { $0.blobs.map(\.digest) }),
            in: place
        )
        let parts = Set(looked.compactMap { holdings[$0].childDigest }).subtracting(children.read)
        let missing = try await absent(parts.subtracting(seen.keys), in: place)
            .union(parts.filter { seen[$0] == false })
        let verdict = try await access(to: place)
        for index in held {
            holdings[index].access = verdict.access
            holdings[index].accessReason = verdict.reason
            guard let image = images[index] else { continue }
            holdings[index].bytes = image.blobs.reduce(0) { $0 + $1.size }
            if looked.contains(index) {
                holdings[index].missingBlobs = Set(image.blobs.map(\.digest)).filter { !there.contains($0) }
                if let child = holdings[index].childDigest, missing.contains(child) {
                    holdings[index].missingBlobs.append(child)
                }
            }
            try await tellPlatform(of: image, &holdings[index], wanted[index], there)
            guard depth == .changes, looked.contains(index), let key = keys[index] else { continue }
            whole.note(key, isWhole: holdings[index].isComplete, at: elapsed())
        }
        return holdings
    }

    /// The linux/amd64 manifest of what is held, noted in the holding; nil where there is none or it is missing.
    private static func note(
        tops: [Digest: ManifestDocument],
        children: [Digest: ManifestDocument],
        in holding: inout ECRHolding
    ) -> Manifest? {
        guard let digest = holding.digest, let top = tops[digest] else {
            holding.presence = .noImage
            return nil
        }
        switch top.content {
        case .index(let index):
            holding.platforms = index.images.compactMap(\.platform)
            guard let child = amd64(index) else { return nil }
            holding.platformDigest = child.digest
            guard case .image(let image)? = children[child.digest]?.content else {
                holding.missingBlobs = [child.digest]
                return nil
            }
            return image
        case .image(let image):
            holding.platformDigest = digest
            return image
        }
    }

    private static func amd64Child(_ document: ManifestDocument) -> Digest? {
        guard case .index(let index) = document.content else { return nil }
        return amd64(index)?.digest
    }

    private static func amd64(_ index: Index) -> Descriptor? {
        index.image(for: .linuxAMD64)
    }

    /// A manifest outside an index does not say its platform; its configuration does.
    private func tellPlatform(
        of image: Manifest,
        _ holding: inout ECRHolding,
        _ wanted: Wanted,
        _ there: Set<Digest>
    ) async throws {
        guard let digest = holding.digest, holding.platformDigest == digest, digest != wanted.known else { return }
        let configuration = image.configuration
        guard configuration.mediaType.isImageConfiguration else {
            // An artifact runs nowhere.
            holding.platformDigest = nil
            return
        }
        guard configuration.size <= ImageConfiguration.maximumBytes,
            there.contains(configuration.digest),
            let platform = try await platform(configuration, at: wanted.location)
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

    /// What the description of an image says.
    private struct Found {
        var holding: ECRHolding
        var pushedAt: Date?
    }

    /// What is wanted, and in the same call whether the linux/amd64 images are there that were seen in its indexes last.
    private func described(_ wanted: [Wanted]) async throws -> (found: [Found], children: [Digest: Bool]) {
        let children = Set(wanted.compactMap(\.child)).sorted { $0.description < $1.description }
        var place = wanted[0].location
        place.tag = nil
        let parts = children.map { digest in
            place.digest = digest
            return place
        }
        let all = try await images(wanted.map(\.location) + parts)
        let seen = zip(children, all.dropFirst(wanted.count)).map { ($0, $1.holding.presence == .held) }
        return (Array(all.prefix(wanted.count)), Dictionary(seen) { first, _ in first })
    }

    /// Whether each tag or digest is there and active, and which digest it has.
    private func images(_ locations: [ECRLocation]) async throws -> [Found] {
        let ids = locations.map { location in
            ImageIdentifier(
                imageDigest: location.digest?.description,
                imageTag: location.digest == nil ? location.tag : nil
            )
        }
        let details: [ImageDetail]
        do {
            details = try await ecr.describeImages(
                repositoryName: locations[0].repository,
                registryId: locations[0].account,
                imageIds: ids
            )
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return ids.map { _ in Found(holding: ECRHolding(.noRepository)) }
        } catch let error as AWSError where error.code == "ImageNotFoundException" {
            guard locations.count > 1 else { return [Found(holding: ECRHolding(.noImage))] }
            // One that is missing fails the call for all: it is looked for by halves.
            let middle = locations.count / 2
            return try await images(Array(locations[..<middle])) + images(Array(locations[middle...]))
        }
        return ids.map { id in
            let detail = details.first { detail in
                id.imageDigest.map { detail.imageDigest == $0 } ?? id.imageTag.map {
                    detail.imageTags?.contains($0) == true
                }
                    ?? false
            }
            return Found(
                holding: detail.map(ECRHolding.init) ?? ECRHolding(.noImage),
                pushedAt: detail?.imagePushedAt
            )
        }
    }

    /// Which of these manifests the repository does not have.
    private func absent(_ digests: Set<Digest>, in place: ECRLocation) async throws -> Set<Digest> {
        guard !digests.isEmpty else { return [] }
        var location = place
        location.tag = nil
        let sorted = digests.sorted { $0.description < $1.description }
        let found = try await images(
            sorted.map { digest in
                location.digest = digest
                return location
            }
        )
        return Set(zip(sorted, found).filter { $1.holding.presence != .held }.map(\.0))
    }

    /// The manifests of these digests, and which of them ECR was asked for.
    private func manifests(
        _ digests: Set<Digest>,
        in place: ECRLocation
    ) async throws -> (documents: [Digest: ManifestDocument], read: Set<Digest>) {
        var documents: [Digest: ManifestDocument] = [:]
        for digest in digests {
            if let kept = await manifests?.load(digest) { documents[digest] = kept }
        }
        let fresh = try await read(digests.filter { documents[$0] == nil }, in: place)
        for document in fresh.values { await manifests?.keep(document) }
        return (documents.merging(fresh) { $1 }, Set(fresh.keys))
    }

    private func read(_ digests: Set<Digest>, in place: ECRLocation) async throws -> [Digest: ManifestDocument] {
        guard !digests.isEmpty else { return [:] }
        let answer = try await ecr.batchGetImage(
            repositoryName: place.repository,
            registryId: place.account,
            imageIds: digests.map { ImageIdentifier(imageDigest: $0.description) },
            acceptedMediaTypes: MediaType.accepted.map(\.rawValue)
        )
        var found: [Digest: ManifestDocument] = [:]
        for image in answer.images ?? [] {
            guard let text = image.imageManifest, let name = image.imageId?.imageDigest, let digest = try? Digest(name),
                digests.contains(digest)
            else { continue }
            found[digest] = try ManifestDocument(
                bytes: Array(text.utf8),
                contentType: image.imageManifestMediaType,
                expected: digest
            )
        }
        return found
    }

    /// Which of these blobs the repository really has.
    private func available(_ digests: Set<Digest>, in place: ECRLocation) async throws -> Set<Digest> {
        guard !digests.isEmpty else { return [] }
        let states = try await ecr.batchCheckLayerAvailability(
            repositoryName: place.repository,
            registryId: place.account,
            layerDigests: digests.map(\.description).sorted()
        )
        return Set(
            states.filter { $0.layerAvailability == .available }.compactMap {
                $0.layerDigest.flatMap { try? Digest($0) }
            }
        )
    }

    /// Whether HealthOmics may read the repository, by its policy. One call.
    private func access(to location: ECRLocation) async throws -> (access: HealthOmicsAccess, reason: String?) {
        do {
            guard
                let text = try await ecr.getRepositoryPolicy(
                    repositoryName: location.repository,
                    registryId: location.account
                )
            else {
                return (.notAccessible, "the repository has no policy")
            }
            let verdict = try await PolicyReading.verdict(RepositoryPolicy(json: text), on: location, circumstances)
            return (verdict.isAccessible ? .accessible : .notAccessible, verdict.reason)
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return (.notAccessible, "the repository does not exist")
        } catch let error as AWSError where error.isAccessDenied {
            return (.unknown, "reading the repository's policy is not permitted: \(error)")
        }
    }
}

/// Images that were found whole, and when.
private final class WholeImages: Sendable {
    struct Key: Hashable {
        var repository: String
        var digest: Digest
        var pushedAt: Date?

        init(_ place: ECRLocation, _ digest: Digest, _ pushedAt: Date?) {
            repository = "\(place.registry)/\(place.repository)"
            self.digest = digest
            self.pushedAt = pushedAt
        }
    }

    private static let capacity = 50_000
    private static let lifetime = Duration.seconds(3600)
    private let state = Mutex([Key: Duration]())

    func contains(_ key: Key, at now: Duration) -> Bool {
        state.withLock { state in state[key].map { now - $0 < Self.lifetime } ?? false }
    }

    func note(_ key: Key, isWhole: Bool, at now: Duration) {
        state.withLock { state in
            if state.count >= Self.capacity { state = state.filter { now - $0.value < Self.lifetime } }
            if state.count >= Self.capacity { state = [:] }
            state[key] = isWhole ? now : nil
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

extension ECRHolding {
    /// The linux/amd64 child, where an index is held.
    fileprivate var childDigest: Digest? { platformDigest == digest ? nil : platformDigest }

    init(_ detail: ImageDetail) {
        let isActive = detail.imageStatus == nil || detail.imageStatus == .active
        self.init(isActive ? .held : .archived)
        digest = detail.imageDigest.flatMap { try? Digest($0) }
        mediaType = detail.imageManifestMediaType.map(MediaType.init(rawValue:))
    }
}
