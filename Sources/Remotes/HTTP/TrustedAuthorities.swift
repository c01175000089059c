import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// Certificate authorities that are trusted beside the system's, and TLS with them.
final class TrustedAuthorities: Sendable, Hashable {
    /// PEM files.
    let files: [String]
    private let context: Mutex<NIOSSLContext?>

    /// - Throws: `TransportError`, with the file as its host, when it cannot be read or holds no certificate.
    init(files: [String]) throws {
        self.files = files
        // The system's own are read when they are first needed.
        context = Mutex(files.isEmpty ? nil : try Self.context(files))
    }

    static func == (left: TrustedAuthorities, right: TrustedAuthorities) -> Bool { left.files == right.files }

    func hash(into hasher: inout Hasher) { hasher.combine(files) }

    private static func context(_ files: [String]) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        for file in files {
            do {
                let certificates = try NIOSSLCertificate.fromPEMFile(file)
                guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
                tls.additionalTrustRoots.append(.certificates(certificates))
            } catch {
                throw TransportError(kind: .tls, host: file, detail: "it holds no PEM certificates that can be read")
            }
        }
        tls.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: tls)
    }

    /// Begins TLS on a channel and waits for the handshake.
    ///
    /// - Throws: `TransportError` of kind `tls`, or `connect` when there was no answer in time.
    func secure(_ channel: any Channel, _ origin: WebAddress.Origin, limit: TimeAmount) async throws {
        let context = try context.withLock { context in
            if let context { return context }
            let made = try Self.context(files)
            context = made
            return made
        }
        let done = channel.eventLoop.makePromise(of: Void.self)
        let timer = channel.eventLoop.scheduleTask(in: limit) {
            done.fail(
                TransportError(kind: .connect, host: origin.hostAndPort, detail: "no TLS handshake within \(limit)")
            )
        }
        // Server names are names: for an address the certificate is compared with the address.
        let isAddress = (try? SocketAddress(ipAddress: origin.host, port: 0)) != nil
        channel.eventLoop.execute {
            do {
                let client = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : origin.host)
                try channel.pipeline.syncOperations.addHandlers([client, HandshakeHandler(done: done)])
            } catch {
                done.fail(error)
            }
        }
        defer { timer.cancel() }
        do {
            try await done.futureResult.get()
        } catch let error as TransportError {
            throw error
        } catch {
            throw TransportError(
                kind: Self.isRefusal(error) ? .tls : .connect,
                host: origin.hostAndPort,
                detail: Self.isRefusal(error) ? "TLS: \(error)" : "the connection ended in the TLS handshake: \(error)"
            )
        }
    }

    /// Whether one side refused the other: a certificate or a name that is not accepted, an alert. A handshake that
    /// breaks off says nothing of either, and succeeds the next time.
    private static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case is NIOSSLExtraError: true
        case NIOSSLError.handshakeFailed(let cause): isRefusal(cause)
        case BoringSSLError.sslError(let stack): stack.contains { !"\($0)".contains("EOF") }
        case BoringSSLError.invalidSNIName, BoringSSLError.failedToSetALPN: true
        default: false
        }
    }
}

/// Waits for the end of a TLS handshake.
private final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let done: EventLoopPromise<Void>
    private var isDone = false

    init(done: EventLoopPromise<Void>) { self.done = done }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if !isDone, let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            isDone = true
            context.pipeline.syncOperations.removeHandler(self, promise: done)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else {
            context.fireErrorCaught(error)
            return
        }
        isDone = true
        done.fail(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone {
            isDone = true
            done.fail(ChannelError.eof)
        }
        context.fireChannelInactive()
    }
}
