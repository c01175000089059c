package import Foundation
import Names

/// What `preclone clone` says of one image: the fields of the tool it replaces, and ours beside them.
package struct CloneResult: Codable, Sendable, Equatable {
    package var success: Bool
    package var sourceImage: String
    package var sourceRegistry: String
    package var sourceDigest: String?
    package var ecrURI: String?
    package var ecrDigest: String?
    package var repositoryCreated: Bool
    package var usedPullThroughCache: Bool
    /// Builds are not used; the field is there for readers of the older tool's output.
    package var usedCodeBuild: Bool
    package var pullThroughCachePrefix: String?
    package var healthOmicsAccessible: HealthOmicsAccess
    package var message: String
    package var state: ImageState
    package var route: String?
    package var bytes: Int64?
    /// How often it was tried since it was asked for.
    package var attempts: Int
    package var elapsedMilliseconds: Int64
    /// When it is tried again, for an image that waits.
    package var due: Date?

    package enum CodingKeys: String, CodingKey {
        case success
        case sourceImage = "source_image"
        case sourceRegistry = "source_registry"
        case sourceDigest = "source_digest"
        case ecrURI = "ecr_uri"
        case ecrDigest = "ecr_digest"
        case repositoryCreated = "repository_created"
        case usedPullThroughCache = "used_pull_through_cache"
        case usedCodeBuild = "used_codebuild"
        case pullThroughCachePrefix = "pull_through_cache_prefix"
        case healthOmicsAccessible = "healthomics_accessible"
        case message, state, route, bytes, attempts, due
        case elapsedMilliseconds = "elapsed_ms"
    }

    /// From the image's row.
    package init(_ image: ImageRecord, asked: String, repositoryCreated: Bool, attempts: Int, elapsed: Int64) {
        success = image.state == .ready
        sourceImage = asked
        sourceRegistry = image.registry
        sourceDigest = image.sourceDigest
        ecrURI = image.destination.isEmpty ? nil : image.destination
        ecrDigest = image.ecrDigest
        self.repositoryCreated = repositoryCreated
        usedPullThroughCache = image.route == "pullThrough"
        usedCodeBuild = false
        pullThroughCachePrefix = image.route == "pullThrough" ? image.routeDetail : nil
        healthOmicsAccessible = image.access
        state = image.state
        route = image.route
        bytes = image.bytes
        self.attempts = attempts
        elapsedMilliseconds = elapsed
        due = image.state == .ready ? nil : image.dueAt.map(Date.init(milliseconds:))
        message = [image.reason, image.mend].compactMap(\.self).joined(separator: "; ")
        if success, message.isEmpty { message = Self.plain(ecrURI) }
    }

    private static func plain(_ destination: String?) -> String { "\(destination ?? "") is ready" }

    /// What is to be said of an image that is ready: how it came there, what came with it, what stayed behind.
    package var remark: String? { success && message != Self.plain(ecrURI) ? message : nil }

    /// For a request that nobody has looked at yet.
    package init(waiting asked: String, elapsed: Int64) {
        success = false
        sourceImage = asked
        sourceRegistry = (try? ImageReference(asked))?.registry ?? ""
        repositoryCreated = false
        usedPullThroughCache = false
        usedCodeBuild = false
        healthOmicsAccessible = .unknown
        state = .pending
        attempts = 0
        elapsedMilliseconds = elapsed
        message = "it has not begun yet"
    }

    /// For a name that never became an image.
    package init(refused asked: String, registry: String, _ refusal: Refusal, elapsed: Int64) {
        success = false
        sourceImage = asked
        sourceRegistry = registry
        repositoryCreated = false
        usedPullThroughCache = false
        usedCodeBuild = false
        healthOmicsAccessible = .unknown
        state = .blocked
        route = "refused"
        attempts = 0
        elapsedMilliseconds = elapsed
        message = "\(refusal.reason); \(refusal.mend)"
    }

    /// Every field, also one without a value: readers find `null`, not a hole.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(success, forKey: .success)
        try container.encode(sourceImage, forKey: .sourceImage)
        try container.encode(sourceRegistry, forKey: .sourceRegistry)
        try container.encode(sourceDigest, forKey: .sourceDigest)
        try container.encode(ecrURI, forKey: .ecrURI)
        try container.encode(ecrDigest, forKey: .ecrDigest)
        try container.encode(repositoryCreated, forKey: .repositoryCreated)
        try container.encode(usedPullThroughCache, forKey: .usedPullThroughCache)
        try container.encode(usedCodeBuild, forKey: .usedCodeBuild)
        try container.encode(pullThroughCachePrefix, forKey: .pullThroughCachePrefix)
        try container.encode(healthOmicsAccessible, forKey: .healthOmicsAccessible)
        try container.encode(message, forKey: .message)
        try container.encode(state, forKey: .state)
        try container.encode(route, forKey: .route)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(attempts, forKey: .attempts)
        try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
        try container.encode(due, forKey: .due)
    }

    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.dateEncodingStrategy = .iso8601
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    package init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(CloneResult.self, from: Data(json.utf8))
    }
}
