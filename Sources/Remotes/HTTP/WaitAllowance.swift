import Synchronization

/// How long one piece of work may wait, in all, for services that ask for less. Beyond that a request fails with what was
/// answered last, so that the work is put off and holds no worker. Bound around the work; what it does in parallel waits
/// once.
package final class WaitAllowance: Sendable {
    @TaskLocal package static var current: WaitAllowance?

    private struct State {
        var spent = Duration.zero
        var until = Duration.zero
    }

    private let bound: Duration
    private let state = Mutex(State())

    package init(_ bound: Duration) { self.bound = bound }

    /// Takes a wait that begins now, as `Timeline.elapsed` counts; false where it would be too long.
    package func take(_ wait: Duration, at now: Duration) -> Bool {
        state.withLock { state in
            let end = now + wait
            let fresh = max(.zero, end - max(now, state.until))
            guard state.spent + fresh <= bound else { return false }
            state.spent += fresh
            state.until = max(state.until, end)
            return true
        }
    }

    /// The longest wait that would be let through now.
    package func left(at now: Duration) -> Duration {
        state.withLock { bound - $0.spent + max(.zero, $0.until - now) }
    }
}
