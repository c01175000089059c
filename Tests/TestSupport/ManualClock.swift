package import Foundation
import Names
package import Remotes
import Synchronization

/// A clock that stands still until a test moves it. Sleepers are woken in the order of their deadlines, and a test
/// waits for sleepers instead of yielding and hoping.
package final class ManualClock: Sendable {
    private struct Sleeper {
        var deadline: Duration
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Duration = .zero
        var wallOffset: TimeInterval = 0
        var nextID = 0
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
        var requested: [Duration] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    private let start: Date

    package init(start: Date = Date(timeIntervalSince1970: 1_790_000_000)) {
        self.start = start
    }

    package var elapsed: Duration { state.withLock { $0.now } }

    package var now: Date {
        state.withLock { start.addingTimeInterval($0.now.seconds + $0.wallOffset) }
    }

    /// Every duration that anybody asked to sleep for, in order.
    package var requestedSleeps: [Duration] { state.withLock { $0.requested } }

    /// Jumps the wall clock alone, as NTP or an operator does.
    package func shiftWallClock(by seconds: TimeInterval) {
        state.withLock { $0.wallOffset += seconds }
    }

    package func timeline(random: @escaping @Sendable () -> Double = { 0.5 }) -> Timeline {
        Timeline(
            elapsed: { self.elapsed },
            sleep: { try await self.sleep(for: $0) },
            now: { self.now },
            random: random
        )
    }

    package func sleep(for duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            state.requested.append(duration)
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Next { case resume, cancel, wait }
                let (next, ready) = state.withLock {
                    state -> (Next, [CheckedContinuation<Void, Never>]) in
                    if state.cancelled.remove(id) != nil || Task.isCancelled { return (.cancel, []) }
                    if duration <= .zero { return (.resume, []) }
                    state.sleepers[id] = Sleeper(deadline: state.now + duration, continuation: continuation)
                    let count = state.sleepers.count
                    let ready = state.waiters.filter { $0.count <= count }.map(\.continuation)
                    state.waiters.removeAll { $0.count <= count }
                    return (.wait, ready)
                }
                switch next {
                case .resume: continuation.resume()
                case .cancel: continuation.resume(throwing: CancellationError())
                case .wait: for waiter in ready { waiter.resume() }
                }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Suspends until that many tasks sleep at once.
    package func waitForSleepers(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    /// Moves time on and wakes whoever is due, earliest first.
    package func advance(by duration: Duration) {
        let due = state.withLock { state -> [CheckedContinuation<Void, any Error>] in
            state.now += duration
            let ids = state.sleepers.filter { $0.value.deadline <= state.now }
                .sorted { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
                .map(\.key)
            return ids.compactMap { state.sleepers.removeValue(forKey: $0)?.continuation }
        }
        for continuation in due { continuation.resume() }
    }

    /// Waits for a sleeper, moves time to the earliest deadline and returns how far that was.
    @discardableResult
    package func advanceToNextDeadline() async -> Duration {
        await waitForSleepers()
        let step = state.withLock { state in
            (state.sleepers.values.map(\.deadline).min() ?? state.now) - state.now
        }
        advance(by: step)
        return step
    }
}
