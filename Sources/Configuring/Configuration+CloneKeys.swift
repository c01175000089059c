import Definitions
import Model

extension Configuration {
    static let cloneKeys = Key("clone", \Self.clone, Clone(), check: Clone.check) {
        Key("concurrency", \.concurrency, .integer(1...64)).saying("Images at work at one time.")
        Key("platforms", \.platforms, .list(of: .platformOrAll, ["minItems": 1, "uniqueItems": true]))
            .saying(
                "Platforms that are copied; [\"all\"] keeps the whole index. HealthOmics runs linux/amd64 alone.",
                "Images pinned by the digest of an index, and copies below a pull-through prefix, always keep the",
                "whole."
            )
        Key("destination", \.destination, .text("a repository name with placeholders"))
            .saying(
                "Where an image goes that no map and no pull-through rule places, with unmapped: clone.",
                "{registryAlias} is docker-hub, quay, ecr-public, ghcr or the host's name."
            )
        Key("certainty", \.certainty, .list(of: .choice(of: [.certain, .alternative])))
            .saying(
                "Which mentions are cloned: certain, and alternative (one of several values that the run decides)."
            )
        Key("unmapped", \.unmapped, .choice)
            .saying(
                "An image that its workflow's registry map does not reach: report it as blocked with the mapping to",
                "add, or clone it as well."
            )
        Key("onTagMove", \.onTagMove, .choice)
            .saying(
                "An upstream tag has moved, or ECR holds another image than it names: report it and leave ECR alone;",
                "clone it, the tag takes the new digest; keep, the same and the old digest stays under",
                "TAG-preclone-DIGEST."
            )
        Key("refreshTagsEvery", \.refreshTagsEvery, .duration(.seconds(60), .years(1)))
            .saying("Between two looks at a tag that active workflows use.")
        Key("referrers", \.referrers, .choice)
            .saying(
                "all: signatures, SBOMs and attestations come with their image, by the referrers API and by cosign's tags,",
                "so that a verifier finds them in ECR. One request more for each manifest that is copied, and one for",
                "each repository. What refers to an index does not come where one platform of it is copied alone, and",
                "that is said."
            )
        Key("stallTimeout", \.stallTimeout, .duration(.seconds(1), .hours(1)))
            .saying("A peer that sends nothing for this long counts as cut off.")
        Key("drain", \.drain, .duration(.zero, .hours(1)))
            .saying("How long running clones may go on when the service stops; what is cut goes on after the restart.")
        Key("maxBytesPerDay", \.maxBytesPerDay, .nullable(.size("500GB")))
            .saying("Above this many bytes in a day an image waits, unless a run needs it now; null: no limit.")
        Key("repository", \.repository, Clone.Repository(), check: Clone.Repository.check) {
            Key("mutability", \.mutability, .choice)
                .saying("Whether tags may move. Pull-through refresh needs MUTABLE.")
            Key("mutabilityExclusions", \.mutabilityExclusions, .list(of: .tagFilter, ["maxItems": 5]))
                .saying("Tag filters, with * for any text, that are exempt; at most 5.")
            Key("kmsKey", \.kmsKey, .nullable(.text("a KMS key's ARN, id or alias")))
                .saying("A KMS key for encryption; null: AES-256.")
            Key("tags", \.tags, .tags).saying("Tags of created repositories.")
        }
        .saying(
            "How repositories are created that do not exist. A repository creation template of the account goes",
            "before."
        )
    }
    .saying("What is cloned, where to and how.")
}

extension Configuration.Clone {
    /// What `clone.destination` may hold in braces.
    package static let placeholders = ["registryAlias", "repository"]

    fileprivate static func check(_ clone: Self, _ said: Said) {
        if let mistake = mistake(inPlatforms: clone.platforms) { said.complain("platforms", mistake) }
        if let mistake = mistake(inDestination: clone.destination) { said.complain("destination", mistake) }
    }

    private static func mistake(inPlatforms platforms: [String]) -> String? {
        if platforms.isEmpty { return "name at least \"linux/amd64\"" }
        if platforms.contains("all") { return platforms.count == 1 ? nil : "\"all\" stands alone; remove the others" }
        if !platforms.contains("linux/amd64") {
            return "\"linux/amd64\" must be among them; HealthOmics runs nothing else"
        }
        return platforms.count == Set(platforms).count ? nil : "a platform stands there twice"
    }

    private static func mistake(inDestination text: String) -> String? {
        let names = placeholders.map { "{\($0)}" }
        let rest = names.reduce(text) { $0.replacing($1, with: "x") }
        let repository: Pattern = "^[a-z0-9._-]+(/[a-z0-9._-]+)*$"
        if rest.contains("{") || rest.contains("}") {
            return "unknown placeholder in \"\(text)\"; there are \(names.joined(separator: " and "))"
        }
        if !names.allSatisfy(text.contains) {
            return "it must hold both \(names.joined(separator: " and ")), else two images could share a destination"
        }
        if repository.isFound(in: rest) { return nil }
        return "ECR allows lower-case letters, digits and . _ - / between names, not \"\(text)\""
    }
}

extension Configuration.Clone.Repository {
    fileprivate static func check(_ repository: Self, _ said: Said) {
        let (filters, tags) = (repository.mutabilityExclusions.count, repository.tags.count)
        if filters > 5 { said.complain("mutabilityExclusions", "ECR takes at most 5 filters, found \(filters)") }
        if tags > 50 { said.complain("tags", "ECR takes at most 50 tags, found \(tags)") }
    }
}

extension ValueKind where Value == String {
    /// `os/architecture` with an optional variant, or `all`.
    fileprivate static var platformOrAll: ValueKind {
        text("a platform such as \"linux/amd64\", or \"all\"", "^(all|[a-z0-9._-]+(/[a-z0-9._-]+){1,2})$")
    }

    fileprivate static var tagFilter: ValueKind {
        text("a tag filter such as \"latest*\"", "^[A-Za-z0-9._*-]{1,128}$") { text in text.count { $0 == "*" } <= 2 }
    }
}

extension ValueKind where Value == [String: String] {
    /// A repository's tags; a value may be empty.
    fileprivate static var tags: ValueKind {
        let value = ValueKind<String>.text(
            "a string of at most 256 characters",
            ["type": "string", "maxLength": 256],
            nil,
            \.self
        ) { $0.count <= 256 ? $0 : nil }
        return .map(of: value, ["maxProperties": 50]) { name in
            (1...128).contains(name.count) && !name.lowercased().hasPrefix("aws:")
                ? nil : "a tag's key has 1 to 128 characters and does not begin with aws:"
        }
    }
}
