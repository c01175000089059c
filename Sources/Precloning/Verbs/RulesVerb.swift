package import Foundation
import Model
import Names
package import Remotes

/// `preclone rules`: the account's pull-through cache rules, whether HealthOmics can use them, and what would let it.
package enum RulesVerb {
    /// One rule as it stands.
    package struct Standing: Codable, Sendable, Hashable {
        package var prefix: String
        package var upstream: String?
        /// The part of its upstream that it serves; nil for all of it.
        package var upstreamPrefix: String?
        package var credential: String?
        /// Whether HealthOmics can pull through it by itself; nil where the registry's settings may not be read.
        package var isUsable: Bool?
        /// What is in the way, each with its mend.
        package var problems: [String]
        /// Why preclone cannot fill the cache by it either.
        package var obstacle: String?
        package var createdAt: Date?
        package var updatedAt: Date?
        /// What HealthOmics has of what it needs; nil where the registry's settings may not be read.
        package var registryAllows: Bool?
        package var hasTemplate: Bool?
        package var templateAllows: Bool?
    }

    package struct Answer: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var registry: String
        /// By prefix.
        package var rules: [Standing]
        /// Why the rules are not known, where they may not be read.
        package var trouble: String?
        package var notes: [String]
    }

    /// The rules as they are now.
    ///
    /// - Throws: `AWSError` while AWS does not answer.
    package static func list(_ account: AccountFacts) async throws -> Answer {
        let found = try await account.freshRules()
        try await account.freshRegistrySettings()
        var answer = Answer(registry: try await account.home().registry, rules: [], notes: [])
        for dated in found.sorted(by: { $0.rule.ecrRepositoryPrefix < $1.rule.ecrRepositoryPrefix }) {
            answer.rules.append(try await standing(of: dated, account))
        }
        answer.trouble = await account.rulesTrouble.map { "the rules may not be read: \($0)" }
        let unread = await account.settingsTrouble.map { "whether HealthOmics can use them is not known: \($0)" }
        answer.notes = [answer.trouble, unread].compactMap(\.self)
        return answer
    }

    private static func standing(of dated: DatedRule, _ account: AccountFacts) async throws -> Standing {
        let rule = dated.rule
        let part = Planner.upstreamPrefix(of: rule)
        var standing = Standing(
            prefix: rule.ecrRepositoryPrefix,
            upstream: rule.upstreamRegistryUrl,
            upstreamPrefix: part.isEmpty ? nil : part,
            credential: rule.credentialArn ?? rule.customRoleArn,
            problems: [],
            createdAt: dated.createdAt,
            updatedAt: dated.updatedAt
        )
        do {
            let verdict = try await account.verdict(on: rule)
            standing.obstacle = verdict.obstacle
            if let trouble = await account.settingsTrouble {
                standing.problems = ["could not be checked: \(trouble)"]
                return standing
            }
            standing.isUsable = verdict.isUsable && verdict.obstacle == nil
            standing.problems = verdict.problems + [verdict.obstacle].compactMap(\.self)
            standing.registryAllows = verdict.registryAllows
            standing.hasTemplate = verdict.template != nil
            standing.templateAllows = verdict.templateAllows
        } catch let error as AWSError where error.code == "BrokenPolicy" {
            standing.problems = ["could not be checked: \(error.message)"]
        }
        return standing
    }

    // MARK: Changes

    /// A change as people are shown it.
    package struct ShownChange: Codable, Sendable, Hashable {
        /// `pullThroughRule`, `registryPolicy`, `creationTemplate`.
        package var kind: String
        package var name: String
        package var before: String?
        package var after: String
        package var isDone: Bool
        package var requestID: String?
    }

    package struct Creation: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var registry: String
        package var changes: [ShownChange]
        package var refusals: [String]
        package var notes: [String]
    }

    /// Works out the narrowest change and, unless it is only to be shown, carries it out. What can be done is done where
    /// something else cannot; the registry's policy is changed only as it was read.
    ///
    /// - Parameter audit: told of each change that was made.
    /// - Throws: `AWSError` while AWS does not answer, permits something not, or a policy cannot be read.
    package static func create(
        _ wishes: [RuleWish],
        _ account: AccountFacts,
        _ ecr: ECRClient,
        isDryRun: Bool,
        audit: (ShownChange) throws -> Void = { _ in }
    ) async throws -> Creation {
        let setup = try await account.setup()
        let plan = try RulePlan(wishes, in: setup)
        var creation = Creation(
            registry: try await account.home().registry,
            changes: plan.changes.map(shown),
            refusals: plan.refusals,
            notes: plan.notes
        )
        guard !isDryRun else { return creation }
        for (index, change) in plan.changes.enumerated() {
            creation.changes[index].requestID = try await carryOut(change, ecr)
            creation.changes[index].isDone = true
            try audit(creation.changes[index])
        }
        return creation
    }

    private static func carryOut(_ change: RuleChange, _ ecr: ECRClient) async throws -> String? {
        switch change {
        case .createRule(let rule): return try await ecr.createPullThroughCacheRule(rule)
        case .createTemplate(let template): return try await ecr.createRepositoryCreationTemplate(template)
        case .updateTemplate(_, let template): return try await ecr.updateRepositoryCreationTemplate(template)
        case .setRegistryPolicy(let before, let after):
            // Somebody else may have changed it since it was read: theirs is not to be lost.
            guard try await ecr.getRegistryPolicy() == before else {
                throw LedgerError("the registry's policy was changed by somebody else meanwhile; run the command again")
            }
            return try await ecr.putRegistryPolicy(after)
        }
    }

    private static func shown(_ change: RuleChange) -> ShownChange {
        switch change {
        case .createRule(let rule):
            let secret = rule.credentialArn.map { ", secret \($0)" } ?? ""
            return ShownChange(
                kind: "pullThroughRule",
                name: rule.ecrRepositoryPrefix,
                after: "\(rule.upstreamRegistryUrl ?? "-")\(secret)",
                isDone: false
            )
        case .setRegistryPolicy(let before, let after):
            return ShownChange(kind: "registryPolicy", name: "registry", before: before, after: after, isDone: false)
        case .createTemplate(let template):
            return ShownChange(
                kind: "creationTemplate",
                name: template.prefix,
                after: template.repositoryPolicy ?? "-",
                isDone: false
            )
        case .updateTemplate(let before, let after):
            return ShownChange(
                kind: "creationTemplate",
                name: after.prefix,
                before: before.repositoryPolicy,
                after: after.repositoryPolicy ?? "-",
                isDone: false
            )
        }
    }
}
