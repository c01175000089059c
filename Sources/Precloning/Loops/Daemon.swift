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
    /// Rung when somebody asks for images.
    package let requests: Bell
    let pulse: LoopPulse
    private let idle: Duration
    let timeline: Timeline
    let logger: Logger
    let troubles: Troubles
    /// What made the record unusable; set once.
    let loss: RecordLoss
    let files: RecordFiles?

    package init(
        ledger: Ledger,
        dispatcher: Dispatcher,
        loops: [any WorkLoop],
        roundLoops: [any WorkLoop],
        requests: Bell,
        pulse: LoopPulse,
        idle: Duration = RecordPace().idle,
        timeline: Timeline,
        logger: Logger,
        troubles: Troubles,
        loss: RecordLoss,
        files: RecordFiles?
    ) {
        self.ledger = ledger
        self.dispatcher = dispatcher
        self.loops = loops
        self.roundLoops = roundLoops
        self.requests = requests
        self.pulse = pulse
        self.idle = idle
        self.timeline = timeline
        self.logger = logger
        self.troubles = troubles
        self.loss = loss
        self.files = files
    }

    /// Runs until graceful shutdown; then the dispatcher drains, the other loops stop at once.
    ///
    /// - Throws: `RecordFiles.Lost` where the record was removed or spoilt meanwhile: what was being copied has ended.
    package func run() async throws {
        let recovered = try ledger.recoverInterrupted(now: timeline.now())
        try ledger.reconfigured(mark: dispatcher.mark(), now: timeline.now())
        if recovered > 0 {
            logger.notice("Clones of the last process go on", metadata: ["images": "\(recovered)"])
        }
        let stop = StopFlag()
        let runner = LoopRunner(timeline: timeline, pulse: pulse, idle: idle, logger: logger) { [troubles] in
            troubles.tell($0, $1)
        }
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for loop in loops {
                    group.addTask { await cancelWhenGracefulShutdownOrStopped { await runner.run(loop) } }
                }
                group.addTask {
                    try await dispatcher.run(stopping: { [loss] in stop.isSet || loss.error != nil })
                    stop.set()
                    if let error = loss.error { throw error }
                }
                // Whoever fails ends the others: waiting for all of them first would be waiting for good.
                for try await _ in group {}
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
        try ledger.reconfigured(mark: dispatcher.mark(), now: timeline.now())
        var trouble: (any Error)?
        var failed: Set<String> = []
        var begun = 0
        repeat {
            for loop in roundLoops where try !failed.contains(loop.name) && (begun == 0 || loop.hasMore()) {
                pulse.beat(loop.name)
                defer { pulse.ended(loop.name) }
                do { try await exhaust(loop) } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    logger.error(
                        "A loop could not do its work",
                        metadata: ["loop": "\(loop.name)", "error": "\(error)"]
                    )
                    trouble = error
                    failed.insert(loop.name)
                }
            }
            begun = try await dispatcher.run(untilIdle: true)
            pulse.ended("dispatcher")
            try files?.check(ledger)
        } while try begun > 0 && roundLoops.contains { try !failed.contains($0.name) && $0.hasMore() }
        try ledger.workerStopped(now: timeline.now())
        if let trouble { throw trouble }
    }
}

extension Daemon {
    /// Passes of one loop until nothing more is due in it.
    private func exhaust(_ loop: any WorkLoop) async throws {
        while true {
            let wait = try await pulse.passing(loop.name) { try await loop.pass() }
            guard try wait <= .zero || loop.hasMore() else { return }
            pulse.beat(loop.name)
            try await timeline.sleep(wait)
        }
    }
}

/// Why the record can be used no longer.
package final class RecordLoss: Sendable {
    private let value = Mutex<RecordFiles.Lost?>(nil)

    package init() {}

    package var error: RecordFiles.Lost? { value.withLock { $0 } }

    func set(_ error: RecordFiles.Lost) { value.withLock { $0 = $0 ?? error } }
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
