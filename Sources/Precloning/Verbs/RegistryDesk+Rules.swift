package import Foundation
import Model
package import Names
package import Remotes

extension RegistryDesk {
    /// A pull-through cache rule, and whether it can serve.
    package struct RuleStanding: Sendable {
        package var rule: PullThroughCacheRule
        package var createdAt: Date?
        package var updatedAt: Date?
        /// nil where the registry's settings may not be read.
        package var verdict: PullThroughVerdict?
        /// Why there is no verdict.
        package var trouble: String?
    }

    /// Every rule of the account, by prefix, with what the registry's policy and the creation templates make of it.
    ///
    /// - Throws: `AWSError` while AWS does not answer.
    package func rules() async throws -> [RuleStanding] {
        let found = try await ecr.describeDatedRules().sorted {
            $0.rule.ecrRepositoryPrefix < $1.rule.ecrRepositoryPrefix
        }
        let caller = try await account.callerARN()
        let home = try await account.home()
        let settings = try await account.freshRegistrySettings()
        let partition = AWSPartition(region: home.region).rawValue
        return try found.map { dated in
            var standing = RuleStanding(rule: dated.rule, createdAt: dated.createdAt, updatedAt: dated.updatedAt)
            do {
                standing.verdict = try PullThroughVerdict(
                    prefix: dated.rule.ecrRepositoryPrefix,
                    registry: "arn:\(partition):ecr:\(home.region):\(home.account)",
                    registryPolicy: settings.policy,
                    templates: settings.templates,
                    caller: caller
                )
            } catch let error as AWSError {
                standing.trouble = error.message
            }
            if let unread = settings.unread { standing.trouble = unread }
            return standing
        }
    }
}
