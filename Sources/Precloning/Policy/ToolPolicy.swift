package import Configuring
package import Model

/// Which tools a caller may call: the operator's rules that name tools, in order; the first that applies decides. Where none
/// does, the tool may be called. Pure.
package struct ToolPolicy: Sendable {
    let rules: [Configuration.Policy.Rule]
    private let policy: Configuration.Policy

    package init(_ policy: Configuration.Policy) {
        self.policy = policy
        rules = policy.rules.filter { !$0.match.tool.isEmpty }
    }

    /// What decides where `policy.agents` does not let an agent call a tool.
    package static let agents = "agents"

    package struct Decision: Sendable, Hashable {
        /// The rule that decided; nil where none spoke of it.
        package var rule: String?
        /// Why it may not be called; nil where it may.
        package var denial: String?
        package var mend: String?
        package var rate: PolicyRate?
        package var warnings: [PolicyDecision.Warning] = []
    }

    /// - Parameter image: what the tool is called for; nil where it is for no image. Rules on images then do not apply.
    package func decide(_ tool: String, caller: Caller, image: PolicyImage?) -> Decision {
        var decision = Decision()
        guard policy.lets(caller, call: tool) else {
            decision.rule = Self.agents
            decision.denial = "policy.agents does not let \(caller) call \(tool)"
            decision.mend = "have it added to policy.agents[].tools"
            return decision
        }
        for rule in rules where applies(rule, tool, caller, image) {
            let reason = rule.reason ?? "policy rule `\(rule.name)` denies it"
            switch rule.action {
            case .warn:
                decision.warnings.append(.init(rule: rule.name, reason: reason))
                continue
            case .allow:
                decision.rule = rule.name
                decision.rate = rule.rate
            case .deny:
                decision.rule = rule.name
                decision.denial = reason
                decision.mend = "have rule `\(rule.name)` changed"
            }
            return decision
        }
        return decision
    }

    func applies(
        _ rule: Configuration.Policy.Rule,
        _ tool: String,
        _ caller: Caller,
        _ image: PolicyImage?
    ) -> Bool {
        guard var image else {
            var bare = Configuration.Policy.Match()
            bare.tool = rule.match.tool
            bare.caller = rule.match.caller
            return rule.match == bare && bare.tool.contains { $0.matches(tool) }
                && (bare.caller.isEmpty || bare.caller.contains { $0.matches(caller.description) })
        }
        image.tool = tool
        image.caller = caller.description
        return ImagePolicy.matches(rule, image)
    }
}
