import Configuring
import Foundation
import Logging
package import Model
package import Names
package import Record
package import Remotes

/// Looks whether upstream's tags still point to what was cloned: a HEAD for each, every `clone.refreshTagsEvery`, which no
/// registry counts as a pull, and a GET at registries that refuse it. What a moved tag means is `clone.onTagMove`'s to say.
package struct RefreshLoop: WorkLoop {
    package let name = "refresh"
    package let bell = Bell()

    private static let batch = 20
    private static let idle = Duration.seconds(300)

    let ledger: Ledger
    let registries: RegistryClients
    let settings: Settings
    let timeline: Timeline
    /// Whether an image's place lies below a pull-through prefix, by the rules that are there now.
    let isBelowRule: @Sendable (ImageRecord) async throws -> Bool
    /// Whether what is held of an image is what upstream names by this digest; nil where that cannot be told.
    let holds: @Sendable (ImageRecord, Digest, ImageReference) async -> Bool?
    /// Told when an image is due again.
    let reopened: @Sendable () -> Void

    package init(
        ledger: Ledger,
        registries: RegistryClients,
        settings: Settings,
        timeline: Timeline,
        isBelowRule: @escaping @Sendable (ImageRecord) async throws -> Bool,
        holds: @escaping @Sendable (ImageRecord, Digest, ImageReference) async -> Bool?,
        reopened: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.registries = registries
        self.settings = settings
        self.timeline = timeline
        self.isBelowRule = isBelowRule
        self.holds = holds
        self.reopened = reopened
    }

    package func pass() async throws -> Duration {
        let every = settings.current.clone.refreshTagsEvery.seconds
        let due = try ledger.toRefresh(
            limit: Self.batch,
            seenBefore: timeline.now().addingTimeInterval(-every),
            pausedRegistries: await registries.paused()
        )
        for image in due {
            try Task.checkCancellation()
            do {
                try await look(at: image)
            } catch let error as RegistryError {
                // It is there as far as we know; the next look is a period away, so that a bad host is not worn out.
                try ledger.sawUpstreamUnchanged(image.id, digest: nil, now: timeline.now())
                Logger.current.info(
                    "A tag could not be looked at upstream",
                    metadata: ["image.ref": "\(image.source)", "error": "\(error)"]
                )
            }
        }
        return due.count == Self.batch ? .seconds(1) : Self.idle
    }

    private func look(at image: ImageRecord) async throws {
        let now = timeline.now()
        guard let source = try? ImageReference(image.source), let tag = source.tag, source.digest == nil,
            // However the image came there, ECR refreshes it by itself.
            try await !isBelowRule(image)
        else { return try ledger.sawUpstreamUnchanged(image.id, digest: nil, now: now) }
        let client = try await registries.client(for: source.registry)
        // Where looking by HEAD is refused, a GET tells, and counts as the least urgent of pulls.
        let answer = try await PullUrgency.$current.withValue(Urgency.refresh.rawValue) {
            try await client.digest(of: .tag(tag), in: source.repository, budget: registries.budget)
        }
        guard let named = answer else {
            return try ledger.sawUpstreamUnchanged(image.id, digest: nil, now: now)
        }
        let found = named.description
        guard let cloned = image.sourceDigest else { return try await compare(image, named, source, now: now) }
        guard cloned != found else {
            try ledger.sawDigest(source: image.source, location: "upstream", digest: found, now: now)
            return try ledger.sawUpstreamUnchanged(image.id, digest: found, now: now)
        }
        let choice = settings.current.clone.onTagMove
        try ledger.sawDigest(source: image.source, location: "upstream", digest: found, note: "moved", now: now)
        try ledger.sawUpstreamMoved(image.id, to: found, follows: choice != .report, now: now)
        guard image.movedDigest != found else { return }
        var entry = AuditEntry(.upstreamTagMoved, caller: "daemon", at: now)
        entry.source = image.source
        entry.destination = image.destination
        entry.before = cloned
        entry.after = found
        entry.detail = "upstream's tag has moved; clone.onTagMove is \(choice.rawValue)"
        try ledger.audit(entry)
        Logger.current.notice(
            "An upstream tag has moved",
            metadata: ["image.ref": "\(image.source)", "image.digest": "\(found)", "choice": "\(choice.rawValue)"]
        )
        if choice != .report { reopened() }
    }

    /// An image that was found in ECR, and could not be compared with its source then or was found to be another.
    private func compare(_ image: ImageRecord, _ named: Digest, _ source: ImageReference, now: Date) async throws {
        let found = named.description
        try ledger.sawDigest(source: image.source, location: "upstream", digest: found, now: now)
        let isHeld = image.movedDigest == found ? nil : await holds(image, named, source)
        try ledger.sawUpstreamUnchanged(image.id, digest: isHeld == true ? found : nil, now: now)
        guard isHeld == false else { return }
        // What follows from that is decided where images are cloned.
        try ledger.tell(.lost(reason: "what ECR holds is not what \(image.source) names now"), of: image.id, now: now)
        reopened()
    }
}
