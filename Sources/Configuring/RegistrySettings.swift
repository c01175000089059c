package import Model

/// How one registry host is to be treated, after merging its own entry over `registries.default` over what is known of
/// the host.
package struct RegistrySettings: Sendable, Hashable {
    /// Where to connect instead of `https://HOST`; the registry's name stays what it was.
    package var endpoint: String?
    /// Plain HTTP outside loopback is accepted.
    package var insecure = false
    /// PEM certificates trusted for this registry, and where it leads, beside the common ones.
    package var caFile: String?
    /// Requests a second to the registry's own host; may be a fraction.
    package var requestsPerSecond: Double = 5
    package var concurrentRequests = 6
    /// Nil: no limit.
    package var bytesPerSecond: ByteCount?
    /// Nil: the registry counts no pulls.
    package var quota: PullQuota?
    /// Nil: the registry is asked anonymously.
    package var credentials: CredentialSource?

    package init() {}
}

/// Where a registry's credentials are found; never the credentials themselves.
package enum CredentialSource: Sendable, Hashable {
    /// A file in systemd's credentials directory or /etc/preclone/credentials.
    case file(String)
    /// Names of the environment variables with user and password.
    case environment(user: String, password: String)
    /// A Secrets Manager secret.
    case secret(arn: String)
    /// `docker-credential-NAME` on PATH.
    case helper(String)
    /// What ECR Public gives to AWS's credentials.
    case ecrPublic

    /// Who asks, as far as the configuration says: registries count pulls per account. Never a secret, and nothing that
    /// was read from where it points.
    package var name: String {
        switch self {
        case .file(let name): "file \(name)"
        case .environment(let user, _): "environment \(user)"
        case .secret(let arn): "secret \(arn)"
        case .helper(let name): "helper \(name)"
        case .ecrPublic: "ecrPublic"
        }
    }
}

extension Configuration {
    /// `registries`: settings for every registry host and for single ones.
    package struct Registries: Sendable, Hashable {
        /// What an entry may say; nil: not said there.
        package struct Entry: Sendable, Hashable {
            package var endpoint: String??
            package var insecure: Bool?
            package var caFile: String??
            package var requestsPerSecond: Double?
            package var concurrentRequests: Int?
            package var bytesPerSecond: ByteCount??
            package var quota: PullQuota??
            package var credentials: CredentialSource??

            package init() {}

            func apply(to settings: inout RegistrySettings) {
                if let endpoint { settings.endpoint = endpoint }
                if let insecure { settings.insecure = insecure }
                if let caFile { settings.caFile = caFile }
                if let requestsPerSecond { settings.requestsPerSecond = requestsPerSecond }
                if let concurrentRequests { settings.concurrentRequests = concurrentRequests }
                if let bytesPerSecond { settings.bytesPerSecond = bytesPerSecond }
                if let quota { settings.quota = quota }
                if let credentials { settings.credentials = credentials }
            }
        }

        /// The entry `default`.
        package var base = Entry()
        /// By canonical host name, `docker.io` for Docker Hub under any of its names.
        package var hosts: [String: Entry] = [:]

        package init() {}

        /// The settings for a host, in rising order: the built-in defaults, the entry `default`, what is known of the
        /// host, the host's own entry.
        ///
        /// What is known stands above `default`, since the shipped file spells `default` out (`"quota": null`), which
        /// must not lift Docker Hub's quota.
        package func settings(for host: String) -> RegistrySettings {
            let host = Self.canonical(host)
            var settings = RegistrySettings()
            base.apply(to: &settings)
            Self.known(host)?.apply(to: &settings)
            hosts[host]?.apply(to: &settings)
            return settings
        }

        /// The hosts that have an entry here or in the table of known registries, sorted.
        package var namedHosts: [String] {
            Set(hosts.keys).union(Self.knownHosts.map(\.host)).sorted()
        }

        /// Lower case, and one name for Docker Hub.
        package static func canonical(_ host: String) -> String {
            let host = host.lowercased()
            return ["registry-1.docker.io", "index.docker.io", "registry.hub.docker.com"].contains(host)
                ? "docker.io" : host
        }

        /// A row of the table of known registries, as README shows it.
        package struct Known: Sendable {
            /// A host name; `*.` at the front stands for any Region or account.
            package var host: String
            package var requestsPerSecond: Double
            package var concurrentRequests: Int
            package var quota: PullQuota?
        }

        /// What is published or measured of well-known registries. Where a registry answers with `ratelimit-*` or
        /// `Retry-After` headers these overrule the table.
        package static let knownHosts: [Known] = [
            // docs.docker.com/docker-hub/usage: 100 pulls in 6 h without an account, 200 with a free one.
            Known(
                host: "docker.io",
                requestsPerSecond: 5,
                concurrentRequests: 6,
                quota: PullQuota(pulls: 100, per: .seconds(6 * 3600), keep: 10)
            ),
            // access.redhat.com/solutions/6218921: a few requests a second and address.
            Known(host: "quay.io", requestsPerSecond: 3, concurrentRequests: 4, quota: nil),
            // Not published; about 2,000 a minute are let through.
            Known(host: "ghcr.io", requestsPerSecond: 15, concurrentRequests: 8, quota: nil),
            // docs.aws.amazon.com/AmazonECR/latest/public: one pull a second without an account.
            Known(host: "public.ecr.aws", requestsPerSecond: 1, concurrentRequests: 4, quota: nil),
            // docs.seqera.io/wave/api: 100 pulls an hour without a token, blobs not counted.
            Known(
                host: "community.wave.seqera.io",
                requestsPerSecond: 2,
                concurrentRequests: 4,
                quota: PullQuota(pulls: 100, per: .seconds(3600), keep: 10)
            ),
            Known(
                host: "wave.seqera.io",
                requestsPerSecond: 2,
                concurrentRequests: 4,
                quota: PullQuota(pulls: 100, per: .seconds(3600), keep: 10)
            ),
            // cloud.google.com/artifact-registry/quotas: 60,000 requests a minute and project.
            Known(host: "gcr.io", requestsPerSecond: 20, concurrentRequests: 8, quota: nil),
            Known(host: "*.pkg.dev", requestsPerSecond: 20, concurrentRequests: 8, quota: nil),
            Known(host: "registry.k8s.io", requestsPerSecond: 5, concurrentRequests: 6, quota: nil),
            Known(host: "mcr.microsoft.com", requestsPerSecond: 10, concurrentRequests: 6, quota: nil),
            Known(host: "nvcr.io", requestsPerSecond: 5, concurrentRequests: 6, quota: nil),
            Known(host: "registry.gitlab.com", requestsPerSecond: 5, concurrentRequests: 6, quota: nil),
        ]

        private static func known(_ host: String) -> Entry? {
            let row = knownHosts.first { row in
                row.host == host || (row.host.hasPrefix("*.") && host.hasSuffix(row.host.dropFirst()))
            }
            guard let row else { return nil }
            var entry = Entry()
            entry.requestsPerSecond = row.requestsPerSecond
            entry.concurrentRequests = row.concurrentRequests
            entry.quota = .some(row.quota)
            return entry
        }
    }
}
