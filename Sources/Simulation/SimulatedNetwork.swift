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
        case .tooMany, .unavailable: return try await page(request, host, fate)
        case .answerLost, .slow, .cut, .corrupt, .uploadCut, nil: break
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
        return HTTPClientResponse(
            status: HTTPResponseStatus(statusCode: reply.status),
            headers: headers(reply.headers),
            body: .stream(SimulatedBody(reply: reply, network: self, fate: fate, host: address.origin.hostAndPort))
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
        let status = fate.mischief == .tooMany ? 429 : 503
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
