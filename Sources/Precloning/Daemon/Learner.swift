import Definitions
import Foundation
import Logging
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
        guard let run = try ledger.runsToLearn(limit: 1).first else { return .seconds(120) }
        do {
            try await learn(from: run)
        } catch let error as AWSError where error.isNotFound || error.isAccessDenied {
            try ledger.learned(run, predicted: 0, used: 0, missed: [], counts: false, now: timeline.now())
        }
        return .seconds(1)
    }

    private func learn(from run: RunRow) async throws {
        let limit = await tasksPerRun()
        let tasks = try await healthOmics.allRunTasks(runID: run.id)
        var seen: Set<String> = []
        var used: Set<String> = []
        for task in tasks where task.cacheHit != true {
            let process = Self.process(of: task.name ?? task.taskId)
            guard seen.count < limit, seen.insert(process).inserted else { continue }
            let details = try await healthOmics.getRunTask(runID: run.id, taskID: task.taskId)
            guard let image = details?.imageDetails?.sourceImage ?? details?.imageDetails?.image else { continue }
            used.insert(image)
        }
        let predicted = try ledger.predictedImages(runKey: run.key)
        let missed = used.filter { !Self.isPredicted($0, predicted) }.sorted()
        if !missed.isEmpty, let workflowID = run.workflowID {
            try await want(missed, workflowID: workflowID, versionName: run.versionName)
            Logger.current.notice(
                "A run used images that its definition did not foretell",
                metadata: ["run.id": "\(run.id)", "images": "\(missed.joined(separator: ", "))"]
            )
        }
        try ledger.learned(
            run,
            predicted: predicted.count,
            used: used.count,
            missed: missed,
            counts: !used.isEmpty,
            now: timeline.now()
        )
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
        try ledger.want(.learned(workflowID: workflowID, name: versionName), demands, now: timeline.now())
        learned()
    }

    /// The process of a task's name: Nextflow and scattered tasks append what they work on, `ALIGN (sample 1)`,
    /// `align-3`.
    static func process(of name: String) -> String {
        var text = Substring(name)
        if let open = text.firstIndex(of: "(") { text = text[..<open] }
        while let last = text.last, last.isNumber || last == "-" || last == "_" || last == " " { text.removeLast() }
        return text.isEmpty ? name : String(text)
    }

    private static func isPredicted(_ text: String, _ predicted: Set<String>) -> Bool {
        if predicted.contains(text) { return true }
        guard let reference = try? ImageReference(text) else { return false }
        return predicted.contains(reference.description)
    }
}
