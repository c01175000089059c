import Foundation
import Names
import Remotes
import TestSupport
import Testing

/// Debian's docker-registry behind a token service, as most public registries are.
@Suite("docker-registry with token authentication", .serialized)
final class TokenRegistryTests {
    private let folder: URL
    private let tokens: ServerProcess
    private let registry: DockerRegistry

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let key = folder.appending(path: "key.pem").path
        let certificate = folder.appending(path: "certificate.pem").path
        try runProgram(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens", "-keyout", key,
                "-out", certificate,
            ]
        )
        var project = URL(filePath: #filePath)
        for _ in 0..<4 { project.deleteLastPathComponent() }
        tokens = try ServerProcess(
            URL(filePath: "/usr/bin/python3"),
            [project.appending(path: "Tests/Clients/token_server.py").path, key, certificate],
            mend: "apt install python3"
        )
        let realm = "http://127.0.0.1:\(tokens.port)/token"
        registry = try DockerRegistry(
            auth: "{token: {realm: \"\(realm)\", service: tests, issuer: tests, rootcertbundle: \"\(certificate)\"}}"
        )
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func client(_ credential: RegistryCredential, _ transport: LiveTransport) throws -> RegistryClient {
        RegistryClient(
            endpoint: try RegistryEndpoint(registry: registry.host, insecure: true),
            transport: transport,
            credentials: FixedCredential(credential)
        )
    }

    private static let writer = RegistryCredential.basic(user: "writer", password: "open sesame")
    private static let reader = RegistryCredential.basic(user: "reader", password: "open sesame")

    @Test("who may, copies in and out; skopeo pulls the same bytes")
    func copies() async throws {
        let transport = try LiveTransport()
        let server = try await RegistryServer.start()
        let layer = content(900_000, seed: 61)
        let digest = server.putImage("a/tool", tag: "1", layers: [layer, content(5_000, seed: 62)])
        let upstream = RegistryClient(
            endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
            transport: transport
        )
        let pushed = try await ImageCopy(
            source: .init(client: upstream, repository: "a/tool", reference: .tag("1")),
            destination: .init(client: try client(Self.writer, transport), repository: "b/tool", tag: "1")
        ).run()
        #expect(pushed.destinationDigest == digest)
        // From one repository to another of the registry: two scopes at a time.
        let onward = try await ImageCopy(
            source: .init(client: try client(Self.reader, transport), repository: "b/tool", reference: .tag("1")),
            destination: .init(client: try client(Self.writer, transport), repository: "c/tool", tag: "1")
        ).run()
        #expect(onward.destinationDigest == digest)
        await server.stop()
        let pulled = folder.appending(path: "pulled")
        try runProgram(
            "/usr/bin/skopeo",
            [
                "copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false", "--src-creds",
                "reader:open sesame", "docker://\(registry.host)/c/tool:1", "dir:\(pulled.path)",
            ]
        )
        #expect(Digest.of([UInt8](try Data(contentsOf: pulled.appending(path: "manifest.json")))) == digest)
        #expect(try Data(contentsOf: pulled.appending(path: Digest.of(layer).encoded)) == Data(layer))
        try await transport.shutdown()
    }

    @Test(
        "who may not is told which right or login is missing",
        arguments: [
            (TokenRegistryTests.reader, [RegistryError.Kind.denied]),
            (.basic(user: "writer", password: "wrong"), [.denied, .noCredentials]),
            (.anonymous, [.noCredentials]),
        ] as [(RegistryCredential, [RegistryError.Kind])]
    )
    func refusals(credential: RegistryCredential, kinds: [RegistryError.Kind]) async throws {
        let transport = try LiveTransport()
        let server = try await RegistryServer.start()
        server.putImage("a/tool", tag: "1", layers: [content(5_000, seed: 63)])
        let upstream = RegistryClient(
            endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
            transport: transport
        )
        let error = await #expect(throws: RegistryError.self) {
            try await ImageCopy(
                source: .init(client: upstream, repository: "a/tool", reference: .tag("1")),
                destination: .init(client: try self.client(credential, transport), repository: "b/tool", tag: "1")
            ).run()
        }
        #expect(error.map { kinds.contains($0.kind) } == true, "\(String(describing: error))")
        #expect(error?.description.contains("sesame") == false)
        await server.stop()
        try await transport.shutdown()
    }
}
