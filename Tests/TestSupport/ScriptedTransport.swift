import NIOCore
package import NIOHTTP1
package import Remotes
import Synchronization

/// A transport that answers from a list, in order, and keeps what it was sent. With the list at its end a request fails.
package final class ScriptedTransport: HTTPTransport {
    package enum Step: Sendable {
        case answer(Int, [(String, String)], String)
        case failure(TransportError.Kind)
        /// A body that is cut after these bytes.
        case cut(String)
    }

    package struct Sent: Sendable {
        package var method: String
        package var url: String
        package var headers: HTTPHeaders
    }

    private let steps: Mutex<[Step]>
    private let requests = Mutex<[Sent]>([])

    package init(_ steps: [Step]) { self.steps = Mutex(steps) }

    package var sent: [Sent] { requests.withLock { $0 } }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        let sent = Sent(method: request.method.rawValue, url: request.url, headers: request.headers)
        requests.withLock { $0.append(sent) }
        let step = steps.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        switch step {
        case .answer(let status, let headers, let text):
            return HTTPClientResponse(
                status: HTTPResponseStatus(statusCode: status),
                headers: HTTPHeaders(headers),
                body: .bytes(ByteBuffer(string: text))
            )
        case .failure(let kind): throw TransportError(kind: kind, host: "test", detail: kind.rawValue)
        case .cut(let text):
            let parts = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
                continuation.yield(ByteBuffer(string: text))
                continuation.finish(throwing: TransportError(kind: .cut, host: "test", detail: "cut"))
            }
            return HTTPClientResponse(status: .ok, body: .stream(parts))
        case nil: throw TransportError(kind: .invalidRequest, host: "test", detail: "the script is at its end")
        }
    }
}
