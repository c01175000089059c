package import Foundation
package import Names

/// How one attempt at one image ended. Never an error: a failure is a value with its class, reason and mend.
package struct CloneOutcome: Sendable {
    package enum End: Sendable {
        /// Verified in ECR.
        case ready(ECRHolding)
        case failed(CloneFailure)
        /// Not tried: wait until then.
        case later(until: Date, why: String)
        case refused(Refusal)
        /// The daemon is stopping; goes on after the restart.
        case stopped
    }

    package var end: End
    package var route: String
    package var routeDetail: String?
    /// Why this route, where that is not plain: "the rule could not serve it: …; copied".
    package var note: String?
    package var rule: String?
    /// What the source named when what is held was taken from it, or was found to be the same. Nil when that is not known.
    package var sourceDigest: Digest?
    /// What the source names now, where the image that is held is another and stays.
    package var movedTo: Digest?
    /// What is held is not what the source was known to name: that is not said any more.
    package var forgetsSource = false
    /// How it is known that what is held is the source's image: `DigestNote`. Nil: as before.
    package var digestNote: String?
    package var bytesMoved: Int64 = 0
    package var repositoryCreated = false
    package var started: Date
    /// At its first look ECR held a whole image, the expected one as far as that was known.
    package var wasHeld = false
    /// Not tried, since the caller's rate under a policy rule is used up.
    package var isHeldByRate = false
    /// Ready, but signatures or attestations that were to come with it may be had later.
    package var isPartial = false

    /// Refused by policy, for the caller that it was tried for.
    package var isDenied: Bool {
        if case .refused(let refusal) = end { refusal.failureClass == .policy } else { false }
    }

    package init(end: End, route: String, started: Date) {
        self.end = end
        self.route = route
        self.started = started
    }
}

/// A failed attempt, classified where it happened.
package struct CloneFailure: Error, Sendable, Hashable {
    package var failureClass: FailureClass
    package var message: String
    package var mend: String
    package var host: String?
    package var status: Int?
    package var requestID: String?
    /// How long the other side asked to be left alone.
    package var retryAfter: Duration?
    /// Nothing was sent: our own limits held it back. No attempt of the image's.
    package var isHeldBack = false
    /// AWS does not take us for who we are: every image would fail so, and none is at fault.
    package var concernsAll = false

    /// Needs a person: trying again soon cannot help.
    package var isPermanent: Bool { failureClass.isPermanent && !concernsAll && !isPause }
    /// Uses none of the image's attempts.
    package var belongsToHost: Bool { failureClass.belongsToHost || concernsAll || isPause }

    /// The host is left alone until somebody mends our credentials; the image only waits for that.
    private var isPause: Bool { isHeldBack && failureClass == .noCredentials }

    package init(_ failureClass: FailureClass, message: String, mend: String) {
        self.failureClass = failureClass
        self.message = message
        self.mend = mend
    }
}
