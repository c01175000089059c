import Foundation
package import Logging
import Model
import NIOCore
import NIOPosix
package import Remotes
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Listens on the control socket, and answers each line that comes.
package final class ControlServer: Sendable {
    /// How long until a path that could not be listened on is tried again.
    private static let listenPause = Duration.seconds(30)
    /// Connections of one user, so that nobody keeps others out for long.
    private static let mostOfOne = 32
    /// Lines of one connection that wait for their answers.
    private static let mostLines = 64

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let path: String
    private let desk: ControlDesk
    private let timeline: Timeline
    private let logger: Logger
    private let open = Mutex([UInt32: Int]())

    package init(path: String, desk: ControlDesk, timeline: Timeline, logger: Logger) {
        self.path = path
        self.desk = desk
        self.timeline = timeline
        self.logger = logger
    }

    /// Runs until the task is cancelled. What goes wrong is logged, and stops no other work.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await listen()
                return
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "The control socket is not open: `clone`, `retry` and agents cannot ask",
                    metadata: ["path": "\(path)", "error": "\(error)", "retry.delay": "\(Self.listenPause)"]
                )
            }
            do { try await timeline.sleep(Self.listenPause) } catch { return }
        }
    }

    private func listen() async throws {
        guard path.utf8.count <= ControlSocket.longestPath else {
            throw ControlFault(
                "the path is longer than \(ControlSocket.longestPath) bytes",
                mend: "shorten record.path"
            )
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if !FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            chmod(folder, 0o750)
        }
        // The record's lock is held: a socket that is there was left by a process that was killed.
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 64)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        defer { unlink(path) }
        // For the owner and the group; whatever the umask left, others were never let in.
        guard chmod(path, 0o660) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        logger.info("Control socket open", metadata: ["path": "\(path)"])
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await self.serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: Connection) async {
        do {
            let channel = connection.channel
            try await connection.executeThenClose { inbound, outbound in
                let user = try await PeerIdentity.caller(of: channel)
                guard enter(user) else {
                    let fault = ControlFault(
                        "you have \(Self.mostOfOne) connections open",
                        mend: "close some, and ask again",
                        kind: .temporary
                    )
                    return try await outbound.write(ByteBuffer(string: ControlAnswer.fault(fault).line + "\n"))
                }
                defer { leave(user) }
                try await answer(inbound, outbound, from: user)
            }
        } catch {
            // The peer went away; there is nobody to tell.
            logger.debug("A control connection ended early", metadata: ["error": "\(error)"])
        }
    }

    /// Answers line by line. A peer that is gone is answered no more, and what only it waited for ends.
    private func answer(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        from user: Caller
    ) async throws {
        let (lines, continuation) = AsyncStream.makeStream(
            of: LineSplitter.Line.self,
            bufferingPolicy: .bufferingOldest(Self.mostLines)
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var splitter = LineSplitter(limit: ControlSocket.longestLine)
                for try await buffer in inbound {
                    for line in splitter.lines(buffer.readableBytesView) {
                        guard case .enqueued = continuation.yield(line) else { return }
                    }
                }
            }
            group.addTask { [desk] in
                for await line in lines {
                    let answer =
                        switch line {
                        case .line(let bytes): await desk.answer(bytes, from: user)
                        case .tooLong: Self.tooLong
                        }
                    try await outbound.write(ByteBuffer(string: answer.line + "\n"))
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static var tooLong: ControlAnswer {
        .fault(
            ControlFault(
                "the line is longer than \(ControlSocket.longestLine) bytes",
                at: "line",
                mend: "ask for less at once"
            )
        )
    }

    private func enter(_ user: Caller) -> Bool {
        open.withLock { open in
            guard open[user.userID, default: 0] < Self.mostOfOne else { return false }
            open[user.userID, default: 0] += 1
            return true
        }
    }

    private func leave(_ user: Caller) {
        open.withLock { open in
            let left = open[user.userID, default: 1] - 1
            open[user.userID] = left > 0 ? left : nil
        }
    }
}
