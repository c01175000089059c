import Foundation
import Remotes
import Sandbox
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
        try await Sandbox.withSandbox { sandbox in
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

    @Test("wrong credentials are an error; images of two Regions are none of one process")
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

            let elsewhere = destination.replacing("us-east-1", with: "eu-west-1")
            let two = try await BuiltProgram.whenEnded(
                ["copy", destination, elsewhere, "--config", file],
                environment: environment
            )
            #expect(two.code == 2)
            #expect(two.standardError.contains("eu-west-1, us-east-1"))
        }
    }
}
