import Foundation

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

/// The registry's own settings.
extension ECRClient {
    private func ask<Output: Decodable>(
        _ operation: String,
        _ input: [String: JSONValue],
        as type: Output.Type
    ) async throws -> Output {
        try await client.json(operation, target: Self.target, input, as: type)
    }

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

    /// What ECR says when it tries a rule's credential: whether it works, and if not, why.
    package func validatePullThroughCacheRule(prefix: String) async throws -> (isValid: Bool, failure: String?) {
        struct Output: Decodable {
            var isValid: Bool?
            var failure: String?
        }
        let input: [String: JSONValue] = ["ecrRepositoryPrefix": .string(prefix)]
        let answer = try await ask("ValidatePullThroughCacheRule", input, as: Output.self)
        return (answer.isValid ?? true, answer.failure)
    }
}
