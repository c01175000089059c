import Names
import Synchronization

/// Knows which repositories of a destination have which layers, and who is moving which right now, so that a layer
/// which several images share travels from upstream once.
///
/// An image claims all its layers at once when its manifest is known; what is free becomes its own to move, for the
/// rest it waits. Images are numbered in the order of their claims, and an image waits for the commit of a manifest
/// only if that image has a smaller number: so nobody waits in a circle.
package actor LayerShare {
    /// A place in a registry; a layer is moved once for each.
    struct Key: Hashable {
        var registry: String
        var digest: Digest
    }

    enum Standing: Equatable {
        /// Ours to move: report what became of it.
        case own
        /// Already in the repository that asked.
        case here
        /// In another repository of the registry. Whether a manifest there names it, and whether waiting for that
        /// is allowed.
        case elsewhere(repository: String, committed: Bool, mayWait: Bool)
        /// Another image was moving it; that is over, or somebody was woken: look again.
        case changed
    }

    /// What is known about mounting at a registry.
    enum Mounting: Equatable {
        case unknown
        case works
        /// Only for layers that a stored manifest names (ECR).
        case afterCommit
        case refused
    }

    private enum Entry {
        case moving(image: Int)
        case present(repository: String, image: Int, committed: Bool)
    }

    private var entries: [Key: Entry] = [:]
    private var order: [Key] = []
    private var mounting: [String: Mounting] = [:]
    /// Registries that have mounted something; a refusal there is one layer's affair.
    private var hasMounted: Set<String> = []
    /// Registries that hand out a layer only when a stored manifest names it (ECR).
    private var readsAfterCommit: Set<String> = []
    private var nextImage = 0
    private var changes: [Key: Signal] = [:]
    /// Transfers of one process, bounded per host.
    nonisolated let slots: NamedSlots
    nonisolated let smallRequests: NamedSlots
    /// Uploads in parts at once: each has a part of up to 20 MiB in memory.
    nonisolated let partUploads = NamedSlots(1)
    /// One blob at a time is read ahead: what waits for its turn is in memory.
    private nonisolated let isReadingAhead = Atomic(false)
    private nonisolated let ahead: BlobRanges.Shape

    /// Remembered layers; the oldest that are settled are forgotten first.
    static let capacity = 50_000

    /// - Parameter slots: bounds the transfers of everything that shares this value.
    package init(slots: NamedSlots = NamedSlots(6)) { self.init(slots: slots, ahead: BlobRanges.Shape()) }

    init(slots: NamedSlots = NamedSlots(6), ahead: BlobRanges.Shape) {
        self.slots = slots
        self.ahead = ahead
        smallRequests = NamedSlots(16)
    }

    /// Runs a transfer, with what it may read ahead: nil where the blob is not large, or another one is read so.
    nonisolated func readingAhead<Value>(
        _ blob: Descriptor,
        _ transfer: (BlobRanges.Shape?) async throws -> Value
    ) async throws -> Value {
        guard blob.size >= ahead.threshold, !isReadingAhead.exchange(true, ordering: .acquiring) else {
            return try await transfer(nil)
        }
        defer { isReadingAhead.store(false, ordering: .releasing) }
        return try await transfer(ahead)
    }

    /// Claims what is free of an image's layers, and gives the image its number.
    ///
    /// - Returns: the number, and what is the image's own to move.
    func claim(registry: String, digests: [Digest]) -> (image: Int, own: Set<Digest>) {
        nextImage += 1
        var own: Set<Digest> = []
        for digest in digests {
            let key = Key(registry: registry, digest: digest)
            guard entries[key] == nil else { continue }
            set(key, .moving(image: nextImage))
            own.insert(digest)
        }
        return (nextImage, own)
    }

    /// How a layer stands for an image; waits while another image moves it.
    func standing(registry: String, repository: String, digest: Digest, image: Int) async throws -> Standing {
        let key = Key(registry: registry, digest: digest)
        switch entries[key] {
        case nil:
            set(key, .moving(image: image))
            return .own
        case .moving(image):
            return .own
        case .moving:
            try await wait(for: key)
            return .changed
        case .present(repository, _, _):
            return .here
        case .present(let other, let owner, let committed):
            return .elsewhere(repository: other, committed: committed, mayWait: owner < image)
        }
    }

    /// Wakes everybody who waits for one of these layers: somebody among them has a reason to wait no longer.
    func wake(registry: String, digests: [Digest]) {
        for digest in digests { changes.removeValue(forKey: Key(registry: registry, digest: digest))?.set() }
    }

    /// Waits until the layer's repository has a manifest that names it, or the layer's entry changes otherwise.
    func waitForCommit(registry: String, digest: Digest) async throws {
        let key = Key(registry: registry, digest: digest)
        if case .present(_, _, false) = entries[key] { try await wait(for: key) }
    }

    /// The layer is in the repository now; a manifest there does not name it yet.
    func uploaded(registry: String, repository: String, digest: Digest, image: Int) {
        let key = Key(registry: registry, digest: digest)
        if case .present(_, _, true) = entries[key] { return }
        settle(key, .present(repository: repository, image: image, committed: false))
    }

    /// The manifest that names these layers is stored.
    func committed(registry: String, repository: String, digests: [Digest], image: Int) {
        for digest in digests {
            let key = Key(registry: registry, digest: digest)
            if case .present(_, let owner, true) = entries[key], owner != image { continue }
            settle(key, .present(repository: repository, image: image, committed: true))
        }
    }

    /// The image is over; what it claimed and did not deliver is free again, and what it never committed is forgotten.
    func release(registry: String, digests: [Digest], image: Int) {
        for digest in digests {
            let key = Key(registry: registry, digest: digest)
            switch entries[key] {
            case .moving(image), .present(_, image, false): settle(key, nil)
            default: break
            }
        }
    }

    /// What was believed about a layer turned out wrong.
    func forget(registry: String, digest: Digest) {
        let key = Key(registry: registry, digest: digest)
        if case .present = entries[key] { settle(key, nil) }
    }

    func mounting(at registry: String) -> Mounting { mounting[registry] ?? .unknown }

    /// Takes in how a mount went.
    func observeMount(at registry: String, mounted: Bool, committed: Bool) {
        if mounted { hasMounted.insert(registry) }
        switch (mounted, committed) {
        case (true, false): mounting[registry] = .works
        case (true, true): if mounting[registry] != .works { mounting[registry] = .afterCommit }
        case (false, false): if mounting[registry] != .refused { mounting[registry] = .afterCommit }
        // What was noted long ago may have been deleted since.
        case (false, true): if !hasMounted.contains(registry) { mounting[registry] = .refused }
        }
    }

    /// Whether a layer that no stored manifest names can be read back from a registry, as far as is known.
    func readsUncommitted(at registry: String) -> Bool { !readsAfterCommit.contains(registry) }

    /// A layer that no stored manifest names could not be read back.
    func observeUnreadable(at registry: String) { readsAfterCommit.insert(registry) }

    private func set(_ key: Key, _ entry: Entry) {
        if entries[key] == nil { order.append(key) }
        entries[key] = entry
        guard order.count > Self.capacity else { return }
        var kept: [Key] = []
        var surplus = order.count - Self.capacity * 3 / 4
        for key in order {
            if surplus > 0, changes[key] == nil, case .present(_, _, true) = entries[key] {
                entries[key] = nil
                surplus -= 1
            } else if entries[key] != nil {
                kept.append(key)
            }
        }
        order = kept
    }

    private func settle(_ key: Key, _ entry: Entry?) {
        if let entry { set(key, entry) } else { entries[key] = nil }
        changes.removeValue(forKey: key)?.set()
    }

    /// Waits until something becomes of a layer; the caller looks again.
    private func wait(for key: Key) async throws {
        let change = changes[key] ?? Signal()
        changes[key] = change
        await change.wait()
        try Task.checkCancellation()
    }
}
