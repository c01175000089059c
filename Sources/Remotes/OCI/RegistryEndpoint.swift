import Names

/// Where a registry's API is, and what it is called.
package struct RegistryEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// The name in references, such as `docker.io`.
    package let name: String
    /// Where requests go.
    package let origin: WebAddress.Origin
    /// The origin of a token endpoint that may be shown logins although it is of another domain.
    package let tokenRealm: WebAddress.Origin?

    /// - Parameters:
    ///   - registry: the host of references, as `ImageReference.registry` gives it.
    ///   - override: an `http:` or `https:` URL to use instead (`registries.<host>.endpoint`); its path is ignored.
    ///   - insecure: whether `http` is allowed beyond loopback addresses, and tried when no scheme is given.
    ///   - tokenRealm: a URL whose host may be shown the registry's login too (`registries.<host>.tokenRealm`).
    /// - Throws: `RegistryError` when the override is no URL, or is http where it must not be.
    package init(
        registry: String,
        override: String? = nil,
        insecure: Bool = false,
        tokenRealm: String? = nil
    ) throws(RegistryError) {
        name = registry
        if let tokenRealm {
            guard let address = WebAddress(tokenRealm) else {
                throw RegistryError(
                    .addressRefused,
                    host: registry,
                    detail: "its tokenRealm is not an http or https URL",
                    advice: "correct registries.\(registry).tokenRealm"
                )
            }
            self.tokenRealm = address.origin
        } else {
            self.tokenRealm = nil
        }
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

    /// Registries whose token endpoint is of another domain by their own documentation.
    private static let knownRealms = ["nvcr.io": "authn.nvidia.com", "lscr.io": "ghcr.io"]

    /// Whether a token endpoint may be shown the registry's login: it is of the registry's domain, or the operator named
    /// it. (docker, podman, crane and regctl show it to whatever endpoint the registry names.)
    func trusts(realm: WebAddress.Origin) -> Bool {
        if let tokenRealm, tokenRealm == realm { return true }
        return [name.split(separator: ":").first.map(String.init) ?? name, origin.host].contains { host in
            if Self.knownRealms[host] == realm.host || host == realm.host { return true }
            let domain = Self.domain(of: host)
            return realm.host == domain || realm.host.hasSuffix("." + domain)
        }
    }

    /// What a host is below: itself without its first label, unless that is where strangers register (`com`, `co.uk`).
    static func domain(of host: String) -> String {
        let labels = host.split(separator: ".")
        guard labels.count > 2, !labels.allSatisfy({ UInt8($0) != nil }), !host.contains(":") else { return host }
        let isShared =
            labels.count == 3 && labels[2].count == 2
            && (labels[1].count <= 3 || ["gouv", "asso", "nom"].contains(labels[1]))
        return isShared ? host : labels.dropFirst().joined(separator: ".")
    }

    /// Whether a host as written is this machine: `localhost`, 127.0.0.0/8 or ::1.
    package static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" || host.hasSuffix(".localhost") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    package var description: String { name }
}
