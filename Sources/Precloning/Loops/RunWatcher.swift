import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

/// Notices runs: lists the three live states in full each time, since the order of the list is not documented and a
/// page may begin anywhere.
package struct RunWatcher: WorkLoop {
    package let name = "runs"
    package let bell = Bell()

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let timeline: Timeline
    /// How long until the next list; longer while events are healthy.
    let interval: @Sendable () async -> Duration
    let sweepInterval: @Sendable () async -> Duration
    /// Told when new runs wait for their survey, and whether a poll or the record saw them first.
    let foundNew: @Sendable (Int) -> Void
    let polled: @Sendable (_ trouble: String?) -> Void

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        timeline: Timeline,
        interval: @escaping @Sendable () async -> Duration,
        sweepInterval: @escaping @Sendable () async -> Duration,
        foundNew: @escaping @Sendable (Int) -> Void,
        polled: @escaping @Sendable (String?) -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.timeline = timeline
        self.interval = interval
        self.sweepInterval = sweepInterval
        self.foundNew = foundNew
        self.polled = polled
    }

    /// So many runs that a list missed are asked for in one pass.
    private static let askedInOnePass = 50
    /// From so many on, a list of all runs is read first, as long as it takes fewer calls than asking.
    private static let listFrom = 10

    package func pass() async throws -> Duration {
        do {
            let isMore = try await ledger.noting(name) {
                let missing = try await pollLive()
                try await sweepAllIfDue()
                return try await settle(missing)
            }
            polled(nil)
            return await isMore ? .zero : interval()
        } catch {
            if !(error is CancellationError) { polled("\(error)") }
            throw error
        }
    }

    /// - Returns: the live runs that are in no list. Nothing follows from it: a run that moved from one state to the next
    ///   between two lists is missing from both, and a page may miss one.
    private func pollLive() async throws -> [RunRow] {
        let started = timeline.now()
        var liveKeys: Set<String> = []
        for status in [RunStatus.pending, .starting, .running] {
            try await healthOmics.eachPageOfRuns(status: status) { items in
                let sightings = items.map(Self.sighting)
                liveKeys.formUnion(sightings.map(\.key))
                let new = try ledger.saw(sightings, byPoll: true, now: timeline.now())
                if new > 0 { foundNew(new) }
            }
        }
        try ledger.sweepFinished("runs", started: started, period: await interval(), now: timeline.now())
        return try ledger.liveRuns(notIn: liveKeys, seenBefore: started)
    }

    /// Finds out what became of runs that the lists of live ones missed.
    ///
    /// - Returns: whether there are more than one pass asks for, and the lists were right about those.
    private func settle(_ missing: [RunRow]) async throws -> Bool {
        var left = try missing.filter(isLive)
        if left.count >= Self.listFrom {
            try await listAll(atMost: left.count)
            left = try left.filter(isLive)
        }
        for run in left.prefix(Self.askedInOnePass) {
            guard let found = try await healthOmics.getRun(id: run.id) else {
                try ledger.endRun(run, now: timeline.now())
                continue
            }
            let sighting = RunSighting(id: run.id, found)
            // Another run has the id by now.
            if sighting.key != run.key { try ledger.endRun(run, now: timeline.now()) }
            if try ledger.saw([sighting], now: timeline.now()) > 0, sighting.isLive { foundNew(1) }
        }
        let ended = try missing.filter { try !isLive($0) }.count
        if ended > 0 { Logger.current.info("Runs ended", metadata: ["runs": "\(ended)"]) }
        return try left.count > Self.askedInOnePass && !left.prefix(Self.askedInOnePass).contains(where: isLive)
    }

    private func isLive(_ run: RunRow) throws -> Bool {
        try ledger.run(key: run.key).map { $0.endedAt == nil } ?? false
    }

    /// Reads pages of the list of all runs, which tells how a hundred ended at once.
    private func listAll(atMost limit: Int) async throws {
        struct Enough: Error {}
        var pages = 0
        do {
            try await healthOmics.eachPageOfRuns(status: nil) { items in
                let new = try ledger.saw(items.map(Self.sighting), now: timeline.now())
                if new > 0 { foundNew(new) }
                pages += 1
                if pages >= limit { throw Enough() }
            }
        } catch is Enough {}
    }

    /// Every so often all runs of any state, for what lived and ended between two polls, and for final states.
    private func sweepAllIfDue() async throws {
        let now = timeline.now()
        let last = try ledger.sweep("allRuns")?.finished
        let every = await sweepInterval()
        if let last, now.timeIntervalSince(last) < every.seconds, now >= last { return }
        try await healthOmics.eachPageOfRuns(status: nil) { items in
            // A run that began after the lists above is seen here first, and by no later poll as new.
            let new = try ledger.saw(items.map(Self.sighting), now: timeline.now())
            if new > 0 { foundNew(new) }
        }
        try ledger.sweepFinished("allRuns", started: now, period: every, now: timeline.now())
    }

    static func sighting(_ item: RunListItem) -> RunSighting {
        RunSighting(
            id: item.id,
            created: item.creationTime,
            name: item.name,
            status: item.status?.rawValue ?? "",
            workflowID: item.workflowId,
            versionName: item.workflowVersionName ?? "",
            batchID: item.batchId
        )
    }
}

extension RunSighting {
    /// What GetRun says of a run.
    init(id: String, _ run: Run) {
        self.init(
            id: id,
            created: run.creationTime,
            name: run.name,
            status: run.status?.rawValue ?? "",
            workflowID: run.workflowId,
            versionName: run.workflowVersionName ?? "",
            batchID: run.batchId
        )
    }
}

extension Ledger {
    /// Does a loop's work, and keeps in the record what kept it from it, for as long as it does.
    func noting<Value>(_ sweep: String, _ work: () async throws -> Value) async throws -> Value {
        do {
            let value = try await work()
            try sweepTrouble(sweep, nil)
            return value
        } catch {
            if !(error is CancellationError) { try sweepTrouble(sweep, "\(error)") }
            throw error
        }
    }
}
