import Foundation
import Model
import Names
import Remotes

extension Cloner {
    /// Finds out whether what is held is the source's image. The source is asked by HEAD, which costs no pull; its index
    /// is read, once, where what is held may be a child of it.
    ///
    /// What was cloned from there before, or found to be the same, is not asked about again: that tags move is the
    /// refresh's to see. Unless a person asks.
    ///
    /// - Parameters:
    ///   - isAsked: a person asks.
    ///   - mayRead: whether a manifest may be read, where that costs a pull; without, what is held is taken for the image.
    /// - Throws: `CloneFailure` when it cannot be told now, and never could.
    func compare(
        _ facts: inout RouteFacts,
        _ image: ImageRecord,
        _ destination: Destination,
        _ source: ImageReference,
        isAsked: Bool,
        mayRead: Bool
    ) async throws {
        // Where the place is named by digest, the mapping says what belongs there.
        guard let held = facts.holding.digest, destination.location.digest == nil else { return }
        facts.claims = try record.claims(of: image, at: destination.location, holding: held.description)
        // What is not whole is brought anyway, unless it is somebody else's.
        guard facts.holding.isComplete || facts.claims.isExplicit || facts.claims.holder != nil else { return }
        let isKnown = facts.claims.isOwn && source.digest == nil
        if isKnown, !facts.isMoved, !isAsked {
            facts.comparison = .known
            return
        }
        // Below a rule's prefix it is ECR that fetches from there, also where we cannot ask.
        let isTrusted = isKnown || (destination.rule != nil && source.digest == nil)
        guard facts.sourcePausedUntil == nil, mayRead else {
            if isTrusted || !mayRead { facts.comparison = .known }
            return
        }
        do {
            facts.comparison = try await comparison(of: facts.holding, with: source, isInsistent: !isTrusted)
        } catch let error as RegistryError where error.kind == .notFound || error.kind == .repositoryNotFound {
            facts.comparison = .gone
        } catch is RegistryError where isTrusted {
            facts.comparison = .known
        } catch let error as RegistryError {
            guard facts.holding.isComplete else { return }
            var failure = CloneFailure(error)
            failure.message =
                "\(destination.location) holds \(held); whether that is \(source) is not known: \(failure.message)"
            throw failure
        }
    }

    /// - Throws: `RegistryError`, `CancellationError`.
    private func comparison(
        of holding: ECRHolding,
        with source: ImageReference,
        isInsistent: Bool
    ) async throws -> Comparison {
        let ours = [holding.digest, holding.platformDigest].compactMap(\.self)
        var named = source.digest
        if named == nil {
            let client = try await registries.client(for: source.registry)
            let reference = ManifestReference.tag(source.tag ?? "latest")
            let head = try await client.headManifest(source.repository, reference, isInsistent: isInsistent)
            guard let head else { return .gone }
            if let digest = head.digest, !ours.contains(digest), head.mediaType?.isIndex == false {
                return .other(digest)
            }
            named = head.digest
        }
        if let named, ours.contains(named) { return .same(named) }
        let document = try await registries.manifest(of: source, named)
        if ours.contains(document.digest) { return .same(document.digest) }
        guard case .index(let index) = document.content, let child = index.image(for: .linuxAMD64)?.digest,
            ours.contains(child)
        else { return .other(document.digest) }
        return .same(document.digest)
    }

    /// Whether a digest that the source names is what is held of an image, as far as that can be told without a pull that
    /// somebody else may need more; nil where it cannot.
    func holds(_ named: Digest, _ image: ImageRecord, _ source: ImageReference) async -> Bool? {
        let ours = [image.ecrDigest, image.platformDigest].compactMap(\.self)
        if ours.contains(named.description) { return true }
        return await PullUrgency.$current.withValue(Urgency.refresh.rawValue) {
            guard let document = try? await registries.manifest(of: source, named) else { return nil }
            guard case .index(let index) = document.content, let child = index.image(for: .linuxAMD64)?.digest else {
                return false
            }
            return ours.contains(child.description)
        }
    }

    /// What the record is to keep of a comparison, and what is said of it.
    func note(_ attempt: inout CloneAttempt, _ facts: RouteFacts, _ destination: Destination) {
        guard let source = destination.source, source.digest == nil, let held = facts.holding.digest else { return }
        switch facts.comparison {
        case .same(let named):
            attempt.sourceDigest = named
            attempt.digestNote = facts.claims.isOwn ? nil : DigestNote.compared
        case .gone:
            attempt.note = "\(source) is not there any more; what ECR holds stays"
            attempt.forgetsSource = !facts.claims.isOwn
        case .other(let named):
            attempt.movedTo = named
            attempt.forgetsSource = !facts.claims.isOwn
            let follows =
                destination.rule != nil ? "ECR refreshes it within 24 h of a pull" : "clone.onTagMove leaves it"
            attempt.note = "\(destination.location) holds \(held); \(source) is \(named) now; \(follows)"
        case .known, nil: return
        }
    }
}
