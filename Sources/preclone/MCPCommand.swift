import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Precloning
import Remotes

/// `preclone mcp`: the agents' door.
struct MCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract: "Speak the Model Context Protocol on standard input and output, for agents.",
        discussion: """
            Started by an agent's host. The daemon does what is asked, under its own policy and limits, for the user \
            whose process this is. Without a daemon, tools that change nothing answer with this user's own AWS rights. The \
            host's configuration:
              { "mcpServers": { "preclone": { "command": "preclone", "args": ["mcp"] } } }
            The daemon speaks the same on its control socket, for users of its group; whatever joins its input and output to the \
            socket can be the host's command, such as:
              ssh HOST nc -U /run/preclone/control.sock
            """
    )

    @Option(help: ArgumentHelp("The agent that it speaks for, where policy.agents lets this user.", valueName: "name"))
    var agent: String?

    @Option(help: "Which tools are shown: all, predecessor (the eight of aws-healthomics-mcp-server) or read-only.")
    var tools: AgentTool.Selection = .all

    @Flag(help: "Clone and change with this user's own rights where no daemon runs.")
    var alone = false

    @OptionGroup var config: ConfigurationOptions

    func validate() throws {
        if let agent, !Caller.isAgentName(agent) {
            throw ValidationError("--agent: use up to 64 letters, digits, `-`, `_` and `.`")
        }
    }

    func run() async throws {
        // Standard output is for messages alone; what else there is to say goes to standard error, and that is little.
        let logger = ProcessLog.start(Configuration.defaults.log, threshold: LogThreshold(.error))
        let bell = Bell()
        let path = config.path
        let agent = agent
        let load: @Sendable () throws -> Configuration = { try Configuration.load(path: path) }
        let shown: @Sendable ([AgentTool]) -> [AgentTool] = { tools in
            // A user who speaks for no agent is kept from none; a configuration that cannot be read is said by the first tool.
            guard agent != nil, let policy = try? load().policy else { return tools }
            let caller = policy.identity(of: PeerIdentity.thisProcess, agent: agent)
            return tools.filter { policy.lets(caller, call: $0.name) }
        }
        let permit: @Sendable (AgentTool) throws -> Void = { tool in
            guard !shown([tool]).isEmpty else {
                throw ControlFault(
                    "policy.agents does not let \(agent ?? "-") call \(tool.name)",
                    mend: "have it added to policy.agents[].tools",
                    kind: .denied
                )
            }
        }
        let runner = ToolRunner(
            configuration: load,
            side: .caller(alone: alone ? bell : nil),
            asker: .init(agent: agent),
            permit: permit,
            logger: logger
        )
        let selected = ToolCatalogue.all.filter { $0.belongs(to: tools) }
        let server = MCPServer(
            tools: selected,
            shown: shown,
            resources: runner.resources(among: selected),
            output: MCPOutput { try StandardStream.output.write($0) },
            elapsed: Timeline.system.elapsed,
            call: { await runner.call($0, $1, program: $2, $3) }
        )
        await withTaskGroup(of: Void.self) { group in
            if alone { group.addTask { await runner.workAlone(bell) } }
            await server.run(StandardInput())
            group.cancelAll()
        }
    }
}

extension AgentTool.Selection: ExpressibleByArgument {}

extension ToolRunner {
    /// The status as resources, for whoever has the tool that tells it.
    func resources(among tools: [AgentTool]) -> MCPResources? {
        guard let tool = tools.first(where: { $0.name == "GetPrecloneStatus" }) else { return nil }
        return MCPResources(record: { try record() }, permit: { try permit(tool) })
    }

    /// Works on what is asked for where no daemon does, until the task is cancelled.
    func workAlone(_ bell: Bell) async {
        while !Task.isCancelled {
            await bell.wait(atMost: .seconds(3600), on: .system)
            guard !Task.isCancelled else { return }
            do {
                let session = CloneSession(
                    configuration: try configuration(),
                    substitute: .nobody,
                    logger: logger
                )
                try await session.workOnRequests()
            } catch {
                logger.error("Nothing can be cloned", metadata: ["error": "\(error)"])
            }
        }
    }
}
