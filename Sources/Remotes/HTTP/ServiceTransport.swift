import NIOHTTP1
import Synchronization

/// Tells when a service of AWS answers nobody, by standing in front of the transport of its clients.
package struct ServiceTransport: HTTPTransport {
    /// So many failures in a row are no accident of one request.
    private static let enough = 3

    private let inner: any HTTPTransport
    private let failures: FailureCount
    private let tell: @Sendable (_ trouble: String?) -> Void

    /// Failed requests in a row, shared by the clients of one service.
    package final class FailureCount: Sendable {
        private let count = Mutex(0)

        package init() {}

        func add() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }

        /// - Returns: how many there were.
        func reset() -> Int {
            count.withLock { count in
                defer { count = 0 }
                return count
            }
        }
    }

    /// - Parameter tell: told at each failure what the service does, once there are several in a row; nil: it answers again.
    package init(
        _ inner: any HTTPTransport,
        failures: FailureCount,
        tell: @escaping @Sendable (String?) -> Void
    ) {
        self.inner = inner
        self.failures = failures
        self.tell = tell
    }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        do {
            let response = try await inner.send(request, patience: patience)
            if response.status.code >= 500 {
                failed("HTTP \(response.status.code)")
            } else if failures.reset() >= Self.enough {
                tell(nil)
            }
            return response
        } catch {
            if !(error is CancellationError) { failed("\(error)") }
            throw error
        }
    }

    private func failed(_ why: String) {
        if failures.add() >= Self.enough { tell("does not answer: \(why)") }
    }
}
