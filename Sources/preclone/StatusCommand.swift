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

    private func show(_ text: String) throws {
        guard let height = Terminal.current().height, format.format == .table else { return try Terminal.print(text) }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        try Terminal.write(Terminal.screen(lines, height: height))
    }

    private func read(_ path: String) throws -> StatusReport {
        if let gone = RecordCondition.isGone(path) { return try without(gone) }
        let isMissing = RecordReader.isMissing(path)
        if isMissing, format.format == .table {
            throw CommandFailure(
                "not running: there is no record at \(path)",
                hint: "start the daemon (`systemctl start preclone`), or name its configuration with --config",
                ending: .notRunning
            )
        }
        let condition = RecordCondition.troubles(of: path)
        do {
            return try StatusReport.read(
                // Programs get a document in any case.
                from: isMissing ? RecordReader(Ledger()) : RecordReader(path: path),
                filter: isMissing ? nil : filter,
                extent: all ? .init(runs: .max, rows: .max) : .init(),
                now: Date(),
                condition: condition,
                isAlive: { RecordLock.isHeld(record: path, by: $0) ?? WorkerProcess.isAlive($0) }
            )
        } catch let error as LedgerError where RecordLock.trouble(record: path) != nil {
            return try without((condition + [error.description]).joined(separator: "; "))
        }
    }

    /// The report where somebody works on a record that is not there, or cannot be read.
    private func without(_ trouble: String) throws -> StatusReport {
        var report = try StatusReport.read(from: RecordReader(Ledger()), now: Date(), isAlive: { _ in false })
        report.daemon.life = .running
        report.health = Health(state: .degraded, reasons: [trouble])
        return report
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
