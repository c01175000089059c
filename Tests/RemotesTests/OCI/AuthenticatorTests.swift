import Foundation
import NIOHTTP1
import Remotes
import Synchronization
import TestSupport
import Testing

/// A pacer that lets everything through and remembers what it was told.
final class ListeningPacer: RequestPacer {
    struct Heard: Sendable, Hashable {
        var kind: RequestKind
        var status: Int
    }

    private let state = Mutex((heard: [Heard](), inFlight: 0))
    var heard: [Heard] { state.withLock { $0.heard } }
    /// Requests that were let through and not given back.
    var inFlight: Int { state.withLock { $0.inFlight } }

    func acquire(_ kind: RequestKind, host: String) async throws { state.withLock { $0.inFlight += 1 } }
    func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {
        state.withLock { $0.heard.append(Heard(kind: kind, status: status)) }
    }
    func release(_ kind: RequestKind, host: String) async { state.withLock { $0.inFlight -= 1 } }
}

/// Tokens, by the requests that a client makes for them.
@Suite struct AuthenticatorTests {
    private struct Bench {
        let server: RegistryServer
        let time = HastyTime()
        let pacer = ListeningPacer()
        let client: RegistryClient
        let transport: LiveTransport

        init(_ server: RegistryServer, _ credentials: any RegistryCredentialSource = AnonymousCredentials()) throws {
            self.server = server
            transport = try LiveTransport()
            client = RegistryClient(
                endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
                transport: transport.trusting([server.origin]),
                credentials: credentials,
                pacer: pacer,
                timeline: time.timeline
            )
        }

        var tokensAsked: Int { server.log.filter { $0.path == "/token" }.count }
    }

    private func with(
        _ credentials: any RegistryCredentialSource = AnonymousCredentials(),
        _ body: (Bench) async throws -> Void
    ) async throws {
        let server = try await RegistryServer.start()
        for name in ["a/tool", "a/other"] { server.putImage(name, tag: "1", layers: [[1, 2, 3]]) }
        server.change { $0.token = "needed" }
        let bench = try Bench(server, credentials)
        do { try await body(bench) } catch {
            await server.stop()
            throw error
        }
        try await bench.transport.shutdown()
        await server.stop()
    }

    @Test func manyAtOnceAskForOneToken() async throws {
        try await with { bench in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let head = try await bench.client.headManifest("a/tool", .tag("1"))
                        #expect(head != nil)
                    }
                }
                try await group.waitForAll()
            }
            #expect(bench.tokensAsked == 1)
            #expect(bench.pacer.inFlight == 0)
        }
    }

    @Test func aTokenIsOfItsScopeAndRenewedBeforeItEnds() async throws {
        try await with { bench in
            for _ in 0..<3 { _ = try await bench.client.headManifest("a/tool", .tag("1")) }
            #expect(bench.tokensAsked == 1)
            _ = try await bench.client.headManifest("a/other", .tag("1"))
            #expect(bench.tokensAsked == 2)
            let scopes = bench.server.log.filter { $0.path == "/token" }.compactMap { $0.query("scope") }
            #expect(scopes == ["repository:a/tool:pull", "repository:a/other:pull"])
            // Of 300 s the last 30 are not used.
            try await bench.time.timeline.sleep(.seconds(269))
            _ = try await bench.client.headManifest("a/tool", .tag("1"))
            #expect(bench.tokensAsked == 2)
            try await bench.time.timeline.sleep(.seconds(1))
            _ = try await bench.client.headManifest("a/tool", .tag("1"))
            #expect(bench.tokensAsked == 3)
            #expect(bench.server.log.filter { $0.method == .HEAD }.count == 7, "one challenge, for the first")
        }
    }

    @Test func anIdentityTokenIsExchangedByPost() async throws {
        let credentials = FixedCredential(.identityToken("refresh me"))
        try await with(credentials) { bench in
            _ = try await bench.client.headManifest("a/tool", .tag("1"))
            let asked = try #require(bench.server.log.first { $0.path == "/token" })
            #expect(asked.method == .POST)
            #expect(!asked.headers.contains(name: "authorization"))
            let form = String(decoding: asked.body, as: UTF8.self)
            #expect(form.contains("grant_type=refresh_token"))
            #expect(form.contains("refresh_token=refresh%20me"))
            #expect(form.contains("scope=repository%3Aa%2Ftool%3Apull"))
            #expect(!asked.uri.contains("refresh"))
        }
    }

    @Test func aTokenOfOursIsSentAsItIs() async throws {
        try await with(FixedCredential(.bearer("token-1"))) { bench in
            bench.server.change { $0.tokensGiven = 1 }
            let head = try await bench.client.headManifest("a/tool", .tag("1"))
            #expect(head != nil)
            #expect(bench.tokensAsked == 0)
        }
    }

    @Test func whatTheTokenEndpointAnswersIsReported() async throws {
        try await with { bench in
            bench.server.once({ $0.path == "/token" }) {
                .init(status: .tooManyRequests, headers: ["retry-after": "4"])
            }
            let head = try await bench.client.headManifest("a/tool", .tag("1"))
            #expect(head != nil)
            #expect(bench.time.slept == [.seconds(4)])
            let tokens = bench.pacer.heard.filter { $0.kind == .token }
            #expect(tokens.map(\.status) == [429, 200])
            #expect(bench.pacer.inFlight == 0)
        }
    }

    @Test func aLongWaitForATokenIsTheCallersToPlan() async throws {
        try await with { bench in
            bench.server.change {
                $0.faults.append { request in
                    request.path == "/token"
                        ? .init(status: .tooManyRequests, headers: ["retry-after": "900"]) : nil
                }
            }
            await #expect {
                try await bench.client.headManifest("a/tool", .tag("1"))
            } throws: { error in
                let error = error as? RegistryError
                return error?.kind == .throttled && error?.retryAfter == .seconds(900)
            }
            #expect(bench.tokensAsked == 1)
            #expect(bench.time.slept.isEmpty)
            #expect(bench.pacer.inFlight == 0)
        }
    }

    @Test func aTokenEndpointThatRefusesUsIsNotAskedAgain() async throws {
        try await with(FixedCredential(.basic(user: "u", password: "wrong"))) { bench in
            bench.server.change {
                $0.faults.append { $0.path == "/token" ? .error(.unauthorized, "UNAUTHORIZED") : nil }
            }
            await #expect {
                try await bench.client.headManifest("a/tool", .tag("1"))
            } throws: { ($0 as? RegistryError)?.kind == .denied }
            #expect(bench.tokensAsked == 1)
        }
    }

    /// A source whose login is replaced when it is refused, as a rotated secret is.
    private actor Rotated: RegistryCredentialSource {
        private var number = 1
        func credential(for registry: String) async throws -> RegistryCredential {
            .basic(user: "u", password: "\(number)")
        }
        func invalidate(_ credential: RegistryCredential, for registry: String) async {
            if credential == .basic(user: "u", password: "\(number)") { number = 2 }
        }
    }

    @Test func aLoginThatWasReplacedIsLookedUpAgain() async throws {
        try await with(Rotated()) { bench in
            let new = "Basic " + Data("u:2".utf8).base64EncodedString()
            bench.server.change {
                $0.faults.append { request in
                    guard request.path == "/token", request.headers.first(name: "authorization") != new else {
                        return nil
                    }
                    return .error(.unauthorized, "UNAUTHORIZED")
                }
            }
            let head = try await bench.client.headManifest("a/tool", .tag("1"))
            #expect(head != nil)
            #expect(bench.tokensAsked == 2)
        }
    }

    @Test(arguments: ["", "{}", #"{"token":""}"#, #"{"token":"a b"}"#, #"{"token":"a\r\nX: y"}"#])
    func anAnswerWithoutAUsableTokenIsNoToken(_ answer: String) async throws {
        try await with { bench in
            bench.server.change {
                $0.faults.append { $0.path == "/token" ? .init(status: .ok, body: Array(answer.utf8)) : nil }
            }
            await #expect {
                try await bench.client.headManifest("a/tool", .tag("1"))
            } throws: { ($0 as? RegistryError)?.kind == .brokenAnswer }
        }
    }

    // MARK: Where https leads

    private func secure(_ steps: [ScriptedTransport.Step]) throws -> (RegistryClient, ScriptedTransport) {
        let transport = ScriptedTransport(steps)
        let client = RegistryClient(
            endpoint: try RegistryEndpoint(registry: "quay.io"),
            transport: transport,
            credentials: FixedCredential(.basic(user: "u", password: "geheim")),
            timeline: HastyTime().timeline
        )
        return (client, transport)
    }

    static let downgrades: [[ScriptedTransport.Step]] = [
        [.answer(401, [("www-authenticate", #"Bearer realm="http://quay.io/token""#)], "")],
        [.answer(307, [("location", "http://quay.io/v2/a/b/manifests/1")], "")],
    ]

    @Test(arguments: downgrades.indices)
    func nothingLeadsFromHTTPSToHTTP(_ index: Int) async throws {
        let (client, transport) = try secure(Self.downgrades[index])
        await #expect {
            try await client.getManifest("a/b", .tag("1"))
        } throws: { ($0 as? RegistryError)?.kind == .addressRefused }
        #expect(transport.sent.count == 1)
    }

    @Test func anUploadDoesNotLeadFromHTTPSToHTTP() async throws {
        let (client, transport) = try secure([.answer(202, [("location", "http://quay.io/v2/a/b/blobs/uploads/1")], "")]
        )
        await #expect {
            try await client.startUpload("a/b")
        } throws: { ($0 as? RegistryError)?.kind == .addressRefused }
        #expect(transport.sent.count == 1)
    }

    @Test func aTokenEndpointsRedirectIsNotFollowed() async throws {
        let (client, transport) = try secure([
            .answer(401, [("www-authenticate", #"Bearer realm="https://auth.quay.io/token""#)], ""),
            .answer(302, [("location", "https://elsewhere.example/")], ""),
        ])
        await #expect(throws: RegistryError.self) { try await client.getManifest("a/b", .tag("1")) }
        #expect(transport.sent.map(\.url).allSatisfy { !$0.contains("elsewhere") })
    }
}
