package import NIOHTTP1

/// What a request to a registry is for; limits differ by it.
package enum RequestKind: String, Sendable, Hashable, CaseIterable {
    /// HEAD of a manifest: no registry counts it as a pull.
    case manifestHead
    /// GET of a manifest: what Docker Hub and Wave count as a pull.
    case manifestGet
    /// PUT of a manifest: ECR allows ten a second.
    case manifestPut
    /// HEAD or GET of a blob at the registry's own host.
    case blob
    /// POST, PUT or PATCH of a blob upload.
    case upload
    /// A token endpoint.
    case token
}

/// Decides when a request may be sent. The registry client asks before every request to the registry's own host (not
/// to a blob host it redirects to) and reports every answer.
package protocol RequestPacer: Sendable {
    /// Suspends until one request may be sent.
    ///
    /// - Throws: `CancellationError`, or `RegistryError` when the wait would be longer than a worker should be held.
    func acquire(_ kind: RequestKind, host: String) async throws

    /// Tells what the host answered: its status and the headers that carry limits.
    func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async

    /// The request that `acquire` let through is over: its body has been read or given up.
    func release(_ kind: RequestKind, host: String) async

    /// Suspends until so many bytes more may have passed from or to the host.
    func pass(bytes: Int, host: String) async throws
}

extension RequestPacer {
    package func release(_ kind: RequestKind, host: String) async {}
    package func pass(bytes: Int, host: String) async throws {}
}

/// Lets everything through at once.
package struct UnpacedRequests: RequestPacer {
    package init() {}
    package func acquire(_ kind: RequestKind, host: String) async throws {}
    package func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {}
}
