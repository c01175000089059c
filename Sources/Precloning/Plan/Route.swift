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
        if let settled = settled(destination, facts) { return settled }
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

    /// The route where what is held decides it; nil: the image is to be brought.
    private static func settled(_ destination: Destination, _ facts: RouteFacts) -> Route? {
        if let conflict = conflict(destination, facts) { return .refused(conflict) }
        guard facts.holding.isComplete else { return nil }
        if let pinned = destination.location.digest ?? destination.source?.digest {
            return facts.holding.digest == pinned ? .present : nil
        }
        switch facts.comparison {
        case .same, .gone: return .present
        case .known: return facts.isMoved ? nil : .present
        case .other: return facts.follows ? nil : .present
        case nil:
            // Nothing but ECR knows it.
            guard let source = destination.source else { return .present }
            guard let (until, why) = facts.sourcePausedUntil else { return nil }
            return .later(
                until: until,
                why: "\(destination.location) is there; whether it is \(source) can't be asked: \(why)"
            )
        }
    }

    /// Why what is held stays although it is not the image: it is another's, or a person named the place, and does not get
    /// the other image for this one.
    private static func conflict(_ destination: Destination, _ facts: RouteFacts) -> Refusal? {
        let claims = facts.claims
        // What was taken from the same source before is an older one of it, and no other's.
        guard case .other(let named) = facts.comparison, !claims.isOwn, let source = destination.source,
            let held = facts.holding.digest
        else { return nil }
        let location = destination.location
        let isAt = "\(location) holds \(held)"
        let wanted = "\(source) is \(named)"
        if let holder = claims.holder, claims.isExplicit || claims.isHolderWanted || !facts.follows {
            return Refusal(
                .conflict,
                reason: "\(isAt), which is \(holder); \(wanted)",
                mend: claims.isExplicit ? explicitMend(location) : "map \(holder) and \(source) to two places"
            )
        }
        if claims.isExplicit {
            return Refusal(.conflict, reason: "\(isAt); \(wanted)", mend: explicitMend(location))
        }
        if let rival = claims.rivals.first, !facts.follows {
            return Refusal(
                .conflict,
                reason: "\(isAt); \(wanted), and \(rival) is wanted there too",
                mend: "map \(rival) and \(source) to two places"
            )
        }
        return nil
    }

    private static func explicitMend(_ location: ECRLocation) -> String {
        "name another --target-repository or --target-tag, or delete the image in \(location.repository) first"
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
