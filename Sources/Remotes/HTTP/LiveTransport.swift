package import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
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
        while let reused = take(key) {
            do {
                return try await reused.exchange(
                    request,
                    to: address,
                    proxyAuthorization: proxy?.authorization,
                    patience: patience
                )
            } catch let error as TransportError where error.kind == .cut && request.body == nil {
                // The peer closed it while it lay idle; that says nothing about the request.
                continue
            }
        }
        let connection = try await connect(key, proxy: proxy, patience: patience)
        return try await connection.exchange(
            request,
            to: address,
            proxyAuthorization: proxy?.authorization,
            patience: patience
        )
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
        let origin = key.origin
        let host = origin.hostAndPort
        let candidates: [SocketAddress]
        if let proxy {
            try await judgeBehindProxy(key)
            candidates = try await configuration.resolver.addresses(of: proxy.host, port: proxy.port)
        } else {
            let found = try await configuration.resolver.addresses(of: origin.host, port: origin.port)
            var objection: String?
            candidates = found.filter { address in
                guard let reason = self.objection(to: address, key) else { return true }
                objection = reason
                return false
            }
            if candidates.isEmpty {
                throw TransportError(kind: .addressRefused, host: host, detail: objection ?? "the name has no address")
            }
        }
        var failure: any Error = TransportError(kind: .connect, host: host, detail: "the name has no address")
        for candidate in candidates {
            try Task.checkCancellation()
            do {
                return try await connect(to: candidate, key, proxy: proxy, patience: patience)
            } catch let error as TransportError {
                failure = error
                if error.kind == .addressRefused || error.kind == .tls { break }
            }
        }
        throw failure
    }

    private func objection(to address: SocketAddress, _ key: Key) -> String? {
        configuration.addressGuard?.objection(
            to: address,
            host: key.origin.host,
            port: key.origin.port,
            isOwn: key.isOwn
        )
    }

    /// A proxy resolves names by itself; what we can know of the name must not be objectionable.
    private func judgeBehindProxy(_ key: Key) async throws {
        guard configuration.addressGuard != nil else { return }
        guard let found = try? await configuration.resolver.addresses(of: key.origin.host, port: key.origin.port) else {
            return
        }
        for address in found {
            if let reason = objection(to: address, key) {
                throw TransportError(kind: .addressRefused, host: key.origin.hostAndPort, detail: reason)
            }
        }
    }

    private func connect(
        to address: SocketAddress,
        _ key: Key,
        proxy: ProxySettings.Proxy?,
        patience: Patience
    ) async throws -> HTTPConnection {
        let origin = key.origin
        let host = origin.hostAndPort
        let limit = TimeAmount(patience.connect)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(limit)
                .channelOption(ChannelOptions.autoRead, value: false)
                .channelOption(
                    ChannelOptions.recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16_384, maximum: 131_072)
                )
                .channelOption(ChannelOptions.maxMessagesPerRead, value: 1)
                .connect(to: address).get()
        } catch {
            try Task.checkCancellation()
            throw TransportError(
                kind: Self.isExhaustion(error) ? .resources : .connect,
                host: host,
                detail: "no connection to \(proxy.map { "the proxy \($0)" } ?? address.ipAddress ?? "it"): \(error)"
            )
        }
        do {
            // What was resolved and what is connected can differ only by a fault of ours; then nothing is sent.
            if proxy == nil, let remote = channel.remoteAddress, let reason = objection(to: remote, key) {
                throw TransportError(kind: .addressRefused, host: host, detail: reason)
            }
            if let proxy, origin.scheme == .https { try await tunnel(channel, origin, proxy, limit: limit) }
            if origin.scheme == .https {
                try await (key.authorities ?? authorities).secure(channel, origin, limit: limit)
            }
            let handler = try await channel.eventLoop.submit {
                let handler = ExchangeHandler(host: host)
                try channel.pipeline.syncOperations.addHandlers([
                    HTTPRequestEncoder(),
                    ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)),
                    handler,
                ])
                return NIOLoopBound(handler, eventLoop: channel.eventLoop)
            }.get()
            let connection = HTTPConnection(
                channel: channel,
                handler: handler,
                isForwarded: proxy != nil && origin.scheme == .http
            )
            try await channel.eventLoop.submit { [weak self] in
                handler.value.whenIdle = { self?.give(connection, key) }
            }.get()
            return connection
        } catch {
            channel.close(promise: nil)
            try Task.checkCancellation()
            throw error as? TransportError ?? TransportError(kind: .connect, host: host, detail: "\(error)")
        }
    }

    private func tunnel(
        _ channel: any Channel,
        _ origin: WebAddress.Origin,
        _ proxy: ProxySettings.Proxy,
        limit: TimeAmount
    ) async throws {
        let opened = channel.eventLoop.makePromise(of: Void.self)
        let timer = channel.eventLoop.scheduleTask(in: limit) {
            opened.fail(TransportError(kind: .proxy, host: proxy.description, detail: "no answer within \(limit)"))
        }
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.addHandler(
                    TunnelHandler(
                        target: origin.hostAndPort,
                        authorization: proxy.authorization,
                        opened: opened
                    )
                )
            } catch {
                opened.fail(error)
            }
        }
        defer { timer.cancel() }
        try await opened.futureResult.get()
    }

    private static func isExhaustion(_ error: any Error) -> Bool {
        guard let error = error as? IOError else { return false }
        return [23, 24, 12, 105].contains(error.errnoCode)
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
