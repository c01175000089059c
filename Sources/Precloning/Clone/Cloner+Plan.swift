import Foundation
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
                planned.bytes = try await bytes(of: destination)
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

    private func bytes(of destination: Destination) async throws -> Int64? {
        guard let source = destination.source,
            settings.current.registries.settings(for: source.registry).quota == nil
        else { return nil }
        let client = try await registries.client(for: source.registry)
        let reference: ManifestReference = source.digest.map { .digest($0) } ?? .tag(source.tag ?? "latest")
        var document = try await client.getManifest(source.repository, reference)
        if case .index(let index) = document.content,
            let child = index.images.first(where: { $0.platform.map(Platform.linuxAMD64.accepts) ?? false })
        {
            document = try await client.getManifest(source.repository, .digest(child.digest))
        }
        guard case .image(let manifest) = document.content else { return nil }
        return manifest.blobs.reduce(0) { $0 + $1.size }
    }
}
