import Definitions
import Model

extension Configuration {
    /// The configuration as a file would say it, every key spelled out, in the order of the documentation.
    ///
    /// It holds no secret, since a configuration only names where secrets are. Reading it back gives an equal value.
    ///
    /// - Parameter resolvingRegistries: also write out each known or configured host with what holds for it in the end.
    package func json(resolvingRegistries: Bool = false) -> String {
        document(resolvingRegistries).text()
    }

    private func document(_ resolving: Bool) -> JSONText {
        .object([
            ("version", .number("1")),
            ("aws", aws.json),
            ("network", network.json),
            ("watch", watch.json),
            ("clone", clone.json),
            ("registries", registries.json(resolving: resolving)),
            ("retry", retry.json),
            ("policy", policy.json),
            ("record", record.json),
            ("log", .object([("level", .string(log.level.rawValue)), ("format", .string(log.format.rawValue))])),
            ("metrics", .object([("listen", .optional(metrics.listen)), ("textFile", .optional(metrics.textFile))])),
        ])
    }
}

/// A JSON document whose keys keep their order, for people to read.
private indirect enum JSONText {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    static func optional(_ text: String?) -> JSONText { text.map(JSONText.string) ?? .null }
    static func strings(_ texts: [String]) -> JSONText { .array(texts.map(JSONText.string)) }
    static func duration(_ duration: Duration) -> JSONText { .string(DurationText.format(duration)) }
    static func integer(_ number: Int) -> JSONText { .number(String(number)) }
    /// Whole numbers without a decimal point.
    static func decimal(_ number: Double) -> JSONText {
        .number(Int(exactly: number).map { String($0) } ?? String(number))
    }

    func text(indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent + 2)
        let close = String(repeating: " ", count: indent)
        switch self {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .number(let text): return text
        case .string(let text): return Self.quote(text)
        case .array(let elements):
            let scalars = elements.allSatisfy {
                switch $0 {
                case .array, .object: false
                default: true
                }
            }
            if scalars { return "[" + elements.map { $0.text() }.joined(separator: ", ") + "]" }
            let lines = elements.map { margin + $0.text(indent: indent + 2) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(close)]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map { margin + Self.quote($0.0) + ": " + $0.1.text(indent: indent + 2) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(close)}"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Configuration.AWS {
    fileprivate var json: JSONText {
        .object([
            ("region", .optional(region)),
            ("profile", .optional(profile)),
            ("quotaShare", .decimal(quotaShare)),
            (
                "callsPerSecond",
                .object(callsPerSecond.sorted { $0.key < $1.key }.map { ($0.key, .decimal($0.value)) })
            ),
            ("concurrentCalls", .integer(concurrentCalls)),
        ])
    }
}

extension Configuration.Network {
    fileprivate var json: JSONText {
        .object([
            ("proxy", .optional(proxy)),
            ("caFile", .optional(caFile)),
            ("trustedHosts", .strings(trustedHosts.map(\.pattern))),
            ("trustedNetworks", .strings(trustedNetworks)),
        ])
    }
}

extension Configuration.Watch {
    fileprivate var json: JSONText {
        .object([
            ("pollInterval", .duration(pollInterval)),
            ("workflowInterval", .duration(workflowInterval)),
            ("runSweepInterval", .duration(runSweepInterval)),
            ("versionCallsPerMinute", .integer(versionCallsPerMinute)),
            ("verifyCallsPerMinute", .integer(verifyCallsPerMinute)),
            ("tasksPerRun", .integer(tasksPerRun)),
            (
                "workflows",
                .object([
                    ("include", .strings(workflows.include.map(\.pattern))),
                    ("exclude", .strings(workflows.exclude.map(\.pattern))),
                    ("usedWithin", .duration(workflows.usedWithin)),
                ])
            ),
            ("events", .object([("queueUrl", .optional(events.queueUrl))])),
        ])
    }
}

extension Configuration.Clone {
    fileprivate var json: JSONText {
        .object([
            ("concurrency", .integer(concurrency)),
            ("platforms", .strings(platforms)),
            ("destination", .string(destination)),
            ("certainty", .strings(certainty.map(\.rawValue))),
            ("unmapped", .string(unmapped.rawValue)),
            ("onTagMove", .string(onTagMove.rawValue)),
            ("refreshTagsEvery", .duration(refreshTagsEvery)),
            ("stallTimeout", .duration(stallTimeout)),
            ("drain", .duration(drain)),
            ("maxBytesPerDay", .optional(maxBytesPerDay?.description)),
            (
                "repository",
                .object([
                    ("mutability", .string(repository.mutability.rawValue)),
                    ("mutabilityExclusions", .strings(repository.mutabilityExclusions)),
                    ("kmsKey", .optional(repository.kmsKey)),
                    ("tags", .object(repository.tags.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
                ])
            ),
        ])
    }
}

extension Configuration.Registries {
    fileprivate func json(resolving: Bool) -> JSONText {
        var everywhere = RegistrySettings()
        base.apply(to: &everywhere)
        var members = [("default", everywhere.json)]
        if resolving {
            members += namedHosts.filter { !$0.hasPrefix("*.") }.map { ($0, settings(for: $0).json) }
        } else {
            members += hosts.keys.sorted().map { ($0, hosts[$0]?.json ?? .null) }
        }
        return .object(members)
    }
}

extension Configuration.Registries.Entry {
    /// Only what the entry says.
    fileprivate var json: JSONText {
        var settings = RegistrySettings()
        apply(to: &settings)
        let said: Set<String> = Set(
            [
                endpoint.map { _ in "endpoint" }, insecure.map { _ in "insecure" }, caFile.map { _ in "caFile" },
                requestsPerSecond.map { _ in "requestsPerSecond" },
                concurrentRequests.map { _ in "concurrentRequests" },
                bytesPerSecond.map { _ in "bytesPerSecond" }, quota.map { _ in "quota" },
                credentials.map { _ in "credentials" },
            ].compactMap(\.self)
        )
        return .object(settings.members.filter { said.contains($0.0) })
    }
}

extension RegistrySettings {
    fileprivate var json: JSONText { .object(members) }

    fileprivate var members: [(String, JSONText)] {
        [
            ("endpoint", .optional(endpoint)),
            ("insecure", .bool(insecure)),
            ("caFile", .optional(caFile)),
            ("requestsPerSecond", .decimal(requestsPerSecond)),
            ("concurrentRequests", .integer(concurrentRequests)),
            ("bytesPerSecond", .optional(bytesPerSecond?.description)),
            (
                "quota",
                quota.map { quota in
                    .object([
                        ("pulls", .integer(quota.pulls)), ("per", .duration(quota.per)), ("keep", .integer(quota.keep)),
                    ])
                } ?? .null
            ),
            ("credentials", credentials?.json ?? .null),
        ]
    }
}

extension CredentialSource {
    fileprivate var json: JSONText {
        switch self {
        case .file(let name): .object([("file", .string(name))])
        case .environment(let user, let password): .object([("environment", .strings([user, password]))])
        case .secret(let arn): .object([("secretArn", .string(arn))])
        case .helper(let name): .object([("helper", .string(name))])
        case .ecrPublic: .object([("ecrPublic", .bool(true))])
        }
    }
}

extension Configuration.Retry {
    fileprivate var json: JSONText {
        .object([
            (
                "request",
                .object([
                    ("base", .duration(request.base)),
                    ("ceiling", .duration(request.ceiling)),
                    ("attempts", .integer(request.attempts)),
                    ("maxRetryAfter", .duration(request.maxRetryAfter)),
                ])
            ),
            (
                "image",
                .object([
                    ("base", .duration(image.base)),
                    ("ceiling", .duration(image.ceiling)),
                    ("attempts", .integer(image.attempts)),
                    ("total", .duration(image.total)),
                ])
            ),
        ])
    }
}

extension Configuration.Policy {
    fileprivate var json: JSONText {
        .object([
            ("default", .string(`default`.rawValue)), ("rules", .array(rules.map(\.json))),
            ("agents", .array(agents.map(\.json))),
        ])
    }
}

extension Configuration.Policy.Agent {
    fileprivate var json: JSONText {
        .object([
            ("name", .string(name.pattern)), ("users", .strings(users.map(\.pattern))),
            ("tools", .strings(tools.map(\.pattern))),
        ])
    }
}

extension Configuration.Policy.Rule {
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = [("name", .string(name)), ("action", .string(action.rawValue))]
        if let reason { members.append(("reason", .string(reason))) }
        if match != Configuration.Policy.Match() { members.append(("match", match.json)) }
        if !facts.isEmpty { members.append(("facts", facts.json)) }
        if let rate {
            members.append(("rate", .object([("max", .integer(rate.max)), ("window", .duration(rate.window))])))
        }
        return .object(members)
    }
}

extension Configuration.Policy.Match {
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = []
        for (key, globs) in [("reference", reference), ("registry", registry), ("repository", repository)]
        where !globs.isEmpty {
            members.append((key, .strings(globs.map(\.pattern))))
        }
        for (key, part) in [("tag", tag), ("digest", digest)] {
            switch part {
            case .any: break
            case .present: members.append((key, .bool(true)))
            case .absent: members.append((key, .bool(false)))
            case .matching(let globs): members.append((key, .strings(globs.map(\.pattern))))
            }
        }
        return .object(members)
    }
}

extension Configuration.Policy.Facts {
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = []
        if let maxSize { members.append(("maxSize", .string(maxSize.description))) }
        if let maxLayers { members.append(("maxLayers", .integer(maxLayers))) }
        if let minAgeDays { members.append(("minAgeDays", .integer(minAgeDays))) }
        if let platform { members.append(("platform", .string(platform))) }
        return .object(members)
    }
}

extension Configuration.Record {
    fileprivate var json: JSONText {
        .object([
            ("path", .string(path)),
            ("keepAttempts", .duration(keepAttempts)),
            ("keepEvents", .duration(keepEvents)),
            ("keepAudit", .duration(keepAudit)),
        ])
    }
}
