import Foundation
import NIOHTTP1
import Names

extension RegistryClient {
    /// Tags of a repository, and whether these are all that were wanted.
    struct TagList: Sendable {
        var tags: [String]
        var isWhole: Bool
    }

    /// The tags of a repository, from the first pages of the registry's list, a thousand on each.
    ///
    /// - Parameter prefix: tags that begin otherwise are not wanted: where the first page does not come so far, the next one
    ///   begins there (`last` of the distribution specification).
    /// - Throws: `RegistryError`, `CancellationError`.
    func tags(
        of repository: String,
        attempts: Int,
        pages: Int,
        beginningWith prefix: String = ""
    ) async throws -> TagList {
        let first = address(repository, "tags/list?n=1000")
        var list = TagList(tags: [], isWhole: false)
        var next: WebAddress? = first
        var isAhead = false
        for _ in 0..<pages {
            guard let page = next else { break }
            let (tags, rest) = try await tagPage(page, of: repository, attempts: attempts)
            // Not every registry knows `last`; an empty page proves nothing then.
            if isAhead, tags.isEmpty || zip([prefix] + tags, tags).contains(where: { $0 > $1 }) { break }
            list.tags += tags
            // Some do not tell of the rest.
            list.isWhole = rest == nil && tags.count < 1000 || isAhead && tags.last.map { $0 > prefix + "~" } == true
            if list.isWhole { break }
            next = rest
            if !isAhead, let last = tags.last, last < prefix {
                next = first.appending(query: "last", prefix)
                isAhead = true
            }
        }
        return list
    }

    private func tagPage(
        _ page: WebAddress,
        of repository: String,
        attempts: Int
    ) async throws -> ([String], WebAddress?) {
        let request = RegistryRequest(
            method: .GET,
            address: page,
            kind: .blob,
            scope: RegistryScope(repository: repository, access: .pull),
            attempts: attempts,
            what: "listing the tags of \(repository)"
        )
        let (bytes, rest) = try await perform(request, accepting: [200]) { answer in
            (
                try await answer.bytes(atMost: 1 << 20, host: host),
                answer.header("link").flatMap { Self.next($0, from: page) }
            )
        }
        struct Answer: Decodable { var tags: [String]? }
        guard JSONBounds.holds(bytes), let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
            throw RegistryError(.brokenAnswer, host: host, detail: "the list of tags of \(repository) cannot be read")
        }
        return ((answer.tags ?? []).filter { $0.utf8.count <= 128 }, rest)
    }

    /// The same refusal of Docker's schema 1 with what to use instead: a newer build of the same version where there is
    /// one, else how to convert it. Looking costs no pull.
    func advised(_ error: RegistryError, _ repository: String, _ reference: ManifestReference) async -> RegistryError {
        var error = error
        let named = "\(host)/\(repository)" + (reference.digest == nil ? ":" : "@") + "\(reference)"
        let convert =
            "convert it with `skopeo copy --format v2s2 docker://\(named) docker://DESTINATION` and use that"
        error.advice = "use a newer build of it, or \(convert)"
        guard case .tag(let tag) = reference, let all = try? await tags(of: repository, attempts: 2, pages: 1).tags
        else { return error }
        for candidate in OldTag(tag).newer(among: all).prefix(3) {
            guard let head = try? await headManifest(repository, .tag(candidate), isInsistent: false),
                let type = head.mediaType, !type.isSchema1, head.isCertain
            else { continue }
            let digest = head.digest.map { " (\($0))" } ?? ""
            error.advice = "use \(host)/\(repository):\(candidate)\(digest), or \(convert)"
            return error
        }
        return error
    }
}

extension RegistryError {
    /// Marks a refusal of Docker's schema 1 among `codes`.
    static let schema1 = "SCHEMA_1"

    var isSchema1: Bool { kind == .unsupported && codes.contains(Self.schema1) }
}

/// A tag whose image is too old, for finding others: `1.3.0--py35_0` is a build of version 1.3.0.
struct OldTag {
    private let tag: String
    private let version: Substring

    init(_ tag: String) {
        self.tag = tag
        version = tag.firstRange(of: "--").map { tag[..<$0.lowerBound] } ?? tag.prefix { $0 != "-" && $0 != "_" }
    }

    /// Other builds of the same version, the newest first, then later versions.
    func newer(among tags: [String]) -> [String] {
        let others = tags.filter { $0 != tag && !$0.hasPrefix("sha256-") }
        let same = others.filter { $0.hasPrefix(version) && !($0.dropFirst(version.count).first?.isNumber ?? false) }
        let later = others.filter { $0.first?.isNumber ?? false }
        func isAfter(_ one: String, _ other: String) -> Bool {
            one.compare(other, options: .numeric) == .orderedDescending
        }
        let builds = same.filter { isAfter($0, tag) }.sorted(by: isAfter)
        return builds + later.filter { !same.contains($0) && isAfter($0, tag) }.sorted { isAfter($1, $0) }
    }
}
