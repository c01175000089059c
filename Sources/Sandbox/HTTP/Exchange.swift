import Foundation
import Hummingbird
import NIOCore

/// A request as the services see it: the raw path, the decoded query, headers by lower-case name.
struct Incoming: Sendable {
    var method: String
    /// As sent, percent-encoded, without the query.
    var path: String
    /// As sent, percent-encoded; empty when there is none.
    var rawQuery: String
    var query: [(name: String, value: String)]
    /// Repeated fields are joined by a comma.
    var headers: [String: String]
    var body: RequestBody

    init(_ request: Request) {
        method = request.method.rawValue
        let target = request.head.path ?? "/"
        let cut = target.firstIndex(of: "?")
        path = String(target[..<(cut ?? target.endIndex)])
        rawQuery = cut.map { String(target[target.index(after: $0)...]) } ?? ""
        query = PercentCoding.query(rawQuery)
        var fields: [String: String] = [:]
        for field in request.headers {
            let name = field.name.canonicalName
            fields[name] = fields[name].map { $0 + "," + field.value } ?? field.value
        }
        if fields["host"] == nil { fields["host"] = request.head.authority }
        headers = fields
        body = request.body
    }

    /// A request that came by no socket.
    init(method: String, path: String, rawQuery: String, headers: [String: String], body: RequestBody) {
        self.method = method
        self.path = path
        self.rawQuery = rawQuery
        query = PercentCoding.query(rawQuery)
        self.headers = headers
        self.body = body
    }

    func value(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// The path's segments, decoded.
    var segments: [String] {
        path.split(separator: "/", omittingEmptySubsequences: true).map { PercentCoding.decode(String($0)) }
    }

    /// The whole body; the connection is dropped beyond `limit` bytes.
    func wholeBody(limit: Int = 48 << 20) async throws -> Data {
        var buffer = try await body.collect(upTo: limit)
        return Data(buffer.readBytes(length: buffer.readableBytes) ?? [])
    }
}

/// An answer of a service.
struct Reply: Sendable {
    enum Body: Sendable {
        case none
        case data(Data)
        /// `length` bytes of the content from `offset`.
        case content(BlobContent, offset: Int64, length: Int64)
        /// No bytes, but the length of what a GET would send.
        case head(length: Int64)

        var length: Int64 {
            switch self {
            case .none: 0
            case .data(let data): Int64(data.count)
            case .content(_, _, let length), .head(let length): length
            }
        }
    }

    var status: Int
    var headers: [(name: String, value: String)]
    var body: Body
    /// Ends the connection after this many bytes of the body, whatever the length header said.
    var cutAfter: Int64?
    /// Flips a bit of the first byte of the body.
    var isCorrupt = false
    /// Waits as long as this many bytes of the body are to take.
    var pace: (@Sendable (Int) async throws -> Void)?

    init(_ status: Int, headers: [(name: String, value: String)] = [], body: Body = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    static func json(_ value: SandboxJSON, status: Int = 200, type: String = "application/json") -> Reply {
        Reply(status, headers: [("Content-Type", type)], body: .data(value.data))
    }

    static func xml(_ text: String, status: Int = 200, type: String = "text/xml") -> Reply {
        Reply(status, headers: [("Content-Type", type)], body: .data(Data(text.utf8)))
    }

    /// The reply to HEAD: the same head, no bytes.
    var withoutBytes: Reply {
        var copy = self
        copy.body = .head(length: body.length)
        return copy
    }

    var response: Response {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPFields.Element.Name(name) { fields.append(.init(name: name, value: value)) }
        }
        let status = HTTPResponse.Status(code: status)
        let length = body.length
        let (cutAfter, isCorrupt, pace) = (cutAfter, isCorrupt, pace)
        switch body {
        case .none:
            return Response(status: status, headers: fields)
        case .head:
            fields[.contentLength] = String(length)
            return Response(status: status, headers: fields)
        case .data(let data):
            if cutAfter == nil, !isCorrupt {
                return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: data)))
            }
            let content = BlobContent.bytes(Array(data))
            return Response(
                status: status,
                headers: fields,
                body: .init(contentLength: Int(length)) {
                    try await Self.write(
                        content,
                        0,
                        length,
                        cutAfter: cutAfter,
                        isCorrupt: isCorrupt,
                        pace: pace,
                        to: &$0
                    )
                }
            )
        case .content(let content, let offset, _):
            return Response(
                status: status,
                headers: fields,
                body: .init(contentLength: Int(length)) {
                    try await Self.write(
                        content,
                        offset,
                        length,
                        cutAfter: cutAfter,
                        isCorrupt: isCorrupt,
                        pace: pace,
                        to: &$0
                    )
                }
            )
        }
    }

    /// Streams in pieces; back-pressure comes from the writer. Concurrent, as the writer of the server is.
    @concurrent
    private static func write(
        _ content: BlobContent,
        _ offset: Int64,
        _ length: Int64,
        cutAfter: Int64?,
        isCorrupt: Bool,
        pace: (@Sendable (Int) async throws -> Void)?,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let end = min(length, cutAfter ?? length)
        var position: Int64 = 0
        while position < end {
            var piece = content.piece(
                at: offset + position,
                atMost: Int(min(end - position, pace == nil ? 1 << 18 : 1 << 14))
            )
            if isCorrupt, position == 0, let first: UInt8 = piece.getInteger(at: piece.readerIndex) {
                piece.setInteger(first ^ 1, at: piece.readerIndex)
            }
            position += Int64(piece.readableBytes)
            try await pace?(piece.readableBytes)
            try await writer.write(piece)
        }
        // Throwing here ends the connection: the client sees fewer bytes than were promised.
        if end < length { throw CutConnection() }
        try await writer.finish(nil)
    }
}

/// The sandbox ends the connection in the middle of an answer, as it was told to.
struct CutConnection: Error {}

/// Percent encoding by the rules of AWS and RFC 3986.
enum PercentCoding {
    static func decode(_ text: String) -> String { text.removingPercentEncoding ?? text }

    /// Everything but the unreserved characters is encoded; `slash` says whether `/` is too.
    static func encode(_ text: String, slash: Bool = true) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "/") where !slash:
                out.append("/")
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                out += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return out
    }

    /// The parameters of a query string, in order, `+` left as it is.
    static func query(_ raw: String) -> [(name: String, value: String)] {
        raw.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decode(String(parts[0])), parts.count > 1 ? decode(String(parts[1])) : "")
        }
    }

    /// The parameters of a form body, where `+` is a space.
    static func form(_ body: String) -> [String: String] {
        let pairs = query(body.replacing("+", with: "%20"))
        return Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
}
