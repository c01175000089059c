import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Record

/// `preclone explain`: everything about one image.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract:
            "Explain an image: how it was read, what policy says, where it goes and how, what is there, what comes next.",
        discussion: """
            Asks ECR and the image's registry, and changes nothing. Exit codes: 0 explained; 1 error; 2 usage.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @Argument(help: "The image, as a workflow names it or as its ECR URI.")
    var image: String

    @Option(help: "As this run's workflow places it.")
    var run: String?

    @Option(help: ArgumentHelp("As this workflow or version places it.", valueName: "id[/version]"))
    var workflow: String?

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "For whom policy is asked: `daemon`, `user NAME`, or `agent NAME of user USER`.",
            valueName: "caller"
        )
    )
    var caller = "daemon"

    @Option(help: "text for people, json for programs.")
    var format: Format = .text

    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if run != nil, workflow != nil { throw ValidationError("--run or --workflow, not both") }
        if Caller(caller) == nil {
            throw ValidationError("--as \(caller): write daemon, `user NAME`, or `agent NAME of user USER`")
        }
    }

    func run() async throws {
        let configuration = try configurationFile.load()
        let subject: ReadySubject? =
            if let run { .run(run) } else {
                try workflow.map { .workflow(try AccountReading.name($0), parameters: [:], profiles: []) }
            }
        let image = image
        let caller = Caller(caller) ?? .daemon
        let answer = try await AccountReading.verbs(configuration) { verbs in
            try await verbs.explain(image, for: subject, as: caller)
        }
        switch format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .text: for line in ExplainText.lines(answer) { try Terminal.print(StyledText(line).text) }
        }
    }
}

/// An explanation for people.
enum ExplainText {
    /// What a rule of policy has to say.
    static func line(of rule: PolicyRuleLine) -> String {
        let words =
            switch rule.standing {
            case .decides: "decides"
            case .warns: "warns"
            case .dependsOnFacts: "depends on facts"
            case .doesNotMatch: "does not match"
            case .notReached: "not reached"
            }
        return "rule \(rule.name) (\(rule.action)): \(words): \(rule.why)"
    }

    static func lines(_ answer: ExplainAnswer) -> [String] {
        guard let reading = answer.reading else { return [answer.problem ?? answer.image] }
        var lines = ["image      \(answer.image)"]
        if reading.reference != answer.image { lines.append("read as    \(reading.reference)") }
        if let policy = answer.policy {
            lines.append("policy     \(policy.verdict) by \(policy.rule) for \(policy.caller): \(policy.reason)")
            if policy.dependsOnFacts { lines.append("           decided again when manifest and config are read") }
            if let mend = policy.mend { lines.append("           \(mend)") }
            lines += policy.rules.map { "           \(line(of: $0))" }
        }
        if let upstream = answer.upstream {
            lines.append("upstream   \(upstream.digest ?? upstream.problem ?? "-")")
        }
        for place in answer.places {
            lines.append(
                "place      \(place.destination.isEmpty ? "none: \(place.problem ?? "-")" : place.destination)"
            )
            if place.destination.isEmpty, let mend = place.mend, !mend.isEmpty { lines.append("           \(mend)") }
            if place.source != reading.reference { lines.append("  of       \(place.source)") }
            if !place.wantedBy.isEmpty { lines.append("  wanted   by \(place.wantedBy.joined(separator: ", "))") }
            if let holding = place.holding {
                let access = holding.accessReason.map { " (\($0))" } ?? ""
                let digest = holding.digest.map { ", \($0)" } ?? ""
                lines.append("  in ECR   \(holding.words)\(digest); HealthOmics: \(holding.access)\(access)")
            }
            if let rule = place.pullThroughRule { lines.append("  rule     pull-through `\(rule)`") }
            if let route = place.route {
                let why = place.why.map { ": \($0)" } ?? ""
                let bytes = place.bytesToMove.map { " (\($0) bytes to move)" } ?? ""
                lines.append("  route    \(route)\(why)\(bytes)")
            }
            if let record = place.record {
                let why = [record.reason, record.mend].compactMap(\.self).joined(separator: "; ")
                lines.append("  record   \(record.state)\(why.isEmpty ? "" : ": \(why)")")
                lines += record.lastAttempts.map { attempt in
                    let why = attempt.message.map { ": \($0)" } ?? ""
                    return "           \(attempt.endedAt.formatted(.iso8601)) \(attempt.route) \(attempt.result)\(why)"
                }
            }
            lines.append("  next     \(place.next)")
        }
        return lines + answer.notes.map { "note: \($0)" }
    }
}
