package import Foundation

/// A row of the audit: a decision, or a change made to AWS.
package struct AuditEntry: Codable, Sendable, Equatable {
    /// What kind of row it is; the words of the record and of `preclone audit`.
    package enum Action: String, Codable, Sendable, CaseIterable {
        /// Policy decided over an image, and not as before.
        case decided
        /// A rule that only warns would have denied.
        case warned
        case repositoryCreated, repositoryDeleted, policyChanged, imagePushed
        /// ECR fetched the image through a pull-through cache rule, since we asked it to.
        case imageImported
        /// A tag in ECR has another digest now, by us.
        case tagMoved
        /// A tag was seen at another digest upstream; nothing is changed by that.
        case upstreamTagMoved
        /// A person asked for an image.
        case requested
        /// A person made an image due.
        case retried
        /// A person took an image out of the record that nobody wants.
        case forgotten
        /// A person had a pull-through cache rule made.
        case ruleCreated
        /// A person had the registry's policy or a repository creation template changed.
        case registryChanged
        case configReloaded
    }

    package var at: Date
    /// `daemon`, or `user NAME`.
    package var caller: String
    package var action: String
    package var source: String?
    package var destination: String?
    /// The policy rule that decided.
    package var rule: String?
    package var before: String?
    package var after: String?
    /// AWS's id of the request, for CloudTrail and support.
    package var requestID: String?
    package var detail: String?

    package init(_ action: Action, caller: String, at: Date) {
        self.init(action: action.rawValue, caller: caller, at: at)
    }

    /// - Parameter detail: said together with what the caller's program says of itself.
    package init(_ action: Action, by caller: Caller, detail: String? = nil, at: Date) {
        self.init(action, caller: caller.description, at: at)
        self.detail = caller.detail(detail)
    }

    /// With the name of an action that this program may not know.
    package init(action: String, caller: String, at: Date) {
        self.action = action
        self.caller = caller
        self.at = at
    }
}

/// Whether the audit is as it was written.
package struct AuditVerdict: Codable, Sendable, Equatable {
    package var rows = 0
    /// The hash of the last row, as the journal is told it; nil where something is wrong before it.
    package var head: String?
    /// What is wrong; nil where nothing is.
    package var fault: String?

    package init() {}

    package var isWhole: Bool { fault == nil }
}
