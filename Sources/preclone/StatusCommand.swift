import ArgumentParser
import Foundation
import Model
import Precloning
import Record
import Remotes

/// `preclone status`: what is going on; works while the daemon is stopped.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what runs wait for, what is copied, what is blocked, and how the daemon is.",
        discussion: """
            Exit codes: 0 healthy, or all images of what was asked for are ready; 1 error; 3 the daemon is not running; \
            4 degraded, or not all images are ready.
            """
    )

    @Option(name: .customLong("run"), help: ArgumentHelp("Only one run, by its id.", valueName: "id"))
    var runID: String?

    @Option(help: ArgumentHelp("Only one workflow, as ID or ID/VERSION.", valueName: "id"))
    var workflow: String?

    @Option(help: ArgumentHelp("Only one image, as the workflow names it or as its ECR URI.", valueName: "reference"))
    var image: String?

    @Flag(help: "Show every run and image, not only what a first screen has room for.")
    var all = false

    @Flag(help: "Show it again every two seconds, until interrupted.")
    var watch = false

    @Option(
        help: ArgumentHelp(
            "Wait until all images of what is asked for are ready, a person is needed, or so long (30m) has passed.",
            valueName: "duration"
        )
    )
    var wait: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup var config: ConfigurationOptions

    func validate() throws {
        if [runID, workflow, image].compactMap(\.self).count > 1 {
            throw ValidationError("only one of --run, --workflow and --image can be given")
        }
        if let wait {
            guard DurationText.parse(wait) != nil else {
                throw ValidationError("--wait `\(wait)` is no duration; write 90s, 30m or 2h")
            }
            if filter == nil { throw ValidationError("--wait is for --run, --workflow or --image") }
            if watch { throw ValidationError("--wait or --watch, not both") }
        }
    }

    private var filter: StatusReport.Filter? {
        if let runID { return .run(id: runID) }
        if let workflow { return .workflow(workflow) }
        return image.map { .image($0) }
    }

    func run() async throws {
        let path = try config.recordPath()
        guard watch else {
            let report = try await waited(path)
            try Terminal.print(text(report))
            if report.exitCode != 0 { throw ExitCode(report.exitCode) }
            return
        }
        try show(text(try read(path)))
        let timeline = Timeline.system
        while true {
            try await timeline.sleep(.seconds(2))
            do {
                try show(text(try read(path)))
            } catch let error as LedgerError {
                // A record that is locked or just being replaced comes back.
                try show("error: " + PrintableText.stripped(error.description))
            }
        }
    }

    /// The report, once there is nothing to wait for.
    private func waited(_ path: String) async throws -> StatusReport {
        let timeline = Timeline.system
        let end = timeline.elapsed() + (wait.flatMap(DurationText.parse) ?? .zero)
        while true {
            let report = try read(path)
            let isOver = timeline.elapsed() >= end || report.focus?.isReady != false
            let isStuck = report.focus?.images.contains { image in
                image.counts && image.state == "blocked" && image.comesByItself != true
            }
            if isOver || isStuck == true || report.focus?.unresolved.isEmpty == false { return report }
            try await timeline.sleep(min(.seconds(2), end - timeline.elapsed()))
        }
    }

    private func show(_ text: String) throws {
        guard let height = Terminal.current().height, format.format == .table else { return try Terminal.print(text) }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        try Terminal.write(Terminal.screen(lines, height: height))
    }

    private func read(_ path: String) throws -> StatusReport {
        let verbs = RecordVerbs(path: path)
        guard verbs.isMissing else {
            return try verbs.status(filter, extent: all ? .init(runs: .max, rows: .max) : .init())
        }
        guard format.format == .json else {
            throw CommandFailure(
                "not running: there is no record at \(path)",
                hint: "start the daemon (`systemctl start preclone`), or name its configuration with --config",
                ending: .notRunning
            )
        }
        return try verbs.statusOfNothing()
    }

    private func text(_ report: StatusReport) throws -> String {
        switch format.format {
        case .json: try report.json()
        case .table: StatusText(report, style: .current, isWhole: all).lines.joined(separator: "\n")
        }
    }
}

extension TextStyle {
    /// As the terminal has it, with times of the place where the reader is.
    static var current: TextStyle {
        let terminal = Terminal.current()
        return TextStyle(width: terminal.width, colour: terminal.hasColour, zone: .current)
    }
}
