package import Configuring
import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

extension Configuration.Watch.Workflows {
    /// Whether a workflow's id or name matches a pattern of `include` and none of `exclude`.
    package func selects(id: String, name: String?) -> Bool {
        func matches(_ patterns: [Glob]) -> Bool {
            patterns.contains { $0.matches(id) || name.map($0.matches) == true }
        }
        return matches(include) && !matches(exclude)
    }
}

/// Notices workflows, by listing them all.
package struct WorkflowWatcher: WorkLoop {
    package let name = "workflows"
    package let bell = Bell()

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let timeline: Timeline
    let interval: @Sendable () async -> Duration
    let selection: @Sendable () async -> Configuration.Watch.Workflows
    let changed: @Sendable () -> Void

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        timeline: Timeline,
        interval: @escaping @Sendable () async -> Duration,
        selection: @escaping @Sendable () async -> Configuration.Watch.Workflows,
        changed: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.timeline = timeline
        self.interval = interval
        self.selection = selection
        self.changed = changed
    }

    /// So many workflows that a list missed are asked for in one pass.
    private static let askedInOnePass = 50

    package func pass() async throws -> Duration {
        try await ledger.noting(name) {
            let started = timeline.now()
            let chosen = await selection()
            try ledger.select(chosen)
            var ids: Set<String> = []
            try await healthOmics.eachPageOfWorkflows(type: .private) { items in
                ids.formUnion(items.map(\.id))
                try ledger.saw(items.map { WorkflowSighting($0, chosen) }, now: timeline.now())
            }
            let period = await interval()
            try ledger.sweepFinished("workflows", started: started, period: period, now: timeline.now())
            changed()
            return try await settle(ledger.workflows(notIn: ids, seenBefore: started)) ? .zero : period
        }
    }

    /// Finds out what became of workflows that the list missed.
    ///
    /// - Returns: whether there are more than one pass asks for, and the list was right about those.
    private func settle(_ missing: [String]) async throws -> Bool {
        var isMore = missing.count > Self.askedInOnePass
        for id in missing.prefix(Self.askedInOnePass) {
            do {
                _ = try await healthOmics.getWorkflow(id: id, exportDefinition: false)
                isMore = false
            } catch let error as AWSError where error.isNotFound {
                try ledger.endWorkflow(id, now: timeline.now())
            }
        }
        return isMore
    }
}

extension WorkflowSighting {
    init(_ item: WorkflowListItem, _ chosen: Configuration.Watch.Workflows) {
        self.init(
            id: item.id,
            name: item.name,
            type: item.type?.rawValue ?? "PRIVATE",
            status: item.status?.rawValue ?? "",
            digest: item.digest,
            created: item.creationTime,
            isExcluded: !chosen.selects(id: item.id, name: item.name)
        )
    }
}

extension Ledger {
    /// Chooses among the workflows that are known, where `watch.workflows` is another than the last time.
    func select(_ chosen: Configuration.Watch.Workflows) throws {
        let text = (chosen.include.map(\.pattern) + ["!"] + chosen.exclude.map(\.pattern)).joined(separator: "\n")
        try select(text) { chosen.selects(id: $0, name: $1) }
    }
}

/// Notices versions by a rolling sweep: one workflow's list at a time, at most `watch.versionCallsPerMinute`, those with
/// recent runs more often. Where it stood survives a restart, since each workflow's last sweep is in the record.
package struct VersionSweeper: WorkLoop {
    package let name = "versions"
    package let bell = Bell()

    /// A workflow is not listed again sooner than this, however few there are.
    private static let shortestRound = Duration.seconds(600)

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let timeline: Timeline
    let changed: @Sendable () -> Void
    private let pacer: CallPacer

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        timeline: Timeline,
        callsPerMinute: @escaping @Sendable () -> Int,
        changed: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.timeline = timeline
        self.changed = changed
        pacer = CallPacer(limit: { _ in Double(max(1, callsPerMinute())) / 60 })
    }

    /// Lists one workflow's versions, when its call may be made.
    package func pass() async throws -> Duration {
        let now = timeline.now()
        let recent = now.addingTimeInterval(-86_400)
        let due = try ledger.workflowsToSweep(
            sweptBefore: now.addingTimeInterval(-Self.shortestRound.seconds),
            recentSince: recent,
            now: now
        )
        guard let workflow = due.first else { return .seconds(30) }
        var pause = pacer.reserve(name, mode: .standard, at: timeline.elapsed())
        while pause > .zero {
            try await timeline.sleep(min(pause, .seconds(5)))
            LoopPulse.progress()
            pause -= .seconds(5)
        }
        // One that cannot be listed has had its turn, and keeps none from theirs.
        try ledger.swept(workflow, now: timeline.now())
        try await ledger.noting(name) { try await sweep(workflow) }
        let turns = try Double(ledger.turnsOfSweep(recentSince: recent))
        let round = max(Self.shortestRound, .seconds(turns / pacer.rate(of: name)))
        try ledger.sweepFinished("versions", started: now, period: round, now: timeline.now())
        return due.count > 1 ? .zero : .seconds(30)
    }

    /// Lists the versions of one workflow, and asks for those that it misses.
    func sweep(_ workflow: String) async throws {
        let items: [WorkflowVersionListItem]
        do {
            items = try await healthOmics.allWorkflowVersions(workflowID: workflow)
        } catch let error as AWSError where error.isNotFound {
            // The list of workflows tells what became of it.
            return
        }
        let sightings = items.map { item in
            VersionSighting(
                workflowID: workflow,
                name: item.versionName,
                status: item.status?.rawValue ?? "",
                digest: item.digest,
                created: item.creationTime
            )
        }
        try ledger.saw(sightings, now: timeline.now())
        for version in try ledger.versions(of: workflow, notIn: Set(items.map(\.versionName))).prefix(5) {
            do {
                _ = try await healthOmics.getWorkflowVersion(
                    workflowID: workflow,
                    versionName: version.name,
                    exportDefinition: false
                )
            } catch let error as AWSError where error.isNotFound {
                try ledger.endVersion(workflowID: workflow, name: version.name, now: timeline.now())
            }
        }
        if !sightings.isEmpty { changed() }
    }
}
