import Synchronization

/// Bounds how many transfers one host takes part in at once. Whoever waits is served in the order of asking.
package final class HostSlots: Sendable {
    private struct Waiter {
        var id: Int
        var hosts: [String]
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var busy: [String: Int] = [:]
        var waiters: [Waiter] = []
        var nextID = 0
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())
    private let limit: @Sendable (String) -> Int

    /// - Parameter limit: how many transfers a host takes; asked every time, at least 1 is used.
    package init(limit: @escaping @Sendable (String) -> Int) { self.limit = limit }

    package convenience init(_ number: Int) { self.init { _ in number } }

    /// Runs something while it holds a slot of every one of these hosts.
    package func with<Value: Sendable>(
        _ hosts: Set<String>,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await take(Array(hosts))
        do {
            let value = try await body()
            give(Array(hosts))
            return value
        } catch {
            give(Array(hosts))
            throw error
        }
    }

    // All slots at once or none: nobody holds one host's slot while waiting for another's.
    private func take(_ hosts: [String]) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Next { case go, wait, cancel }
                let next = state.withLock { state -> Next in
                    if state.cancelled.remove(id) != nil { return .cancel }
                    // Not past those who wait already, unless they wait for other hosts.
                    let isBehind = state.waiters.contains { $0.hosts.contains(where: hosts.contains) }
                    if !isBehind, isFree(hosts, state) {
                        for host in hosts { state.busy[host, default: 0] += 1 }
                        return .go
                    }
                    state.waiters.append(Waiter(id: id, hosts: hosts, continuation: continuation))
                    return .wait
                }
                switch next {
                case .go: continuation.resume()
                case .cancel: continuation.resume(throwing: CancellationError())
                case .wait: break
                }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
        state.withLock { _ = $0.cancelled.remove(id) }
    }

    private func give(_ hosts: [String]) {
        let ready = state.withLock { state -> [Waiter] in
            for host in hosts {
                let left = (state.busy[host] ?? 1) - 1
                state.busy[host] = left > 0 ? left : nil
            }
            var ready: [Waiter] = []
            var blocked: Set<String> = []
            var rest: [Waiter] = []
            for (position, waiter) in state.waiters.enumerated() {
                // What was given back is spoken for: nobody further behind gains by it.
                if hosts.allSatisfy(blocked.contains) {
                    rest += state.waiters[position...]
                    break
                }
                if blocked.isDisjoint(with: waiter.hosts), isFree(waiter.hosts, state) {
                    for host in waiter.hosts { state.busy[host, default: 0] += 1 }
                    ready.append(waiter)
                } else {
                    blocked.formUnion(waiter.hosts)
                    rest.append(waiter)
                }
            }
            state.waiters = rest
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    private func isFree(_ hosts: [String], _ state: State) -> Bool {
        hosts.allSatisfy { (state.busy[$0] ?? 0) < max(1, limit($0)) }
    }
}
