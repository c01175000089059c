import ArgumentParser
import Foundation
import Model
import Precloning

/// `preclone audit`: every decision and every change made to AWS.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show every decision and every change made to AWS, oldest first."
    )

    /// `--format table|json|jsonl`.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table, json, jsonl
    }

    @Option(
        help: ArgumentHelp(
            "From when on: a date (2026-11-23), a time (2026-11-23T14:05:00Z), or how long ago (36h, 30d).",
            valueName: "time"
        )
    )
    var since = "7d"

    @Option(help: "table for people, json or one JSON object a line for programs.")
    var format = Format.table

    @Flag(help: "Show nothing, but say whether every row is as it was written: none changed, removed, added or moved.")
    var verify = false

    @OptionGroup var config: ConfigurationOptions

    func validate() throws {
        if PastMoment.parse(since, now: Date(), zone: .current) == nil {
            throw ValidationError(
                "--since \(since): write a date (2026-11-23), a time (2026-11-23T14:05:00Z), or how long ago (36h, 30d)"
            )
        }
    }

    private struct Document: Encodable {
        var schemaVersion = 1
        var entries: [AuditEntry]
    }

    private func check(_ verbs: RecordVerbs) throws {
        let found = try verbs.verifyAudit()
        switch format {
        case .json, .jsonl: try Terminal.print(ReportJSON.text(found, pretty: format == .json))
        case .table:
            if found.isWhole {
                try Terminal.print("whole: \(Phrase.count(found.rows, "row")), head \(found.head ?? "-")")
            }
        }
        guard let fault = found.fault else { return }
        throw CommandFailure(
            "the audit is not as it was written: \(fault)",
            hint: "compare with the heads in the journal (`journalctl -u preclone`), and with a copy of the record"
        )
    }

    func run() throws {
        let verbs = RecordVerbs(path: try config.recordPath())
        if verify { return try check(verbs) }
        let start = PastMoment.parse(since, now: Date(), zone: .current) ?? Date()
        var entries: [AuditEntry] = []
        var next: Int64? = 0
        while let after = next {
            let part = try verbs.audit(since: start, after: after)
            next = part.next
            if format == .jsonl {
                for entry in part.entries { try Terminal.print(ReportJSON.text(entry, pretty: false)) }
            } else {
                entries += part.entries
            }
        }
        switch format {
        case .jsonl: break
        case .json: try Terminal.print(ReportJSON.text(Document(entries: entries)))
        case .table: try printTable(entries)
        }
    }

    private func printTable(_ entries: [AuditEntry]) throws {
        var table = TextTable(columns: [
            .init(title: "TIME"), .init(title: "CALLER", cut: .end), .init(title: "ACTION"),
            .init(title: "IMAGE", cut: .middle), .init(title: "RULE", cut: .end), .init(title: "CHANGE", cut: .end),
            .init(title: "DETAIL", cut: .end), .init(title: "REQUEST", cut: .end),
        ])
        for entry in entries {
            let change =
                entry.before == nil && entry.after == nil ? "" : "\(entry.before ?? "-") -> \(entry.after ?? "-")"
            table.add(
                [
                    entry.at.formatted(.iso8601), entry.caller, entry.action, entry.source ?? entry.destination ?? "",
                    entry.rule ?? "", change, entry.detail ?? "", entry.requestID ?? "",
                ].map { StyledText($0) }
            )
        }
        try Terminal.write(table.rendered(for: .current()))
    }
}
