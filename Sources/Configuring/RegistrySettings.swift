package import Model

/// How one registry host is to be treated, after merging its own entry over what is known of the host over
/// `registries.default`. Each setting is explained beside its key in `Entry.keys`.
package struct RegistrySettings: Sendable, Hashable {
    package var endpoint: String?
    /// Whose token endpoint may be shown the registry's login although it is of another domain.
    package var tokenRealm: String?
    package var insecure = false
    package var caFile: String?
    package var requestsPerSecond: Double = 5
    package var concurrentRequests = 6
    package var bytesPerSecond: ByteCount?
    package var quota: PullQuota?
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

    /// Whether it is found on this machine, without asking anybody.
    package var isLocal: Bool {
        switch self {
        case .file, .environment: true
        case .secret, .helper, .ecrPublic: false
        }
    }
}

extension Configuration {
    /// `registries`: settings for every registry host and for single ones.
    package struct Registries: Sendable, Hashable {
        /// What an entry may say; nil: not said there.
        package struct Entry: Sendable, Hashable {
            package var endpoint: String??
            package var tokenRealm: String??
            package var insecure: Bool?
            package var caFile: String??
            package var requestsPerSecond: Double?
            package var concurrentRequests: Int?
            package var bytesPerSecond: ByteCount??
            package var quota: PullQuota??
            package var credentials: CredentialSource??

            package init() {}
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

            init(_ host: String, _ requestsPerSecond: Double, _ concurrentRequests: Int, _ quota: PullQuota? = nil) {
                self.host = host
                self.requestsPerSecond = requestsPerSecond
                self.concurrentRequests = concurrentRequests
                self.quota = quota
            }
        }

        /// What is published or measured of well-known registries. Where a registry answers with `ratelimit-*` or
        /// `Retry-After` headers these overrule the table.
        package static let knownHosts: [Known] = [
            // docs.docker.com/docker-hub/usage: 100 pulls in 6 h without an account, 200 with a free one.
            Known("docker.io", 5, 6, PullQuota(pulls: 100, per: .hours(6), keep: 10)),
            // access.redhat.com/solutions/6218921: a few requests a second and address.
            Known("quay.io", 3, 4),
            // Not published; about 2,000 a minute are let through.
            Known("ghcr.io", 15, 8),
            // docs.aws.amazon.com/AmazonECR/latest/public: one pull a second without an account.
            Known("public.ecr.aws", 1, 4),
            // docs.seqera.io/wave/api: 100 pulls an hour without a token, blobs not counted.
            Known("community.wave.seqera.io", 2, 4, PullQuota(pulls: 100, per: .hours(1), keep: 10)),
            Known("wave.seqera.io", 2, 4, PullQuota(pulls: 100, per: .hours(1), keep: 10)),
            // cloud.google.com/artifact-registry/quotas: 60,000 requests a minute and project.
            Known("gcr.io", 20, 8),
            Known("*.pkg.dev", 20, 8),
            Known("registry.k8s.io", 5, 6),
            Known("mcr.microsoft.com", 10, 6),
            Known("nvcr.io", 5, 6),
            Known("registry.gitlab.com", 5, 6),
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
