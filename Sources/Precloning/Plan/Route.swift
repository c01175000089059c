import Foundation
package import Model
import Names
import Remotes

extension Planner {
    /// The route of an image, from what ECR and upstream answered for it. Pure.
    package static func route(
        _ destination: Destination,
        facts: RouteFacts,
        urgency: Urgency
    ) -> Route {
        if facts.holding.isComplete, holdsExpected(destination, facts) { return .present }
        if let denial = facts.denial { return .refused(denial) }
        guard destination.isOurs else { return .refused(foreign(destination, facts)) }
        guard let source = destination.source else { return .refused(orphan(destination, facts)) }
        if let (until, why) = facts.sourcePausedUntil { return .later(until: until, why: why) }
        if let left = facts.bytesLeftToday, left <= 0, urgency > .person {
            return .later(until: facts.midnight, why: "clone.maxBytesPerDay is used up")
        }
        guard let rule = destination.rule else {
            return .copy(takesWhole: source.digest != nil, why: "no pull-through cache rule holds it")
        }
        if let fault = facts.ruleFault { return .copy(takesWhole: true, why: fault) }
        guard source.tag != nil else {
            // ECR does not import an image that is asked for by digest first: aws/containers-roadmap#2837.
            return .copy(takesWhole: true, why: "the pull-through cache is filled by tag only, and this names a digest")
        }
        return .pullThrough(rule)
    }

    /// Whether what is held is what a task should get: the pinned digest, or anything of an unpinned tag (drift is
    /// looked at by the refresh, not by cloning again) until the refresh has seen it move.
    private static func holdsExpected(_ destination: Destination, _ facts: RouteFacts) -> Bool {
        guard let pinned = destination.location.digest ?? destination.source?.digest else {
            return !facts.followsMovedTag
        }
        return facts.holding.digest == pinned
    }

    private static func foreign(_ destination: Destination, _ facts: RouteFacts) -> Refusal {
        Refusal(
            .notFound,
            reason: "\(destination.location) \(words(facts.holding)); it belongs to account "
                + "\(destination.location.account), where preclone makes nothing",
            mend: "have account \(destination.location.account) push it and share the repository with HealthOmics"
        )
    }

    private static func orphan(_ destination: Destination, _ facts: RouteFacts) -> Refusal {
        Refusal(
            .notFound,
            reason:
                "\(destination.location) \(words(facts.holding)), and no pull-through cache rule tells where it comes from",
            mend: "push the image there, or name its public image in the workflow and map its registry"
        )
    }

    static func words(_ holding: ECRHolding) -> String {
        switch holding.presence {
        case .noRepository: "is not there: the repository does not exist"
        case .noImage: "is not there: the repository has no such image"
        case .archived: "is archived and cannot be pulled"
        case .held where holding.platformDigest == nil:
            "has no linux/amd64 image (it has \(holding.platforms.map(\.description).joined(separator: ", ")))"
        case .held: holding.missingBlobs.isEmpty ? "is there" : "lacks \(holding.missingBlobs.count) layers"
        }
    }
}
