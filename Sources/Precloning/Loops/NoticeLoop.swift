package import Configuring
import Foundation
import Logging
package import Model
package import Record
package import Remotes
import Synchronization

/// Sends what the outbox holds. A message that could not be sent is sent again as it was, with the same id.
package final class NoticeLoop: WorkLoop {
    package let name = "notices"
    package let bell = Bell()

    private static let interval = Duration.seconds(1)
    /// While nothing is to be told.
    private static let idle = Duration.seconds(60)

    let ledger: Ledger
    let settings: Settings
    let timeline: Timeline
    let troubles: Troubles
    let send: NoticeSender
    /// When health is looked at again, in the timeline's elapsed time.
    private let nextLook = Mutex(Duration.zero)

    package init(
        ledger: Ledger,
        settings: Settings,
        timeline: Timeline,
        troubles: Troubles,
        send: @escaping NoticeSender
    ) {
        self.ledger = ledger
        self.settings = settings
        self.timeline = timeline
        self.troubles = troubles
        self.send = send
    }

    package func pass() async throws -> Duration {
        let notify = settings.current.notify
        guard !notify.targets.isEmpty else { return Self.idle }
        if notify.on.contains(.degraded), timeline.elapsed() >= nextLook.withLock({ $0 }) {
            let begun = timeline.elapsed()
            let report = try StatusReport.read(
                from: RecordReader(ledger),
                extent: .init(runs: 0, rows: 0),
                now: timeline.now(),
                isAlive: { _ in true }
            )
            try ledger.noteHealth(report.health, now: timeline.now())
            // With thousands of live runs a look takes a while: it has at most a twentieth of the time.
            nextLook.withLock { $0 = timeline.elapsed() + (timeline.elapsed() - begun) * 20 }
        }
        var isMore = false
        for target in notify.targets where try await deliver(to: target, notify.perHour) { isMore = true }
        return isMore ? .zero : Self.interval
    }

    package func hasMore() throws -> Bool {
        let notify = settings.current.notify
        return try notify.targets.contains { target in
            try ledger.nextMessage(for: target, perHour: notify.perHour, now: timeline.now()) != nil
        }
    }

    /// - Returns: whether a message was sent: another may be due.
    private func deliver(to target: NoticeTarget, _ perHour: Int) async throws -> Bool {
        guard let message = try ledger.nextMessage(for: target, perHour: perHour, now: timeline.now()) else {
            return false
        }
        do {
            try await send(message, target)
            try ledger.delivered(message, to: target, now: timeline.now())
            troubles.tell(target.rawValue, nil)
            return true
        } catch let error where !(error is CancellationError) && !(error is LedgerError) {
            let pause = try ledger.undelivered(message, to: target, now: timeline.now())
            troubles.tell(target.rawValue, "does not take notices: \(error)")
            Logger.current.warning(
                "A notice could not be sent",
                metadata: ["target": "\(target.rawValue)", "error": "\(error)", "retry.delay": "\(pause)"]
            )
            return false
        }
    }
}

/// Nobody was given the means to send.
package struct NobodySends: Error {}

/// Sends one message to one target.
package typealias NoticeSender = @Sendable (NoticeMessage, NoticeTarget) async throws -> Void

extension Ledger {
    /// As `notify` of the configuration says.
    package func notify(as configuration: Configuration) throws {
        try notify(of: configuration.notify.on, to: configuration.notify.targets)
    }
}
