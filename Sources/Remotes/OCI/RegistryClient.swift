import Foundation
import NIOCore
import NIOHTTP1
import Names

/// A client for one registry: authentication, redirects, short retries and the classification of what goes wrong.
///
/// What to do with manifests and blobs is in the extensions; nothing here knows about copying.
package struct RegistryClient: Sendable {
    package let endpoint: RegistryEndpoint
    let transport: any HTTPTransport
    let authenticator: Authenticator
    package let pacer: any RequestPacer
    package let timeline: Timeline
    package let retry: RequestRetry
    package let patience: Patience
    let referrers = ReferrerKnowledge()

    static let userAgent = "preclone"

    package init(
        endpoint: RegistryEndpoint,
        transport: any HTTPTransport,
        credentials: any RegistryCredentialSource = AnonymousCredentials(),
        pacer: any RequestPacer = UnpacedRequests(),
        timeline: Timeline = .system,
        retry: RequestRetry = RequestRetry(),
        patience: Patience = Patience()
    ) {
        self.endpoint = endpoint
        self.transport = transport
        self.pacer = pacer
        self.timeline = timeline
        self.retry = retry
        self.patience = patience
        authenticator = Authenticator(
            endpoint: endpoint,
            transport: transport,
            source: credentials,
            pacer: pacer,
            timeline: timeline,
            retry: retry,
            patience: patience
        )
    }

    /// The registry's name in references.
    package var host: String { endpoint.name }
}

/// One request to a registry, before authentication and redirects.
struct RegistryRequest: Sendable {
    var method: HTTPMethod
    var address: WebAddress
    var kind: RequestKind
    var scope: RegistryScope
    var headers: HTTPHeaders = [:]
    var body: HTTPClientRequest.Body?
    /// Whether the body can be sent again and the request repeated without harm.
    var isRepeatable = true
    /// Attempts in all; nil: as many as the client's rule says. 1 where whoever asks repeats by its own rule: there are
    /// never two rules one inside the other.
    var attempts: Int?
    /// What is done, for messages: "reading the manifest 1.17 of a/b".
    var what: String
    /// Counts the request against a pull quota, each time that it is sent.
    var budget: (any PullBudget)?
    /// Whether the pacer is asked.
    var isPaced = true
    /// Whether a manifest names what is asked for: then "not there" is the registry's fault.
    var isNamed = false
    /// Whether the body is long: it streams, its place among the host's requests goes to whoever reads it, and there is
    /// no limit for the whole of it.
    var isStream = false
    /// Beyond the client's patience, until the answer to a request that was sent.
    var digestion: Duration = .zero
}

extension RegistryClient {
    /// Sends a request until there is an answer that is neither a challenge, a redirect to follow nor worth another
    /// try at once, and reads it: an answer that breaks off in its body is asked for again like one without a head.
    ///
    /// - Parameters:
    ///   - accepting: statuses that are handed to `read`; every other one becomes an error.
    ///   - read: takes what it needs of the answer while the request's place is held.
    /// - Throws: `RegistryError`, `CancellationError`; what `read` throws.
    func perform<Value>(
        _ request: RegistryRequest,
        accepting: Set<UInt>,
        _ read: (RegistryResponse) async throws -> Value
    ) async throws -> Value {
        var challengesLeft = 2
        let isLook = request.method == .HEAD
        return try await retrying(
            atMost: request.attempts ?? (request.isRepeatable ? nil : 1),
            // What a HEAD leaves open, a GET tells.
            isWorthIt: { error, attempt in error.isWorthRepeating(after: attempt) && !(isLook && error.leavesOpen) }
        ) {
            while true {
                do {
                    return try await once(request, accepting: accepting, read)
                } catch let challenge as ChallengeAnswered {
                    // Its body is gone: whoever sent it has to begin anew, with the new token.
                    guard request.isRepeatable else {
                        throw RegistryError(
                            .uploadGone,
                            host: host,
                            status: challenge.error.status,
                            detail: "\(request.what): the token had run out"
                        )
                    }
                    guard challengesLeft > 0 else { throw challenge.error }
                    challengesLeft -= 1
                }
            }
        }
    }

    /// Runs something until it succeeds, fails for good, or was tried often enough.
    ///
    /// - Parameters:
    ///   - attempts: how often in all; nil: as the client's rule says.
    ///   - isWorthIt: whether a failure of the attempt with this number is worth another.
    func retrying<Value>(
        atMost attempts: Int? = nil,
        isWorthIt: (RegistryError, Int) -> Bool = { $0.isWorthRepeating(after: $1) },
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await retry.repeating(
            on: timeline,
            atMost: attempts,
            translate: { translate($0) as? RegistryError },
            isWorthIt: isWorthIt,
            body
        )
    }

    /// A refusal that something new to show has been found for: send again.
    private struct ChallengeAnswered: Error {
        /// What the refusal is when there is nothing new again.
        var error: RegistryError
    }

    private enum Step<Value> {
        case done(Value)
        case redirected(WebAddress)
    }

    private func once<Value>(
        _ request: RegistryRequest,
        accepting: Set<UInt>,
        _ read: (RegistryResponse) async throws -> Value
    ) async throws -> Value {
        var address = request.address
        for _ in 0...Self.longestChain {
            switch try await exchange(request, at: address, accepting: accepting, read) {
            case .done(let value): return value
            case .redirected(let next): address = next
            }
        }
        throw RegistryError(
            .brokenAnswer,
            host: host,
            detail: "\(request.what): more than \(Self.longestChain) redirects"
        )
    }

    /// Redirects that are followed, as other clients of registries do.
    private static let longestChain = 10

    /// One request and its answer, with the budget and the place that it takes.
    private func exchange<Value>(
        _ request: RegistryRequest,
        at address: WebAddress,
        accepting: Set<UInt>,
        _ read: (RegistryResponse) async throws -> Value
    ) async throws -> Step<Value> {
        let isOwn = address.origin == endpoint.origin
        var outgoing = HTTPClientRequest(url: address.description)
        outgoing.method = request.method
        outgoing.headers = request.headers
        outgoing.headers.replaceOrAdd(name: "user-agent", value: Self.userAgent)
        // Digests are of the bytes as they are.
        outgoing.headers.replaceOrAdd(name: "accept-encoding", value: "identity")
        outgoing.body = request.body
        var authorization: String?
        if isOwn {
            authorization = try await authenticator.authorization(for: request.scope)
            if let authorization { outgoing.headers.replaceOrAdd(name: "authorization", value: authorization) }
        }
        let pull = isOwn ? try await request.budget?.reserve(registry: host) : nil
        let permit = Permit(pacer: isOwn && request.isPaced ? pacer : nil, kind: request.kind, host: host)
        return try await permit.hold(
            orElse: { if let pull { await request.budget?.release(pull) } },
            // Whoever reads a long body has its place.
            handsOn: { if case .done = $0 { request.isStream } else { false } }
        ) {
            do {
                let response = try await send(outgoing, for: request, pull: pull, permit: permit)
                return try await take(
                    RegistryResponse(response: response, address: address, permit: permit),
                    to: request,
                    authorization: authorization,
                    pull: pull,
                    accepting: accepting,
                    read
                )
            } catch {
                throw translate(error)
            }
        }
    }

    /// Sends it; the budget and the pacer are told what came.
    private func send(
        _ outgoing: HTTPClientRequest,
        for request: RegistryRequest,
        pull: PullReservation?,
        permit: Permit
    ) async throws -> HTTPClientResponse {
        var patience = request.isStream || request.digestion > .zero ? patience : patience.forSmallBodies
        patience.digestion = request.digestion
        let response: HTTPClientResponse
        do {
            response = try await transport.send(outgoing, patience: patience)
        } catch {
            if let pull {
                // One that may have arrived counts: nobody knows whether the registry counted it.
                if Self.mayHaveArrived(error) {
                    await request.budget?.lose(pull)
                } else {
                    await request.budget?.release(pull)
                }
            }
            throw error
        }
        let status = response.status.code
        await permit.observe(status: Int(status), headers: response.headers)
        // After the headers, which say more of the count than this pull alone. What 429 means, its body tells.
        if let pull, status != 429 {
            let isCounted = ![401, 403].contains(status) && status < 500
            if isCounted { await request.budget?.commit(pull) } else { await request.budget?.release(pull) }
        }
        return response
    }

    /// What an answer is: one to hand on, a way to follow, a challenge, or a failure.
    private func take<Value>(
        _ answer: RegistryResponse,
        to request: RegistryRequest,
        authorization: String?,
        pull: PullReservation?,
        accepting: Set<UInt>,
        _ read: (RegistryResponse) async throws -> Value
    ) async throws -> Step<Value> {
        let status = answer.status
        let isOwn = answer.address.origin == endpoint.origin
        // What a blob's bytes are called does not matter: they have a digest.
        let isPage = WebPage.isNamed(by: answer.header("content-type")) && !request.isStream
        // A refusal of whom we were led to is no word of the registry's.
        if accepting.contains(status), !isPage, isOwn || status < 300 || status == 416 {
            return .done(try await read(answer))
        }
        let isReading = request.method == .GET || request.method == .HEAD
        // A POST goes on as one, where there is nothing in it to send again.
        let isStarting = request.method == .POST && request.body == nil
        if isReading && [301, 302, 303, 307, 308].contains(status) || isStarting && [307, 308].contains(status) {
            await answer.discard()
            return .redirected(try redirect(answer.response, from: answer.address, what: request.what))
        }
        let bytes = (try? await answer.bytes(atMost: ErrorBody.maximumBytes, host: host)) ?? []
        let body = ErrorBody(bytes: bytes, contentType: answer.header("content-type"))
        let retryAfter = answer.header("retry-after").flatMap { RetryAfter.parse($0, now: timeline.now()) }
        guard isOwn else {
            throw RegistryError.classify(
                store: answer.address.origin,
                of: host,
                status: Int(status),
                body: body,
                retryAfter: retryAfter,
                what: request.what
            )
        }
        var isAuthenticated = false
        if authorization != nil { isAuthenticated = await authenticator.hasCredentials() }
        let error = RegistryError.classify(
            host: host,
            status: Int(status),
            body: body,
            retryAfter: retryAfter,
            authenticated: isAuthenticated,
            isNamed: request.isNamed,
            what: request.what
        )
        if let pull, status == 429 {
            if error.kind == .quotaExhausted {
                await request.budget?.exhaust(pull, retryAfter: error.retryAfter)
            } else {
                await request.budget?.release(pull)
            }
        }
        if status == 401,
            try await authenticator.respond(
                to: answer.response.headers,
                used: authorization,
                scope: request.scope
            )
        {
            throw ChallengeAnswered(error: error)
        }
        // ECR says so when its twelve hours are over, or when the role behind the token is; and to a HEAD nothing.
        let isExpired = [400, 403].contains(status) && body.mentions("authorization token has expired")
        if isExpired || (status == 403 && !body.hasWords), let authorization {
            let final = isExpired ? error.ofAnEndedToken : error
            guard try await authenticator.renew(authorization, scope: request.scope) else { throw final }
            throw ChallengeAnswered(error: final)
        }
        throw error
    }

    /// Whether the registry may have counted a request that has no answer: all but those that were never sent.
    private static func mayHaveArrived(_ error: any Error) -> Bool {
        switch (error as? TransportError)?.kind {
        case .nameResolution, .connect, .tls, .addressRefused, .proxy, .invalidRequest, .resources: false
        case .stalled, .cut, nil: true
        }
    }

    private func redirect(
        _ response: HTTPClientResponse,
        from address: WebAddress,
        what: String
    ) throws -> WebAddress {
        guard let location = response.headers.first(name: "location"), let next = address.resolving(location) else {
            throw RegistryError(.brokenAnswer, host: host, detail: "\(what): a redirect to no usable address")
        }
        guard next.origin.scheme == .https || address.origin.scheme == .http else {
            throw RegistryError(
                .addressRefused,
                host: host,
                detail: "\(what): a redirect from https to \(next.origin) is not followed"
            )
        }
        return next
    }

    /// What a transport throws, in the registry's terms.
    func translate(_ error: any Error) -> any Error {
        if let error = error as? TransportError { return RegistryError(error, host: host) }
        return error
    }

    /// The bytes of a body, at most `limit`.
    static func collect(_ body: HTTPClientResponse.Body, limit: Int, host: String) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            guard bytes.count + chunk.readableBytes <= limit else {
                throw RegistryError(.tooLarge, host: host, detail: "an answer of more than \(limit) bytes")
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    func address(_ repository: String, _ rest: String) -> WebAddress {
        WebAddress(origin: endpoint.origin, target: "/v2/\(repository)/\(rest)")
    }
}

extension RegistryError {
    /// Whether it is worth another attempt within seconds, after the one with this number. What a manifest names and the
    /// registry lacks is asked for three times: each may count as a pull.
    func isWorthRepeating(after attempt: Int) -> Bool {
        isBrief && !wasRepeated && !(kind == .incomplete && attempt >= 3)
    }

    /// The registry calls a token ended that is as new as can be had: a clock is wrong, or it is late to know of it.
    fileprivate var ofAnEndedToken: RegistryError {
        var error = self
        error.kind = .brokenAnswer
        error.advice = "nothing: it is tried again; if it stays, check the clock of this machine"
        return error
    }
}

/// An answer whose body is still to come.
struct RegistryResponse: Sendable {
    var response: HTTPClientResponse
    /// Where it came from, after redirects.
    var address: WebAddress
    var permit: Permit

    var status: UInt { response.status.code }
    func header(_ name: String) -> String? { response.headers.first(name: name) }

    /// The body as a whole, decoded where a registry sends it compressed unasked.
    ///
    /// - Throws: `RegistryError` of kind `tooLarge`.
    func bytes(atMost limit: Int, host: String) async throws -> [UInt8] {
        let bytes = try await RegistryClient.collect(response.body, limit: limit, host: host)
        return Inflation.plain(bytes, coding: header("content-encoding"), atMost: limit)
    }

    /// Drops the body of an answer whose head says it all; a long one costs the connection.
    func discard() async { _ = try? await RegistryClient.collect(response.body, limit: 65_536, host: "") }

    /// What the registry calls this request, for its support and, at AWS, for CloudTrail.
    var requestID: String? { header("x-amzn-requestid") ?? header("x-amz-request-id") ?? header("x-request-id") }
}

/// A request's place among those of its host.
struct Permit: Sendable {
    var pacer: (any RequestPacer)?
    var kind: RequestKind
    var host: String

    /// Runs something in this place.
    ///
    /// - Parameters:
    ///   - refused: what to do where there is none to be had.
    ///   - handsOn: whether the place goes with the value, to be released by whoever has that.
    func hold<Value>(
        orElse refused: () async -> Void = {},
        handsOn: (Value) -> Bool = { _ in false },
        _ body: () async throws -> Value
    ) async throws -> Value {
        do { try await pacer?.acquire(kind, host: host) } catch {
            await refused()
            throw error
        }
        do {
            let value = try await body()
            if !handsOn(value) { await release() }
            return value
        } catch {
            await release()
            throw error
        }
    }

    func observe(status: Int, headers: HTTPHeaders) async {
        await pacer?.observe(kind, host: host, status: status, headers: headers)
    }
    func release() async { await pacer?.release(kind, host: host) }
}
