import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix

/// Opens connections: finds the addresses of a name, judges each, and connects to the first that answers, by happy
/// eyeballs (RFC 8305): one that leads nowhere costs a quarter of a second.
struct Dialing: Sendable {
    let origin: WebAddress.Origin
    /// Whether the origin may be at loopback and private addresses.
    let isOwn: Bool
    let proxy: ProxySettings.Proxy?
    let addressGuard: AddressGuard?
    let resolver: any HostResolver
    let authorities: TrustedAuthorities
    let limit: TimeAmount

    private var host: String { origin.hostAndPort }

    /// - Throws: `TransportError`, `CancellationError`.
    func connect() async throws -> HTTPConnection {
        let channel = try await open(try await addresses())
        do {
            // What was resolved and what is connected can differ only by a fault of ours; then nothing is sent.
            if proxy == nil, let remote = channel.remoteAddress, let reason = objection(to: remote) {
                throw TransportError(kind: .addressRefused, host: host, detail: reason)
            }
            if origin.scheme == .https {
                if let proxy { try await tunnel(channel, proxy) }
                try await authorities.secure(channel, origin, limit: limit)
            }
            let handler = try await channel.eventLoop.submit {
                let handler = ExchangeHandler(host: host)
                // With NIO's own check of what we send: no header of ours ends in another one.
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(handler)
                return NIOLoopBound(handler, eventLoop: channel.eventLoop)
            }.get()
            return HTTPConnection(
                channel: channel,
                handler: handler,
                isForwarded: proxy != nil && origin.scheme == .http
            )
        } catch {
            channel.close(promise: nil)
            try Task.checkCancellation()
            throw error as? TransportError ?? TransportError(kind: .connect, host: host, detail: "\(error)")
        }
    }

    /// Where to connect to, after all that may not be connected to was left out.
    private func addresses() async throws -> [SocketAddress] {
        if let proxy {
            try await judgeBehindProxy()
            return try await resolver.addresses(of: proxy.host, port: proxy.port)
        }
        let found = try await resolver.addresses(of: origin.host, port: origin.port)
        let objections = found.map(objection)
        let allowed = zip(found, objections).filter { $0.1 == nil }.map(\.0)
        guard allowed.isEmpty else { return allowed }
        let reason = objections.lazy.compactMap(\.self).first
        throw TransportError(
            kind: reason == nil ? .nameResolution : .addressRefused,
            host: host,
            detail: reason ?? "the name has no address"
        )
    }

    private func objection(to address: SocketAddress) -> String? {
        addressGuard?.objection(to: address, host: origin.host, port: origin.port, isOwn: isOwn)
    }

    /// A proxy resolves names by itself; what we can know of the name must not be objectionable.
    private func judgeBehindProxy() async throws {
        guard addressGuard != nil, let found = try? await resolver.addresses(of: origin.host, port: origin.port) else {
            return
        }
        for address in found {
            if let reason = objection(to: address) {
                throw TransportError(kind: .addressRefused, host: host, detail: reason)
            }
        }
    }

    private func open(_ addresses: [SocketAddress]) async throws -> any Channel {
        try Task.checkCancellation()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        do {
            return try await ClientBootstrap(group: loop)
                .resolver(KnownAddresses(addresses, loop))
                .connectTimeout(limit)
                .channelOption(
                    ChannelOptions.recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16_384, maximum: 131_072)
                )
                .channelOption(ChannelOptions.maxMessagesPerRead, value: 1)
                .connect(host: proxy?.host ?? origin.host, port: proxy?.port ?? origin.port).get()
        } catch {
            try Task.checkCancellation()
            let causes = (error as? NIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
            throw TransportError(
                kind: causes.contains(where: Self.isExhaustion) ? .resources : .connect,
                host: host,
                detail: "no connection to \(proxy.map { "the proxy \($0)" } ?? "it"): "
                    + (causes.isEmpty ? "\(error)" : causes.prefix(4).map { "\($0)" }.joined(separator: "; "))
            )
        }
    }

    /// No descriptor, or no memory for one: EMFILE, ENFILE, ENOMEM, ENOBUFS.
    private static func isExhaustion(_ error: any Error) -> Bool {
        (error as? IOError).map { [24, 23, 12, 105].contains($0.errnoCode) } ?? false
    }

    /// Asks the proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6).
    private func tunnel(_ channel: any Channel, _ proxy: ProxySettings.Proxy) async throws {
        let opened = channel.eventLoop.makePromise(of: Void.self)
        let limit = limit
        channel.eventLoop.execute {
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes))
            var headers: HTTPHeaders = ["host": host]
            if let authorization = proxy.authorization {
                headers.add(name: "proxy-authorization", value: authorization)
            }
            let asked = channel.eventLoop.makePromise(of: Void.self)
            let connect = NIOHTTP1ProxyConnectHandler(
                targetHost: origin.host.contains(":") ? "[\(origin.host)]" : origin.host,
                targetPort: origin.port,
                headers: headers,
                deadline: .now() + limit,
                promise: asked
            )
            do {
                try channel.pipeline.syncOperations.addHandlers([encoder, decoder, connect])
            } catch {
                asked.fail(error)
            }
            asked.futureResult.assumeIsolated().flatMap {
                channel.pipeline.syncOperations.removeHandler(decoder)
            }.flatMap {
                channel.pipeline.syncOperations.removeHandler(encoder)
            }.nonisolated().cascade(to: opened)
        }
        do {
            try await opened.futureResult.get()
        } catch {
            throw TransportError(kind: .proxy, host: proxy.description, detail: Self.words(of: error))
        }
    }

    private static func words(of error: any Error) -> String {
        guard let error = error as? NIOHTTP1ProxyConnectHandler.Error else {
            return error is HTTPParserError ? "the proxy does not speak HTTP" : "the proxy gave no tunnel: \(error)"
        }
        if error == .proxyAuthenticationRequired() { return "the proxy wants a login (407)" }
        if error == .httpProxyHandshakeTimeout() { return "the proxy gave no answer in time" }
        if error == .remoteConnectionClosed() { return "the proxy closed the connection" }
        // Its head is shown without the headers.
        return "the proxy gave no tunnel: " + "\(error)".prefix(200).split(separator: ", headers")[0]
    }
}

/// Addresses that are known, in the form in which the bootstrap asks for them.
private final class KnownAddresses: Resolver, Sendable {
    private let four: EventLoopFuture<[SocketAddress]>
    private let six: EventLoopFuture<[SocketAddress]>

    init(_ addresses: [SocketAddress], _ loop: any EventLoop) {
        four = loop.makeSucceededFuture(addresses.filter { $0.protocol == .inet })
        six = loop.makeSucceededFuture(addresses.filter { $0.protocol == .inet6 })
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { four }
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { six }
    func cancelQueries() {}
}
