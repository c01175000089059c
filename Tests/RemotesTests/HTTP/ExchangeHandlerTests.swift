import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Remotes

/// One exchange on a connection whose every step is seen.
@Suite struct ExchangeHandlerTests {
    /// Finds with the first piece of a body that the peer has gone, as a socket does, and never has room again.
    private final class Breaks: ChannelOutboundHandler {
        typealias OutboundIn = HTTPClientRequestPart

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            guard case .body = unwrapOutboundIn(data) else {
                promise?.succeed()
                return
            }
            promise?.fail(ChannelError.eof)
            context.fireChannelInactive()
        }
    }

    @Test func aConnectionThatBreaksInTheMiddleOfAWriteEndsTheSending() throws {
        let handler = ExchangeHandler(host: "a.example")
        let channel = EmbeddedChannel(handlers: [Breaks(), handler])
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let answer = channel.eventLoop.makePromise(of: ExchangeHandler.Answer.self)
        let head = HTTPRequestHead(version: .http1_1, method: .PUT, uri: "/")
        handler.begin(head, hasBody: true, patience: Patience(), channel: channel, promise: answer)
        let room = channel.eventLoop.makePromise(of: Void.self)
        channel.isWritable = false
        handler.write(ByteBuffer(string: "x"), channel: channel, promise: room)
        #expect(throws: TransportError.self) { try answer.futureResult.wait() }
        #expect(throws: ExchangeHandler.NoLongerWanted.self) { try room.futureResult.wait() }
    }
}
