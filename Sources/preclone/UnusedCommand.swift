import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Record

/// `preclone unused`: what could go from ECR, and a policy that lets it go; nothing is applied.
struct UnusedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unused",
        abstract: "Name the images that no run used and nothing wants; propose lifecycle policies, apply none.",
        discussion: """
            An image counts as used by the runs that wanted it, and by whoever asked for it. A policy is proposed only for what \
            ECR holds under no other tag and nobody wants under another name: a lock's images have a tag of their own, so they \
            stay. Putting a lifecycle policy replaces the one a repository has: look at that first.
            """
    )

    @Option(help: ArgumentHelp("Not used since then: a date, an ISO 8601 time, or how long ago.", valueName: "time"))
    var since = "90d"

    @Flag(help: "Look at the record alone; no policy is proposed then.")
    var offline = false

    @OptionGroup var output: FormatOptions
    @OptionGroup var configurationFile: ConfigurationOptions

    func run() async throws {
        let now = Date()
        let since = try PastMoment.option(since, now: now)
        let configuration = try configurationFile.load()
        let candidates = try RecordReader(path: configuration.record.path).unused(since: since)
        let keptFor = configuration.record.keepAttempts
        let answer =
            try await offline || candidates.images.isEmpty
            ? UnusedVerb.answer(candidates, since: since, keptFor: keptFor, account: nil, ecr: nil, now: now)
            : AccountReading.with(configuration) { works, composition in
                try await UnusedVerb.answer(
                    candidates,
                    since: since,
                    keptFor: keptFor,
                    account: works.account,
                    ecr: composition.ecr,
                    now: now
                )
            }
        switch output.format {
        case .json: try Terminal.print(answer.json())
        case .table: try Terminal.print(UnusedText(answer, style: .current).lines.joined(separator: "\n"))
        }
    }
}

extension PastMoment {
    /// The value of `--since`.
    ///
    /// - Throws: `CommandFailure` that ends with code 2.
    static func option(_ text: String, now: Date) throws -> Date {
        guard let since = parse(text, now: now, zone: .current) else {
            throw CommandFailure(
                "--since `\(text)` is no time",
                hint: "write a date (2026-11-01), an ISO 8601 time, or how long ago (30d, 12h)",
                ending: .usage
            )
        }
        guard since < now else { throw CommandFailure("--since `\(text)` lies in the future", ending: .usage) }
        return since
    }
}
