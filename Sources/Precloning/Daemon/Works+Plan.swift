import Configuring
package import Foundation
import Model
import Names
import Record
import Remotes

/// One image of `preclone plan`.
package struct PlanLine: Codable, Sendable, Equatable {
    package var source: String
    package var destination: String
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
        if let run {
            guard let found = try await healthOmics.getRun(id: run) else { throw LedgerError("there is no run \(run)") }
            let sighting = RunSighting(
                id: run,
                created: found.creationTime,
                name: found.name,
                status: "RUNNING",
                workflowID: found.workflowId,
                versionName: found.workflowVersionName ?? "",
                batchID: nil
            )
            try ledger.saw([sighting], now: timeline.now())
        } else if let workflow {
            let version = try await surveyor.version(workflowID: workflow, name: "", ownerID: "")
            try await surveyor.survey(version, choices: settings.choices)
            for item in try await healthOmics.allWorkflowVersions(workflowID: workflow)
            where item.status?.rawValue == "ACTIVE" {
                let named = try await surveyor.version(workflowID: workflow, name: item.versionName, ownerID: "")
                try await surveyor.survey(named, choices: settings.choices)
            }
        } else {
            try await noticeEverything(since: firstStart)
        }
        try ledger.endLearned(besides: run == nil ? workflow : "")
        for run in try ledger.runsToSurvey(limit: 100_000, now: timeline.now()) {
            try await surveyor.survey(run, choices: settings.choices)
        }
        var lines: [PlanLine] = []
        for image in try ledger.allImages() {
            let line = try await line(image)
            // The others are there for what is known of their places.
            if !line.wantedBy.isEmpty { lines.append(line) }
        }
        return lines.sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
    }

    /// What the daemon would notice at its start: live runs, and the active versions of workflows that are in use or new.
    private func noticeEverything(since firstStart: Date?) async throws {
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
        _ = try await definitionSurveys {}.pass()
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
