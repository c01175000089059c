import NIOHTTP1

extension RegistryEndpoint {
    /// The status that a registry answers to the request that begins every conversation with one; 401 means that it wants a
    /// token, and is well.
    ///
    /// Source: OCI distribution specification 1.1, end-1.
    ///
    /// - Throws: `TransportError`.
    package func answer(through transport: any HTTPTransport) async throws -> Int {
        var request = HTTPClientRequest(url: WebAddress(origin: origin, target: "/v2/").description)
        request.headers.add(name: "user-agent", value: RegistryClient.userAgent)
        let patience = Patience(connect: .seconds(5), idle: .seconds(5), head: .seconds(10))
        return Int(try await transport.send(request, patience: patience).status.code)
    }
}
