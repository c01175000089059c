package import Foundation
import Names

/// When an image is tried again: exponential with full jitter, bounded in number and in total time; what is blocked is looked
/// at again by a clock of its cause.
///
/// With base 30 s, ceiling 1 h: up to 30 s, 1 min, 2 min, 4 min, 8 min, 16 min, 32 min, 1 h, 1 h …
package struct ImageRetrySchedule: Sendable, Hashable {
    package var base: Duration
    package var ceiling: Duration
    package var attempts: Int
    package var total: Duration

    package init(base: Duration, ceiling: Duration, attempts: Int, total: Duration) {
        self.base = base
        self.ceiling = ceiling
        self.attempts = attempts
        self.total = total
    }

    /// The defaults of `retry.image`.
    package static let standard = ImageRetrySchedule(
        base: .seconds(30),
        ceiling: .seconds(3600),
        attempts: 12,
        total: .seconds(3 * 86_400)
    )

    package struct Decision: Sendable, Equatable {
        package var isBlocked: Bool
        /// Blocked because attempts or time are spent, not because of the failure's own kind.
        package var gaveUp = false
        package var counts: Bool
        package var due: Date
        package var why = ""
    }

    /// What becomes of an image after a failed attempt. Pure.
    package func decide(
        _ failure: CloneFailure,
        _ image: ImageStanding,
        urgency: Urgency,
        _ moment: ImageMoment
    ) -> Decision {
        let recheck = recheck(failure.failureClass, image, urgency: urgency, moment)
        if failure.isPermanent { return Decision(isBlocked: true, counts: true, due: recheck) }
        let counts = !failure.belongsToHost
        let tried = image.attempts + (counts ? 1 : 0)
        var spent: String?
        if counts, tried >= attempts {
            spent = "given up after \(tried) attempts"
        } else if counts, let first = image.firstAttemptAt,
            moment.now.timeIntervalSince(first) >= total.seconds
        {
            let days = Int(total.seconds / 86_400)
            spent = "given up after \(days > 0 ? "\(days) days" : "\(Int(total.seconds)) s") of attempts"
        }
        if let spent { return Decision(isBlocked: true, gaveUp: true, counts: true, due: recheck, why: spent) }
        // Capped before the shift can grow, so that the conversion cannot trap.
        let exponent = min(max(0, image.failures), 30)
        // What was never sent has taught us nothing new: it waits for its time, and no longer.
        let delay =
            failure.isHeldBack ? 0 : min(ceiling.seconds, base.seconds * Double(1 << exponent)) * moment.random
        let wait = max(delay, failure.retryAfter?.seconds ?? 0, 1)
        return Decision(isBlocked: false, counts: counts, due: moment.now.addingTimeInterval(wait))
    }

    /// When a blocked image is looked at again without anybody asking, by its cause and by who waits for it. Half of the wait
    /// is jitter, so that many do not come together.
    package func recheck(
        _ cause: FailureClass,
        _ image: ImageStanding,
        urgency: Urgency,
        _ moment: ImageMoment
    ) -> Date {
        let (first, most): (Double, Double) =
            switch (cause.clock, urgency) {
            case (.notThere, .run): (10, 300)
            case (.notThere, _): (120, 3600)
            case (.access, .run): (30, 600)
            case (.access, _): (300, 3600)
            case (.decision, .run): (3600, 3600)
            case (.decision, _): (86_400, 86_400)
            }
        let exponent = min(max(0, image.failures), 30)
        let wait = min(most, first * Double(1 << exponent))
        return moment.now.addingTimeInterval(wait * (0.5 + 0.5 * moment.random))
    }
}
