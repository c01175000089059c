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
    private var nextImage = 0
    private var changes: [Key: Signal] = [:]
    /// Transfers of one process, bounded per host.
    nonisolated let slots: HostSlots
    nonisolated let smallRequests: HostSlots
    /// Uploads in parts at once.
    nonisolated let partUploads = HostSlots(2)

    /// Remembered layers; the oldest that are settled are forgotten first.
    static let capacity = 50_000

    /// - Parameter slots: bounds the transfers of everything that shares this value.
    package init(slots: HostSlots = HostSlots(6)) {
        self.slots = slots
        smallRequests = HostSlots(16)
    }

    /// Notes layers that a repository is known to have, named by a stored manifest there.
    package func note(registry: String, repository: String, digests: some Sequence<Digest> & Sendable) {
        for digest in digests {
            settle(Key(registry: registry, digest: digest), .present(repository: repository, image: 0, committed: true))
        }
    }

    /// Claims what is free of an image's layers, and gives the image its number.
    func claim(registry: String, digests: [Digest]) -> Int {
        nextImage += 1
        for digest in digests {
            let key = Key(registry: registry, digest: digest)
            if entries[key] == nil { set(key, .moving(image: nextImage)) }
        }
        return nextImage
    }

    /// How a layer stands for an image; waits while another image moves it.
    func standing(registry: String, repository: String, digest: Digest, image: Int) async throws -> Standing {
        let key = Key(registry: registry, digest: digest)
        while true {
            switch entries[key] {
            case nil:
                set(key, .moving(image: image))
                return .own
            case .moving(image):
                return .own
            case .moving:
                try await wait(for: key)
            case .present(repository, _, _):
                return .here
            case .present(let other, let owner, let committed):
                return .elsewhere(repository: other, committed: committed, mayWait: owner < image)
            }
        }
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
        switch (mounted, committed) {
        case (true, false): mounting[registry] = .works
        case (true, true): if mounting[registry] != .works { mounting[registry] = .afterCommit }
        case (false, false): if mounting[registry] != .refused { mounting[registry] = .afterCommit }
        case (false, true): mounting[registry] = .refused
        }
    }

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
