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

    package func pass() async throws -> Duration {
        do {
            try await pollLive()
            try await sweepAllIfDue()
            polled(nil)
        } catch {
            if !(error is CancellationError) { polled("\(error)") }
            throw error
        }
        return await interval()
    }

    private func pollLive() async throws {
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
        // A run that moved from one state to the next between two lists may be missing from both: only a run that was
        // known before this poll and is in no list is over, and the next poll would bring it back.
        let ended = try ledger.endRuns(notIn: liveKeys, seenBefore: started, now: timeline.now())
        if !ended.isEmpty {
            Logger.current.info("Runs ended", metadata: ["runs": "\(ended.count)"])
        }
        try ledger.sweepFinished("runs", started: started, period: await interval(), now: timeline.now())
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

/// Works out the images of the runs that were noticed, one after the other, a batch with one call.
package struct RunSurveyLoop: WorkLoop {
    package let name = "surveys"
    package let bell = Bell()

    let ledger: Ledger
    let surveyor: Surveyor
    let timeline: Timeline
    let choices: @Sendable () async -> Surveyor.Choices
    /// Told when demands were written.
    let demanded: @Sendable () -> Void

    package init(
        ledger: Ledger,
        surveyor: Surveyor,
        timeline: Timeline,
        choices: @escaping @Sendable () async -> Surveyor.Choices,
        demanded: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.surveyor = surveyor
        self.timeline = timeline
        self.choices = choices
        self.demanded = demanded
    }

    package func pass() async throws -> Duration {
        var batches = Batches()
        while true {
            try Task.checkCancellation()
            for batch in try ledger.unsurveyedBatches(besides: batches.unreadable) {
                try await surveyBatch(batch, &batches)
            }
            let due = try ledger.runsToSurvey(limit: 50, now: timeline.now())
            guard !due.isEmpty else { break }
            for run in due {
                guard let current = try ledger.run(key: run.key), current.surveyDueAt != nil else { continue }
                // A batch's runs are all answered at once above; those that came since go before the others' follow-ups.
                if current.batchID != nil, try !ledger.unsurveyedBatches(besides: batches.unreadable).isEmpty { break }
                try await survey(current)
            }
        }
        guard let next = try ledger.nextSurvey(after: timeline.now()) else { return .seconds(60) }
        return .seconds(max(0, next.timeIntervalSince(timeline.now())))
    }

    /// The batches of one pass: what they say is asked once, however many pages their runs come in.
    private struct Batches {
        var read: [String: RunBatch] = [:]
        /// Of these each run is looked at for itself.
        var unreadable: Set<String> = []
    }

    private func surveyBatch(_ batch: String, _ batches: inout Batches) async throws {
        do {
            let runs = try ledger.unsurveyedRuns(batchID: batch)
            guard !runs.isEmpty else { return }
            guard let setting = try await read(batch, runs.count, &batches) else {
                batches.unreadable.insert(batch)
                return
            }
            try await surveyor.survey(batch: setting, runs: runs, choices: choices())
            demanded()
        } catch let error as AWSError where !error.isWorthRetrying {
            batches.unreadable.insert(batch)
            Logger.current.info(
                "A batch could not be read; its runs are looked at one by one",
                metadata: ["batch.id": "\(batch)", "error": "\(error)"]
            )
        }
    }

    /// What a batch says; nil where it is gone or says nothing, and for a single run, which one call of its own tells of.
    private func read(_ batch: String, _ runs: Int, _ batches: inout Batches) async throws -> RunBatch? {
        if let known = batches.read[batch] { return known }
        guard runs > 1, let found = try await surveyor.healthOmics.getBatch(id: batch),
            found.defaultRunSetting != nil
        else { return nil }
        batches.read[batch] = found
        return found
    }

    private func survey(_ run: RunRow) async throws {
        do {
            try await surveyor.survey(run, choices: choices())
            Logger.current.info(
                "Run surveyed",
                metadata: ["run.id": "\(run.id)", "workflow.id": "\(run.workflowID ?? "-")"]
            )
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // One run that cannot be read must not hold up the others.
            let asked = (error as? AWSError)?.retryAfter?.seconds ?? 0
            let pause = max(min(3600, 15 * (1 << min(run.surveyAttempts, 8))), Int(asked.rounded(.up)))
            try ledger.surveyFailed(
                run,
                trouble: "\(error)",
                due: timeline.now().addingTimeInterval(TimeInterval(pause))
            )
            Logger.current.warning(
                "A run could not be surveyed",
                metadata: ["run.id": "\(run.id)", "error": "\(error)", "retry.delay": "\(pause)s"]
            )
        }
        demanded()
    }
}
