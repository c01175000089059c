import Foundation

/// What ECR holds under a name, looked at from inside: no request is counted.
package struct PrivateHolding: Sendable, Hashable {
    /// Of what the tag points at.
    package var digest: String
    /// Of its linux/amd64 manifest: the same, or a child's; nil where an index has none, or ECR lacks it.
    package var platformDigest: String?
    package var isActive: Bool
    /// Blobs of the linux/amd64 manifest that are not there, or not yet.
    package var missing: [String]
}

extension Sandbox {
    /// - Returns: nil when the repository or the tag is not there.
    package func holding(_ repository: String, _ reference: String) -> PrivateHolding? {
        world.with { state in
            guard let entry = state.ecr.repositories[repository], let root = entry.image(reference) else { return nil }
            var manifest: StoredManifest? = root.manifest
            if ManifestType.isIndex(root.manifest.mediaType) {
                let digest = Self.amd64(in: root.manifest)
                manifest = digest.flatMap { entry.images[$0]?.manifest }
            }
            let now = state.now
            let blobs = manifest?.blobs ?? []
            return PrivateHolding(
                digest: root.manifest.digest,
                platformDigest: manifest?.digest,
                isActive: root.status == "ACTIVE",
                missing: blobs.map(\.digest).filter { entry.layers[$0]?.isHere(now) != true }
            )
        }
    }

    private static func amd64(in index: StoredManifest) -> String? {
        let entries = (try? SandboxJSON(json: Data(index.bytes)))?["manifests"]?.array ?? []
        return entries.first { $0["platform"]?["architecture"] == "amd64" && $0["platform"]?["os"] == "linux" }?[
            "digest"
        ]?
        .string
    }

    /// Whether a repository has a blob, whole.
    package func hasLayer(_ digest: String, repository: String) -> Bool {
        world.with { state in
            let now = state.now
            return state.ecr.repositories[repository]?.layers[digest]?.isHere(now) == true
        }
    }

    /// A repository's policy; nil when it has none, or there is no such repository.
    package func policy(of repository: String) -> String? {
        world.with { $0.ecr.repositories[repository]?.policy }
    }

    /// The digest that a tag has upstream; nil when it is not there.
    package func upstreamDigest(_ registry: String, _ repository: String, _ tag: String) -> String? {
        world.with { $0.upstreams[registry]?.manifest(repository, tag)?.digest }
    }

    /// Takes a tag away from a registry.
    package func removeUpstream(_ registry: String, _ repository: String, _ tag: String) {
        world.with { $0.upstreams[registry]?.repositories[repository]?.tags[tag] = nil }
    }
}

extension Sandbox {
    /// The ids of a batch's runs, in their order.
    package func runs(ofBatch id: String) -> [String] {
        world.with { $0.omics.batches[id]?.runs.map(\.runID) ?? [] }
    }

    /// The next lists of runs leave one out, as HealthOmics has been seen to do.
    package func hideRun(_ id: String, lists: Int) { world.with { $0.omics.hidden[id] = lists } }
}
