package import Foundation

/// What somebody may be told of (`notify.on`).
package enum NoticeKind: String, Codable, Sendable, CaseIterable {
    /// An image that a live run needs is blocked.
    case blocked
    /// All images of a run are there.
    case ready
    /// A registry refuses our credentials.
    case refused
    /// A tag that a run, an active version or a lock uses has moved upstream.
    case moved
    /// A person should look at the daemon.
    case degraded
}

/// Where notices go.
package enum NoticeTarget: String, Codable, Sendable, CaseIterable {
    case sns, eventBus, webhook
}

/// One thing that happened, written in the transaction in which it did.
package struct Notice: Codable, Sendable, Equatable {
    package var kind: NoticeKind
    /// The image, run, registry, or `daemon`.
    package var subject: String
    package var text: String
    package var at: Date

    package init(kind: NoticeKind, subject: String, text: String, at: Date) {
        self.kind = kind
        self.subject = subject
        self.text = text
        self.at = at
    }
}

/// What is sent at once: one notice, or, where there were more than `notify.perHour`, all that gathered.
package struct NoticeMessage: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    /// The same whenever it is sent again: who keeps it sees each message once.
    package var id: String
    package var account: String?
    package var region: String?
    /// One sentence, or a summary.
    package var text: String
    /// How many notices it stands for; not all may be listed.
    package var total: Int
    package var notices: [Notice]

    /// Most notices that one message lists: it stays far below the 256 KiB of SNS and EventBridge.
    package static let mostNotices = 100

    /// - Parameter notices: at least one, the oldest first.
    package init(id: String, account: String?, region: String?, notices: [Notice]) {
        self.id = id
        self.account = account
        self.region = region
        total = notices.count
        self.notices = Array(notices.prefix(Self.mostNotices))
        let kinds = NoticeKind.allCases.compactMap { kind in
            let count = notices.count { $0.kind == kind }
            return count > 0 ? "\(count) \(kind.rawValue)" : nil
        }
        text =
            notices.count == 1
            ? notices[0].text : "\(notices.count) notices of preclone: \(kinds.joined(separator: ", "))"
    }

    package func json() throws -> String { try ReportJSON.text(self, pretty: false) }
}
