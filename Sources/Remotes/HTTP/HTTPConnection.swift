import NIOCore
import NIOHTTP1

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
    /// - Throws: `TransportError`, `ExchangeHandler.NotBegun`, what the request's body throws, `CancellationError`.
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
        if let body = request.body, !headers.contains(name: "content-length") {
            if let length = body.length {
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
        let hasBody = request.body != nil
        let promise = channel.eventLoop.makePromise(of: ExchangeHandler.Answer.self)
        channel.eventLoop.execute {
            handler.value.begin(head, hasBody: hasBody, patience: patience, channel: channel, promise: promise)
        }
        let answer = try await withTaskCancellationHandler {
            do {
                if let body = request.body {
                    return try await send(body, answer: promise.futureResult)
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
            status: answer.head.status,
            headers: answer.head.headers,
            body: answer.pieces.map { .stream($0) } ?? HTTPBody()
        )
    }

    private enum Event: Sendable {
        case answered(ExchangeHandler.Answer)
        case written
    }

    /// Writes the body while it waits for the answer, which may come before the body's end and ends the writing.
    private func send(
        _ body: HTTPBody,
        answer: EventLoopFuture<ExchangeHandler.Answer>
    ) async throws -> ExchangeHandler.Answer {
        try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask { .answered(try await answer.get()) }
            group.addTask {
                do {
                    try await write(body)
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
            throw CancellationError()
        }
    }

    private func write(_ body: HTTPBody) async throws {
        do {
            for try await piece in body {
                let promise = channel.eventLoop.makePromise(of: Void.self)
                channel.eventLoop.execute { handler.value.write(piece, channel: channel, promise: promise) }
                try await promise.futureResult.get()
            }
        } catch is ExchangeHandler.NoLongerWanted {
            // The answer, or the end of the connection, tells why.
            return
        }
        channel.eventLoop.execute { handler.value.end(channel: channel) }
    }
}
