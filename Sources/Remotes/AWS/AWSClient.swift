package import Foundation
import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Names
import Synchronization

/// Signs, sends, retries and reads calls to one AWS service.
package struct AWSClient: Sendable {
    /// Gives the credentials to sign with; asked before every attempt.
    package typealias CredentialSource = @Sendable (_ refresh: Bool) async throws -> AWSCredentials?

    /// One service: names and where it is.
    package struct Endpoint: Sendable {
        /// In operation names and errors.
        package var service: String
        package var signingName: String
        /// Scheme, host and port, and a path where an operator's endpoint has one; nil when it is no address of http or
        /// https, and then no call is sent.
        package var address: WebAddress?

        package init(service: String, signingName: String, url: String) {
            self.service = service
            self.signingName = signingName
            address = WebAddress(url)
        }
    }

    package struct Answer: Sendable {
        package var status: Int
        package var headers: [(name: String, value: String)]
        package var body: Data
        package var requestID: String?

        /// As much of it as an error is read from.
        var head: Answer {
            var head = self
            head.body = Data(body.prefix(65_536))
            return head
        }
    }

    package let endpoint: Endpoint
    package let region: String
    let transport: any HTTPTransport
    let credentials: CredentialSource
    let timeline: Timeline
    let retry: RequestRetry
    let mode: RetryMode
    let skew: ClockSkew
    let quota: RetryQuota
    let pacer: CallPacer?
    /// What SQS gives at most: ten messages of a mebibyte, escaped.
    private static let largestAnswer = 16 << 20
    /// Values of an answer; a page of a thousand images has thirty thousand.
    static let mostValues = 400_000

    package init(
        endpoint: Endpoint,
        region: String,
        transport: any HTTPTransport,
        credentials: @escaping CredentialSource,
        timeline: Timeline,
        attempts: Int = 5,
        mode: RetryMode = .standard,
        skew: ClockSkew = ClockSkew(),
        quota: RetryQuota = RetryQuota(),
        pacer: CallPacer? = nil
    ) {
        self.endpoint = endpoint
        self.region = region
        self.transport = transport
        self.credentials = credentials
        self.timeline = timeline
        var retry = RequestRetry(base: .seconds(1), attempts: attempts, maximumRetryAfter: .seconds(20))
        retry.certain = 0
        self.retry = retry
        self.mode = mode
        self.skew = skew
        self.quota = quota
        self.pacer = pacer
    }

    /// Calls an operation. Retries what is worth it as the SDKs' standard mode does: `random * min(2^(n-1), 20 s)` after
    /// the nth attempt, as long as the service's retry quota has something left. Expired credentials are refreshed once,
    /// a wrong clock is corrected once by the service's; neither counts as an attempt.
    package func call(
        _ operation: String,
        method: String,
        path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: CallBody = CallBody(),
        isSigned: Bool = true,
        patience: Patience = Patience(idle: .seconds(35))
    ) async throws -> Answer {
        try await call(operation, method, path, query, headers, body, isSigned, patience) { $0 }
    }

    /// The same; an answer that `read` cannot read is asked for again, a few times.
    func call<Value>(
        _ operation: String,
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ body: CallBody,
        _ isSigned: Bool = true,
        _ patience: Patience = Patience(idle: .seconds(35)),
        _ read: (Answer) throws -> Value
    ) async throws -> Value {
        let name = "\(endpoint.service):\(operation)"
        var refreshed = false
        var corrected = false
        var spent: Int?
        var isTimeout = false
        let value = try await retry.repeating(
            on: timeline,
            translate: { error in
                isTimeout = (error as? TransportError)?.kind == .stalled
                return error as? AWSError ?? (error as? TransportError).map { AWSError($0, in: name) }
            },
            isWorthIt: { failure, attempt in
                guard failure.isWorthRetrying, !(failure.isUnreadable && attempt >= Self.readings),
                    let cost = quota.take(afterTimeout: isTimeout)
                else { return false }
                spent = cost
                Logger.current.debug(
                    "A call will be repeated",
                    metadata: ["aws.operation": "\(name)", "retry.attempt": "\(attempt)", "error": "\(failure)"]
                )
                return true
            }
        ) {
            while true {
                try await takeTurn(operation, name)
                let offset = skew.offset
                do {
                    let send = { try await once(name, method, path, query, headers, body, isSigned, patience) }
                    let answer = if let pacer { try await pacer.withSlot(operation, send) } else { try await send() }
                    pacer?.observe(operation, isThrottled: false, at: timeline.elapsed())
                    return try read(answer)
                } catch let error as AWSError {
                    pacer?.observe(operation, isThrottled: error.kind == .throttled, at: timeline.elapsed())
                    if error.kind == .expiredCredentials, isSigned, !refreshed {
                        refreshed = true
                        _ = try await keys(refresh: true)
                    } else if error.kind == .clockSkew, !corrected, skew.offset != offset {
                        corrected = true
                    } else {
                        throw error
                    }
                }
            }
        }
        quota.give(back: spent)
        return value
    }

    /// How often an answer is asked for that cannot be read.
    private static let readings = 3

    /// Waits until the operation's pace lets the call through.
    private func takeTurn(_ operation: String, _ name: String) async throws {
        guard let pacer else { return }
        let wait = pacer.reserve(operation, mode: mode, at: timeline.elapsed())
        guard wait > .zero else { return }
        // Owed since the service asked for less; with nobody asking for that, it is only our own share.
        if pacer.isSlowed(operation), WaitAllowance.current?.take(wait, at: timeline.elapsed()) == false {
            pacer.giveBack(operation)
            throw AWSError(
                operation: name,
                code: "Throttled",
                message: "it was throttled, and is called less often since",
                kind: .throttled,
                retryAfter: wait
            )
        }
        try await timeline.sleep(wait)
    }

    /// Nobody is believed who asks for more.
    private static let longestParking = Duration.seconds(3600)

    private func once(
        _ name: String,
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ body: CallBody,
        _ isSigned: Bool,
        _ patience: Patience
    ) async throws -> Answer {
        let queryText = query.map { "\(SigV4.encoded($0.name))=\(SigV4.encoded($0.value))" }.joined(separator: "&")
        guard let address = endpoint.address else {
            throw AWSError(
                operation: name,
                code: "BadEndpoint",
                message:
                    "its endpoint is no URL of http or https; correct AWS_ENDPOINT_URL or the profile's endpoint_url",
                kind: .unreachable
            )
        }
        // Below a base path the service's own root is the base, as for the SDKs.
        var base = address.target
        while base.hasSuffix("/") { base.removeLast() }
        let whole = base.isEmpty ? path : base + (path == "/" ? "" : path)
        var request = HTTPClientRequest(url: "\(address.origin)\(whole)" + (queryText.isEmpty ? "" : "?\(queryText)"))
        request.method = HTTPMethod(rawValue: method)
        var all = headers
        // One spelling for the signature and for the wire.
        all.append((name: "Host", value: address.origin.authority))
        if isSigned {
            guard let credentials = try await keys(refresh: false) else {
                throw AWSError(
                    operation: name,
                    code: "NoCredentials",
                    message:
                        "no AWS credentials were found; set AWS_ACCESS_KEY_ID, AWS_PROFILE or give the machine a role",
                    kind: .noCredentials
                )
            }
            let signer = SigV4(region: region, service: endpoint.signingName)
            all += signer.headers(
                for: SigV4.Request(
                    method: method,
                    path: whole,
                    query: query,
                    headers: all,
                    bodyHash: body.hash
                ),
                credentials: credentials,
                at: timeline.now().addingTimeInterval(skew.offset)
            )
        }
        for (header, value) in all where header != "Host" { request.headers.add(name: header, value: value) }
        request.headers.add(name: "User-Agent", value: "preclone")
        request.headers.replaceOrAdd(name: "Accept-Encoding", value: "identity")
        request.body = body.request
        if request.body != nil || method != "GET" {
            request.headers.replaceOrAdd(name: "Content-Length", value: String(body.length))
        }
        let response = try await transport.send(request, patience: patience.forSmallBodies)
        let bytes: ByteBuffer
        do {
            bytes = try await response.body.collect(upTo: Self.largestAnswer)
        } catch is NIOTooManyBytesError {
            throw AWSError(
                operation: name,
                code: "AnswerTooLarge",
                message: "the answer has more than \(Self.largestAnswer) bytes",
                kind: .brokenAnswer
            )
        }
        var body = Data(buffer: bytes, byteTransferStrategy: .noCopy)
        // What stands between us and the service may compress what nobody asked to have compressed.
        if let coding = response.headers.first(name: "content-encoding") {
            body = Data(Inflation.plain(Array(body), coding: coding, atMost: Self.largestAnswer))
        }
        let answer = Answer(
            status: Int(response.status.code),
            headers: response.headers.map { ($0.name, $0.value) },
            body: body,
            requestID: response.headers.first(name: "x-amzn-requestid")
                ?? response.headers.first(name: "x-amz-request-id")
        )
        if (200..<300).contains(answer.status) { return answer }
        let error = Self.error(name, service: endpoint.service, answer)
        if error.kind == .clockSkew, let date = response.headers.first(name: "Date").flatMap(HTTPDate.parse) {
            skew.learn(server: date, now: timeline.now())
        }
        throw error
    }

    /// The credentials. What keeps us from having any is never the service's answer: a role that may not be assumed does
    /// not mean that the call was denied, nor a metadata page that is missing that the resource is.
    private func keys(refresh: Bool) async throws -> AWSCredentials? {
        do {
            return try await credentials(refresh)
        } catch var error as AWSError where error.kind != .throttled && error.kind != .transient {
            error.kind = .noCredentials
            throw error
        }
    }

    static func error(_ name: String, service: String, _ answer: Answer) -> AWSError {
        func header(_ wanted: String) -> String? {
            answer.headers.first { $0.name.lowercased() == wanted }?.value
        }
        var code =
            header("x-amzn-query-error").map { String($0.prefix { $0 != ";" }) } ?? header("x-amzn-errortype") ?? ""
        var message = ""
        var numbers: [String: Int64] = [:]
        var requestID = answer.requestID
        let answer = answer.head
        if JSONBounds.holds(answer.body),
            var object = try? JSONDecoder().decode([String: JSONValue].self, from: answer.body)
        {
            // Gateways wrap it: `{"Error": {"Code": …, "Message": …}}`.
            for name in ["Error", "error"] {
                if case .object(let inner)? = object[name] { object.merge(inner) { own, _ in own } }
            }
            func text(_ keys: String...) -> String? {
                for key in keys { if case .string(let value)? = object[key] { return value } }
                return nil
            }
            if code.isEmpty { code = text("__type", "code", "Code") ?? "" }
            message = text("message", "Message", "errorMessage") ?? ""
            for case (let name, .number(let value)) in object { numbers[name] = Int64(value) }
        } else if let xml = XMLText.error(in: answer.body) {
            code = xml.code
            message = xml.message
            requestID = requestID ?? xml.requestID
        } else {
            // A page of some gateway: its title says it all.
            message =
                WebPage.isMeant(by: answer.body)
                ? WebPage.words(answer.body)
                : String(decoding: answer.body.prefix(200), as: UTF8.self)
                    .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        // `com.amazonaws…#Name:http://…` is `Name`.
        if let hash = code.lastIndex(of: "#") { code = String(code[code.index(after: hash)...]) }
        code = String(code.prefix { $0 != ":" })
        if let dot = code.lastIndex(of: "."), !code.hasSuffix(".") { code = String(code[code.index(after: dot)...]) }
        var retryAfter = header("x-amz-retry-after").flatMap(Int64.init).map { Duration.milliseconds($0) }
        if retryAfter == nil, let text = header("retry-after") {
            // A date is told by the service's clock, not by ours, which may be wrong.
            retryAfter = RetryAfter.parse(text, now: header("date").flatMap(HTTPDate.parse) ?? .distantFuture)
        }
        retryAfter = retryAfter.map { min(max($0, .zero), longestParking) }
        return AWSError(
            operation: name,
            code: code.isEmpty ? "HTTP\(answer.status)" : code,
            message: message,
            status: answer.status,
            requestID: requestID,
            kind: AWSError.kind(service: service, code: code, status: answer.status),
            retryAfter: retryAfter,
            numbers: numbers
        )
    }
}

/// How far the service's clock is from ours, learnt from its answers.
package final class ClockSkew: Sendable {
    private let state = Mutex(0.0)

    package init() {}

    package var offset: Double { state.withLock { $0 } }

    /// Keeps the difference when it is more than four minutes away from what we believed. A clock that has been put
    /// right since is learnt as well.
    func learn(server: Date, now: Date) {
        let difference = server.timeIntervalSince(now)
        state.withLock { offset in
            if abs(difference - offset) > 240 { offset = abs(difference) > 240 ? difference : 0 }
        }
    }
}

/// The little XML that the query services answer with: texts of elements by name.
package enum XMLText {
    package static func first(_ element: String, in body: Data) -> String? {
        let text = String(decoding: body, as: UTF8.self)
        guard let open = text.range(of: "<\(element)>"),
            let close = text.range(of: "</\(element)>", range: open.upperBound..<text.endIndex)
        else { return nil }
        return String(text[open.upperBound..<close.lowerBound])
            .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
            .replacing("&apos;", with: "'").replacing("&amp;", with: "&")
    }

    static func error(in body: Data) -> (code: String, message: String, requestID: String?)? {
        guard let code = first("Code", in: body) else { return nil }
        return (code, first("Message", in: body) ?? "", first("RequestId", in: body) ?? first("RequestID", in: body))
    }
}
