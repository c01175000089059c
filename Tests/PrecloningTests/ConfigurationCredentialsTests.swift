import Foundation
import Remotes
import Synchronization
import Testing

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
