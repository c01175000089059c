package import AsyncHTTPClient
import NIOHTTP1
package import Remotes
import Synchronization

/// Tells when a service of AWS answers nobody, by standing in front of the transport of its client.
package struct ServiceTransport: HTTPTransport {
    /// So many failures in a row are no accident of one request.
    private static let enough = 3
    /// For so long it is told after the last failure, where nothing more is asked of the service.
    private static let lasting = Duration.seconds(300)

    private let inner: any HTTPTransport
    private let service: String
    private let troubles: Troubles
    private let timeline: Timeline
    private let failures: FailureCount

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

    /// - Parameter service: its name as people know it.
    package init(
        _ inner: any HTTPTransport,
        service: String,
        failures: FailureCount,
        troubles: Troubles,
        timeline: Timeline
    ) {
        self.inner = inner
        self.service = service
        self.failures = failures
        self.troubles = troubles
        self.timeline = timeline
    }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        do {
            let response = try await inner.send(request, patience: patience)
            if response.status.code >= 500 {
                failed("HTTP \(response.status.code)")
            } else if failures.reset() >= Self.enough {
                troubles.tell(service, nil)
            }
            return response
        } catch {
            if !(error is CancellationError) { failed("\(error)") }
            throw error
        }
    }

    private func failed(_ why: String) {
        guard failures.add() >= Self.enough else { return }
        troubles.tell(service, "does not answer: \(why)", until: timeline.elapsed() + Self.lasting)
    }
}
