import Definitions
import Precloning

/// Where messages go: whole lines, one after the other.
actor MCPOutput {
    private let write: @Sendable (String) async throws -> Void
    /// Nobody reads any more.
    private(set) var isClosed = false

    /// - Parameter write: takes a whole line each time, also while it is at another.
    init(_ write: @escaping @Sendable (String) async throws -> Void) { self.write = write }

    func send(_ message: ParameterValue) async {
        guard !isClosed else { return }
        do { try await write(message.line + "\n") } catch { isClosed = true }
    }
}

/// Requests that are worked on, so that they can be cancelled.
actor MCPRequests {
    private var running: [ParameterValue: AsyncStream<Never>.Continuation] = [:]

    /// Most that are worked on at one time.
    static let most = 64

    enum Entry {
        case begins(AsyncStream<Never>)
        case isThere
        case tooMany
    }

    /// - Returns: what ends when the request is cancelled.
    func enter(_ id: ParameterValue) -> Entry {
        if running[id] != nil { return .isThere }
        guard running.count < Self.most else { return .tooMany }
        let (cancelled, continuation) = AsyncStream.makeStream(of: Never.self)
        running[id] = continuation
        return .begins(cancelled)
    }

    private var batches = 0

    /// Whether any request is worked on.
    var isBusy: Bool { !running.isEmpty || batches > 0 }

    func batchBegins() { batches += 1 }

    func batchEnds() { batches -= 1 }

    func leave(_ id: ParameterValue) { running.removeValue(forKey: id)?.finish() }

    func cancel(_ id: ParameterValue) { running[id]?.finish() }
}
