import Foundation
import Logging
import Model
package import Record
package import Remotes
import Synchronization

/// Looks again at what is ready, those of live runs first and at once: still there, still whole, still readable. What is
/// not is due again; a missing policy is mended on the spot.
package struct Verifier: WorkLoop {
    package let name = "verifier"
    package let bell = Bell()

    /// A live run's images are looked at again after this time, others after a day; the call budget may stretch both.
    private static let liveAge = 300.0
    private static let otherAge = 86_400.0
    /// What a look costs: DescribeImages, GetRepositoryPolicy, and once an hour BatchCheckLayerAvailability. Manifests are
    /// kept: reading one would be a pull in ECR's eyes.
    private static let callsPerLook = 3
    /// The part of its time before which an image is not looked at even in company.
    private static let slack = 0.5
    /// In a batch, so many images share one more BatchCheckLayerAvailability.
    private static let imagesPerCall = 10
    /// So many that are due are seen at once, to find those of one repository.
    private static let window = 300
    /// How long an image rests that could not be looked at.
    private static let rest = Duration.seconds(600)

    let ledger: Ledger
    let cloner: Cloner
    let timeline: Timeline
    let callsPerMinute: @Sendable () async -> Int
    let longestWait: Duration
    /// Told when an image is due again.
    let reopened: @Sendable () -> Void
    /// Images that could not be looked at, and when they may be again.
    private let postponed = Postponed()

    /// - Parameter longestWait: what falls due for a look is seen within this.
    package init(
        ledger: Ledger,
        cloner: Cloner,
        timeline: Timeline,
        callsPerMinute: @escaping @Sendable () async -> Int,
        longestWait: Duration = RecordPace().others,
        reopened: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.cloner = cloner
        self.timeline = timeline
        self.callsPerMinute = callsPerMinute
        self.longestWait = longestWait
        self.reopened = reopened
    }

    package func hasMore() throws -> Bool { try !due().isEmpty }

    package func pass() async throws -> Duration {
        guard let first = try due().first else { return longestWait }
        // Images of one repository cost about as many calls as one of them: those that are due soon come along.
        let repository = Self.repository(of: first)
        let batch = Array(
            try due(slack: Self.slack).filter { Self.repository(of: $0) == repository }.prefix(ECRClient.batchSize)
        )
        var pause = Duration.milliseconds(
            60_000 * (Self.callsPerLook + batch.count / Self.imagesPerCall) / max(1, await callsPerMinute())
        )
        for (image, look) in zip(batch, await cloner.verify(batch)) {
            switch look {
            case .asItShouldBe(let access):
                try ledger.verified(image.id, access: access, now: timeline.now())
            case .changed(let reason):
                Logger.current.notice(
                    "A ready image is no longer what it was",
                    metadata: ["image.ref": "\(image.source)", "reason": "\(reason)"]
                )
                try ledger.tell(.lost(reason: reason), of: image.id, now: timeline.now())
                reopened()
            case .unknown(let reason):
                Logger.current.warning(
                    "A ready image could not be looked at",
                    metadata: ["image.ref": "\(image.source)", "error": "\(reason)"]
                )
                postpone(image.id)
                pause = max(pause, .seconds(30))
            }
        }
        // An image that a run has just come to need is looked at without waiting for the budget.
        if first.verifiedAt == nil, pause < .seconds(30) { return .zero }
        return pause
    }

    private func due(slack: Double = 0) throws -> [ImageRecord] {
        let now = timeline.now()
        return try ledger.toVerify(
            limit: Self.window,
            liveOlderThan: now.addingTimeInterval(-Self.liveAge * (1 - slack)),
            othersOlderThan: now.addingTimeInterval(-Self.otherAge * (1 - slack))
        ).filter { !isPostponed($0.id) }
    }

    private static func repository(of image: ImageRecord) -> Substring {
        let name = image.destination.prefix { $0 != "@" }
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return name }
        return name[..<colon]
    }

    /// One that cannot be looked at does not keep the others from their turn.
    private func postpone(_ image: Int64) {
        let until = timeline.elapsed() + Self.rest
        postponed.until.withLock { $0[image] = until }
    }

    private func isPostponed(_ image: Int64) -> Bool {
        let now = timeline.elapsed()
        return postponed.until.withLock { until in
            if let end = until[image], end > now { return true }
            until[image] = nil
            return false
        }
    }
}

private final class Postponed: Sendable {
    let until = Mutex([Int64: Duration]())
}
