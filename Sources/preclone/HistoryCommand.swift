import ArgumentParser
import Foundation
import Model
import Precloning

/// `preclone history IMAGE`: the digests that a reference had.
struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show the digests seen and cloned for a reference, newest first."
    )

    @Argument(help: "The image, as the workflow names it or as its ECR URI.")
    var image: String

    @OptionGroup var format: FormatOptions
    @OptionGroup var config: ConfigurationOptions

    func run() throws {
        let answer = try RecordVerbs(path: config.recordPath()).history(of: image)
        switch format.format {
        case .json: try Terminal.print(ReportJSON.text(answer))
        case .table:
            let now = Date()
            let parts = answer.histories.map { $0.lines(now: now, style: .current).joined(separator: "\n") }
            try Terminal.print(parts.joined(separator: "\n\n"))
        }
    }
}
