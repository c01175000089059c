import Definitions
import Model
import Precloning
import Synchronization

/// `preclone mcp`: the Model Context Protocol over lines, in both of its forms. Revisions up to 2025-11-25 begin with
/// `initialize`; of 2026-07-28 each request says by itself which revision it is of.
///
/// Source: the specification of each revision, https://modelcontextprotocol.io/specification.
final class MCPServer: Sendable {
    /// The longest line that is taken.
    static let longestLine = 4 << 20
    /// How long requests may go on when no others can come.
    private static let grace = Duration.seconds(10)
    /// How long a client may keep lists.
    private static let ttl = 3_600_000

    /// Carries out a tool; told how far it is.
    typealias Call =
        @Sendable (AgentTool, [String: ParameterValue], _ progress: @escaping @Sendable (MCPProgress) async -> Void)
        async ->
        ToolAnswer

    private let tools: [AgentTool]
    private let output: MCPOutput
    private let call: Call
    private let elapsed: @Sendable () -> Duration
    private let requests = MCPRequests()
    /// The revision that a handshake agreed on.
    private let agreed = Mutex<MCPRevision?>(nil)

    init(tools: [AgentTool], output: MCPOutput, elapsed: @escaping @Sendable () -> Duration, call: @escaping Call) {
        self.tools = tools
        self.output = output
        self.elapsed = elapsed
        self.call = call
    }

    /// Answers until the input ends; what is being worked on then ends too.
    func run(_ input: some AsyncSequence<[UInt8], Never>) async {
        var splitter = LineSplitter(limit: Self.longestLine)
        await withDiscardingTaskGroup { group in
            for await bytes in input {
                for line in splitter.lines(bytes) {
                    await receive(line, in: &group)
                }
                if await output.isClosed { break }
            }
            if let rest = splitter.remainder { await receive(.line(rest), in: &group) }
            // Whoever asked and closed the input at once, as a script does, gets what is answered soon.
            let end = elapsed() + Self.grace
            while await requests.isBusy, elapsed() < end, await !output.isClosed {
                try? await Task.sleep(for: .milliseconds(20))
            }
            group.cancelAll()
        }
    }

    private func receive(_ line: LineSplitter.Line, in group: inout DiscardingTaskGroup) async {
        guard case .line(let bytes) = line else {
            return await output.send(
                refusal(nil, MCPError(.invalidRequest, "a line has at most \(Self.longestLine) bytes"))
            )
        }
        let value: ParameterValue
        do { value = try ParameterValue(json: bytes) } catch {
            return await output.send(refusal(nil, MCPError(.parseError, error.message)))
        }
        if case .array(let messages) = value, agreed.withLock({ $0 }) == .march2025 {
            return await receive(batch: messages, in: &group)
        }
        await receive(MCPMessage(value), in: &group) { [output] in await output.send($0) }
    }

    /// Several messages in one line, which revision 2025-03-26 alone has: their answers are one line too.
    private func receive(batch messages: [ParameterValue], in group: inout DiscardingTaskGroup) async {
        guard !messages.isEmpty else {
            return await output.send(refusal(nil, MCPError(.invalidRequest, "a batch has at least one message")))
        }
        await requests.batchBegins()
        group.addTask { [self] in
            let answers = Mutex<[ParameterValue]>([])
            await withDiscardingTaskGroup { inner in
                for message in messages {
                    await receive(MCPMessage(message), in: &inner) { answer in answers.withLock { $0.append(answer) } }
                }
            }
            let all = answers.withLock { $0 }
            if !all.isEmpty, !Task.isCancelled { await output.send(.array(all)) }
            await requests.batchEnds()
        }
    }

    /// - Parameter answer: takes the answer, if there is one.
    private func receive(
        _ message: MCPMessage,
        in group: inout DiscardingTaskGroup,
        answer: @escaping @Sendable (ParameterValue) async -> Void
    ) async {
        switch message {
        case .response: return
        case .invalid(let id, let error): await answer(refusal(id, error))
        case .notification(let method, let params):
            // Of `initialized` and others nothing follows.
            guard method == "notifications/cancelled", let id = params["requestId"] else { return }
            await requests.cancel(id)
        case .request(let id, let method, let params):
            do {
                let revision = try revision(of: method, params)
                guard method == "tools/call" else {
                    return await answer(success(id, try self.answer(method, params, revision), revision))
                }
                let (tool, arguments) = try toolCall(params)
                switch await requests.enter(id) {
                case .isThere: throw MCPError(.invalidRequest, "a request with this id is being worked on")
                case .tooMany:
                    throw MCPError(
                        .internalError,
                        "\(MCPRequests.most) requests are being worked on; ask again when one has ended"
                    )
                case .begins(let cancelled):
                    let reporter = reporter(for: params)
                    group.addTask { [self] in
                        if let result = await carryOut(tool, arguments, cancelled, reporter) {
                            await answer(success(id, result, revision))
                        }
                        await requests.leave(id)
                    }
                }
            } catch let error as MCPError {
                await answer(refusal(id, error))
            } catch {
                await answer(refusal(id, MCPError(.internalError, "\(error)")))
            }
        }
    }

    // MARK: Which revision

    private static let meta = "io.modelcontextprotocol/"

    /// The revision that a request is of.
    ///
    /// - Throws: `MCPError` for one of none.
    private func revision(of method: String, _ params: [String: ParameterValue]) throws(MCPError) -> MCPRevision {
        if method == "initialize" { return .lastWithHandshake }
        let meta = params["_meta"]
        if let named = meta?[Self.meta + "protocolVersion"] {
            guard case .string(let text) = named else {
                throw MCPError(.invalidParams, "_meta.\(Self.meta)protocolVersion is to be a string")
            }
            guard text == MCPRevision.july2026.rawValue else {
                throw MCPError(
                    .unsupportedVersion,
                    MCPRevision(rawValue: text) == nil
                        ? "revision \(Self.shown(text)) is not spoken here" : "revision \(text) begins with initialize",
                    data: .object(["supported": MCPRevision.supported, "requested": .text(text, longest: 100)])
                )
            }
            guard case .object? = meta?[Self.meta + "clientCapabilities"] else {
                throw MCPError(
                    .invalidParams,
                    "_meta.\(Self.meta)clientCapabilities is missing: an object, empty perhaps"
                )
            }
            return .july2026
        }
        if let agreed = agreed.withLock({ $0 }), method != "server/discover" { return agreed }
        // Asked before anything else by clients that want to know whether anybody is there.
        if method == "ping" { return .lastWithHandshake }
        throw MCPError(
            .invalidParams,
            "_meta.\(Self.meta)protocolVersion is missing; name the revision there, or begin with initialize"
        )
    }

    // MARK: Answers

    private func answer(
        _ method: String,
        _ params: [String: ParameterValue],
        _ revision: MCPRevision
    ) throws(MCPError) -> [String: ParameterValue] {
        switch method {
        case "initialize": return try initialize(params)
        case "ping" where revision.hasHandshake:
            // Before any handshake the asker may be of either form, and one of them wants every result to be told.
            return agreed.withLock({ $0 }) == nil ? ["resultType": .string("complete")] : [:]
        case "server/discover" where !revision.hasHandshake:
            return cached([
                "supportedVersions": MCPRevision.supported, "capabilities": capabilities,
                "instructions": .string(ToolCatalogue.instructions),
            ])
        case "tools/list":
            // There is one page, so no cursor is of any.
            if let cursor = params["cursor"], cursor != .null {
                throw MCPError(.invalidParams, "this cursor is of no page")
            }
            let list: [String: ParameterValue] = ["tools": .array(tools.map(\.listing))]
            return revision.hasHandshake ? list : cached(list)
        default:
            throw MCPError(.methodNotFound, "there is no method \(Self.shown(method)) in revision \(revision.rawValue)")
        }
    }

    private var capabilities: ParameterValue { .object(["tools": .object([:])]) }

    private static var serverInfo: ParameterValue {
        .object(["name": .string("preclone"), "version": .string(Version.current)])
    }

    private func cached(_ members: [String: ParameterValue]) -> [String: ParameterValue] {
        // Which tools there are depends on how this process was started.
        members.merging(["ttlMs": .number("\(Self.ttl)"), "cacheScope": .string("private")]) { $1 }
    }

    private func initialize(_ params: [String: ParameterValue]) throws(MCPError) -> [String: ParameterValue] {
        guard case .string(let wanted)? = params["protocolVersion"] else {
            throw MCPError(.invalidParams, "protocolVersion is to be a string")
        }
        guard case .object? = params["capabilities"] else {
            throw MCPError(.invalidParams, "capabilities is to be an object")
        }
        guard params["clientInfo"]?["name"]?.string != nil, params["clientInfo"]?["version"]?.string != nil else {
            throw MCPError(.invalidParams, "clientInfo is to have a name and a version")
        }
        let known = MCPRevision(rawValue: wanted).flatMap { $0.hasHandshake ? $0 : nil }
        let revision = known ?? .lastWithHandshake
        agreed.withLock { $0 = revision }
        return [
            "protocolVersion": .string(revision.rawValue), "capabilities": capabilities, "serverInfo": Self.serverInfo,
            "instructions": .string(ToolCatalogue.instructions),
        ]
    }

    private func success(
        _ id: ParameterValue,
        _ result: [String: ParameterValue],
        _ revision: MCPRevision
    ) -> ParameterValue {
        var result = result
        if !revision.hasHandshake {
            result["resultType"] = .string("complete")
            result["_meta"] = .object([Self.meta + "serverInfo": Self.serverInfo])
        }
        return .object(["jsonrpc": .string("2.0"), "id": id, "result": .object(result)])
    }

    private func refusal(_ id: ParameterValue?, _ error: MCPError) -> ParameterValue {
        var members: [String: ParameterValue] = ["jsonrpc": .string("2.0"), "error": error.json]
        if let id {
            members["id"] = id
        } else if let agreed = agreed.withLock({ $0 }), agreed.hasHandshake, agreed != .november2025 {
            // These revisions want an id in every error, and know no null.
            members["id"] = .string("")
        }
        return .object(members)
    }

    // MARK: Tools

    private func toolCall(
        _ params: [String: ParameterValue]
    ) throws(MCPError) -> (tool: AgentTool, arguments: [String: ParameterValue]) {
        guard case .string(let name)? = params["name"] else {
            throw MCPError(.invalidParams, "name is to be a string: a tool of tools/list")
        }
        guard let tool = tools.first(where: { $0.name == name }) else {
            throw MCPError(.invalidParams, "there is no tool \(Self.shown(name)); see tools/list")
        }
        switch params["arguments"] {
        case nil, .null?: return (tool, [:])
        case .object(let members)?: return (tool, members)
        default: throw MCPError(.invalidParams, "arguments is to be an object")
        }
    }

    /// - Returns: nil where the request was cancelled: then nothing is answered.
    private func carryOut(
        _ tool: AgentTool,
        _ arguments: [String: ParameterValue],
        _ cancelled: AsyncStream<Never>,
        _ reporter: MCPProgressReporter?
    ) async -> [String: ParameterValue]? {
        await withTaskGroup(of: ToolAnswer?.self) { group in
            group.addTask { [call] in
                await call(tool, arguments) { await reporter?.report($0) }
            }
            group.addTask {
                for await _ in cancelled {}
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            guard let answer = first, !Task.isCancelled else { return nil }
            return Self.result(answer, of: tool)
        }
    }

    private static func result(_ answer: ToolAnswer, of tool: AgentTool) -> [String: ParameterValue] {
        let text: ParameterValue = .object(["type": .string("text"), "text": .string(answer.value.text)])
        let structured = tool.isPredecessors ? ParameterValue.object(["result": answer.value]) : answer.value
        return [
            "content": .array([text]), "structuredContent": structured, "isError": .bool(answer.isError),
        ]
    }

    private func reporter(for params: [String: ParameterValue]) -> MCPProgressReporter? {
        guard let token = params["_meta"]?["progressToken"] else { return nil }
        switch token {
        case .string: break
        case .number(let text) where Int64(text) != nil: break
        default: return nil
        }
        return MCPProgressReporter(token: token, output: output, elapsed: elapsed)
    }

    /// A name from outside, as an error shows it.
    private static func shown(_ text: String) -> String { "\"\(PrintableText.stripped(String(text.prefix(100))))\"" }
}

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
