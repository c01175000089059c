/// Where an image stands; the words of `status`.
package enum ImageState: String, Codable, Sendable, CaseIterable {
    case pending, cloning, ready, retrying, blocked
}

/// What kind of failure an attempt ended in; decided once, where it happened.
package enum FailureClass: String, Codable, Sendable, CaseIterable {
    case notFound, denied, noCredentials, throttled, unreachable, brokenAnswer, digestMismatch, quota, disk, ours
    /// Refused before any attempt: a name nobody can pull, no mapping, a policy rule.
    case invalidName, unmapped, policy, platform, unsupported, conflict

    /// How soon a blocked image of this cause is worth another look.
    package enum Clock: Sendable { case notThere, access, decision }

    package var clock: Clock {
        switch self {
        case .notFound: .notThere
        case .denied, .noCredentials: .access
        default: .decision
        }
    }

    /// Whether our own configuration, credentials or rights decide it.
    package var dependsOnUs: Bool {
        switch self {
        case .denied, .noCredentials, .policy, .unmapped, .conflict, .invalidName, .quota: true
        default: false
        }
    }

    /// Failures that belong to the host; they use none of an image's attempts.
    package var belongsToHost: Bool {
        switch self {
        case .throttled, .unreachable, .quota: true
        default: false
        }
    }

    /// Needs a person: trying again soon cannot help.
    package var isPermanent: Bool {
        switch self {
        case .notFound, .denied, .noCredentials, .invalidName, .unmapped, .policy, .platform, .unsupported, .conflict:
            true
        case .throttled, .unreachable, .brokenAnswer, .digestMismatch, .quota, .disk, .ours: false
        }
    }
}

/// How soon an image is wanted; smaller goes first.
package enum Urgency: Int, Codable, Sendable, Comparable {
    /// A live run waits for it.
    case run = 0
    /// A person asked for it.
    case person = 1
    /// A version was just made active.
    case version = 2
    /// A look at what is there already.
    case refresh = 3
    /// No live run, version or person wants it.
    case nobody = 4

    package static func < (left: Urgency, right: Urgency) -> Bool { left.rawValue < right.rawValue }
}

/// Whether HealthOmics may read the repository, in the words of the tool that preclone replaces.
package enum HealthOmicsAccess: String, Codable, Sendable {
    case accessible, notAccessible = "not_accessible", unknown
}

/// A row of `image`. Its key for people is (source, destination).
package struct ImageRecord: Codable, Sendable, Equatable {
    package var id: Int64
    package var source: String
    package var destination: String
    package var registry: String
    package var state: ImageState
    package var route: String?
    package var routeDetail: String?
    package var reason: String?
    package var mend: String?
    package var failureClass: FailureClass?
    package var rule: String?
    package var sourceDigest: String?
    package var ecrDigest: String?
    package var platformDigest: String?
    package var bytes: Int64?
    package var access: HealthOmicsAccess
    package var movedDigest: String?
    package var urgency: Urgency
    /// Among equally urgent ones: smaller goes first.
    package var needOrder: Int
    package var attempts: Int
    /// Failed attempts in a row, those that belong to the host too.
    package var failures: Int
    package var firstAttemptAt: Milliseconds?
    package var dueAt: Milliseconds?
    package var readyAt: Milliseconds?
    package var verifiedAt: Milliseconds?
    package var upstreamSeenAt: Milliseconds?
    package var createdAt: Milliseconds
    package var updatedAt: Milliseconds
    package var generation: Int
    package var askedGeneration: Int
    package var attemptedAt: Milliseconds?
    package var mark: String?
}
