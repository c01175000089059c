import Configuring
import Definitions
import Foundation
package import Model
import Names
package import Record
package import Remotes

/// What `preclone plan` answers.
package struct PlanAnswer: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var images: [PlanLine]
}

/// What is asked of the account, or changed in it: the same functions for the command line, the control socket and agents.
/// What is only asked is worked out on a record in memory, so that nothing is written anywhere.
package struct AccountVerbs: Sendable {
    package let account: AccountFacts
    let ecr: ECRClient
    private let timeline: Timeline
    private let known: @Sendable () -> RecordReader?
    private let scratch: @Sendable (RecordReader?) throws -> Works
    private let audit: @Sendable (AuditEntry) throws -> Void

    /// - Parameters:
    ///   - known: the daemon's record, where there is one.
    ///   - scratch: works on a record in memory that knows what the given one knows of hosts and places.
    ///   - audit: keeps what was changed.
    package init(
        account: AccountFacts,
        ecr: ECRClient,
        timeline: Timeline,
        known: @escaping @Sendable () -> RecordReader?,
        scratch: @escaping @Sendable (RecordReader?) throws -> Works,
        audit: @escaping @Sendable (AuditEntry) throws -> Void
    ) {
        self.account = account
        self.ecr = ecr
        self.timeline = timeline
        self.known = known
        self.scratch = scratch
        self.audit = audit
    }

    // MARK: Questions

    /// - Throws: errors of the services; `LedgerError` where there is no such run or workflow.
    package func plan(run: String?, workflow: String?) async throws -> PlanAnswer {
        let known = known()
        // A record that cannot be read is no hindrance: then the watching would begin now.
        let firstStart = try? known?.firstStart()
        return PlanAnswer(
            images: try await scratch(known).plan(run: run, workflow: workflow, firstStart: firstStart)
        )
    }

    /// - Parameter caller: for whom policy is asked.
    /// - Throws: as `Works.explain`.
    package func explain(_ image: String, for subject: ReadySubject?, as caller: Caller) async throws -> ExplainAnswer {
        let known = known()
        return try await scratch(known).explain(image, for: subject, as: caller, known: known)
    }

    /// What ECR holds now; nothing is asked for.
    ///
    /// - Throws: as `Works.needs`.
    package func ready(_ subject: ReadySubject) async throws -> ReadyAnswer {
        try await scratch(known()).ready(subject, desk: nil)
    }

    /// The map of a registered workflow, and of images as a definition names them.
    ///
    /// - Throws: as `Works.needs`.
    package func map(_ subject: ReadySubject?, images: [String]) async throws -> MapVerb.Answer {
        let works = try scratch(known())
        var inspection = Inspection()
        if case .workflow(let name, let parameters, let profiles)? = subject {
            inspection = try await works.surveyor.reading(of: name, parameters: parameters, profiles: profiles)
                .inspection
        }
        inspection.images += images.map { ImageMention(text: $0, places: [], tasks: []) }
        let rules = try await works.account.placement(
            template: works.settings.current.clone.destination,
            clonesUnmapped: true
        )
        return MapVerb.write(for: inspection, MapBasis(rules: rules, isHomeKnown: true))
    }

    /// - Throws: `AWSError` while AWS does not answer.
    package func rules() async throws -> RulesVerb.Answer { try await RulesVerb.list(account) }

    // MARK: Changes

    /// - Throws: as `RulesVerb.create`.
    package func createRules(_ wishes: [RuleWish], by caller: Caller, isDryRun: Bool = false) async throws
        -> RulesVerb.Creation
    {
        try await RulesVerb.create(wishes, account, ecr, isDryRun: isDryRun) { change in
            var entry = AuditEntry(
                change.kind == "pullThroughRule" ? .ruleCreated : .registryChanged,
                by: caller,
                detail: "\(change.kind) \(change.name)",
                at: timeline.now()
            )
            entry.before = change.before
            entry.after = change.after
            entry.requestID = change.requestID
            try audit(entry)
        }
    }

    /// - Throws: as `GrantVerb.grant`.
    package func grant(_ repositories: [String], by caller: Caller, isDryRun: Bool = false) async throws
        -> GrantVerb.Answer
    {
        let preparation = RepositoryPreparation(ecr: ecr, circumstances: account.policyCircumstances)
        let registry = try await account.home().registry
        return try await GrantVerb.grant(repositories, account, preparation, isDryRun: isDryRun) { line in
            var entry = AuditEntry(.policyChanged, by: caller, at: timeline.now())
            entry.destination = "\(registry)/\(line.repository)"
            entry.before = line.before
            entry.after = line.after
            entry.requestID = line.requestID
            try audit(entry)
        }
    }
}
