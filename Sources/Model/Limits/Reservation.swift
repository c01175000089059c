package import Foundation
package import Names

/// A place taken in a bounded window. Until it is committed or released it counts; after a crash it goes on counting
/// until the window has passed it, since nobody knows whether the request was made.
package struct RuleReservation: Sendable, Hashable {
    package let id: Int64
    package let rule: String

    package init(id: Int64, rule: String) {
        self.id = id
        self.rule = rule
    }
}

/// The answer to a request for a place in a bounded window.
package enum RuleAnswer: Sendable, Hashable {
    case reserved(RuleReservation)
    /// The window is full; a place is free then.
    case later(until: Date)
}

/// The answer to a request for a pull.
package enum PullAnswer: Sendable, Hashable {
    case reserved(PullReservation)
    /// Too little is left for an image of this urgency; ask again then.
    case later(until: Date)
}
