package import Foundation
import Logging
package import Record
import Remotes
import Synchronization

/// Whether events can be relied on, and so how often to poll.
///
/// Delivery by EventBridge is best effort. Events are healthy while the last receive succeeded, one told of a run within
/// the last day, and, within the last hour, no poll found a run first; an event that comes within a minute of the poll was
/// not late. A queue that answers and that nothing feeds proves nothing.
package final class EventHealth: Sendable {
    /// How much slower polling goes while events are healthy.
    package static let slowing = 10
    /// Polling never gets slower than this by it.
    package static let slowest = Duration.seconds(600)

    private static let memory: TimeInterval = 3600
    private static let provenFor: TimeInterval = 86_400
    /// What events have proved is asked of the record once in this time.
    private static let provenAgain: TimeInterval = 3600
    private static let grace: TimeInterval = 60
    /// The queue is asked all the time; an older answer says nothing.
    private static let freshFor: TimeInterval = 300

    private let state = Mutex<Date?>(nil)
    private let proven = Mutex<Date>(.distantPast)
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

    package var isHealthy: Bool {
        let at = now()
        guard let last = state.withLock({ $0 }), abs(at.timeIntervalSince(last)) < Self.freshFor else { return false }
        do {
            return try isProven(at) && !pollWasFirst(at)
        } catch {
            Logger.current.warning("The record cannot be read", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// What is wrong with a queue that answers: polls find runs, and for a day no event told of any.
    func silence() throws -> String? {
        let at = now()
        guard try !isProven(at), try pollWasFirst(at) else { return nil }
        let none = try ledger.hadEvents() ? "for a day no event came" : "no event ever came"
        return
            "the queue answers, but \(none) that told of a run, and polls find runs; check the EventBridge rule, its "
            + "target and the queue's policy"
    }

    private func isProven(_ at: Date) throws -> Bool {
        if abs(at.timeIntervalSince(proven.withLock { $0 })) < Self.provenAgain { return true }
        guard try ledger.eventToldOfRun(from: at.addingTimeInterval(-Self.provenFor), until: at) else { return false }
        proven.withLock { $0 = at }
        return true
    }

    private func pollWasFirst(_ at: Date) throws -> Bool {
        try ledger.pollFoundRunFirst(
            from: at.addingTimeInterval(-Self.memory),
            until: at.addingTimeInterval(-Self.grace)
        )
    }

    /// The time between two polls: as configured, or longer while events are healthy.
    package func interval(_ configured: Duration) -> Duration {
        isHealthy ? max(configured, min(configured * Self.slowing, Self.slowest)) : configured
    }
}
