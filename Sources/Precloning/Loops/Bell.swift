package import Remotes
import Synchronization

/// Wakes a loop that waits: rung when there may be work. A ring while nobody waits is kept for the next wait.
package final class Bell: Sendable {
    private struct State {
        var isRung = false
        var nextID: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var gone: Set<UInt64> = []
    }

    private let state = Mutex(State())

    package init() {}

    package func ring() {
        let waiters = state.withLock { state -> [CheckedContinuation<Bool, Never>] in
            if state.waiters.isEmpty {
                state.isRung = true
                return []
            }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Waits for a ring, for at most `limit`; returns at once when the task is cancelled.
    ///
    /// - Returns: whether it was rung.
    @discardableResult
    package func wait(atMost limit: Duration, on timeline: Timeline) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait() }
            group.addTask {
                try? await timeline.sleep(limit)
                return false
            }
            var wasRung = await group.next() ?? false
            group.cancelAll()
            // A ring that came together with the end of the time is not lost.
            for await late in group { wasRung = wasRung || late }
            return wasRung
        }
    }

    /// Whether it was rung; false when the task is cancelled first.
    private func wait() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    if state.gone.remove(id) != nil { return false }
                    if state.isRung {
                        state.isRung = false
                        return true
                    }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.gone.insert(id)
                return nil
            }
            waiter?.resume(returning: false)
        }
    }
}
