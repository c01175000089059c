import Foundation
import Names

/// A public registry over HTTP: tokens, pull quotas, manifests, blobs (OCI distribution specification 1.1; Docker's
/// token authentication; aws-facts on what the public registries do).
struct UpstreamRegistry: Sendable {
    let world: World
    /// The host name it stands for.
    let host: String

    func respond(to request: Incoming) async throws -> Reply {
        let segments = request.segments
        if segments == ["token"] {
            let call = Call(service: "registry", operation: "Token", registry: host, repository: request.value("scope"))
            return try await world.serve(call, wire: .registry) { try token(for: request) }
        }
        guard let path = RegistryPath(segments) else {
            return Wire.registry.reply(AWSFailure("NOT_FOUND", "no such page", status: 404))
        }
        let call = path.call(method: request.method, registry: host)
        let challenge = world.with { unauthorized(path.repository, in: $0) }
        return try await world.serve(call, wire: .registry, expired: challenge) {
            guard ["GET", "HEAD"].contains(request.method) else {
                throw AWSFailure("UNSUPPORTED", "this registry is read-only", status: 405)
            }
            return try world.with { try answer(request, path: path, state: &$0) }
        }
    }

    private func answer(_ request: Incoming, path: RegistryPath, state: inout WorldState) throws -> Reply {
        let now = state.now
        guard let upstream = state.upstreams[host], !upstream.isDown else {
            throw AWSFailure("UNAVAILABLE", "the registry is down", status: 503)
        }
        let account = try account(of: request, path: path, upstream: upstream, state: state)
        if let name = path.repository, upstream.repositories[name]?.isPrivate == true, account == nil {
            throw unauthorized(name, in: state)
        }
        switch path {
        case .ping:
            return .json([:])
        case .manifest(let repository, let reference):
            return try manifest(request, repository, reference, account: account, now: now, state: &state)
        case .blob(let repository, let digest):
            guard upstream.repositories[repository]?.blobs.contains(digest) == true, let content = state.blobs[digest]
            else { throw AWSFailure("BLOB_UNKNOWN", "blob unknown to registry", status: 404) }
            if request.method == "GET", upstream.settings.redirectsBlobs {
                let address = state.presigned(key: "cdn.\(host)/\(digest)", content: content)
                return Reply(307, headers: [("Location", address)])
            }
            let reply = try BlobReply.make(
                content,
                range: request.headers["range"],
                headers: [("Docker-Content-Digest", digest)]
            )
            return request.method == "HEAD" ? reply.withoutBytes : reply
        case .tags(let repository):
            guard let entry = upstream.repositories[repository] else {
                throw AWSFailure("NAME_UNKNOWN", "repository name not known to registry", status: 404)
            }
            return .json(["name": .string(repository), "tags": .array(entry.tags.keys.sorted().map { .string($0) })])
        case .referrers(let repository, let digest) where upstream.settings.listsReferrers:
            let all = upstream.repositories[repository]?.manifests.values.map(\.self) ?? []
            return .referrers(of: digest, among: all, request, size: upstream.settings.referrersPage)
        case .upload, .referrers:
            throw AWSFailure("UNSUPPORTED", "not offered here", status: 404)
        }
    }

    private func manifest(
        _ request: Incoming,
        _ repository: String,
        _ reference: String,
        account: String?,
        now: Date,
        state: inout WorldState
    ) throws -> Reply {
        var limits: [(name: String, value: String)] = []
        if let (allowance, used) = state.upstreams[host]?.allowance(of: account, now: now) {
            // HEAD is free; GET counts, even of what is not there.
            let isCounted = request.method == "GET"
            let left = max(0, allowance.limit - used - (isCounted ? 1 : 0))
            limits = [
                ("ratelimit-limit", "\(allowance.limit);w=\(Int(allowance.window))"),
                ("ratelimit-remaining", "\(left);w=\(Int(allowance.window))"),
                ("docker-ratelimit-source", account ?? "127.0.0.1"),
            ]
            if isCounted, used >= allowance.limit {
                throw AWSFailure(
                    "TOOMANYREQUESTS",
                    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading.",
                    status: 429,
                    headers: Dictionary(limits, uniquingKeysWith: { first, _ in first })
                )
            }
            if isCounted { state.upstreams[host]?.countPull(of: account, now: now) }
        }
        guard let manifest = state.upstreams[host]?.manifest(repository, reference) else {
            throw AWSFailure(
                "MANIFEST_UNKNOWN",
                "manifest unknown",
                status: 404,
                headers: Dictionary(limits, uniquingKeysWith: { first, _ in first })
            )
        }
        let reply = Reply(
            200,
            headers: limits + [
                ("Content-Type", manifest.mediaType),
                ("Docker-Content-Digest", manifest.digest),
                ("ETag", "\"\(manifest.digest)\""),
            ],
            body: .data(Data(manifest.bytes))
        )
        return request.method == "HEAD" ? reply.withoutBytes : reply
    }

    // MARK: Tokens

    /// The account of the request; nil for an anonymous one.
    private func account(
        of request: Incoming,
        path: RegistryPath,
        upstream: UpstreamState,
        state: WorldState
    ) throws -> String? {
        guard upstream.settings.needsToken else {
            return try request.headers["authorization"].map { try basic($0, upstream.settings) }
        }
        guard let header = request.headers["authorization"], header.hasPrefix("Bearer "),
            let token = upstream.tokens[String(header.dropFirst(7))], token.expires > state.now
        else { throw unauthorized(path.repository, in: state) }
        if let repository = path.repository, !token.repositories.contains(repository) {
            throw unauthorized(repository, in: state)
        }
        return token.account
    }

    private func unauthorized(_ repository: String?, in state: WorldState) -> AWSFailure {
        let address = state.addresses.registries[host] ?? ""
        var challenge = "Bearer realm=\"\(address)/token\",service=\"\(host)\""
        if let repository { challenge += ",scope=\"repository:\(repository):pull\"" }
        return AWSFailure(
            "UNAUTHORIZED",
            "authentication required",
            status: 401,
            headers: ["WWW-Authenticate": challenge]
        )
    }

    private func basic(_ header: String, _ settings: UpstreamSettings) throws -> String {
        let wrong = AWSFailure("UNAUTHORIZED", "incorrect username or password", status: 401)
        guard header.lowercased().hasPrefix("basic "), let data = Data(base64Encoded: String(header.dropFirst(6)))
        else { throw wrong }
        let pair = String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1).map(String.init)
        guard pair.count == 2, settings.accounts[pair[0]] == pair[1] else { throw wrong }
        return pair[0]
    }

    private func token(for request: Incoming) throws -> Reply {
        try world.with { state in
            guard let upstream = state.upstreams[host], !upstream.isDown else {
                throw AWSFailure("UNAVAILABLE", "the registry is down", status: 503)
            }
            let account = try request.headers["authorization"].map { try basic($0, upstream.settings) }
            guard account != nil || upstream.settings.isAnonymousAllowed else {
                throw AWSFailure("UNAUTHORIZED", "incorrect username or password", status: 401)
            }
            let scopes = request.query.filter { $0.name == "scope" }.flatMap { $0.value.split(separator: " ") }
            let repositories = scopes.compactMap { scope -> String? in
                let parts = scope.split(separator: ":")
                return parts.count == 3 && parts[0] == "repository" ? String(parts[1]) : nil
            }
            let value = state.token(40)
            let token = UpstreamState.Token(
                account: account,
                repositories: Set(repositories),
                expires: state.now.addingTimeInterval(upstream.settings.tokenLifetime)
            )
            state.upstreams[host]?.tokens[value] = token
            return .json([
                "token": .string(value),
                "access_token": .string(value),
                "expires_in": .integer(Int64(upstream.settings.tokenLifetime)),
                "issued_at": .iso8601(state.now),
            ])
        }
    }
}
