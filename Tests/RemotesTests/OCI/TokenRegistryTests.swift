import Foundation
import Remotes
import TestSupport
import Testing

/// Debian's docker-registry behind a token service, as most public registries are.
@Suite("docker-registry with token authentication", .serialized)
final class TokenRegistryTests {
    private let folder: URL
    private let tokens: ServerProcess
    private let registry: ServerProcess

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let key = folder.appending(path: "key.pem").path
        let certificate = folder.appending(path: "certificate.pem").path
        let openssl = try Self.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens", "-keyout", key,
                "-out", certificate,
            ]
        )
        #expect(openssl.status == 0, "\(openssl.output)")
        var project = URL(filePath: #filePath)
        for _ in 0..<4 { project.deleteLastPathComponent() }
        tokens = try ServerProcess(
            URL(filePath: "/usr/bin/python3"),
            [project.appending(path: "Tests/Clients/token_server.py").path, key, certificate],
            mend: "apt install python3"
        )
        let configuration = """
            version: 0.1
            log: {level: info, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: "\(folder.path)/data"}}
            http: {addr: "127.0.0.1:0"}
            auth:
              token:
                realm: "http://127.0.0.1:\(tokens.port)/token"
                service: "tests"
                issuer: "tests"
                rootcertbundle: "\(certificate)"
            """
        let file = folder.appending(path: "registry.yml")
        try Data(configuration.utf8).write(to: file)
        registry = try ServerProcess(
            URL(filePath: "/usr/bin/docker-registry"),
            ["serve", file.path],
            mend: "apt install docker-registry",
            announcement: "listening on 127.0.0.1:"
        )
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    private func client(_ credential: RegistryCredential, _ transport: LiveTransport) throws -> RegistryClient {
        RegistryClient(
            endpoint: try RegistryEndpoint(registry: "127.0.0.1:\(registry.port)", insecure: true),
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
        let skopeo = try Self.run(
            "/usr/bin/skopeo",
            [
                "copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false", "--src-creds",
                "reader:open sesame", "docker://127.0.0.1:\(registry.port)/c/tool:1", "dir:\(pulled.path)",
            ]
        )
        #expect(skopeo.status == 0, "\(skopeo.output)")
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
