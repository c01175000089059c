import Foundation
package import Names
import Synchronization

/// Brings signatures, bills of materials and attestations after the image that they are about, so that whoever verifies it
/// at the destination finds them: by the referrers request, or by tags of cosign's scheme.
package struct ReferrerCopy: Sendable {
    package struct Outcome: Sendable, Hashable {
        /// Copied, or found at the destination.
        package var brought = 0
        package var bytesMoved: Int64 = 0
        /// What refers to the source's index, where a child of it was copied alone.
        package var leftBehind = 0
        /// What was not brought for good, and why; a few of them.
        package var remarks: [String] = []
        /// What may be had later.
        package var failure: RegistryError?

        package init() {}

        /// Whether there is anything to say.
        package var isSilent: Bool { self == Outcome() }
    }

    package var source: ImageCopy.Source
    package var destination: ImageCopy.Destination
    package var share: LayerShare

    /// Manifests of one image whose referrers are looked for, and how far a referrer's own are: an SBOM is signed too.
    private static let maximumSubjects = 200
    private static let maximumDepth = 2
    /// Bytes of one referrer: an SBOM has megabytes, and anything at all may call itself one.
    private static let maximumSize: Int64 = 1 << 30

    package init(source: ImageCopy.Source, destination: ImageCopy.Destination, share: LayerShare) {
        self.source = source
        self.source.manifests = ManifestsInMemory(besides: source.manifests)
        self.destination = destination
        self.destination.tag = nil
        self.destination.parts = nil
        self.destination.standing = .unasked
        self.share = share
    }

    /// Brings what refers to a manifest and to what it names.
    ///
    /// - Parameters:
    ///   - root: what the destination has under its tag.
    ///   - children: what it names; nil: it is read.
    ///   - index: what the source's tag names, where that is another.
    /// - Throws: `CancellationError`. What cannot be brought is in the outcome: the image is there all the same.
    package func run(root: Digest, children: [Digest]?, index: Digest?) async throws -> Outcome {
        var outcome = Outcome()
        do {
            var subjects = [root]
            if let children { subjects += children } else { subjects += try await self.children(of: root) }
            if subjects.count > Self.maximumSubjects {
                outcome.remarks.append("of \(subjects.count) manifests only \(Self.maximumSubjects) were looked at")
            }
            var queue = subjects.prefix(Self.maximumSubjects).map { (subject: $0, depth: 0) }
            var seen = Set(subjects)
            while let (subject, depth) = queue.first {
                queue.removeFirst()
                let found = try await source.referrers(of: subject)
                for digest in try await bring(found, to: subject, &outcome)
                where depth < Self.maximumDepth && seen.insert(digest).inserted {
                    queue.append((digest, depth + 1))
                }
            }
            if let index, index != root { outcome.leftBehind = try await source.referrers(of: index).count }
        } catch let error as RegistryError {
            outcome.fail(error)
        }
        return outcome
    }

    private func children(of root: Digest) async throws -> [Digest] {
        let document =
            if let known = await source.manifests?.load(root) { known } else {
                try await destination.client.getManifest(destination.repository, .digest(root))
            }
        guard case .index(let index) = document.content else { return [] }
        return index.manifests.map(\.digest)
    }

    /// - Returns: what is at the destination now.
    private func bring(_ referrers: [Referrer], to subject: Digest, _ outcome: inout Outcome) async throws -> [Digest] {
        var brought: [Digest] = []
        var named: [Digest] = []
        for referrer in referrers {
            guard outcome.brought < RegistryClient.maximumReferrers else {
                outcome.remark("only \(RegistryClient.maximumReferrers) were brought")
                break
            }
            do {
                guard let digest = try await bring(referrer, &outcome) else { continue }
                brought.append(digest)
                if referrer.reference.digest != nil { named.append(digest) }
            } catch let error as RegistryError {
                // The host's trouble is everybody's.
                if error.belongsToHost { throw error }
                outcome.fail(error)
            }
        }
        if !named.isEmpty,
            try await destination.client.listReferrers(of: subject, in: destination.repository) == .absent
        {
            try await list(named, below: subject)
        }
        return brought
    }

    /// - Returns: its digest; nil where it is left out.
    private func bring(_ referrer: Referrer, _ outcome: inout Outcome) async throws -> Digest? {
        var source = source
        source.reference = referrer.reference
        var destination = destination
        if case .tag(let tag) = referrer.reference {
            guard let digest = try await mayReplace(tag, &outcome) else { return nil }
            source.reference = .digest(digest)
            destination.tag = tag
        }
        let host = source.client.host
        let copy = ImageCopy(
            source: source,
            destination: destination,
            share: share,
            onManifestKnown: { facts in
                guard facts.size <= Self.maximumSize else {
                    throw RegistryError(
                        .refused,
                        host: host,
                        detail: "\(referrer.reference) has more than \(Self.maximumSize >> 20) MiB, which is left out"
                    )
                }
            }
        )
        let copied = try await copy.run()
        outcome.brought += 1
        outcome.bytesMoved += copied.transfer.bytesMoved
        return copied.destinationDigest
    }

    /// A tag of cosign's scheme holds all signatures of an image: those that were added at the destination stay.
    ///
    /// - Returns: what to bring there; nil where what is there stays, or nothing is to be had.
    private func mayReplace(_ tag: String, _ outcome: inout Outcome) async throws -> Digest? {
        async let wanted = source.client.digest(of: .tag(tag), in: source.repository, budget: source.budget)
        async let found = destination.client.digest(of: .tag(tag), in: destination.repository)
        guard let digest = try await wanted else { return nil }
        guard let there = try await found, there != digest else { return digest }
        let ours = try await destination.client.getManifest(destination.repository, .digest(there))
        let theirs = try await source.manifest(.digest(digest))
        guard case .image(let old) = ours.content, case .image(let new) = theirs.content,
            Set(old.layers.map(\.digest)).isSubset(of: new.layers.map(\.digest))
        else {
            outcome.remark("\(tag) holds others at the destination and is left alone")
            return nil
        }
        return digest
    }

    /// What a list says of a manifest that is at the destination.
    private func entry(of digest: Digest) async throws -> [String: Any] {
        let document = try await destination.client.getManifest(destination.repository, .digest(digest))
        let content = try? JSONSerialization.jsonObject(with: Data(document.bytes)) as? [String: Any]
        var entry: [String: Any] = [
            "mediaType": document.mediaType.rawValue, "digest": "\(digest)", "size": document.bytes.count,
        ]
        let configuration = content?["config"] as? [String: Any]
        let type = content?["artifactType"] as? String ?? configuration?["mediaType"] as? String
        if let type, MediaType(rawValue: type).isWellFormed { entry["artifactType"] = type }
        // They are there for filters; what is longer stays in the manifest alone.
        let annotations = content?["annotations"] as? [String: String]
        if let annotations, annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) <= 4_096 {
            entry["annotations"] = annotations
        }
        return entry
    }

    /// Where a registry does not know subjects, a tag lists what refers to one.
    private func list(_ digests: [Digest], below subject: Digest) async throws {
        let (client, repository) = (destination.client, destination.repository)
        var entries: [[String: Any]] = []
        if try await client.digest(of: .tag(subject.tag), in: repository) != nil {
            let document = try await client.getManifest(repository, .tag(subject.tag))
            let known = try? JSONSerialization.jsonObject(with: Data(document.bytes)) as? [String: Any]
            entries = known?["manifests"] as? [[String: Any]] ?? []
        }
        let there = Set(entries.compactMap { $0["digest"] as? String })
        let missing = digests.filter { !there.contains($0.description) }
        guard !missing.isEmpty else { return }
        for digest in missing { entries.append(try await entry(of: digest)) }
        let index: [String: Any] = [
            "schemaVersion": 2, "mediaType": MediaType.ociIndex.rawValue, "manifests": entries,
        ]
        let bytes = try JSONSerialization.data(withJSONObject: index, options: [.sortedKeys, .withoutEscapingSlashes])
        let document: ManifestDocument
        do { document = try ManifestDocument(bytes: Array(bytes), contentType: nil) } catch {
            throw RegistryError(.refused, host: client.host, detail: "the referrers below \(subject.tag): \(error)")
        }
        try await client.putManifest(repository, .tag(subject.tag), document)
    }
}

extension ReferrerCopy.Outcome {
    fileprivate mutating func remark(_ text: String) { if remarks.count < 5 { remarks.append(text) } }

    /// What is worth another try is kept before what is not.
    fileprivate mutating func fail(_ error: RegistryError) {
        if error.isWorthRetrying { failure = failure ?? error } else { remark("\(error)") }
    }
}

extension ImageCopy.Source {
    /// Everything that refers to a manifest of the repository: by the referrers request, by the tag that stands for it, and
    /// by cosign's tags.
    ///
    /// - Throws: `RegistryError`, `CancellationError`.
    package func referrers(of digest: Digest) async throws -> [Referrer] {
        var found: [Referrer] = []
        if case .offered(let listed) = try await client.listReferrers(of: digest, in: repository) { found = listed }
        for tag in try await client.referrerTags(of: digest, in: repository, budget: budget) {
            if tag == digest.tag {
                found += try await listed(below: tag)
            } else {
                found.append(Referrer(.tag(tag)))
            }
        }
        var seen: Set<Referrer> = []
        return Array(found.filter { seen.insert($0).inserted }.prefix(RegistryClient.maximumReferrers))
    }

    private func listed(below tag: String) async throws -> [Referrer] {
        guard let digest = try await client.digest(of: .tag(tag), in: repository, budget: budget),
            case .index(let index) = try await manifest(.digest(digest)).content
        else { return [] }
        return index.manifests.map { Referrer(.digest($0.digest)) }
    }
}

/// Small manifests that were read during one copy, besides those that are kept for longer: reading one twice would count
/// as two pulls.
private final class ManifestsInMemory: ManifestStore {
    private let base: (any ManifestStore)?
    private let state = Mutex((documents: [Digest: ManifestDocument](), bytes: 0))
    private static let capacity = 4 << 20

    init(besides base: (any ManifestStore)?) { self.base = base }

    func load(_ digest: Digest) async -> ManifestDocument? {
        if let known = state.withLock({ $0.documents[digest] }) { return known }
        return await base?.load(digest)
    }

    func keep(_ document: ManifestDocument) async {
        state.withLock { state in
            guard state.bytes + document.bytes.count <= Self.capacity else { return }
            state.documents[document.digest] = document
            state.bytes += document.bytes.count
        }
        await base?.keep(document)
    }
}
