import Foundation
import NIOCore
import NIOHTTP1
package import Remotes
import Sandbox

/// The network as one process has it: a request is a call of a function of the sandbox, and the weather decides how it
/// fares on its way.
package struct SimulatedNetwork: HTTPTransport {
    let sandbox: Sandbox
    let clock: SimulatedClock
    let weather: Weather
    let trace: Trace
    let life: ProcessLife
    /// Told each request that reached its service, and how it was answered.
    let seen: @Sendable (SeenRequest) -> Void

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        guard let address = WebAddress(request.url) else {
            throw TransportError(kind: .invalidRequest, host: "", detail: "not an address")
        }
        let host = address.origin.host
        let fate = weather.fate(of: host)
        try await pass(fate.there)
        func fail(_ kind: TransportError.Kind, _ detail: String) -> TransportError {
            trace.add("\(Moment(clock.elapsed)) \(request.method.rawValue) \(host): \(detail)")
            return TransportError(kind: kind, host: address.origin.hostAndPort, detail: detail)
        }
        guard sandbox.isKnown(host: host) else { throw fail(.nameResolution, "no such host") }
        switch fate.mischief {
        case .down: throw fail(.connect, "connection refused")
        case .unresolved: throw fail(.nameResolution, "the name could not be resolved")
        case .reset: throw fail(.cut, "the connection was reset")
        case .stall:
            try await pass(patience.idle)
            throw fail(.stalled, "no byte for \(patience.idle)")
        case .handshake: throw fail(.connect, "the connection was reset in the TLS handshake")
        case .tooMany, .unavailable, .webPage: return try await page(request, host, fate)
        case .headRefused where request.method == .HEAD:
            return try await refusal(fate.dice < 0.5 ? 403 : 405, "", request, host, fate)
        case .blobMissing where request.method == .GET && address.target.contains("/blobs/sha"):
            let body = #"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#
            return try await refusal(404, body, request, host, fate)
        case .addressExpired where request.method == .GET && address.target.contains("X-Amz-Signature="):
            let body = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
            return try await refusal(400, body, request, host, fate)
        case .answerLost, .slow, .cut, .corrupt, .uploadCut, .trickle, .headRefused, .blobMissing, .addressExpired,
            .compressed, nil:
            break
        }
        let (pieces, isCut) = try await body(of: request, fate)
        let direct = DirectRequest(
            method: request.method.rawValue,
            host: address.origin.authority,
            target: address.target,
            headers: request.headers.map { (name: $0.name, value: $0.value) },
            body: pieces,
            isCut: isCut
        )
        try life.check()
        let reply = try await sandbox.answer(direct)
        let line = "\(request.method.rawValue) \(host)\(address.target.prefix { $0 != "?" })"
        trace.add("\(Moment(clock.elapsed)) \(line) \(reply?.status ?? 0) \(reply?.length ?? 0)")
        seen(SeenRequest(request, host: host, target: address.target, status: reply?.status, at: clock.elapsed))
        try await pass(fate.back)
        guard let reply, !isCut, fate.mischief != .answerLost else { throw fail(.cut, "the connection ended") }
        var fields = reply.headers
        var whole: HTTPClientResponse.Body = .stream(
            SimulatedBody(
                reply: reply,
                network: self,
                fate: fate,
                host: address.origin.hostAndPort,
                end: fate.mischief == .trickle ? patience.whole : nil
            )
        )
        if fate.mischief == .compressed, patience.whole != nil, request.method != .HEAD, !reply.isCut,
            (1..<1 << 20).contains(reply.length)
        {
            fields.removeAll { $0.name.lowercased() == "content-length" }
            fields.append((name: "Content-Encoding", value: "gzip"))
            let plain = reply.piece(at: 0, atMost: Int(reply.length))
            whole = .bytes(ByteBuffer(bytes: Gzip.stored(plain.readableBytesView)))
        }
        return HTTPClientResponse(
            status: HTTPResponseStatus(statusCode: reply.status),
            headers: headers(fields),
            body: whole
        )
    }

    /// An answer without the service.
    private func refusal(
        _ status: Int,
        _ body: String,
        _ request: HTTPClientRequest,
        _ host: String,
        _ fate: Weather.Fate
    ) async throws -> HTTPClientResponse {
        trace.add("\(Moment(clock.elapsed)) \(request.method.rawValue) \(host) refused \(status)")
        try await pass(fate.back)
        return HTTPClientResponse(
            status: HTTPResponseStatus(statusCode: status),
            headers: headers([]),
            body: .bytes(ByteBuffer(string: body))
        )
    }

    /// Lets time pass; the process may be gone afterwards.
    func pass(_ duration: Duration) async throws {
        try await clock.sleep(duration)
        try life.check()
    }

    /// What a gateway says that does not let the request through.
    private func page(_ request: HTTPClientRequest, _ host: String, _ fate: Weather.Fate) async throws
        -> HTTPClientResponse
    {
        let status = fate.mischief == .tooMany ? 429 : fate.mischief == .webPage ? 200 : 503
        trace.add("\(Moment(clock.elapsed)) \(request.method.rawValue) \(host) gateway \(status)")
        try await pass(fate.back)
        var fields = [(name: "Content-Type", value: "text/html")]
        if let seconds = fate.retryAfter { fields.append((name: "Retry-After", value: "\(seconds)")) }
        return HTTPClientResponse(
            status: HTTPResponseStatus(statusCode: status),
            headers: headers(fields),
            body: .bytes(ByteBuffer(string: "<html><title>\(status)</title></html>"))
        )
    }

    /// Takes the request's body in; where it is cut, only a part of it.
    private func body(of request: HTTPClientRequest, _ fate: Weather.Fate) async throws
        -> (pieces: [ByteBuffer], isCut: Bool)
    {
        guard let body = request.body else { return ([], false) }
        var pieces: [ByteBuffer] = []
        var taken = 0
        let limit = fate.mischief == .uploadCut ? Int(fate.dice * 65_536) : Int.max
        var iterator = body.makeAsyncIterator()
        while let piece = try await iterator.next(isolation: #isolation) {
            taken += piece.readableBytes
            if taken > limit { return (pieces, true) }
            pieces.append(piece)
            try life.check()
        }
        return (pieces, false)
    }

    private func headers(_ fields: [(name: String, value: String)]) -> HTTPHeaders {
        var headers = HTTPHeaders(fields.map { ($0.name, $0.value) })
        headers.replaceOrAdd(name: "Date", value: HTTPMoment.text(clock.now))
        return headers
    }
}

/// The bytes of an answer on their way.
private struct SimulatedBody: AsyncSequence, Sendable {
    var reply: DirectReply
    var network: SimulatedNetwork
    var fate: Weather.Fate
    var host: String
    /// How long it goes on without an end.
    var end: Duration?

    func makeAsyncIterator() -> Iterator {
        let length = fate.mischief == .cut ? Int64(fate.dice * Double(reply.length)) : reply.length
        return Iterator(body: self, end: length)
    }

    struct Iterator: AsyncIteratorProtocol {
        var body: SimulatedBody
        var end: Int64
        var position: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            let network = body.network
            if let limit = body.end {
                try await network.pass(limit)
                throw TransportError(kind: .stalled, host: body.host, detail: "no end of the answer within \(limit)")
            }
            guard position < end else {
                guard end < body.reply.length || body.reply.isCut else { return nil }
                throw TransportError(kind: .cut, host: body.host, detail: "the connection ended after \(end) bytes")
            }
            // What is small comes with its head; the rest takes its time.
            if position > 0 { try await network.pass(body.fate.mischief == .slow ? .seconds(2) : .milliseconds(3)) }
            try network.life.check()
            var piece = body.reply.piece(at: position, atMost: Int(Swift.min(end - position, 1 << 18)))
            if body.fate.mischief == .corrupt, position == 0 {
                let index = Int(body.fate.dice * Double(piece.readableBytes))
                if let byte: UInt8 = piece.getInteger(at: piece.readerIndex + index) {
                    piece.setInteger(byte ^ 4, at: piece.readerIndex + index)
                }
            }
            position += Int64(piece.readableBytes)
            return piece
        }
    }
}

/// A request that reached its service.
package struct SeenRequest: Sendable {
    package var method: String
    package var host: String
    package var target: String
    /// `X-Amz-Target` without its service, or empty.
    package var operation: String
    /// nil: the connection ended.
    package var status: Int?
    package var at: Duration

    init(_ request: HTTPClientRequest, host: String, target: String, status: Int?, at: Duration) {
        method = request.method.rawValue
        self.host = host
        self.target = target
        operation =
            request.headers.first(name: "x-amz-target").flatMap { $0.split(separator: ".").last.map(String.init) } ?? ""
        self.status = status
        self.at = at
    }
}

/// Whether a process lives. One that is killed goes on nowhere: whatever it waits for ends with an error.
package final class ProcessLife: Sendable {
    private let dead = AtomicFlag()

    package init() {}

    package var isDead: Bool { dead.isSet }

    package func end() { dead.set() }

    /// - Throws: `CancellationError` once the process is dead.
    package func check() throws { if isDead { throw CancellationError() } }
}

/// Dates of HTTP headers.
enum HTTPMoment {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func text(_ date: Date) -> String {
        let seconds = Int(date.timeIntervalSince1970)
        let (day, rest) = (seconds / 86_400, seconds % 86_400)
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let z = day + 719_468
        let era = z / 146_097
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        let year = yoe + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[day % 7]), \(two(doy - (153 * mp + 2) / 5 + 1)) \(months[month - 1]) \(year) "
            + "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60)) GMT"
    }
}

/// Bytes in the form of a compressed answer (RFC 1952), in blocks that are only stored (RFC 1951 section 3.2.4).
enum Gzip {
    static func stored(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        func number(_ value: UInt32, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
        var position = 0
        repeat {
            let count = min(65_535, bytes.count - position)
            out.append(position + count == bytes.count ? 1 : 0)
            out += number(UInt32(count), 2) + number(~UInt32(count), 2)
            out += bytes[position..<position + count]
            position += count
        } while position < bytes.count
        return out + number(checksum(bytes), 4) + number(UInt32(truncatingIfNeeded: bytes.count), 4)
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = sum & 1 == 1
                sum >>= 1
                if isOdd { sum ^= 0xEDB8_8320 }
            }
        }
        return ~sum
    }
}
