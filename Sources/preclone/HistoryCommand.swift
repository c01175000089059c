import ArgumentParser
import Foundation
import Model
import Precloning
import Record

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

    /// The document of `--format json`.
    private struct Document: Encodable {
        var schemaVersion = 1
        var histories: [TagHistory]
    }

    func run() throws {
        let reader = try RecordReader(path: config.recordPath())
        let histories = try TagHistory.read(image, from: reader)
        switch format.format {
        case .json: try Terminal.print(ReportJSON.text(Document(histories: histories)))
        case .table:
            let now = Date()
            let parts = histories.map { $0.lines(now: now, style: .current).joined(separator: "\n") }
            try Terminal.print(parts.joined(separator: "\n\n"))
        }
    }
}
