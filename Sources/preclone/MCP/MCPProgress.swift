import Definitions
import Precloning

/// How far a tool is.
struct MCPProgress: Sendable, Hashable {
    var bytes: Int64
    var total: Int64?
    /// In the words of `status`.
    var message: String
}

/// Tells a client how far its request is: only what grows, and at most once a second.
actor MCPProgressReporter {
    private static let pause = Duration.seconds(1)

    private let token: ParameterValue
    private let output: MCPOutput
    private let elapsed: @Sendable () -> Duration
    private var last: (bytes: Int64, at: Duration)?

    init(token: ParameterValue, output: MCPOutput, elapsed: @escaping @Sendable () -> Duration) {
        self.token = token
        self.output = output
        self.elapsed = elapsed
    }

    func report(_ progress: MCPProgress) async {
        let now = elapsed()
        if let last, progress.bytes <= last.bytes || now - last.at < Self.pause { return }
        last = (progress.bytes, now)
        var params: [String: ParameterValue] = [
            "progressToken": token, "progress": .integer(progress.bytes), "message": .text(progress.message),
        ]
        if let total = progress.total { params["total"] = .integer(total) }
        await output.send(
            .object([
                "jsonrpc": .string("2.0"), "method": .string("notifications/progress"), "params": .object(params),
            ])
        )
    }
}
