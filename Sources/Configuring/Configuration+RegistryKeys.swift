import Model

extension Configuration.Registries {
    static let keys: KeyTable<Self> = {
        var table = KeyTable(Self()) {
            Key("default", \.base, Entry.keys, definition: "registry")
                .saying("What holds for hosts that are neither named here nor known.")
        }
        table.others = KeyTable.Others(
            read: { member, place, registries in
                let entry = Entry.keys.read(member.value, place)
                let host = canonical(member.key)
                if let mistake = registries.mistake(in: member.key) {
                    place.complain(member.value.position, mistake)
                }
                registries.hosts[host] = entry ?? Entry()
            },
            write: { registries in
                let hosts = registries.hosts.sorted { $0.key < $1.key }
                return hosts.map { JSONText.Member(key: $0.key, value: Entry.keys.write($0.value)) }
            },
            schema: .reference("registry")
        )
        return table
    }()

    private func mistake(in host: String) -> String? {
        if !AddressText.isRegistryHost(host) {
            return "expected \"default\" or a registry's host name, with a port if it has one, without https://"
        }
        let name = Self.canonical(host)
        return hosts[name].map { _ in "another entry names the same registry, \(name); keep one" }
    }

    /// The same settings with the entry `default` spelled out.
    ///
    /// - Parameter resolving: Each known or configured host is spelled out too, with what holds for it in the end.
    func spelledOut(resolving: Bool) -> Self {
        var registries = self
        var everywhere = RegistrySettings()
        base.apply(to: &everywhere)
        registries.base = Entry(saying: everywhere)
        if resolving {
            let names = namedHosts.filter { !$0.hasPrefix("*.") }
            registries.hosts = Dictionary(uniqueKeysWithValues: names.map { ($0, Entry(saying: settings(for: $0))) })
        }
        return registries
    }
}

/// A key of an entry, and the setting that it is about.
struct RegistryKey: Sendable {
    typealias Entry = Configuration.Registries.Entry

    private(set) var key: Key<Entry>
    let apply: @Sendable (Entry, inout RegistrySettings) -> Void
    let say: @Sendable (inout Entry, RegistrySettings) -> Void

    init<Value: Sendable & Equatable>(
        _ name: String,
        _ said: any Key<Entry>.Path<Value?>,
        _ setting: any Key<RegistrySettings>.Path<Value>,
        _ kind: ValueKind<Value>
    ) {
        key = Key(name, optional: said, kind, default: RegistrySettings()[keyPath: setting])
        apply = { if let value = $0[keyPath: said] { $1[keyPath: setting] = value } }
        say = { $0[keyPath: said] = $1[keyPath: setting] }
    }

    func saying(_ words: String...) -> Self {
        var row = self
        row.key = key.saying(words.joined(separator: " "))
        return row
    }
}

extension Configuration.Registries.Entry {
    static let keys = KeyTable(Self(), check: check) { rows.map(\.key) }

    private static func check(_ entry: Self, _ said: Said) {
        guard let url = entry.endpoint ?? nil, url.hasPrefix("http:"), entry.insecure != true else { return }
        if AddressText.isLoopback(url) { return }
        let mend = "use https: or set \"insecure\": true beside it"
        said.complain("endpoint", "http: is accepted for loopback addresses only; \(mend)")
    }

    /// What the entry says, laid over settings.
    func apply(to settings: inout RegistrySettings) {
        for row in Self.rows { row.apply(self, &settings) }
    }

    /// An entry that says all of the settings.
    fileprivate init(saying settings: RegistrySettings) {
        for row in Self.rows { row.say(&self, settings) }
    }

    private static let rows = [
        RegistryKey("endpoint", \.endpoint, \.endpoint, .nullable(.endpoint))
            .saying(
                "Where to connect instead of https://HOST, for instance a mirror. The registry's name stays what it",
                "was. http: is accepted for loopback addresses, elsewhere only with insecure."
            ),
        RegistryKey("tokenRealm", \.tokenRealm, \.tokenRealm, .nullable(.endpoint))
            .saying(
                "The URL of a token endpoint outside the registry's own domain that may be shown its credentials, such as",
                "https://login.example.org. Without it credentials go to the registry's own domain alone."
            ),
        RegistryKey("insecure", \.insecure, \.insecure, .flag)
            .saying("Accept plain HTTP for this registry outside loopback."),
        RegistryKey("caFile", \.caFile, \.caFile, .nullable(.absolutePath()))
            .saying(
                "PEM certificates trusted for this registry, and where it leads for tokens and layers, beside the",
                "common ones; for no other registry. An absolute path."
            ),
        RegistryKey("requestsPerSecond", \.requestsPerSecond, \.requestsPerSecond, .number(atMost: 10_000))
            .saying(
                "Requests for manifests and tokens a second to the registry's own host, all workers together; may be a",
                "fraction. Blobs go by concurrentRequests."
            ),
        RegistryKey("concurrentRequests", \.concurrentRequests, \.concurrentRequests, .integer(1...256))
            .saying("Requests to the host at one time."),
        RegistryKey("bytesPerSecond", \.bytesPerSecond, \.bytesPerSecond, .nullable(.rate))
            .saying("Bytes a second received from the host; null: no limit."),
        RegistryKey("quota", \.quota, \.quota, .nullable(.object(PullQuota.keys)))
            .saying(
                "The registry's limit on pulls (one pull is one manifest GET); null: it counts none. The registry's",
                "own ratelimit headers overrule our count."
            ),
        RegistryKey("credentials", \.credentials, \.credentials, .nullable(.credentials))
            .saying(
                "Where the credentials are found; null: none, the registry is asked anonymously. Never the credentials",
                "themselves."
            ),
    ]
}

extension PullQuota {
    fileprivate static let keys = KeyTable(Self(pulls: 0, per: .zero), check: check) {
        Key("pulls", \.pulls, .integer(1...10_000_000), isRequired: true).saying("Pulls within one window.")
        Key("per", \.per, .duration(.seconds(1), .days(31)), isRequired: true).saying("The window.")
        Key("keep", \.keep, .integer(0...10_000_000)).saying("Pulls kept for images that a waiting run needs.")
    }

    private static func check(_ quota: Self, _ said: Said) {
        guard quota.pulls > 0, quota.keep >= quota.pulls else { return }
        said.complain("keep", "\(quota.keep) leaves nothing of \(quota.pulls) pulls; choose less")
    }
}

extension ValueKind where Value == CredentialSource {
    fileprivate static var credentials: ValueKind {
        oneOf(
            """
            {"file": NAME}, {"environment": [USER, PASSWORD]}, {"secretArn": ARN}, {"helper": NAME}, {"ecrPublic": true}
            """
        ) {
            Key("file", .fileName("a file's name without a folder"), make: { .file($0) }) {
                if case .file(let name) = $0 { name } else { nil }
            }
            .saying(
                "Name of a file in systemd's credentials directory, else in /etc/preclone/credentials. It holds",
                "USER:PASSWORD, or JSON with username and password."
            )
            Key("environment", .variablePair, make: { .environment(user: $0[0], password: $0[1]) }) {
                if case .environment(let user, let password) = $0 { [user, password] } else { nil }
            }
            .saying("The names of two environment variables: user and password.")
            Key("secretArn", .secretArn, make: { .secret(arn: $0) }) {
                if case .secret(let arn) = $0 { arn } else { nil }
            }
            .saying(
                "ARN of a Secrets Manager secret, in the form of ECR's pull-through cache secrets or with username and",
                "password."
            )
            Key("helper", .fileName("NAME of a docker-credential-NAME program"), make: { .helper($0) }) {
                if case .helper(let name) = $0 { name } else { nil }
            }
            .saying("NAME of a program docker-credential-NAME on PATH.")
            Key("ecrPublic", .constant(true), make: { _ in .ecrPublic }) { $0 == .ecrPublic ? true : nil }
                .saying(
                    "For public.ecr.aws: a login that AWS gives to our AWS credentials",
                    "(ecr-public:GetAuthorizationToken, sts:GetServiceBearerToken)."
                )
        }
    }
}

extension ValueKind where Value == ByteCount {
    fileprivate static var rate: ValueKind { size("10MB", atLeast: ByteCount(65_536)) }
}

extension ValueKind where Value == String {
    fileprivate static var endpoint: ValueKind {
        text("a URL such as \"https://mirror.example.org\"", "^https?://", where: AddressText.isEndpoint)
    }

    /// A name without a folder in it.
    fileprivate static func fileName(_ expected: String) -> ValueKind {
        text(expected, "^[A-Za-z0-9_][A-Za-z0-9._-]*$")
    }

    fileprivate static var secretArn: ValueKind {
        text("the ARN of a Secrets Manager secret", "^arn:aws[^:]*:secretsmanager:[^:]*:[0-9]{12}:secret:.+$")
    }
}

extension ValueKind where Value == [String] {
    fileprivate static var variablePair: ValueKind {
        let name: Pattern = "^[A-Za-z_][A-Za-z0-9_]*$"
        let item: JSONText = ["type": "string", "pattern": .string(name.text)]
        return ValueKind(
            "two names of environment variables",
            ["type": "array", "items": item, "minItems": 2, "maxItems": 2],
            write: { .array($0.map(JSONText.string)) },
            parse: { node in
                guard case .array(let elements) = node.value else { return nil }
                let names = elements.compactMap(\.string).filter(name.isFound)
                return elements.count == 2 && names.count == 2 ? names : nil
            }
        )
    }
}
