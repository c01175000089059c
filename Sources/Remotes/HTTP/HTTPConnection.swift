import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A connection of HTTP/1.1 to an origin, perhaps through a proxy.
struct HTTPConnection: Sendable {
    let channel: any Channel
    let handler: NIOLoopBound<ExchangeHandler>
    /// Requests go to the proxy in absolute form.
    let isForwarded: Bool

    var isUsable: Bool { channel.isActive }

    func close() { channel.close(promise: nil) }

    /// Sends a request and returns with the head of the response.
    ///
    /// - Throws: `TransportError`, what the request's body throws, `CancellationError`.
    func exchange(
        _ request: HTTPClientRequest,
        to address: WebAddress,
        proxyAuthorization: String?,
        patience: Patience
    ) async throws -> HTTPClientResponse {
        var headers = request.headers
        headers.replaceOrAdd(name: "host", value: address.origin.authority)
        if isForwarded, let proxyAuthorization {
            headers.replaceOrAdd(name: "proxy-authorization", value: proxyAuthorization)
        }
        var pieces = request.body.map { RequestPieces(body: $0, declared: headers.first(name: "content-length")) }
        if pieces != nil, headers.first(name: "content-length") == nil {
            if let length = try await pieces?.measure() {
                headers.replaceOrAdd(name: "content-length", value: String(length))
            } else {
                headers.replaceOrAdd(name: "transfer-encoding", value: "chunked")
            }
        }
        let head = HTTPRequestHead(
            version: .http1_1,
            method: request.method,
            uri: isForwarded ? address.description : address.target,
            headers: headers
        )
        let hasBody = pieces != nil
        let promise = channel.eventLoop.makePromise(of: ExchangeHandler.Answer.self)
        channel.eventLoop.execute {
            handler.value.begin(head, hasBody: hasBody, patience: patience, channel: channel, promise: promise)
        }
        let answer = try await withTaskCancellationHandler {
            do {
                if let pieces {
                    return try await send(pieces, answer: promise.futureResult)
                }
                return try await promise.futureResult.get()
            } catch {
                try Task.checkCancellation()
                throw error
            }
        } onCancel: {
            close()
        }
        return HTTPClientResponse(
            version: answer.head.version,
            status: answer.head.status,
            headers: answer.head.headers,
            body: answer.pieces.map { .stream($0) } ?? HTTPClientResponse.Body()
        )
    }

    private enum Event: Sendable {
        case answered(ExchangeHandler.Answer)
        case written
    }

    /// Writes the body while it waits for the answer, which may come before the body's end.
    private func send(
        _ pieces: RequestPieces,
        answer: EventLoopFuture<ExchangeHandler.Answer>
    ) async throws -> ExchangeHandler.Answer {
        try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask { .answered(try await answer.get()) }
            group.addTask {
                do {
                    try await write(pieces)
                } catch let error as CancellationError {
                    // The answer came first, or the whole request is cancelled, which closes the connection anyway.
                    throw error
                } catch {
                    // Half a request is on the wire: nothing else can follow it.
                    close()
                    throw error
                }
                return .written
            }
            while let event = try await group.next() {
                if case .answered(let answer) = event {
                    group.cancelAll()
                    return answer
                }
            }
            throw TransportError(kind: .cut, host: "", detail: "no answer")
        }
    }

    private func write(_ pieces: RequestPieces) async throws {
        var previous: EventLoopFuture<Void>?
        do {
            for try await piece in pieces {
                // One piece is being written while the next is made ready.
                do { try await previous?.get() } catch { throw PeerGone() }
                let promise = channel.eventLoop.makePromise(of: Void.self)
                channel.eventLoop.execute { handler.value.write(piece, channel: channel, promise: promise) }
                previous = promise.futureResult
            }
            do { try await previous?.get() } catch { throw PeerGone() }
        } catch is PeerGone {
            // The answer, or the end of the connection, tells why.
            return
        }
        channel.eventLoop.execute { handler.value.end(channel: channel) }
    }

    private struct PeerGone: Error {}
}

/// The body of a request, with the pieces that were looked at to find its length.
struct RequestPieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let body: HTTPClientRequest.Body
    private var isWhole = false
    private var first: ByteBuffer?

    init(body: HTTPClientRequest.Body, declared: String?) { self.body = body }

    /// The length, when the body is one piece; nil otherwise.
    mutating func measure() async throws -> Int? {
        var iterator = body.makeAsyncIterator()
        guard let piece = try await iterator.next(isolation: #isolation) else {
            isWhole = true
            return 0
        }
        guard try await iterator.next(isolation: #isolation) == nil else { return nil }
        isWhole = true
        first = piece
        return piece.readableBytes
    }

    func makeAsyncIterator() -> Iterator {
        Iterator(rest: isWhole ? nil : body.makeAsyncIterator(), first: first)
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var rest: HTTPClientRequest.Body.AsyncIterator?
        fileprivate var first: ByteBuffer?

        mutating func next() async throws -> ByteBuffer? {
            if let piece = first {
                first = nil
                return piece
            }
            return try await rest?.next(isolation: #isolation)
        }
    }
}
