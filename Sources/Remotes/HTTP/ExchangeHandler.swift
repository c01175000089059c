import NIOCore
import NIOHTTP1

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The pieces of a response body, with back pressure down to the socket.
typealias BodyPieces = NIOThrowingAsyncSequenceProducer<
    ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, BodyDemand
>

/// One request and its response on a connection of HTTP/1.1, one after another; it runs on the connection's event loop.
///
/// It lets bytes be read only while somebody wants them, and counts as stalled only while it waits for the peer: a body of
/// ours that is slow to come is not the peer's fault. An answer ends the sending, however much was still to be sent.
final class ExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    /// The head of a response, with the stream of its body; nil when it has none.
    struct Answer: Sendable {
        var head: HTTPResponseHead
        var pieces: BodyPieces?
    }

    /// The connection was closed before anything of a request was written: another one will do.
    struct NotBegun: Error {}
    /// The answer is there, or the connection is gone: nobody takes more of the request.
    struct NoLongerWanted: Error {}

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
    private var isEnded = false
    private var keepsAlive = true
    private var wantsBytes = false
    private var owesRead = false
    /// Bytes of the body that are still to come, where the peer said how many it has.
    private var expected: Int?
    private var isGathering = false
    private var pendingWrites = 0
    /// Waits until the channel takes more.
    private var writer: EventLoopPromise<Void>?
    private var lastActivity = NIODeadline.now()
    private var sentAt: NIODeadline?
    private var patience = Patience()
    private var watch: Scheduled<Void>?
    private var deadline: Scheduled<Void>?
    private var exchange = 0
    /// Called when the connection can serve another request.
    var whenIdle: (() -> Void)?

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
            promise.fail(NotBegun())
            return
        }
        exchange += 1
        stage = .waiting(promise)
        isHead = head.method == .HEAD
        isRequestSent = false
        isEnded = false
        keepsAlive = true
        sentAt = nil
        self.patience = patience
        lastActivity = .now()
        watchOver(channel)
        write(.head(head), channel)
        if !hasBody { end(channel: channel) }
    }

    /// Writes a piece of the request's body; the promise is kept when there is room for more, and fails with
    /// `NoLongerWanted`.
    func write(_ piece: ByteBuffer, channel: any Channel, promise: EventLoopPromise<Void>) {
        guard case .waiting = stage, !isRequestSent, channel.isActive else {
            promise.fail(NoLongerWanted())
            return
        }
        if pendingWrites == 0 { lastActivity = .now() }
        write(.body(.byteBuffer(piece)), channel)
        // Writing may have found that the connection is over: then nothing comes any more that would keep the promise.
        guard case .waiting = stage, channel.isActive else {
            promise.fail(NoLongerWanted())
            return
        }
        if channel.isWritable { promise.succeed() } else { writer = promise }
    }

    func end(channel: any Channel) {
        guard case .waiting = stage, !isRequestSent, channel.isActive else { return }
        isRequestSent = true
        sentAt = .now()
        limitWhole(channel)
        write(.end(nil), channel)
        finishIfDone(channel)
    }

    func wantMore(of exchange: Int, channel: any Channel) {
        guard exchange == self.exchange, case .streaming = stage, !wantsBytes else { return }
        wantsBytes = true
        lastActivity = .now()
        if owesRead {
            owesRead = false
            channel.pipeline.syncOperations.read()
        }
    }

    /// Nobody reads the body any more.
    func lostInterest(in exchange: Int, channel: any Channel) {
        guard exchange == self.exchange, case .streaming = stage else { return }
        stage = .closed
        channel.close(promise: nil)
    }

    private func write(_ part: HTTPClientRequestPart, _ channel: any Channel) {
        pendingWrites += 1
        let done = channel.eventLoop.makePromise(of: Void.self)
        done.futureResult.assumeIsolated().whenComplete { result in
            self.pendingWrites -= 1
            self.lastActivity = .now()
            if case .failure(let error as HTTPParserError) = result {
                self.fail(TransportError(kind: .invalidRequest, host: self.host, detail: "a header is none: \(error)"))
                channel.close(promise: nil)
            }
        }
        channel.pipeline.syncOperations.writeAndFlush(NIOAny(part), promise: done)
    }

    // MARK: From the channel

    func read(context: ChannelHandlerContext) {
        if case .streaming = stage, !wantsBytes { owesRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { stopWriter(nil) }
        context.fireChannelWritabilityChanged()
    }

    private func stopWriter(_ error: (any Error)?) {
        let waiting = writer
        writer = nil
        if let error { waiting?.fail(error) } else { waiting?.succeed() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head, context)
        case .body(let piece):
            guard case .streaming(let source) = stage else { return }
            if let left = expected {
                expected = left - piece.readableBytes
                if left - piece.readableBytes < Self.gathered * 2 { gather(false, context.channel) }
            }
            switch source.yield(piece) {
            case .produceMore: break
            case .stopProducing: wantsBytes = false
            case .dropped:
                stage = .closed
                context.close(promise: nil)
            }
        case .end:
            isEnded = true
            if case .streaming(let source) = stage {
                stage = .ending
                finishIfDone(context.channel)
                source.finish()
            } else {
                finishIfDone(context.channel)
            }
        }
    }

    private func receive(_ head: HTTPResponseHead, _ context: ChannelHandlerContext) {
        guard case .waiting(let promise) = stage else {
            // Nobody asked: whatever it is, it is not an answer.
            stage = .closed
            context.close(promise: nil)
            return
        }
        keepsAlive = head.isKeepAlive
        stopWriter(NoLongerWanted())
        if deadline == nil { limitWhole(context.channel) }
        if isHead || [204, 304].contains(head.status.code) || head.headers.first(name: "content-length") == "0" {
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
        expected = head.headers.first(name: "content-length").flatMap { Int($0) }
        gather((expected ?? 0) > Self.gathered * 4, context.channel)
        promise.succeed(Answer(head: head, pieces: made.sequence))
    }

    /// Bytes that a long body is woken up for: what trickles is not worth a piece of its own.
    private static let gathered = 64 << 10

    /// Lets the kernel gather bytes before it tells of them. The last ones are told of as they come, and a part of a
    /// record of TLS may have been read already.
    private func gather(_ isOn: Bool, _ channel: any Channel) {
        guard isOn != isGathering else { return }
        isGathering = isOn
        let option = ChannelOptions.socketOption(.init(rawValue: SO_RCVLOWAT))
        try? channel.syncOptions?.setOption(option, value: isOn ? Self.gathered : 1)
    }

    private func finishIfDone(_ channel: any Channel) {
        guard case .ending = stage, isEnded else { return }
        stopWatching()
        guard keepsAlive, isRequestSent else {
            stage = .closed
            channel.close(promise: nil)
            return
        }
        stage = .idle
        whenIdle?()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(TransportError(kind: .cut, host: host, detail: "the connection was closed by the peer"))
        whenIdle = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let detail =
            switch error {
            case HTTPParserError.invalidEOFState: "the connection was closed in the middle of the answer"
            case is HTTPParserError: "the answer is not HTTP: \(error)"
            default: "the connection broke: \(error)"
            }
        fail(TransportError(kind: .cut, host: host, detail: detail))
        context.close(promise: nil)
    }

    private func fail(_ error: TransportError) {
        stopWatching()
        stopWriter(NoLongerWanted())
        let former = stage
        stage = .closed
        switch former {
        case .waiting(let promise): promise.fail(error)
        case .streaming(let source): source.finish(error)
        case .idle, .ending, .closed: break
        }
    }

    // MARK: Patience

    /// From now on the answer may take so long and no longer.
    private func limitWhole(_ channel: any Channel) {
        guard let whole = patience.whole else { return }
        let exchange = exchange
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(whole)) {
            guard exchange == self.exchange else { return }
            self.giveUp("the answer was not whole within \(whole)", channel)
        }
    }

    private func giveUp(_ detail: String, _ channel: any Channel) {
        fail(TransportError(kind: .stalled, host: host, detail: detail))
        channel.close(promise: nil)
    }

    private func stopWatching() {
        watch?.cancel()
        watch = nil
        deadline?.cancel()
        deadline = nil
    }

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
        var limit = patience.idle
        switch stage {
        case .idle, .closed: return
        case .waiting:
            isWaiting = isRequestSent || pendingWrites > 0
            if isRequestSent, pendingWrites == 0 { limit += patience.digestion }
        case .streaming:
            isWaiting = wantsBytes
            // What is less than is told of may have come all the same.
            if NIODeadline.now() - lastActivity >= TimeAmount(limit / 2) { gather(false, channel) }
        case .ending: isWaiting = true
        }
        if isWaiting, NIODeadline.now() - lastActivity >= TimeAmount(limit) {
            giveUp("no byte passed for \(limit)", channel)
        } else if case .waiting = stage, let limit = patience.head, let sentAt,
            NIODeadline.now() - sentAt >= TimeAmount(limit)
        {
            giveUp("no answer within \(limit)", channel)
        } else {
            watchOver(channel)
        }
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
