import Hummingbird
import Logging
import NIOCore

/// One HTTP server on 127.0.0.1.
struct Listener: Sendable {
    /// 0 takes a free one.
    var port: Int
    var answer: @Sendable (Incoming) async throws -> Reply
    /// Called once with the port it listens on.
    var onListening: @Sendable (Int) async -> Void

    /// Serves until the task is cancelled.
    func run() async throws {
        let answer = answer
        let onListening = onListening
        // The server's own messages are no part of the sandbox's output.
        let logger = Logger(label: "sandbox") { _ in SwiftLogNoOpLogHandler() }
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                try await answer(Incoming(request)).response
            },
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: logger
        )
        try await application.run()
    }
}
