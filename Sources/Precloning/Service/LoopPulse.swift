package import Remotes
import Synchronization

/// The signs of life of the work loops, from which the service manager's watchdog is fed.
///
/// Each loop promises when it will beat next; whenever one beats, and all others are still within their promise, the
/// manager hears of it. A loop that hangs makes the sign of life stop although the others go on. There is no timer
/// beside the loops that could go on by itself.
package final class LoopPulse: Sendable {
    /// The loop whose pass is under way in a task.
    private struct Pass: Sendable {
        var pulse: LoopPulse
        var loop: String
    }

    // A type of its own, and no closure: those crash as task-local values in optimized programs (Swift 6.3.1).
    @TaskLocal private static var current: Pass?

    /// Tells that the pass under way goes on, if there is one: a pass of many requests, or of slow ones, is no silence.
    package static func progress() {
        guard let current else { return }
        current.pulse.beat(current.loop)
    }

    /// Runs a pass of a loop, whose `progress` is a beat.
    package func passing<Result>(_ loop: String, _ pass: () async throws -> Result) async rethrows -> Result {
        try await Self.$current.withValue(Pass(pulse: self, loop: loop), operation: pass)
    }

    private struct State {
        /// The moment by which each loop has promised to beat again.
        var due: [String: Duration] = [:]
        var lastTold: Duration?
    }

    private let state = Mutex(State())
    private let timeline: Timeline
    private let limit: Duration
    private let tell: @Sendable () -> Void

    /// - Parameters:
    ///   - watchdog: how long the manager waits; nil: nobody watches, and beats only keep `overdue`.
    ///   - tell: gives the sign of life.
    package init(watchdog: Duration?, timeline: Timeline, tell: @escaping @Sendable () -> Void) {
        limit = watchdog ?? .seconds(60)
        self.timeline = timeline
        self.tell = tell
    }

    /// The longest time a loop should let pass between beats: a third of what the manager grants.
    package var stride: Duration { limit / 3 }

    /// The loop is alive, and will beat again within two strides.
    package func beat(_ loop: String) {
        let now = timeline.elapsed()
        let speak = state.withLock { state in
            state.due[loop] = now + stride * 2
            guard state.due.values.allSatisfy({ $0 >= now }) else { return false }
            if let last = state.lastTold, now - last < stride / 2 { return false }
            state.lastTold = now
            return true
        }
        if speak { tell() }
    }

    /// The loop has ended of its own accord, and is waited for no longer.
    package func ended(_ loop: String) {
        state.withLock { _ = $0.due.removeValue(forKey: loop) }
    }

    /// The loops that have broken their promise, sorted.
    package var overdue: [String] {
        let now = timeline.elapsed()
        return state.withLock { state in state.due.filter { $0.value < now }.keys.sorted() }
    }

    /// Sleeps on behalf of a loop, in steps short enough for the promise, beating before each.
    ///
    /// - Throws: `CancellationError`.
    package func sleep(_ duration: Duration, loop: String) async throws {
        var left = duration
        while left > .zero {
            beat(loop)
            let step = min(left, stride)
            try await timeline.sleep(step)
            left -= step
        }
        beat(loop)
    }
}
