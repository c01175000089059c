import Foundation
package import Logging
package import Record
package import Remotes
import ServiceLifecycle
import Synchronization

/// The daemon: its loops over one record. Watchers write demands, the dispatcher gives images to workers, the verifier
/// looks again; no loop waits for another.
package struct Daemon: Service {
    package let ledger: Ledger
    package let dispatcher: Dispatcher
    /// Every loop but the dispatcher.
    package let loops: [any WorkLoop]
    /// Those whose passes make up one round of `run --once`, in the order of the image's way.
    package let roundLoops: [any WorkLoop]
    let pulse: LoopPulse
    private let idle: Duration
    let timeline: Timeline
    let logger: Logger

    package init(
        ledger: Ledger,
        dispatcher: Dispatcher,
        loops: [any WorkLoop],
        roundLoops: [any WorkLoop],
        pulse: LoopPulse,
        idle: Duration = RecordPace().idle,
        timeline: Timeline,
        logger: Logger
    ) {
        self.ledger = ledger
        self.dispatcher = dispatcher
        self.loops = loops
        self.roundLoops = roundLoops
        self.pulse = pulse
        self.idle = idle
        self.timeline = timeline
        self.logger = logger
    }

    /// Runs until graceful shutdown; then the dispatcher drains, the other loops stop at once.
    package func run() async throws {
        let recovered = try ledger.recoverInterrupted(now: timeline.now())
        if recovered > 0 {
            logger.notice("Clones of the last process go on", metadata: ["images": "\(recovered)"])
        }
        let stop = StopFlag()
        let runner = LoopRunner(timeline: timeline, pulse: pulse, idle: idle, logger: logger)
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for loop in loops {
                    group.addTask { await cancelWhenGracefulShutdownOrStopped { await runner.run(loop) } }
                }
                group.addTask {
                    try await dispatcher.run(stopping: { stop.isSet })
                    stop.set()
                }
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            stop.set()
            dispatcher.bell.ring()
        }
        try ledger.workerStopped(now: timeline.now())
    }

    /// Does all that is due, waits for its clones, and ends: `run --once`.
    ///
    /// - Throws: what kept a watcher from its work, once everything else that could be done was done.
    package func runOnce() async throws {
        try ledger.recoverInterrupted(now: timeline.now())
        var trouble: (any Error)?
        var rounds = 0
        repeat {
            rounds += 1
            for loop in roundLoops {
                pulse.beat(loop.name)
                defer { pulse.ended(loop.name) }
                do { _ = try await pulse.passing(loop.name) { try await loop.pass() } } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    logger.error(
                        "A loop could not do its work",
                        metadata: ["loop": "\(loop.name)", "error": "\(error)"]
                    )
                    trouble = error
                }
            }
            try await dispatcher.run(untilIdle: true)
            pulse.ended("dispatcher")
        } while try rounds < 3 && ledger.hasDue(now: timeline.now())
        try ledger.workerStopped(now: timeline.now())
        if let trouble { throw trouble }
    }
}

/// Set once, when no new work may begin.
final class StopFlag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }

    func set() { value.withLock { $0 = true } }
}

/// A loop that is not the dispatcher ends at once on shutdown: all it does can be done again.
private func cancelWhenGracefulShutdownOrStopped(_ operation: @Sendable @escaping () async -> Void) async {
    _ = await cancelWhenGracefulShutdown { await operation() }
}
