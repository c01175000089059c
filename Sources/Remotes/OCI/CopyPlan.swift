import Names
import Synchronization

/// What is to be stored for one image, in the order of storing.
struct CopyPlan: Sendable {
    /// What goes under the tag, last.
    var root: ManifestDocument
    /// What an index names, children before parents; empty for a single image.
    var children: [ManifestDocument]
    var sourceDigest: Digest
    var platformDigest: Digest?
    /// Every blob once.
    var blobs: [Descriptor]
    /// Configurations that had to be read; they are uploaded from memory.
    var inMemory: [Digest: [UInt8]]
    var facts: ImageCopy.Facts
    /// Attestations beside the child that is taken alone.
    var attestationsLeft = 0

    /// An index below an index below the root is refused: nothing sensible is built like that.
    static let maximumDepth = 2

    /// - Parameters:
    ///   - resolved: what the source's reference names, if that is known.
    ///   - known: the manifest, where it was read already.
    static func make(for copy: ImageCopy, resolved: Digest?, top known: ManifestDocument?) async throws -> CopyPlan {
        let reference = resolved.map(ManifestReference.digest) ?? copy.source.reference
        let top = if let known { known } else { try await copy.source.manifest(reference) }
        var plan = CopyPlan(
            root: top,
            children: [],
            sourceDigest: top.digest,
            platformDigest: nil,
            blobs: [],
            inMemory: [:],
            facts: .init(
                sourceDigest: top.digest,
                digest: top.digest,
                mediaType: top.mediaType,
                size: 0,
                layers: 0,
                platforms: [],
                created: nil
            )
        )
        switch top.content {
        case .image(let manifest):
            try await plan.inspect(manifest, of: top.digest, for: copy, isAlone: true)
        case .index(let index):
            try await plan.resolve(index, for: copy)
        }
        plan.collectBlobs()
        guard plan.blobs.count <= ManifestDocument.maximumBlobs else {
            throw tooMuch("it has more than \(ManifestDocument.maximumBlobs) layers and configurations", copy)
        }
        return plan
    }

    private mutating func resolve(_ index: Index, for copy: ImageCopy) async throws {
        let source = copy.source
        facts.platforms = index.images.compactMap(\.platform)
        var chosen: Descriptor?
        for wanted in copy.platforms ?? [] {
            guard let child = index.image(for: wanted) else {
                throw Self.missing(wanted, facts.platforms, copy)
            }
            if chosen == nil { chosen = child }
        }
        if let chosen, copy.platforms?.count == 1 {
            platformDigest = chosen.digest
            if source.reference.digest == nil {
                let child = try await Self.child(chosen, of: root.digest, copy)
                guard case .image(let manifest) = child.content else {
                    throw RegistryError(
                        .unsupported,
                        host: source.client.host,
                        detail: "the index's entry for \(copy.platforms?.first?.description ?? "") is an index again"
                    )
                }
                root = child
                attestationsLeft = index.manifests.count(where: \.isNoImage)
                facts.digest = child.digest
                facts.mediaType = child.mediaType
                try await inspect(manifest, of: child.digest, for: copy, isAlone: false)
                return
            }
        }
        children = try await Self.descend(
            index,
            digest: root.digest,
            copy: copy,
            depth: 1,
            room: Room(taken: root.bytes.count)
        )
        for child in children where child.digest == chosen?.digest {
            if case .image(let manifest) = child.content { try Self.refuseForeign(manifest, copy) }
        }
    }

    /// A manifest that an index names.
    private static func child(
        _ descriptor: Descriptor,
        of index: Digest,
        _ copy: ImageCopy
    ) async throws -> ManifestDocument {
        let source = copy.source
        do {
            return try await source.manifest(.digest(descriptor.digest), descriptor)
        } catch let error as RegistryError where error.kind == .incomplete {
            let platform = descriptor.platform.map { " for \($0)" } ?? ""
            throw RegistryError(
                .incomplete,
                host: error.host,
                status: error.status,
                codes: error.codes,
                detail: "the index \(index.short) of \(source.repository) is broken: the manifest "
                    + "\(descriptor.digest)\(platform) that it names is missing"
            )
        }
    }

    /// An image to run needs all its layers where it runs.
    private static func refuseForeign(_ manifest: Manifest, _ copy: ImageCopy) throws {
        guard copy.platforms != nil, manifest.hasForeignLayers else { return }
        throw RegistryError(
            .unsupported,
            host: copy.source.client.host,
            detail: "\(copy.source.repository):\(copy.source.reference) has layers that are to be fetched from a place "
                + "outside the registry, which is never done",
            advice: "use an image all of whose layers are in its registry"
        )
    }

    /// What is left for manifests: each is asked for, and held in memory.
    private final class Room: Sendable {
        private let taken: Mutex<(documents: Int, bytes: Int)>

        init(taken bytes: Int) { taken = Mutex((0, bytes)) }

        func take(_ document: ManifestDocument, _ copy: ImageCopy) throws {
            let total = taken.withLock { taken in
                taken.documents += 1
                taken.bytes += document.bytes.count
                return taken
            }
            guard total.documents <= ManifestDocument.maximumChildren else {
                throw CopyPlan.tooMuch("it has more than \(ManifestDocument.maximumChildren) manifests", copy)
            }
            guard total.bytes <= ManifestDocument.maximumBytesInAll else {
                throw CopyPlan.tooMuch("its manifests have more than \(ManifestDocument.maximumBytesInAll) bytes", copy)
            }
        }
    }

    /// How many manifests are read or stored at one time: each is in memory more than once meanwhile.
    static func width(of sizes: some Sequence<Int64>) -> Int { sizes.contains { $0 > 256 << 10 } ? 1 : 4 }

    private static func tooMuch(_ what: String, _ copy: ImageCopy) -> RegistryError {
        RegistryError(.unsupported, host: copy.source.client.host, detail: "\(copy.source.repository): \(what)")
    }

    /// All manifests below an index, children before their parents.
    private static func descend(
        _ index: Index,
        digest: Digest,
        copy: ImageCopy,
        depth: Int,
        room: Room
    ) async throws -> [ManifestDocument] {
        guard depth <= maximumDepth else {
            throw RegistryError(
                .unsupported,
                host: copy.source.client.host,
                detail: "an index more than \(maximumDepth) levels deep is not copied"
            )
        }
        var seen: Set<Digest> = []
        let wanted = index.manifests.filter { seen.insert($0.digest).inserted }
        var documents: [Int: ManifestDocument] = [:]
        try await withThrowingTaskGroup(of: (Int, ManifestDocument?).self) { group in
            var next = wanted.enumerated().makeIterator()
            func add() {
                guard let (position, descriptor) = next.next() else { return }
                group.addTask {
                    do {
                        let document = try await child(descriptor, of: digest, copy)
                        try room.take(document, copy)
                        return (position, document)
                    } catch let error as RegistryError where error.kind == .incomplete && descriptor.isNoImage {
                        // An attestation that is gone harms no run; whether the index may lack it, its new home says.
                        return (position, nil)
                    }
                }
            }
            for _ in 0..<Self.width(of: wanted.map(\.size)) { add() }
            while let (position, document) = try await group.next() {
                documents[position] = document
                add()
            }
        }
        var all: [ManifestDocument] = []
        for position in wanted.indices {
            guard let document = documents[position] else { continue }
            if case .index(let inner) = document.content {
                all += try await descend(inner, digest: document.digest, copy: copy, depth: depth + 1, room: room)
            }
            all.append(document)
        }
        return all
    }

    /// Reads the configuration where the platform or the date is in question.
    private mutating func inspect(
        _ manifest: Manifest,
        of digest: Digest,
        for copy: ImageCopy,
        isAlone: Bool
    ) async throws {
        try Self.refuseForeign(manifest, copy)
        let configuration = manifest.configuration
        let asksPlatform = isAlone && copy.platforms != nil
        guard !asksPlatform || configuration.mediaType.isImageConfiguration else {
            throw RegistryError(
                .unsupported,
                host: copy.source.client.host,
                detail: "\(copy.source.repository):\(copy.source.reference) is an artifact and no container image; its "
                    + "configuration has the type `\(configuration.mediaType.rawValue.prefix(120))`"
            )
        }
        guard configuration.mediaType.isImageConfiguration, configuration.size <= ImageConfiguration.maximumBytes,
            asksPlatform || copy.needsCreated
        else {
            if asksPlatform { platformDigest = digest }
            return
        }
        let bytes = try await copy.source.client.readBlob(copy.source.repository, configuration)
        inMemory[configuration.digest] = bytes
        let content = ImageConfiguration(bytes: bytes)
        facts.created = content?.created
        if isAlone, let platform = content?.platform {
            facts.platforms = [platform]
            for wanted in copy.platforms ?? [] where !wanted.accepts(platform) {
                throw Self.missing(wanted, facts.platforms, copy)
            }
        }
        if asksPlatform { platformDigest = digest }
    }

    private mutating func collectBlobs() {
        var seen: Set<Digest> = []
        for document in children + [root] {
            guard case .image(let manifest) = document.content else { continue }
            facts.layers += manifest.layers.count
            blobs += manifest.blobs.filter { seen.insert($0.digest).inserted }
        }
        facts.size = blobs.reduce(0) { $0 + $1.size }
    }

    private static func missing(_ wanted: Platform, _ found: [Platform], _ copy: ImageCopy) -> RegistryError {
        RegistryError(
            .platformMissing,
            host: copy.source.client.host,
            detail: "\(copy.source.repository):\(copy.source.reference) has no \(wanted); it has "
                + (found.isEmpty ? "none that is named" : Platform.list(found)),
            platforms: found
        )
    }
}
