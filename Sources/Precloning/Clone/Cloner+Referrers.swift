import Configuring
import Model
import Names
package import Remotes

extension Cloner {
    /// With `clone.referrers: all`, brings signatures, bills of materials and attestations after an image that is ready. No
    /// run needs them: what is missing of them keeps none from beginning, and is looked for again.
    ///
    /// - Throws: `CancellationError`; what the record throws.
    func bringReferrers(
        _ attempt: inout CloneAttempt,
        _ destination: Destination,
        _ holding: ECRHolding
    ) async throws {
        guard settings.current.clone.referrers == .all, destination.isOurs, let source = destination.source,
            let digest = holding.digest
        else { return }
        // What the source named when this was cloned, now or before.
        let before = attempt.image.ecrDigest == digest.description ? attempt.image.sourceDigest : nil
        let index = attempt.sourceDigest ?? before.flatMap { try? Digest($0) }
        let found: ReferrerCopy.Outcome
        do {
            found = try await registries.bringReferrers(
                of: source,
                to: destination.location,
                digest: digest,
                index: source.digest == nil ? index : nil
            )
        } catch let error as RegistryError {
            attempt.remark(ReferrerWords.failed(error))
            attempt.isPartial = error.isWorthRetrying
            return
        }
        attempt.bytesMoved += found.bytesMoved
        for text in ReferrerWords.said(of: found, attestationsLeft: attempt.attestationsLeft) { attempt.remark(text) }
        attempt.isPartial = found.failure != nil
    }

    /// What `plan` says of signatures and attestations of an index of which one child would be copied; nil: nothing, or it
    /// is not known.
    func referrersLeft(behind destination: Destination) async throws -> String? {
        let platforms = settings.current.clone.platforms
        guard settings.current.clone.referrers == .all, let source = destination.source, source.digest == nil,
            destination.rule == nil, platforms.count == 1, platforms != ["all"]
        else { return nil }
        let client = try await registries.client(for: source.registry)
        let head = try await client.headManifest(source.repository, .tag(source.tag ?? "latest"))
        guard let index = head?.digest, head?.mediaType?.isIndex == true else { return nil }
        let count = try await registries.referrers(of: source, index).count
        return count > 0 ? ReferrerWords.left(count, wouldStay: true) : nil
    }
}

/// What is said of signatures, bills of materials and attestations.
package enum ReferrerWords {
    /// - Parameter whole: how to have the index whole.
    package static func said(
        of found: ReferrerCopy.Outcome,
        attestationsLeft: Int,
        whole: String = configured
    ) -> [String] {
        var said: [String] = []
        if found.brought > 0 { said.append("with \(count(found.brought))") }
        if found.leftBehind > 0 { said.append(left(found.leftBehind, wouldStay: false, whole)) }
        if attestationsLeft > 0 {
            said.append("\(count(attestationsLeft)) inside its index stayed behind: one platform alone was copied")
        }
        said += found.remarks.map { "of its signatures and attestations: \($0)" }
        if let failure = found.failure { said.append(failed(failure)) }
        return said
    }

    private static let configured = "clone.platforms [\"all\"] takes the index whole"

    static func left(_ number: Int, wouldStay: Bool, _ whole: String = configured) -> String {
        "\(count(number)) of its index \(wouldStay ? "would stay" : "stayed") behind: one platform alone "
            + "\(wouldStay ? "would be" : "was") copied, which a verifier does not know by the index's; \(whole)"
    }

    static func failed(_ error: RegistryError) -> String {
        "signatures and attestations could not all be brought: \(error)"
            + (error.isWorthRetrying ? "; it is tried again" : "; \(error.mend)")
    }

    private static func count(_ number: Int) -> String {
        number == 1 ? "1 signature or attestation" : "\(number) signatures or attestations"
    }
}
