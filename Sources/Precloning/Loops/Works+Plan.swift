import Configuring
package import Foundation
import Model
import Names
import Record
import Remotes

/// One image of `preclone plan`.
package struct PlanLine: Codable, Sendable, Equatable {
    package var source: String
    package var destination = ""
    /// `unknown` where `source` is a run or a workflow whose definition could not be read.
    package var route: String
    package var bytes: Int64?
    package var rule: String?
    package var why: String?
    /// Of `later`: until when, as far as that is known, and the route it would take then.
    package var until: Date?
    package var then: String?
    /// Who wants it.
    package var wantedBy: [String]
}

extension Works {
    /// What would be done for a run, a workflow, or everything that is wanted now. Writes only to this value's own
    /// record, which the caller made for it, and which may hold what the daemon knows of hosts and places.
    ///
    /// - Parameter firstStart: since when the daemon watches this account, so that workflows made since count as for it;
    ///   nil where none ever ran.
    /// - Throws: errors of the services; `LedgerError` when the run or workflow does not exist.
    package func plan(run: String?, workflow: String?, firstStart: Date?) async throws -> [PlanLine] {
        let definitions = definitionSurveys {}
        if let run {
            guard let found = try await healthOmics.getRun(id: run) else { throw LedgerError("there is no run \(run)") }
            var sighting = RunSighting(id: run, found)
            // As if it were live.
            sighting.status = "RUNNING"
            sighting.batchID = nil
            try ledger.saw([sighting], now: timeline.now())
        } else if let workflow {
            let basis = try await surveyor.basis(settings.choices)
            let items = try await healthOmics.allWorkflowVersions(workflowID: workflow)
            for name in [""] + items.filter({ $0.status?.rawValue == "ACTIVE" }).map(\.versionName) {
                let version = VersionRow(
                    workflowID: workflow,
                    name: name,
                    status: "ACTIVE",
                    seenAt: timeline.now().milliseconds
                )
                try await definitions.survey(version, basis)
            }
        } else {
            try await noticeEverything(since: firstStart, definitions)
        }
        try ledger.endLearned(besides: run == nil ? workflow : "")
        _ = try await RunSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            choices: { [settings] in settings.choices },
            demanded: {}
        ).pass()
        let unread = try ledger.unread()
        if run ?? workflow != nil, let trouble = unread.first(where: { !$0.isFinal }) {
            throw LedgerError("\(trouble.subject): \(trouble.trouble)")
        }
        // What is not known is said, and is no plan.
        var lines = unread.map {
            PlanLine(source: $0.subject, route: "unknown", why: $0.trouble, wantedBy: [$0.subject])
        }
        for image in try ledger.allImages() {
            let line = try await line(image)
            // The others are there for what is known of their places.
            if !line.wantedBy.isEmpty { lines.append(line) }
        }
        return lines.sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
    }

    /// What the daemon would notice at its start: live runs, and the active versions of workflows that are in use or new.
    private func noticeEverything(since firstStart: Date?, _ definitions: VersionSurveyLoop) async throws {
        let since = try ledger.firstStart(now: firstStart ?? timeline.now())
        let runs = RunWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { .zero },
            sweepInterval: { .zero },
            foundNew: { _ in },
            polled: { _ in }
        )
        _ = try await workflowWatcher {}.pass()
        _ = try await runs.pass()
        let versions = versionSweeper {}
        let usedSince = timeline.now().addingTimeInterval(-settings.current.watch.workflows.usedWithin.seconds)
        for workflow in try ledger.workflowsInUse(usedSince: usedSince, createdSince: since) {
            try await versions.sweep(workflow)
        }
        _ = try await definitions.pass()
    }

    private func line(_ image: ImageRecord) async throws -> PlanLine {
        var line = PlanLine(
            source: image.source,
            destination: image.destination,
            route: "refused",
            bytes: nil,
            rule: image.rule,
            why: [image.reason, image.mend].compactMap(\.self).joined(separator: "; "),
            wantedBy: try ledger.subjects(imageID: image.id)
        )
        guard image.state != .blocked else { return line }
        let planned = await cloner.plan(image)
        line.route = planned.route
        line.rule = planned.rule
        line.why = planned.why
        line.bytes = planned.bytes
        line.until = planned.until
        line.then = planned.then
        return line
    }
}
