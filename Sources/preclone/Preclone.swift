import ArgumentParser
import Configuring
import Foundation
import Names
import Precloning

/// The command line. It parses, hands over to one subcommand, and is the only place where the process ends.
@main
struct Preclone: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone",
        abstract: "Clones the container images of AWS HealthOmics runs into private ECR ahead of time.",
        discussion: Ending.help,
        version: Version.current,
        subcommands: [
            RunCommand.self, CloneCommand.self, PlanCommand.self, StatusCommand.self, HistoryCommand.self,
            RetryCommand.self, AuditCommand.self, InspectCommand.self, MapCommand.self, ReadyCommand.self,
            LockCommand.self, ExplainCommand.self, RulesCommand.self, GrantCommand.self, ForgetCommand.self,
            ReportCommand.self, UnusedCommand.self,
            CopyCommand.self, CheckCommand.self, MCPCommand.self, DemoCommand.self,
        ]
    )

    static func main() async {
        StandardStream.prepare()
        Foundation.exit(await run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Runs a command line to its end; errors are printed here and nowhere else.
    static func run(_ arguments: [String]) async -> Ending {
        do {
            if let slip = unknownSubcommand(arguments) { throw slip }
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return .done
        } catch {
            do {
                return try report(error)
            } catch {
                return (try? report(error)) ?? .failed
            }
        }
    }

    /// What was meant to be a subcommand, with the one that is nearest.
    private static func unknownSubcommand(_ arguments: [String]) -> CommandFailure? {
        guard let first = arguments.first, !first.hasPrefix("-") else { return nil }
        let known = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard !known.contains(first) else { return nil }
        let near = NearestName.of(first, among: known)
        return CommandFailure(
            "`\(first)` is no subcommand",
            hint: near.map { "did you mean `preclone \($0)`?" } ?? "`preclone --help` lists them",
            ending: .usage
        )
    }

    private static func report(_ error: any Error) throws -> Ending {
        switch error {
        case let failure as StandardStream.WriteFailure where failure.isClosedPipe: StandardStream.endByClosedPipe()
        case let failure as CommandFailure:
            Terminal.complain(failure.message, hint: failure.hint)
            return failure.ending
        case let error as ConfigurationError:
            for problem in error.problems { Terminal.complain("\(error.file): \(problem)") }
            return .usage
        case let code as ExitCode:
            return Ending(rawValue: code.rawValue) ?? .failed
        default:
            break
        }
        switch exitCode(for: error) {
        case .success:
            // Help and version were asked for.
            try Terminal.print(fullMessage(for: error))
            return .done
        case .validationFailure:
            // As every other error of ours begins.
            let text = fullMessage(for: error)
            Terminal.remark((text.hasPrefix("Error: ") ? "error: " + text.dropFirst(7) : text) + "\n")
            return .usage
        default:
            Terminal.complain("\(error)")
            return .failed
        }
    }
}
