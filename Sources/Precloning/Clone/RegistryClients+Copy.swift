package import Remotes

extension RegistryClients {
    /// Copies an image registry to registry: blobs, then manifests, the tag last; layers that several images share
    /// travel once.
    ///
    /// - Parameters:
    ///   - platforms: nil takes the object whole; else the child of that platform.
    ///   - factsKnown: told the image's facts before the first blob; a throw ends the copy.
    ///   - beforeFirstBlob: makes the repository ready.
    ///   - progress: told about once a second, and at the end, how many bytes of how many are done.
    /// - Throws: `RegistryError`; what the two hooks throw; `CancellationError`.
    package func copy(
        from source: ImageReference,
        to location: ECRLocation,
        platforms: [Platform]?,
        needsCreated: Bool,
        factsKnown: @escaping @Sendable (ImageFacts) async throws -> Void,
        beforeFirstBlob: @escaping @Sendable () async throws -> Void,
        progress report: @escaping @Sendable (TransferProgress.Snapshot) -> Void
    ) async throws -> ImageCopy.Outcome {
        let from = try await client(for: source.registry)
        let to = try await client(for: location.registry)
        let progress = TransferProgress()
        let copy = ImageCopy(
            source: ImageCopy.Source(
                client: from,
                repository: source.repository,
                reference: source.digest.map { .digest($0) } ?? .tag(source.tag ?? "latest"),
                budget: budget
            ),
            destination: ImageCopy.Destination(
                client: to,
                repository: location.repository,
                tag: location.tag,
                parts: parts.flatMap { parts in
                    parts.store(location).map {
                        PartUpload(store: $0, journal: journal, threshold: parts.threshold)
                    }
                }
            ),
            platforms: platforms,
            needsCreated: needsCreated,
            share: share,
            progress: progress,
            beforeFirstBlob: beforeFirstBlob,
            onManifestKnown: { facts in
                try await factsKnown(
                    ImageFacts(
                        size: facts.size,
                        layers: facts.layers,
                        created: facts.created,
                        platforms: facts.platforms.map(\.description)
                    )
                )
            }
        )
        return try await withThrowingTaskGroup(of: ImageCopy.Outcome?.self) { group in
            group.addTask { try await copy.run() }
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
