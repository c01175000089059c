import NIOCore
import NIOHTTP1

/// The pieces of a response body, with back pressure down to the socket.
typealias BodyPieces = NIOThrowingAsyncSequenceProducer<
    ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, BodyDemand
>

/// One request and its response on a connection of HTTP/1.1, one after another; it runs on the connection's event loop.
///
/// It reads only while somebody wants bytes, and counts as stalled only while it waits for the peer: a body of ours that
/// is slow to come is not the peer's fault.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// The head of a response, with the stream of its body; nil when it has none.
    struct Answer: Sendable {
        var head: HTTPResponseHead
        var pieces: BodyPieces?
    }

    private enum Stage {
        /// In the pool, or not used yet.
        case idle
        case waiting(EventLoopPromise<Answer>)
        case streaming(BodyPieces.Source)
        /// The response has no body, or nobody wants it any more.
        case ending
        case closed
    }

    private let host: String
    private var stage = Stage.idle
    private var isRequestSent = false
    private var isHead = false
    private var keepsAlive = true
    private var wantsBytes = false
    private var pendingWrites = 0
    private var lastActivity = NIODeadline.now()
    private var sentAt: NIODeadline?
    private var patience = Patience()
    private var watch: Scheduled<Void>?
    private var exchange = 0
    /// Called when the connection can serve another request.
    var whenIdle: (() -> Void)?
    /// Whether any byte of the current response has arrived.
    private(set) var hasAnswered = false

    init(host: String) { self.host = host }

    // MARK: From outside, on the event loop

    func begin(
        _ head: HTTPRequestHead,
        hasBody: Bool,
        patience: Patience,
        channel: any Channel,
        promise: EventLoopPromise<Answer>
    ) {
        guard case .idle = stage, channel.isActive else {
            promise.fail(TransportError(kind: .cut, host: host, detail: "the connection was closed before it was used"))
            return
        }
        exchange += 1
        stage = .waiting(promise)
        isHead = head.method == .HEAD
        isRequestSent = false
        hasAnswered = false
        keepsAlive = true
        sentAt = nil
        self.patience = patience
        lastActivity = .now()
        watchOver(channel)
        let parts = channel.pipeline.syncOperations
        pendingWrites += 1
        if hasBody {
            parts.writeAndFlush(NIOAny(HTTPClientRequestPart.head(head)), promise: written(channel))
        } else {
            parts.write(NIOAny(HTTPClientRequestPart.head(head)), promise: nil)
            parts.writeAndFlush(NIOAny(HTTPClientRequestPart.end(nil)), promise: written(channel))
            requestSent()
        }
        channel.read()
    }

    /// Writes a piece of the request's body; fails when the connection is gone.
    func write(_ piece: ByteBuffer, channel: any Channel, promise: EventLoopPromise<Void>) {
        guard !isRequestSent, channel.isActive else {
            promise.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if pendingWrites == 0 { lastActivity = .now() }
        pendingWrites += 1
        let done = written(channel)
        done.futureResult.cascade(to: promise)
        channel.pipeline.syncOperations.writeAndFlush(
            NIOAny(HTTPClientRequestPart.body(.byteBuffer(piece))),
            promise: done
        )
    }

    func end(channel: any Channel) {
        guard !isRequestSent, channel.isActive else { return }
        pendingWrites += 1
        channel.pipeline.syncOperations.writeAndFlush(
            NIOAny(HTTPClientRequestPart.end(nil)),
            promise: written(channel)
        )
        requestSent()
        finishIfDone(channel)
    }

    func wantMore(of exchange: Int, channel: any Channel) {
        guard exchange == self.exchange, case .streaming = stage else { return }
        if !wantsBytes {
            wantsBytes = true
            lastActivity = .now()
            channel.read()
        }
    }

    /// Nobody reads the body any more.
    func lostInterest(in exchange: Int, channel: any Channel) {
        guard exchange == self.exchange, case .streaming = stage else { return }
        stage = .closed
        channel.close(promise: nil)
    }

    private func written(_ channel: any Channel) -> EventLoopPromise<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.pendingWrites -= 1
            self.lastActivity = .now()
        }
        return promise
    }

    private func requestSent() {
        isRequestSent = true
        sentAt = .now()
        lastActivity = .now()
    }

    // MARK: From the peer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head, context)
        case .body(let piece):
            guard case .streaming(let source) = stage else { return }
            switch source.yield(piece) {
            case .produceMore: break
            case .stopProducing: wantsBytes = false
            case .dropped:
                stage = .closed
                context.close(promise: nil)
            }
        case .end:
            switch stage {
            case .streaming(let source):
                stage = .ending
                isEnded = true
                finishIfDone(context.channel)
                source.finish()
            case .ending:
                isEnded = true
                finishIfDone(context.channel)
            case .idle, .waiting, .closed: break
            }
        }
    }

    private var isEnded = false

    private func receive(_ head: HTTPResponseHead, _ context: ChannelHandlerContext) {
        guard case .waiting(let promise) = stage else {
            // Nobody asked: whatever it is, it is not an answer.
            stage = .closed
            context.close(promise: nil)
            return
        }
        hasAnswered = true
        isEnded = false
        keepsAlive = head.isKeepAlive
        let hasNoBody =
            isHead || [204, 304].contains(head.status.code) || head.headers.first(name: "content-length") == "0"
        if hasNoBody {
            stage = .ending
            promise.succeed(Answer(head: head, pieces: nil))
            return
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let made = BodyPieces.makeSequence(
            elementType: ByteBuffer.self,
            failureType: (any Error).self,
            backPressureStrategy: .init(lowWatermark: 2, highWatermark: 4),
            finishOnDeinit: true,
            delegate: BodyDemand(handler: bound, channel: context.channel, exchange: exchange)
        )
        wantsBytes = true
        stage = .streaming(made.source)
        promise.succeed(Answer(head: head, pieces: made.sequence))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch stage {
        case .idle, .waiting, .ending: context.read()
        case .streaming: if wantsBytes { context.read() }
        case .closed: break
        }
        context.fireChannelReadComplete()
    }

    private func finishIfDone(_ channel: any Channel) {
        guard case .ending = stage, isEnded else { return }
        watch?.cancel()
        watch = nil
        guard keepsAlive, isRequestSent else {
            stage = .closed
            channel.close(promise: nil)
            return
        }
        stage = .idle
        channel.read()
        whenIdle?()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(TransportError(kind: .cut, host: host, detail: "the connection was closed by the peer"))
        whenIdle = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let kind: TransportError.Kind = error is HTTPParserError ? .invalidRequest : .cut
        let failure =
            kind == .cut
            ? TransportError(kind: .cut, host: host, detail: "the connection broke: \(error)")
            : TransportError(kind: .cut, host: host, detail: "the answer is not HTTP: \(error)")
        fail(failure)
        context.close(promise: nil)
    }

    private func fail(_ error: TransportError) {
        watch?.cancel()
        watch = nil
        let former = stage
        stage = .closed
        switch former {
        case .waiting(let promise): promise.fail(error)
        case .streaming(let source): source.finish(error)
        case .idle, .ending, .closed: break
        }
    }

    // MARK: Patience

    private func watchOver(_ channel: any Channel) {
        watch?.cancel()
        let step = max(TimeAmount.nanoseconds(TimeAmount(patience.idle).nanoseconds / 4), .milliseconds(5))
        let exchange = exchange
        watch = channel.eventLoop.assumeIsolated().scheduleTask(in: step) {
            guard exchange == self.exchange else { return }
            self.look(channel)
        }
    }

    private func look(_ channel: any Channel) {
        let isWaiting: Bool
        switch stage {
        case .idle, .closed: return
        case .waiting: isWaiting = isRequestSent || pendingWrites > 0
        case .streaming: isWaiting = wantsBytes
        case .ending: isWaiting = true
        }
        var limit = patience.idle
        if case .waiting = stage, isRequestSent, pendingWrites == 0 { limit += patience.digestion }
        if isWaiting, NIODeadline.now() - lastActivity >= TimeAmount(limit) {
            fail(TransportError(kind: .stalled, host: host, detail: "no byte passed for \(limit)"))
            channel.close(promise: nil)
            return
        }
        if case .waiting = stage, let limit = patience.head, let sentAt, NIODeadline.now() - sentAt >= TimeAmount(limit)
        {
            fail(TransportError(kind: .stalled, host: host, detail: "no answer within \(limit)"))
            channel.close(promise: nil)
            return
        }
        watchOver(channel)
    }
}

/// Passes a reader's appetite on to the event loop.
struct BodyDemand: NIOAsyncSequenceProducerDelegate {
    let handler: NIOLoopBound<ExchangeHandler>
    let channel: any Channel
    let exchange: Int

    func produceMore() {
        channel.eventLoop.execute { handler.value.wantMore(of: exchange, channel: channel) }
    }

    func didTerminate() {
        channel.eventLoop.execute { handler.value.lostInterest(in: exchange, channel: channel) }
    }
}
