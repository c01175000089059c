import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Names
import Precloning
import Record
import Remotes

/// `preclone plan`: what would be done for what is wanted now; changes nothing.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show route, destination, bytes to move and deciding rule for what is wanted; change nothing."
    )

    @Option(help: "Only the images of this run.")
    var run: String?

    @Option(help: "Only the images of this workflow.")
    var workflow: String?

    @OptionGroup var output: FormatOptions
    @OptionGroup var configurationFile: ConfigurationOptions

    func run() async throws {
        var configuration = try configurationFile.load()
        // A record that cannot be read is no hindrance: then the watching would begin now.
        let known = try? RecordReader(path: configuration.record.path)
        let firstStart = try? known?.firstStart()
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-plan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        configuration.record.path = folder.appending(path: "record.sqlite").path
        let logger = ProcessLog.start(
            configuration.log,
            threshold: LogThreshold(max(configuration.log.level.level, .warning))
        )
        let run = run
        let workflow = workflow
        let lines = try await Composition.with(configuration) { composition in
            try await withLogger(logger) { _ in
                // Worked out on a record in memory: nothing is written anywhere.
                let ledger = try Ledger()
                // As before, a record that cannot be read is no hindrance.
                if let known { try? ledger.learn(from: known) }
                let works = try composition.works(on: ledger)
                return try await works.plan(run: run, workflow: workflow, firstStart: firstStart)
            }
        }
        switch output.format {
        case .json:
            struct Output: Encodable {
                var schemaVersion = 1
                var images: [PlanLine]
            }
            try Terminal.print(JSONOutput.text(Output(images: lines)))
        case .table:
            var table = TextTable(columns: [
                .init(title: "IMAGE", cut: .middle), .init(title: "ROUTE"), .init(title: "DESTINATION", cut: .middle),
                .init(title: "BYTES", alignment: .right), .init(title: "RULE"), .init(title: "WHY", cut: .end),
            ])
            for line in lines {
                table.add([
                    StyledText(line.source), StyledText(line.route),
                    StyledText(line.destination.isEmpty ? "-" : line.destination),
                    StyledText(Phrase.bytes(line.bytes)), StyledText(line.rule ?? "-"),
                    StyledText(Self.why(line)),
                ])
            }
            try Terminal.print(table.rendered(for: .current()))
            try Terminal.print(Self.total(lines))
        }
    }

    /// What is moved, and what keeping it will cost.
    private static func total(_ lines: [PlanLine]) -> String {
        // One place is filled once, whoever wants it.
        let moved = Dictionary(
            lines.filter { ["copy", "pullThrough", "later"].contains($0.route) }.map { ($0.destination, $0.bytes) }
        ) {
            first,
            _ in first
        }
        let bytes = moved.values.reduce(0) { $0 + ($1 ?? 0) }
        var text = "to move: \(Phrase.count(moved.count, "image"))"
        guard !moved.isEmpty else { return text }
        let unknown = moved.values.count { $0 == nil }
        text += ", \(Phrase.bytes(bytes))" + (unknown > 0 ? " and \(unknown) of unknown size" : "")
        let region = moved.keys.lazy.compactMap { (try? ImageReference($0)).flatMap(ECRLocation.init)?.region }.first
        if let price = StoragePrice(region: region), bytes > 0 {
            text += "; kept in ECR at most \(Phrase.dollars(price.monthly(bytes))) a month (price of \(price.asOf))"
        }
        return text
    }

    private static func why(_ line: PlanLine) -> String {
        var parts: [String] = []
        if let until = line.until { parts.append("until \(until.formatted(.iso8601))") }
        if let why = line.why { parts.append(why) }
        if let then = line.then { parts.append("then \(then)") }
        return parts.isEmpty ? "-" : parts.joined(separator: "; ")
    }
}
