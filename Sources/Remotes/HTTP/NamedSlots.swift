import Synchronization

/// Bounds how much goes on at once under a name: transfers of a host, calls of an operation. Whoever waits is served in
/// the order of asking.
package final class NamedSlots: Sendable {
    private struct Waiter {
        var id: Int
        var names: [String]
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

    /// - Parameter limit: how much goes on under a name; asked every time, at least 1 is used.
    package init(limit: @escaping @Sendable (String) -> Int) { self.limit = limit }

    package convenience init(_ number: Int) { self.init { _ in number } }

    /// Runs something while it holds a slot under every one of these names.
    package func with<Value: Sendable>(
        _ names: Set<String>,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await take(Array(names))
        do {
            let value = try await body()
            give(Array(names))
            return value
        } catch {
            give(Array(names))
            throw error
        }
    }

    // All slots at once or none: nobody holds one name's slot while waiting for another's.
    private func take(_ names: [String]) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Next { case go, wait, cancel }
                let next = state.withLock { state -> Next in
                    if state.cancelled.remove(id) != nil { return .cancel }
                    // Not past those who wait already, unless they wait for other names.
                    let isBehind = state.waiters.contains { $0.names.contains(where: names.contains) }
                    if !isBehind, isFree(names, state) {
                        for name in names { state.busy[name, default: 0] += 1 }
                        return .go
                    }
                    state.waiters.append(Waiter(id: id, names: names, continuation: continuation))
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
            // Whoever stood behind it for one of its names alone may go on.
            if waiter != nil { give([]) }
        }
        state.withLock { _ = $0.cancelled.remove(id) }
    }

    private func give(_ names: [String]) {
        let ready = state.withLock { state -> [Waiter] in
            for name in names {
                let left = (state.busy[name] ?? 1) - 1
                state.busy[name] = left > 0 ? left : nil
            }
            var ready: [Waiter] = []
            var blocked: Set<String> = []
            var rest: [Waiter] = []
            for (position, waiter) in state.waiters.enumerated() {
                // What was given back is spoken for: nobody further behind gains by it.
                if !names.isEmpty, names.allSatisfy(blocked.contains) {
                    rest += state.waiters[position...]
                    break
                }
                if blocked.isDisjoint(with: waiter.names), isFree(waiter.names, state) {
                    for name in waiter.names { state.busy[name, default: 0] += 1 }
                    ready.append(waiter)
                } else {
                    blocked.formUnion(waiter.names)
                    rest.append(waiter)
                }
            }
            state.waiters = rest
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    private func isFree(_ names: [String], _ state: State) -> Bool {
        names.allSatisfy { (state.busy[$0] ?? 0) < max(1, limit($0)) }
    }
}
