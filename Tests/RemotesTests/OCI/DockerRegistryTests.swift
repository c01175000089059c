import Foundation
import Names
import Remotes
import TestSupport
import Testing

@Suite(.serialized) struct DockerRegistryTests {
    private func client(_ host: String, _ transport: LiveTransport, insecure: Bool = true) throws -> RegistryClient {
        let endpoint = try RegistryEndpoint(registry: host, insecure: insecure)
        return RegistryClient(endpoint: endpoint, transport: transport.trusting([endpoint.origin]))
    }

    @Test func skopeoPullsWhatWasPushed() async throws {
        let server = try await RegistryServer.start()
        let first = try DockerRegistry()
        let second = try DockerRegistry()
        let base = content(600_000, seed: 21)
        let amd = server.putImage("a/tool", tag: nil, layers: [base, content(70_000, seed: 22)])
        let arm = server.putImage("a/tool", tag: nil, layers: [content(80_000, seed: 23)], architecture: "arm64")
        let index = server.putIndex("a/tool", tag: "1", [(amd, "linux/amd64"), (arm, "linux/arm64")])
        server.putImage("a/other", tag: "1", layers: [base, content(9_000, seed: 24)], type: .dockerManifest)
        let transport = try LiveTransport(.init(addressGuard: AddressGuard()))
        let share = LayerShare()

        func copy(_ from: RegistryClient, _ to: RegistryClient, _ repository: String) async throws -> ImageCopy.Outcome
        {
            try await ImageCopy(
                source: .init(client: from, repository: repository, reference: .tag("1")),
                destination: .init(client: to, repository: repository, tag: "1"),
                share: share
            ).run()
        }
        let upstream = try client(server.host, transport)
        let middle = try client(first.host, transport)
        let end = try client(second.host, transport)
        #expect(try await copy(upstream, middle, "a/tool").destinationDigest == index)
        let mounted = try await copy(upstream, middle, "a/other")
        #expect(mounted.transfer.bytesMounted >= 600_000, "docker-registry mounts what it has")
        let onward = try await copy(middle, end, "a/tool")
        #expect(onward.destinationDigest == index)
        #expect(onward.transfer.bytesDone == onward.transfer.bytesTotal)
        #expect(try await copy(middle, end, "a/tool").wasPresent)
        #expect(try await copy(middle, end, "a/other").transfer.bytesMounted >= 600_000)
        await server.stop()

        let raw = try runProgram(
            "/usr/bin/skopeo",
            ["inspect", "--raw", "--tls-verify=false", "docker://\(second.host)/a/tool:1"]
        )
        #expect(Digest.of(Array(raw.utf8)) == index)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try runProgram(
            "/usr/bin/skopeo",
            [
                "copy", "--insecure-policy", "--all", "--preserve-digests", "--src-tls-verify=false",
                "docker://\(second.host)/a/tool:1", "dir:\(folder.path)",
            ]
        )
        #expect(try Data(contentsOf: folder.appendingPathComponent(Digest.of(base).encoded)) == Data(base))
        try await transport.shutdown()
        first.stop()
        second.stop()
    }

    @Test func trustsACertificateAuthorityOfOnesOwnAndNoOther() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let certificate = folder.appendingPathComponent("cert.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        try runProgram(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ]
        )
        let registry = try DockerRegistry(certificate: (certificate, key))
        let host = registry.host
        let server = try await RegistryServer.start()
        let layer = content(2_000_000, seed: 31)
        let digest = server.putImage("a/tool", tag: "1", layers: [layer])

        func copy(_ transport: LiveTransport) async throws -> ImageCopy.Outcome {
            try await ImageCopy(
                source: .init(client: client(server.host, transport), repository: "a/tool", reference: .tag("1")),
                destination: .init(
                    client: client(registry.host, transport, insecure: false),
                    repository: "b/tool",
                    tag: "1"
                )
            ).run()
        }
        let stranger = try LiveTransport()
        await #expect {
            try await copy(stranger)
        } throws: { ($0 as? RegistryError)?.transport == .tls }
        let transport = try LiveTransport(certificateAuthorityFiles: [certificate])
        #expect(try await copy(transport).destinationDigest == digest)
        let there = try client(host, transport, insecure: false)
        let manifest = try await there.getManifest("b/tool", .tag("1"))
        #expect(manifest.digest == digest)
        await server.stop()
        try await transport.shutdown()
        try await stranger.shutdown()
        registry.stop()
    }
}
