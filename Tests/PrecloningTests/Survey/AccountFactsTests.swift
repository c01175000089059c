import Foundation
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Model
@testable import Names
@testable import Precloning

/// What the registry's settings tell of a pull-through cache rule before it is tried, asked of the sandbox's ECR.
@Suite("AccountFacts")
struct AccountFactsTests {
    static let account = "123456789012"

    /// A rule for Quay, and what the account says of it.
    private func fault(
        registryPolicy: String? = nil,
        template: String? = nil,
        secret: Bool? = nil,
        makesRepository: Bool = true,
        denied: Set<String> = []
    ) async throws -> String? {
        try await SandboxWorks.with { works in
            let sandbox = works.sandbox
            var rule: [String: SandboxJSON] = ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            if let secret {
                let arn = sandbox.putSecret("ecr-pullthroughcache/quay", #"{"username":"u","accessToken":"t"}"#)
                rule["credentialArn"] = .string(secret ? arn : arn.replacing("quay", with: "gone"))
            }
            try sandbox.ecr("CreatePullThroughCacheRule", .object(rule))
            if let registryPolicy { try sandbox.ecr("PutRegistryPolicy", ["policyText": .string(registryPolicy)]) }
            if let template {
                try sandbox.ecr(
                    "CreateRepositoryCreationTemplate",
                    ["prefix": "ROOT", "appliedFor": ["PULL_THROUGH_CACHE"], "repositoryPolicy": .string(template)]
                )
            }
            sandbox.deny(denied)
            let found = try #require(try await works.account.pullThroughRules().first)
            return await works.account.fault(of: found, makesRepository: makesRepository)
        }
    }

    private static func policy(_ statement: String) -> String {
        #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#
    }

    @Test("a plain rule has no fault, with or without policy, template and a secret that is there")
    func noFault() async throws {
        #expect(try await fault() == nil)
        #expect(try await fault(secret: true) == nil)
        let allow = Self.policy(
            #"{"Effect":"Allow","Principal":{"Service":"omics.amazonaws.com"},"Action":"ecr:*","Resource":"*"}"#
        )
        #expect(try await fault(registryPolicy: allow) == nil)
    }

    @Test(
        "a registry policy that denies us the import is a fault, one that denies others or under a condition is not",
        arguments: [
            (#""Principal":"*","Action":"ecr:BatchImportUpstreamImage","Resource":"*""#, true),
            (
                #""Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/quay/*""#,
                true
            ),
            (#""Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"ecr:*","Resource":"*""#, false),
            (#""Principal":"*","Action":"ecr:ReplicateImage","Resource":"*""#, false),
            (
                #""Principal":"*","Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/other/*""#,
                false
            ),
            (
                #""Principal":"*","Action":"ecr:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#,
                false
            ),
        ]
    )
    func registryPolicy(statement: String, isFault: Bool) async throws {
        let text = Self.policy(#"{"Sid":"no","Effect":"Deny",\#(statement)}"#)
        let found = try await fault(registryPolicy: text)
        #expect((found != nil) == isFault, "\(found ?? "no fault")")
        if isFault { #expect(found?.hasPrefix("the registry's policy: statement `no` denies ecr:") == true) }
    }

    @Test("a template that shuts HealthOmics out is a fault only where it would make the repository")
    func template() async throws {
        let shut = Self.policy(#"{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}"#)
        #expect(try await fault(template: shut)?.contains("template `ROOT`") == true)
        #expect(try await fault(template: shut, makesRepository: false) == nil)
    }

    @Test("a credential that ECR cannot use is a fault, in ECR's words")
    func credential() async throws {
        #expect(try await fault(secret: false) == "ECR says of its credential: SecretNotFound")
    }

    @Test("what may not be read is no fault: the rule is tried")
    func denied() async throws {
        let actions: Set<String> = [
            "ecr:GetRegistryPolicy", "ecr:DescribeRepositoryCreationTemplates", "ecr:ValidatePullThroughCacheRule",
        ]
        #expect(try await fault(secret: false, denied: actions) == nil)
    }

    @Test("with a fault the route is a copy that says why")
    func route() throws {
        let rule = PullThroughCacheRule(ecrRepositoryPrefix: "quay", upstreamRegistryUrl: "quay.io")
        let reference = try ImageReference("\(Self.account).dkr.ecr.us-east-1.amazonaws.com/quay/org/tool:1")
        let destination = Destination(
            source: try ImageReference("quay.io/org/tool:1"),
            location: try #require(ECRLocation(reference)),
            basis: .asWritten,
            rule: rule,
            isOurs: true
        )
        var facts = RouteFacts(holding: ECRHolding(.noRepository), midnight: Date())
        #expect(Planner.route(destination, facts: facts, urgency: .person) == .pullThrough(rule))
        facts.ruleFault = "its secret is gone"
        #expect(
            Planner.route(destination, facts: facts, urgency: .person)
                == .copy(takesWhole: true, why: "its secret is gone")
        )
    }
}
