import Foundation
import Sandbox
import Synchronization
import TestSupport
import Testing

/// `preclone check`: who we are and what we may do, and never a secret.
@Suite("check, end to end")
struct CheckTests {
    /// The verdict of each permission in the table.
    private func verdicts(_ output: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
            guard words.count >= 2, words[0].contains(":"), words[0].first?.isLowercase == true,
                ["permitted", "denied", "not"].contains(words[1])
            else { continue }
            found[words[0]] = words[1]
        }
        return found
    }

    @Test("with all permissions it names provider, account and identity, and shows no key")
    func permitted() async throws {
        try await RunningSandbox.with { world in
            let answer = try await world.run("check")
            #expect(answer.code == 0, "\(answer.standardError)")
            for line in ["account: 123456789012", "credentials: from environment", "region: us-east-1"] {
                #expect(answer.standardOutput.contains("\n\(line)"), "\(line)")
            }
            let verdicts = verdicts(answer.standardOutput)
            #expect(verdicts.count > 20)
            #expect(verdicts.filter { $0.value != "permitted" } == [:], "\(answer.standardOutput)")
            let said = answer.standardOutput + answer.standardError
            #expect(!said.contains(world.sandbox.addresses.secretAccessKey))
            #expect(!said.contains(world.sandbox.addresses.accessKeyID))
        }
    }

    @Test("what is denied is told with what is lost without it; only what is needed fails the check")
    func denied() async throws {
        try await RunningSandbox.with { world in
            world.sandbox.deny(["ecr:CreateRepository", "omics:GetBatch"])
            let some = try await world.run("check")
            #expect(some.code == 0, "\(some.standardError)")
            #expect(
                verdicts(some.standardOutput).filter { $0.value != "permitted" }.keys.sorted() == [
                    "ecr:CreateRepository", "omics:GetBatch",
                ]
            )
            #expect(some.standardOutput.contains("you make the repositories"))
            world.sandbox.deny(["omics:ListRuns"])
            let needed = try await world.run("check")
            #expect(needed.code == 1)
            #expect(needed.standardError.contains("preclone cannot work without omics:ListRuns"))
        }
    }

    @Test("where IAM may not be asked, what would change something is not checked")
    func notSimulated() async throws {
        try await RunningSandbox.with { world in
            world.sandbox.deny(["iam:SimulatePrincipalPolicy"])
            let answer = try await world.run("check")
            #expect(answer.code == 0)
            let verdicts = verdicts(answer.standardOutput)
            #expect(verdicts["ecr:PutImage"] == "not")
            #expect(verdicts["ecr:DescribeImages"] == "permitted")
            #expect(!world.sandbox.requests.entries.contains { $0.call.operation == "PutImage" })
        }
    }

    @Test("what was refused before anybody looked at permissions is not checked")
    func notAsked() async throws {
        try await RunningSandbox.with { world in
            for code in ["InvalidSignatureException", "UnrecognizedClientException"] {
                world.sandbox.add(Fault(.error, service: "ecr", operation: "DescribeImages", status: 403, code: code))
                let answer = try await world.run("check")
                #expect(verdicts(answer.standardOutput)["ecr:DescribeImages"] == "not", "\(code)")
                world.sandbox.clearFaults()
            }
        }
    }

    @Test("a profile that is named and not there is told, and no other identity used")
    func missingProfile() async throws {
        try await RunningSandbox.with { world in
            let none = ["AWS_PROFILE": "gone", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]
            let answer = try await world.run("check", environment: none)
            #expect(answer.code == 2)
            #expect(answer.standardError.contains("AWS profile `gone` is in neither config nor credentials file"))
            #expect(world.sandbox.requests.entries.isEmpty)
            // Keys of the environment need no profile.
            #expect(try await world.run("check", environment: ["AWS_PROFILE": "gone"]).code == 0)
        }
    }

    @Test("the Region is the instance's where none is named, and keys that do not fit are told")
    func instance() async throws {
        try await RunningSandbox.with { world in
            try await MetadataServer.with { server, _ in
                server.state.withLock { $0.region = "us-east-1" }
                var environment = [
                    "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_EC2_METADATA_DISABLED": "",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.address,
                ]
                let answer = try await world.run("check", environment: environment)
                #expect(answer.code == 0, "\(answer.standardError)")
                #expect(answer.standardOutput.contains("\nregion: us-east-1"))
                #expect(server.log == ["PUT /latest/api/token", "GET /latest/meta-data/placement/region"])
                environment["AWS_EC2_METADATA_DISABLED"] = "true"
                let none = try await world.run("check", environment: environment)
                #expect(none.code == 2)
                #expect(none.standardError.contains("no AWS Region is set"))
                let wrong = try await world.run("check", environment: ["AWS_SECRET_ACCESS_KEY": "another-secret"])
                #expect(wrong.code == 1)
                #expect(wrong.standardError.contains("sts:GetCallerIdentity"))
                #expect(!wrong.standardError.contains("another-secret"))
            }
        }
    }
}
