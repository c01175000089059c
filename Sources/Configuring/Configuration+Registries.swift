import Model

extension Configuration.Registries {
    mutating func read(_ reader: inout ConfigurationReader) {
        for entry in reader.entries() {
            var inner = ConfigurationReader(entry.node, path: entry.path, findings: reader.findings)
            if entry.key == "default" {
                base = Entry(reading: &inner)
            } else if AddressText.isRegistryHost(entry.key) {
                let host = Self.canonical(entry.key)
                if hosts[host] != nil {
                    reader.complain(entry.node, entry.path, "another entry names the same registry, \(host); keep one")
                }
                hosts[host] = Entry(reading: &inner)
            } else {
                let entry = entry
                _ = Entry(reading: &inner)
                reader.complain(
                    entry.node,
                    entry.path,
                    "expected \"default\" or a registry's host name, with a port if it has one, without https://"
                )
            }
            inner.finish()
        }
    }
}

extension Configuration.Registries.Entry {
    init(reading reader: inout ConfigurationReader) {
        self.init()
        insecure = reader.value("insecure", expected: "true or false", \.bool)
        readEndpoint(&reader)
        caFile = reader.nullable("caFile", expected: "an absolute path") { $0.absolutePath }
        requestsPerSecond = reader.value("requestsPerSecond", expected: "a number above 0, at most 10000") {
            $0.number(above: 0, atMost: 10_000)
        }
        concurrentRequests = reader.value("concurrentRequests", expected: "a whole number from 1 to 256") {
            $0.integer(in: 1...256)
        }
        bytesPerSecond = reader.nullable("bytesPerSecond", expected: "a size of at least 64KiB, such as \"10MB\"") {
            node in
            node.byteCount.flatMap { $0.bytes >= 65_536 ? $0 : nil }
        }
        readQuota(&reader)
        readCredentials(&reader)
    }

    private mutating func readEndpoint(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("endpoint") else { return }
        endpoint = reader.nullable("endpoint", expected: "a URL such as \"https://mirror.example.org\"") { node in
            node.text.flatMap { AddressText.isEndpoint($0) ? $0 : nil }
        }
        if case .some(.some(let url)) = endpoint, url.hasPrefix("http:"), insecure != true, !AddressText.isLoopback(url)
        {
            reader.complain(
                node,
                ConfigurationReader.join(reader.path, "endpoint"),
                "http: is accepted for loopback addresses only; use https: or set \"insecure\": true beside it"
            )
        }
    }

    private mutating func readQuota(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("quota") else { return }
        if case .null = node.value {
            quota = .some(nil)
            return
        }
        var found = PullQuota(pulls: 0, per: .zero, keep: 0)
        reader.object("quota") { inner in
            guard case .object = node.value else { return }
            for key in ["pulls", "per"] where inner.node(key) == nil {
                inner.complain(node, ConfigurationReader.join(inner.path, key), "the key is missing")
            }
            inner.integer("pulls", 1...10_000_000, into: &found.pulls)
            inner.duration("per", .seconds(1), .seconds(31 * 86_400), into: &found.per)
            inner.integer("keep", 0...10_000_000, into: &found.keep)
            if found.pulls > 0, found.keep >= found.pulls, let keep = inner.node("keep") {
                inner.complain(
                    keep,
                    ConfigurationReader.join(inner.path, "keep"),
                    "\(found.keep) leaves nothing of \(found.pulls) pulls; choose less"
                )
            }
        }
        quota = .some(found)
    }

    private mutating func readCredentials(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("credentials") else { return }
        if case .null = node.value {
            credentials = .some(nil)
            return
        }
        let forms =
            "one of {\"file\": NAME}, {\"environment\": [USER, PASSWORD]}, {\"secretArn\": ARN}, {\"helper\": NAME}, "
            + "{\"ecrPublic\": true}"
        reader.object("credentials") { inner in
            guard case .object(let members) = node.value else { return }
            let file = inner.value("file", expected: "a file's name without a folder") { $0.fileName }
            let names = inner.value("environment", expected: "two names of environment variables") { $0.variablePair }
            let arn = inner.value("secretArn", expected: "the ARN of a Secrets Manager secret") { $0.secretArn }
            let helper = inner.value("helper", expected: "NAME of a docker-credential-NAME program") { $0.fileName }
            let ecrPublic = inner.value("ecrPublic", expected: "true") { $0.value == .bool(true) ? true : nil }
            let sources = [
                file.map(CredentialSource.file),
                names.map { CredentialSource.environment(user: $0.0, password: $0.1) },
                arn.map(CredentialSource.secret),
                helper.map(CredentialSource.helper),
                ecrPublic.map { _ in CredentialSource.ecrPublic },
            ].compactMap(\.self)
            if members.count == 1 {
                credentials = sources.first
            } else {
                inner.complain(node, inner.path, "expected \(forms)")
            }
        }
    }
}

extension Configuration.Policy {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.choice("default", into: &`default`)
        readAgents(&reader)
        guard let node = reader.node("rules") else { return }
        let path = ConfigurationReader.join(reader.path, "rules")
        guard case .array(let elements) = node.value else {
            reader.complain(node, path, "expected an array of rules, found \(node.kind)")
            return
        }
        var lines: [String: Int] = [:]
        for (index, element) in elements.enumerated() {
            var inner = ConfigurationReader(element, path: "\(path)[\(index)]", findings: reader.findings)
            if let rule = Rule(reading: &inner, node: element) {
                if let line = lines[rule.name] {
                    inner.complain(
                        element,
                        inner.path + ".name",
                        "a rule \"\(rule.name)\" already stands in line \(line); names are unique"
                    )
                }
                lines[rule.name] = element.position.line
                rules.append(rule)
            }
            inner.finish()
        }
    }
}

extension Configuration.Policy {
    private mutating func readAgents(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("agents") else { return }
        let path = ConfigurationReader.join(reader.path, "agents")
        guard case .array(let elements) = node.value else {
            reader.complain(node, path, "expected an array of agents, found \(node.kind)")
            return
        }
        for (index, element) in elements.enumerated() {
            var inner = ConfigurationReader(element, path: "\(path)[\(index)]", findings: reader.findings)
            let name = inner.value("name", expected: "an agent's name, or a pattern", \.glob)
            let users = inner.list("users", of: "a user's name, or a pattern", \.glob)
            let tools = inner.list("tools", of: "a tool's name, or a pattern", \.glob)
            if case .object = element.value {
                for key in ["name", "users"] where inner.node(key) == nil {
                    inner.complain(element, "\(inner.path).\(key)", "the key is missing")
                }
            }
            inner.finish()
            guard let name, let users else { continue }
            agents.append(Agent(name: name, users: users, tools: tools ?? Glob("*").map { [$0] } ?? []))
        }
    }
}

extension Configuration.Policy.Rule {
    /// Nil when name or action is missing or bad; everything else is read all the same, to report all at once.
    init?(reading reader: inout ConfigurationReader, node: JSONNode) {
        let path = reader.path
        let name = reader.value("name", expected: "a name of letters, digits, '.', '_' and '-', at most 64") { node in
            node.text.flatMap { text in
                text.count <= 64 && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
                    ? text : nil
            }
        }
        let action = reader.value("action", expected: "\"allow\" or \"deny\"") {
            $0.choice(Configuration.Policy.Action.self)
        }
        if case .object = node.value {
            for key in ["name", "action"] where reader.node(key) == nil {
                reader.complain(node, "\(path).\(key)", "the key is missing")
            }
        }
        self.init(name: name ?? "", action: action ?? .deny)
        reason = reader.value("reason", expected: "a sentence for whoever is refused", \.text)
        reader.object("match") { match.read(&$0) }
        reader.object("facts") { facts.read(&$0) }
        if let rateNode = reader.node("rate") {
            var rate = PolicyRate(max: 0, window: .zero)
            reader.object("rate") { inner in
                guard case .object = rateNode.value else { return }
                for key in ["max", "window"] where inner.node(key) == nil {
                    inner.complain(rateNode, ConfigurationReader.join(inner.path, key), "the key is missing")
                }
                inner.integer("max", 1...1_000_000, into: &rate.max)
                inner.duration("window", .seconds(1), .seconds(31 * 86_400), into: &rate.window)
            }
            self.rate = rate
            if action == .deny {
                reader.complain(rateNode, "\(path).rate", "only an allow rule can have a rate; remove it")
            }
        }
        if name == nil || action == nil { return nil }
    }
}

extension Configuration.Policy.Match {
    mutating func read(_ reader: inout ConfigurationReader) {
        if let value = reader.value("reference", expected: patterns, globs) { reference = value }
        if let value = reader.value("registry", expected: patterns, globs) { registry = value }
        if let value = reader.value("repository", expected: patterns, globs) { repository = value }
        if let value = reader.value("tag", expected: patterns + ", true or false", part) { tag = value }
        if let value = reader.value("digest", expected: patterns + ", true or false", part) { digest = value }
    }

    private var patterns: String { "a pattern or an array of patterns" }

    private func globs(_ node: JSONNode) -> [Glob]? {
        if let glob = node.glob { return [glob] }
        guard case .array(let elements) = node.value, !elements.isEmpty else { return nil }
        let globs = elements.compactMap(\.glob)
        return globs.count == elements.count ? globs : nil
    }

    private func part(_ node: JSONNode) -> Configuration.Policy.Part? {
        if let flag = node.bool { return flag ? .present : .absent }
        return globs(node).map(Configuration.Policy.Part.matching)
    }
}

extension Configuration.Policy.Facts {
    mutating func read(_ reader: inout ConfigurationReader) {
        maxSize = reader.value("maxSize", expected: "a size such as \"20GiB\"", \.byteCount)
        maxLayers = reader.value("maxLayers", expected: "a whole number from 1 to 4096") { $0.integer(in: 1...4096) }
        minAgeDays = reader.value("minAgeDays", expected: "a whole number from 1 to 36500") {
            $0.integer(in: 1...36_500)
        }
        platform = reader.value("platform", expected: "a platform such as \"linux/amd64\"") { node in
            node.platformOrAll.flatMap { $0 == "all" ? nil : $0 }
        }
    }
}
