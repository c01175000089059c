import Foundation
import Remotes

/// One image of `preclone plan`.
package struct PlanLine: Codable, Sendable, Equatable {
    package var source: String
    package var destination: String
    package var route: String
    package var bytes: Int64?
    package var rule: String?
    package var why: String?
    /// Who wants it.
    package var wantedBy: [String]
}

extension Works {
    /// What would be done for a run, a workflow, or everything that is wanted now. Writes only to this value's own
    /// record, which the caller made for it.
    ///
    /// - Throws: errors of the services; `LedgerError` when the run or workflow does not exist.
    package func plan(run: String?, workflow: String?) async throws -> [PlanLine] {
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
            try await noticeEverything()
        }
        for run in try ledger.runsToSurvey(limit: 100_000, now: timeline.now()) {
            try await surveyor.survey(run, choices: settings.choices)
        }
        var lines: [PlanLine] = []
        for image in try ledger.allImages() { lines.append(try await line(image)) }
        return lines.sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
    }

    private func noticeEverything() async throws {
        for status in [RunStatus.pending, .starting, .running] {
            let items = try await healthOmics.allRuns(status: status)
            try ledger.saw(items.map(RunWatcher.sighting), now: timeline.now())
        }
        let chosen = settings.current.watch.workflows
        for item in try await healthOmics.allWorkflows(type: .private)
        where chosen.selects(id: item.id, name: item.name) && item.status?.rawValue == "ACTIVE" {
            let version = try await surveyor.version(workflowID: item.id, name: "", ownerID: "")
            try await surveyor.survey(version, choices: settings.choices)
        }
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
        return line
    }
}
