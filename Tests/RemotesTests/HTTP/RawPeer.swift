import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A peer on loopback that does with each connection what a test says, byte by byte.
final class RawPeer: Sendable {
    /// Told the number of the request, from 1, and its head as it came.
    typealias Conduct = @Sendable (_ number: Int, _ head: String, _ channel: any Channel) -> Void

    let port: Int
    private let channel: any Channel
    private let heads: AskedNames

    /// The heads of requests, in the order of coming.
    var asked: [String] { heads.values }

    private init(channel: any Channel, heads: AskedNames) {
        self.channel = channel
        self.heads = heads
        port = channel.localAddress?.port ?? 0
    }

    static func with<Value>(
        host: String = "127.0.0.1",
        _ conduct: @escaping Conduct,
        _ body: (RawPeer) async throws -> Value
    ) async throws -> Value {
        let heads = AskedNames()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Listener(heads: heads, conduct: conduct))
                }
            }
            .bind(host: host, port: 0).get()
        let peer = RawPeer(channel: channel, heads: heads)
        do {
            let value = try await body(peer)
            try? await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let heads: AskedNames
        private let conduct: Conduct
        private var received = ""

        init(heads: AskedNames, conduct: @escaping Conduct) {
            self.heads = heads
            self.conduct = conduct
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            guard let end = received.firstRange(of: "\r\n\r\n") else { return }
            let head = String(received[..<end.lowerBound])
            received = ""
            heads.add(head)
            conduct(heads.values.count, head, context.channel)
        }
    }
}

extension Channel {
    /// Writes a text as it is.
    func say(_ text: String) { writeAndFlush(ByteBuffer(string: text), promise: nil) }

    /// Writes one byte after another, for as long as the other side listens.
    func trickle(_ text: String, every pause: TimeAmount) {
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: pause) { task in
            if self.isActive { self.say(text) } else { task.cancel() }
        }
    }

    /// Ends the connection by a reset instead of in order.
    func reset() {
        (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
            self.close(promise: nil)
        }
    }
}
