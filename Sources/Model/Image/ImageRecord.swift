/// Where an image stands; the words of `status`.
package enum ImageState: String, Codable, Sendable, CaseIterable {
    case pending, cloning, ready, retrying, blocked
}

/// What kind of failure an attempt ended in; decided once, where it happened.
package enum FailureClass: String, Codable, Sendable, CaseIterable {
    case notFound, denied, noCredentials, throttled, unreachable, brokenAnswer, digestMismatch, quota, disk, ours
    /// Refused before any attempt: a name nobody can pull, no mapping, a policy rule.
    case invalidName, unmapped, policy, platform, unsupported, conflict

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

    package init(
        id: Int64,
        source: String,
        destination: String,
        registry: String,
        state: ImageState,
        route: String? = nil,
        routeDetail: String? = nil,
        reason: String? = nil,
        mend: String? = nil,
        failureClass: FailureClass? = nil,
        rule: String? = nil,
        sourceDigest: String? = nil,
        ecrDigest: String? = nil,
        platformDigest: String? = nil,
        bytes: Int64? = nil,
        access: HealthOmicsAccess,
        movedDigest: String? = nil,
        urgency: Urgency,
        attempts: Int,
        failures: Int,
        firstAttemptAt: Milliseconds? = nil,
        dueAt: Milliseconds? = nil,
        readyAt: Milliseconds? = nil,
        verifiedAt: Milliseconds? = nil,
        upstreamSeenAt: Milliseconds? = nil,
        createdAt: Milliseconds,
        updatedAt: Milliseconds
    ) {
        self.id = id
        self.source = source
        self.destination = destination
        self.registry = registry
        self.state = state
        self.route = route
        self.routeDetail = routeDetail
        self.reason = reason
        self.mend = mend
        self.failureClass = failureClass
        self.rule = rule
        self.sourceDigest = sourceDigest
        self.ecrDigest = ecrDigest
        self.platformDigest = platformDigest
        self.bytes = bytes
        self.access = access
        self.movedDigest = movedDigest
        self.urgency = urgency
        self.attempts = attempts
        self.failures = failures
        self.firstAttemptAt = firstAttemptAt
        self.dueAt = dueAt
        self.readyAt = readyAt
        self.verifiedAt = verifiedAt
        self.upstreamSeenAt = upstreamSeenAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
