package import Foundation
package import Remotes

/// Policy as the cloner asks it: by name before anything is asked of a registry, and again once facts are known. The same
/// function decides both times; a decision that changes something is kept in the audit.
package struct PolicyGate: Sendable {
    package struct Decision: Sendable {
        /// The rule that decided.
        package var rule: String
        package var denial: Refusal?
    }

    let settings: Settings
    let ledger: Ledger
    let now: @Sendable () -> Date

    package init(settings: Settings, ledger: Ledger, now: @escaping @Sendable () -> Date) {
        self.settings = settings
        self.ledger = ledger
        self.now = now
    }

    private func policy(_ home: HomeRegistry) -> ImagePolicy {
        ImagePolicy(settings.current.policy, exempt: [home.registry])
    }

    /// The decision by an image's name.
    package func byName(_ source: ImageReference, caller: String, home: HomeRegistry) async throws -> Decision {
        let decision = policy(home).decide(PolicyImage(source), now: now())
        guard decision.isAllowed else { return Decision(rule: decision.rule, denial: Self.refusal(decision)) }
        return Decision(rule: decision.rule, denial: nil)
    }

    /// The denial that an image's facts lead to, if any.
    package func byFacts(
        _ source: ImageReference,
        facts: ImageFacts,
        caller: String,
        home: HomeRegistry
    ) async throws -> Refusal? {
        let decision = policy(home).decide(PolicyImage(source), facts: facts, now: now())
        return decision.isAllowed ? nil : Self.refusal(decision)
    }

    private static func refusal(_ decision: PolicyDecision) -> Refusal {
        Refusal(
            .policy,
            reason: "denied by policy (\(decision.rule)): \(decision.reason)",
            mend: decision.mend ?? "see `policy` in the configuration",
            rule: decision.rule
        )
    }
}
