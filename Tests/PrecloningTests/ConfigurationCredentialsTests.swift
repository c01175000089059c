import Foundation
import Remotes
import Synchronization
import Testing

@testable import Configuring
@testable import Precloning

@Suite("ConfiguredCredentials")
struct ConfiguredCredentialsTests {
    /// A folder that is gone after the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "/preclone-" + UUID().uuidString
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
        func write(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
        }
    }

    private func credentials(
        _ source: CredentialSource?,
        environment: [String: String] = [:],
        service: String? = nil,
        folder: String = "/nonexistent",
        secret: @escaping @Sendable (String) async throws -> String = { _ in "" }
    ) -> ConfiguredCredentials {
        var places = ConfiguredCredentials.Places(serviceDirectory: service)
        places.folder = folder
        return ConfiguredCredentials(
            environment: environment,
            places: places,
            helper: CredentialHelper(),
            secret: secret,
            source: { $0 == "quay.io" ? source : nil }
        )
    }

    @Test("a registry without an entry is asked anonymously")
    func anonymous() async throws {
        #expect(try await credentials(.helper("x")).credential(for: "ghcr.io") == .anonymous)
        #expect(try await credentials(nil).credential(for: "quay.io") == .anonymous)
    }

    @Test("a file is taken from systemd's directory, else from the folder")
    func files() async throws {
        let service = try Folder()
        let folder = try Folder()
        try service.write("registries_quay", "robot:first\n")
        try folder.write("quay", "robot:second")
        try folder.write("other", #"{"username": "robot", "accessToken": "third"}"#)
        let both = credentials(.file("quay"), service: service.path, folder: folder.path)
        #expect(try await both.credential(for: "quay.io") == .basic(user: "robot", password: "first"))
        let alone = credentials(.file("quay"), folder: folder.path)
        #expect(try await alone.credential(for: "quay.io") == .basic(user: "robot", password: "second"))
        let other = credentials(.file("other"), service: service.path, folder: folder.path)
        #expect(try await other.credential(for: "quay.io") == .basic(user: "robot", password: "third"))
    }

    @Test("many who come at once look a secret up once, and again when it was refused")
    func once() async throws {
        let asked = Mutex(0)
        let source = credentials(
            .secret(arn: "arn"),
            secret: { _ in
                let number = asked.withLock { count -> Int in
                    count += 1
                    return count
                }
                for _ in 0..<20 { await Task.yield() }
                return "robot:\(number)"
            }
        )
        try await withThrowingTaskGroup(of: RegistryCredential.self) { group in
            for _ in 0..<20 { group.addTask { try await source.credential(for: "quay.io") } }
            for try await credential in group { #expect(credential == .basic(user: "robot", password: "1")) }
        }
        await source.invalidate(.basic(user: "robot", password: "1"), for: "quay.io")
        #expect(try await source.credential(for: "quay.io") == .basic(user: "robot", password: "2"))
    }

    @Test("a login of ECR Public is kept by whoever gets it, and a refusal of AWS is told")
    func ecrPublic() async throws {
        struct Login: RegistryCredentialSource {
            var error: AWSError?
            func credential(for registry: String) async throws -> RegistryCredential {
                if let error { throw error }
                return .basic(user: "AWS", password: "token")
            }
        }
        func source(_ login: Login) -> ConfiguredCredentials {
            ConfiguredCredentials(
                environment: [:],
                places: .init(serviceDirectory: nil),
                helper: CredentialHelper(),
                secret: { _ in "" },
                ecrPublic: login,
                source: { $0 == "public.ecr.aws" ? .ecrPublic : nil }
            )
        }
        let found = try await source(Login()).credential(for: "public.ecr.aws")
        #expect(found == .basic(user: "AWS", password: "token"))
        let refusal = AWSError(
            operation: "ecr-public:GetAuthorizationToken",
            code: "AccessDeniedException",
            message: "no",
            kind: .accessDenied
        )
        let error = await #expect(throws: RegistryError.self) {
            try await source(Login(error: refusal)).credential(for: "public.ecr.aws")
        }
        #expect(error?.kind == .noCredentials)
        #expect(error?.description.contains("ecr-public:GetAuthorizationToken") == true)
    }

    @Test("what is missing is named, and no secret is")
    func missing() async throws {
        let folder = try Folder()
        try folder.write("bad", "hunter2")
        for (source, words) in [
            (CredentialSource.file("none"), "credential file"), (.environment(user: "U", password: "P"), "U and P"),
            (.file("bad"), "user:password"),
        ] {
            let error = await #expect(throws: RegistryError.self) {
                try await credentials(source, environment: ["U": "x"], folder: folder.path).credential(for: "quay.io")
            }
            #expect("\(try #require(error))".contains(words))
            #expect(!"\(try #require(error))".contains("hunter2"))
        }
    }

    @Test("environment variables are read by name")
    func variables() async throws {
        let found = credentials(.environment(user: "U", password: "P"), environment: ["U": "a", "P": "b"])
        #expect(try await found.credential(for: "quay.io") == .basic(user: "a", password: "b"))
    }

    @Test("a secret is read once, and again after the registry has refused it")
    func secrets() async throws {
        let reads = Mutex(0)
        let found = credentials(.secret(arn: "arn")) { _ in
            reads.withLock { $0 += 1 }
            return #"{"username": "u", "password": "p\#(reads.withLock { $0 })"}"#
        }
        let first = try await found.credential(for: "quay.io")
        #expect(try await found.credential(for: "quay.io") == first)
        #expect(reads.withLock { $0 } == 1)
        await found.invalidate(first, for: "quay.io")
        #expect(try await found.credential(for: "quay.io") == .basic(user: "u", password: "p2"))
    }
}
