import Foundation
import NIOCore
import NIOHTTP1
import Remotes
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a transport makes of peers that misbehave on the wire.
@Suite struct WireTests {
    private func with(
        _ conduct: @escaping RawPeer.Conduct,
        _ body: (RawPeer, LiveTransport) async throws -> Void
    ) async throws {
        try await RawPeer.with(conduct) { peer in
            let transport = try LiveTransport()
            try await body(peer, transport)
            try await transport.shutdown()
        }
    }

    private func request(_ peer: RawPeer, _ method: HTTPMethod = .GET) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(peer.port)/x")
        request.method = method
        return request
    }

    @Test func anAnswerEndsTheSending() async throws {
        // Nothing more is read: what we send has nowhere to go.
        try await with { _, _, channel in
            channel.setOption(ChannelOptions.autoRead, value: false).whenComplete { _ in
                let body = String(repeating: "x", count: 150_000)
                channel.say("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 150000\r\n\r\n" + body)
            }
        } _: { peer, transport in
            var request = request(peer, .PUT)
            let piece = ByteBuffer(repeating: 1, count: 1 << 20)
            request.body = .stream(Endless(piece: piece), length: 1 << 40)
            let response = try await transport.send(request, patience: Patience())
            #expect(response.status == .payloadTooLarge)
            #expect(try await response.body.collect(upTo: 1 << 20).readableBytes == 150_000)
        }
    }

    private struct Endless: AsyncSequence, Sendable {
        typealias Element = ByteBuffer
        let piece: ByteBuffer
        func makeAsyncIterator() -> Iterator { Iterator(piece: piece) }
        struct Iterator: AsyncIteratorProtocol {
            let piece: ByteBuffer
            mutating func next() async throws -> ByteBuffer? { piece }
        }
    }

    @Test func aLongBodyInSmallPiecesComesWhole() async throws {
        try await with { number, _, channel in
            channel.say("HTTP/1.1 200 OK\r\nContent-Length: \(299_999 + number)\r\n\r\n")
            for piece in 0..<300 { channel.say(String(repeating: "x", count: piece == 299 ? 999 + number : 1_000)) }
        } _: { peer, transport in
            for number in 1...3 {
                let response = try await transport.send(request(peer), patience: Patience())
                #expect(try await response.body.collect(upTo: 1 << 20).readableBytes == 299_999 + number)
            }
        }
    }

    @Test func aLongBodyThatComesSlowlyIsNotTakenForNone() async throws {
        try await with { _, _, channel in
            channel.say("HTTP/1.1 200 OK\r\nContent-Length: 270000\r\n\r\n" + String(repeating: "x", count: 130_000))
            channel.trickle(String(repeating: "x", count: 1_000), every: .milliseconds(50))
        } _: { peer, transport in
            let response = try await transport.send(request(peer), patience: Patience(idle: .seconds(2)))
            var received = 0
            for try await piece in response.body {
                received += piece.readableBytes
                if received > 190_000 { break }
            }
            #expect(received > 190_000)
        }
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "])
    func whatTricklesForEverEnds(_ start: String) async throws {
        let isBody = start.hasSuffix("\r\n\r\n")
        try await with { _, _, channel in
            channel.say(start)
            channel.trickle(isBody ? "1\r\nx\r\n" : "x", every: .milliseconds(5))
        } _: { peer, transport in
            await #expect {
                let patience = Patience(idle: .seconds(600), whole: .milliseconds(200))
                let response = try await transport.send(request(peer), patience: patience)
                for try await _ in response.body {}
            } throws: { error in
                (error as? TransportError)?.kind == .stalled && "\(error)".contains("not whole")
            }
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "closed in the middle"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "closed in the middle"),
        ("HTTP/1.1 200 OK\r\nX", "closed"), ("", "closed by the peer"), ("SSH-2.0-x\r\n", "not HTTP"),
    ])
    func whatBreaksOffIsCut(_ answer: String, _ word: String) async throws {
        try await with { _, _, channel in
            channel.writeAndFlush(ByteBuffer(string: answer)).whenComplete { _ in channel.close(promise: nil) }
        } _: { peer, transport in
            await #expect {
                let response = try await transport.send(request(peer), patience: Patience())
                for try await _ in response.body {}
            } throws: { error in
                (error as? TransportError)?.kind == .cut && "\(error)".contains(word)
            }
        }
    }

    @Test(arguments: ["a\r\nX-Other: b", "a\nb", "a\u{0}b", "a\rb"])
    func noHeaderOfOursBecomesTwo(_ value: String) async throws {
        try await with { _, _, channel in
            channel.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        } _: { peer, transport in
            var request = request(peer)
            request.headers.add(name: "x-ours", value: value)
            await #expect {
                try await transport.send(request, patience: Patience())
            } throws: { ($0 as? TransportError)?.kind == .invalidRequest }
            #expect(peer.asked.isEmpty)
        }
    }

    @Test func anAddressThatSwallowsEverythingCostsLittle() async throws {
        // Its queue of connections is full, so that whoever knocks gets no answer at all.
        let hole = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(hole) }
        var yes: Int32 = 1
        setsockopt(hole, Int32(IPPROTO_IPV6), Int32(IPV6_V6ONLY), &yes, socklen_t(MemoryLayout<Int32>.size))
        try await RawPeer.with { _, _, channel in
            channel.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        } _: { peer in
            let address = try SocketAddress(ipAddress: "::1", port: peer.port)
            let isBound = address.withSockAddr { bind(hole, $0, socklen_t($1)) == 0 }
            // No IPv6 here, or the port is somebody's: nothing to show.
            guard isBound, listen(hole, 0) == 0 else { return }
            var knocking: [Int32] = []
            defer { for one in knocking { close(one) } }
            for _ in 0..<4 {
                let one = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
                _ = fcntl(one, F_SETFL, O_NONBLOCK)
                _ = address.withSockAddr { connect(one, $0, socklen_t($1)) }
                knocking.append(one)
            }
            let transport = try LiveTransport(
                .init(
                    resolver: AddressGuardTests.Substitute(
                        answers: ["two.test": ["::1", "127.0.0.1"]],
                        asked: AskedNames()
                    )
                )
            )
            let response = try await transport.send(
                HTTPClientRequest(url: "http://two.test:\(peer.port)/"),
                patience: Patience(connect: .seconds(3600))
            )
            #expect(String(buffer: try await response.body.collect(upTo: 10)) == "ok")
            try await transport.shutdown()
        }
    }

    // MARK: TLS

    private func secure(
        _ spoilt: SecureServer.Spoilt,
        times: Int,
        authority isKnown: Bool = true,
        _ body: (LiveTransport, String) async throws -> Void
    ) async throws {
        let certificates = try TestCertificates()
        let made = try certificates.make(for: "aws.test")
        let server = try await SecureServer.start(
            certificate: made.certificate,
            key: made.key,
            spoilt: spoilt,
            times: times
        )
        let transport = try LiveTransport(
            .init(
                certificateAuthorityFiles: isKnown ? [made.certificate] : [],
                resolver: AddressGuardTests.Substitute(answers: ["aws.test": ["127.0.0.1"]], asked: AskedNames())
            )
        )
        do { try await body(transport, "https://aws.test:\(server.port)") } catch {
            await server.stop()
            throw error
        }
        try await transport.shutdown()
        await server.stop()
    }

    @Test(arguments: [SecureServer.Spoilt.reset, .ended, .silentEnd])
    func aHandshakeThatBreaksOffIsTriedAgain(_ spoilt: SecureServer.Spoilt) async throws {
        try await secure(spoilt, times: 3) { transport, url in
            await #expect {
                try await transport.send(HTTPClientRequest(url: url), patience: Patience())
            } throws: { error in
                (error as? TransportError)?.kind == .connect && (error as? TransportError)?.isWorthRetrying == true
            }
            let client = AWSClient(
                endpoint: AWSClient.Endpoint(service: "omics", signingName: "omics", url: url),
                region: "us-east-1",
                transport: transport,
                credentials: { _ in AWSClientTests.keys },
                timeline: AWSClientTests.timeline(ManualClock())
            )
            let answer = try await client.call("GetRun", method: "GET", path: "/run/1")
            #expect(answer.status == 200)
        }
    }

    @Test(arguments: [SecureServer.Spoilt.alert, .none])
    func aRefusalOfEitherSideIsOne(_ spoilt: SecureServer.Spoilt) async throws {
        try await secure(spoilt, times: 1, authority: spoilt == .alert) { transport, url in
            await #expect {
                try await transport.send(HTTPClientRequest(url: url), patience: Patience())
            } throws: { ($0 as? TransportError)?.kind == .tls }
        }
    }
}
