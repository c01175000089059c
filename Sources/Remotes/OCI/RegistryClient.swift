import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

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
    /// Requests to this registry and to where it redirects, token requests apart.
    package let counter: RequestCounter

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
        counter = RequestCounter()
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
    /// What is done, for messages: "reading the manifest 1.17 of a/b".
    var what: String
    /// Counts the request against a pull quota, each time that it is sent.
    var budget: (any PullBudget)?
    /// Whether the pacer is asked.
    var isPaced = true
    /// Beyond the client's patience, until the answer to a request that was sent.
    var digestion: Duration = .zero
}

extension RegistryClient {
    /// Sends a request until there is an answer that is neither a challenge, a redirect to follow nor worth another
    /// try at once.
    ///
    /// - Parameter accepting: statuses that are handed to the caller; every other one becomes an error.
    /// - Throws: `RegistryError`, `CancellationError`.
    func perform(_ request: RegistryRequest, accepting: Set<UInt>) async throws -> RegistryResponse {
        var attempt = 1
        var challengesLeft = 2
        while true {
            try Task.checkCancellation()
            do {
                return try await once(request, accepting: accepting)
            } catch is ChallengeAnswered where challengesLeft > 0 {
                challengesLeft -= 1
                // Its body is gone: whoever sent it has to begin anew, with the new token.
                guard request.isRepeatable else {
                    throw RegistryError(
                        .uploadGone,
                        host: host,
                        status: 401,
                        detail: "\(request.what): the token had run out"
                    )
                }
            } catch is ChallengeAnswered {
                throw RegistryError(
                    await authenticator.hasCredentials() ? .denied : .noCredentials,
                    host: host,
                    status: 401,
                    detail: "\(request.what): the registry keeps asking for credentials"
                )
            } catch let error as RegistryError {
                guard request.isRepeatable, attempt < retry.attempts, Self.isBrief(error),
                    (error.retryAfter ?? .zero) <= retry.maximumRetryAfter
                else { throw error }
                try await timeline.sleep(error.retryAfter ?? retry.delay(after: attempt, random: timeline.random()))
                attempt += 1
            }
        }
    }

    /// Whether trying again within seconds makes sense.
    static func isBrief(_ error: RegistryError) -> Bool {
        switch error.kind {
        case .throttled, .serverFault: true
        case .unreachable: error.transport != .tls
        default: false
        }
    }

    /// A 401 that was answered with new credentials: send again.
    private struct ChallengeAnswered: Error {}

    private func once(_ request: RegistryRequest, accepting: Set<UInt>) async throws -> RegistryResponse {
        var address = request.address
        var hops = 0
        while true {
            let isOwn = address.origin == endpoint.origin
            var outgoing = HTTPClientRequest(url: address.description)
            outgoing.method = request.method
            outgoing.headers = request.headers
            outgoing.headers.replaceOrAdd(name: "user-agent", value: Self.userAgent)
            outgoing.body = request.body
            var authorization: String?
            if isOwn {
                authorization = try await authenticator.authorization(for: request.scope)
                if let authorization { outgoing.headers.replaceOrAdd(name: "authorization", value: authorization) }
            }
            let pull = isOwn ? try await request.budget?.reserve(registry: host) : nil
            if isOwn, request.isPaced {
                do {
                    try await pacer.acquire(request.kind, host: host)
                } catch {
                    if let pull { await request.budget?.release(pull) }
                    throw error
                }
            }
            counter.add(request.kind, own: isOwn)
            let permit = Permit(pacer: isOwn && request.isPaced ? pacer : nil, kind: request.kind, host: host)
            var patience = patience
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
                await permit.release()
                throw translate(error)
            }
            if isOwn, request.isPaced {
                await pacer.observe(
                    request.kind,
                    host: host,
                    status: Int(response.status.code),
                    headers: response.headers
                )
            }
            let status = response.status.code
            // After the headers, which say more of the count than this pull alone. What 429 means, its body tells.
            if let pull, status != 429 {
                let isCounted = ![401, 403].contains(status) && status < 500
                if isCounted { await request.budget?.commit(pull) } else { await request.budget?.release(pull) }
            }
            if accepting.contains(status) {
                return RegistryResponse(response: response, address: address, permit: permit)
            }
            let isReading = request.method == .GET || request.method == .HEAD
            // A POST goes on as one, where there is nothing in it to send again.
            let isStarting = request.method == .POST && request.body == nil
            if isReading && [301, 302, 303, 307, 308].contains(status) || isStarting && [307, 308].contains(status) {
                _ = try? await Self.collect(response.body, limit: 65_536, host: host)
                await permit.release()
                address = try redirect(response, from: address, hops: &hops, what: request.what)
                continue
            }
            let bytes = (try? await Self.collect(response.body, limit: 65_536, host: host)) ?? []
            await permit.release()
            if status == 401, isOwn,
                try await authenticator.respond(to: response.headers, used: authorization, scope: request.scope)
            {
                throw ChallengeAnswered()
            }
            let body = ErrorBody(bytes: bytes)
            // ECR says so when its twelve hours are over, or when the role behind the token is.
            if status == 403 || status == 400, isOwn, body.mentions("authorization token has expired"),
                try await authenticator.respond(
                    to: ["www-authenticate": "Basic realm=\"expired\""],
                    used: authorization,
                    scope: request.scope
                )
            {
                throw ChallengeAnswered()
            }
            let error = RegistryError.classify(
                host: isOwn ? host : address.origin.authority,
                status: Int(status),
                body: body,
                retryAfter: response.headers.first(name: "retry-after").flatMap {
                    RetryAfter.parse($0, now: timeline.now())
                },
                authenticated: authorization != nil ? await authenticator.hasCredentials() : false,
                what: request.what
            )
            if let pull, status == 429 {
                if error.kind == .quotaExhausted {
                    await request.budget?.exhaust(pull, retryAfter: error.retryAfter)
                } else {
                    await request.budget?.release(pull)
                }
            }
            throw error
        }
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
        hops: inout Int,
        what: String
    ) throws -> WebAddress {
        hops += 1
        guard hops <= 5 else {
            throw RegistryError(.brokenAnswer, host: host, detail: "\(what): more than five redirects")
        }
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
    ///
    /// - Parameter length: how many the answer says there are.
    static func collect(
        _ body: HTTPClientResponse.Body,
        limit: Int,
        host: String,
        length: String? = nil
    ) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        if let length = length.flatMap({ Int($0) }), (0...limit).contains(length) { bytes.reserveCapacity(length) }
        for try await chunk in body {
            guard bytes.count + chunk.readableBytes <= limit else {
                throw RegistryError(.brokenAnswer, host: host, detail: "an answer of more than \(limit) bytes")
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    func address(_ repository: String, _ rest: String) -> WebAddress {
        WebAddress(origin: endpoint.origin, target: "/v2/\(repository)/\(rest)")
    }
}

/// An answer whose body is still to come; whoever takes it must release the permit when the body is done with.
struct RegistryResponse: Sendable {
    var response: HTTPClientResponse
    /// Where it came from, after redirects.
    var address: WebAddress
    var permit: Permit

    var status: UInt { response.status.code }
    func header(_ name: String) -> String? { response.headers.first(name: name) }

    /// What the registry calls this request, for its support and, at AWS, for CloudTrail.
    var requestID: String? { header("x-amzn-requestid") ?? header("x-amz-request-id") ?? header("x-request-id") }
}

/// A request that counts against a host's concurrency until it is released.
struct Permit: Sendable {
    var pacer: (any RequestPacer)?
    var kind: RequestKind
    var host: String

    func release() async { await pacer?.release(kind, host: host) }
}
