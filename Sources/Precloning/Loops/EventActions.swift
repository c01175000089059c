package import Configuring
import Foundation
import Model
package import Record
package import Remotes

/// What events mean for the record. Each is a hint: the service is asked what is so, and that is recorded, so that
/// duplicates, any order and late events change nothing that is true.
package struct EventActions: Sendable {
    /// From so many unknown runs at once on, one list tells of them in fewer calls than asking for each.
    private static let listFrom = 4

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let account: AccountFacts
    let timeline: Timeline
    let selection: @Sendable () async -> Configuration.Watch.Workflows
    /// Told when runs wait for their survey.
    let foundRuns: @Sendable () -> Void
    /// Told when workflows or versions wait for theirs.
    let foundVersions: @Sendable () -> Void

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        account: AccountFacts,
        timeline: Timeline,
        selection: @escaping @Sendable () async -> Configuration.Watch.Workflows,
        foundRuns: @escaping @Sendable () -> Void,
        foundVersions: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.account = account
        self.timeline = timeline
        self.selection = selection
        self.foundRuns = foundRuns
        self.foundVersions = foundVersions
    }

    private enum RunStanding {
        case unknown
        case known(RunRow)
        /// The event is of an earlier run that had the same id.
        case earlier
        /// The service was asked for it since, and did not know it.
        case gone
    }

    private static let runIsGone = "dropped: the run is gone"
    /// So long after it was worked on an event of the same thing without a time may still lie in the queue, in seconds.
    private static let backlog: TimeInterval = 600

    private static let clocksApart: TimeInterval = 5

    private static let live: Set<String> = ["PENDING", "STARTING", "RUNNING"]
    private static let over: Set<String> = ["STOPPING", "COMPLETED", "DELETED", "FAILED", "CANCELLED"]

    /// Records the runs that several events name and the record does not know, with one list of each status.
    ///
    /// - Throws: `AWSError`, or what the record throws.
    package func prepare(_ events: [EventMessage]) async throws {
        var statuses: [String: Set<String>] = [:]
        for event in events {
            guard case .run(let id, let uuid) = event.subject, Self.live.contains(event.status),
                try await isOfHome(event) == nil, case .unknown = try standing(id, uuid: uuid, at: event.at)
            else { continue }
            statuses[event.status, default: []].insert(id)
        }
        guard statuses.values.reduce(0, { $0 + $1.count }) >= Self.listFrom else { return }
        for status in statuses.keys.sorted() {
            try await healthOmics.eachPageOfRuns(status: RunStatus(rawValue: status)) { items in
                if try ledger.saw(items.map(RunWatcher.sighting), now: timeline.now()) > 0 { foundRuns() }
            }
        }
    }

    /// Does what an event asks for.
    ///
    /// - Returns: what was done, in words, for the record.
    /// - Throws: `AWSError`, or what the record throws; nothing is done then that doing it again would spoil.
    package func apply(_ event: EventMessage) async throws -> String {
        if let why = try await isOfHome(event) { return "dropped: \(why)" }
        switch event.subject {
        case .run(let id, let uuid): return try await run(id, uuid: uuid, event)
        case .task(let id, let uuid):
            switch try standing(id, uuid: uuid, at: event.at) {
            case .unknown: return try await look(id)
            case .gone: return Self.runIsGone
            case .known, .earlier: return "the run is known"
            }
        case .workflow(let id, let version): return try await workflow(id, version: version, event)
        case .batch(let id): return try await batch(id, event)
        }
    }

    /// Why an event is not ours: a rule may forward events of other accounts and Regions.
    private func isOfHome(_ event: EventMessage) async throws -> String? {
        let home = try await account.home()
        if let other = event.region, !other.isEmpty, other != home.region { return "of Region \(other)" }
        if let other = event.account, !other.isEmpty, other != home.account { return "of account \(other)" }
        return nil
    }

    // MARK: Runs

    private func run(_ id: String, uuid: String?, _ event: EventMessage) async throws -> String {
        switch try standing(id, uuid: uuid, at: event.at) {
        case .earlier: return "dropped: of an earlier run with this id"
        case .gone: return Self.runIsGone
        case .unknown:
            if Self.over.contains(event.status) { return "dropped: over before it was known" }
            return try await look(id)
        case .known(let row):
            guard Self.over.contains(event.status), row.endedAt == nil else { return "known" }
            var sighting = RunSighting(row)
            sighting.status = event.status
            try ledger.saw([sighting], now: timeline.now())
            return "the run is over"
        }
    }

    private func standing(_ id: String, uuid: String?, at: Date?) throws -> RunStanding {
        guard let row = try ledger.runs(id: id).first else {
            // An event without a time is of the present backlog.
            let since = at ?? timeline.now().addingTimeInterval(-Self.backlog)
            return try ledger.lastOutcome(of: id, since: since) == Self.runIsGone ? .gone : .unknown
        }
        if let uuid, let own = row.uuid { return uuid == own ? .known(row) : try earlierOrUnknown(row, at) }
        if let at, let created = row.createdAt, at.milliseconds < created - 60_000 { return .earlier }
        // An event after the end of the run we know: the id may have been given again.
        if let at, let ended = row.endedAt, at.milliseconds > ended + 60_000 { return .unknown }
        return .known(row)
    }

    private func earlierOrUnknown(_ row: RunRow, _ at: Date?) throws -> RunStanding {
        guard let at, let created = row.createdAt else { return .unknown }
        return at.milliseconds < created ? .earlier : .unknown
    }

    private func look(_ id: String) async throws -> String {
        guard let found = try await healthOmics.getRun(id: id) else { return Self.runIsGone }
        let sighting = RunSighting(id: id, found)
        let isNew = try ledger.saw([sighting], now: timeline.now()) > 0
        guard sighting.isLive else { return "the run is over" }
        if isNew { foundRuns() }
        return isNew ? "a new run" : "known"
    }

    // MARK: Batches

    private func batch(_ id: String, _ event: EventMessage) async throws -> String {
        if let workflow = event.workflowID, try ledger.workflowInUse(workflow, now: timeline.now()) { foundVersions() }
        // Once its first runs are known, the others come with events of their own, or with the polls.
        if try ledger.knowsRuns(ofBatch: id) { return "known" }
        var new = 0
        try await healthOmics.eachPageOfRuns(status: nil, batchID: id) { items in
            let found = try ledger.saw(items.map(RunWatcher.sighting), now: timeline.now())
            if found > 0 { foundRuns() }
            new += found
        }
        return "\(new) new \(new == 1 ? "run" : "runs")"
    }

    // MARK: Workflows

    private func workflow(_ id: String, version: String?, _ event: EventMessage) async throws -> String {
        // Of what was asked for after the event nothing is learned by asking again. AWS's clock may be ahead of ours.
        let since = event.at?.addingTimeInterval(Self.clocksApart)
        if let since, let last = try ledger.lastOutcome(of: event.label, since: since), last.hasSuffix(" read") {
            return last
        }
        let chosen = await selection()
        if try version == nil || !ledger.knowsWorkflow(id) {
            let details: WorkflowDetails
            do {
                details = try await healthOmics.getWorkflow(id: id, exportDefinition: false)
            } catch let error as AWSError where error.isNotFound {
                try ledger.endWorkflow(id, now: timeline.now())
                return "the workflow is gone"
            }
            let type = details.type?.rawValue ?? "PRIVATE"
            guard type == "PRIVATE" else { return "dropped: a workflow of type \(type)" }
            let sighting = WorkflowSighting(
                id: id,
                name: details.name,
                type: type,
                status: details.status?.rawValue ?? "",
                digest: details.digest,
                created: details.creationTime,
                isExcluded: !chosen.selects(id: id, name: details.name)
            )
            try ledger.saw([sighting], now: timeline.now())
            try read(details, of: id, "")
        }
        if let version, let gone = try await self.version(version, of: id) { return gone }
        if try ledger.isExcluded(id) { return "dropped: not among watch.workflows" }
        foundVersions()
        return version == nil ? "workflow read" : "version read"
    }

    private func version(_ name: String, of id: String) async throws -> String? {
        do {
            let details = try await healthOmics.getWorkflowVersion(
                workflowID: id,
                versionName: name,
                exportDefinition: false
            )
            let sighting = VersionSighting(
                workflowID: id,
                name: name,
                status: details.status?.rawValue ?? "",
                digest: details.digest,
                created: details.creationTime
            )
            try ledger.saw([sighting], now: timeline.now())
            try read(details, of: id, name)
            return nil
        } catch let error as AWSError where error.isNotFound {
            try ledger.endVersion(workflowID: id, name: name, now: timeline.now())
            return "the version is gone"
        }
    }

    /// Keeps what the service said: a registry map that was changed is told of here first.
    private func read(_ details: WorkflowDetails, of id: String, _ name: String) throws {
        guard var version = try ledger.version(workflowID: id, name: name) else { return }
        try version.take(details, at: timeline.now())
        try ledger.read(version)
    }
}

extension RunSighting {
    /// What the record knows of a run.
    init(_ row: RunRow) {
        self.init(
            id: row.id,
            created: row.createdAt.map(Date.init(milliseconds:)),
            name: row.name,
            status: row.status,
            workflowID: row.workflowID,
            versionName: row.versionName,
            batchID: row.batchID
        )
    }
}
