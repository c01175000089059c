package import Configuring
package import Model

/// What each rule of policy has to say of one image.
package struct PolicyRuleLine: Codable, Sendable, Hashable {
    package enum Standing: String, Codable, Sendable {
        /// It decided.
        case decides
        /// It would deny, and only warns.
        case warns
        /// It speaks of the image, and whether it applies depends on what the image's manifest says, or how large it is.
        case dependsOnFacts
        /// It does not speak of the image, or may not speak for it.
        case doesNotMatch
        /// A rule before it decided.
        case notReached
    }

    package var name: String
    package var action: String
    package var standing: Standing
    /// Why, in words.
    package var why: String
}

extension ImagePolicy {
    /// Every rule in its order, and why it applies or not. Pure.
    ///
    /// - Parameter decision: what `decide` said by the image's name.
    package static func lines(
        of policy: Configuration.Policy,
        for image: PolicyImage,
        decision: PolicyDecision
    ) -> [PolicyRuleLine] {
        var isDecided = false
        let isPrivate = PrivateRegistry.reason(image.registry) != nil
        return policy.rules.map { rule in
            func line(_ standing: PolicyRuleLine.Standing, _ why: String) -> PolicyRuleLine {
                PolicyRuleLine(name: rule.name, action: rule.action.rawValue, standing: standing, why: why)
            }
            if isDecided { return line(.notReached, "a rule before it decided") }
            guard matches(rule, image) else { return line(.doesNotMatch, mismatch(rule.match, image)) }
            if rule.action == .allow, isPrivate, !names(rule.match, image.registry) {
                return line(.doesNotMatch, "\(image.registry) is private, and the rule does not name it")
            }
            guard rule.facts.isEmpty, rule.budget == nil else {
                return line(.dependsOnFacts, "its `facts` or `budget` count once manifest and config are read")
            }
            if rule.action == .warn { return line(.warns, rule.reason ?? "all of its `match` covers the image") }
            isDecided = true
            return line(.decides, rule.reason ?? "all of its `match` covers the image")
        }
    }

    /// The first part of a rule's `match` that does not cover an image.
    fileprivate static func mismatch(_ match: Configuration.Policy.Match, _ image: PolicyImage) -> String {
        func covers(_ globs: [Glob], _ text: String) -> Bool { globs.isEmpty || globs.contains { $0.matches(text) } }
        func listed(_ globs: [Glob]) -> String { globs.map(\.pattern).joined(separator: ", ") }
        if !covers(match.reference, image.reference) {
            return "`match.reference` (\(listed(match.reference))) does not cover \(image.reference)"
        }
        if !covers(match.registry, image.registry) {
            return "`match.registry` (\(listed(match.registry))) does not cover \(image.registry)"
        }
        if !covers(match.repository, image.repository) {
            return "`match.repository` (\(listed(match.repository))) does not cover \(image.repository)"
        }
        func uncovered(_ name: String, _ globs: [Glob], _ text: String?) -> String? {
            guard !globs.isEmpty, !(text.map { covers(globs, $0) } ?? false) else { return nil }
            return "`match.\(name)` (\(listed(globs))) does not cover \(text ?? "what is not known")"
        }
        if !match.tool.isEmpty, image.tool == nil {
            return "`match.tool`: it decides when a tool is called, and about no image"
        }
        return uncovered("tool", match.tool, image.tool)
            ?? uncovered("caller", match.caller, image.caller)
            ?? uncovered("destination", match.destination, image.destination?.repository)
            ?? uncovered("account", match.account, image.destination?.account)
            ?? uncovered("region", match.region, image.destination?.region)
            ?? "its `match.tag` or `match.digest` does not cover \(image.reference)"
    }
}

extension ToolPolicy {
    /// Every rule that names tools in its order, and why it applies or not. Pure.
    ///
    /// - Parameter decision: what `decide` said.
    package func lines(
        for tool: String,
        caller: Caller,
        image: PolicyImage?,
        decision: Decision
    ) -> [PolicyRuleLine] {
        var isDecided = decision.rule == Self.agents
        return rules.map { rule in
            func line(_ standing: PolicyRuleLine.Standing, _ why: String) -> PolicyRuleLine {
                PolicyRuleLine(name: rule.name, action: rule.action.rawValue, standing: standing, why: why)
            }
            if isDecided { return line(.notReached, "a rule before it decided") }
            let words = rule.reason ?? "all of its `match` covers the call"
            guard applies(rule, tool, caller, image) else {
                guard var image else { return line(.doesNotMatch, mismatch(rule.match, tool, caller)) }
                image.tool = tool
                image.caller = caller.description
                return line(.doesNotMatch, ImagePolicy.mismatch(rule.match, image))
            }
            if rule.action == .warn { return line(.warns, words) }
            isDecided = true
            return line(.decides, words)
        }
    }

    private func mismatch(_ match: Configuration.Policy.Match, _ tool: String, _ caller: Caller) -> String {
        func listed(_ globs: [Glob]) -> String { globs.map(\.pattern).joined(separator: ", ") }
        if !match.tool.contains(where: { $0.matches(tool) }) {
            return "`match.tool` (\(listed(match.tool))) does not cover \(tool)"
        }
        if !match.caller.isEmpty, !match.caller.contains(where: { $0.matches(caller.description) }) {
            return "`match.caller` (\(listed(match.caller))) does not cover \(caller)"
        }
        return "it is about images, and the tool is called for none"
    }
}
