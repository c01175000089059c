package import Names

package import struct Foundation.Date

/// Copies one image from one registry to another: blobs, then manifests, then the index, the tag last. Bytes of
/// manifests pass untouched, blobs stream without a file between.
package struct ImageCopy: Sendable {
    package struct Source: Sendable {
        package var client: RegistryClient
        package var repository: String
        package var reference: ManifestReference
        /// Counts manifest GETs; nil: nothing is counted.
        package var budget: (any PullBudget)?
        /// Manifests that were read before.
        package var manifests: (any ManifestStore)?
        /// Whether what the reference names may have been read before, or reading it counts against a quota: then it is
        /// looked at first, which is free.
        package var looksFirst = true

        package init(
            client: RegistryClient,
            repository: String,
            reference: ManifestReference,
            budget: (any PullBudget)? = nil,
            manifests: (any ManifestStore)? = nil
        ) {
            self.client = client
            self.repository = repository
            self.reference = reference
            self.budget = budget
            self.manifests = manifests
        }
    }

    /// What is known of a destination before the copy.
    package enum Standing: Sendable, Hashable {
        /// Nothing: the registry is asked.
        case unasked
        case absent
        /// Nor is there a repository yet: nothing is in it.
        case noRepository
        /// This digest is there, with everything below it that matters.
        case whole(Digest)
        /// Something is there whose blobs are not all there: it is copied, whatever digest it has.
        case damaged
    }

    package struct Destination: Sendable {
        package var client: RegistryClient
        package var repository: String
        /// nil: stored under its digest only.
        package var tag: String?
        package var standing: Standing
        /// For layers too large for one PUT; nil: the PUT is used for all.
        package var parts: PartUpload?

        package init(
            client: RegistryClient,
            repository: String,
            tag: String?,
            standing: Standing = .unasked,
            parts: PartUpload? = nil
        ) {
            self.client = client
            self.repository = repository
            self.tag = tag
            self.standing = standing
            self.parts = parts
        }
    }

    /// What is known of an image before its first blob moves.
    package struct Facts: Sendable, Hashable {
        /// What the reference resolved to.
        package var sourceDigest: Digest
        /// What will be stored under the tag.
        package var digest: Digest
        package var mediaType: MediaType
        /// Bytes of configuration and layers, each digest once.
        package var size: Int64
        package var layers: Int
        /// Platforms of the index, or of the image's configuration where that was read.
        package var platforms: [Platform]
        /// When the image was built; nil when nobody asked or it does not say.
        package var created: Date?
    }

    /// It was told not to go on. Blobs that were begun are at the destination, and the next copy goes on from there.
    package struct StoppedBetweenBlobs: Error, Sendable {}

    package struct Outcome: Sendable, Hashable {
        /// What the reference resolved to when the copy began.
        package var sourceDigest: Digest
        /// What is under the destination's tag now.
        package var destinationDigest: Digest
        /// The chosen platform's manifest; nil when the object was taken whole and no platform was asked for.
        package var platformDigest: Digest?
        /// nil when the manifest did not have to be read.
        package var mediaType: MediaType?
        /// Nothing had to be done.
        package var wasPresent: Bool
        /// Where the source's tag pointed when the copy ended, if it had moved by then.
        package var tagMovedTo: Digest?
        package var transfer: TransferProgress.Snapshot
        /// The id of the request that stored the manifest, where the registry names one.
        package var requestID: String?
        /// What an index at the destination names; nil when its manifest did not have to be read.
        package var children: [Digest]?
        /// Attestations that the source's index has of its images, where a child of it was copied alone.
        package var attestationsLeft = 0
        /// What became of signatures and attestations; nil where they were not asked for.
        package var referrers: ReferrerCopy.Outcome?
    }

    package var source: Source
    package var destination: Destination
    /// nil: the object whole. One platform: that child of an index alone, unless the index was pinned by its digest
    /// or several platforms are asked for; then the index whole, since registries refuse one with children missing.
    /// In every case all of these must be there.
    package var platforms: [Platform]?
    /// Digests of platform children, by the digest of their index, that are known from before.
    package var knownChildren: [Digest: Digest]
    /// Whether `Facts.created` is wanted, which costs reading the configuration first.
    package var needsCreated: Bool
    /// From how many bytes on it is asked whether the tag has moved while they went: a note that is worth no request where
    /// the copy takes seconds.
    package var asksForMovesFrom: Int64 = 0
    /// What is smaller goes faster than tags move; a refresh finds those that do.
    package static let sizeWorthAsking: Int64 = 1 << 30
    package var share: LayerShare
    package var progress: TransferProgress
    /// Whether signatures, bills of materials and attestations come with the image.
    package var bringsReferrers = false
    /// Called once, right before the first thing is written to the destination.
    package var beforeFirstBlob: @Sendable () async throws -> Void
    /// Called when the manifest is known and something is to be moved, before `beforeFirstBlob`.
    package var onManifestKnown: @Sendable (Facts) async throws -> Void
    /// Asked before each blob and each part of one: false ends the copy there.
    package var mayGoOn: @Sendable (TransferProgress.Snapshot) -> Bool = { _ in true }

    package init(
        source: Source,
        destination: Destination,
        platforms: [Platform]? = nil,
        knownChildren: [Digest: Digest] = [:],
        needsCreated: Bool = false,
        share: LayerShare = LayerShare(),
        progress: TransferProgress = TransferProgress(),
        beforeFirstBlob: @escaping @Sendable () async throws -> Void = {},
        onManifestKnown: @escaping @Sendable (Facts) async throws -> Void = { _ in }
    ) {
        self.source = source
        self.destination = destination
        self.platforms = platforms
        self.knownChildren = knownChildren
        self.needsCreated = needsCreated
        self.share = share
        self.progress = progress
        self.beforeFirstBlob = beforeFirstBlob
        self.onManifestKnown = onManifestKnown
    }

    /// Copies the image unless it is there already.
    ///
    /// - Throws: `RegistryError`, whose host says which side it was; what the hooks throw; `StoppedBetweenBlobs` when
    ///   `mayGoOn` said so; `CancellationError`.
    package func run() async throws -> Outcome {
        var outcome = try await copyImage()
        guard bringsReferrers else { return outcome }
        outcome.referrers = try await ReferrerCopy(source: source, destination: destination, share: share).run(
            root: outcome.destinationDigest,
            children: outcome.children,
            index: outcome.sourceDigest
        )
        return outcome
    }

    private func copyImage() async throws -> Outcome {
        async let there = destinationDigest()
        async let resolved = sourceRoot()
        let (destinationDigest, (sourceDigest, top)) = try await (there, resolved)
        if let sourceDigest, let destinationDigest,
            let wanted = platforms == nil ? sourceDigest : knownChildren[sourceDigest], wanted == destinationDigest
        {
            return outcome(sourceDigest, destinationDigest, present: true)
        }

        let plan = try await CopyPlan.make(for: self, resolved: sourceDigest, top: top)
        if plan.root.digest == destinationDigest {
            return outcome(plan.sourceDigest, plan.root.digest, plan: plan, present: true)
        }
        try await onManifestKnown(plan.facts)
        progress.update {
            $0.bytesTotal = plan.facts.size
            $0.blobsTotal = plan.blobs.count
        }
        let stage = CopyStage(copy: self, plan: plan)
        let isWorthAsking = plan.facts.size >= asksForMovesFrom
        async let moved = isWorthAsking ? tagAfterwards(of: plan.sourceDigest, when: stage.blobsDone) : nil
        let requestID: String?
        do {
            requestID = try await stage.run()
        } catch var error as RegistryError where error.kind == .tagImmutable {
            if destinationDigest == nil || error.digests?.found == nil {
                let found = try? await destinationHead()
                if found == plan.root.digest {
                    return outcome(plan.sourceDigest, plan.root.digest, plan: plan, present: true)
                }
                error.digests = .init(found: found ?? destinationDigest, wanted: plan.root.digest)
            }
            throw error
        }
        var result = outcome(plan.sourceDigest, plan.root.digest, plan: plan, present: stage.wasStored)
        result.tagMovedTo = await moved
        result.requestID = requestID
        return result
    }

    private func outcome(
        _ sourceDigest: Digest,
        _ digest: Digest,
        plan: CopyPlan? = nil,
        present: Bool
    ) -> Outcome {
        var outcome = Outcome(
            sourceDigest: sourceDigest,
            destinationDigest: digest,
            platformDigest: plan?.platformDigest ?? (platforms == nil ? nil : knownChildren[sourceDigest]),
            mediaType: plan?.root.mediaType,
            wasPresent: present,
            tagMovedTo: nil,
            transfer: progress.snapshot
        )
        outcome.children = plan?.children.map(\.digest)
        outcome.attestationsLeft = plan?.attestationsLeft ?? 0
        return outcome
    }

    /// The digest under the destination's tag, from what is known or by asking; nil when there is nothing to rely on.
    private func destinationDigest() async throws -> Digest? {
        switch destination.standing {
        case .unasked: try await destinationHead()
        case .absent, .noRepository, .damaged: nil
        case .whole(let digest): digest
        }
    }

    /// The digest under the destination's tag; nil when nothing is there.
    private func destinationHead() async throws -> Digest? {
        let reference: ManifestReference
        if let tag = destination.tag {
            reference = .tag(tag)
        } else if let digest = source.reference.digest {
            reference = .digest(digest)
        } else {
            return nil
        }
        return try await destination.client.digest(of: reference, in: destination.repository)
    }

    /// What the source's tag names; nil when the registry does not say without being read. Its manifest too, where that
    /// costs no more than the look.
    private func sourceRoot() async throws -> (Digest?, ManifestDocument?) {
        if let digest = source.reference.digest { return (digest, nil) }
        // What is at the destination may be the same: then a look is all.
        if !source.looksFirst, [.absent, .noRepository].contains(destination.standing) {
            let document = try await source.manifest(source.reference)
            return (document.digest, document)
        }
        guard let head = try await source.client.headManifest(source.repository, source.reference) else {
            throw RegistryError(
                .notFound,
                host: source.client.host,
                status: 404,
                detail: "there is no \(source.reference) in \(source.repository)"
            )
        }
        return (head.digest, nil)
    }

    /// Where the tag points while the last manifest is stored: free for pull quotas, and off the way of the copy.
    private func tagAfterwards(of digest: Digest, when ready: Signal) async -> Digest? {
        guard case .tag = source.reference else { return nil }
        await ready.wait()
        guard !Task.isCancelled else { return nil }
        let head = try? await source.client.headManifest(source.repository, source.reference, isInsistent: false)
        return head?.digest.flatMap { $0 == digest ? nil : $0 }
    }
}
