package import Configuring
import Foundation
package import Logging
package import Model
import NIOCore
import NIOHTTP1
import NIOPosix
package import Remotes

#if canImport(Glibc)
import Glibc
#endif

/// Shows the metrics: over HTTP where `metrics.listen` says so, with `/healthz` beside them, and in `metrics.textFile`.
package struct MetricsExporter: Sendable {
    /// How often the file is written; node_exporter reads it when it is asked itself.
    static let fileInterval = Duration.seconds(15)
    /// How long until an address that could not be listened on is tried again.
    static let listenPause = Duration.seconds(30)

    private let configuration: Configuration.Metrics
    private let text: @Sendable () throws -> String
    private let health: @Sendable () throws -> Health
    private let timeline: Timeline
    private let logger: Logger

    /// - Parameters:
    ///   - text: the figures of this moment in the exposition format.
    ///   - health: what the first line of `status` says at this moment.
    package init(
        _ configuration: Configuration.Metrics,
        timeline: Timeline,
        logger: Logger,
        text: @escaping @Sendable () throws -> String,
        health: @escaping @Sendable () throws -> Health
    ) {
        self.configuration = configuration
        self.text = text
        self.health = health
        self.timeline = timeline
        self.logger = logger
    }

    /// Runs until the task is cancelled; at once when metrics are off. What goes wrong is logged and stops no other
    /// work.
    ///
    /// - Parameter listening: told the port that was bound.
    package func run(listening: @escaping @Sendable (Int) -> Void = { _ in }) async {
        await withDiscardingTaskGroup { group in
            if let path = configuration.textFile { group.addTask { await keepFile(path) } }
            if let address = configuration.listen.flatMap({ AddressText.hostAndPort($0) }) {
                group.addTask { await keepListening(address.host, address.port, listening) }
            }
        }
    }

    /// Listens again after a failure: another program may hold the address for a while, or descriptors be short.
    private func keepListening(_ host: String, _ port: Int, _ listening: @Sendable (Int) -> Void) async {
        while !Task.isCancelled {
            do {
                try await listen(host, port, listening)
                return
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "Metrics are not served",
                    metadata: [
                        "address": "\(host):\(port)", "error": "\(error)", "retry.delay": "\(Self.listenPause)",
                    ]
                )
            }
            do { try await timeline.sleep(Self.listenPause) } catch { return }
        }
    }

    private func keepFile(_ path: String) async {
        while !Task.isCancelled {
            do {
                try Self.replace(path, with: try text())
            } catch {
                logger.warning("Metrics file not written", metadata: ["path": "\(path)", "error": "\(error)"])
            }
            do { try await timeline.sleep(Self.fileInterval) } catch { return }
        }
    }

    /// By a rename, so that a reader never sees half a file; node_exporter, another user, may read it.
    private static func replace(_ path: String, with text: String) throws {
        let fresh = path + ".new"
        try Data(text.utf8).write(to: URL(fileURLWithPath: fresh))
        guard chmod(fresh, 0o644) == 0, rename(fresh, path) == 0 else {
            let error = POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            unlink(fresh)
            throw error
        }
    }

    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>

    private func listen(_ host: String, _ port: Int, _ listening: @Sendable (Int) -> Void) async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 16)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    // A peer that says nothing is let go.
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(allTimeout: .seconds(10)))
                    try channel.pipeline.syncOperations.addHandler(CloseWhenIdle())
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ResponseBytes())
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        logger.info("Metrics listener started", metadata: ["address": "\(host):\(port)"])
        listening(server.channel.localAddress?.port ?? port)
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await serve(connection) }
                }
            }
        }
    }

    /// Answers one request and closes; a scraper opens the next connection itself.
    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                for try await part in inbound {
                    guard case .head(let head) = part else { continue }
                    let (status, body) = answer(head)
                    var headers: HTTPHeaders = ["connection": "close", "content-length": "\(body.utf8.count)"]
                    headers.add(name: "content-type", value: "text/plain; version=0.0.4; charset=utf-8")
                    let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
                    try await outbound.write(.head(response))
                    if head.method != .HEAD { try await outbound.write(.body(ByteBuffer(string: body))) }
                    try await outbound.write(.end(nil))
                    break
                }
            }
        } catch {
            // The peer went away; there is nobody to tell.
            logger.debug("Metrics connection ended early", metadata: ["error": "\(error)"])
        }
    }

    private func answer(_ head: HTTPRequestHead) -> (HTTPResponseStatus, String) {
        guard head.method == .GET || head.method == .HEAD else { return (.methodNotAllowed, "only GET\n") }
        do {
            switch head.uri.prefix(while: { $0 != "?" }) {
            case "/metrics": return (.ok, try text())
            case "/healthz":
                let health = try health()
                let words = ([health.state.rawValue] + health.reasons.map(Phrase.plain)).joined(separator: "\n")
                return (health.exitCode == 0 ? .ok : .serviceUnavailable, words + "\n")
            default: return (.notFound, "try /metrics or /healthz\n")
            }
        } catch {
            logger.warning("Metrics not read", metadata: ["error": "\(error)"])
            return (.internalServerError, "the record cannot be read\n")
        }
    }
}

/// Closes the connection when `IdleStateHandler` finds it silent.
private final class CloseWhenIdle: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

/// Lets responses be written as buffers, which may cross from one task to another.
private final class ResponseBytes: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPServerResponsePart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let bytes): .body(.byteBuffer(bytes))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
