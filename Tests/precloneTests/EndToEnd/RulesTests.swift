import Foundation
import Precloning
import Sandbox
import TestSupport
import Testing

/// `preclone rules` and `preclone grant` as processes.
@Suite("preclone rules and grant, end to end")
struct RulesTests {
    private func rules(_ world: RunningSandbox) async throws -> [RulesVerb.Standing] {
        let answer = try await world.run("rules", "--format", "json")
        #expect(answer.code == 0, "\(answer.standardError)")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(RulesVerb.Answer.self, from: Data(answer.standardOutput.utf8)).rules
    }

    @Test("it says why a rule cannot serve, shows the change, and makes it when asked")
    func create() async throws {
        try await RunningSandbox.with { world in
            try world.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            let before = try #require(try await rules(world).first)
            #expect(before.prefix == "quay" && before.isUsable == false)
            #expect(before.problems.count == 2)
            #expect(before.problems[0].contains("the registry's policy"))
            #expect(before.problems[1].contains("no creation template covers `quay`"))

            let shown = try await world.run("rules", "--create", "quay.io", "public.ecr.aws", "--dry-run")
            #expect(shown.code == 0, "\(shown.standardError)")
            #expect(shown.standardOutput.contains("would: pullThroughRule ecr-public"))
            #expect(try await rules(world).map(\.prefix) == ["quay"])

            let made = try await world.run("rules", "--create", "quay.io", "public.ecr.aws", "ghcr.io")
            #expect(made.code == 4, "\(made.standardError)")
            #expect(made.standardError.contains("ghcr.io: ECR takes no rule without a secret"))
            let after = try await rules(world)
            #expect(after.map(\.prefix) == ["ecr-public", "quay"])
            #expect(after.allSatisfy { $0.isUsable == true && $0.problems.isEmpty })
            let again = try await world.run("rules", "--create", "quay.io")
            #expect(again.code == 0)
            #expect(again.standardOutput == "nothing to do\n")
            // A rule that may not be looked into is not called usable.
            world.sandbox.deny(["ecr:GetRegistryPolicy"])
            #expect(try await rules(world).allSatisfy { $0.isUsable == nil })
            #expect(try await world.run("rules", "--create", "registry.k8s.io").code == 1)
        }
    }

    @Test("its template passes cfn-lint, is deployed, and makes rules that HealthOmics can use")
    func template() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            #expect(try await world.run("rules", "--template").code == 2)
            try world.startRun("one", of: ["quay.io/org/tool:1"])
            #expect(try await world.run("run", "--once").code == 0)
            let wanted = try await world.run("rules", "--template")
            #expect(wanted.code == 0, "\(wanted.standardError)")
            #expect(wanted.standardOutput.contains("\"UpstreamRegistryUrl\" : \"quay.io\""))
            let answer = try await world.run("rules", "--template", "quay.io", "docker-hub=hub")
            #expect(answer.code == 0, "\(answer.standardError)")
            let file = world.folder.appending(path: "rules.json")
            try Data(answer.standardOutput.utf8).write(to: file)
            let lint = try await RunningProgram(
                [file.path],
                program: BuiltProgram.project.appendingPathComponent(".venv/bin/cfn-lint"),
                environment: ["HOME": world.folder.path]
            ).end()
            #expect(lint.code == 0, "\(lint.standardOutput)\(lint.standardError)")
            let deployed = try await RunningProgram(
                [BuiltProgram.project.appendingPathComponent("Tests/Clients/deploy_template.py").path, file.path],
                program: BuiltProgram.project.appendingPathComponent(".venv/bin/python"),
                environment: ["HOME": world.folder.path]
            ).end()
            #expect(deployed.code == 0, "\(deployed.standardOutput)\(deployed.standardError)")

            // What an emulator of CloudFormation does not make is made by its properties.
            let resources = try #require(try SandboxJSON(json: Data(answer.standardOutput.utf8))["Resources"]?.object)
            for (_, resource) in resources {
                let properties = try #require(resource["Properties"])
                switch resource["Type"]?.string {
                case "AWS::ECR::PullThroughCacheRule":
                    let secret = world.sandbox.putSecret("ecr-pullthroughcache/hub", "{}")
                    try world.sandbox.ecr(
                        "CreatePullThroughCacheRule",
                        .compact([
                            "ecrRepositoryPrefix": properties["EcrRepositoryPrefix"],
                            "upstreamRegistryUrl": properties["UpstreamRegistryUrl"],
                            "credentialArn": properties["CredentialArn"] == nil ? nil : .string(secret),
                        ])
                    )
                case "AWS::ECR::RegistryPolicy":
                    let text = String(decoding: try #require(properties["PolicyText"]).data, as: UTF8.self)
                        .replacing("${AWS::Partition}", with: "aws").replacing("${AWS::Region}", with: "us-east-1")
                        .replacing("${AWS::AccountId}", with: "123456789012")
                        .replacing(#/{"Fn::Sub":("[^"]*")}/#) { $0.1 }
                    try world.sandbox.ecr("PutRegistryPolicy", ["policyText": .string(text)])
                case "AWS::ECR::RepositoryCreationTemplate":
                    try world.sandbox.ecr(
                        "CreateRepositoryCreationTemplate",
                        .compact([
                            "prefix": properties["Prefix"], "appliedFor": properties["AppliedFor"],
                            "repositoryPolicy": properties["RepositoryPolicy"],
                        ])
                    )
                default: Issue.record("\(resource)")
                }
            }
            let found = try await rules(world)
            #expect(found.map(\.prefix) == ["hub", "quay"])
            #expect(found.allSatisfy { $0.isUsable == true }, "\(found)")
            // What is there is left out, and a policy that is there is not replaced.
            let rest = try await world.run("rules", "--template", "quay.io", "public.ecr.aws")
            #expect(rest.code == 4)
            #expect(rest.standardError.contains("the registry has a policy"))
            #expect(!rest.standardOutput.contains("quay.io"))
        }
    }

    @Test("grant adds its statement and touches no other; what somebody denies or limits stays")
    func grant() async throws {
        try await RunningSandbox.with { world in
            for name in ["lab/plain", "lab/others", "lab/denied", "lab/limited"] {
                try world.sandbox.ecr("CreateRepository", ["repositoryName": .string(name)])
            }
            func set(_ name: String, _ statement: String) throws {
                let text = #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#
                try world.sandbox.ecr(
                    "SetRepositoryPolicy",
                    ["repositoryName": .string(name), "policyText": .string(text)]
                )
            }
            let omics = #""Principal":{"Service":"omics.amazonaws.com"},"Action":"ecr:*""#
            try set(
                "lab/others",
                #"{"Sid":"Team","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"ecr:BatchGetImage"}"#
            )
            try set("lab/denied", #"{"Sid":"No","Effect":"Deny",\#(omics)}"#)
            try set(
                "lab/limited",
                #"{"Sid":"One","Effect":"Allow",\#(omics),"Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}}}"#
            )
            let names = ["lab/plain", "lab/others", "lab/denied", "lab/limited", "lab/missing"]
            let policies = names.map { world.sandbox.policy(of: $0) }
            let shown = try await world.start(["grant", "--dry-run"] + names).end()
            #expect(shown.code == 4)
            #expect(shown.standardOutput.contains("lab/plain: would be granted"))
            #expect(names.map { world.sandbox.policy(of: $0) } == policies)

            let made = try await world.start(["grant"] + names).end()
            #expect(made.code == 4, "\(made.standardError)")
            #expect(try world.granted("lab/plain") == RunningSandbox.omicsActions)
            #expect(try world.granted("lab/others") == RunningSandbox.omicsActions)
            #expect(world.sandbox.policy(of: "lab/others")?.contains(#""Sid":"Team""#) == true)
            #expect(made.standardOutput.contains("lab/denied: not granted: statement `No` denies"))
            #expect(
                made.standardOutput.contains(
                    "lab/limited: not granted: statement `One` allows it under a condition only"
                )
            )
            #expect(made.standardOutput.contains("lab/missing: not granted: there is no such repository"))
            for name in ["lab/denied", "lab/limited"] {
                #expect(world.sandbox.policy(of: name) == policies[names.firstIndex(of: name) ?? 0])
            }
            let uri = "\(world.sandbox.addresses.ecrName)/lab/plain"
            let arn = "arn:aws:ecr:us-east-1:123456789012:repository/lab/plain"
            let again = try await world.run("grant", "lab/plain", uri, arn)
            #expect(again.code == 0)
            #expect(again.standardOutput.components(separatedBy: "may read it already").count == 4)
            let far = try await world.run("grant", "arn:aws:ecr:eu-west-1:123456789012:repository/lab/plain")
            #expect(far.code == 4 && far.standardOutput.contains("no repository of"))
        }
    }
}
