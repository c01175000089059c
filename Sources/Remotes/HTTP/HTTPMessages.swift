package import NIOCore
package import NIOHTTP1

/// A request as a value: nothing is open, and its body can be sent as often as its sequence can be read.
package struct HTTPClientRequest: Sendable {
    package typealias Body = HTTPBody

    /// Absolute, of http or https.
    package var url: String
    package var method: HTTPMethod = .GET
    package var headers: HTTPHeaders = [:]
    package var body: HTTPBody?

    package init(url: String) { self.url = url }
}

/// The head of a response, and its body while it comes.
package struct HTTPClientResponse: Sendable {
    package typealias Body = HTTPBody

    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: HTTPBody

    package init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: HTTPBody = HTTPBody()) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The bytes of a request or a response, in pieces.
package struct HTTPBody: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    /// Bytes in all, where that is known beforehand.
    package let length: Int64?
    private let begin: @Sendable () -> Iterator

    /// No bytes.
    package init() { self = .bytes(ByteBuffer()) }

    private init(length: Int64?, begin: @escaping @Sendable () -> Iterator) {
        self.length = length
        self.begin = begin
    }

    package static func bytes(_ buffer: ByteBuffer) -> HTTPBody {
        HTTPBody(length: Int64(buffer.readableBytes)) {
            var rest = buffer.readableBytes > 0 ? buffer : nil
            return Iterator {
                defer { rest = nil }
                return rest
            }
        }
    }

    package static func stream<Pieces: AsyncSequence & Sendable>(
        _ pieces: Pieces,
        length: Int64? = nil
    ) -> HTTPBody where Pieces.Element == ByteBuffer {
        HTTPBody(length: length) {
            var iterator = pieces.makeAsyncIterator()
            return Iterator { try await iterator.next(isolation: #isolation) }
        }
    }

    package func makeAsyncIterator() -> Iterator { begin() }

    package struct Iterator: AsyncIteratorProtocol {
        private let advance: () async throws -> ByteBuffer?

        fileprivate init(_ advance: @escaping () async throws -> ByteBuffer?) { self.advance = advance }

        package mutating func next() async throws -> ByteBuffer? { try await advance() }
    }
}
