package import Definitions
import Foundation
import NIOCore
import NIOPosix
import Remotes

/// Asks the daemon on its control socket, or within its own process.
package struct ControlClient: Sendable {
    private enum Way: Sendable {
        case socket(String)
        case desk(@Sendable (ControlRequest) async throws -> ParameterValue)
    }

    private let way: Way

    package init(path: String) { way = .socket(path) }

    /// Of the daemon's own process.
    ///
    /// - Parameter answer: answers as the socket would, for a caller whom it knows.
    package init(answer: @escaping @Sendable (ControlRequest) async throws -> ParameterValue) { way = .desk(answer) }

    /// Asks once, as `ask(_:)`, for so long at most.
    ///
    /// - Throws: `ControlFault` of kind `unanswered` where no answer came: a process that hangs takes connections too.
    package func ask(_ request: ControlRequest, atMost limit: Duration) async throws -> ParameterValue? {
        try await withThrowingTaskGroup(of: ParameterValue?.self) { group in
            group.addTask { try await ask(request) }
            group.addTask {
                try await Timeline.system.sleep(limit)
                throw ControlFault(
                    "the daemon gives no answer",
                    mend: "ask again; `preclone status` shows how it is",
                    kind: .unanswered
                )
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// Asks once, on a connection of its own; cancelling the task closes it.
    ///
    /// - Returns: nil where nobody listens: no daemon works on this record.
    /// - Throws: `ControlFault`: what the daemon refused, or that it ended before it answered (`unanswered`).
    package func ask(_ request: ControlRequest) async throws -> ParameterValue? {
        let path: String
        switch way {
        case .desk(let answer): return try await answer(request)
        case .socket(let place): path = place
        }
        let line = request.line
        guard line.utf8.count <= ControlSocket.longestLine else {
            throw ControlFault("this is more than one request can hold", mend: "ask for less at once")
        }
        guard let connection = try await connect(path) else { return nil }
        let answer = try await connection.executeThenClose { inbound, outbound -> [UInt8]? in
            do {
                try await outbound.write(ByteBuffer(string: line + "\n"))
                // Answers may hold much more than requests.
                var splitter = LineSplitter(limit: 64 << 20)
                for try await buffer in inbound {
                    if case .line(let line)? = splitter.lines(buffer.readableBytesView).first { return line }
                }
            } catch is IOError {
                // It ended; said below.
            } catch is ChannelError {
            }
            return nil
        }
        try Task.checkCancellation()
        guard let answer else {
            throw ControlFault(
                "the daemon ended before it answered",
                mend: "ask again; `preclone status` shows how it is",
                kind: .unanswered
            )
        }
        switch try ControlAnswer(line: answer) {
        case .result(let value): return value
        case .fault(let fault): throw fault
        }
    }

    private func connect(_ path: String) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer>? {
        guard path.utf8.count <= ControlSocket.longestPath else { return nil }
        do {
            return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch let error as IOError {
            switch error.errnoCode {
            case ENOENT, ENOTDIR, ECONNREFUSED: return nil
            case EACCES, EPERM:
                throw ControlFault(
                    "\(path) is for members of group `preclone`",
                    mend: "ask for `sudo usermod --append --groups preclone \(NSUserName())` and log in again",
                    kind: .denied
                )
            case EAGAIN:
                throw ControlFault("the daemon is asked too much at once", mend: "ask again", kind: .temporary)
            default: throw ControlFault("\(path): \(error)", kind: .failed)
            }
        }
    }
}
