import ArgumentParser
import Foundation
import Precloning
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

    @Flag(help: "Show it again every two seconds, until interrupted.")
    var watch = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var config: ConfigurationOptions

    func validate() throws {
        if [runID, workflow, image].compactMap(\.self).count > 1 {
            throw ValidationError("only one of --run, --workflow and --image can be given")
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
            let report = try read(path)
            Terminal.print(try text(report))
            if report.exitCode != 0 { throw ExitCode(report.exitCode) }
            return
        }
        let timeline = Timeline.system
        while true {
            let text = try text(try read(path))
            // Home, then erase below: the screen does not flicker as it does when it is cleared first.
            let isScreen = Terminal.current().width != nil && format.format == .table
            Terminal.print(isScreen ? "\u{1B}[H\u{1B}[J" + text : text)
            try await timeline.sleep(.seconds(2))
        }
    }

    private func read(_ path: String) throws -> StatusReport {
        if RecordReader.isMissing(path) {
            throw CommandFailure(
                "not running: there is no record at \(path)",
                hint: "start the daemon (`systemctl start preclone`), or name its configuration with --config",
                ending: .notRunning
            )
        }
        return try StatusReport.read(
            from: RecordReader(path: path),
            filter: filter,
            now: Date(),
            isAlive: { RecordLock.holder(record: path) != nil || WorkerProcess.isAlive($0) }
        )
    }

    private func text(_ report: StatusReport) throws -> String {
        switch format.format {
        case .json: try report.json()
        case .table: StatusText(report, style: .current).lines.joined(separator: "\n")
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
