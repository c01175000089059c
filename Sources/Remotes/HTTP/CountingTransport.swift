package import AsyncHTTPClient
import NIOHTTP1

/// Counts requests by host and answer, by standing in front of the transport that sends them.
package struct CountingTransport: HTTPTransport {
    private let inner: any HTTPTransport
    private let count: @Sendable (_ host: String, _ answer: String) -> Void

    /// - Parameter count: told the host, and the status code or the kind of failure.
    package init(
        _ inner: any HTTPTransport,
        count: @escaping @Sendable (_ host: String, _ answer: String) -> Void
    ) {
        self.inner = inner
        self.count = count
    }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        let host = Self.host(of: request.url)
        do {
            let response = try await inner.send(request, patience: patience)
            count(host, String(response.status.code))
            return response
        } catch {
            count(host, (error as? TransportError)?.kind.rawValue ?? "error")
            throw error
        }
    }

    /// The host without user, port, path or query: nothing secret can be in a label.
    package static func host(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return "-" }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@").last ?? ""
        if host.first == "[" { return String(host.prefix { $0 != "]" }) + "]" }
        return String(host.prefix { $0 != ":" }).lowercased()
    }
}
