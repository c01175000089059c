import Foundation

/// The ECR API (JSON 1.1, ecr/2015-09-21).
struct ECRService: Sendable {
    let world: World

    static let target = "AmazonEC2ContainerRegistry_V20150921."

    func answer(_ operation: String, _ input: SandboxJSON) throws -> SandboxJSON {
        if let account = input["registryId"]?.string, account != world.configuration.accountID {
            throw AWSFailure(
                "RepositoryNotFoundException",
                "The registry with id '\(account)' is not reachable from this account"
            )
        }
        return try world.with { state in
            switch operation {
            case "GetAuthorizationToken": state.authorizationToken()
            case "CreateRepository": try state.createRepository(input)
            case "DescribeRepositories": try state.describeRepositories(input)
            case "DeleteRepository": try state.deleteRepository(input)
            case "SetRepositoryPolicy": try state.setRepositoryPolicy(input)
            case "GetRepositoryPolicy": try state.repositoryPolicy(input, deleting: false)
            case "DeleteRepositoryPolicy": try state.repositoryPolicy(input, deleting: true)
            case "PutImageTagMutability": try state.putMutability(input)
            case "TagResource": try state.tagResource(input, adding: true)
            case "UntagResource": try state.tagResource(input, adding: false)
            case "ListTagsForResource": try state.listTags(input)
            case "PutRegistryPolicy": try state.putRegistryPolicy(input)
            case "GetRegistryPolicy": try state.registryPolicy(deleting: false)
            case "DeleteRegistryPolicy": try state.registryPolicy(deleting: true)
            case "GetAccountSetting": try state.accountSetting(input)
            case "PutAccountSetting": try state.putAccountSetting(input)
            case "CreatePullThroughCacheRule": try state.createRule(input)
            case "DescribePullThroughCacheRules": try state.describeRules(input)
            case "DeletePullThroughCacheRule": try state.deleteRule(input)
            case "ValidatePullThroughCacheRule": try state.validateRule(input)
            case "CreateRepositoryCreationTemplate": try state.createTemplate(input)
            case "DescribeRepositoryCreationTemplates": try state.describeTemplates(input)
            case "UpdateRepositoryCreationTemplate": try state.updateTemplate(input)
            case "DeleteRepositoryCreationTemplate": try state.deleteTemplate(input)
            case "BatchGetImage": try state.batchGetImage(input)
            case "BatchDeleteImage": try state.batchDeleteImage(input)
            case "DescribeImages": try state.describeImages(input)
            case "ListImageReferrers": try state.listImageReferrers(input)
            case "ListImages": try state.listImages(input)
            case "PutImage": try state.putImage(input)
            case "UpdateImageStorageClass": try state.updateStorageClass(input)
            case "BatchCheckLayerAvailability": try state.layerAvailability(input)
            case "GetDownloadUrlForLayer": try state.layerAddress(input)
            case "InitiateLayerUpload": try state.initiateUpload(input)
            case "UploadLayerPart": try state.uploadPart(input)
            case "CompleteLayerUpload": try state.completeUpload(input)
            default: throw AWSFailure("UnknownOperationException", "The sandbox has no operation \(operation).")
            }
        }
    }
}

extension WorldState {
    var accountID: String { configuration.accountID }

    func repositoryARN(_ name: String) -> String {
        "arn:aws:ecr:\(configuration.region):\(accountID):repository/\(name)"
    }

    /// The repository an input names.
    ///
    /// - Throws: RepositoryNotFoundException, InvalidParameterException.
    func repository(_ input: SandboxJSON) throws -> ECRState.Repository {
        guard let name = input["repositoryName"]?.string else { throw AWSFailure.missing("repositoryName") }
        guard let repository = ecr.repositories[name] else { throw repositoryMissing(name) }
        return repository
    }

    func repositoryMissing(_ name: String) -> AWSFailure {
        AWSFailure(
            "RepositoryNotFoundException",
            "The repository with name '\(name)' does not exist in the registry with id '\(accountID)'"
        )
    }

    mutating func authorizationToken() -> SandboxJSON {
        let password = token(64)
        let expires = now.addingTimeInterval(12 * 3600)
        ecr.passwords[password] = expires
        return [
            "authorizationData": [
                [
                    "authorizationToken": .string(Data("AWS:\(password)".utf8).base64EncodedString()),
                    "expiresAt": .epoch(expires),
                    "proxyEndpoint": .string(addresses.ecr),
                ]
            ]
        ]
    }
}

/// Pages of a list: at most `maxResults`, and a token for the rest.
enum Page {
    /// - Throws: InvalidParameterException for a size out of range or a token that was not given out.
    static func cut(
        _ items: [SandboxJSON],
        maxResults: Int?,
        token: String?,
        limit: Int,
        usual: Int? = nil
    ) throws -> (items: [SandboxJSON], next: SandboxJSON?) {
        if let maxResults, !(1...limit).contains(maxResults) {
            throw AWSFailure("InvalidParameterException", "maxResults must be from 1 to \(limit).")
        }
        let start = try start(token)
        let end = min(items.count, start + (maxResults ?? usual ?? limit))
        guard start < end else { return ([], nil) }
        return (Array(items[start..<end]), end < items.count ? .string(self.token(end)) : nil)
    }

    static func token(_ offset: Int) -> String { Data("from \(offset)".utf8).base64EncodedString() }

    static func start(_ token: String?) throws -> Int {
        guard let token else { return 0 }
        guard let data = Data(base64Encoded: token),
            let offset = Int(String(decoding: data, as: UTF8.self).dropFirst(5)), offset >= 0
        else { throw AWSFailure("InvalidParameterException", "The pagination token is not valid.") }
        return offset
    }
}
