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

    package func pass() async throws -> Duration {
        let started = timeline.now()
        let chosen = await selection()
        var ids: Set<String> = []
        try await healthOmics.eachPageOfWorkflows(type: .private) { items in
            ids.formUnion(items.map(\.id))
            let sightings = items.filter { chosen.selects(id: $0.id, name: $0.name) }.map { item in
                WorkflowSighting(
                    id: item.id,
                    name: item.name,
                    type: item.type?.rawValue ?? "PRIVATE",
                    status: item.status?.rawValue ?? "",
                    digest: item.digest,
                    created: item.creationTime
                )
            }
            try ledger.saw(sightings, now: timeline.now())
        }
        try ledger.endWorkflows(notIn: ids, seenBefore: started, now: timeline.now())
        let period = await interval()
        try ledger.sweepFinished("workflows", started: started, period: period, now: timeline.now())
        changed()
        return period
    }
}

/// Notices versions by a rolling sweep: one workflow's list at a time, at most `watch.versionCallsPerMinute`, those with
/// recent runs first. Where it stood survives a restart, since each workflow's last sweep is in the record.
package struct VersionSweeper: WorkLoop {
    package let name = "versions"
    package let bell = Bell()

    /// A workflow is not listed again sooner than this, however few there are.
    private static let shortestRound = Duration.seconds(600)

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let timeline: Timeline
    let callsPerMinute: @Sendable () async -> Int
    let changed: @Sendable () -> Void

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        timeline: Timeline,
        callsPerMinute: @escaping @Sendable () async -> Int,
        changed: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.timeline = timeline
        self.callsPerMinute = callsPerMinute
        self.changed = changed
    }

    package func pass() async throws -> Duration {
        let perMinute = max(1, await callsPerMinute())
        let now = timeline.now()
        let due = try ledger.workflowsToSweep(
            limit: 1,
            sweptBefore: now.addingTimeInterval(-Self.shortestRound.seconds),
            recentSince: now.addingTimeInterval(-86_400)
        )
        guard let workflow = due.first else { return .seconds(30) }
        try await sweep(workflow)
        let pause = Duration.milliseconds(60_000 / perMinute)
        let workflows = try ledger.sweptWorkflowCount()
        let round = max(Self.shortestRound, pause * workflows)
        try ledger.sweepFinished("versions", started: now, period: round, now: timeline.now())
        return pause
    }

    /// Lists the versions of one workflow.
    func sweep(_ workflow: String) async throws {
        do {
            let items = try await healthOmics.allWorkflowVersions(workflowID: workflow)
            let sightings = items.map { item in
                VersionSighting(
                    workflowID: workflow,
                    name: item.versionName,
                    status: item.status?.rawValue ?? "",
                    digest: item.digest,
                    created: item.creationTime
                )
            }
            try ledger.saw(sightings, sweptWorkflow: workflow, now: timeline.now())
            if !sightings.isEmpty { changed() }
        } catch let error as AWSError where error.isNotFound {
            try ledger.saw([VersionSighting](), sweptWorkflow: workflow, now: timeline.now())
        }
    }
}

/// Works out what active versions need before anybody runs them.
package struct VersionSurveyLoop: WorkLoop {
    package let name = "definitions"
    package let bell = Bell()

    /// So many versions in one pass that cannot be read end it.
    private static let mostFailures = 5

    let ledger: Ledger
    let surveyor: Surveyor
    let timeline: Timeline
    let selection: @Sendable () async -> Configuration.Watch.Workflows
    let choices: @Sendable () async -> Surveyor.Choices
    let demanded: @Sendable () -> Void

    package init(
        ledger: Ledger,
        surveyor: Surveyor,
        timeline: Timeline,
        selection: @escaping @Sendable () async -> Configuration.Watch.Workflows,
        choices: @escaping @Sendable () async -> Surveyor.Choices,
        demanded: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.surveyor = surveyor
        self.timeline = timeline
        self.selection = selection
        self.choices = choices
        self.demanded = demanded
    }

    package func pass() async throws -> Duration {
        let window = await selection().usedWithin
        let firstStart = try ledger.firstStart(now: timeline.now())
        var failed: Set<String> = []
        var failure: (any Error)?
        while true {
            try Task.checkCancellation()
            let due = try ledger.versionsToSurvey(
                usedSince: timeline.now().addingTimeInterval(-window.seconds),
                createdSince: firstStart,
                limit: 20 + failed.count
            ).filter { !failed.contains($0.label) }
            guard !due.isEmpty else { break }
            for version in due {
                do {
                    try await survey(version)
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    // One that cannot be read now holds up no other; many are the service's own trouble.
                    failed.insert(version.label)
                    failure = error
                    if failed.count >= Self.mostFailures { throw error }
                    Logger.current.warning(
                        "A workflow could not be read",
                        metadata: ["workflow.id": "\(version.label)", "error": "\(error)"]
                    )
                }
                demanded()
            }
        }
        // The loop's own pause grows from failure to failure.
        if let failure { throw failure }
        return .seconds(300)
    }

    private func survey(_ version: VersionRow) async throws {
        do {
            try await surveyor.survey(version, choices: choices())
        } catch let error as AWSError where !error.isWorthRetrying && !error.isOfCredentials {
            var row = version
            row.trouble = "\(error)"
            row.surveyedDigest = row.digest ?? "?"
            try ledger.store(row)
            Logger.current.warning(
                "A workflow could not be read",
                metadata: ["workflow.id": "\(version.label)", "error": "\(error)"]
            )
        }
    }
}
