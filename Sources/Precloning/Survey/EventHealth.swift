package import Foundation
import Logging
package import Record
import Remotes
import Synchronization

/// Whether events can be relied on, and so how often to poll.
///
/// Delivery by EventBridge is best effort. Events are healthy while the last receive succeeded and, within the last hour,
/// no poll found a run first; an event that comes within a minute of the poll was not late.
package final class EventHealth: Sendable {
    /// How much slower polling goes while events are healthy.
    package static let slowing = 10
    /// Polling never gets slower than this by it.
    package static let slowest = Duration.seconds(600)

    private static let memory: TimeInterval = 3600
    private static let grace: TimeInterval = 60
    /// The queue is asked all the time; an older answer says nothing.
    private static let freshFor: TimeInterval = 300

    private let state = Mutex<Date?>(nil)
    private let ledger: Ledger
    private let now: @Sendable () -> Date

    package init(ledger: Ledger, now: @escaping @Sendable () -> Date) {
        self.ledger = ledger
        self.now = now
    }

    /// The queue answered.
    package func received() { state.withLock { $0 = now() } }

    /// The queue did not answer, or there is none.
    ///
    /// - Returns: whether it had answered before.
    package func failed() -> Bool {
        state.withLock { last in
            defer { last = nil }
            return last != nil
        }
    }

    /// Whether the last receive succeeded.
    package var hasAnswered: Bool { state.withLock { $0 != nil } }

    package var isHealthy: Bool {
        let at = now()
        guard let last = state.withLock({ $0 }), abs(at.timeIntervalSince(last)) < Self.freshFor else { return false }
        do {
            return try !ledger.pollFoundRunFirst(
                from: at.addingTimeInterval(-Self.memory),
                until: at.addingTimeInterval(-Self.grace)
            )
        } catch {
            Logger.current.warning("The record cannot be read", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// The time between two polls: as configured, or longer while events are healthy.
    package func interval(_ configured: Duration) -> Duration {
        isHealthy ? max(configured, min(configured * Self.slowing, Self.slowest)) : configured
    }
}
