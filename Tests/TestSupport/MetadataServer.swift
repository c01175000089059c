import NIOCore
import NIOHTTP1
import NIOPosix
package import Remotes
package import Synchronization

/// The metadata service of an instance and the credential endpoint of a container, on a free port of loopback.
///
/// As on EC2, version 1 is off: without the header of a session everything is 401, and a session begins with PUT.
package final class MetadataServer: Sendable {
    package struct State: Sendable {
        package var role: String? = "preclone-role"
        package var region = "eu-central-1"
        /// Metadata answers end here, as for a container one hop too far away from an instance.
        package var isOutOfReach = false
        package var containerToken = "container-token"
        package var expiration = "2026-09-21T20:00:00Z"
        package var log: [String] = []
        package var failures = 0
        package var sessions = 0
    }

    package let state = Mutex(State())
    private let port: Int
    private let channel: any Channel

    package var address: String { "http://127.0.0.1:\(port)" }
    package var log: [String] { state.withLock { $0.log } }

    package static func with<Value: Sendable>(_ body: @Sendable (MetadataServer, LiveTransport) async throws -> Value)
        async throws -> Value
    {
        let server = try await MetadataServer()
        let transport = try LiveTransport()
        let result: Result<Value, any Error>
        do { result = .success(try await body(server, transport)) } catch { result = .failure(error) }
        try await transport.shutdown()
        try await server.channel.close()
        return try result.get()
    }

    private init() async throws {
        let answer = Mutex<(@Sendable (HTTPRequestHead) -> (HTTPResponseStatus, String)?)?>(nil)
        let shared = Answering { head in answer.withLock { $0 }?(head) }
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Responder(shared))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
        answer.withLock { $0 = { [unowned self] head in self.answer(head) } }
    }

    private func answer(_ head: HTTPRequestHead) -> (HTTPResponseStatus, String)? {
        state.withLock { state in
            state.log.append("\(head.method.rawValue) \(head.uri)")
            if head.uri.hasPrefix("/creds") {
                guard head.headers.first(name: "Authorization") == state.containerToken else { return (.forbidden, "") }
                if state.failures > 0 {
                    state.failures -= 1
                    return (.internalServerError, "")
                }
                return (.ok, Self.document("CONTAINER", state.expiration))
            }
            guard !state.isOutOfReach else { return nil }
            if head.uri == "/latest/api/token" {
                guard head.method == .PUT, head.headers.first(name: "x-aws-ec2-metadata-token-ttl-seconds") == "21600"
                else { return (.badRequest, "") }
                state.sessions += 1
                return (.ok, "session-\(state.sessions)")
            }
            guard head.headers.first(name: "x-aws-ec2-metadata-token") == "session-\(state.sessions)" else {
                return (.unauthorized, "")
            }
            let roles = "/latest/meta-data/iam/security-credentials/"
            switch (head.uri, state.role) {
            case ("/latest/meta-data/placement/region", _): return (.ok, state.region)
            case (roles, let role?): return (.ok, role)
            case (let uri, let role?) where uri == roles + role: return (.ok, Self.document("EC2", state.expiration))
            default: return (.notFound, "<html>404</html>")
            }
        }
    }

    private static func document(_ id: String, _ expiration: String) -> String {
        #"{"Code":"Success","AccessKeyId":"\#(id)","SecretAccessKey":"s","Token":"t","Expiration":"\#(expiration)"}"#
    }
}

/// What a connection asks for its answers.
private final class Answering: Sendable {
    let answer: @Sendable (HTTPRequestHead) -> (HTTPResponseStatus, String)?

    init(_ answer: @escaping @Sendable (HTTPRequestHead) -> (HTTPResponseStatus, String)?) { self.answer = answer }
}

/// One connection. An answer that is none ends it.
private final class Responder: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let shared: Answering
    private var head: HTTPRequestHead?

    init(_ shared: Answering) { self.shared = shared }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head, let (status, body) = shared.answer(head) else { return context.close(promise: nil) }
            let response = HTTPResponseHead(
                version: .http1_1,
                status: status,
                headers: ["content-length": "\(body.utf8.count)"]
            )
            context.write(wrapOutboundOut(.head(response)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
