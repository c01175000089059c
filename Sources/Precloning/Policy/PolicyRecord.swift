package import Foundation
package import Model

/// What policy remembers: its decisions, and how much of a rule's rate each caller has used.
package protocol PolicyRecord: Sendable {
    /// Keeps a decision in the audit where it is another than the last one.
    ///
    /// - Returns: whether it was kept.
    func audit(_ decision: PolicyDecision, source: String, destination: String?, caller: String, now: Date) throws
        -> Bool
    /// Keeps in the audit what a rule that only warns would have denied, unless it was the last thing kept of it.
    func audit(
        _ warning: PolicyDecision.Warning,
        source: String,
        destination: String?,
        caller: String,
        now: Date
    ) throws
    /// Takes a place under a rule's rate and so many bytes of its budget, or says from when on there is room for both.
    func reserve(
        rule: String,
        rate: PolicyRate?,
        budget: PolicyBudget?,
        bytes: Int64,
        caller: String,
        now: Date
    ) throws -> RuleAnswer
    func commit(_ reservation: RuleReservation) throws
    func release(_ reservation: RuleReservation) throws
}
