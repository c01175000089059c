package import Foundation
package import Names

/// Names an image in a repository by tag, by digest, or both.
package struct ImageIdentifier: Codable, Sendable, Hashable {
    package var imageDigest: String?
    package var imageTag: String?

    package init(imageDigest: String? = nil, imageTag: String? = nil) {
        self.imageDigest = imageDigest
        self.imageTag = imageTag
    }
}

/// Whether an image can be pulled (ACTIVE) or lies in archive storage.
package struct ImageStatus: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let active = ImageStatus(rawValue: "ACTIVE")
}

/// One image of DescribeImages.
package struct ImageDetail: Codable, Sendable {
    package var imageDigest: String?
    package var imageTags: [String]?
    package var imageSizeInBytes: Int64?
    package var imagePushedAt: Date?
    package var imageManifestMediaType: String?
    package var imageStatus: ImageStatus?
}

/// BatchGetImage's answer.
package struct BatchGetImageResponse: Codable, Sendable {
    package struct Image: Codable, Sendable {
        package var imageId: ImageIdentifier?
        package var imageManifest: String?
        package var imageManifestMediaType: String?
    }

    package struct Failure: Codable, Sendable {
        package var imageId: ImageIdentifier?
        package var failureCode: String?
        package var failureReason: String?
    }

    package var images: [Image]?
    package var failures: [Failure]?
}

/// Whether ECR has a blob: AVAILABLE, UNAVAILABLE or ARCHIVED.
package struct LayerAvailability: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let available = LayerAvailability(rawValue: "AVAILABLE")
}

/// One blob of BatchCheckLayerAvailability.
package struct LayerState: Codable, Sendable {
    package var layerDigest: String?
    package var layerAvailability: LayerAvailability?
}

/// One repository of DescribeRepositories.
package struct ECRRepository: Codable, Sendable {
    package var repositoryName: String?
    package var repositoryArn: String?
    package var repositoryUri: String?
    package var registryId: String?
    package var imageTagMutability: String?
    package var createdAt: Date?
}

/// A pull-through cache rule, and when it was made and changed.
package struct DatedRule: Decodable, Sendable {
    package var rule: PullThroughCacheRule
    package var createdAt: Date?
    package var updatedAt: Date?

    private enum CodingKeys: String, CodingKey { case createdAt, updatedAt }

    package init(from decoder: any Decoder) throws {
        rule = try PullThroughCacheRule(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        createdAt = try container.decodeIfPresent(Date.self, forKey: .createdAt)
        updatedAt = try container.decodeIfPresent(Date.self, forKey: .updatedAt)
    }
}

/// What a repository is made with.
package struct CreateRepositoryRequest: Sendable {
    package var repositoryName: String
    package var imageTagMutability: String
    package var mutabilityExclusions: [String]
    package var kmsKey: String?
    package var tags: [String: String]

    package init(
        repositoryName: String,
        imageTagMutability: String,
        mutabilityExclusions: [String] = [],
        kmsKey: String? = nil,
        tags: [String: String] = [:]
    ) {
        self.repositoryName = repositoryName
        self.imageTagMutability = imageTagMutability
        self.mutabilityExclusions = mutabilityExclusions
        self.kmsKey = kmsKey
        self.tags = tags
    }
}

/// The token for the registry protocol: valid for 12 hours, sent as Basic unchanged.
package struct ECRAuthorization: Sendable, CustomStringConvertible {
    package var token: String
    /// nil: the answer did not say.
    package var expires: Date?
    /// Where the own registry is reached.
    package var proxyEndpoint: String?

    package var description: String { "<redacted ECR token until \(expires.map { "\($0)" } ?? "?")>" }
}
