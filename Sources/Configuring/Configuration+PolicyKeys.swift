import Model

extension Configuration.Policy {
    static let keys = KeyTable(Self(), check: check) {
        Key("default", \.default, .choice)
            .saying(
                "What holds for an image that no rule applies to. Registries on private addresses are denied unless a",
                "rule allows them by name."
            )
        Key("rules", \.rules, .list(of: .object(Rule.keys)))
            .saying(
                "In order; the first that applies decides. A rule applies to an image that match covers (and whose",
                "facts fit)."
            )
        Key("agents", \.agents, .list(of: .object(Agent.keys)))
            .saying(
                "Which users may speak for which agents (preclone mcp --agent NAME). Nobody, where it is empty: then the",
                "caller is the user."
            )
    }

    private static func check(_: Self, _ said: Said) {
        guard case .array(let rules) = said["rules"]?.value else { return }
        var lines: [String: Int] = [:]
        for (index, rule) in rules.enumerated() {
            guard case .object(let members) = rule.value,
                let name = members.first(where: { $0.key == "name" })?.value.string
            else { continue }
            if let line = lines[name] {
                let message = "a rule \"\(name)\" already stands in line \(line); names are unique"
                said.place.key("rules").element(index).key("name").complain(rule.position, message)
            }
            lines[name] = rule.position.line
        }
    }
}

extension Configuration.Policy.Agent {
    fileprivate static let keys = KeyTable(Self(name: .any, users: [], tools: [.any])) {
        Key("name", \.name, .glob("an agent's name, or a pattern"), isRequired: true)
            .saying("The agent's name, or a pattern of several.")
        Key("users", \.users, .list(of: .glob("a user's name, or a pattern")), isRequired: true)
            .saying("The users whose programs may speak for it. The kernel says who the user is.")
        Key("tools", \.tools, .list(of: .glob("a tool's name, or a pattern"))).saying("The tools that it may call.")
    }
}

extension Configuration.Policy.Rule {
    fileprivate static let keys = KeyTable(Self(name: "", action: .deny), check: check) {
        Key("name", \.name, .ruleName, isRequired: true).saying("Unique. It stands in record, status, audit and log.")
        Key("action", \.action, .choice, isRequired: true).saying(
            "What the rule does. warn: nothing, but the audit keeps what deny would have denied."
        )
        Key("reason", optional: \.reason, .text("a sentence for whoever is refused"))
            .saying("A sentence for whoever is refused.")
        Key("match", \.match, .object(Configuration.Policy.Match.keys), omitting: .init())
            .saying(
                "Conditions on the canonical reference, such as docker.io/library/ubuntu:latest. All that are given",
                "must hold; in a pattern * is any text, / too, and ? one character."
            )
        Key("facts", \.facts, .object(Configuration.Policy.Facts.keys), omitting: .init())
            .saying(
                "Limits looked at when manifest and config are read, before the first blob moves. An allow rule",
                "applies to images that keep all of them, a deny rule to images that break one."
            )
        Key("rate", optional: \.rate, .object(PolicyRate.keys))
            .saying("At most this many images in each window, counted for each caller. Only for allow rules.")
        Key("budget", optional: \.budget, .object(PolicyBudget.keys))
            .saying(
                "At most this many bytes of images in each window, counted for each caller by their sizes. Only for allow",
                "rules."
            )
    }

    private static func check(_ rule: Self, _ said: Said) {
        if rule.action != .allow, said["action"] != nil {
            said.complain("rate", "only an allow rule can have a rate; remove it")
            said.complain("budget", "only an allow rule can have a budget; remove it")
        }
        guard !rule.match.tool.isEmpty else { return }
        // What would never be met is not taken in silence.
        let early =
            "a rule with match.tool decides when a tool is called, before anything is known of an image; remove it"
        said.complain("facts", early)
        said.complain("budget", early)
        guard !(rule.match.destination + rule.match.account + rule.match.region).isEmpty else { return }
        said.complain(
            "match",
            "destination, account and region are not known when a tool is called; remove them, or tool"
        )
    }
}

extension Configuration.Policy.Match {
    fileprivate static let keys = KeyTable(Self()) {
        Key("reference", \.reference, .patterns, omitting: []).saying("The whole canonical reference.")
        Key("registry", \.registry, .patterns, omitting: []).saying("The registry's host, docker.io for Docker Hub.")
        Key("repository", \.repository, .patterns, omitting: []).saying("The repository, such as library/ubuntu.")
        Key("tag", \.tag, .part, omitting: .any).saying("The tag. true: there is one; false: there is none.")
        Key("digest", \.digest, .part, omitting: .any).saying("The digest. true: there is one; false: there is none.")
        Key("caller", \.caller, .callers, omitting: [])
            .saying("Who asks: daemon, user NAME, or agent NAME of user USER. The kernel says who the user is.")
        Key("tool", \.tool, .patterns, omitting: [])
            .saying(
                "The tool of preclone mcp; clone counts as CloneContainerToECR, retry as RetryImages. Such a rule decides",
                "when the daemon is asked, before anything is known of an image, and about nothing else."
            )
        Key("destination", \.destination, .patterns, omitting: []).saying("The repository in ECR that it goes to.")
        Key("account", \.account, .patterns, omitting: []).saying("The account of that repository.")
        Key("region", \.region, .patterns, omitting: []).saying("The Region of that repository.")
    }
}

extension Configuration.Policy.Facts {
    fileprivate static let keys = KeyTable(Self()) {
        Key("maxSize", optional: \.maxSize, .size("20GiB")).saying("Bytes of config and layers as transferred.")
        Key("maxLayers", optional: \.maxLayers, .integer(1...4096)).saying("Number of layers.")
        Key("minAgeDays", optional: \.minAgeDays, .integer(1...36_500)).saying("Created at least this many days ago.")
        Key("platform", optional: \.platform, .platform).saying("A platform that the image has.")
    }
}

extension PolicyRate {
    fileprivate static let keys = KeyTable(Self(max: 0, window: .zero)) {
        Key("max", \.max, .integer(1...1_000_000), isRequired: true).saying("Images.")
        Key("window", \.window, .duration(.seconds(1), .days(31)), isRequired: true).saying("The window.")
    }
}

extension PolicyBudget {
    fileprivate static let keys = KeyTable(Self(bytes: ByteCount(0), window: .zero)) {
        Key("bytes", \.bytes, .size("200GiB"), isRequired: true).saying("Bytes of config and layers.")
        Key("window", \.window, .duration(.seconds(1), .days(31)), isRequired: true).saying("The window.")
    }
}

extension ValueKind where Value == String {
    fileprivate static var ruleName: ValueKind {
        text("a name of letters, digits, '.', '_' and '-', at most 64", "^[A-Za-z0-9._-]{1,64}$")
    }

    /// `os/architecture` with an optional variant.
    fileprivate static var platform: ValueKind {
        text("a platform such as \"linux/amd64\"", "^[a-z0-9._-]+/[a-z0-9._-]+(/[a-z0-9._-]+)?$")
    }
}

extension ValueKind where Value == Configuration.Policy.Part {
    /// Patterns, or whether the part is there at all.
    fileprivate static var part: ValueKind {
        let patterns = ValueKind<[Glob]>.patterns
        return ValueKind(
            patterns.expected + ", true or false",
            patterns.schema.or(["type": "boolean"]),
            write: { part in
                switch part {
                case .any: .null
                case .present: true
                case .absent: false
                case .matching(let globs): patterns.write(globs)
                }
            },
            parse: { node in
                if let flag = node.bool { return flag ? .present : .absent }
                return patterns.read(node, Place(path: "", findings: Place.Findings())).map(Value.matching)
            }
        )
    }
}
