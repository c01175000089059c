package import Foundation
import Model
package import Remotes

/// A lifecycle policy that lets go of some tags of one repository, and can let go of nothing else.
///
/// Source: the lifecycle policies of the Amazon ECR user guide: a rule on one tag selects the images that have it, and an
/// image that is let go loses all its tags; a policy has 50 rules; those that a held index names stay.
package struct LifecycleProposal: Sendable, Hashable {
    /// Most rules that a policy may have.
    static let mostRules = 50

    /// What is let go.
    package private(set) var tags: [String] = []
    /// Why others stay, by tag.
    package private(set) var kept: [String: String] = [:]
    /// Of the rules: images younger than that stay, also those that are pushed again later.
    private let days: Int

    /// - Parameters:
    ///   - unused: tags that nobody wants, with the digest the record has for them; the most worth first.
    ///   - held: what ECR says of these digests now.
    ///   - needed: digests of the repository that somebody wants.
    ///   - since: from when on nothing was used.
    package init(
        unused: [(tag: String, digest: String?)],
        held: [ImageDetail],
        needed: Set<String>,
        since: Date,
        now: Date
    ) {
        days = max(1, Int((now.timeIntervalSince(since) / 86_400).rounded(.down)))
        let details = Dictionary(held.compactMap { detail in detail.imageDigest.map { ($0, detail) } }) { first, _ in
            first
        }
        let names = Set(unused.map(\.tag))
        for (tag, digest) in unused {
            if let reason = Self.reason(
                tag,
                digest,
                details,
                names,
                needed,
                oldest: now.addingTimeInterval(-86_400 * Double(days))
            ) {
                kept[tag] = reason
            } else if tags.count == Self.mostRules {
                kept[tag] = "a lifecycle policy has room for \(Self.mostRules) rules"
            } else {
                tags.append(tag)
            }
        }
    }

    private static func reason(
        _ tag: String,
        _ digest: String?,
        _ details: [String: ImageDetail],
        _ names: Set<String>,
        _ needed: Set<String>,
        oldest: Date
    ) -> String? {
        guard let digest, let detail = details[digest] else { return "ECR no longer holds what the record has for it" }
        let held = detail.imageTags ?? []
        guard held.contains(tag) else { return "ECR holds another image under this tag" }
        if needed.contains(digest) { return "the same image is wanted under another name" }
        if let other = held.filter({ !names.contains($0) }).sorted().first {
            return "the same image has the tag `\(other)` too"
        }
        guard let pushed = detail.imagePushedAt else { return "ECR does not say when it was pushed" }
        return pushed < oldest ? nil : "it was pushed not long ago"
    }

    /// The policy's text; nil where nothing can be let go.
    package var text: String? {
        guard !tags.isEmpty else { return nil }
        struct Text: Encodable { var rules: [Rule] }
        struct Rule: Encodable {
            var rulePriority: Int
            var description: String
            var selection: Selection
            var action = ["type": "expire"]
        }
        struct Selection: Encodable {
            var tagStatus = "tagged"
            var tagPatternList: [String]
            var countType = "sinceImagePushed"
            var countUnit = "days"
            var countNumber: Int
        }
        let rules = tags.enumerated().map { index, tag in
            Rule(
                rulePriority: index + 1,
                description: "preclone unused: \(tag)",
                selection: Selection(tagPatternList: [tag], countNumber: days)
            )
        }
        return try? ReportJSON.text(Text(rules: rules), pretty: false)
    }
}
