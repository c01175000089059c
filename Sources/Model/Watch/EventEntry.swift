import Foundation

/// A row of `event` about to be written.
package struct EventEntry: Sendable, Hashable {
    /// The event's `detail-type`, or `poison`.
    package var kind: String
    package var subject: String?
    package var status: String?
    /// What was done with it, or why it was dropped.
    package var outcome: String
    package var messageID: String?

    package init(kind: String, subject: String?, status: String?, outcome: String, messageID: String?) {
        self.kind = kind
        self.subject = subject
        self.status = status
        self.outcome = outcome
        self.messageID = messageID
    }
}
