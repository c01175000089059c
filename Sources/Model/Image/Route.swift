package import Foundation
package import Names

/// How an image comes to its destination.
package enum Route: Sendable, Hashable {
    /// It is there already.
    case present
    /// By a request that makes ECR fetch it, below the rule's prefix.
    case pullThrough(PullThroughCacheRule)
    /// Registry to registry. Whole objects where ECR's own refresh would replace a part of one, and for pinned indexes.
    case copy(takesWhole: Bool, why: String)
    /// Not now.
    case later(until: Date, why: String)
    case refused(Refusal)

    /// The word in the record and in `status`.
    package var name: String {
        switch self {
        case .present: "present"
        case .pullThrough: "pullThrough"
        case .copy: "copy"
        case .later: "later"
        case .refused: "refused"
        }
    }
}

/// What was found out about one image before its route is chosen.
package struct RouteFacts: Sendable {
    package var holding: ECRHolding
    /// Why the rule cannot serve this image, as the registry's settings tell beforehand.
    package var ruleFault: String?
    /// Nothing is asked of the source's host before this time.
    package var sourcePausedUntil: (Date, why: String)?
    /// What policy says by the image's name.
    package var denial: Refusal?
    /// How what is held compares with what the source names; nil where there is nothing to compare, or it cannot be told
    /// before `sourcePausedUntil`.
    package var comparison: Comparison?
    package var claims = PlaceClaims()
    /// Upstream's tag has moved since the clone, and is followed.
    package var isMoved = false
    /// Whether what the source names now takes the place of another image: `clone.onTagMove`, where ECR does not follow by
    /// itself.
    package var follows = false
    /// Bytes that may still be moved today; nil: no bound.
    package var bytesLeftToday: Int64?
    package var midnight: Date

    /// ECR holds a whole image, and it is not known to be another than the one that belongs there.
    package var isHeldAsExpected: Bool {
        guard holding.isComplete else { return false }
        if case .other = comparison { return claims.isOwn }
        return true
    }

    package init(holding: ECRHolding, midnight: Date) {
        self.holding = holding
        self.midnight = midnight
    }

    /// As they will be when what is waited for is over.
    package var unhindered: RouteFacts {
        var facts = self
        facts.sourcePausedUntil = nil
        facts.bytesLeftToday = nil
        return facts
    }
}
