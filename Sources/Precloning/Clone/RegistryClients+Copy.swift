import Configuring
package import Model
package import Names
package import Remotes

extension RegistryClients {
    /// Copies an image registry to registry: blobs, then manifests, the tag last; layers that several images share
    /// travel once.
    ///
    /// - Parameters:
    ///   - platforms: nil takes the object whole; else the child of that platform.
    ///   - standing: what is known to be at the location.
    ///   - isFirst: it was not tried before: nothing of it was read.
    ///   - knownChildren: digests of platform children, by the digest of their index, from earlier attempts.
    ///   - factsKnown: told the image's facts before the first blob; a throw ends the copy.
    ///   - beforeFirstBlob: makes the repository ready.
    ///   - mayGoOn: asked before each blob and part; see `ImageCopy.mayGoOn`.
    ///   - progress: told about once a second, and at the end, how many bytes of how many are done.
    /// - Throws: `RegistryError`; what the two hooks throw; `ImageCopy.StoppedBetweenBlobs`; `CancellationError`.
    package func copy(
        from source: ImageReference,
        to location: ECRLocation,
        platforms: [Platform]?,
        standing: ImageCopy.Standing = .unasked,
        isFirst: Bool = false,
        knownChildren: [Digest: Digest] = [:],
        needsCreated: Bool,
        factsKnown: @escaping @Sendable (ImageFacts) async throws -> Void,
        beforeFirstBlob: @escaping @Sendable () async throws -> Void,
        mayGoOn: @escaping @Sendable (TransferProgress.Snapshot) -> Bool = { _ in true },
        progress report: @escaping @Sendable (TransferProgress.Snapshot) -> Void
    ) async throws -> ImageCopy.Outcome {
        let progress = TransferProgress()
        var copy = try await imageCopy(
            from: source,
            to: location.registry,
            repository: location.repository,
            tag: location.tag,
            parts: partUpload(to: location),
            platforms: platforms,
            progress: progress
        )
        copy.destination.standing = standing
        copy.source.looksFirst = copy.source.looksFirst || !isFirst
        copy.knownChildren = knownChildren
        copy.needsCreated = needsCreated
        copy.asksForMovesFrom = ImageCopy.sizeWorthAsking
        copy.beforeFirstBlob = beforeFirstBlob
        copy.mayGoOn = mayGoOn
        copy.onManifestKnown = { facts in
            try await factsKnown(
                ImageFacts(
                    size: facts.size,
                    layers: facts.layers,
                    created: facts.created,
                    platforms: facts.platforms.map(\.description)
                )
            )
        }
        return try await withThrowingTaskGroup(of: ImageCopy.Outcome?.self) { group in
            group.addTask { [copy] in try await copy.run() }
            group.addTask { [timeline] in
                while !Task.isCancelled {
                    try? await timeline.sleep(.seconds(1))
                    report(progress.snapshot)
                }
                return nil
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let outcome = ended { return outcome }
            }
            throw CancellationError()
        }
    }
}

extension RegistryClients {
    /// Brings what refers to an image that is at a location.
    ///
    /// - Parameters:
    ///   - digest: what is there.
    ///   - index: what the source named when it was copied, which may be the index that `digest` is a child of.
    /// - Throws: `RegistryError` for a registry that cannot be talked to; `CancellationError`.
    func bringReferrers(
        of image: ImageReference,
        to location: ECRLocation,
        digest: Digest,
        index: Digest?
    ) async throws -> ReferrerCopy.Outcome {
        let destination = ImageCopy.Destination(
            client: try await client(for: location.registry),
            repository: location.repository,
            tag: nil
        )
        return try await ReferrerCopy(source: try await source(image), destination: destination, share: share)
            .run(root: digest, children: nil, index: index)
    }

    /// What refers to a manifest of an image's repository.
    func referrers(of image: ImageReference, _ digest: Digest) async throws -> [Referrer] {
        try await source(image).referrers(of: digest)
    }

    /// A manifest of an image, by the digest that its tag was seen to name, else as the image names it. What was read
    /// before is not asked for again; else it is counted as a pull.
    ///
    /// - Throws: `RegistryError`, `CancellationError`.
    func manifest(of image: ImageReference, _ digest: Digest? = nil) async throws -> ManifestDocument {
        let source = try await source(image)
        return try await source.manifest(digest.map { .digest($0) } ?? source.reference)
    }

    private func source(_ image: ImageReference) async throws -> ImageCopy.Source {
        var source = ImageCopy.Source(
            client: try await client(for: image.registry),
            repository: image.repository,
            reference: image.digest.map { .digest($0) } ?? .tag(image.tag ?? "latest"),
            budget: budget,
            manifests: manifests
        )
        source.looksFirst = settings.current.registries.settings(for: image.registry).quota != nil
        return source
    }

    /// A copy under these clients' limits, quotas and credentials, that waits to be run.
    ///
    /// - Parameter platforms: nil takes the object whole.
    /// - Throws: `RegistryError` for a registry that cannot be talked to.
    package func imageCopy(
        from source: ImageReference,
        to destination: ImageReference,
        platforms: [Platform]?,
        progress: TransferProgress
    ) async throws -> ImageCopy {
        try await imageCopy(
            from: source,
            to: destination.registry,
            repository: destination.repository,
            tag: destination.tag,
            parts: ECRLocation(destination).flatMap(partUpload),
            platforms: platforms,
            progress: progress
        )
    }

    private func partUpload(to location: ECRLocation) -> PartUpload? {
        guard let parts, let store = parts.store(location) else { return nil }
        return PartUpload(store: store, journal: journal, threshold: parts.threshold)
    }

    private func imageCopy(
        from source: ImageReference,
        to registry: String,
        repository: String,
        tag: String?,
        parts: PartUpload?,
        platforms: [Platform]?,
        progress: TransferProgress
    ) async throws -> ImageCopy {
        ImageCopy(
            source: try await self.source(source),
            destination: ImageCopy.Destination(
                client: try await client(for: registry),
                repository: repository,
                tag: tag,
                parts: parts
            ),
            platforms: platforms,
            share: share,
            progress: progress
        )
    }
}

extension ECRHolding {
    /// What a copy needs to know of what is held, so that it neither asks again nor takes a damaged image for whole.
    func standing(at location: ECRLocation) -> ImageCopy.Standing {
        switch presence {
        case .noRepository: .noRepository
        case .noImage, .archived: .absent
        case .held where !missingBlobs.isEmpty: .damaged
        // It was looked for by digest, which says nothing of the tag.
        case .held where location.tag != nil && location.digest != nil: .unasked
        case .held: digest.map { .whole($0) } ?? .unasked
        }
    }
}
