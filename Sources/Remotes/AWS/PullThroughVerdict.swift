import Foundation
import Names

/// Whether a pull-through cache rule can serve: HealthOmics by itself, where the registry's policy lets it create and
/// import and the creation template of the prefix lets it read what is created; and preclone, which needs less.
///
/// Source: HealthOmics user guide, container images and pull-through cache.
package struct PullThroughVerdict: Sendable, Hashable {
    package static let actions = ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"]

    package var isUsable: Bool { problems.isEmpty }
    /// What HealthOmics lacks to pull through the rule by itself, each with its mend; empty when usable.
    package var problems: [String]
    /// The registry's policy lets HealthOmics create and import below the prefix.
    package var registryAllows: Bool
    /// The creation template that ECR would use; nil where none covers the prefix.
    package var template: String?
    /// That template lets HealthOmics pull.
    package var templateAllows = false
    /// Why preclone cannot fill the cache by the rule, or nobody could read what it would fill; nil when nothing is
    /// known to be in the way.
    package var obstacle: String?
    /// Likewise, as long as the repository does not exist: ECR makes it with a policy that shuts HealthOmics out.
    package var obstacleToNew: String?
    /// Where the registry's policy does not allow it: whether a statement more would, and not against a Deny.
    package var canBeAllowed: Bool

    /// - Parameters:
    ///   - prefix: the rule's `ecrRepositoryPrefix`.
    ///   - registry: the registry itself, `arn:PARTITION:ecr:REGION:ACCOUNT`.
    ///   - registryPolicy: nil when the registry has none.
    ///   - caller: our own ARN; nil leaves `obstacle` open.
    ///   - credentialFault: why the rule's credential does not work, where that was asked.
    /// - Throws: `AWSError` when a policy cannot be read.
    package init(
        prefix: String,
        registry: String,
        registryPolicy: String?,
        templates: [RepositoryCreationTemplate],
        caller: String? = nil,
        credentialFault: String? = nil
    ) throws {
        var problems: [String] = []
        let name = Self.plain(prefix)
        let sample = name == "ROOT" ? "preclone-sample" : "\(name)/preclone-sample"
        let resource = "\(registry):repository/\(sample)"
        let policy = try registryPolicy.map { try RepositoryPolicy(json: $0) } ?? RepositoryPolicy()
        let parts = registry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let circumstances =
            parts.count == 5
            ? PolicyCircumstances(account: parts[4], region: parts[3], partition: AWSPartition(region: parts[3]))
            : PolicyCircumstances()
        let answer = policy.verdict(on: Self.actions, resource: resource, in: circumstances)
        registryAllows = answer.isAccessible
        canBeAllowed = !policy.denies(Self.actions, resource: resource, in: circumstances)
        if !answer.isAccessible {
            problems.append(
                "the registry's policy: \(answer.reason ?? "not allowed"); let \(RepositoryPolicy.principal) do "
                    + "\(Self.actions.joined(separator: " and ")) on \(registry):repository/\(name)/*"
            )
        }
        let denial = caller.flatMap { policy.denial(of: Self.actions, resource: resource, caller: $0) }
        obstacle = denial.map { "the registry's policy: \($0)" } ?? credentialFault
        let applicable = templates.filter { $0.appliedFor?.contains("PULL_THROUGH_CACHE") ?? true }
        // The longest prefix that covers the rule's; ROOT covers everything.
        let covering = applicable.filter { template in
            let other = Self.plain(template.prefix)
            return other == "ROOT" || other == name || name.hasPrefix("\(other)/")
        }
        let length = { (template: RepositoryCreationTemplate) in
            Self.plain(template.prefix) == "ROOT" ? 0 : template.prefix.count
        }
        if let template = covering.max(by: { length($0) < length($1) }) {
            self.template = template.prefix
            let rights = try template.repositoryPolicy.map { try RepositoryPolicy(json: $0) } ?? RepositoryPolicy()
            let verdict = rights.healthOmicsVerdict(in: circumstances)
            templateAllows = verdict.isAccessible
            if !verdict.isAccessible, !verdict.canBeGranted {
                obstacleToNew =
                    "the creation template `\(template.prefix)`: \(verdict.reason ?? "HealthOmics is shut out")"
            }
            if !verdict.isAccessible {
                problems.append(
                    "the creation template `\(template.prefix)`: \(verdict.reason ?? "not allowed"); add the "
                        + "statement to its repository policy (repositories that exist need it as well)"
                )
            }
        } else {
            problems.append(
                "no creation template covers `\(name)`; create one with a policy that lets HealthOmics pull"
            )
        }
        self.problems = problems
    }

    private static func plain(_ prefix: String) -> String {
        prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
    }
}
