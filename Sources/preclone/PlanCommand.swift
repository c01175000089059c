import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Names
import Precloning

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
        let configuration = try configurationFile.load()
        let logger = ProcessLog.start(
            configuration.log,
            threshold: LogThreshold(max(configuration.log.level.level, .warning))
        )
        let (run, workflow) = (run, workflow)
        let answer = try await AccountReading.verbs(configuration) { verbs in
            try await withLogger(logger) { _ in try await verbs.plan(run: run, workflow: workflow) }
        }
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .table:
            var table = TextTable(columns: [
                .init(title: "IMAGE", cut: .middle), .init(title: "ROUTE"), .init(title: "DESTINATION", cut: .middle),
                .init(title: "BYTES", alignment: .right), .init(title: "RULE"), .init(title: "WHY", cut: .end),
            ])
            for line in answer.images {
                table.add([
                    StyledText(line.source), StyledText(line.route),
                    StyledText(line.destination.isEmpty ? "-" : line.destination),
                    StyledText(Phrase.bytes(line.bytes)), StyledText(line.rule ?? "-"),
                    StyledText(Self.why(line)),
                ])
            }
            try Terminal.print(table.rendered(for: .current()))
            try Terminal.print(Self.total(answer.images))
        }
    }

    /// What is moved, and what keeping it will cost.
    private static func total(_ lines: [PlanLine]) -> String {
        // One place is filled once, whoever wants it.
        let moved = Dictionary(
            lines.filter { ["copy", "pullThrough", "later"].contains($0.route) }.map { ($0.destination, $0.bytes) }
        ) { first, _ in first }
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
