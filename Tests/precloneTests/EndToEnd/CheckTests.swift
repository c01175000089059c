import Foundation
import Precloning
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
            let answer = try await world.run("check", "--verbose")
            #expect(answer.code == 0, "\(answer.standardError)")
            #expect(
                answer.standardOutput.hasPrefix("preclone can work\nok configuration  "),
                "\(answer.standardOutput)"
            )
            #expect(
                answer.standardOutput.contains("(account 123456789012, region us-east-1, credentials from environment)")
            )
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
            let some = try await world.run("check", "--verbose")
            #expect(some.code == 0, "\(some.standardError)")
            #expect(
                verdicts(some.standardOutput).filter { $0.value != "permitted" }.keys.sorted() == [
                    "ecr:CreateRepository", "omics:GetBatch",
                ]
            )
            #expect(some.standardOutput.contains("you make the repositories"))
            world.sandbox.deny(["omics:ListRuns"])
            let needed = try await world.run("check", "--verbose")
            #expect(needed.code == 1)
            #expect(needed.standardOutput.hasPrefix("preclone cannot work: HealthOmics: not permitted: omics:ListRuns"))
        }
    }

    @Test("where IAM may not be asked, what would change something is not checked")
    func notSimulated() async throws {
        try await RunningSandbox.with { world in
            world.sandbox.deny(["iam:SimulatePrincipalPolicy"])
            let answer = try await world.run("check", "--verbose")
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
                let answer = try await world.run("check", "--verbose")
                #expect(verdicts(answer.standardOutput)["ecr:DescribeImages"] == "not", "\(code)")
                #expect(answer.code == 75)
                #expect(answer.standardOutput.hasPrefix("whether preclone can work could not be told: ECR, reading: "))
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
                #expect(answer.standardOutput.contains("region us-east-1,"))
                #expect(server.log == ["PUT /latest/api/token", "GET /latest/meta-data/placement/region"])
                environment["AWS_EC2_METADATA_DISABLED"] = "true"
                let none = try await world.run("check", environment: environment)
                #expect(none.code == 2)
                #expect(none.standardError.contains("no AWS Region is set"))
                let wrong = try await world.run("check", environment: ["AWS_SECRET_ACCESS_KEY": "another-secret"])
                #expect(wrong.code == 1)
                #expect(wrong.standardOutput.hasPrefix("preclone cannot work: identity: sts:GetCallerIdentity"))
                #expect(!(wrong.standardOutput + wrong.standardError).contains("another-secret"))
            }
        }
    }

    @Test("services that do not answer are no success, and are not asked again and again")
    func silence() async throws {
        try await RunningSandbox.with { world in
            for service in ["omics", "ecr"] {
                world.sandbox.add(Fault(.error, service: service, status: 503))
            }
            let answer = try await world.run("check")
            #expect(answer.code == 75)
            #expect(answer.standardOutput.hasPrefix("whether preclone can work could not be told: HealthOmics: "))
            world.sandbox.clearFaults()
            let nowhere = try await world.run("check", environment: ["AWS_ENDPOINT_URL": "http://127.0.0.1:9"])
            #expect(nowhere.code == 75, "\(nowhere.standardOutput)")
            #expect(nowhere.standardOutput.hasPrefix("whether preclone can work could not be told: identity: "))
            #expect(nowhere.standardOutput.split(separator: "\n").count < 12)
            world.sandbox.add(
                Fault(.error, service: "sts", status: 403, code: "ExpiredToken")
            )
            let expired = try await world.run("check")
            #expect(expired.code == 1)
            #expect(expired.standardOutput.contains("mend: renew the credentials"), "\(expired.standardOutput)")
        }
    }

    @Test("the first screen is a verdict and a line for each thing, for programs too")
    func short() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            let answer = try await world.run("check")
            let lines = answer.standardOutput.split(separator: "\n")
            #expect(lines.count < 20, "\(answer.standardOutput)")
            for part in ["identity", "HealthOmics", "ECR, reading", "ECR, changing", "rule quay", "record", "quay.io"] {
                #expect(
                    lines.contains {
                        ["ok ", " ! ", " - "].contains($0.prefix(3)) && $0.dropFirst(3).hasPrefix(part + " ")
                    },
                    "\(part)"
                )
            }
            let document = try await world.run("check", "--format", "json")
            let report = try JSONDecoder().decode(CheckReport.self, from: Data(document.standardOutput.utf8))
            #expect(report.verdict == .works && report.account == "123456789012" && report.schemaVersion == 1)
            #expect(report.permissions.count > 20 && report.permissions.allSatisfy { $0.verdict == "permitted" })
            // What may not be read is not taken for absent.
            world.sandbox.deny(["ecr:GetRegistryPolicy"])
            let unread = try await world.run("check")
            #expect(unread.standardOutput.contains("through it is not known"), "\(unread.standardOutput)")
            world.sandbox.deny([])
            world.sandbox.setDown(true, registry: "quay.io")
            let down = try await world.run("check")
            #expect(down.code == 0)
            #expect(down.standardOutput.contains(" ! quay.io"), "\(down.standardOutput)")
        }
    }

    @Test("a credential that is not where the configuration says fails the check, and offline nobody is asked")
    func files() async throws {
        let keys: [String: SandboxJSON] = [
            "registries": ["docker.io": ["credentials": ["environment": ["HUB_USER", "HUB_PASSWORD"]]]]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            for arguments in [["check"], ["check", "--offline"]] {
                let lacks = try await world.start(arguments).end()
                #expect(lacks.code == 1)
                #expect(lacks.standardOutput.contains(" x credentials of docker.io"), "\(lacks.standardOutput)")
                let has = try await world.start(arguments, environment: ["HUB_USER": "u", "HUB_PASSWORD": "p"]).end()
                #expect(has.code == 0, "\(has.standardOutput)")
                #expect(!has.standardOutput.contains("HUB_PASSWORD"))
            }
            world.sandbox.forgetRequests()
            let none = [
                "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HUB_USER": "u",
                "HUB_PASSWORD": "p",
            ]
            let offline = try await world.run("check", "--offline", environment: none)
            #expect(offline.code == 0, "\(offline.standardOutput) \(offline.standardError)")
            #expect(world.sandbox.requests.entries.isEmpty)
        }
    }
}
