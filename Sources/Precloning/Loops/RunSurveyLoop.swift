import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

/// Works out the images of the runs that were noticed, one after the other, a batch with one call.
package struct RunSurveyLoop: WorkLoop {
    package let name = "surveys"
    package let bell = Bell()

    let ledger: Ledger
    let surveyor: Surveyor
    let timeline: Timeline
    let choices: @Sendable () async -> Surveyor.Choices
    let longestWait: Duration
    /// Told when demands were written.
    let demanded: @Sendable () -> Void

    /// - Parameter longestWait: what another process makes due, or a changed rule, is seen within this.
    package init(
        ledger: Ledger,
        surveyor: Surveyor,
        timeline: Timeline,
        choices: @escaping @Sendable () async -> Surveyor.Choices,
        longestWait: Duration = RecordPace().others,
        demanded: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.surveyor = surveyor
        self.timeline = timeline
        self.choices = choices
        self.longestWait = longestWait
        self.demanded = demanded
    }

    package func pass() async throws -> Duration {
        if try ledger.hasLiveRuns() { try await ledger.noting(name) { try await surveyAll() } }
        let next = try ledger.nextSurvey(after: timeline.now())?.timeIntervalSince(timeline.now())
        return min(longestWait, .seconds(max(0, next ?? longestWait.seconds)))
    }

    private func surveyAll() async throws {
        let basis: Surveyor.Basis
        do {
            basis = try await surveyor.basis(choices())
        } catch {
            // Nothing can be worked out without it; each run that waits says so.
            if !(error is CancellationError) {
                for run in try ledger.runsToSurvey(mark: nil, limit: 1000, now: timeline.now()) {
                    try record(Surveyor.RunSurvey(run: run, result: SurveyResult(trouble: SurveyTrouble(error))), nil)
                }
            }
            throw error
        }
        var batches = Batches()
        // What keeps one run of a version from being worked out keeps them all, and is found out once in a pass.
        var troubles: [String: SurveyTrouble] = [:]
        while true {
            try Task.checkCancellation()
            for batch in try unsurveyed(batches) {
                try await surveyBatch(batch, basis, &batches)
            }
            let due = try ledger.runsToSurvey(mark: basis.mark, limit: 50, now: timeline.now())
            guard !due.isEmpty else { return }
            for run in due where try ledger.isToSurvey(run, mark: basis.mark, now: timeline.now()) {
                // A batch's runs are all answered at once above; those that came since go before the others' follow-ups.
                if run.batchID != nil, try !unsurveyed(batches).isEmpty { break }
                let version = "\(run.workflowID ?? "")/\(run.versionName)"
                let survey =
                    if let trouble = troubles[version] {
                        Surveyor.RunSurvey(run: run, result: SurveyResult(trouble: trouble), isOfVersion: true)
                    } else {
                        try await surveyor.survey(run, basis)
                    }
                if survey.isOfVersion, survey.result.trouble?.isFinal == false {
                    troubles[version] = survey.result.trouble
                }
                try record(survey, basis)
                demanded()
            }
        }
    }

    private func record(_ survey: Surveyor.RunSurvey, _ basis: Surveyor.Basis?) throws {
        let run = survey.run
        if let version = survey.version { try ledger.read(version) }
        if let plan = survey.result.plan {
            try ledger.want(.run(key: run.key), plan.demands, unresolved: plan.unresolved, now: timeline.now())
        }
        try ledger.surveyed(run, survey.result, mark: basis?.mark, followUp: survey.followUp, now: timeline.now())
        if let trouble = survey.result.trouble {
            // Each trouble once, not at each try.
            guard trouble.message != run.trouble else { return }
            Logger.current.warning(
                "The images of a run are not known",
                metadata: ["run.id": "\(run.id)", "error": "\(trouble.message)", "is.final": "\(trouble.isFinal)"]
            )
        } else if survey.followUp == nil {
            Logger.current.info(
                "Run surveyed",
                metadata: ["run.id": "\(run.id)", "workflow.id": "\(run.workflowID ?? "-")"]
            )
        }
    }

    // MARK: Batches

    /// The batches of one pass: what they say is asked once, however many pages their runs come in.
    private struct Batches {
        var read: [String: RunBatch] = [:]
        /// Of these each run is looked at for itself.
        var unreadable: Set<String> = []
    }

    private func unsurveyed(_ batches: Batches) throws -> [String] {
        try ledger.unsurveyedBatches(besides: batches.unreadable, now: timeline.now())
    }

    private func surveyBatch(_ id: String, _ basis: Surveyor.Basis, _ batches: inout Batches) async throws {
        do {
            let runs = try ledger.unsurveyedRuns(batchID: id)
            guard !runs.isEmpty else { return }
            guard let batch = try await read(id, runs.count, &batches), let setting = batch.defaultRunSetting else {
                batches.unreadable.insert(id)
                return
            }
            let surveys = try await surveyor.survey(setting, of: batch, runs: runs, basis)
            for survey in surveys { try record(survey, basis) }
            // Those that came meanwhile are not asked for one by one.
            if surveys.first?.result.isDecided != true { batches.unreadable.insert(id) }
            demanded()
        } catch let error as AWSError {
            batches.unreadable.insert(id)
            Logger.current.info(
                "A batch could not be read; its runs are looked at one by one",
                metadata: ["batch.id": "\(id)", "error": "\(error)"]
            )
        }
    }

    /// What a batch says; nil where it is gone or says nothing, and for a single run, which one call of its own tells of.
    private func read(_ id: String, _ runs: Int, _ batches: inout Batches) async throws -> RunBatch? {
        if let known = batches.read[id] { return known }
        guard runs > 1, let found = try await surveyor.healthOmics.getBatch(id: id), found.defaultRunSetting != nil
        else {
            return nil
        }
        batches.read[id] = found
        return found
    }
}
