import Names
import Synchronization

/// Carries out a plan: moves what is missing, then stores the manifests.
struct CopyStage: Sendable {
    let copy: ImageCopy
    let plan: CopyPlan
    /// Set when the last blob is there.
    let blobsDone = Signal()
    private let opening = Once()
    /// Blobs that did not have to be moved.
    private let there = StandingParts()

    private var destination: ImageCopy.Destination { copy.destination }
    private var registry: String { destination.client.endpoint.name }
    private var repository: String { destination.repository }
    private var progress: TransferProgress { copy.progress }
    private var share: LayerShare { copy.share }

    init(copy: ImageCopy, plan: CopyPlan) {
        self.copy = copy
        self.plan = plan
    }

    /// Whether the last manifest was there already.
    var wasStored: Bool { there.contains([plan.root.digest]) }

    /// - Returns: the id of the request that stored the last manifest, where the registry names one.
    func run() async throws -> String? {
        let digests = plan.blobs.map(\.digest)
        if destination.standing == .damaged {
            // What we believe of this repository is part of the damage.
            for digest in digests { await share.forget(registry: registry, digest: digest) }
        }
        let (image, own) = await share.claim(registry: registry, digests: digests)
        do {
            try await moveBlobs(image: image, own: own, there: try await known(of: own))
            blobsDone.set()
            let requestID: String?
            do {
                requestID = try await storeManifests()
            } catch let error as RegistryError where Self.lacksBlob(error) {
                // The registry had a blob when asked and lost it since: move everything that is not there now.
                for digest in digests { await share.forget(registry: registry, digest: digest) }
                progress.update {
                    $0.bytesDone = 0
                    $0.blobsDone = 0
                }
                try await moveBlobs(image: image, own: [], there: { _ in nil })
                requestID = try await storeManifests()
            }
            await share.committed(registry: registry, repository: repository, digests: digests, image: image)
            return requestID
        } catch {
            await share.release(registry: registry, digests: digests, image: image)
            throw error
        }
    }

    private static func lacksBlob(_ error: RegistryError) -> Bool {
        error.codes.contains { ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "LAYERS_NOT_FOUND"].contains($0) }
    }

    // MARK: Blobs

    /// Blobs of one image that are seen to at one time; most wait for a host's slot.
    private static let width = 48

    /// What is known of blobs before any is moved: whether the repository has it; nil: it is to be looked for.
    private typealias Knowledge = @Sendable (Digest) -> Bool?

    /// Nothing is in a repository that is still to be made; ECR tells of all blobs at once.
    private func known(of own: Set<Digest>) async throws -> Knowledge {
        if destination.standing == .noRepository { return { _ in false } }
        guard own.count > 1, let store = destination.parts?.store else { return { _ in nil } }
        do {
            let found = try await store.available(Array(own), repository: repository)
            return { own.contains($0) ? found.contains($0) : nil }
        } catch let error as RegistryError where !error.belongsToHost {
            return { _ in nil }
        }
    }

    /// - Parameter own: what is this image's to move. It goes first: what waits for other images must not stand in the
    ///   way of what others wait for.
    private func moveBlobs(image: Int, own: Set<Digest>, there known: @escaping Knowledge) async throws {
        let outlook = Outlook(known)
        // The largest first, so that none of them is left over at the end.
        let bySize = plan.blobs.sorted { $0.size > $1.size }
        let blobs = bySize.filter { own.contains($0.digest) } + bySize.filter { !own.contains($0.digest) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (position, blob) in blobs.enumerated() {
                if position >= Self.width { try await group.next() }
                group.addTask {
                    do {
                        try await move(blob, image: image, outlook)
                    } catch let error where Self.sparesOthers(error) {
                        // What is under way comes to its end: the next attempt finds it there.
                        let isFirst = outlook.worsen(error)
                        await share.release(registry: registry, digests: [blob.digest], image: image)
                        if isFirst { await share.wake(registry: registry, digests: plan.blobs.map(\.digest)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        if let failure = outlook.failure { throw failure }
    }

    /// Whether the blobs that were begun may end although this one did not: it may be had later, or nothing more is to
    /// begin.
    private static func sparesOthers(_ error: any Error) -> Bool {
        if let error = error as? RegistryError { return error.isWorthRetrying }
        return error is ImageCopy.StoppedBetweenBlobs
    }

    private func move(_ blob: Descriptor, image: Int, _ outlook: Outlook) async throws {
        while true {
            if let failure = outlook.failure { throw failure }
            let standing = try await share.standing(
                registry: registry,
                repository: repository,
                digest: blob.digest,
                image: image
            )
            switch standing {
            case .changed:
                continue
            case .here:
                skip(blob)
                return
            case .own:
                try await bring(blob, from: upstream, session: nil, outlook)
                await share.uploaded(registry: registry, repository: repository, digest: blob.digest, image: image)
                return
            case .elsewhere(let other, let committed, let mayWait):
                if try await takeOver(blob, from: other, committed: committed, mayWait: mayWait, outlook) { return }
            }
        }
    }

    private var upstream: BlobTransfer.Origin {
        .init(client: copy.source.client, repository: copy.source.repository, isReread: false)
    }

    /// Gets a layer that another repository of the destination has. False when things changed and are to be looked at
    /// again.
    private func takeOver(
        _ blob: Descriptor,
        from other: String,
        committed: Bool,
        mayWait: Bool,
        _ outlook: Outlook
    ) async throws -> Bool {
        let mounting = await share.mounting(at: registry)
        let isEarly = !committed && mayWait
        if isEarly, mounting == .afterCommit {
            try await share.waitForCommit(registry: registry, digest: blob.digest)
            return false
        }
        var session: UploadSession?
        if mounting != .refused, mounting != .afterCommit || committed {
            switch try await mount(blob, from: other) {
            case .mounted:
                await share.observeMount(at: registry, mounted: true, committed: committed)
                progress.update {
                    $0.bytesMounted += blob.size
                    $0.bytesDone += blob.size
                    $0.blobsDone += 1
                }
                return true
            case .upload(let started):
                await share.observeMount(at: registry, mounted: false, committed: committed)
                if isEarly {
                    await destination.client.cancelUpload(started)
                    return false
                }
                session = started
            case nil: break
            }
        }
        if isEarly, !(await share.readsUncommitted(at: registry)) {
            try await share.waitForCommit(registry: registry, digest: blob.digest)
            return false
        }
        let reread = BlobTransfer.Origin(client: destination.client, repository: other, isReread: true)
        do {
            try await bring(blob, from: reread, session: session, outlook)
        } catch let error as RegistryError where Self.cannotBeRead(error) {
            if isEarly {
                await share.observeUnreadable(at: registry)
            } else {
                // What we believed is wrong, or may not be read by us: take it from upstream after all.
                await share.forget(registry: registry, digest: blob.digest)
            }
            return false
        }
        return true
    }

    /// Asks for a layer of another repository; nil when asking is refused, as by a registry that knows no mounts or to
    /// whoever may not read there.
    private func mount(_ blob: Descriptor, from other: String) async throws -> MountOutcome? {
        try await open()
        do {
            return try await share.smallRequests.with([registry]) {
                try await destination.client.startUpload(repository, mounting: blob.digest, from: other)
            }
        } catch let error as RegistryError where Self.cannotBeRead(error) {
            // A repository that is missing says nothing of mounts.
            if error.kind != .repositoryNotFound {
                await share.observeMount(at: registry, mounted: false, committed: true)
            }
            return nil
        }
    }

    private static func cannotBeRead(_ error: RegistryError) -> Bool {
        [.notFound, .repositoryNotFound, .denied, .noCredentials, .refused, .unsupported, .brokenAnswer, .storeFault]
            .contains(error.kind)
    }

    /// Makes sure that the repository has the blob, moving it from `origin` if not.
    private func bring(
        _ blob: Descriptor,
        from origin: BlobTransfer.Origin,
        session: UploadSession?,
        _ outlook: Outlook
    ) async throws {
        if session == nil {
            let exists =
                if let known = outlook.known(blob.digest) {
                    known
                } else {
                    try await share.smallRequests.with([registry]) {
                        try await destination.client.blobExists(repository, blob.digest)
                    }
                }
            if exists {
                skip(blob)
                return
            }
            try await open()
        }
        var transfer = BlobTransfer(descriptor: blob, destination: destination, progress: progress)
        let hosts: Set<String> = [registry, origin.client.endpoint.name]
        let goOn: @Sendable () throws -> Void = { [copy] in
            guard copy.mayGoOn(copy.progress.snapshot) else { throw ImageCopy.StoppedBetweenBlobs() }
        }
        if let parts = destination.parts, parts.takes(blob) {
            // One at a time: it has a whole part in memory.
            let isSent = try await share.partUploads.with([registry]) {
                try await share.slots.with(hosts) {
                    try await parts.upload(blob, to: destination, from: origin, progress: progress, goOn: goOn)
                }
            }
            if isSent {
                progress.update { $0.blobsDone += 1 }
                return
            }
        }
        try await share.slots.with(hosts) {
            if let failure = outlook.failure { throw failure }
            try goOn()
            if let bytes = plan.inMemory[blob.digest] {
                try await transfer.upload(bytes)
            } else {
                try await share.readingAhead(blob) { ahead in
                    transfer.ahead = ahead
                    try await transfer.upload(from: origin, session: session)
                }
            }
        }
        progress.update { $0.blobsDone += 1 }
    }

    private func skip(_ blob: Descriptor) {
        there.note(blob.digest)
        progress.update {
            $0.bytesSkipped += blob.size
            $0.bytesDone += blob.size
            $0.blobsDone += 1
        }
    }

    private func open() async throws { try await opening.run(copy.beforeFirstBlob) }

    // MARK: Manifests

    private func storeManifests() async throws -> String? {
        try await open()
        // Children of one level do not need each other, but an inner index needs its own: keep the order.
        let images = plan.children.filter { !$0.mediaType.isIndex }
        let width = CopyPlan.width(of: images.map { Int64($0.bytes.count) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (position, child) in images.enumerated() {
                if position >= width { try await group.next() }
                group.addTask { try await store(child, .digest(child.digest)) }
            }
            try await group.waitForAll()
        }
        for child in plan.children where child.mediaType.isIndex { try await store(child, .digest(child.digest)) }
        let reference = destination.tag.map(ManifestReference.tag) ?? .digest(plan.root.digest)
        return try await store(plan.root, reference)
    }

    /// Stores a manifest, unless an attempt that was broken off has stored it: one all of whose parts were there already is
    /// looked for first.
    @discardableResult
    private func store(_ document: ManifestDocument, _ reference: ManifestReference) async throws -> String? {
        let mayBeThere = destination.standing != .damaged && there.contains(document.parts)
        if mayBeThere,
            try await destination.client.headManifest(repository, reference)?.digest == document.digest
        {
            there.note(document.digest)
            return nil
        }
        return try await destination.client.putManifest(repository, reference, document)
    }
}

/// Blobs and manifests that did not have to be sent.
private final class StandingParts: Sendable {
    private let digests = Mutex(Set<Digest>())

    func note(_ digest: Digest) { digests.withLock { _ = $0.insert(digest) } }

    func contains(_ parts: Set<Digest>) -> Bool { digests.withLock { parts.isSubset(of: $0) } }
}

extension ManifestDocument {
    /// What has to be stored before it.
    fileprivate var parts: Set<Digest> {
        switch content {
        case .image(let manifest): Set(manifest.blobs.map(\.digest))
        case .index(let index): Set(index.manifests.map(\.digest))
        }
    }
}

/// What has become of an image's other blobs, for those that have not begun: a failure that may pass ends no transfer
/// under way, and begins none.
private final class Outlook: Sendable {
    /// Whether the repository has a blob, as far as that is known.
    let known: @Sendable (Digest) -> Bool?
    private let state = Mutex<(any Error)?>(nil)

    init(_ known: @escaping @Sendable (Digest) -> Bool?) { self.known = known }

    /// The first failure.
    var failure: (any Error)? { state.withLock { $0 } }

    /// Takes a failure in; returns whether it is the first.
    func worsen(_ error: any Error) -> Bool {
        state.withLock { failure in
            guard failure == nil else { return false }
            failure = error
            return true
        }
    }
}

/// Runs something once for many who need it done.
actor Once {
    private var isDone = false
    private var isRunning = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// Runs `body` unless a former call has; who comes meanwhile waits, and tries again if that call failed.
    func run(_ body: @Sendable () async throws -> Void) async throws {
        while isRunning { await withCheckedContinuation { waiters.append($0) } }
        try Task.checkCancellation()
        guard !isDone else { return }
        isRunning = true
        defer {
            isRunning = false
            for waiter in waiters { waiter.resume() }
            waiters = []
        }
        try await body()
        isDone = true
    }
}
