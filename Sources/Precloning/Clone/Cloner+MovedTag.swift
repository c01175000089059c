import Configuring
import Model
import Names
import Remotes

extension Cloner {
    /// With `clone.onTagMove: keep`, what the tag holds now stays under `TAG-preclone-<12 hex>` before the tag moves on.
    func keepOldDigest(_ holding: ECRHolding, _ destination: Destination, _ attempt: CloneAttempt) async throws {
        guard settings.current.clone.onTagMove == .keep, let old = holding.digest, let tag = destination.location.tag
        else { return }
        let suffix = "-preclone-\(old.short)"
        // A tag has at most 128 characters.
        let kept = tag.prefix(128 - suffix.count) + suffix
        let ours = try await registries.client(for: destination.location.registry)
        let repository = destination.location.repository
        let manifest = try await ours.getManifest(repository, .digest(old))
        let requestID = try await ours.putManifest(repository, .tag(String(kept)), manifest)
        let now = timeline.now()
        try record.sawDigest(
            source: attempt.image.source,
            location: attempt.image.destination,
            digest: old.description,
            note: "kept as \(kept)",
            now: now
        )
        var entry = AuditEntry(.imagePushed, caller: attempt.caller, at: now)
        entry.source = attempt.image.source
        entry.destination = attempt.image.destination
        entry.after = old.description
        entry.requestID = requestID
        entry.detail = "kept as \(kept)"
        try record.audit(entry)
    }
}
