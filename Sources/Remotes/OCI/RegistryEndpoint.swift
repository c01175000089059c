import Names

/// Where a registry's API is, and what it is called.
package struct RegistryEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// The name in references, such as `docker.io`.
    package let name: String
    /// Where requests go.
    package let origin: WebAddress.Origin

    /// - Parameters:
    ///   - registry: the host of references, as `ImageReference.registry` gives it.
    ///   - override: an `http:` or `https:` URL to use instead (`registries.<host>.endpoint`); its path is ignored.
    ///   - insecure: whether `http` is allowed beyond loopback addresses, and tried when no scheme is given.
    /// - Throws: `RegistryError` when the override is no URL, or is http where it must not be.
    package init(registry: String, override: String? = nil, insecure: Bool = false) throws(RegistryError) {
        name = registry
        if let override {
            guard let address = WebAddress(override) else {
                throw RegistryError(.addressRefused, host: registry, detail: "its endpoint is not an http or https URL")
            }
            guard address.origin.scheme == .https || insecure || Self.isLoopback(address.origin.host) else {
                throw RegistryError(
                    .addressRefused,
                    host: registry,
                    detail: "its endpoint is http, which needs `\"insecure\": true` beyond loopback addresses"
                )
            }
            origin = address.origin
            return
        }
        let host = registry == ImageReference.dockerHub ? "registry-1.docker.io" : registry
        let scheme = insecure ? "http" : "https"
        guard let address = WebAddress("\(scheme)://\(host)") else {
            throw RegistryError(.addressRefused, host: registry, detail: "it is not a host name")
        }
        origin = address.origin
    }

    /// Whether a host as written is this machine: `localhost`, 127.0.0.0/8 or ::1.
    package static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" || host.hasSuffix(".localhost") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    package var description: String { name }
}
