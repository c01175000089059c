import Foundation
import Names
import Remotes
import Sandbox
import TestSupport
import Testing

/// `preclone copy --config`, as a process, against a sandbox.
@Suite("CopyCommand")
struct CopyCommandTests {
    private static let image = "quay.io/org/tool:1"

    /// A configuration that leads to the sandbox's quay.io, which asks for a password.
    private func withConfiguration(
        _ body:
            @escaping @Sendable (_ sandbox: Sandbox, _ file: String, _ environment: [String: String]) async throws
            -> Void
    ) async throws {
        try await withSandbox { sandbox in
            let quay = try #require(sandbox.addresses.registries["quay.io"])
            let text = """
                { "version": 1, "registries": { "quay.io": { "endpoint": "\(quay)", "requestsPerSecond": 1000,
                  "credentials": { "environment": ["QUAY_USER", "QUAY_PASSWORD"] } } } }
                """
            let file = FileManager.default.temporaryDirectory
                .appendingPathComponent("preclone-\(UUID().uuidString).json")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(text.utf8).write(to: file)
            sandbox.change("quay.io") {
                $0.isAnonymousAllowed = false
                $0.accounts = ["me": "geheim"]
            }
            let environment = sandbox.addresses.environment.merging(
                ["QUAY_USER": "me", "QUAY_PASSWORD": "geheim"]
            ) { $1 }
            try await body(sandbox, file.path, environment)
        }
    }

    @Test("credentials and endpoints of the configuration hold; what is there costs one HEAD a side")
    func configured() async throws {
        try await withConfiguration { sandbox, file, environment in
            let made = try sandbox.putImage(
                ImageRecipe("tool", platforms: ["linux/amd64", "linux/arm64"]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            try sandbox.ecr("CreateRepository", ["repositoryName": "org/tool"])
            let destination = "\(sandbox.addresses.ecrName)/org/tool:1"
            let arguments = ["copy", Self.image, destination, "--config", file]
            let first = try await BuiltProgram.whenEnded(arguments, environment: environment)
            #expect(first.code == 0, "\(first.standardError)")
            #expect(sandbox.privateTags("org/tool") == ["1": made.root])
            #expect(!(first.standardError + first.standardOutput).contains("geheim"))

            sandbox.forgetRequests()
            #expect(try await BuiltProgram.whenEnded(arguments, environment: environment).code == 0)
            let counts = sandbox.requests.counts
            #expect(counts["registry:quay.io/GetManifest"] == nil)
            // The first is answered by the challenge.
            #expect((counts["registry:quay.io/HeadManifest"] ?? 0) <= 2)
            #expect((counts["registry:ecr/HeadManifest"] ?? 0) <= 2)
        }
    }

    @Test("wrong credentials are an error")
    func refused() async throws {
        try await withConfiguration { sandbox, file, environment in
            try sandbox.putImage(ImageRecipe("tool"), registry: "quay.io", repository: "org/tool", tags: ["1"])
            try sandbox.ecr("CreateRepository", ["repositoryName": "org/tool"])
            let destination = "\(sandbox.addresses.ecrName)/org/tool:1"
            var wrong = environment
            wrong["QUAY_PASSWORD"] = "other"
            let denied = try await BuiltProgram.whenEnded(
                ["copy", Self.image, destination, "--config", file],
                environment: wrong
            )
            #expect(denied.code == 1)
            #expect(!(denied.standardError + denied.standardOutput).contains("other"))
        }
    }

    /// `me` with the password `geheim`, as docker-registry wants it.
    private static let passwords = "me:$2y$04$sKyur8z7ywjUsLD4WUhQ0.X2xD/DlR7x412EOx8daeaYSUETXPU9y"

    /// A registry that asks for a password, an image in the sandbox's quay.io, and a folder for files.
    private func withRegistry(
        _ body:
            @escaping @Sendable (_ source: String, _ registry: String, _ root: String, _ folder: URL) async throws
            -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSandbox { sandbox in
            let made = try sandbox.putImage(
                ImageRecipe("tool", platforms: ["linux/amd64", "linux/arm64"]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            let quay = try #require(sandbox.addresses.registries["quay.io"]).replacing("http://", with: "")
            let registry = try DockerRegistry(passwords: Self.passwords)
            try await body("\(quay)/org/tool:1", registry.host, made.root, folder)
            let skopeo = try runProgram(
                "/usr/bin/skopeo",
                [
                    "inspect", "--raw", "--tls-verify=false", "--creds", "me:geheim",
                    "docker://\(registry.host)/a/tool:1",
                ]
            )
            #expect(Digest.of(Array(skopeo.utf8)).description == made.root)
        }
    }

    @Test("docker's config.json opens a registry that wants a password, and a wrong one is told without it")
    func dockerConfiguration() async throws {
        try await withRegistry { source, registry, root, folder in
            let file = folder.appending(path: "config.json")
            func copy(_ password: String) async throws -> BuiltProgram.Answer {
                let secret = Data("me:\(password)".utf8).base64EncodedString()
                try Data("{\"auths\": {\"\(registry)\": {\"auth\": \"\(secret)\"}}}".utf8).write(to: file)
                return try await BuiltProgram.whenEnded([
                    "copy", "--plain-http", "--authfile", file.path, source, "\(registry)/a/tool:1",
                ])
            }
            let wrong = try await copy("falsch")
            #expect(wrong.code == 1)
            #expect(wrong.standardError.contains(registry), "\(wrong.standardError)")
            #expect(!wrong.standardError.contains("falsch"))
            let right = try await copy("geheim")
            #expect(right.code == 0, "\(right.standardError)")
            #expect((right.standardOutput + right.standardError).contains(root))
        }
    }

    @Test("a credential helper is run without a shell, asked on its standard input, and its secret shown nowhere")
    func credentialHelper() async throws {
        try await withRegistry { source, registry, _, folder in
            let helper = folder.appending(path: "docker-credential-tests")
            // Says what it was asked, so that the test sees words and input, and nobody else the secret.
            let script = """
                #!/bin/sh
                read -r server
                printf '%s %s\\n' "$*" "$server" >>"\(folder.path)/asked"
                printf '{"ServerURL":"%s","Username":"me","Secret":"geheim"}' "$server"
                """
            try Data(script.utf8).write(to: helper)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: helper.path)
            let file = folder.appending(path: "config.json")
            try Data("{\"credHelpers\": {\"\(registry)\": \"tests\"}}".utf8).write(to: file)
            let answer = try await BuiltProgram.whenEnded(
                ["copy", "--plain-http", "--authfile", file.path, source, "\(registry)/a/tool:1"],
                environment: ["PATH": "\(folder.path):/usr/bin:/bin"]
            )
            #expect(answer.code == 0, "\(answer.standardError)")
            #expect(!(answer.standardOutput + answer.standardError).contains("geheim"))
            let asked = try String(contentsOf: folder.appending(path: "asked"), encoding: .utf8)
            #expect(Set(asked.split(separator: "\n")) == ["get \(registry)"])
        }
    }
}
