import Configuring
import Foundation
import Model
import Names
import Remotes

extension Cloner {
    /// What an attempt would do, without doing it.
    struct Planned: Sendable {
        var route: String
        var rule: String?
        var why: String?
        /// Bytes that would be moved by us; 0 where ECR moves them, nil where finding out would cost a counted pull.
        var bytes: Int64?
        /// Of `later`: when, and the route it would take then.
        var until: Date?
        var then: String?
    }

    func plan(_ image: ImageRecord) async -> Planned {
        do {
            let found = try await facts(image, caller: Self.planner)
            let destination = found.destination
            let route = Planner.route(destination, facts: found.facts, urgency: image.urgency)
            var planned = Planned(route: route.name, rule: found.decision?.rule)
            switch route {
            case .present, .pullThrough: planned.bytes = 0
            case .copy(_, let why):
                planned.why = why
                if let until = try await quotaIsBack(for: destination) { return Self.later(planned, until) }
                guard let facts = try await freeFacts(of: destination) else { break }
                let platforms = facts.platforms.compactMap(Platform.init)
                guard platforms.isEmpty || platforms.contains(where: Platform.linuxAMD64.accepts) else {
                    let names = facts.platforms.joined(separator: ", ")
                    planned.route = "refused"
                    planned.why = "it has \(names) and not linux/amd64; \(CloneFailure.platformMend)"
                    return planned
                }
                planned.bytes = facts.size
                if let left = try await referrersLeft(behind: destination) {
                    planned.why = [planned.why, left].compactMap(\.self).joined(separator: "; ")
                }
            case .later(let until, let why):
                planned.why = why
                planned.until = until
                planned.then = Planner.route(destination, facts: found.facts.unhindered, urgency: .run).name
            case .refused(let refusal):
                planned.rule = refusal.rule ?? planned.rule
                planned.why = "\(refusal.reason); \(refusal.mend)"
            }
            return planned
        } catch {
            let failure = CloneFailure(error)
            guard failure.isPermanent else {
                let until = failure.retryAfter.map { timeline.now().addingTimeInterval($0.seconds) }
                return Planned(route: "later", why: failure.message, until: until)
            }
            return Planned(route: "refused", why: "\(failure.message); \(failure.mend)")
        }
    }

    private static func later(_ planned: Planned, _ until: Date) -> Planned {
        var planned = planned
        planned.then = planned.route
        planned.route = "later"
        planned.why = "too few pulls are left of its registry's quota"
        planned.until = until
        return planned
    }

    /// When the registry of an image allows the pull that a copy needs; nil: now.
    private func quotaIsBack(for destination: Destination) async throws -> Date? {
        guard let source = destination.source, let budget = registries.budget else { return nil }
        do {
            await budget.release(try await budget.reserve(registry: source.registry))
            return nil
        } catch let error as RegistryError where error.kind == .quotaExhausted {
            return timeline.now().addingTimeInterval(error.retryAfter?.seconds ?? 0)
        }
    }

    /// What an image is; nil where reading it would cost a counted pull.
    private func freeFacts(of destination: Destination) async throws -> ImageFacts? {
        guard let source = destination.source,
            settings.current.registries.settings(for: source.registry).quota == nil
        else { return nil }
        return try await facts(of: source)
    }
}
