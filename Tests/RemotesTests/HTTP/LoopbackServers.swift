import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Remotes
import Synchronization
import TestSupport

/// Certificates of one's own, made for a test and gone with it.
final class TestCertificates: Sendable {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Paths of a certificate that is its own authority, and of its key.
    func make(for host: String) throws -> (certificate: String, key: String) {
        let certificate = folder.appendingPathComponent("\(host).pem").path
        let key = folder.appendingPathComponent("\(host).key").path
        try runProgram(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=\(host)", "-addext", "subjectAltName=DNS:\(host)", "-keyout", key, "-out", certificate,
            ]
        )
        return (certificate, key)
    }

    func file(_ name: String, _ text: String) throws -> String {
        let file = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}

/// A server of https on loopback that answers every request with its name, and keeps what it was sent.
final class SecureServer: Sendable {
    let asked: AskedNames
    let port: Int
    private let channel: any Channel

    private init(channel: any Channel, asked: AskedNames) {
        self.channel = channel
        self.asked = asked
        port = channel.localAddress?.port ?? 0
    }

    /// What becomes of a handshake.
    enum Spoilt: Sendable { case none, reset, ended, silentEnd, alert }

    /// - Parameter times: the first connections that are spoilt; later ones are as they should be.
    static func start(
        certificate: String,
        key: String,
        spoilt: Spoilt = .none,
        times: Int = 0
    ) async throws -> SecureServer {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
        let tls = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            )
        )
        let asked = AskedNames()
        let connections = Mutex(0)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = connections.withLock { number in
                        number += 1
                        return number
                    }
                    if spoilt != .none, number <= times {
                        try channel.pipeline.syncOperations.addHandler(Spoiler(spoilt: spoilt))
                        return
                    }
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(asked: asked))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return SecureServer(channel: channel, asked: asked)
    }

    func stop() async { try? await channel.close() }

    /// Ends a handshake when it has begun.
    private final class Spoiler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let spoilt: Spoilt

        init(spoilt: Spoilt) { self.spoilt = spoilt }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch spoilt {
            case .none: break
            case .reset: context.channel.reset()
            case .ended: context.close(promise: nil)
            case .silentEnd:
                // The beginning of a record, and then the end.
                context.channel.say("\u{16}\u{3}\u{3}")
                context.close(promise: nil)
            case .alert:
                // A fatal alert of a failed handshake (RFC 8446 section 6).
                let alert = ByteBuffer(bytes: [0x15, 3, 3, 0, 2, 2, 40])
                context.channel.writeAndFlush(alert, promise: nil)
            }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let asked: AskedNames

        init(asked: AskedNames) { self.asked = asked }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                asked.add("\(head.uri) \(head.headers.first(name: "proxy-authorization") ?? "-")")
            case .body: break
            case .end:
                let body = ByteBuffer(string: "hello")
                context.write(
                    wrapOutboundOut(
                        .head(.init(version: .http1_1, status: .ok, headers: ["content-length": "5"]))
                    ),
                    promise: nil
                )
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}

/// A proxy on loopback that opens tunnels, and leads every name to one port of this machine. Requests for http it
/// answers by itself.
final class ConnectProxy: Sendable {
    /// First line and `Proxy-Authorization` of every request.
    let asked: AskedNames
    let port: Int
    private let channel: any Channel

    private init(channel: any Channel, asked: AskedNames) {
        self.channel = channel
        self.asked = asked
        port = channel.localAddress?.port ?? 0
    }

    /// - Parameter authorization: the header without which nobody gets a tunnel.
    static func start(target: Int, authorization: String? = nil) async throws -> ConnectProxy {
        let asked = AskedNames()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Front(target: target, authorization: authorization, asked: asked)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ConnectProxy(channel: channel, asked: asked)
    }

    func stop() async { try? await channel.close() }

    private final class Front: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let target: Int
        private let authorization: String?
        private let asked: AskedNames
        private var received = ByteBuffer()
        private var peer: (any Channel)?

        init(target: Int, authorization: String?, asked: AskedNames) {
            self.target = target
            self.authorization = authorization
            self.asked = asked
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            if let peer {
                peer.writeAndFlush(buffer, promise: nil)
                return
            }
            received.writeBuffer(&buffer)
            let text = String(buffer: received)
            guard text.hasSuffix("\r\n\r\n") else { return }
            received.clear()
            let lines = text.components(separatedBy: "\r\n")
            let shown = lines.first { $0.lowercased().hasPrefix("proxy-authorization: ") }?.dropFirst(21)
            asked.add("\(lines[0]) \(shown ?? "-")")
            guard authorization.map({ $0 == shown ?? "" }) ?? true else {
                answer("407 Proxy Authentication Required", context)
                return
            }
            guard lines[0].hasPrefix("CONNECT ") else {
                answer("200 OK", context)
                return
            }
            let front = context.channel
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(front: front))
                    }
                }
                .connect(host: "127.0.0.1", port: target)
                .assumeIsolated()
                .whenComplete { result in
                    guard case .success(let channel) = result else {
                        front.close(promise: nil)
                        return
                    }
                    self.peer = channel
                    front.writeAndFlush(
                        ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n"),
                        promise: nil
                    )
                }
        }

        private func answer(_ status: String, _ context: ChannelHandlerContext) {
            let text = "HTTP/1.1 \(status)\r\nContent-Length: 5\r\n\r\nproxy"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { peer?.close(promise: nil) }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let front: any Channel

        init(front: any Channel) { self.front = front }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            front.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
    }
}
