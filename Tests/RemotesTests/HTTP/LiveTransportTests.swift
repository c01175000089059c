import Foundation
import NIOCore
import NIOHTTP1
import Remotes
import Testing

/// What goes through a proxy, and whose certificates are believed.
@Suite struct LiveTransportTests {
    private static let name = "registry.test"

    private func proxied(
        _ proxy: ConnectProxy,
        _ certificate: String,
        password: String? = nil,
        leadsTo address: String = "93.184.216.34"
    ) throws -> LiveTransport {
        let user = password.map { "user:\($0)@" } ?? ""
        return try LiveTransport(
            .init(
                certificateAuthorityFiles: [certificate],
                proxies: try ProxySettings(configured: "http://\(user)127.0.0.1:\(proxy.port)", environment: [:]),
                addressGuard: AddressGuard(),
                resolver: AddressGuardTests.Substitute(answers: [Self.name: [address]], asked: AskedNames())
            )
        )
    }

    private func get(_ url: String, _ transport: any HTTPTransport) async throws -> String {
        let response = try await transport.send(HTTPClientRequest(url: url), patience: Patience())
        return String(buffer: try await response.body.collect(upTo: 1000))
    }

    /// A server of https, a proxy that leads to it, and the server's certificate.
    private func withProxy(
        authorization: String? = nil,
        _ body: (ConnectProxy, SecureServer, String) async throws -> Void
    ) async throws {
        let certificates = try TestCertificates()
        let made = try certificates.make(for: Self.name)
        let server = try await SecureServer.start(certificate: made.certificate, key: made.key)
        let proxy = try await ConnectProxy.start(target: server.port, authorization: authorization)
        do { try await body(proxy, server, made.certificate) } catch {
            await proxy.stop()
            await server.stop()
            throw error
        }
        await proxy.stop()
        await server.stop()
    }

    @Test func httpsGoesThroughOneTunnelAndThePasswordStaysAtTheProxy() async throws {
        let password = "Basic " + Data("user:geheim".utf8).base64EncodedString()
        try await withProxy(authorization: password) { proxy, server, certificate in
            let transport = try proxied(proxy, certificate, password: "geheim")
            for path in ["/a", "/b"] {
                #expect(try await get("https://\(Self.name)\(path)", transport) == "hello")
            }
            #expect(proxy.asked.values == ["CONNECT \(Self.name):443 HTTP/1.1 \(password)"])
            #expect(server.asked.values == ["/a -", "/b -"])
            try await transport.shutdown()
        }
    }

    @Test func aRefusedTunnelIsTheProxysFailure() async throws {
        try await withProxy(authorization: "Basic other") { proxy, server, certificate in
            let transport = try proxied(proxy, certificate)
            await #expect {
                try await get("https://\(Self.name)/", transport)
            } throws: { error in
                (error as? TransportError)?.kind == .proxy && "\(error)".contains("407")
            }
            #expect(server.asked.values.isEmpty)
            try await transport.shutdown()
        }
    }

    @Test func httpIsAskedOfTheProxyInAbsoluteForm() async throws {
        let password = "Basic " + Data("user:geheim".utf8).base64EncodedString()
        try await withProxy(authorization: password) { proxy, _, certificate in
            let transport = try proxied(proxy, certificate, password: "geheim")
            #expect(try await get("http://\(Self.name)/a?b=c", transport) == "proxy")
            #expect(proxy.asked.values == ["GET http://\(Self.name)/a?b=c HTTP/1.1 \(password)"])
            try await transport.shutdown()
        }
    }

    @Test(arguments: ["169.254.169.254", "10.0.0.1", "fd00:ec2::254"])
    func aProxyIsNotAskedForWhatWeKnowToBePrivate(_ address: String) async throws {
        try await withProxy { proxy, server, certificate in
            let transport = try proxied(proxy, certificate, leadsTo: address)
            for scheme in ["https", "http"] {
                await #expect {
                    try await get("\(scheme)://\(Self.name)/", transport)
                } throws: { ($0 as? TransportError)?.kind == .addressRefused }
            }
            #expect(proxy.asked.values.isEmpty)
            #expect(server.asked.values.isEmpty)
            try await transport.shutdown()
        }
    }

    @Test func anAuthorityIsTrustedForItsRegistryAndForNoOther() async throws {
        let certificates = try TestCertificates()
        let first = try certificates.make(for: "first.test")
        let second = try certificates.make(for: "second.test")
        let servers = [
            try await SecureServer.start(certificate: first.certificate, key: first.key),
            try await SecureServer.start(certificate: second.certificate, key: second.key),
        ]
        let local = ["127.0.0.1"]
        let transport = try LiveTransport(
            .init(
                resolver: AddressGuardTests.Substitute(
                    answers: ["first.test": local, "second.test": local],
                    asked: AskedNames()
                )
            )
        )
        let urls = ["https://first.test:\(servers[0].port)/", "https://second.test:\(servers[1].port)/"]
        let views = [
            try transport.trusting(where: { _ in false }, authorities: [first.certificate]),
            try transport.trusting(where: { _ in false }, authorities: [second.certificate]),
        ]
        for (index, view) in views.enumerated() {
            #expect(try await get(urls[index], view) == "hello")
            // Also when a connection that another one trusts lies ready.
            for stranger in [views[1 - index], transport] {
                await #expect {
                    try await get(urls[index], stranger)
                } throws: { ($0 as? TransportError)?.kind == .tls }
            }
        }
        #expect(servers.allSatisfy { $0.asked.values.count == 1 })
        try await transport.shutdown()
        for server in servers { await server.stop() }
    }

    @Test(arguments: [true, false])
    func whoHasTakenALargeBodyMayTakeItsTimeToAnswer(_ isLarge: Bool) async throws {
        let server = try await RegistryServer.start()
        // Longer than the patience; where it is to run out, for ever as far as this test goes.
        let delay: TimeAmount = isLarge ? .milliseconds(400) : .hours(1)
        server.change { $0.faults.append { _ in .init(status: .created, delay: delay) } }
        let transport = try LiveTransport()
        var request = HTTPClientRequest(url: "http://\(server.host)/v2/a/blobs/uploads/1")
        request.method = .PUT
        request.body = .bytes(ByteBuffer(bytes: content(1_000, seed: 1)))
        var patience = Patience(idle: .milliseconds(80))
        patience.digestion = isLarge ? .seconds(60) : .zero
        if isLarge {
            #expect(try await transport.send(request, patience: patience).status == .created)
        } else {
            await #expect {
                try await transport.send(request, patience: patience)
            } throws: { ($0 as? TransportError)?.kind == .stalled }
        }
        try await transport.shutdown()
        await server.stop()
    }

    @Test func aFileWithoutCertificatesIsNamed() throws {
        let certificates = try TestCertificates()
        let empty = try certificates.file("empty.pem", "nothing\n")
        let transport = try LiveTransport()
        for path in [empty, empty + ".missing"] {
            #expect {
                try transport.trusting(where: { _ in false }, authorities: [path])
            } throws: { ($0 as? TransportError)?.host == path }
            #expect {
                try LiveTransport(certificateAuthorityFiles: [path])
            } throws: { ($0 as? TransportError)?.host == path }
        }
    }
}
