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

    /// Carries out a tool; told what the client says of itself, and tells how far it is.
    typealias Call =
        @Sendable (
            AgentTool, [String: ParameterValue], _ program: String?,
            _ progress: @escaping @Sendable (MCPProgress) async -> Void
        ) async -> ToolAnswer

    private let tools: [AgentTool]
    /// Those that the caller is shown; what is not shown is refused by policy when it is called.
    private let shown: @Sendable ([AgentTool]) -> [AgentTool]
    /// Nil: there are none.
    private let resources: MCPResources?
    private let output: MCPOutput
    private let call: Call
    private let elapsed: @Sendable () -> Duration
    private let requests = MCPRequests()
    /// What a handshake agreed on.
    private let handshake = Mutex<(revision: MCPRevision, program: String?)?>(nil)

    init(
        tools: [AgentTool],
        shown: @escaping @Sendable ([AgentTool]) -> [AgentTool] = { $0 },
        resources: MCPResources? = nil,
        output: MCPOutput,
        elapsed: @escaping @Sendable () -> Duration,
        call: @escaping Call
    ) {
        self.tools = tools
        self.shown = shown
        self.resources = resources
        self.output = output
        self.elapsed = elapsed
        self.call = call
    }

    private var agreed: MCPRevision? { handshake.withLock { $0?.revision } }

    /// Answers until the input ends; what is being worked on then ends too.
    func run(_ input: some AsyncSequence<[UInt8], Never>) async {
        await serve { group in
            var splitter = LineSplitter(limit: Self.longestLine)
            for await bytes in input {
                for line in splitter.lines(bytes) { await receive(line, in: &group) }
                if await output.isClosed { break }
            }
            if let rest = splitter.remainder { await receive(.line(rest), in: &group) }
        }
    }

    /// The same for lines of which the first has been read.
    func run(from first: LineSplitter.Line, _ rest: AsyncStream<LineSplitter.Line>) async {
        await serve { group in
            await receive(first, in: &group)
            for await line in rest {
                await receive(line, in: &group)
                if await output.isClosed { break }
            }
        }
    }

    private func serve(_ read: (inout DiscardingTaskGroup) async -> Void) async {
        await withDiscardingTaskGroup { group in
            await read(&group)
            // Whoever asked and closed the input at once, as a script does, gets what is answered soon.
            let end = elapsed() + Self.grace
            while await requests.isBusy, elapsed() < end, !Task.isCancelled, await !output.isClosed {
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
        if case .array(let messages) = value, agreed == .march2025 {
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
                    let program = program(of: params, revision)
                    group.addTask { [self] in
                        if let result = await carryOut(tool, arguments, program, cancelled, reporter) {
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
        if let agreed, method != "server/discover" { return agreed }
        // Asked before anything else by clients that want to know whether anybody is there.
        if method == "ping" { return .lastWithHandshake }
        throw MCPError(
            .invalidParams,
            "_meta.\(Self.meta)protocolVersion is missing; name the revision there, or begin with initialize"
        )
    }

    /// What the client says of itself.
    private func program(of params: [String: ParameterValue], _ revision: MCPRevision) -> String? {
        guard !revision.hasHandshake else { return handshake.withLock { $0?.program } }
        let info = params["_meta"]?[Self.meta + "clientInfo"]
        return Caller.program(info?["name"]?.string, info?["version"]?.string)
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
            return agreed == nil ? ["resultType": .string("complete")] : [:]
        case "server/discover" where !revision.hasHandshake:
            return cached([
                "supportedVersions": MCPRevision.supported, "capabilities": capabilities,
                "instructions": .string(ToolCatalogue.instructions),
            ])
        case "tools/list":
            return try list("tools", params, revision) { shown(tools).map(\.listing) }
        case "resources/list":
            return try list("resources", params, revision, ttl: MCPResources.ttl) { resources?.list() ?? [] }
        case "resources/templates/list":
            return try list("resourceTemplates", params, revision) { resources == nil ? [] : MCPResources.templates }
        case "resources/read":
            let contents = try read(params, revision)
            return revision.hasHandshake ? contents : cached(contents, ttl: MCPResources.ttl)
        case "prompts/list":
            return try list("prompts", params, revision) { prompts.map(\.listing) }
        case "prompts/get": return try prompt(params)
        default:
            throw MCPError(.methodNotFound, "there is no method \(Self.shown(method)) in revision \(revision.rawValue)")
        }
    }

    private var capabilities: ParameterValue {
        .object(["tools": .object([:]), "resources": .object([:]), "prompts": .object([:])])
    }

    private func list(
        _ name: String,
        _ params: [String: ParameterValue],
        _ revision: MCPRevision,
        ttl: Int = MCPServer.ttl,
        _ elements: () -> [ParameterValue]
    ) throws(MCPError) -> [String: ParameterValue] {
        // There is one page, so no cursor is of any.
        if let cursor = params["cursor"], cursor != .null {
            throw MCPError(.invalidParams, "this cursor is of no page")
        }
        let list: [String: ParameterValue] = [name: .array(elements())]
        return revision.hasHandshake ? list : cached(list, ttl: ttl)
    }

    private func read(
        _ params: [String: ParameterValue],
        _ revision: MCPRevision
    ) throws(MCPError) -> [String: ParameterValue] {
        guard case .string(let uri)? = params["uri"] else {
            throw MCPError(.invalidParams, "uri is to be a string: one of resources/list")
        }
        guard let contents = try resources?.read(uri) else {
            throw MCPError(
                revision.hasHandshake ? .resourceNotFound : .invalidParams,
                "there is no resource \(Self.shown(uri)); see resources/list and resources/templates/list",
                data: .object(["uri": .text(uri, longest: 200)])
            )
        }
        return ["contents": .array([contents])]
    }

    /// Those whose tools the caller sees.
    private var prompts: [MCPPrompt] {
        let seen = shown(tools)
        return MCPPrompt.all.filter { prompt in prompt.tools.allSatisfy { name in seen.contains { $0.name == name } } }
    }

    private func prompt(_ params: [String: ParameterValue]) throws(MCPError) -> [String: ParameterValue] {
        guard case .string(let name)? = params["name"] else {
            throw MCPError(.invalidParams, "name is to be a string: a prompt of prompts/list")
        }
        guard let prompt = prompts.first(where: { $0.name == name }) else {
            throw MCPError(.invalidParams, "there is no prompt \(Self.shown(name)); see prompts/list")
        }
        return try prompt.answer(params["arguments"], tools)
    }

    private static var serverInfo: ParameterValue {
        .object(["name": .string("preclone"), "version": .string(Version.current)])
    }

    private func cached(
        _ members: [String: ParameterValue],
        ttl: Int = MCPServer.ttl
    ) -> [String: ParameterValue] {
        // What there is depends on who asks, and on how this process was started.
        members.merging(["ttlMs": .number("\(ttl)"), "cacheScope": .string("private")]) { $1 }
    }

    private func initialize(_ params: [String: ParameterValue]) throws(MCPError) -> [String: ParameterValue] {
        guard case .string(let wanted)? = params["protocolVersion"] else {
            throw MCPError(.invalidParams, "protocolVersion is to be a string")
        }
        guard case .object? = params["capabilities"] else {
            throw MCPError(.invalidParams, "capabilities is to be an object")
        }
        guard let name = params["clientInfo"]?["name"]?.string, let version = params["clientInfo"]?["version"]?.string
        else {
            throw MCPError(.invalidParams, "clientInfo is to have a name and a version")
        }
        let known = MCPRevision(rawValue: wanted).flatMap { $0.hasHandshake ? $0 : nil }
        let revision = known ?? .lastWithHandshake
        handshake.withLock { $0 = (revision, Caller.program(name, version)) }
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
        } else if let agreed, agreed.hasHandshake, agreed != .november2025 {
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
        _ program: String?,
        _ cancelled: AsyncStream<Never>,
        _ reporter: MCPProgressReporter?
    ) async -> [String: ParameterValue]? {
        await withTaskGroup(of: ToolAnswer?.self) { group in
            group.addTask { [call] in
                await call(tool, arguments, program) { await reporter?.report($0) }
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
    static func shown(_ text: String) -> String { "\"\(PrintableText.stripped(String(text.prefix(100))))\"" }
}
