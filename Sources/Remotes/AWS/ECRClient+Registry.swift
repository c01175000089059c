import Foundation
package import Names

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

/// Changes to the registry's own settings; only a person asks for them.
extension ECRClient {
    private struct Ignored: Decodable {}

    private func change(_ operation: String, _ input: [String: JSONValue]) async throws -> String? {
        let answer: (Ignored, String?) = try await client.jsonWithID(operation, target: Self.target, input)
        return answer.1
    }

    /// - Returns: the request's id.
    /// - Throws: `AWSError`; `PullThroughCacheRuleAlreadyExistsException` where the prefix has a rule.
    package func createPullThroughCacheRule(_ rule: PullThroughCacheRule) async throws -> String? {
        var input: [String: JSONValue] = ["ecrRepositoryPrefix": .string(rule.ecrRepositoryPrefix)]
        if let url = rule.upstreamRegistryUrl { input["upstreamRegistryUrl"] = .string(url) }
        if let registry = rule.upstreamRegistry { input["upstreamRegistry"] = .string(registry) }
        if let secret = rule.credentialArn { input["credentialArn"] = .string(secret) }
        return try await change("CreatePullThroughCacheRule", input)
    }

    /// Replaces the registry's policy.
    ///
    /// - Returns: the request's id.
    package func putRegistryPolicy(_ text: String) async throws -> String? {
        try await change("PutRegistryPolicy", ["policyText": .string(text)])
    }

    /// - Returns: the request's id.
    /// - Throws: `AWSError`; `TemplateAlreadyExistsException` where the prefix has one.
    package func createRepositoryCreationTemplate(_ template: RepositoryCreationTemplate) async throws -> String? {
        try await change("CreateRepositoryCreationTemplate", Self.input(template))
    }

    /// Changes policy and uses of a template; its other settings stay.
    ///
    /// - Returns: the request's id.
    package func updateRepositoryCreationTemplate(_ template: RepositoryCreationTemplate) async throws -> String? {
        try await change("UpdateRepositoryCreationTemplate", Self.input(template))
    }

    private static func input(_ template: RepositoryCreationTemplate) -> [String: JSONValue] {
        var input: [String: JSONValue] = ["prefix": .string(template.prefix)]
        if let policy = template.repositoryPolicy { input["repositoryPolicy"] = .string(policy) }
        if let uses = template.appliedFor { input["appliedFor"] = .array(uses.map(JSONValue.string)) }
        return input
    }
}
