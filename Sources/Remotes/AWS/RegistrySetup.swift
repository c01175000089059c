package import Names

/// What the account's own registry says of pull-through caches.
package struct RegistrySetup: Sendable {
    /// `arn:PARTITION:ecr:REGION:ACCOUNT`.
    package var arn: String
    package var rules: [PullThroughCacheRule]
    /// Nil where the registry has none.
    package var policy: String?
    package var templates: [RepositoryCreationTemplate]

    package init(
        arn: String,
        rules: [PullThroughCacheRule],
        policy: String?,
        templates: [RepositoryCreationTemplate]
    ) {
        self.arn = arn
        self.rules = rules
        self.policy = policy
        self.templates = templates
    }

    /// The account, by its number.
    package var account: String { arn.split(separator: ":").last.map(String.init) ?? "" }

    /// What stands in the way of HealthOmics and of preclone under a prefix.
    ///
    /// - Throws: `AWSError` where a policy cannot be read.
    package func verdict(on prefix: String) throws -> PullThroughVerdict {
        try PullThroughVerdict(prefix: prefix, registry: arn, registryPolicy: policy, templates: templates)
    }
}
