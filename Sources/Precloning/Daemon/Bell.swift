package import Remotes
import Synchronization

/// Wakes a loop that waits: rung when there may be work. A ring while nobody waits is kept for the next wait.
package final class Bell: Sendable {
    private struct State {
        var isRung = false
        var nextID: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var gone: Set<UInt64> = []
    }

    private let state = Mutex(State())

    package init() {}

    package func ring() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if state.waiters.isEmpty {
                state.isRung = true
                return []
            }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for a ring, for at most `limit`; returns at once when the task is cancelled.
    ///
    /// - Returns: whether it was rung.
    @discardableResult
    package func wait(atMost limit: Duration, on timeline: Timeline) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.wait()
                return !Task.isCancelled
            }
            group.addTask {
                try? await timeline.sleep(limit)
                return false
            }
            let wasRung = await group.next() ?? false
            group.cancelAll()
            return wasRung
        }
    }

    private func wait() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumesNow = state.withLock { state in
                    if state.isRung {
                        state.isRung = false
                        return true
                    }
                    if state.gone.remove(id) != nil { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if resumesNow { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.gone.insert(id)
                return nil
            }
            waiter?.resume()
        }
    }
}
