import Synchronization

/// Counts requests by kind; what a benchmark, a log line or a test wants to know.
package final class RequestCounter: Sendable {
    private let counts = Mutex<[RequestKind: Int]>([:])
    private let foreign = Mutex(0)

    package init() {}

    func add(_ kind: RequestKind, own: Bool) {
        if own { counts.withLock { $0[kind, default: 0] += 1 } } else { foreign.withLock { $0 += 1 } }
    }

    /// Requests to the registry's own host.
    package subscript(kind: RequestKind) -> Int { counts.withLock { $0[kind] ?? 0 } }

    /// All requests to the registry's own host.
    package var own: Int { counts.withLock { $0.values.reduce(0, +) } }

    /// Requests to hosts it redirected to.
    package var redirected: Int { foreign.withLock { $0 } }
}
