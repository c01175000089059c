import Foundation
import NIOCore
import NIOHTTP1

/// Answers the challenges of one registry, and keeps tokens until shortly before they run out. One request for a
/// token at a time and scope; everybody else waits for it.
actor Authenticator {
    private struct Token {
        var value: String
        /// On the timeline; past this a new one is fetched before use.
        var refresh: Duration
    }

    private struct Challenge {
        var realm: WebAddress
        var service: String?
    }

    private enum Scheme {
        case none
        case basic
        case bearer(Challenge)
    }

    /// A request for a token under way, by whoever asked first; the others take what it brings.
    private final class Fetch {
        let done = Signal()
        var result: Result<Token, any Error>?
    }

    /// Tokens and scopes that are kept; what is forgotten costs a challenge.
    private static let remembered = 512

    private let endpoint: RegistryEndpoint
    private let transport: any HTTPTransport
    private let source: any RegistryCredentialSource
    private let pacer: any RequestPacer
    private let timeline: Timeline
    private let retry: RequestRetry
    private let patience: Patience

    private var scheme = Scheme.none
    private var tokens: [String: Token] = [:]
    private var fetching: [String: Fetch] = [:]
    private var scopes: [RegistryScope: [String]] = [:]

    init(
        endpoint: RegistryEndpoint,
        transport: any HTTPTransport,
        source: any RegistryCredentialSource,
        pacer: any RequestPacer,
        timeline: Timeline,
        retry: RequestRetry,
        patience: Patience
    ) {
        self.endpoint = endpoint
        self.transport = transport
        self.source = source
        self.pacer = pacer
        self.timeline = timeline
        self.retry = retry
        self.patience = patience
    }

    /// The header for a request, from what is known so far; nil before the first challenge.
    func authorization(for scope: RegistryScope) async throws -> String? {
        switch scheme {
        case .none: return nil
        case .basic: return try await basic()
        case .bearer(let challenge): return try await bearer(challenge, scope: scope)
        }
    }

    /// Takes in the challenges of a 401 to a request that carried `used`.
    ///
    /// - Returns: whether trying again makes sense: something was learned, or something stale thrown away.
    func respond(to headers: HTTPHeaders, used: String?, scope: RegistryScope) async throws -> Bool {
        let challenges = headers["www-authenticate"].flatMap(AuthenticationChallenge.parse)
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            guard let text = bearer.parameters["realm"], let realm = WebAddress(text) else {
                throw fail(.brokenAnswer, "the challenge names no usable token endpoint")
            }
            guard realm.origin.scheme == .https || endpoint.origin.scheme == .http else {
                throw fail(.addressRefused, "the token endpoint \(realm.origin) is not https")
            }
            if await hasCredentials(), !endpoint.trusts(realm: realm.origin) { throw strange(realm.origin) }
            if let scopeText = bearer.parameters["scope"], scopeText.utf8.count <= 2048, !scopeText.isEmpty {
                // Registries that name other scopes than ours know better; ours stay for what they leave out.
                var items = scopeText.split(separator: " ").map(String.init)
                items += scope.items.filter { ours in
                    !items.contains { Self.name(of: $0) == Self.name(of: ours) && $0.utf8.count >= ours.utf8.count }
                }
                if scopes.count >= Self.remembered { scopes = [:] }
                scopes[scope] = items
            }
            scheme = .bearer(Challenge(realm: realm, service: bearer.parameters["service"]))
            guard let used else { return true }
            let key = itemsKey(scope)
            if let token = tokens[key], "Bearer \(token.value)" == used {
                tokens[key] = nil
            }
            return true
        }
        if challenges.contains(where: { $0.scheme == "basic" }) {
            scheme = .basic
            guard let used else { return try await !source.credential(for: endpoint.name).isAnonymous }
            let credential = try await source.credential(for: endpoint.name)
            if Self.basicHeader(credential) == used { await source.invalidate(credential, for: endpoint.name) }
            return try await Self.basicHeader(source.credential(for: endpoint.name)) != used
        }
        return false
    }

    /// Throws away what was shown and not taken, although its time is not over by our clock.
    ///
    /// - Returns: whether there is something else to show.
    func renew(_ used: String, scope: RegistryScope) async throws -> Bool {
        switch scheme {
        case .none: return false
        case .basic:
            let credential = try await source.credential(for: endpoint.name)
            if Self.basicHeader(credential) == used { await source.invalidate(credential, for: endpoint.name) }
            return try await Self.basicHeader(source.credential(for: endpoint.name)) != used
        case .bearer:
            let key = itemsKey(scope)
            guard let token = tokens[key], "Bearer \(token.value)" == used else { return tokens[key] != nil }
            tokens[key] = nil
            return true
        }
    }

    private func strange(_ realm: WebAddress.Origin) -> RegistryError {
        RegistryError(
            .addressRefused,
            host: endpoint.name,
            detail: "it sends logins to \(realm), which is not of its own domain",
            advice: "if that is right, name it in registries.\(endpoint.name).tokenRealm; else leave out "
                + "registries.\(endpoint.name).credentials: a login is sent to its registry's own domain alone"
        )
    }

    /// Whether requests carry credentials of ours, in whatever form.
    func hasCredentials() async -> Bool {
        guard let credential = try? await source.credential(for: endpoint.name) else { return false }
        return !credential.isAnonymous
    }

    /// `repository:NAME` of a scope item.
    private static func name(of item: String) -> Substring {
        item.lastIndex(of: ":").map { item[..<$0] } ?? item[...]
    }

    private func basic() async throws -> String? {
        Self.basicHeader(try await source.credential(for: endpoint.name))
    }

    private static func basicHeader(_ credential: RegistryCredential) -> String? {
        switch credential {
        case .anonymous, .identityToken: nil
        case .basic(let user, let password): "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
        case .bearer(let token): "Bearer \(token)"
        }
    }

    private func itemsKey(_ scope: RegistryScope) -> String {
        (scopes[scope] ?? scope.items).joined(separator: " ")
    }

    private func bearer(_ challenge: Challenge, scope: RegistryScope) async throws -> String? {
        let items = scopes[scope] ?? scope.items
        let key = items.joined(separator: " ")
        while true {
            if let token = tokens[key], timeline.elapsed() < token.refresh { return "Bearer \(token.value)" }
            guard let running = fetching[key] else { break }
            await running.done.wait()
            try Task.checkCancellation()
            switch running.result {
            case .success(let token)?: return "Bearer \(token.value)"
            // Whoever fetched was cancelled; that is no reason for us to fail.
            case .failure(is CancellationError)?, nil: continue
            case .failure(let error)?: throw error
            }
        }
        let fetch = Fetch()
        fetching[key] = fetch
        defer {
            if fetching[key] === fetch { fetching[key] = nil }
            fetch.done.set()
        }
        do {
            let token = try await self.fetch(challenge, items: items)
            fetch.result = .success(token)
            if tokens.count > Self.remembered { tokens = tokens.filter { $0.value.refresh > timeline.elapsed() } }
            tokens[key] = token
            return "Bearer \(token.value)"
        } catch {
            fetch.result = .failure(error)
            throw error
        }
    }

    /// Gets a token; credentials that are refused are looked up again, once, since they may have been renewed meanwhile.
    private func fetch(_ challenge: Challenge, items: [String]) async throws -> Token {
        let credential = try await source.credential(for: endpoint.name)
        do {
            return try await fetch(challenge, items: items, credential: credential)
        } catch let error as RegistryError where error.kind == .denied {
            await source.invalidate(credential, for: endpoint.name)
            let renewed = try await source.credential(for: endpoint.name)
            guard renewed != credential else { throw error }
            do {
                return try await fetch(challenge, items: items, credential: renewed)
            } catch let error as RegistryError where error.kind == .denied {
                await source.invalidate(renewed, for: endpoint.name)
                throw error
            }
        }
    }

    private func fetch(_ challenge: Challenge, items: [String], credential: RegistryCredential) async throws -> Token {
        if case .bearer(let value) = credential { return Token(value: value, refresh: .seconds(1 << 32)) }
        var request = tokenRequest(challenge, items: items, credential: credential)
        request.headers.replaceOrAdd(name: "user-agent", value: RegistryClient.userAgent)
        request.headers.replaceOrAdd(name: "accept-encoding", value: "identity")
        do {
            return try await retry.repeating(
                on: timeline,
                translate: { [endpoint] error in
                    (error as? TransportError).map { RegistryError($0, host: endpoint.name) } ?? error as? RegistryError
                },
                isWorthIt: { error, _ in error.isBrief },
                { try await once(request, isAuthenticated: !credential.isAnonymous) }
            )
        } catch var error as RegistryError {
            error.wasRepeated = true
            throw error
        }
    }

    /// One request to the token endpoint, which counts as one to the registry and whose answer the pacer is told.
    private func once(_ request: HTTPClientRequest, isAuthenticated: Bool) async throws -> Token {
        let permit = Permit(pacer: pacer, kind: .token, host: endpoint.name)
        let (started, response, bytes) = try await permit.hold {
            let started = timeline.elapsed()
            let response = try await transport.send(request, patience: patience.forSmallBodies)
            await permit.observe(status: Int(response.status.code), headers: response.headers)
            let raw = try await RegistryClient.collect(response.body, limit: 1 << 20, host: endpoint.name)
            let coding = response.headers.first(name: "content-encoding")
            return (started, response, Inflation.plain(raw, coding: coding, atMost: 1 << 20))
        }
        let contentType = response.headers.first(name: "content-type")
        if response.status == .ok, !WebPage.isNamed(by: contentType), !WebPage.isMeant(by: bytes) {
            return try token(from: bytes, started: started)
        }
        throw refusal(response, ErrorBody(bytes: bytes, contentType: contentType), isAuthenticated)
    }

    /// What an answer without a token means: a word about us at most, never about the image.
    private func refusal(_ response: HTTPClientResponse, _ body: ErrorBody, _ isAuthenticated: Bool) -> RegistryError {
        var error = RegistryError.classify(
            host: endpoint.name,
            status: Int(response.status.code),
            body: body,
            retryAfter: response.headers.first(name: "retry-after").flatMap {
                RetryAfter.parse($0, now: timeline.now())
            },
            authenticated: isAuthenticated,
            what: "the token endpoint refused"
        )
        switch error.kind {
        case .throttled, .quotaExhausted, .serverFault, .denied, .noCredentials: break
        default: error.kind = .brokenAnswer
        }
        if error.kind == .denied, !isAuthenticated { error.kind = .noCredentials }
        if error.kind == .denied { error.advice = "correct the credentials for \(endpoint.name)" }
        return error
    }

    private func tokenRequest(
        _ challenge: Challenge,
        items: [String],
        credential: RegistryCredential
    ) -> HTTPClientRequest {
        if case .identityToken(let refreshToken) = credential {
            var request = HTTPClientRequest(url: challenge.realm.description)
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
            var form = "grant_type=refresh_token&client_id=preclone&refresh_token=\(WebAddress.escape(refreshToken))"
            form += "&scope=\(WebAddress.escape(items.joined(separator: " ")))"
            if let service = challenge.service { form += "&service=\(WebAddress.escape(service))" }
            request.body = .bytes(ByteBuffer(string: form))
            return request
        }
        var address = challenge.realm
        if let service = challenge.service { address = address.appending(query: "service", service) }
        for item in items { address = address.appending(query: "scope", item) }
        var request = HTTPClientRequest(url: address.description)
        if let header = Self.basicHeader(credential) { request.headers.add(name: "authorization", value: header) }
        return request
    }

    private func token(from bytes: [UInt8], started: Duration) throws -> Token {
        struct Answer: Decodable {
            var token: String?
            var accessToken: String?
            var expiresIn: Double?
            enum CodingKeys: String, CodingKey {
                case token
                case accessToken = "access_token"
                case expiresIn = "expires_in"
            }
        }
        guard JSONBounds.holds(bytes), let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)),
            let value = [answer.token, answer.accessToken].compactMap({ $0 }).first(where: { !$0.isEmpty }),
            value.utf8.count <= 65_536, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw fail(.brokenAnswer, "the token endpoint gave no token") }
        // Without a lifetime a token counts for 60 seconds (distribution specification, token authentication).
        let lifetime = min(max(answer.expiresIn ?? 60, 1), 86_400)
        let early = min(30, lifetime / 4)
        return Token(value: value, refresh: started + .seconds(lifetime - early))
    }

    private func fail(_ kind: RegistryError.Kind, _ detail: String) -> RegistryError {
        RegistryError(kind, host: endpoint.name, detail: detail)
    }
}
