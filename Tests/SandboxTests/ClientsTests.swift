import Foundation
import Names
import Remotes
import Sandbox
import TestSupport
import Testing

/// AWS's own clients and other people's registry tools, against the sandbox: what they accept is no dialect of ours.
@Suite(.serialized)
struct ClientsTests {
    @Test(.enabled(if: OtherProgram.isThere(".venv/bin/python"), "needs .venv, see Tests/requirements.txt"))
    func boto3IsContent() async throws {
        try await withSandbox { sandbox in
            let demo = try DemoWorld.load(into: sandbox, startingRuns: true)
            var environment = sandbox.addresses.environment
            environment["DEMO"] = try demo.line()
            let outcome = try await OtherProgram.run(
                ".venv/bin/python",
                ["Tests/Clients/sandbox_boto3.py"],
                environment: environment
            )
            #expect(outcome.output.hasSuffix("boto3 is content\n"), "\(outcome.output)")
            #expect(outcome.status == 0)
        }
    }

    @Test(.enabled(if: OtherProgram.isThere(".venv/bin/aws"), "needs .venv, see Tests/requirements.txt"))
    func theAWSCommandLineIsContent() async throws {
        try await withSandbox { sandbox in
            let demo = try DemoWorld.load(into: sandbox, startingRuns: true)
            let image = try #require(demo.expectations.first { $0.route == "pullThrough" && $0.engines == ["WDL"] })
            let destination = try #require(image.destination).split(separator: ":").map(String.init)
            var environment = sandbox.addresses.environment
            environment["AWS"] = ".venv/bin/aws"
            environment["PYTHON"] = ".venv/bin/python"
            environment["RUN"] = demo.runs[0]
            environment["WORKFLOW"] = demo.workflows[0].id
            environment["REPOSITORY"] = destination[0]
            environment["TAG"] = destination[1]
            environment["DIGEST"] = image.upstreamDigest
            let outcome = try await OtherProgram.run(
                "/bin/bash",
                ["Tests/Clients/sandbox_cli.sh"],
                environment: environment
            )
            #expect(outcome.output.hasSuffix("the AWS CLI is content\n"), "\(outcome.output)")
            #expect(outcome.status == 0)
        }
    }

    @Test(.enabled(if: OtherProgram.isThere("/usr/bin/skopeo"), "needs skopeo"))
    func skopeoCopiesInAndOut() async throws {
        try await SandboxClient.withClient { client in
            let sandbox = client.sandbox
            let image = try sandbox.putImage(
                ImageRecipe(
                    "tool",
                    platforms: ["linux/amd64", "linux/arm64"],
                    layers: [.init("base", size: 3 << 20), .init("small")]
                ),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1.0"]
            )
            try sandbox.ecr("CreateRepository", ["repositoryName": "copied/tool"])
            let pair = try #require(Data(base64Encoded: client.password()))
            let credentials = String(decoding: pair, as: UTF8.self)
            func host(_ address: String?) -> String { (address ?? "").replacing("http://", with: "") }
            let ecr = host(sandbox.addresses.ecr)
            let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-skopeo-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            let into = try await OtherProgram.run(
                "/usr/bin/skopeo",
                [
                    "--insecure-policy", "copy", "--preserve-digests", "--all", "--src-tls-verify=false",
                    "--dest-tls-verify=false",
                    "--dest-creds", credentials,
                    "docker://\(host(sandbox.addresses.registries["quay.io"]))/org/tool:1.0",
                    "docker://\(ecr)/copied/tool:1.0",
                ]
            )
            #expect(into.status == 0, "\(into.output)")
            #expect(sandbox.privateTags("copied/tool") == ["1.0": image.root])
            #expect(sandbox.isWhole("copied/tool", "1.0"))
            let out = try await OtherProgram.run(
                "/usr/bin/skopeo",
                [
                    "--insecure-policy", "copy", "--preserve-digests", "--override-os=linux", "--override-arch=amd64",
                    "--src-tls-verify=false", "--src-creds", credentials, "docker://\(ecr)/copied/tool:1.0",
                    "dir:\(folder.path(percentEncoded: false))",
                ]
            )
            #expect(out.status == 0, "\(out.output)")
            let manifest = try Data(contentsOf: folder.appending(path: "manifest.json"))
            #expect(image.digest(for: "linux/amd64") == Digest.of(manifest).description)
            let missing = try await OtherProgram.run(
                "/usr/bin/skopeo",
                [
                    "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false",
                    "--dest-tls-verify=false", "--dest-creds",
                    credentials, "docker://\(host(sandbox.addresses.registries["quay.io"]))/org/tool:1.0",
                    "docker://\(ecr)/no/such:1.0",
                ]
            )
            #expect(missing.status != 0)
            #expect(missing.output.contains("does not exist in the registry"), "\(missing.output)")
        }
    }
}
