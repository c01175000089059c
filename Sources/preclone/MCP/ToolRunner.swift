import Configuring
import Definitions
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes

/// Carries out the tools of `preclone mcp`: by the daemon, from the record, or here. Nothing is opened before a tool needs it.
struct ToolRunner: Sendable {
    /// Whose process carries tools out.
    enum Side: Sendable {
        /// The caller's own, with the caller's rights.
        ///
        /// - Parameter alone: `--alone`: rung when there is something to work on; nil: the daemon alone works.
        case caller(alone: Bell?)
        /// The daemon's, for whoever is at the other end of its socket: nothing is done that policy did not hear of.
        case daemon
    }

    let configuration: @Sendable () throws -> Configuration
    let side: Side
    /// Asks the daemon; nil: at the socket of the record.
    var daemon: ControlClient?
    var asker: ControlClient.Asker
    /// Policy's word on a tool for which the daemon is not asked.
    ///
    /// - Throws: `ControlFault` where it may not be called.
    let permit: @Sendable (AgentTool) throws -> Void
    let logger: Logger
    let open = OpenRequests()

    typealias Progress = @Sendable (MCPProgress) async -> Void

    /// - Parameter program: what the client says of itself.
    func call(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        program: String?,
        _ progress: @escaping Progress
    ) async -> ToolAnswer {
        var runner = self
        runner.asker.program = program
        let answer = await runner.attempt(tool, members, progress)
        guard answer.isError, tool.isPredecessors else { return answer }
        return answer.withPredecessorsFields(of: tool.name, members)
    }

    private var alone: Bell? { if case .caller(let bell) = side { bell } else { nil } }

    /// What the record says.
    ///
    /// - Throws: `ConfigurationError`.
    func record() throws -> RecordVerbs { RecordVerbs(path: try configuration().record.path) }

    private func attempt(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        _ progress: @escaping Progress
    ) async -> ToolAnswer {
        do {
            let arguments = try NamedArguments(members, known: tool.parameters.map(\.name))
            return try await answer(tool, members, arguments, progress)
        } catch let fault as ControlFault {
            return ToolAnswer(fault)
        } catch let failure as CommandFailure {
            let kind: ControlFault.Kind =
                switch failure.ending {
                case .usage: .usage
                case .temporary: .temporary
                default: .failed
                }
            return ToolAnswer(ControlFault(failure.message, mend: failure.hint, kind: kind))
        } catch let error as ConfigurationError {
            let problems = error.problems.map { "\($0)" }.joined(separator: "; ")
            return ToolAnswer(
                ControlFault("\(error.file): \(problems)", mend: "correct the configuration", kind: .failed)
            )
        } catch {
            return ToolAnswer(ControlFault("\(error)", kind: .failed))
        }
    }

    private func answer(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        _ arguments: NamedArguments,
        _ progress: @escaping Progress
    ) async throws -> ToolAnswer {
        switch tool.place {
        case .here:
            try permit(tool)
            return try RecordTools.inspection(arguments)
        case .record:
            try permit(tool)
            return try RecordTools.answer(tool, arguments, record())
        case .reading, .changing:
            if tool.name == "RetryImages" { return try await retry(arguments) }
            if tool.name == "GetRunImageReadiness" { return try await readiness(tool, members, arguments) }
            return try await account(tool, members, arguments)
        case .requesting:
            if tool.name == "PrepareWorkflowImages" { return try await prepare(tool, arguments, progress) }
            if tool.name == "CheckContainerAvailability" { return try await check(tool, members, arguments, progress) }
            return try await clone(arguments, progress)
        }
    }

    private func client(_ configuration: Configuration) -> ControlClient {
        daemon ?? ControlClient(path: ControlSocket.path(record: configuration.record.path))
    }

    // MARK: The account

    /// Whether the arguments mean the place where the daemon works.
    private func meansDaemon(_ arguments: NamedArguments, _ client: ControlClient) async throws -> Bool {
        let profile = try arguments.string("aws_profile")
        let region = try arguments.string("aws_region")
        guard profile != nil || region != nil else { return true }
        guard let home = try await client.home(for: asker) else { return true }
        return (region == nil || region == home.region) && (profile == nil || profile == home.profile)
    }

    /// By the daemon; else here, where nothing is changed or this process may work alone.
    func account(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        _ arguments: NamedArguments
    ) async throws -> ToolAnswer {
        let configuration = try configuration()
        let client = client(configuration)
        // Those that say which account and Region are not the daemon's affair.
        let own = members.filter { $0.key != "aws_profile" && $0.key != "aws_region" }
        let isThere = try await meansDaemon(arguments, client)
        if isThere {
            let request = asker.request(.call, ["tool": .string(tool.name), "arguments": .object(own)])
            if let answer = try await client.ask(request, atMost: .seconds(600)) {
                return try ToolAnswer(control: answer)
            }
        }
        if case .daemon = side { throw Self.elsewhere }
        if tool.place == .changing, alone == nil {
            throw isThere ? CloneSession.noDaemon : Self.elsewhere
        }
        let caller = caller(configuration)
        return try await here(configuration, arguments) { tools in try await tools.call(tool, own, caller: caller) }
    }

    private func caller(_ configuration: Configuration) -> Caller {
        var caller = configuration.policy.identity(of: PeerIdentity.thisProcess, agent: asker.agent)
        caller.program = asker.program
        return caller
    }

    private static let elsewhere = CommandFailure(
        "the daemon works with another profile or in another Region",
        hint:
            "leave out aws_profile and aws_region, or start `preclone mcp` with --alone to work there with your own rights",
        ending: .usage
    )

    /// Lends the tools with the rights of this process, on a record in memory.
    private func here(
        _ configuration: Configuration,
        _ arguments: NamedArguments,
        _ body: (RegistryTools) async throws -> ToolAnswer
    ) async throws -> ToolAnswer {
        let record = configuration.record.path
        return try await AccountReading.with(
            configuration,
            profile: try arguments.string("aws_profile"),
            region: try arguments.string("aws_region")
        ) { works, composition in
            let verbs = composition.verbs(
                works.account,
                known: { try? RecordReader(path: record) },
                // What this process changes by itself is kept where others look for it, if it may be.
                audit: { try Ledger(path: record).audit($0) }
            )
            return try await withLogger(logger) { _ in try await body(composition.registryTools(works, verbs)) }
        }
    }

    /// How often is looked again for images that are waited for.
    private static let look = Duration.seconds(5)

    /// Looks until every image is there, a look says that waiting does not help, or the time is over.
    private func readiness(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        _ arguments: NamedArguments
    ) async throws -> ToolAnswer {
        let timeline = Timeline.system
        let end = timeline.elapsed() + .seconds(try arguments.integer("wait_seconds", default: 0, in: 0...3600))
        while true {
            let answer = try await account(tool, members.filter { $0.key != "wait_seconds" }, arguments)
            let left = end - timeline.elapsed()
            let states = answer.value["images"]?.array?.compactMap { $0["state"]?.string } ?? []
            guard left > .zero, !answer.isError, answer.value["isReady"] == .bool(false),
                states.contains(where: { $0 != "ready" && $0 != "blocked" })
            else { return answer }
            try await timeline.sleep(min(left, Self.look))
        }
    }

    // MARK: Images

    private func retry(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let images = try arguments.strings("images", most: ControlDesk.mostImages) ?? []
        let all = try arguments.bool("all", default: false)
        guard all != !images.isEmpty else {
            throw ControlFault("all, or some?", at: "images", mend: "name images, or set all to true")
        }
        let configuration = try configuration()
        var retried = try await client(configuration).retry(all ? nil : images, for: asker)
        if retried == nil {
            guard let alone else { throw CloneSession.noDaemon }
            _ = try RecordReader(path: configuration.record.path)
            retried = try Ledger(path: configuration.record.path)
                .retry(all ? nil : images, caller: caller(configuration), now: Date())
            alone.ring()
        }
        return ToolAnswer(
            .object(["schemaVersion": .number("1"), "retried": try ParameterValue(encoding: retried ?? []).printable])
        )
    }

    func session(_ arguments: NamedArguments) async throws -> CloneSession {
        var configuration = try configuration()
        var substitute = alone.map { CloneSession.Substitute.beside($0) } ?? .nobody
        if try await !meansDaemon(arguments, client(configuration)) {
            guard alone != nil else { throw Self.elsewhere }
            configuration.record.path = CloneCommand.ownRecord
            // Nobody else works there: what is not done when the answer is due goes on when it is asked again.
            substitute = .waiting
        }
        return CloneSession(
            configuration: configuration,
            profile: try arguments.string("aws_profile"),
            region: try arguments.string("aws_region"),
            asker: asker,
            daemon: daemon,
            substitute: substitute,
            logger: logger
        )
    }

    private func clone(_ arguments: NamedArguments, _ progress: @escaping Progress) async throws -> ToolAnswer {
        let image = try arguments.requiredString("source_image").trimmingCharacters(in: .whitespacesAndNewlines)
        guard !image.isEmpty else {
            throw ControlFault("this is empty", at: "source_image", mend: "name an image, such as quay.io/org/tool:1.0")
        }
        let options = CloneOptions(
            targetRepository: try arguments.string("target_repository_name"),
            targetTag: try arguments.string("target_image_tag")
        )
        let wait = try arguments.integer("wait_seconds", default: 45, in: 0...3600)
        let session = try await session(arguments)
        let result = try await request(image, options, session, wait: .seconds(wait), progress)
        let isOver = result.value.state == .blocked
        return ToolAnswer(try result.json, isError: isOver)
    }

    /// What came of an image that was asked for, and the request's id.
    struct Outcome {
        var value: CloneResult
        var id: Int64

        var json: ParameterValue {
            get throws {
                guard case .object(var members) = try ParameterValue(json: Array(try value.json.utf8)).printable else {
                    return .null
                }
                members["request_id"] = .string("\(id)")
                if let retryAfter {
                    members["retry_after_seconds"] = .integer(retryAfter)
                    // A model is told that nothing is wrong.
                    if value.message.isEmpty { members["message"] = .string("it is under way; ask again") }
                }
                return .object(members)
            }
        }

        /// When to ask again, in seconds; nil where it does not go on.
        var retryAfter: Int? {
            guard value.state != .ready, value.state != .blocked else { return nil }
            let left = value.due.map { Int($0.timeIntervalSinceNow.rounded(.up)) } ?? 15
            return min(max(left, 5), 3600)
        }
    }

    private func request(
        _ image: String,
        _ options: CloneOptions,
        _ session: CloneSession,
        wait: Duration,
        _ progress: @escaping Progress
    ) async throws -> Outcome {
        guard let outcome = try await request([image], options, session, wait: wait, progress).first else {
            throw ControlFault("the daemon took no request", kind: .failed)
        }
        return outcome
    }

    /// Asks for images, or goes on waiting for what was asked before, and waits for so long.
    func request(
        _ images: [String],
        _ options: CloneOptions,
        _ session: CloneSession,
        wait: Duration,
        _ progress: @escaping Progress
    ) async throws -> [Outcome] {
        let record = session.configuration.record.path
        let question = OpenRequests.Question(record: record, images: images, options: options)
        let ids = try await open.ids(of: question, isOpen: { try session.isOpen($0) }) {
            try await session.ask(images, options: options, key: UUID().uuidString, atMost: .seconds(30))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await session.wait(
                    for: ids,
                    tell: { images in
                        let moving = images.filter { $0.bytesTotal != nil }
                        let words = images.filter { $0.state != .ready }.map(\.line).first
                        await progress(
                            MCPProgress(
                                bytes: moving.reduce(0) { $0 + ($1.bytesDone ?? 0) },
                                total: moving.isEmpty ? nil : moving.reduce(0) { $0 + ($1.bytesTotal ?? 0) },
                                message: words ?? images.first?.line ?? ""
                            )
                        )
                    }
                )
            }
            group.addTask { try await Timeline.system.sleep(wait) }
            defer { group.cancelAll() }
            try await group.next()
        }
        return try ids.map { id in
            guard let result = try session.standing(of: id) else {
                throw ControlFault("the request is not in the record", mend: "ask again", kind: .temporary)
            }
            return Outcome(value: result, id: id)
        }
    }

    private func check(
        _ tool: AgentTool,
        _ members: [String: ParameterValue],
        _ arguments: NamedArguments,
        _ progress: @escaping Progress
    ) async throws -> ToolAnswer {
        let initiates = try arguments.bool("initiate_pull_through", default: false)
        let wait = try arguments.integer("wait_seconds", default: 45, in: 0...3600)
        let first = try await account(tool, members, arguments)
        guard initiates, !first.isError, first.value["available"] == .bool(false),
            first.value["is_pull_through_cache"] == .bool(true), let image = first.value["ecr_uri"]?.string
        else { return first }
        let session = try await session(arguments)
        let outcome = try await request(image, CloneOptions(), session, wait: .seconds(wait), progress)
        guard case .object(var found) = try await account(tool, members, arguments).value else { return first }
        found["pull_through_initiated"] = .bool(outcome.value.state != .blocked)
        let message =
            switch outcome.value.state {
            case .ready: "it was brought and is whole"
            case .blocked: outcome.value.message
            case .pending, .cloning, .retrying: "it is under way (request \(outcome.id)); ask again"
            }
        found["pull_through_initiation_message"] = .text(message)
        return ToolAnswer(.object(found), isError: outcome.value.state == .blocked)
    }
}

/// What was asked for in this process and is not answered yet: asked again, it is the same request.
actor OpenRequests {
    struct Question: Hashable {
        var record: String
        var images: [String]
        var options: CloneOptions
    }

    private var ids: [Question: [Int64]] = [:]

    /// - Parameters:
    ///   - isOpen: whether a request waits for its answer.
    ///   - ask: asks anew.
    func ids(
        of question: Question,
        isOpen: @Sendable (Int64) throws -> Bool,
        ask: @Sendable () async throws -> [Int64]
    ) async throws -> [Int64] {
        if let known = ids[question], try known.contains(where: isOpen) { return known }
        let fresh = try await ask()
        ids[question] = fresh
        return fresh
    }
}
