import Definitions
import Foundation
package import Logging
package import Model
import NIOCore
import NIOPosix
package import Remotes
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Listens on the control socket, and answers each line that comes. With the first line of the Model Context Protocol a
/// connection is one of its sessions.
package final class ControlServer: Sendable {
    /// A session of the Model Context Protocol, until its lines end.
    ///
    /// - Parameter user: whom the kernel named.
    package typealias Session =
        @Sendable (
            _ user: Caller, _ first: LineSplitter.Line, _ rest: AsyncStream<LineSplitter.Line>,
            _ write: @escaping @Sendable (String) async throws -> Void
        ) async -> Void

    /// How long until a path that could not be listened on is tried again.
    private static let listenPause = Duration.seconds(30)
    /// Connections of one user, so that nobody keeps others out for long.
    private static let mostOfOne = 32
    /// Sessions among them: they stay for long.
    private static let mostSessions = 16
    /// Lines of one connection that wait for their answers.
    private static let mostLines = 64

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let path: String
    private let desk: ControlDesk
    private let timeline: Timeline
    private let logger: Logger
    private let session: Session
    private let open = Mutex([UInt32: Int]())
    private let sessions = Mutex([UInt32: Int]())

    package init(path: String, desk: ControlDesk, timeline: Timeline, logger: Logger, session: @escaping Session) {
        self.path = path
        self.desk = desk
        self.timeline = timeline
        self.logger = logger
        self.session = session
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
            // Whoever has said all may still wait for answers.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
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
                guard enter(user, open, atMost: Self.mostOfOne) else {
                    return try await outbound.write(ByteBuffer(string: Self.crowded(Self.mostOfOne).line + "\n"))
                }
                defer { leave(user, open) }
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
        let manner = Manner()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                defer { continuation.finish() }
                var splitter = LineSplitter(limit: ControlSocket.longestLine)
                for try await buffer in inbound {
                    for line in splitter.lines(buffer.readableBytesView) {
                        if Self.isOfMCP(line) { manner.isSession = true }
                        guard case .enqueued = continuation.yield(line) else { return true }
                    }
                }
                return true
            }
            group.addTask { [self] in
                @Sendable func write(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
                for await line in lines {
                    if Self.isOfMCP(line) {
                        guard enter(user, sessions, atMost: Self.mostSessions) else {
                            try await write(Self.crowded(Self.mostSessions).line + "\n")
                            return false
                        }
                        defer { leave(user, sessions) }
                        await session(user, line, lines, write)
                        return false
                    }
                    let answer =
                        switch line {
                        case .line(let bytes): await desk.answer(bytes, from: user)
                        case .tooLong: Self.tooLong
                        }
                    try await write(answer.line + "\n")
                }
                return false
            }
            defer { group.cancelAll() }
            // A session ends by itself, soon after its input has.
            if try await group.next() == true, manner.isSession { _ = try await group.next() }
        }
    }

    /// What is spoken on a connection.
    private final class Manner: Sendable {
        private let state = Mutex(false)

        var isSession: Bool {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private static func isOfMCP(_ line: LineSplitter.Line) -> Bool {
        let mark = Array(#""jsonrpc""#.utf8)
        guard case .line(let bytes) = line, bytes.contains(mark) else { return false }
        // What cannot be read is answered by those whose sign it bears.
        guard let value = try? ParameterValue(json: bytes) else { return true }
        return value["jsonrpc"] != nil
    }

    private static func crowded(_ most: Int) -> ControlAnswer {
        .fault(
            ControlFault("you have \(most) connections open", mend: "close some, and ask again", kind: .temporary)
        )
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

    private func enter(_ user: Caller, _ counts: borrowing Mutex<[UInt32: Int]>, atMost most: Int) -> Bool {
        counts.withLock { counts in
            guard counts[user.userID, default: 0] < most else { return false }
            counts[user.userID, default: 0] += 1
            return true
        }
    }

    private func leave(_ user: Caller, _ counts: borrowing Mutex<[UInt32: Int]>) {
        counts.withLock { counts in
            let left = counts[user.userID, default: 1] - 1
            counts[user.userID] = left > 0 ? left : nil
        }
    }
}
