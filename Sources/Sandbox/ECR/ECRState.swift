import Foundation

/// What the account's private registry holds.
struct ECRState: Sendable {
    struct Image: Sendable {
        var manifest: StoredManifest
        var pushedAt: Date
        var lastPulledAt: Date?
        /// `ACTIVE`, `ARCHIVED` or `ACTIVATING`.
        var status = "ACTIVE"
        var archivedAt: Date?
        var activatedAt: Date?
    }

    /// A blob of a repository and whether it has arrived.
    struct Layer: Sendable {
        var size: Int64
        var mediaType: String
        /// When an import is over; nil: it is here.
        var arrives: Date?
        /// BatchCheckLayerAvailability calls that still answer UNAVAILABLE.
        var pollsLeft = 0
        /// It comes only when it is asked for.
        var onlyOnRequest = false

        func isHere(_ now: Date) -> Bool {
            !onlyOnRequest && pollsLeft <= 0 && (arrives.map { $0 <= now } ?? true)
        }
    }

    struct Repository: Sendable {
        var name: String
        var createdAt: Date
        var mutability = "MUTABLE"
        var exclusions: [SandboxJSON] = []
        var scanOnPush = false
        var encryption: SandboxJSON = ["encryptionType": "AES256"]
        var resourceTags: [String: String] = [:]
        var policy: String?
        var images: [String: Image] = [:]
        var tags: [String: String] = [:]
        var layers: [String: Layer] = [:]
        /// Whether a pull through the cache made it.
        var isPulledThrough = false
        /// When each tag was last compared with the upstream.
        var checked: [String: Date] = [:]

        func image(_ reference: String) -> Image? { images[tags[reference] ?? reference] }

        func tags(of digest: String) -> [String] { tags.filter { $0.value == digest }.keys.sorted() }

        /// Whether an existing tag may be moved to another image.
        func mayMove(_ tag: String) -> Bool {
            let isExcluded = exclusions.contains { rule in
                rule["filter"]?.string.map { Wildcard.matches($0, tag) } ?? false
            }
            return switch mutability {
            case "IMMUTABLE": false
            case "IMMUTABLE_WITH_EXCLUSION": isExcluded
            case "MUTABLE_WITH_EXCLUSION": !isExcluded
            default: true
            }
        }
    }

    struct Rule: Sendable {
        /// Without a trailing slash, or `ROOT`.
        var prefix: String
        var upstreamURL: String
        var upstreamRegistry: String
        /// `ROOT` or a path prefix.
        var upstreamPrefix: String
        var credentialARN: String?
        var customRoleARN: String?
        var createdAt: Date

        /// The upstream's repository for one of ours; nil when the rule does not reach it.
        func upstreamRepository(_ repository: String) -> String? {
            let rest: String
            if prefix == "ROOT" {
                rest = repository
            } else if repository.hasPrefix(prefix + "/") {
                rest = String(repository.dropFirst(prefix.utf8.count + 1))
            } else {
                return nil
            }
            return upstreamPrefix == "ROOT" ? rest : "\(upstreamPrefix)/\(rest)"
        }
    }

    var repositories: [String: Repository] = [:]
    var rules: [Rule] = []
    /// By prefix, as the API shows them.
    var templates: [String: SandboxJSON] = [:]
    var registryPolicy: String?
    var settings = [
        "BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "DISABLED", "REGISTRY_POLICY_SCOPE": "V2",
    ]
    var uploads: [String: UploadSession] = [:]
    /// Passwords given out by GetAuthorizationToken, and when they end.
    var passwords: [String: Date] = [:]
    /// A PATCH ends the upload with 201 and the closing PUT is refused.
    var patchEndsUpload = false
    var pullThrough = PullThroughSettings()

    /// The rule for a repository: the longest prefix wins.
    func rule(for repository: String) -> Rule? {
        rules.filter { $0.upstreamRepository(repository) != nil }
            .max { Self.weight($0.prefix) < Self.weight($1.prefix) }
    }

    /// The creation template for a new repository: the longest prefix, else ROOT.
    func template(for repository: String, use: String) -> SandboxJSON? {
        let candidates = templates.filter { prefix, template in
            (template["appliedFor"]?.strings ?? []).contains(use)
                && (prefix == "ROOT" || repository.hasPrefix(prefix + "/") || repository == prefix)
        }
        return candidates.max { Self.weight($0.key) < Self.weight($1.key) }?.value
    }

    /// Longer prefixes win; ROOT is the shortest of all.
    private static func weight(_ prefix: String) -> Int { prefix == "ROOT" ? 0 : prefix.utf8.count }
}

/// `*` stands for any run of characters.
enum Wildcard {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1 else { return pattern == text }
        guard let first = parts.first, let last = parts.last, text.hasPrefix(first) else { return false }
        var rest = text.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.range(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}

/// Names as ECR accepts them.
enum ECRName {
    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/…)*`, 2 to 256 characters.
    static func isRepository(_ name: String) -> Bool {
        guard (2...256).contains(name.utf8.count) else { return false }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { component in
            component.wholeMatch(of: /[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*/) != nil
        }
    }

    static func isTag(_ tag: String) -> Bool {
        tag.wholeMatch(of: /[A-Za-z0-9_][A-Za-z0-9._-]{0,127}/) != nil
    }
}
