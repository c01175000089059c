package import Configuring
import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

/// Works out what active versions need before anybody runs them.
package struct VersionSurveyLoop: WorkLoop {
    package let name = "definitions"
    package let bell = Bell()

    /// So many versions in a row that the service keeps from being read end a pass.
    private static let mostFailures = 5

    let ledger: Ledger
    let surveyor: Surveyor
    let timeline: Timeline
    let selection: @Sendable () async -> Configuration.Watch.Workflows
    let choices: @Sendable () async -> Surveyor.Choices
    let longestWait: Duration
    let demanded: @Sendable () -> Void

    /// - Parameter longestWait: what another process makes due, or a changed rule, is seen within this.
    package init(
        ledger: Ledger,
        surveyor: Surveyor,
        timeline: Timeline,
        selection: @escaping @Sendable () async -> Configuration.Watch.Workflows,
        choices: @escaping @Sendable () async -> Surveyor.Choices,
        longestWait: Duration = RecordPace().others,
        demanded: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.surveyor = surveyor
        self.timeline = timeline
        self.selection = selection
        self.choices = choices
        self.longestWait = longestWait
        self.demanded = demanded
    }

    package func pass() async throws -> Duration {
        let chosen = await selection()
        let createdSince = try ledger.firstStart(now: timeline.now())
        let usedSince = timeline.now().addingTimeInterval(-chosen.usedWithin.seconds)
        try ledger.select(chosen)
        try ledger.dropUnwantedVersions(usedSince: usedSince, createdSince: createdSince, now: timeline.now())
        guard try ledger.hasVersions() else { return longestWait }
        try await ledger.noting(name) {
            let basis = try await surveyor.basis(choices())
            var failures = 0
            while true {
                try Task.checkCancellation()
                let due = try ledger.versionsToSurvey(
                    mark: basis.mark,
                    usedSince: usedSince,
                    createdSince: createdSince,
                    limit: 20,
                    now: timeline.now()
                )
                guard !due.isEmpty else { return }
                for version in due {
                    let trouble = try await survey(version, basis)
                    demanded()
                    // One that cannot be read holds up no other; many are the service's own trouble.
                    failures = trouble?.isOfService == true ? failures + 1 : 0
                    if failures >= Self.mostFailures, let trouble { throw ServiceTrouble(trouble) }
                }
            }
        }
        return longestWait
    }

    /// Works out what a version needs, and writes it down.
    ///
    /// - Returns: why that is not known.
    @discardableResult
    func survey(_ version: VersionRow, _ basis: Surveyor.Basis) async throws -> SurveyTrouble? {
        let survey = try await surveyor.survey(version, basis)
        let subject = DemandSubject.version(workflowID: version.workflowID, name: version.name)
        if survey.isRead { try ledger.read(survey.version) }
        if let plan = survey.result.plan {
            try ledger.want(subject, plan.demands, unresolved: plan.unresolved, now: timeline.now())
            try ledger.want(
                .learned(workflowID: version.workflowID, name: version.name),
                survey.learned,
                now: timeline.now()
            )
        }
        try ledger.surveyed(survey.version, survey.result, mark: basis.mark, now: timeline.now())
        if let trouble = survey.result.trouble, trouble.message != version.trouble {
            Logger.current.warning(
                "A workflow could not be read",
                metadata: [
                    "workflow.id": "\(version.label)", "error": "\(trouble.message)", "is.final": "\(trouble.isFinal)",
                ]
            )
        }
        return survey.result.trouble
    }
}

/// The service keeps one after the other from being read; the loop's own pause grows from failure to failure.
struct ServiceTrouble: Error, CustomStringConvertible {
    let description: String

    init(_ trouble: SurveyTrouble) { description = trouble.message }
}
