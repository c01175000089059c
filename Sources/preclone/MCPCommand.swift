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
            whose process this is. Without a daemon, tools that change nothing answer with this user's own AWS rights.
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
        let runner = ToolRunner(
            configurationPath: config.path,
            agent: agent,
            alone: alone ? bell : nil,
            logger: logger
        )
        let output = MCPOutput { try StandardStream.output.write($0) }
        let server = MCPServer(
            tools: ToolCatalogue.all.filter { $0.belongs(to: tools) },
            output: output,
            elapsed: Timeline.system.elapsed,
            call: { tool, arguments, progress in await runner.call(tool, arguments, progress) }
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
    /// Works on what is asked for where no daemon does, until the task is cancelled.
    func workAlone(_ bell: Bell) async {
        while !Task.isCancelled {
            await bell.wait(atMost: .seconds(3600), on: .system)
            guard !Task.isCancelled else { return }
            do {
                let session = CloneSession(
                    configuration: try Configuration.load(path: configurationPath),
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
