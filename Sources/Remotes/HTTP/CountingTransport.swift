import Logging
import NIOHTTP1

/// Counts requests by host and answer, and logs each at level debug, by standing in front of the transport that sends
/// them.
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
            Logger.current.debug("Request answered", metadata: Self.metadata(request, response))
            return response
        } catch {
            count(host, (error as? TransportError)?.kind.rawValue ?? "error")
            Logger.current.debug(
                "Request failed",
                metadata: Self.metadata(request, nil).merging(["error": "\(error)"]) { $1 }
            )
            throw error
        }
    }

    /// What was asked and answered, but for queries, headers and bodies, where signatures and secrets stand.
    private static func metadata(_ request: HTTPClientRequest, _ response: HTTPClientResponse?) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "http.method": "\(request.method.rawValue)",
            "http.url": "\(request.url.prefix { $0 != "?" && $0 != "#" })",
        ]
        if let operation = request.headers.first(name: "x-amz-target") { metadata["aws.operation"] = "\(operation)" }
        guard let response else { return metadata }
        metadata["http.status"] = "\(response.status.code)"
        let id = ["x-amzn-requestid", "x-amz-request-id"].lazy.compactMap { response.headers.first(name: $0) }.first
        if let id { metadata["aws.request.id"] = "\(id)" }
        return metadata
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
