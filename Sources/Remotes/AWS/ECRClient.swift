import Foundation
package import Names

/// The ECR calls that looking and cloning need. Source: the service model `ecr/2015-09-21`.
package struct ECRClient: Sendable {
    static let target = "AmazonEC2ContainerRegistry_V20150921"

    /// Most ids in one call of DescribeImages, BatchGetImage and BatchCheckLayerAvailability.
    package static let batchSize = 100

    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    private func call<Output: Decodable>(
        _ operation: String,
        _ input: some Encodable,
        as type: Output.Type = Output.self
    ) async throws -> Output {
        try await client.json(operation, target: Self.target, input)
    }

    /// A call that changes something, with the id under which AWS knows the change.
    private func change<Output: Decodable>(
        _ operation: String,
        _ input: some Encodable,
        as type: Output.Type
    ) async throws -> (value: Output, requestID: String?) {
        try await client.jsonWithID(operation, target: Self.target, input)
    }

    private struct Nothing: Codable {}

    private struct Named: Encodable {
        var repositoryName: String
        var registryId: String?
    }

    /// A token for every registry the caller may use in the Region.
    package func getAuthorizationToken() async throws -> ECRAuthorization {
        struct Output: Decodable {
            struct Datum: Decodable {
                var authorizationToken: String?
                var expiresAt: Date?
                var proxyEndpoint: String?
            }
            var authorizationData: [Datum]?
        }
        let output = try await call("GetAuthorizationToken", Nothing(), as: Output.self)
        guard let datum = output.authorizationData?.first, let token = datum.authorizationToken else {
            throw AWSError(
                operation: "ecr:GetAuthorizationToken",
                code: "BrokenAnswer",
                message: "the answer has no token",
                kind: .brokenAnswer
            )
        }
        return ECRAuthorization(
            token: token,
            expires: datum.expiresAt,
            proxyEndpoint: datum.proxyEndpoint
        )
    }

    /// All rules of the account, every page.
    package func describePullThroughCacheRules() async throws -> [PullThroughCacheRule] {
        try await describeDatedRules().map(\.rule)
    }

    /// The same with their dates.
    package func describeDatedRules() async throws -> [DatedRule] {
        struct Input: Encodable {
            var maxResults = 1000
            var nextToken: String?
        }
        struct Output: Decodable {
            var pullThroughCacheRules: [DatedRule]?
            var nextToken: String?
        }
        return try await client.pages("DescribePullThroughCacheRules") { token in
            let page = try await call("DescribePullThroughCacheRules", Input(nextToken: token), as: Output.self)
            return (page.pullThroughCacheRules ?? [], page.nextToken)
        }
    }

    /// One page of the account's repositories.
    ///
    /// - Parameter maxResults: 1 to 1000.
    package func repositories(
        maxResults: Int,
        nextToken: String?
    ) async throws -> (repositories: [ECRRepository], nextToken: String?) {
        struct Input: Encodable {
            var maxResults: Int
            var nextToken: String?
        }
        struct Output: Decodable {
            var repositories: [ECRRepository]?
            var nextToken: String?
        }
        let page = try await call(
            "DescribeRepositories",
            Input(maxResults: maxResults, nextToken: nextToken),
            as: Output.self
        )
        return (page.repositories ?? [], page.nextToken.flatMap { $0.isEmpty ? nil : $0 })
    }

    package func describeRepositories(repositoryNames: [String]) async throws -> [ECRRepository] {
        struct Input: Encodable { var repositoryNames: [String] }
        struct Output: Decodable { var repositories: [ECRRepository]? }
        return try await call(
            "DescribeRepositories",
            Input(repositoryNames: repositoryNames),
            as: Output.self
        ).repositories ?? []
    }

    package func createRepository(
        _ request: CreateRepositoryRequest
    ) async throws -> (repository: ECRRepository, requestID: String?) {
        struct Filter: Encodable {
            var filterType = "WILDCARD"
            var filter: String
        }
        struct Encryption: Encodable {
            var encryptionType = "KMS"
            var kmsKey: String
        }
        struct Tag: Encodable {
            var key: String
            var value: String

            enum CodingKeys: String, CodingKey {
                case key = "Key"
                case value = "Value"
            }
        }
        struct Input: Encodable {
            var repositoryName: String
            var imageTagMutability: String
            var imageTagMutabilityExclusionFilters: [Filter]?
            var encryptionConfiguration: Encryption?
            var tags: [Tag]?
        }
        struct Output: Decodable { var repository: ECRRepository? }
        let hasExclusions = !request.mutabilityExclusions.isEmpty
        let output = try await change(
            "CreateRepository",
            Input(
                repositoryName: request.repositoryName,
                imageTagMutability: request.imageTagMutability + (hasExclusions ? "_WITH_EXCLUSION" : ""),
                imageTagMutabilityExclusionFilters: hasExclusions
                    ? request.mutabilityExclusions.map { Filter(filter: $0) } : nil,
                encryptionConfiguration: request.kmsKey.map { Encryption(kmsKey: $0) },
                tags: request.tags.isEmpty
                    ? nil : request.tags.sorted { $0.key < $1.key }.map { Tag(key: $0.key, value: $0.value) }
            ),
            as: Output.self
        )
        return (
            output.value.repository ?? ECRRepository(repositoryName: request.repositoryName), output.requestID
        )
    }

    /// Deletes an empty repository; never forced, so ECR refuses when it holds an image.
    ///
    /// - Returns: the request's id.
    package func deleteRepository(repositoryName: String) async throws -> String? {
        try await change("DeleteRepository", Named(repositoryName: repositoryName), as: Nothing.self).requestID
    }

    /// Images of a repository, archived ones too.
    package func describeImages(
        repositoryName: String,
        registryId: String? = nil,
        imageIds: [ImageIdentifier]
    ) async throws -> [ImageDetail] {
        struct Filter: Encodable { var imageStatus = "ANY" }
        struct Input: Encodable {
            var repositoryName: String
            var registryId: String?
            var imageIds: [ImageIdentifier]
            var filter = Filter()
        }
        struct Output: Decodable { var imageDetails: [ImageDetail]? }
        var details: [ImageDetail] = []
        for ids in imageIds.chunks(of: Self.batchSize) {
            let input = Input(repositoryName: repositoryName, registryId: registryId, imageIds: ids)
            details += try await call("DescribeImages", input, as: Output.self).imageDetails ?? []
        }
        return details
    }

    /// Manifests by id. Failures are values of the answer, not errors.
    package func batchGetImage(
        repositoryName: String,
        registryId: String? = nil,
        imageIds: [ImageIdentifier],
        acceptedMediaTypes: [String]
    ) async throws -> BatchGetImageResponse {
        struct Input: Encodable {
            var repositoryName: String
            var registryId: String?
            var imageIds: [ImageIdentifier]
            var acceptedMediaTypes: [String]
        }
        var all = BatchGetImageResponse(images: [], failures: [])
        for ids in imageIds.chunks(of: Self.batchSize) {
            let answer = try await call(
                "BatchGetImage",
                Input(
                    repositoryName: repositoryName,
                    registryId: registryId,
                    imageIds: ids,
                    acceptedMediaTypes: acceptedMediaTypes
                ),
                as: BatchGetImageResponse.self
            )
            all.images? += answer.images ?? []
            all.failures? += answer.failures ?? []
        }
        return all
    }

    /// Which blobs a repository really has.
    package func batchCheckLayerAvailability(
        repositoryName: String,
        registryId: String? = nil,
        layerDigests: [String]
    ) async throws -> [LayerState] {
        struct Input: Encodable {
            var repositoryName: String
            var registryId: String?
            var layerDigests: [String]
        }
        struct Output: Decodable { var layers: [LayerState]? }
        var states: [LayerState] = []
        for digests in layerDigests.chunks(of: Self.batchSize) {
            let input = Input(repositoryName: repositoryName, registryId: registryId, layerDigests: digests)
            states += try await call("BatchCheckLayerAvailability", input, as: Output.self).layers ?? []
        }
        return states
    }

    /// The repository's policy, or nil when it has none.
    package func getRepositoryPolicy(repositoryName: String, registryId: String? = nil) async throws -> String? {
        struct Output: Decodable { var policyText: String? }
        do {
            return try await call(
                "GetRepositoryPolicy",
                Named(repositoryName: repositoryName, registryId: registryId),
                as: Output.self
            ).policyText
        } catch let error as AWSError where error.code == "RepositoryPolicyNotFoundException" {
            return nil
        }
    }

    /// - Returns: the request's id.
    package func setRepositoryPolicy(
        repositoryName: String,
        registryId: String? = nil,
        policyText: String
    ) async throws -> String? {
        struct Input: Encodable {
            var repositoryName: String
            var registryId: String?
            var policyText: String
        }
        return try await change(
            "SetRepositoryPolicy",
            Input(repositoryName: repositoryName, registryId: registryId, policyText: policyText),
            as: Nothing.self
        ).requestID
    }
}

extension Array {
    /// Runs of at most `size` elements.
    package func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
