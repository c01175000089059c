import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Remotes

/// `preclone grant`: lets HealthOmics read repositories.
struct GrantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant",
        abstract: "Add the statement that lets HealthOmics read repositories; touch no other.",
        discussion: """
            What another statement denies, or allows under a condition or for some resources only, is said and left as it is. \
            Exit codes: 0 HealthOmics may read all; 1 error; 2 usage; 4 some cannot be granted.
            """
    )

    @Argument(help: "Repositories of the account, by name, URI or ARN.")
    var repositories: [String]

    @Flag(help: "Show the changes, make none.")
    var dryRun = false

    @OptionGroup var output: FormatOptions
    @OptionGroup var configurationFile: ConfigurationOptions

    func run() async throws {
        let configuration = try configurationFile.load()
        let audit = ChangeAudit(configuration, isMeant: !dryRun)
        let (repositories, dryRun) = (repositories, dryRun)
        let answer = try await AccountReading.verbs(configuration, audit: audit) { verbs in
            try await verbs.grant(repositories, by: audit.caller, isDryRun: dryRun)
        }
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .table:
            for line in answer.repositories {
                let words =
                    switch line.outcome {
                    case .alreadyGranted: "HealthOmics may read it already"
                    case .granted: "granted"
                    case .wouldBeGranted: "would be granted"
                    case .refused: "not granted"
                    }
                let why = line.reason.map { ": \($0)" } ?? ""
                try Terminal.print(StyledText("\(line.repository): \(words)\(why)").text)
                if line.outcome == .wouldBeGranted || line.outcome == .granted {
                    try Terminal.print("  before: \(line.before ?? "no policy")\n  after:  \(line.after ?? "-")")
                }
            }
        }
        if answer.repositories.contains(where: { $0.outcome == .refused }) { throw Ending.someNotReady.code }
    }
}
