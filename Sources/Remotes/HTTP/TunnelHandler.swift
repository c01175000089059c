import NIOCore

/// Asks a proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6) and takes itself out of the pipeline when it has one.
final class TunnelHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let target: String
    private let authorization: String?
    private let opened: EventLoopPromise<Void>
    private var received = ByteBuffer()
    private var isDone = false

    init(target: String, authorization: String?, opened: EventLoopPromise<Void>) {
        self.target = target
        self.authorization = authorization
        self.opened = opened
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { ask(context) }
    }

    func channelActive(context: ChannelHandlerContext) { ask(context) }

    private func ask(_ context: ChannelHandlerContext) {
        var text = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let authorization { text += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text + "\r\n")), promise: nil)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        let bytes = received.readableBytesView
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            if received.readableBytes > 16_384 { fail(context, "the proxy's answer has no end") }
            return
        }
        let words = String(decoding: bytes.prefix { $0 != 0x0d }, as: UTF8.self).split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            fail(context, "the proxy does not speak HTTP")
            return
        }
        guard status == 200 else {
            fail(context, "the proxy refused the tunnel with \(status)")
            return
        }
        // The host behind the tunnel speaks only when it was spoken to.
        guard end.upperBound == bytes.endIndex else {
            fail(context, "the proxy sent more than its answer")
            return
        }
        isDone = true
        context.pipeline.syncOperations.removeHandler(self, promise: opened)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isDone { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context, "the proxy closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, "\(error)") }

    private func fail(_ context: ChannelHandlerContext, _ detail: String) {
        guard !isDone else { return }
        isDone = true
        opened.fail(TransportError(kind: .proxy, host: target, detail: detail))
        context.close(promise: nil)
    }
}
