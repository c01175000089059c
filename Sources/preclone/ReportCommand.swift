import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Record

/// `preclone report`: what was done in a time, as one page to keep or send.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write one page of HTML on what was cloned, how early, what it costs and what is blocked.",
        discussion: """
            The page asks nothing of any place and needs no script. Works while the daemon is stopped. What is older than \
            `record.keepAttempts` and `record.keepEvents` is not in it; pulls are kept for 32 days.
            """
    )

    @Option(help: ArgumentHelp("A date, an ISO 8601 time, or how long ago, such as 30d.", valueName: "time"))
    var since = "30d"

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("The file to write; `-` is standard output.", valueName: "file"),
        completion: .file()
    )
    var file: String?

    @Option(help: "html for people, json for programs: the same figures.")
    var format: Format = .html

    @OptionGroup var config: ConfigurationOptions

    enum Format: String, CaseIterable, ExpressibleByArgument { case html, json }

    func run() throws {
        let now = Date()
        let since = try PastMoment.option(since, now: now)
        let report = try ActivityReport.read(from: RecordReader(path: config.recordPath()), since: since, now: now)
        let text = try format == .json ? report.json() : ReportPage(report).html
        // A page on a terminal helps nobody.
        let place = file ?? (format == .html && Terminal.current().width != nil ? "preclone-report.html" : "-")
        guard place != "-" else { return try Terminal.print(text) }
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: place), options: .atomic)
        } catch {
            throw CommandFailure("\(place) can't be written: \(error.localizedDescription)")
        }
        Terminal.remark("written: \(place)\n")
    }
}
