import Definitions
import Foundation
import Model

extension Configuration {
    /// Reads a file.
    ///
    /// - Parameter path: nil for `defaultPath`, where a missing file means the defaults; a file that is named must be
    ///   there.
    /// - Throws: `ConfigurationError` with every problem found.
    package static func load(path: String?) throws(ConfigurationError) -> Configuration {
        let name = path ?? defaultPath
        guard FileManager.default.fileExists(atPath: name) else {
            if path == nil { return defaults }
            throw ConfigurationError(
                file: name,
                problems: [.init(path: "", message: "no such file; name another with --config, or leave it out")]
            )
        }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: name))
        } catch {
            let reason =
                FileManager.default.isReadableFile(atPath: name)
                ? "it cannot be read" : "permission denied for the user this runs as"
            throw ConfigurationError(file: name, problems: [.init(path: "", message: reason)])
        }
        return try parse(Array(data), file: name)
    }

    /// Reads a document; `file` is only its name in errors.
    package static func parse(_ bytes: [UInt8], file: String) throws(ConfigurationError) -> Configuration {
        let root: JSONNode
        do {
            root = try StrictJSON.parse(bytes)
        } catch {
            throw ConfigurationError(
                file: file,
                problems: [
                    .init(path: "", line: error.position.line, column: error.position.column, message: error.message)
                ]
            )
        }
        let findings = ConfigurationReader.Findings()
        var reader = ConfigurationReader(root, path: "", findings: findings)
        var configuration = Configuration()
        configuration.read(&reader)
        guard findings.problems.isEmpty else {
            let sorted = findings.problems.enumerated().sorted { left, right in
                (left.element.line ?? 0, left.element.column ?? 0, left.offset)
                    < (right.element.line ?? 0, right.element.column ?? 0, right.offset)
            }
            throw ConfigurationError(file: file, problems: sorted.map(\.element))
        }
        return configuration
    }

    private mutating func read(_ reader: inout ConfigurationReader) {
        if reader.isObject {
            if reader.node("version") == nil {
                reader.findings.problems.append(
                    .init(path: "version", message: "the key is missing; this program reads version 1")
                )
            } else {
                _ = reader.value("version", expected: "1") { $0.integer(in: 1...1) }
            }
        }
        reader.object("aws") { aws.read(&$0) }
        reader.object("network") { network.read(&$0) }
        reader.object("watch") { watch.read(&$0) }
        reader.object("clone") { clone.read(&$0) }
        reader.object("registries") { registries.read(&$0) }
        reader.object("retry") { retry.read(&$0) }
        reader.object("policy") { policy.read(&$0) }
        reader.object("record") { record.read(&$0) }
        reader.object("log") { log.read(&$0) }
        reader.object("metrics") { metrics.read(&$0) }
        reader.finish()
    }
}

/// Bounds shared by several keys.
extension ConfigurationReader {
    static let year = Duration.seconds(366 * 86_400)

    /// Replaces `current` by the duration at `key`, if there is a usable one.
    mutating func duration(_ key: String, _ low: Duration, _ high: Duration, into current: inout Duration) {
        let range = low...high
        let expected = "a duration such as \"30s\" from \(DurationText.format(low)) to \(DurationText.format(high))"
        if let value = value(key, expected: expected, { $0.duration(in: range) }) { current = value }
    }

    mutating func integer(_ key: String, _ range: ClosedRange<Int>, into current: inout Int) {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        if let value = value(key, expected: expected, { $0.integer(in: range) }) { current = value }
    }

    mutating func optionalText(_ key: String, _ expected: String = "a string", into current: inout String?) {
        if let value = nullable(key, expected: expected, \.text) { current = value }
    }

    mutating func globs(_ key: String, into current: inout [Glob]) {
        if let value = list(key, of: "a pattern such as \"team-*\"", \.glob) { current = value }
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, into current: inout Choice)
    where Choice.RawValue == String {
        let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        if let value = value(key, expected: "one of \(names)", { $0.choice(Choice.self) }) { current = value }
    }
}

extension Configuration.AWS {
    mutating func read(_ reader: inout ConfigurationReader) {
        let region = reader.nullable("region", expected: "an AWS Region such as \"eu-central-1\"") { node in
            node.text.flatMap { isRegion($0) ? $0 : nil }
        }
        if let region { self.region = region }
        reader.optionalText("profile", "a profile's name", into: &profile)
        if let share = reader.value(
            "quotaShare",
            expected: "a number above 0, at most 1",
            { $0.number(above: 0, atMost: 1) }
        ) {
            quotaShare = share
        }
        readCalls(&reader)
        reader.integer("concurrentCalls", 1...256, into: &concurrentCalls)
    }

    private mutating func readCalls(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("callsPerSecond") else { return }
        var inner = ConfigurationReader(
            node,
            path: ConfigurationReader.join(reader.path, "callsPerSecond"),
            findings: reader.findings
        )
        for entry in inner.entries() {
            if !isOperation(entry.key) {
                reader.complain(
                    entry.node,
                    entry.path,
                    "expected SERVICE:Operation such as \"ecr:PutImage\"; the services are "
                        + Self.services.joined(separator: ", ")
                )
            } else if let rate = entry.node.number(above: 0, atMost: 10_000) {
                callsPerSecond[entry.key] = rate
            } else {
                reader.complain(
                    entry.node,
                    entry.path,
                    "expected a number above 0, at most 10000, found \(ConfigurationReader.show(entry.node))"
                )
            }
        }
    }

    /// As the calls are named in logs and in the policy of IAM.
    private static let services = ["ecr", "iam", "omics", "secretsmanager", "sqs", "sts"]

    private func isOperation(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 && Self.services.contains(String(parts[0])) && parts[1].first?.isUppercase == true
            && parts[1].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }

    private func isRegion(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count >= 3 && parts.allSatisfy { !$0.isEmpty } && parts.last?.allSatisfy(\.isNumber) == true
            && text.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
    }
}

extension Configuration.Network {
    mutating func read(_ reader: inout ConfigurationReader) {
        let proxy = reader.nullable("proxy", expected: "a proxy such as \"http://proxy.example.org:3128\"") { node in
            node.text.flatMap { AddressText.isProxy($0) ? $0 : nil }
        }
        if let proxy { self.proxy = proxy }
        let caFile = reader.nullable("caFile", expected: "an absolute path") { $0.absolutePath }
        if let caFile { self.caFile = caFile }
        reader.globs("trustedHosts", into: &trustedHosts)
        let networks = reader.list("trustedNetworks", of: "a network such as \"10.0.0.0/8\" or \"fd00::/8\"") { node in
            node.text.flatMap { AddressText.isNetwork($0) ? $0 : nil }
        }
        if let networks { trustedNetworks = networks }
    }
}

extension Configuration.Watch {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.duration("pollInterval", .seconds(1), .seconds(86_400), into: &pollInterval)
        reader.duration("workflowInterval", .seconds(1), .seconds(86_400), into: &workflowInterval)
        reader.duration("runSweepInterval", .seconds(1), .seconds(86_400 * 7), into: &runSweepInterval)
        reader.integer("versionCallsPerMinute", 1...6000, into: &versionCallsPerMinute)
        reader.integer("verifyCallsPerMinute", 1...6000, into: &verifyCallsPerMinute)
        reader.integer("tasksPerRun", 0...10_000, into: &tasksPerRun)
        reader.object("workflows") { reader in
            reader.globs("include", into: &workflows.include)
            reader.globs("exclude", into: &workflows.exclude)
            reader.duration("usedWithin", .seconds(3600), ConfigurationReader.year * 10, into: &workflows.usedWithin)
        }
        reader.object("events") { reader in
            let queueUrl = reader.nullable("queueUrl", expected: "the https URL of an SQS queue") { node in
                node.text.flatMap { AddressText.isEndpoint($0) ? $0 : nil }
            }
            if let queueUrl { events.queueUrl = queueUrl }
        }
    }
}

extension Configuration.Clone {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.integer("concurrency", 1...64, into: &concurrency)
        readPlatforms(&reader)
        readDestination(&reader)
        let certainty = reader.list("certainty", of: "\"certain\" or \"alternative\"") { node in
            node.string.flatMap(Certainty.init(rawValue:)).flatMap { $0 == .inactive ? nil : $0 }
        }
        if let certainty { self.certainty = certainty }
        reader.choice("unmapped", into: &unmapped)
        reader.choice("onTagMove", into: &onTagMove)
        reader.duration("refreshTagsEvery", .seconds(60), ConfigurationReader.year, into: &refreshTagsEvery)
        reader.duration("stallTimeout", .seconds(1), .seconds(3600), into: &stallTimeout)
        reader.duration("drain", .seconds(0), .seconds(3600), into: &drain)
        if let limit = reader.nullable("maxBytesPerDay", expected: "a size such as \"500GB\"", \.byteCount) {
            maxBytesPerDay = limit
        }
        reader.object("repository") { repository.read(&$0) }
    }

    private mutating func readPlatforms(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("platforms") else { return }
        let values = reader.list("platforms", of: "a platform such as \"linux/amd64\", or \"all\"") { $0.platformOrAll }
        guard let values else { return }
        let path = ConfigurationReader.join(reader.path, "platforms")
        if values.contains("all"), values.count > 1 {
            reader.complain(node, path, "\"all\" stands alone; remove the others")
        } else if !values.contains("all"), !values.contains("linux/amd64"), !values.isEmpty {
            reader.complain(node, path, "\"linux/amd64\" must be among them; HealthOmics runs nothing else")
        } else if case .array(let elements) = node.value, elements.isEmpty {
            reader.complain(node, path, "name at least \"linux/amd64\"")
        } else if values.count == Set(values).count {
            platforms = values
        } else {
            reader.complain(node, path, "a platform stands there twice")
        }
    }

    private mutating func readDestination(_ reader: inout ConfigurationReader) {
        guard let node = reader.node("destination") else { return }
        let path = ConfigurationReader.join(reader.path, "destination")
        guard let text = node.text else {
            reader.complain(
                node,
                path,
                "expected a repository name with placeholders, found \(ConfigurationReader.show(node))"
            )
            return
        }
        var rest = text
        for placeholder in Self.placeholders { rest = rest.replacing("{\(placeholder)}", with: "x") }
        if rest.contains("{") || rest.contains("}") {
            let known = Self.placeholders.map { "{\($0)}" }.joined(separator: " and ")
            reader.complain(node, path, "unknown placeholder in \"\(text)\"; there are \(known)")
        } else if !text.contains("{repository}") || !text.contains("{registryAlias}") {
            reader.complain(
                node,
                path,
                "it must hold both {registryAlias} and {repository}, else two images could share a destination"
            )
        } else if !rest.allSatisfy({ $0.isASCII && ($0.isLowercase || $0.isNumber || "._-/".contains($0)) })
            || rest.hasPrefix("/") || rest.hasSuffix("/") || rest.contains("//")
        {
            reader.complain(
                node,
                path,
                "ECR allows lower-case letters, digits and . _ - / between names, not \"\(text)\""
            )
        } else {
            destination = text
        }
    }

    /// What `clone.destination` may hold in braces.
    package static let placeholders = ["registryAlias", "repository"]
}

extension Configuration.Clone.Repository {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.choice("mutability", into: &mutability)
        let node = reader.node("mutabilityExclusions")
        let exclusions = reader.list("mutabilityExclusions", of: "a tag filter such as \"latest*\"") { node in
            node.text.flatMap { text in
                text.utf8.count <= 128 && text.filter({ $0 == "*" }).count <= 2
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._*-".contains($0)) }
                    ? text : nil
            }
        }
        if let exclusions { mutabilityExclusions = exclusions }
        if let node, mutabilityExclusions.count > 5 {
            reader.complain(
                node,
                ConfigurationReader.join(reader.path, "mutabilityExclusions"),
                "ECR takes at most 5 filters, found \(mutabilityExclusions.count)"
            )
        }
        reader.optionalText("kmsKey", "a KMS key's ARN, id or alias", into: &kmsKey)
        guard let tagsNode = reader.node("tags") else { return }
        var tagReader = ConfigurationReader(
            tagsNode,
            path: ConfigurationReader.join(reader.path, "tags"),
            findings: reader.findings
        )
        var found: [String: String] = [:]
        for entry in tagReader.entries() {
            if entry.key.isEmpty || entry.key.count > 128 || entry.key.lowercased().hasPrefix("aws:") {
                reader.complain(
                    entry.node,
                    entry.path,
                    "a tag's key has 1 to 128 characters and does not begin with aws:"
                )
            } else if let text = entry.node.string, text.count <= 256 {
                found[entry.key] = text
            } else {
                reader.complain(
                    entry.node,
                    entry.path,
                    "expected a string of at most 256 characters, found \(ConfigurationReader.show(entry.node))"
                )
            }
        }
        if found.count > 50 {
            reader.complain(tagsNode, tagReader.path, "ECR takes at most 50 tags, found \(found.count)")
        }
        if case .object = tagsNode.value { tags = found }
    }
}

extension Configuration.Retry {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.object("request") { reader in
            reader.duration("base", .milliseconds(1), .seconds(60), into: &request.base)
            reader.duration("ceiling", .milliseconds(1), .seconds(600), into: &request.ceiling)
            reader.integer("attempts", 1...20, into: &request.attempts)
            reader.duration("maxRetryAfter", .seconds(0), .seconds(3600), into: &request.maxRetryAfter)
            reader.ordered("base", request.base, "ceiling", request.ceiling)
        }
        reader.object("image") { reader in
            reader.duration("base", .milliseconds(10), .seconds(3600), into: &image.base)
            reader.duration("ceiling", .milliseconds(10), .seconds(86_400 * 7), into: &image.ceiling)
            reader.integer("attempts", 1...1000, into: &image.attempts)
            reader.duration("total", .seconds(1), ConfigurationReader.year, into: &image.total)
            reader.ordered("base", image.base, "ceiling", image.ceiling)
        }
    }
}

extension ConfigurationReader {
    /// Complains when the first duration is longer than the second.
    mutating func ordered(_ small: String, _ low: Duration, _ large: String, _ high: Duration) {
        guard low > high, let node = node(small) ?? node(large) else { return }
        complain(
            node,
            Self.join(path, small),
            "\(DurationText.format(low)) is longer than \(large), \(DurationText.format(high)); lower one or raise the other"
        )
    }
}

extension Configuration.Record {
    mutating func read(_ reader: inout ConfigurationReader) {
        if let path = reader.value("path", expected: "an absolute path", { $0.absolutePath }) { self.path = path }
        reader.duration("keepAttempts", .seconds(86_400), ConfigurationReader.year * 10, into: &keepAttempts)
        reader.duration("keepEvents", .seconds(86_400), ConfigurationReader.year * 10, into: &keepEvents)
        reader.duration("keepAudit", .seconds(86_400), ConfigurationReader.year * 10, into: &keepAudit)
    }
}

extension Configuration.Log {
    mutating func read(_ reader: inout ConfigurationReader) {
        reader.choice("level", into: &level)
        reader.choice("format", into: &format)
    }
}

extension Configuration.Metrics {
    mutating func read(_ reader: inout ConfigurationReader) {
        let listen = reader.nullable("listen", expected: "an address such as \"127.0.0.1:9464\" or \"[::1]:9464\"") {
            node in
            node.text.flatMap { AddressText.hostAndPort($0) == nil ? nil : $0 }
        }
        if let listen { self.listen = listen }
        let file = reader.nullable("textFile", expected: "an absolute path ending in .prom") { node in
            node.absolutePath.flatMap { $0.hasSuffix(".prom") ? $0 : nil }
        }
        if let file { textFile = file }
    }
}
