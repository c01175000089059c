import Configuring
package import Foundation
import Logging
package import Model
package import Names
import Remotes
import Synchronization

/// Policy as the cloner asks it: by name before anything is asked of a registry, and again once facts are known. The same
/// function decides both times; a decision that differs from the last one is kept in the audit.
package struct PolicyGate: Sendable {
    package struct Decision: Sendable {
        /// The rule that decided.
        package var rule: String
        package var denial: Refusal?
        /// The decision is open until manifest and config are read.
        package var factsNeeded: Bool
    }

    /// The rate of the deciding rule is used up; the image waits.
    package struct RateReached: Error, Sendable, Hashable {
        package var rule: String
        package var until: Date

        package var why: String { "policy rule `\(rule)` lets no more through now" }
    }

    let settings: Settings
    let record: any PolicyRecord
    let now: @Sendable () -> Date

    package init(settings: Settings, record: any PolicyRecord, now: @escaping @Sendable () -> Date) {
        self.settings = settings
        self.record = record
        self.now = now
    }

    private func policy(_ home: HomeRegistry) -> ImagePolicy {
        ImagePolicy(settings.current.policy, exempt: [home.registry])
    }

    /// The decision by an image's name; changes nothing.
    package func byName(
        _ source: ImageReference,
        destination: ECRLocation,
        caller: String,
        home: HomeRegistry
    ) async throws -> Decision {
        let decision = policy(home).decide(Self.image(source, destination, caller), now: now())
        return Decision(
            rule: decision.rule,
            denial: decision.isAllowed ? nil : Self.refusal(decision),
            factsNeeded: decision.factsNeeded
        )
    }

    /// An attempt begins, or is refused by name: the decision is kept in the audit, and a place under the rule's rate is
    /// taken.
    ///
    /// - Throws: `RateReached`; what the record throws.
    package func begin(
        _ source: ImageReference,
        destination: String,
        ticket: PolicyTicket,
        home: HomeRegistry
    ) throws {
        let decision = policy(home).decide(Self.image(source, Self.location(destination), ticket.caller), now: now())
        // What is open is decided, and audited, when the facts are there.
        guard !decision.factsNeeded else { return }
        try keep(decision, source, destination, ticket.caller)
        try reserve(decision, ticket, bytes: 0)
    }

    private static func image(_ source: ImageReference, _ destination: ECRLocation?, _ caller: String) -> PolicyImage {
        var image = PolicyImage(source)
        image.caller = caller
        image.destination = destination
        return image
    }

    private static func location(_ destination: String) -> ECRLocation? {
        (try? ImageReference(destination)).flatMap(ECRLocation.init)
    }

    /// The denial that an image's facts lead to, if any; else a place under the rate of the rule that allows it.
    ///
    /// - Throws: `RateReached`; what the record throws.
    package func byFacts(
        _ source: ImageReference,
        facts: ImageFacts,
        destination: String,
        ticket: PolicyTicket,
        home: HomeRegistry
    ) throws -> Refusal? {
        let image = Self.image(source, Self.location(destination), ticket.caller)
        let decision = policy(home).decide(image, facts: facts, now: now())
        try keep(decision, source, destination, ticket.caller)
        ticket.decided(by: decision.rule)
        guard decision.isAllowed else { return Self.refusal(decision) }
        if !ticket.isReserved { try reserve(decision, ticket, bytes: facts.size) }
        return nil
    }

    /// The attempt is over: a place that was used stays used, another is free again.
    package func end(_ ticket: PolicyTicket, wasUsed: Bool) {
        guard let reservation = ticket.take() else { return }
        do {
            if wasUsed { try record.commit(reservation) } else { try record.release(reservation) }
        } catch {
            // Unsettled it goes on counting, which is the careful side.
            Logger.current.warning("A policy rate could not be settled", metadata: ["error": "\(error)"])
        }
    }

    private func keep(
        _ decision: PolicyDecision,
        _ source: ImageReference,
        _ destination: String,
        _ caller: String
    ) throws {
        let isNew = try record.audit(
            decision,
            source: source.description,
            destination: destination,
            caller: caller,
            now: now()
        )
        for warning in decision.warnings {
            try record.audit(warning, source: source.description, destination: destination, caller: caller, now: now())
        }
        guard isNew else { return }
        Logger.current.info(
            "Policy decided",
            metadata: ["policy.rule": "\(decision.rule)", "policy.verdict": "\(decision.verdict.rawValue)"]
        )
    }

    private func reserve(_ decision: PolicyDecision, _ ticket: PolicyTicket, bytes: Int64) throws {
        guard decision.isAllowed, decision.rate != nil || decision.budget != nil else { return }
        let answer = try record.reserve(
            rule: decision.rule,
            rate: decision.rate,
            budget: decision.budget,
            bytes: bytes,
            caller: ticket.caller,
            now: now()
        )
        switch answer {
        case .reserved(let reservation): ticket.hold(reservation)
        case .later(let until): throw RateReached(rule: decision.rule, until: until)
        }
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

/// What one attempt holds under a policy rule's rate, and which rule its facts led to.
package final class PolicyTicket: Sendable {
    /// `daemon`, or `user NAME`: rates are per caller.
    package let caller: String
    private let reservation = Mutex<RuleReservation?>(nil)
    private let decider = Mutex<String?>(nil)

    package init(caller: String) { self.caller = caller }

    /// The rule that decided with the facts; nil before that.
    var rule: String? { decider.withLock { $0 } }

    func decided(by rule: String) { decider.withLock { $0 = rule } }

    var isReserved: Bool { reservation.withLock { $0 != nil } }

    func hold(_ new: RuleReservation) { reservation.withLock { $0 = new } }

    func take() -> RuleReservation? {
        reservation.withLock { held in
            defer { held = nil }
            return held
        }
    }
}
