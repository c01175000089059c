package import Foundation
package import Model

/// What policy remembers: its decisions, and how much of a rule's rate each caller has used.
package protocol PolicyRecord: Sendable {
    /// Keeps a decision in the audit where it is another than the last one.
    ///
    /// - Returns: whether it was kept.
    func audit(_ decision: PolicyDecision, source: String, destination: String?, caller: String, now: Date) throws
        -> Bool
    /// Takes a place under a rule's rate, or says from when on there is one.
    func reserve(rule: String, rate: PolicyRate, caller: String, now: Date) throws -> RuleAnswer
    func commit(_ reservation: RuleReservation) throws
    func release(_ reservation: RuleReservation) throws
}
