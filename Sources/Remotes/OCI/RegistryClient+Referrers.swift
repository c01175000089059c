import Foundation
import NIOHTTP1
package import Names
import Synchronization

/// What refers to a manifest at a registry: a signature, a bill of materials, an attestation.
package struct Referrer: Hashable, Sendable {
    /// By its own digest, where its `subject` names the manifest; by a tag made of the manifest's digest, in cosign's
    /// scheme.
    package var reference: ManifestReference

    package init(_ reference: ManifestReference) { self.reference = reference }
}

/// What a registry says of the manifests that refer to one.
package enum ReferrerList: Hashable, Sendable {
    case offered([Referrer])
    /// It knows no such request: what refers to a manifest stands below a tag (distribution specification, "Referrers
    /// tag schema").
    case absent
    /// It does not tell us.
    case refused
}

extension RegistryClient {
    /// What refers to one image at most; more is left out.
    static let maximumReferrers = 256

    /// What the registry's referrers request says of a manifest, page by page.
    ///
    /// - Throws: `RegistryError` for what may be different in a minute; `CancellationError`.
    package func listReferrers(of digest: Digest, in repository: String) async throws -> ReferrerList {
        guard !referrers.isAbsent(at: timeline.elapsed()) else { return .absent }
        var found: [Referrer] = []
        var pages = 0
        var next: WebAddress? = address(repository, "referrers/\(digest)")
        while let page = next, pages < Self.longestList, found.count < Self.maximumReferrers {
            do {
                let (items, rest) = try await referrersPage(page, of: digest, in: repository)
                found += items
                next = rest
                pages += 1
            } catch let error as RegistryError where pages == 0 && error.isNoOffer {
                guard error.isNoSuchRequest else { return .refused }
                // A page, or a word about the image, says nothing of the registry.
                if error.kind != .serverFault, !error.codes.contains(where: { $0.hasSuffix("_UNKNOWN") }) {
                    referrers.noteAbsence(at: timeline.elapsed())
                }
                return .absent
            }
        }
        return .offered(Array(found.prefix(Self.maximumReferrers)))
    }

    /// Pages of a list that are read.
    private static let longestList = 20

    private func referrersPage(
        _ page: WebAddress,
        of digest: Digest,
        in repository: String
    ) async throws -> ([Referrer], WebAddress?) {
        var request = RegistryRequest(
            method: .GET,
            address: page,
            kind: .blob,
            scope: RegistryScope(repository: repository, access: .pull),
            headers: ["accept": MediaType.ociIndex.rawValue],
            what: "listing what refers to \(digest.short) in \(repository)"
        )
        request.attempts = 1
        struct Answer: Decodable {
            struct Item: Decodable {
                var mediaType: String?
                var digest: String?
            }
            var manifests: [Item]?
        }
        let (bytes, link) = try await insistent { [request] in
            try await perform(request, accepting: [200]) { answer in
                (
                    try await answer.bytes(atMost: ManifestDocument.maximumBytes, host: host),
                    answer.header("link").flatMap { Self.next($0, from: page) }
                )
            }
        }
        guard JSONBounds.holds(bytes), let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
            throw RegistryError(.brokenAnswer, host: host, detail: "\(request.what): the answer cannot be read")
        }
        let items = (answer.manifests ?? []).compactMap { item -> Referrer? in
            let type = MediaType(rawValue: item.mediaType ?? "")
            guard type.isManifest || type.isIndex || type.rawValue.isEmpty else { return nil }
            return item.digest.flatMap { try? Digest($0) }.map { Referrer(.digest($0)) }
        }
        return (items, link)
    }

    /// Tries again what may be different in seconds, but for an answer that says that there is nothing of the kind.
    private func insistent<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await retrying(isWorthIt: { $0.isWorthRepeating(after: $1) && !$0.isNoOffer }, body)
    }

    /// The address of the next page, where a `Link` header (RFC 8288) names one of the same origin.
    static func next(_ link: String, from page: WebAddress) -> WebAddress? {
        for item in link.split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            guard let target = parts.first, target.hasPrefix("<"), target.hasSuffix(">"),
                parts.dropFirst().contains(where: { $0 == #"rel="next""# || $0 == "rel=next" }),
                let address = page.resolving(String(target.dropFirst().dropLast())), address.origin == page.origin
            else { continue }
            return address
        }
        return nil
    }

    /// The tags of a repository that are made of this digest: the one of the referrers tag schema, and cosign's. One
    /// request for all images of a repository, as long as that is remembered; three more where it does not list its tags.
    ///
    /// - Parameter budget: counts the GETs where looking by HEAD is refused.
    /// - Throws: `RegistryError` for what may be different in a minute; `CancellationError`.
    func referrerTags(
        of digest: Digest,
        in repository: String,
        budget: (any PullBudget)?
    ) async throws -> [String] {
        let base = digest.tag
        if let all = try await referrerTags(of: repository) {
            return all.filter { $0 == base || $0.hasPrefix(base + ".") }.sorted()
        }
        var found: [String] = []
        for tag in [base, base + ".att", base + ".sbom", base + ".sig"]
        where try await self.digest(of: .tag(tag), in: repository, budget: budget) != nil {
            found.append(tag)
        }
        return found
    }

    /// All tags that begin like a digest; nil where that cannot be had.
    private func referrerTags(of repository: String) async throws -> Set<String>? {
        if let known = referrers.tags(of: repository, at: timeline.elapsed()) { return known.all }
        var own: Set<String>?
        do {
            let list = try await insistent {
                // All algorithms are called so.
                try await tags(of: repository, attempts: 1, pages: 3, beginningWith: "sha")
            }
            if list.isWhole {
                own = Set(
                    list.tags.filter { tag in Digest.Algorithm.allCases.contains { tag.hasPrefix($0.rawValue + "-") } }
                )
            }
        } catch let error as RegistryError
            where error.isNoOffer || error.kind == .brokenAnswer || error.kind == .tooLarge
        {}
        referrers.note(own, of: repository, at: timeline.elapsed())
        return own
    }
}

extension Digest {
    /// The tag that stands for it (distribution specification, "Referrers tag schema"; cosign's specification).
    var tag: String { "\(algorithm.rawValue.prefix(32))-\(encoded.prefix(64))" }
}

extension RegistryError {
    /// Whether it says that a request is not offered, or not to us, rather than that it failed.
    fileprivate var isNoOffer: Bool {
        guard let status, kind != .quotaExhausted else { return false }
        return (400..<500).contains(status) && ![408, 425, 429].contains(status) || status == 501
    }

    /// Whether it says that there is no such request.
    fileprivate var isNoSuchRequest: Bool { status.map([400, 404, 405, 406, 410, 501].contains) ?? false }
}

/// What is known of how a registry tells of referrers, for a while.
final class ReferrerKnowledge: Sendable {
    private struct State {
        var absentUntil: Duration?
        /// nil: they cannot be had.
        var tags: [String: (all: Set<String>?, until: Duration)] = [:]
        var count = 0
    }

    private static let absence = Duration.seconds(3600)
    /// Who signs an image does so soon after it was pushed.
    private static let lifetime = Duration.seconds(300)
    /// Tags and repositories that are kept; what is forgotten costs a request.
    private static let capacity = 20_000

    private let state = Mutex(State())

    func isAbsent(at now: Duration) -> Bool { state.withLock { state in state.absentUntil.map { now < $0 } ?? false } }

    func noteAbsence(at now: Duration) { state.withLock { $0.absentUntil = now + Self.absence } }

    func tags(of repository: String, at now: Duration) -> (all: Set<String>?, until: Duration)? {
        state.withLock { state in state.tags[repository].flatMap { now < $0.until ? $0 : nil } }
    }

    func note(_ tags: Set<String>?, of repository: String, at now: Duration) {
        state.withLock { state in
            if state.count > Self.capacity {
                state.tags = [:]
                state.count = 0
            }
            state.tags[repository] = (tags, now + Self.lifetime)
            state.count += 1 + (tags?.count ?? 0)
        }
    }
}
