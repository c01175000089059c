package import Names

/// What went wrong between us and a registry, in the classes that decisions are made by.
package struct RegistryError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// No such manifest or blob.
        case notFound
        /// No such repository; at a destination it has to be created first.
        case repositoryNotFound
        /// Who we are is known, and may not.
        case denied
        /// Credentials are asked for, and we have none.
        case noCredentials
        /// Too fast; `retryAfter` may say for how long.
        case throttled
        /// A counted allowance is used up; waiting helps, trying does not.
        case quotaExhausted
        /// No answer at all: see `transport`.
        case unreachable
        /// The registry answered 5xx.
        case serverFault
        /// An answer that breaks the specification.
        case brokenAnswer
        /// Content whose digest is not the one it was asked for, or of another length.
        case digestMismatch
        /// Formats that are not copied: schema 1, foreign layers, unknown types; `detail` says which.
        case unsupported
        /// None of the wanted platforms is there; `platforms` are those that are.
        case platformMissing
        /// The tag is immutable and names something else; `digests` are the one there and the one wanted.
        case tagImmutable
        /// The registry refuses for good: name, quota of images, size.
        case refused
        /// The upload session is no longer there; the blob starts anew.
        case uploadGone
        /// The address guard, or the rule about http, forbids the connection.
        case addressRefused
    }

    package var kind: Kind
    /// Which registry, as named in references.
    package var host: String
    /// The HTTP status, when there was an answer.
    package var status: Int?
    /// How long the registry asks us to wait.
    package var retryAfter: Duration?
    /// The error codes of the answer's body, such as `MANIFEST_UNKNOWN`.
    package var codes: [String]
    /// One sentence about this case; no secrets, no query strings.
    package var detail: String
    package var transport: TransportError.Kind?
    package var platforms: [Platform]
    /// For `tagImmutable` and `digestMismatch`: what is there, and what was wanted.
    package var digests: DigestConflict?
    /// Nothing was sent: our own limits held the request back until `retryAfter` is over.
    package var isHeldBack = false

    package struct DigestConflict: Hashable, Sendable {
        package var found: Digest?
        package var wanted: Digest

        package init(found: Digest?, wanted: Digest) {
            self.found = found
            self.wanted = wanted
        }
    }

    package init(
        _ kind: Kind,
        host: String,
        status: Int? = nil,
        retryAfter: Duration? = nil,
        codes: [String] = [],
        detail: String,
        transport: TransportError.Kind? = nil,
        platforms: [Platform] = [],
        digests: DigestConflict? = nil
    ) {
        self.kind = kind
        self.host = host
        self.status = status
        self.retryAfter = retryAfter
        self.codes = codes
        self.detail = detail
        self.transport = transport
        self.platforms = platforms
        self.digests = digests
    }

    /// A transport's failure, seen from the registry it was meant for.
    package init(_ error: TransportError, host: String) {
        let kind: Kind = error.kind == .addressRefused || error.kind == .invalidRequest ? .addressRefused : .unreachable
        self.init(kind, host: host, detail: error.description, transport: error.kind)
    }

    /// Whether the same image may succeed later without anybody changing anything.
    package var isWorthRetrying: Bool {
        switch kind {
        case .throttled, .quotaExhausted, .serverFault, .uploadGone, .digestMismatch, .brokenAnswer: true
        case .unreachable: transport != .tls
        case .notFound, .repositoryNotFound, .denied, .noCredentials, .unsupported, .platformMissing, .tagImmutable,
            .refused, .addressRefused:
            false
        }
    }

    /// Whether the failure is the host's rather than the image's, so that it uses none of the image's attempts.
    package var belongsToHost: Bool {
        switch kind {
        case .throttled, .quotaExhausted, .unreachable, .serverFault: true
        default: false
        }
    }

    package var description: String {
        var text = "\(host): \(detail)"
        if kind == .tagImmutable, let digests {
            text += "; the tag is at \(digests.found?.description ?? "another digest") and not at \(digests.wanted)"
        }
        if let status { text += " (HTTP \(status)" + (codes.isEmpty ? ")" : ", \(codes.joined(separator: ", ")))") }
        return text
    }

    /// What a person can do about it.
    package var mend: String {
        switch kind {
        case .notFound: "check the name and the tag; private images answer like missing ones without credentials"
        case .repositoryNotFound: "create the repository, or check its name"
        case .denied: "give these credentials the right to this repository"
        case .noCredentials: "configure credentials for \(host)"
        case .throttled: "nothing: it is tried again; lower registries.\(host).requestsPerSecond if it happens often"
        case .quotaExhausted: "nothing: it is tried again when the allowance is back; credentials usually raise it"
        case .unreachable: transport == .tls ? "trust the registry's certificate authority" : "check network and proxy"
        case .serverFault: "nothing: it is tried again"
        case .brokenAnswer: "tell the registry's operator"
        case .digestMismatch: "nothing: it is tried again; if it stays, the registry's storage is damaged"
        case .unsupported: "use an image in Docker schema 2 or OCI format"
        case .platformMissing:
            "use an image that has the platform, or ask for one of: "
                + platforms.map(\.description).joined(separator: ", ")
        case .tagImmutable: "delete the tag at the destination, or clone to another tag"
        case .refused: "see the registry's message"
        case .uploadGone: "nothing: it is tried again"
        case .addressRefused:
            "if the address is right, list it in network.trustedHosts or network.trustedNetworks; link-local and "
                + "metadata addresses are never trusted"
        }
    }
}

extension RegistryError {
    /// Names the class of an answer.
    ///
    /// - Parameter authenticated: whether the request carried credentials of ours.
    static func classify(
        host: String,
        status: Int,
        body: ErrorBody,
        retryAfter: Duration?,
        authenticated: Bool,
        what: String
    ) -> RegistryError {
        let kind: Kind
        switch status {
        // ECR says 400, Quay 409, Harbor 412.
        case _ where [400, 403, 405, 409, 412].contains(status) && body.mentions("immutab"): kind = .tagImmutable
        case 401: kind = authenticated ? .denied : .noCredentials
        case 403:
            // Docker Hub and GHCR answer 403 for repositories that do not exist, ECR for a full repository.
            kind = body.mentions("limit") && body.mentions("exceeded") ? .refused : .denied
        case 404:
            let isRepository =
                body.codes.contains("NAME_UNKNOWN") || body.mentions("repository with name")
            kind = isRepository ? .repositoryNotFound : .notFound
        case 429: kind = body.mentions("pull rate limit") || body.mentions("pull limit") ? .quotaExhausted : .throttled
        case 405 where body.codes.contains("UNSUPPORTED"): kind = .unsupported
        case 408, 425: kind = .throttled
        case 503: kind = retryAfter == nil ? .serverFault : .throttled
        case 500...599: kind = .serverFault
        case 400...499: kind = body.codes.contains("BLOB_UPLOAD_UNKNOWN") ? .uploadGone : .refused
        default: kind = .brokenAnswer
        }
        let text = body.message.isEmpty ? what : "\(what): \(body.message)"
        return RegistryError(
            kind,
            host: host,
            status: status,
            retryAfter: retryAfter,
            codes: body.codes,
            detail: text
        )
    }
}
