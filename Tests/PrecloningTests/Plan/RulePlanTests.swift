import Foundation
import Names
import Remotes
import Testing

@testable import Precloning

@Suite("What pull-through caches lack for HealthOmics")
struct RulePlanTests {
    private static let arn = "arn:aws:ecr:us-east-1:123456789012"

    private func setup(
        rules: [PullThroughCacheRule] = [],
        policy: String? = nil,
        templates: [RepositoryCreationTemplate] = []
    ) -> RegistrySetup {
        RegistrySetup(arn: Self.arn, rules: rules, policy: policy, templates: templates)
    }

    private static func policy(_ statements: String...) -> String {
        #"{"Version":"2012-10-17","Statement":[\#(statements.joined(separator: ","))]}"#
    }

    private static let others = """
        {"Sid":"Replication","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},\
        "Action":"ecr:ReplicateImage","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/*"}
        """

    private func statements(_ policy: String) throws -> [[String: Any]] {
        let document = try JSONSerialization.jsonObject(with: Data(policy.utf8)) as? [String: Any]
        return try #require(document?["Statement"] as? [[String: Any]])
    }

    @Test("from nothing: a rule, the narrowest statement beside those of others, a template")
    func fromNothing() throws {
        let plan = try RulePlan([RuleWish("quay.io")], in: setup(policy: Self.policy(Self.others)))
        #expect(plan.refusals.isEmpty)
        try #require(plan.changes.count == 3)
        guard case .createRule(let rule) = plan.changes[0], case .setRegistryPolicy(_, let policy) = plan.changes[1],
            case .createTemplate(let template) = plan.changes[2]
        else {
            Issue.record("\(plan.changes)")
            return
        }
        #expect(rule.ecrRepositoryPrefix == "quay" && rule.upstreamRegistryUrl == "quay.io")
        let made = try statements(policy)
        #expect(made.count == 2)
        #expect(made[0]["Sid"] as? String == "Replication")
        #expect(made[1]["Resource"] as? [String] == ["\(Self.arn):repository/quay/*"])
        #expect(
            made[1]["Action"] as? [String] == ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"]
        )
        #expect(made[1]["Principal"] as? [String: String] == ["Service": "omics.amazonaws.com"])
        #expect(template.prefix == "quay" && template.appliedFor == ["PULL_THROUGH_CACHE"])
        // Carried out, it leaves nothing to be done.
        let after = setup(rules: [rule], policy: policy, templates: [template])
        #expect(try after.verdict(on: "quay").isUsable)
        #expect(try RulePlan([RuleWish("quay.io")], in: after).changes.isEmpty)
        // Another upstream widens our own statement alone.
        let more = try RulePlan([RuleWish("public.ecr.aws")], in: after)
        let change = more.changes.compactMap { if case .setRegistryPolicy(_, let after) = $0 { after } else { nil } }
            .first
        let widened = try statements(try #require(change))
        #expect(widened.count == 2)
        #expect(
            widened[1]["Resource"] as? [String] == [
                "\(Self.arn):repository/ecr-public/*", "\(Self.arn):repository/quay/*",
            ]
        )
    }

    @Test("a rule that is there is used, and a template of its prefix gets the statement it lacks")
    func halfDone() throws {
        let old = RepositoryCreationTemplate(
            prefix: "cache",
            repositoryPolicy: Self.policy(Self.others.replacing("ecr:ReplicateImage", with: "ecr:BatchGetImage")),
            appliedFor: ["REPLICATION"]
        )
        let there = setup(
            rules: [PullThroughCacheRule(ecrRepositoryPrefix: "cache", upstreamRegistryUrl: "quay.io")],
            policy: Self.policy(
                """
                {"Effect":"Allow","Principal":{"Service":"omics.amazonaws.com"},"Action":"ecr:*",\
                "Resource":"\(Self.arn):repository/cache/*"}
                """
            ),
            templates: [old]
        )
        let plan = try RulePlan([RuleWish("quay.io")], in: there)
        try #require(plan.changes.count == 1 && plan.refusals.isEmpty)
        guard case .updateTemplate(let before, let after) = plan.changes[0] else { return #expect(Bool(false)) }
        #expect(before == old)
        #expect(after.appliedFor == ["PULL_THROUGH_CACHE", "REPLICATION"])
        let made = try statements(try #require(after.repositoryPolicy))
        #expect(made.count == 2 && made[0]["Sid"] as? String == "Replication")
    }

    @Test("what somebody denies, what ECR does not cache and what needs a secret is said and left")
    func refusals() throws {
        let denies = Self.policy(
            #"{"Sid":"No","Effect":"Deny","Principal":"*","Action":"ecr:CreateRepository","Resource":"*"}"#
        )
        let denied = try RulePlan([RuleWish("quay.io")], in: setup(policy: denies))
        #expect(!denied.changes.contains { if case .setRegistryPolicy = $0 { true } else { false } })
        #expect(denied.refusals.contains { $0.contains("statement `No` denies ecr:CreateRepository") })

        let others = try RulePlan(
            [RuleWish("community.wave.seqera.io"), RuleWish("docker.io"), RuleWish("ghcr.io", prefix: "x")],
            in: setup(rules: [PullThroughCacheRule(ecrRepositoryPrefix: "x", upstreamRegistryUrl: "quay.io")])
        )
        #expect(others.changes.isEmpty)
        try #require(others.refusals.count == 3)
        #expect(others.refusals[0].contains("preclone copies its images instead"))
        #expect(others.refusals[1].contains("--secret docker.io=ARN"))
        #expect(others.refusals[2].contains("prefix `x` has a rule for quay.io"))
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/hub-a"
        let given = try RulePlan([RuleWish("docker.io", secret: secret)], in: setup())
        guard case .createRule(let rule)? = given.changes.first else { return #expect(Bool(false)) }
        #expect(rule.upstreamRegistryUrl == "registry-1.docker.io" && rule.credentialArn == secret)
        #expect(rule.ecrRepositoryPrefix == "docker-hub")
    }
}
