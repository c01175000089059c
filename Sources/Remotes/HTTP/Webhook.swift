import NIOCore
import NIOHTTP1

/// An address of the operator's that takes messages as JSON by POST. What it answers is not read but for its status.
package struct Webhook: Sendable {
    let url: String
    let transport: any HTTPTransport

    package init(url: String, transport: any HTTPTransport) {
        self.url = url
        self.transport = transport
    }

    /// Its host, without the path, which may be a secret.
    private var host: String { WebAddress(url)?.origin.host ?? "the webhook" }

    /// - Parameter id: the same whenever the message is sent again.
    /// - Throws: `WebhookError` for another answer than 2xx; what the transport throws.
    package func post(_ json: String, id: String) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = ["Content-Type": "application/json", "Idempotency-Key": id]
        request.body = .bytes(ByteBuffer(string: json))
        let response = try await transport.send(request, patience: Patience(idle: .seconds(10), whole: .seconds(30)))
        guard (200..<300).contains(response.status.code) else {
            throw WebhookError(host: host, status: Int(response.status.code))
        }
    }
}

/// A webhook did not take a message.
package struct WebhookError: Error, CustomStringConvertible {
    package var host: String
    package var status: Int

    package var description: String { "\(host) answers HTTP \(status)" }
}
