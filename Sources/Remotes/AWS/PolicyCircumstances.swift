package import Names

/// What is known of HealthOmics' requests before it makes them, for judging the conditions of policies.
///
/// Source: IAM user guide, "Condition operators" and "AWS global condition context keys"; HealthOmics user guide,
/// permissions for Amazon ECR, which advises `aws:SourceAccount` and `aws:SourceArn`.
package struct PolicyCircumstances: Sendable, Hashable {
    /// What a condition comes to.
    package enum Judgement: Sendable, Hashable {
        case holds, fails
        /// It depends on something that is not known beforehand.
        case unknown
    }

    private struct Home: Sendable, Hashable {
        var account: String
        /// `arn:PARTITION:omics:REGION:ACCOUNT:`, with which all runs and workflows of the account begin.
        var prefix: String
    }

    private let home: Home?

    /// Nothing is known but that HealthOmics asks.
    package init() { home = nil }

    /// - Parameter account: the account in which the runs are.
    package init(account: String, region: String, partition: AWSPartition) {
        home = Home(account: account, prefix: "arn:\(partition.rawValue):omics:\(region):\(account):")
    }

    /// What a statement's `Condition` comes to: all of its operators and keys must hold.
    func judge(_ condition: JSONValue) -> Judgement {
        guard case .object(let operators) = condition else { return .unknown }
        var result = Judgement.holds
        for (name, keys) in operators {
            guard case .object(let keys) = keys else { return .unknown }
            for (key, values) in keys {
                switch judge(name, key, values) {
                case .fails: return .fails
                case .unknown: result = .unknown
                case .holds: break
                }
            }
        }
        return result
    }

    /// A value of a request, as far as it is known.
    private enum Known {
        case text(String)
        case beginning(String)
    }

    private func known(_ key: String) -> Known? {
        switch key.lowercased() {
        case "aws:sourceaccount": home.map { .text($0.account) }
        case "aws:sourcearn": home.map { .beginning($0.prefix) }
        // ECR has no other transport, and HealthOmics comes as a service.
        case "aws:securetransport", "aws:principalisawsservice": .text("true")
        case "aws:principalservicename": .text(RepositoryPolicy.principal)
        default: nil
        }
    }

    private func judge(_ name: String, _ key: String, _ value: JSONValue) -> Judgement {
        guard let known = known(key) else { return .unknown }
        // Each of these keys has one value, and has it in each of these requests.
        var name = name.lowercased()
        for prefix in ["foranyvalue:", "forallvalues:"] where name.hasPrefix(prefix) {
            name.removeFirst(prefix.count)
        }
        if name.hasSuffix("ifexists") { name.removeLast("ifexists".count) }
        let values = Self.values(value)
        if name == "null" { return values.contains("true") ? .fails : .holds }
        let isNegative = name.contains("not")
        let hasWildcards = name.hasSuffix("like") || name.hasPrefix("arn")
        let operators: Set<String> = [
            "bool", "stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike",
        ]
        guard operators.contains(name.replacing("not", with: "")), !values.isEmpty else { return .unknown }
        let matched = values.map { Self.match($0, known, hasWildcards: hasWildcards) }
        let any: Judgement =
            matched.contains(.holds) ? .holds : matched.contains(.unknown) ? .unknown : .fails
        guard isNegative else { return any }
        return any == .holds ? .fails : any == .fails ? .holds : .unknown
    }

    private static func values(_ value: JSONValue) -> [String] {
        switch value {
        case .string(let text), .number(let text): [text]
        case .bool(let value): [value ? "true" : "false"]
        case .array(let values): values.flatMap(Self.values)
        case .null, .object: []
        }
    }

    private static func match(_ pattern: String, _ known: Known, hasWildcards: Bool) -> Judgement {
        switch known {
        case .text(let text):
            let isSame = pattern.lowercased() == text.lowercased()
            return isSame || (hasWildcards && RepositoryPolicy.matches(pattern, text)) ? .holds : .fails
        case .beginning(let prefix):
            // What comes after the account is a run's or a workflow's, which nobody knows yet.
            let samples = ["run/0123456789", "workflow/9876543210"].map { prefix + $0 }
            if hasWildcards, samples.allSatisfy({ RepositoryPolicy.matches(pattern, $0) }) { return .holds }
            let own = prefix.split(separator: ":")
            let asked = pattern.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            guard asked.count == 6 else { return pattern.contains("*") ? .unknown : .fails }
            let canMatch = zip(asked, own).allSatisfy { part, own in
                hasWildcards ? RepositoryPolicy.matches(String(part), String(own)) : part == own
            }
            return canMatch ? .unknown : .fails
        }
    }
}
