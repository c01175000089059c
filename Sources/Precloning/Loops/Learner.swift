import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

/// Compares what finished runs really used with what was predicted, and learns what was missed.
package struct Learner: WorkLoop {
    package let name = "learner"
    package let bell = Bell()

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let account: AccountFacts
    let timeline: Timeline
    let tasksPerRun: @Sendable () async -> Int
    let choices: @Sendable () async -> Surveyor.Choices
    let learned: @Sendable () -> Void

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        account: AccountFacts,
        timeline: Timeline,
        tasksPerRun: @escaping @Sendable () async -> Int,
        choices: @escaping @Sendable () async -> Surveyor.Choices,
        learned: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.account = account
        self.timeline = timeline
        self.tasksPerRun = tasksPerRun
        self.choices = choices
        self.learned = learned
    }

    package func pass() async throws -> Duration {
        let next = try ledger.nextToLearn(now: timeline.now())
        if let run = next.run {
            do {
                try await ledger.noting(name) { try await learn(from: run) }
            } catch let error as AWSError where error.isNotFound || error.isAccessDenied {
                try skip(run)
            }
        }
        return next.isMore ? .zero : .seconds(120)
    }

    /// Not looked at again, and not counted as one of the first three.
    private func skip(_ run: RunRow) throws {
        try ledger.learned(run, foretold: 0, used: 0, missed: [], counts: false, now: timeline.now())
    }

    private func learn(from run: RunRow) async throws {
        let tasks = try await healthOmics.allRunTasks(runID: run.id)
        // A list that missed the run made it look finished.
        if tasks.contains(where: { ["PENDING", "STARTING", "RUNNING"].contains($0.status) }) { return try skip(run) }
        let foretold = try ledger.foretoldImages(runKey: run.key)
        var used: Set<String> = []
        var missed: Set<String> = []
        for task in Self.samples(of: tasks, limit: await tasksPerRun()) {
            let details = try await healthOmics.getRunTask(runID: run.id, taskID: task.taskId)?.imageDetails
            let names = [details?.sourceImage, details?.image].compactMap(\.self).filter { !$0.isEmpty }
            guard let name = names.first else { continue }
            let image = (try? ImageReference(name))?.description ?? name
            used.insert(image)
            if !foretold.covers(names) { missed.insert(image) }
        }
        if !missed.isEmpty, let workflowID = run.workflowID {
            try await want(missed.sorted(), workflowID: workflowID, versionName: run.versionName)
            Logger.current.notice(
                "A run used images that its definition did not foretell",
                metadata: ["run.id": "\(run.id)", "images": "\(missed.sorted().joined(separator: ", "))"]
            )
        }
        try ledger.learned(
            run,
            foretold: foretold.count,
            used: used.count,
            missed: missed.sorted(),
            counts: !used.isEmpty,
            firstTaskAt: tasks.compactMap(\.startTime).min(),
            now: timeline.now()
        )
    }

    /// One task of each process, in the order of the list: one that ran to its end before one that failed. Tasks whose
    /// result came from a run cache used no image.
    static func samples(of tasks: [TaskListItem], limit: Int) -> [TaskListItem] {
        var order: [String] = []
        var chosen: [String: TaskListItem] = [:]
        for task in tasks where task.cacheHit != true {
            let process = process(of: task.name ?? task.taskId)
            if let known = chosen[process] {
                if known.status != "COMPLETED", task.status == "COMPLETED" { chosen[process] = task }
            } else {
                order.append(process)
                chosen[process] = task
            }
        }
        return order.prefix(max(0, limit)).compactMap { chosen[$0] }
    }

    private func want(_ missed: [String], workflowID: String, versionName: String) async throws {
        let choices = await choices()
        let rules = try await account.placement(template: choices.template, clonesUnmapped: choices.clonesUnmapped)
        let map = try ledger.version(workflowID: workflowID, name: versionName).flatMap(Surveyor.map)
        var demands: [PlannedDemand] = []
        for text in missed {
            guard case .success(let rows) = DemandPlanning.plan(text, map: map, rules: rules) else { continue }
            demands += rows.map { row in
                var demand = row
                demand.reason = "a finished run used it"
                return demand
            }
        }
        let subject = DemandSubject.learned(workflowID: workflowID, name: versionName)
        try ledger.want(subject, demands, isMore: true, now: timeline.now())
        // Known for its next run, and not cloned ahead.
        if try ledger.isExcluded(workflowID) { try ledger.endDemands(of: subject, now: timeline.now()) }
        learned()
    }

    /// The process of a task's name: Nextflow appends what a task works on, `ALIGN (sample 1)`, scattered tasks their
    /// place, `align-3` or `align_2-1`. A digit that belongs to the name stays: `hisat2` is not `hisat`.
    static func process(of name: String) -> String {
        if let open = name.firstIndex(of: "(") {
            let process = name[..<open].trimmingCharacters(in: .whitespaces)
            return process.isEmpty ? name : process
        }
        var text = Substring(name)
        while let mark = text.lastIndex(where: { !$0.isNumber }), text.index(after: mark) < text.endIndex,
            "-_ ".contains(text[mark]), mark > text.startIndex
        {
            text = text[..<mark]
        }
        return String(text)
    }
}
