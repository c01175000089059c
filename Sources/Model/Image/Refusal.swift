/// Why nothing is done for an image, and what a person can do.
package struct Refusal: Error, Sendable, Hashable {
    package var failureClass: FailureClass
    package var reason: String
    package var mend: String
    /// The policy rule that decided, if one did.
    package var rule: String?

    package init(_ failureClass: FailureClass, reason: String, mend: String, rule: String? = nil) {
        self.failureClass = failureClass
        self.reason = reason
        self.mend = mend
        self.rule = rule
    }
}
