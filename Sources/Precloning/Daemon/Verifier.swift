import Foundation
import Logging
package import Remotes

/// Looks again at what is ready, those of live runs first and at once: still there, still whole, still readable. What is
/// not is due again; a missing policy is mended on the spot.
package struct Verifier: WorkLoop {
    package let name = "verifier"
    package let bell = Bell()

    /// A live run's images are looked at again after this time, others after a day; the call budget may stretch both.
    private static let liveAge = 300.0
    private static let otherAge = 86_400.0
    /// What a full look costs: DescribeImages, one or two BatchGetImage, BatchCheckLayerAvailability, GetRepositoryPolicy.
    private static let callsPerLook = 5

    let ledger: Ledger
    let cloner: Cloner
    let timeline: Timeline
    let callsPerMinute: @Sendable () async -> Int
    /// Told when an image is due again.
    let reopened: @Sendable () -> Void

    package init(
        ledger: Ledger,
        cloner: Cloner,
        timeline: Timeline,
        callsPerMinute: @escaping @Sendable () async -> Int,
        reopened: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.cloner = cloner
        self.timeline = timeline
        self.callsPerMinute = callsPerMinute
        self.reopened = reopened
    }

    package func pass() async throws -> Duration {
        let now = timeline.now()
        let due = try ledger.toVerify(
            limit: 1,
            liveOlderThan: now.addingTimeInterval(-Self.liveAge),
            othersOlderThan: now.addingTimeInterval(-Self.otherAge)
        )
        guard let image = due.first else { return .seconds(15) }
        switch await cloner.verify(image) {
        case .asItShouldBe(let access):
            try ledger.verified(image.id, access: access, now: timeline.now())
        case .changed(let reason):
            Logger.current.notice(
                "A ready image is no longer what it was",
                metadata: ["image.ref": "\(image.source)", "reason": "\(reason)"]
            )
            try ledger.reopen(image.id, reason: reason, now: timeline.now())
            reopened()
        case .unknown(let reason):
            Logger.current.warning(
                "A ready image could not be looked at",
                metadata: ["image.ref": "\(image.source)", "error": "\(reason)"]
            )
            return .seconds(30)
        }
        // An image that a run has just come to need is looked at without waiting for the budget.
        if image.verifiedAt == nil { return .zero }
        return .milliseconds(60_000 * Self.callsPerLook / max(1, await callsPerMinute()))
    }
}
