package import Configuring
package import Model

package import struct Foundation.Date

/// Which images may be cloned: the operator's rules in order, and one of our own about private registries. Pure.
package struct ImagePolicy: Sendable {
    private let rules: [Configuration.Policy.Rule]
    private let fallback: Configuration.Policy.Action
    private let exempt: Set<String>

    /// - Parameter exempt: registries that are never counted as private: the account's own ECR, by its name.
    package init(_ configuration: Configuration.Policy, exempt: Set<String> = []) {
        rules = configuration.rules
        fallback = configuration.default
        self.exempt = exempt
    }

    /// Decides over an image, by its name alone or with its facts. The first rule that applies decides.
    ///
    /// - Parameters:
    ///   - facts: nil before manifest and config are read. A rule on facts then leaves the decision open, unless what
    ///     comes after it says the same: an image that no facts could save is denied at once.
    ///   - now: for rules on an image's age.
    package func decide(_ image: PolicyImage, facts: ImageFacts? = nil, now: Date) -> PolicyDecision {
        let privateReason = exempt.contains(image.registry) ? nil : PrivateRegistry.reason(image.registry)
        var open: [Configuration.Policy.Rule] = []
        var misses: [String] = []
        var warnings: [PolicyDecision.Warning] = []
        var warnsByFacts = false
        func finished(_ decision: PolicyDecision) -> PolicyDecision {
            var decision = decision
            decision.warnings = warnings
            if warnsByFacts, decision.isAllowed { decision.factsNeeded = true }
            return decision
        }
        for rule in rules where Self.matches(rule, image) {
            if rule.action == .warn {
                let broken = facts.map { Self.broken(rule, by: $0, now: now) } ?? []
                if rule.facts.isEmpty || !broken.isEmpty {
                    let words = [rule.reason, broken.isEmpty ? nil : Self.list(broken)].compactMap(\.self)
                    warnings.append(
                        .init(
                            rule: rule.name,
                            reason: words.isEmpty
                                ? "policy rule `\(rule.name)` would deny it" : words.joined(separator: ": ")
                        )
                    )
                } else if facts == nil {
                    warnsByFacts = true
                }
                continue
            }
            // A private registry must be named: a rule for everything is not meant for it.
            if rule.action == .allow, privateReason != nil, !Self.names(rule.match, image.registry) { continue }
            guard !rule.facts.isEmpty || rule.budget != nil else {
                return finished(settle(.init(rule), open: open, misses: misses, image: image))
            }
            guard let facts else {
                open.append(rule)
                continue
            }
            let broken = Self.broken(rule, by: facts, now: now)
            switch rule.action {
            case .allow where broken.isEmpty: return finished(allowed(rule, why: "its facts keep the rule's limits"))
            case .allow:
                misses.append("rule `\(rule.name)` allows it only if it keeps its limits: " + Self.list(broken))
            case .deny where !broken.isEmpty: return finished(denied(rule, why: Self.list(broken)))
            case .deny, .warn: break
            }
        }
        if let privateReason {
            return finished(settle(.privateRegistry(privateReason), open: open, misses: misses, image: image))
        }
        return finished(settle(.fallback(fallback), open: open, misses: misses, image: image))
    }

    // MARK: What decides in the end

    private enum End {
        case rule(Configuration.Policy.Rule)
        case privateRegistry(String)
        case fallback(Configuration.Policy.Action)

        init(_ rule: Configuration.Policy.Rule) { self = .rule(rule) }

        var allows: Bool {
            switch self {
            case .rule(let rule): rule.action == .allow
            case .privateRegistry: false
            case .fallback(let action): action == .allow
            }
        }
    }

    private func settle(
        _ end: End,
        open: [Configuration.Policy.Rule],
        misses: [String],
        image: PolicyImage
    ) -> PolicyDecision {
        var decision: PolicyDecision =
            switch end {
            case .rule(let rule) where rule.action == .allow: allowed(rule, why: rule.reason ?? "the rule allows it")
            case .rule(let rule): denied(rule, why: nil)
            case .privateRegistry(let why):
                PolicyDecision(
                    verdict: .deny,
                    rule: PolicyDecision.privateRegistries,
                    reason: "\(image.registry) is \(why), and no rule allows it by name",
                    mend: "if it is meant, add a policy rule that allows registry `\(image.registry)`, "
                        + "before any rule that denies it",
                    factsNeeded: false,
                    rate: nil
                )
            case .fallback(.allow):
                PolicyDecision(
                    verdict: .allow,
                    rule: PolicyDecision.byDefault,
                    reason: "no rule speaks of it, and policy.default is allow",
                    mend: nil,
                    factsNeeded: false,
                    rate: nil
                )
            case .fallback(.deny):
                PolicyDecision(
                    verdict: .deny,
                    rule: PolicyDecision.byDefault,
                    reason: "no rule allows it, and policy.default is deny",
                    mend: "add a policy rule that allows `\(image.registry)/\(image.repository)*`",
                    factsNeeded: false,
                    rate: nil
                )
            }
        if !decision.isAllowed, !misses.isEmpty {
            decision.reason += "; " + misses.joined(separator: "; ")
        }
        // Facts can still change the outcome only if a rule on facts, met on the way, says something else.
        if let changer = open.first(where: { ($0.action == .allow) != end.allows }) {
            if !end.allows { decision = allowed(changer, why: "if its facts keep the rule's limits") }
            decision.factsNeeded = true
        } else if end.allows, open.contains(where: { $0.rate != nil || $0.budget != nil }) {
            // Which rate or budget counts depends on which of them applies.
            decision.factsNeeded = true
        }
        return decision
    }

    private func allowed(_ rule: Configuration.Policy.Rule, why: String) -> PolicyDecision {
        PolicyDecision(
            verdict: .allow,
            rule: rule.name,
            reason: why,
            mend: nil,
            factsNeeded: false,
            rate: rule.rate,
            budget: rule.budget
        )
    }

    private func denied(_ rule: Configuration.Policy.Rule, why: String?) -> PolicyDecision {
        let words = [rule.reason, why].compactMap(\.self).joined(separator: ": ")
        return PolicyDecision(
            verdict: .deny,
            rule: rule.name,
            reason: words.isEmpty ? "policy rule `\(rule.name)` denies it" : words,
            mend: "use an image that policy allows, or have rule `\(rule.name)` changed",
            factsNeeded: false,
            rate: nil
        )
    }

    // MARK: Matching

    static func matches(_ rule: Configuration.Policy.Rule, _ image: PolicyImage) -> Bool {
        let match = rule.match
        return covers(match.reference, image.reference) && covers(match.registry, image.registry)
            && covers(match.repository, image.repository) && holds(match.tag, image.tag)
            && holds(match.digest, image.digest) && covers(match.caller, image.caller)
            && covers(match.tool, image.tool) && covers(match.destination, image.destination?.repository)
            && covers(match.account, image.destination?.account) && covers(match.region, image.destination?.region)
    }

    /// What is not known meets no condition.
    private static func covers(_ globs: [Glob], _ text: String?) -> Bool {
        globs.isEmpty || text.map { covers(globs, $0) } ?? false
    }

    private static func covers(_ globs: [Glob], _ text: String) -> Bool {
        globs.isEmpty || globs.contains { $0.matches(text) }
    }

    private static func holds(_ part: Configuration.Policy.Part, _ value: String?) -> Bool {
        switch part {
        case .any: true
        case .present: value != nil
        case .absent: value == nil
        case .matching(let globs): value.map { text in globs.contains { $0.matches(text) } } ?? false
        }
    }

    /// Whether a rule speaks of this registry by name: a glob for the registry, or the part of a glob for the whole
    /// reference before its first slash, that has a letter or digit in the host's place.
    static func names(_ match: Configuration.Policy.Match, _ registry: String) -> Bool {
        let fromReferences = match.reference.compactMap { glob -> Glob? in
            guard let slash = glob.pattern.firstIndex(of: "/") else { return nil }
            return Glob(String(glob.pattern[..<slash]))
        }
        return (match.registry + fromReferences).contains { glob in
            let host = PrivateRegistry.bareHost(glob.pattern)
            return host.contains { $0.isLetter || $0.isNumber } && glob.matches(registry)
        }
    }

    // MARK: Facts

    /// The limits that an image does not keep, in words.
    private static func broken(_ rule: Configuration.Policy.Rule, by facts: ImageFacts, now: Date) -> [String] {
        let limits = rule.facts
        var words: [String] = []
        if let budget = rule.budget, facts.size > budget.bytes.bytes {
            words.append("it has \(facts.size) bytes, more than the whole budget of \(budget.bytes)")
        }
        if let maxSize = limits.maxSize, facts.size > maxSize.bytes {
            words.append("it has \(facts.size) bytes, more than \(maxSize)")
        }
        if let maxLayers = limits.maxLayers, facts.layers > maxLayers {
            words.append("it has \(facts.layers) layers, more than \(maxLayers)")
        }
        if let days = limits.minAgeDays {
            if let created = facts.created {
                let age = now.timeIntervalSince(created) / 86_400
                if age < Double(days) {
                    words.append("it was created \(max(0, Int(age))) days ago, less than \(days)")
                }
            } else {
                words.append("its config does not say when it was created, and \(days) days of age are asked for")
            }
        }
        if let platform = limits.platform, !facts.platforms.contains(where: { isSame($0, platform) }) {
            words.append("it has no \(platform) (it has \(facts.platforms.sorted().joined(separator: ", ")))")
        }
        return words
    }

    /// `linux/arm64/v8` is a `linux/arm64`.
    private static func isSame(_ platform: String, _ wanted: String) -> Bool {
        platform == wanted || platform.hasPrefix(wanted + "/")
    }

    private static func list(_ words: [String]) -> String { words.joined(separator: "; ") }
}
