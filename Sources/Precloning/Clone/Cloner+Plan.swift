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
    }

    func plan(_ image: ImageRecord) async -> Planned {
        do {
            let (destination, route, rule) = try await route(image, caller: "plan")
            var planned = Planned(route: route.name, rule: rule)
            switch route {
            case .present, .pullThrough: planned.bytes = 0
            case .copy(_, let why):
                planned.why = why
                guard let found = try await freeFacts(of: destination) else { break }
                let platforms = found.platforms.compactMap(Platform.init)
                guard platforms.isEmpty || platforms.contains(where: Platform.linuxAMD64.accepts) else {
                    let names = found.platforms.joined(separator: ", ")
                    planned.route = "refused"
                    planned.why = "it has \(names) and not linux/amd64; \(CloneFailure.platformMend)"
                    break
                }
                planned.bytes = found.size
            case .later(_, let why): planned.why = why
            case .refused(let refusal):
                planned.rule = refusal.rule ?? rule
                planned.why = "\(refusal.reason); \(refusal.mend)"
            }
            return planned
        } catch {
            let failure = CloneFailure(error)
            return Planned(route: "refused", why: "\(failure.message); \(failure.mend)")
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
