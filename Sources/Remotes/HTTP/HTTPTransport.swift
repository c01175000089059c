/// The network seam: send a request, get the head of a response whose body streams.
///
/// An implementation never follows redirects, adds no credentials and does not retry: those are decisions of the
/// layers above. `HTTPClientRequest` and `HTTPClientResponse` are plain values, so a whole registry can be faked in
/// memory behind this protocol.
package protocol HTTPTransport: Sendable {
    /// Sends a request and returns when the head of the response has arrived.
    ///
    /// - Parameter patience: how long to wait without a byte passing in either direction, and in all until the head.
    /// - Throws: `TransportError` when no response head arrived; reading the body throws it too when it is cut.
    func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse
}

/// How long a request may stand still.
package struct Patience: Sendable, Hashable {
    /// Until the connection is up.
    package var connect: Duration
    /// Without a byte in either direction.
    package var idle: Duration
    /// Until the response head, counted from the last byte sent; nil: only `idle` counts.
    package var head: Duration?
    /// Beyond `idle`, once the last byte is sent: what the peer needs to take in a large body before it answers.
    package var digestion: Duration = .zero

    /// Until the last byte of the response, counted from the last byte sent; nil: as long as bytes pass.
    package var whole: Duration?

    package init(
        connect: Duration = .seconds(10),
        idle: Duration = .seconds(60),
        head: Duration? = nil,
        whole: Duration? = nil
    ) {
        self.connect = connect
        self.idle = idle
        self.head = head
        self.whole = whole
    }

    /// The same, for an answer of a few megabytes at most: it may trickle, but not for ever.
    package var forSmallBodies: Patience {
        var patience = self
        patience.whole = whole ?? max(idle * 2, .seconds(5))
        return patience
    }
}

/// A request that got no answer, or an answer that broke off.
package struct TransportError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was; closed, because the retry rules depend on it.
    package enum Kind: String, Sendable, Hashable {
        /// The name could not be resolved.
        case nameResolution
        /// Nobody answered at the address, or it refused.
        case connect
        /// The certificate or the handshake was not acceptable.
        case tls
        /// No byte for the configured time.
        case stalled
        /// The connection ended in the middle.
        case cut
        /// The address guard refused the destination; not worth another try.
        case addressRefused
        /// The proxy refused or failed.
        case proxy
        /// The request itself was not valid (bad URL, scheme not allowed).
        case invalidRequest
        /// No file descriptor or memory left on this machine.
        case resources
    }

    package var kind: Kind
    /// `host:port`, never a path or a query.
    package var host: String
    package var detail: String

    package init(kind: Kind, host: String, detail: String) {
        self.kind = kind
        self.host = host
        self.detail = detail
    }

    /// Whether the same request may succeed when sent again soon.
    package var isWorthRetrying: Bool {
        switch kind {
        case .nameResolution, .connect, .stalled, .cut, .proxy, .resources: true
        case .tls, .addressRefused, .invalidRequest: false
        }
    }

    package var description: String { "\(host): \(detail)" }
}
