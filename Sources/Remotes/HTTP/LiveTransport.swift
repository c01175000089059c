import NIOCore
import NIOHTTP1
import Synchronization

/// The transport that really opens connections: HTTP/1.1, kept open between requests, over TLS or not, straight or
/// through a proxy. A body passes in pieces as they come from the socket, without a copy of ours.
///
/// Names are resolved here and every address is judged before it is connected to, and again once connected.
package final class LiveTransport: HTTPTransport {
    package struct Configuration: Sendable {
        /// PEM files whose authorities are trusted beside the system's.
        package var certificateAuthorityFiles: [String]
        package var proxies: ProxySettings
        /// nil: every address is allowed. Only for credential providers, which have to reach the metadata service.
        package var addressGuard: AddressGuard?
        package var resolver: any HostResolver
        /// How long an unused connection is kept.
        package var keepAlive: Duration

        package init(
            certificateAuthorityFiles: [String] = [],
            proxies: ProxySettings = .none,
            addressGuard: AddressGuard? = nil,
            resolver: any HostResolver = SystemResolver(),
            keepAlive: Duration = .seconds(20)
        ) {
            self.certificateAuthorityFiles = certificateAuthorityFiles
            self.proxies = proxies
            self.addressGuard = addressGuard
            self.resolver = resolver
            self.keepAlive = keepAlive
        }
    }

    /// Connections are not shared between those who trust an origin and those who were led to it, nor between those who
    /// trust different authorities.
    private struct Key: Hashable {
        var origin: WebAddress.Origin
        var isOwn: Bool
        var authorities: TrustedAuthorities?
    }

    private struct Idle {
        var connection: HTTPConnection
        var since: NIODeadline
    }

    private let configuration: Configuration
    private let authorities: TrustedAuthorities
    private let idle = Mutex<[Key: [Idle]]>([:])
    private let isClosed = Mutex(false)

    /// - Throws: when a file of certificate authorities cannot be read or holds none.
    package init(_ configuration: Configuration) throws {
        self.configuration = configuration
        authorities = try TrustedAuthorities(files: configuration.certificateAuthorityFiles)
        // Makes the generic type before two event loops ask for it at once: the runtime has crashed there (Swift 6.3).
        _ = ByteToMessageHandler(HTTPResponseDecoder())
    }

    package convenience init(certificateAuthorityFiles: [String] = []) throws {
        try self.init(Configuration(certificateAuthorityFiles: certificateAuthorityFiles))
    }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        try await send(request, patience: patience, isOwn: { _ in false }, authorities: nil)
    }

    /// The same transport for whoever may reach these origins at loopback and private addresses too: a registry's own.
    package func trusting(_ origins: Set<WebAddress.Origin>) -> any HTTPTransport {
        TrustingTransport(transport: self, isOwn: { origins.contains($0) }, authorities: nil)
    }

    /// The same transport for the requests of one registry, wherever they lead: certificates of these authorities are
    /// accepted there too, and for nobody else.
    ///
    /// - Parameters:
    ///   - isOwn: which origins may be at loopback and private addresses.
    ///   - files: PEM files, beside those of this transport.
    /// - Throws: when a file cannot be read or holds no certificate.
    package func trusting(
        where isOwn: @escaping @Sendable (WebAddress.Origin) -> Bool,
        authorities files: [String] = []
    ) throws -> any HTTPTransport {
        let all = configuration.certificateAuthorityFiles + files
        let authorities = files.isEmpty ? nil : try TrustedAuthorities(files: all)
        return TrustingTransport(transport: self, isOwn: isOwn, authorities: authorities)
    }

    /// Closes what is not in use; later requests are refused.
    package func shutdown() async throws {
        isClosed.withLock { $0 = true }
        let connections = idle.withLock { idle in
            defer { idle = [:] }
            return idle.values.flatMap { $0 }
        }
        for entry in connections { try? await entry.connection.channel.close() }
    }

    fileprivate func send(
        _ request: HTTPClientRequest,
        patience: Patience,
        isOwn: @Sendable (WebAddress.Origin) -> Bool,
        authorities: TrustedAuthorities?
    ) async throws -> HTTPClientResponse {
        guard let address = WebAddress(request.url) else {
            throw TransportError(kind: .invalidRequest, host: "", detail: "the URL is not one of http or https")
        }
        guard !isClosed.withLock({ $0 }) else {
            throw TransportError(kind: .invalidRequest, host: address.origin.hostAndPort, detail: "shutting down")
        }
        let origin = address.origin
        let key = Key(origin: origin, isOwn: isOwn(origin), authorities: authorities)
        let proxy = configuration.proxies.proxy(for: origin)
        func exchange(on connection: HTTPConnection) async throws -> HTTPClientResponse {
            try await connection.exchange(
                request,
                to: address,
                proxyAuthorization: proxy?.authorization,
                patience: patience
            )
        }
        while let reused = take(key) {
            do {
                return try await exchange(on: reused)
            } catch is ExchangeHandler.NotBegun {
                continue
            } catch let error as TransportError where error.kind == .cut && request.body == nil {
                // The peer closed it while it lay idle; that says nothing about the request.
                continue
            }
        }
        do {
            return try await exchange(on: try await connect(key, proxy: proxy, patience: patience))
        } catch is ExchangeHandler.NotBegun {
            throw TransportError(kind: .cut, host: origin.hostAndPort, detail: "closed before it was used")
        }
    }

    // MARK: The pool

    private func take(_ key: Key) -> HTTPConnection? {
        let limit = NIODeadline.now() - TimeAmount(configuration.keepAlive)
        let (found, stale) = idle.withLock { idle -> (HTTPConnection?, [HTTPConnection]) in
            var stale: [HTTPConnection] = []
            while let entry = idle[key]?.popLast() {
                if entry.since >= limit, entry.connection.isUsable { return (entry.connection, stale) }
                stale.append(entry.connection)
            }
            idle[key] = nil
            return (nil, stale)
        }
        for connection in stale { connection.close() }
        return found
    }

    private func give(_ connection: HTTPConnection, _ key: Key) {
        guard !isClosed.withLock({ $0 }) else {
            connection.close()
            return
        }
        idle.withLock { $0[key, default: []].append(Idle(connection: connection, since: .now())) }
        connection.channel.eventLoop.scheduleTask(in: TimeAmount(configuration.keepAlive)) { [weak self] in
            self?.dropStale(key)
        }
    }

    private func dropStale(_ key: Key) {
        let limit = NIODeadline.now() - TimeAmount(configuration.keepAlive)
        let stale = idle.withLock { idle -> [Idle] in
            let stale = (idle[key] ?? []).filter { $0.since <= limit || !$0.connection.isUsable }
            idle[key]?.removeAll { $0.since <= limit || !$0.connection.isUsable }
            if idle[key]?.isEmpty == true { idle[key] = nil }
            return stale
        }
        for entry in stale { entry.connection.close() }
    }

    // MARK: Connecting

    private func connect(_ key: Key, proxy: ProxySettings.Proxy?, patience: Patience) async throws -> HTTPConnection {
        let connection = try await Dialing(
            origin: key.origin,
            isOwn: key.isOwn,
            proxy: proxy,
            addressGuard: configuration.addressGuard,
            resolver: configuration.resolver,
            authorities: key.authorities ?? authorities,
            limit: TimeAmount(patience.connect)
        ).connect()
        try await connection.channel.eventLoop.submit { [weak self] in
            connection.handler.value.whenIdle = { self?.give(connection, key) }
        }.get()
        return connection
    }
}

/// A view of a transport that may reach some origins wherever they are.
private struct TrustingTransport: HTTPTransport {
    let transport: LiveTransport
    let isOwn: @Sendable (WebAddress.Origin) -> Bool
    let authorities: TrustedAuthorities?

    func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        try await transport.send(request, patience: patience, isOwn: isOwn, authorities: authorities)
    }
}
