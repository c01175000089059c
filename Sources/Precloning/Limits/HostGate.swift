package import Foundation
package import Model
import Names
package import Remotes
import Synchronization

/// The one door to a host, for all workers: they pass in the order in which they came, so that none starves.
///
/// Whoever is first waits for time and for a place; the others wait for their turn. A cancelled waiter leaves without a
/// trace, and what it had taken is free again.
package final class HostGate: Sendable {
    /// A wait that is not made.
    package struct Refusal: Error, Sendable, Hashable {
        package enum Cause: Sendable, Hashable { case paused(String), broken }

        package var cause: Cause
        package var until: Date
    }

    private typealias Waiter = CheckedContinuation<Void, any Error>

    private struct State {
        var window: RequestWindow
        var breaker = CircuitBreaker()
        /// By the clock that nobody sets: a pause is a length of time from when it was told.
        var pausedUntil: Duration?
        var pauseReason: String?
        /// Requests let through and not over.
        var busy = 0
        /// Of these, so many have not been answered.
        var unanswered = 0
        var nextID = 0
        var turn: Int?
        var waiters: [(id: Int, continuation: Waiter)] = []
        var placeWaiter: (id: Int, continuation: Waiter)?
        var left: Set<Int> = []
        var bytesFreeAt: Duration = .zero
        /// Refusals for speed in a row.
        var throttles = 0
    }

    private enum Step {
        case pass
        case sleep(Duration)
        /// The host asked for it.
        case rest(Duration, Refusal)
        case full
        case refuse(Refusal)
    }

    private let state: Mutex<State>
    private let timeline: Timeline

    package init(timeline: Timeline) {
        self.timeline = timeline
        state = Mutex(State(window: RequestWindow(rate: 1)))
    }

    // MARK: Requests

    /// Suspends until one request may be sent; every return is matched by one `release`.
    ///
    /// - Throws: `Refusal` when the wait would be too long, `CancellationError`.
    package func acquire(_ limit: HostLimit) async throws {
        if limit.requestsPerSecond.isInfinite, passesAtOnce(limit) { return }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await takeTurn(id)
        defer { passTurn(id) }
        while true {
            try Task.checkCancellation()
            switch step(limit) {
            case .pass: return
            case .sleep(let duration): try await timeline.sleep(duration)
            case .rest(let duration, let refusal):
                guard WaitAllowance.current?.take(duration, at: timeline.elapsed()) != false else { throw refusal }
                try await timeline.sleep(duration)
            case .full: try await waitForPlace(id, limit)
            case .refuse(let refusal): throw refusal
            }
        }
    }

    /// Lets a request through that no rate holds back, past those that wait for their time, where a place is free that
    /// nobody waits for.
    private func passesAtOnce(_ limit: HostLimit) -> Bool {
        state.withLock { state in
            if let until = state.pausedUntil, until > timeline.elapsed() { return false }
            guard state.busy < limit.concurrentRequests, state.placeWaiter == nil,
                case .pass = state.breaker.admit(now: timeline.now())
            else { return false }
            state.busy += 1
            state.unanswered += 1
            return true
        }
    }

    /// A request is over.
    ///
    /// - Parameter wasCancelled: it was given up by us, which says nothing about the host.
    /// - Returns: whether a request ended without any answer, so that the host counts as failing.
    @discardableResult
    package func release(wasCancelled: Bool) -> Bool {
        let (waiter, failed) = state.withLock { state -> (Waiter?, Bool) in
            state.busy = max(0, state.busy - 1)
            // Requests do not say whose answer came; when more are unanswered than there are, one never will be.
            var failed = state.unanswered > state.busy
            state.unanswered = min(state.unanswered, state.busy)
            if failed, wasCancelled {
                state.breaker.abandoned()
                failed = false
            }
            let waiter = state.placeWaiter?.continuation
            state.placeWaiter = nil
            return (waiter, failed)
        }
        waiter?.resume()
        return failed
    }

    /// A request was answered.
    package func answered() {
        state.withLock { $0.unanswered = max(0, $0.unanswered - 1) }
    }

    /// Requests that were let through and are not over.
    package var inFlight: Int { state.withLock { $0.busy } }

    /// Requests that came and were not let through yet.
    package var waiting: Int { state.withLock { $0.waiters.count + ($0.turn == nil ? 0 : 1) } }

    private func step(_ limit: HostLimit) -> Step {
        state.withLock { state in
            let now = timeline.now()
            if let until = state.pausedUntil, until > timeline.elapsed() {
                let wait = until - timeline.elapsed()
                let refusal = Refusal(
                    cause: .paused(state.pauseReason ?? "it asked to be left alone"),
                    until: now.addingTimeInterval(wait.seconds)
                )
                if wait > limit.longestWait { return .refuse(refusal) }
                return .rest(wait, refusal)
            }
            guard state.busy < limit.concurrentRequests else { return .full }
            let elapsed = timeline.elapsed()
            let isPaced = limit.requestsPerSecond.isFinite
            if isPaced {
                state.window.rate = limit.requestsPerSecond
                let wait = state.window.wait(at: elapsed)
                guard wait <= .zero else { return .sleep(wait) }
            }
            // Last, since passing a breaker that is not closed makes this request its probe.
            if case .refused(let until) = state.breaker.admit(now: now) {
                return .refuse(Refusal(cause: .broken, until: until))
            }
            if isPaced { state.window.grant(at: elapsed) }
            state.busy += 1
            state.unanswered += 1
            return .pass
        }
    }

    // MARK: Turns

    private func takeTurn(_ id: Int) async throws {
        defer { state.withLock { _ = $0.left.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Waiter) in
                let now = state.withLock { state -> Result<Void, any Error>? in
                    if state.left.contains(id) { return .failure(CancellationError()) }
                    guard state.turn != nil else {
                        state.turn = id
                        return .success(())
                    }
                    state.waiters.append((id, continuation))
                    return nil
                }
                if let now { continuation.resume(with: now) }
            }
        } onCancel: {
            leave(id)
        }
    }

    private func passTurn(_ id: Int) {
        let next = state.withLock { state -> Waiter? in
            guard state.turn == id else { return nil }
            guard !state.waiters.isEmpty else {
                state.turn = nil
                return nil
            }
            let next = state.waiters.removeFirst()
            state.turn = next.id
            return next.continuation
        }
        next?.resume()
    }

    /// Only whoever has the turn waits for a place, so there is one at most.
    private func waitForPlace(_ id: Int, _ limit: HostLimit) async throws {
        defer { state.withLock { _ = $0.left.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Waiter) in
                let now = state.withLock { state -> Result<Void, any Error>? in
                    if state.left.contains(id) { return .failure(CancellationError()) }
                    if state.busy < limit.concurrentRequests { return .success(()) }
                    state.placeWaiter = (id, continuation)
                    return nil
                }
                if let now { continuation.resume(with: now) }
            }
        } onCancel: {
            leave(id)
        }
    }

    private func leave(_ id: Int) {
        let waiter = state.withLock { state -> Waiter? in
            if let index = state.waiters.firstIndex(where: { $0.id == id }) {
                return state.waiters.remove(at: index).continuation
            }
            if let place = state.placeWaiter, place.id == id {
                state.placeWaiter = nil
                return place.continuation
            }
            state.left.insert(id)
            return nil
        }
        waiter?.resume(throwing: CancellationError())
    }

    // MARK: Bytes

    /// Suspends until so many bytes may have passed: they take the time that the limit gives them.
    package func pass(bytes: Int, limit: HostLimit) async throws {
        guard let rate = limit.bytesPerSecond, rate > 0, bytes > 0 else { return }
        let wait = state.withLock { state -> Duration in
            let now = timeline.elapsed()
            let start = max(now, state.bytesFreeAt)
            state.bytesFreeAt = start + .nanoseconds(Int64(Double(bytes) / Double(rate) * 1e9))
            return start - now
        }
        if wait > .zero { try await timeline.sleep(wait) }
    }

    // MARK: What the host said

    /// Nothing is asked before then; nil ends a pause.
    package func pause(until: Date?, reason: String?) {
        state.withLock {
            $0.pausedUntil = until.map {
                timeline.elapsed() + .milliseconds(Int64(($0.timeIntervalSince(timeline.now()) * 1000).rounded(.up)))
            }
            $0.pauseReason = reason
        }
    }

    package var pause: (until: Date, reason: String?)? {
        state.withLock { state in
            state.pausedUntil.map {
                (timeline.now().addingTimeInterval(($0 - timeline.elapsed()).seconds), state.pauseReason)
            }
        }
    }

    /// Counts a refusal for speed; returns how many there were in a row.
    package func throttled() -> Int {
        state.withLock {
            $0.throttles += 1
            return $0.throttles
        }
    }

    package func notThrottled() { state.withLock { $0.throttles = 0 } }

    /// Whether the breaker keeps requests back.
    package var isBroken: Bool { state.withLock { if case .open = $0.breaker.state { true } else { false } } }

    /// Changes the breaker.
    ///
    /// - Returns: what it is after the change, when that is another state.
    package func breaker(_ change: (inout CircuitBreaker) -> Void) -> CircuitBreaker? {
        state.withLock { state in
            let before = state.breaker.state
            change(&state.breaker)
            return state.breaker.state == before ? nil : state.breaker
        }
    }
}
