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
        /// Where the registry redirects to did not give it: an address that ran out, storage that fails. It says nothing
        /// about the image; the registry, asked again, names another address.
        case storeFault
        /// A manifest names it and the registry does not have it: an index's child, a layer. It may be about to come.
        case incomplete
        /// An answer of more bytes than are read of its kind.
        case tooLarge
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
    /// It was repeated already, on the way to what it kept from being done.
    package var wasRepeated = false
    /// What a person can do about this very case, where its kind says too little.
    package var advice: String?

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
        digests: DigestConflict? = nil,
        advice: String? = nil
    ) {
        self.kind = kind
        self.host = host
        self.status = status
        self.retryAfter = retryAfter
        self.codes = codes
        self.detail = Self.bounded(detail)
        self.advice = advice
        self.transport = transport
        self.platforms = platforms
        self.digests = digests
    }

    /// Much of a message may come from the other side, which decides nothing about our memory or our record.
    private static func bounded(_ text: String) -> String {
        text.utf8.count <= 2_000 ? text : String(text.prefix(1_000)) + " …"
    }

    /// A transport's failure, seen from the registry it was meant for.
    package init(_ error: TransportError, host: String) {
        let kind: Kind = error.kind == .addressRefused || error.kind == .invalidRequest ? .addressRefused : .unreachable
        self.init(kind, host: host, detail: error.description, transport: error.kind)
    }

    /// Whether the same image may succeed later without anybody changing anything.
    package var isWorthRetrying: Bool {
        switch kind {
        case .throttled, .quotaExhausted, .serverFault, .uploadGone, .digestMismatch, .brokenAnswer, .storeFault,
            .incomplete, .tooLarge:
            true
        case .unreachable: transport != .tls
        case .notFound, .repositoryNotFound, .denied, .noCredentials, .unsupported, .platformMissing, .tagImmutable,
            .refused, .addressRefused:
            false
        }
    }

    /// Whether trying again within seconds makes sense.
    var isBrief: Bool {
        switch kind {
        case .throttled, .serverFault, .storeFault, .incomplete: true
        case .unreachable: transport != .tls
        default: false
        }
    }

    /// Whether the failure is the host's rather than the image's, so that it uses none of the image's attempts.
    package var belongsToHost: Bool {
        switch kind {
        case .throttled, .quotaExhausted, .unreachable, .serverFault: true
        default: false
        }
    }

    /// Whether it is a refusal to look, which leaves open whether there is something: many a store behind a registry
    /// allows GET alone, and the answer to a HEAD has no words.
    var leavesOpen: Bool {
        guard let status else { return false }
        return switch kind {
        case .denied, .refused, .unsupported, .brokenAnswer, .storeFault: status != 401
        case .serverFault: status < 502
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
        if let advice { return advice }
        return switch kind {
        case .notFound: "check the name and the tag; private images answer like missing ones without credentials"
        case .repositoryNotFound: "create the repository, or check its name"
        case .denied: "check the name; if it is right, give these credentials the right to this repository"
        case .noCredentials: "configure credentials for \(host)"
        case .throttled: "nothing: it is tried again; lower registries.\(host).requestsPerSecond if it happens often"
        case .quotaExhausted: "nothing: it is tried again when the allowance is back; credentials usually raise it"
        case .unreachable:
            transport == .tls
                ? "trust the registry's certificate authority, or check its name and this machine's clock"
                : "nothing: it is tried again; if it stays, check network and proxy"
        case .serverFault: "nothing: it is tried again"
        case .brokenAnswer, .tooLarge, .storeFault:
            "nothing: it is tried again; if it stays, tell the registry's operator"
        case .digestMismatch: "nothing: it is tried again; if it stays, the registry's storage is damaged"
        case .unsupported: "use an image in Docker schema 2 or OCI format"
        case .platformMissing:
            "use an image that has the platform"
                + (platforms.isEmpty ? "" : ", or ask for one of: " + Platform.list(platforms))
        case .tagImmutable: "delete the tag at the destination, or clone to another tag"
        case .refused: "see the registry's message"
        case .uploadGone: "nothing: it is tried again"
        case .addressRefused:
            "if the address is right, list it in network.trustedHosts or network.trustedNetworks; link-local and "
                + "metadata addresses are never trusted"
        case .incomplete: "nothing: it is tried again; if it stays, its publisher has to push it anew"
        }
    }
}

extension Platform {
    /// Names for a message: the first twelve, and how many more there are.
    static func list(_ platforms: [Platform]) -> String {
        let names = platforms.prefix(12).map { String($0.description.prefix(80)) }.joined(separator: ", ")
        return platforms.count > 12 ? "\(names) and \(platforms.count - 12) more" : names
    }
}

extension RegistryError {
    /// What somebody can do where a registry answers 401: most of them say so too of what does not exist.
    private static func mayNotExist(_ host: String) -> String {
        "check the name and the tag: \(host) answers so too for what does not exist; if it is private, configure "
            + "credentials for \(host)"
    }

    /// Names the class of an answer of the registry itself.
    ///
    /// Only what the registry says in its own words is final. A web page in place of an answer, or a refusal without a
    /// word, is of something in between: it may be different in a minute.
    ///
    /// - Parameters:
    ///   - authenticated: whether the request carried credentials of ours.
    ///   - isNamed: whether a manifest names what was asked for.
    static func classify(
        host: String,
        status: Int,
        body: ErrorBody,
        retryAfter: Duration?,
        authenticated: Bool,
        isNamed: Bool = false,
        what: String
    ) -> RegistryError {
        var advice: String?
        let kind: Kind
        switch status {
        case 401:
            kind = authenticated ? .denied : .noCredentials
            if !authenticated { advice = mayNotExist(host) }
        case 429: kind = body.mentions("pull rate limit") || body.mentions("pull limit") ? .quotaExhausted : .throttled
        case 408, 425: kind = .throttled
        case 503: kind = retryAfter == nil ? .serverFault : .throttled
        case 500...599: kind = .serverFault
        case _ where body.isPage:
            kind = .serverFault
            advice =
                "nothing: it is tried again; if it stays, see what answers in the place of \(host): a proxy, a page of "
                + "maintenance, or no registry at all"
        // ECR says 400, Quay 409, Harbor 412.
        case _ where [400, 403, 405, 409, 412].contains(status) && body.mentions("immutab"): kind = .tagImmutable
        case 403 where !body.hasWords:
            kind = .brokenAnswer
            advice =
                "nothing: it is tried again; if it stays, check the name, and the rights of "
                + (authenticated ? "these credentials" : "whoever asks without credentials")
        case 403:
            // Docker Hub and GHCR answer 403 for repositories that do not exist, ECR for a full repository.
            kind = body.mentions("limit") && body.mentions("exceeded") ? .refused : .denied
            if kind == .denied, !authenticated { advice = mayNotExist(host) }
        case 404, 410:
            let isRepository =
                body.codes.contains("NAME_UNKNOWN") || body.mentions("repository with name")
            kind = isRepository ? .repositoryNotFound : isNamed ? .incomplete : .notFound
        case 405 where body.codes.contains("UNSUPPORTED"): kind = .unsupported
        case 413: kind = .refused
        case 400...499 where body.codes.contains("BLOB_UPLOAD_UNKNOWN"): kind = .uploadGone
        case 400...499: kind = body.codes.isEmpty ? .brokenAnswer : .refused
        default: kind = .brokenAnswer
        }
        return RegistryError(
            kind,
            host: host,
            status: status,
            retryAfter: retryAfter,
            codes: body.codes,
            detail: body.message.isEmpty ? what : "\(what): \(body.message)",
            advice: advice
        )
    }

    /// Names the class of what answered where the registry had led us.
    static func classify(
        store: WebAddress.Origin,
        of host: String,
        status: Int,
        body: ErrorBody,
        retryAfter: Duration?,
        what: String
    ) -> RegistryError {
        RegistryError(
            status == 429 || (status == 503 && retryAfter != nil) ? .throttled : .storeFault,
            host: host,
            status: status,
            retryAfter: retryAfter,
            codes: body.codes,
            detail: "\(what): \(store.authority), where it leads, "
                + (body.message.isEmpty ? "refused" : "says: \(body.message)"),
            advice: "nothing: it is tried again; if it stays, tell the operator of \(host)"
        )
    }
}
