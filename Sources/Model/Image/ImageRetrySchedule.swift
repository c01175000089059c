package import Foundation
import Names

/// The durable retries of one image: exponential with full jitter, bounded in number and in total time.
///
/// With base 30 s, ceiling 1 h: up to 30 s, 1 min, 2 min, 4 min, 8 min, 16 min, 32 min, 1 h, 1 h …
package struct ImageRetrySchedule: Sendable, Equatable {
    package var base: Duration
    package var ceiling: Duration
    package var attempts: Int
    package var total: Duration
    /// How often a blocked image is looked at again without anybody asking.
    package var blockedRecheck: Duration = .seconds(86_400)

    package init(base: Duration, ceiling: Duration, attempts: Int, total: Duration) {
        self.base = base
        self.ceiling = ceiling
        self.attempts = attempts
        self.total = total
    }

    package struct Decision: Sendable, Equatable {
        package var isBlocked: Bool
        /// Blocked because attempts or time are spent, not because of the failure's own kind.
        package var gaveUp: Bool
        package var counts: Bool
        package var due: Date
        package var why: String
    }

    /// What became of an image before.
    package struct Past: Sendable, Equatable {
        /// Attempts that counted against the image.
        package var attempts = 0
        /// When the first of them ended.
        package var firstAttemptAt: Date?
        /// Failed attempts in a row, those that belong to the host too: they set how long is waited.
        package var failures = 0

        package init(attempts: Int = 0, firstAttemptAt: Date? = nil, failures: Int = 0) {
            self.attempts = attempts
            self.firstAttemptAt = firstAttemptAt
            self.failures = failures
        }
    }

    /// What becomes of an image after a failed attempt. Pure.
    package func decide(_ failure: CloneFailure, past: Past, now: Date, random: Double) -> Decision {
        let recheck = now.addingTimeInterval(blockedRecheck.seconds)
        if failure.isPermanent {
            return Decision(isBlocked: true, gaveUp: false, counts: true, due: recheck, why: "")
        }
        let counts = !failure.belongsToHost
        let tried = past.attempts + (counts ? 1 : 0)
        if counts, tried >= attempts {
            return Decision(
                isBlocked: true,
                gaveUp: true,
                counts: true,
                due: recheck,
                why: "given up after \(tried) attempts"
            )
        }
        if counts, let first = past.firstAttemptAt, now.timeIntervalSince(first) >= total.seconds {
            let days = Int(total.seconds / 86_400)
            return Decision(
                isBlocked: true,
                gaveUp: true,
                counts: true,
                due: recheck,
                why: "given up after \(days > 0 ? "\(days) days" : "\(Int(total.seconds)) s") of attempts"
            )
        }
        // Capped before the shift can grow, so that the conversion cannot trap.
        let exponent = min(max(0, past.failures), 30)
        // What was never sent has taught us nothing new: it waits for its time, and no longer.
        let delay = failure.isHeldBack ? 0 : min(ceiling.seconds, base.seconds * Double(1 << exponent)) * random
        let wait = max(delay, failure.retryAfter?.seconds ?? 0, 1)
        return Decision(isBlocked: false, gaveUp: false, counts: counts, due: now.addingTimeInterval(wait), why: "")
    }
}
