package import Foundation

/// A repository creation template: what ECR makes repositories with that it creates itself.
package struct RepositoryCreationTemplate: Codable, Sendable, Hashable {
    /// Without the trailing `/`, or `ROOT`.
    package var prefix: String
    /// The policy of new repositories, as text.
    package var repositoryPolicy: String?
    /// REPLICATION, PULL_THROUGH_CACHE, CREATE_ON_PUSH.
    package var appliedFor: [String]?

    package init(prefix: String, repositoryPolicy: String? = nil, appliedFor: [String]? = nil) {
        self.prefix = prefix
        self.repositoryPolicy = repositoryPolicy
        self.appliedFor = appliedFor
    }
}

/// The registry's own settings, tags, and pushing through the API.
extension ECRClient {
    private static let target = "AmazonEC2ContainerRegistry_V20150921"

    private func ask<Output: Decodable>(
        _ operation: String,
        _ input: [String: JSONValue],
        as type: Output.Type
    ) async throws -> Output {
        try await client.json(operation, target: Self.target, input, as: type)
    }

    private struct Ignored: Decodable {}

    /// The registry's policy, or nil when it has none.
    package func getRegistryPolicy() async throws -> String? {
        struct Output: Decodable { var policyText: String? }
        do {
            return try await ask("GetRegistryPolicy", [:], as: Output.self).policyText
        } catch let error as AWSError where error.code == "RegistryPolicyNotFoundException" {
            return nil
        }
    }

    /// All creation templates, every page.
    package func describeRepositoryCreationTemplates() async throws -> [RepositoryCreationTemplate] {
        struct Output: Decodable {
            var repositoryCreationTemplates: [RepositoryCreationTemplate]?
            var nextToken: String?
        }
        return try await client.pages("DescribeRepositoryCreationTemplates") { token in
            var input: [String: JSONValue] = ["maxResults": .number("1000")]
            if let token { input["nextToken"] = .string(token) }
            let page = try await ask("DescribeRepositoryCreationTemplates", input, as: Output.self)
            return (page.repositoryCreationTemplates ?? [], page.nextToken)
        }
    }

    /// A setting of the account, such as `BLOB_MOUNTING` or `REGISTRY_POLICY_SCOPE`; nil when the service names none.
    package func getAccountSetting(name: String) async throws -> String? {
        struct Output: Decodable { var value: String? }
        return try await ask("GetAccountSetting", ["name": .string(name)], as: Output.self).value
    }

    package func listTagsForResource(resourceArn: String) async throws -> [String: String] {
        struct Tag: Decodable {
            var key: String
            var value: String?

            enum CodingKeys: String, CodingKey {
                case key = "Key"
                case value = "Value"
            }
        }
        struct Output: Decodable { var tags: [Tag]? }
        let tags = try await ask("ListTagsForResource", ["resourceArn": .string(resourceArn)], as: Output.self).tags
        return Dictionary((tags ?? []).map { ($0.key, $0.value ?? "") }) { $1 }
    }

    package func tagResource(resourceArn: String, tags: [String: String]) async throws {
        let list = tags.sorted { $0.key < $1.key }.map {
            JSONValue.object(["Key": .string($0.key), "Value": .string($0.value)])
        }
        _ = try await ask(
            "TagResource",
            ["resourceArn": .string(resourceArn), "tags": .array(list)],
            as: Ignored.self
        )
    }

    // MARK: Pushing

    /// Stores a manifest. One that is there already, tag and all, is no error.
    ///
    /// - Throws: `AWSError`; `ImageTagAlreadyExistsException` where the tag is immutable and names something else.
    package func putImage(
        repositoryName: String,
        imageManifest: String,
        imageManifestMediaType: String?,
        imageTag: String?,
        imageDigest: String?
    ) async throws {
        var input: [String: JSONValue] = [
            "repositoryName": .string(repositoryName), "imageManifest": .string(imageManifest),
        ]
        if let imageManifestMediaType { input["imageManifestMediaType"] = .string(imageManifestMediaType) }
        if let imageTag { input["imageTag"] = .string(imageTag) }
        if let imageDigest { input["imageDigest"] = .string(imageDigest) }
        do {
            _ = try await ask("PutImage", input, as: Ignored.self)
        } catch let error as AWSError where error.code == "ImageAlreadyExistsException" {}
    }

    /// Begins an upload.
    ///
    /// - Returns: its id, and the size that parts but the last must have, in bytes.
    package func initiateLayerUpload(repositoryName: String) async throws -> (uploadId: String, partSize: Int) {
        struct Output: Decodable {
            var uploadId: String
            var partSize: Int
        }
        let output = try await ask(
            "InitiateLayerUpload",
            ["repositoryName": .string(repositoryName)],
            as: Output.self
        )
        return (output.uploadId, output.partSize)
    }

    /// Sends one part, which begins at `firstByte` of the layer.
    ///
    /// - Returns: the last byte that ECR has received of the whole layer.
    package func uploadLayerPart(
        repositoryName: String,
        uploadId: String,
        firstByte: Int,
        part: Data
    ) async throws -> Int {
        struct Output: Decodable { var lastByteReceived: Int? }
        let last = firstByte + part.count - 1
        let output = try await ask(
            "UploadLayerPart",
            [
                "repositoryName": .string(repositoryName), "uploadId": .string(uploadId),
                "partFirstByte": .number(String(firstByte)), "partLastByte": .number(String(last)),
                "layerPartBlob": .string(part.base64EncodedString()),
            ],
            as: Output.self
        )
        return output.lastByteReceived ?? last
    }

    /// Ends an upload. A layer that is there already is no error.
    package func completeLayerUpload(repositoryName: String, uploadId: String, layerDigest: String) async throws {
        do {
            _ = try await ask(
                "CompleteLayerUpload",
                [
                    "repositoryName": .string(repositoryName), "uploadId": .string(uploadId),
                    "layerDigests": .array([.string(layerDigest)]),
                ],
                as: Ignored.self
            )
        } catch let error as AWSError where error.code == "LayerAlreadyExistsException" {}
    }
}
