package import Definitions
package import Foundation
package import Model
package import Names
package import Remotes

/// The first stage: from a run or a version to what it demands, as a value. What it comes to is written by the loops.
package struct Surveyor: Sendable {
    /// The choices of the configuration that a survey depends on.
    package struct Choices: Sendable {
        package var template: String
        package var clonesUnmapped: Bool
        package var certainties: Set<String>

        package init(template: String, clonesUnmapped: Bool, certainties: Set<String>) {
            self.template = template
            self.clonesUnmapped = clonesUnmapped
            self.certainties = certainties
        }
    }

    /// What decides all surveys of one moment.
    package struct Basis: Sendable {
        package let rules: PlacementRules
        package let certainties: Set<String>
        /// A text that is another where anything of it is another, or this program.
        package let mark: String
    }

    /// A run with what the service told of it, and what it demands.
    package struct RunSurvey: Sendable {
        package var run: RunRow
        /// Its version, where the service was asked for it.
        package var version: VersionRow?
        package var result = SurveyResult()
        /// The trouble is that of the version, and so of all its runs.
        package var isOfVersion = false
        /// When the run itself is to be looked at, where only its batch was.
        package var followUp: Date?
    }

    /// A version as the service describes it, and what any run of it demands.
    package struct VersionSurvey: Sendable {
        package var version: VersionRow
        package var result = SurveyResult()
        /// The service was asked.
        package var isRead = false
        /// What finished runs used besides.
        package var learned: [PlannedDemand] = []
    }

    /// A run that begins is a reason to ask for its version when that was not done within this: nobody tells of a registry
    /// map that was changed.
    private static let fresh: TimeInterval = 60
    /// How long after a run's start its file of parameters is waited for in even steps, in seconds.
    private static let parametersAwaited: TimeInterval = 900
    private static let parametersAskedEvery = Duration.seconds(30)

    let memory: any SurveyMemory
    let healthOmics: HealthOmicsClient
    let account: AccountFacts
    let definitions: DefinitionStore
    let now: @Sendable () -> Date

    package init(
        memory: any SurveyMemory,
        healthOmics: HealthOmicsClient,
        account: AccountFacts,
        definitions: DefinitionStore,
        now: @escaping @Sendable () -> Date
    ) {
        self.memory = memory
        self.healthOmics = healthOmics
        self.account = account
        self.definitions = definitions
        self.now = now
    }

    /// What decides now.
    ///
    /// - Throws: `AWSError` while STS or ECR do not answer.
    package func basis(_ choices: Choices) async throws -> Basis {
        let rules = try await account.placement(template: choices.template, clonesUnmapped: choices.clonesUnmapped)
        let parts = try [
            DefinitionStore.program, rules.home.registry, choices.template, "\(choices.clonesUnmapped)",
            choices.certainties.sorted().joined(separator: ","),
            InspectionCoding.text(rules.pullThrough.sorted { $0.ecrRepositoryPrefix < $1.ecrRepositoryPrefix }),
        ]
        return Basis(
            rules: rules,
            certainties: choices.certainties,
            mark: Digest.of(parts.joined(separator: "\n").utf8).short
        )
    }

    // MARK: Runs

    /// Works out what a live run needs. What is wrong, with the service, the run or its definition, is told as its trouble.
    ///
    /// - Throws: `CancellationError`, and what the record throws.
    package func survey(_ run: RunRow, _ basis: Basis) async throws -> RunSurvey {
        var survey = RunSurvey(run: run)
        do {
            try await workOut(&survey, basis)
        } catch {
            try Self.rethrowCancellation(error)
            survey.result.trouble = SurveyTrouble(error)
            // What earlier runs used is better than nothing; what this one is known to need stays as it is.
            if survey.isOfVersion, run.surveyedAt == nil { survey.result.plan = try learnedAlone(by: survey, basis) }
        }
        return survey
    }

    private func workOut(_ survey: inout RunSurvey, _ basis: Basis) async throws {
        if try await plannedAgain(&survey, basis) { return }
        guard let details = try await healthOmics.getRun(id: survey.run.id) else {
            survey.result.trouble = SurveyTrouble("HealthOmics lists the run, and does not know it when asked for it")
            return
        }
        survey.run.uuid = details.uuid
        survey.run.workflowID = details.workflowId ?? survey.run.workflowID
        survey.run.workflowType = details.workflowType?.rawValue
        survey.run.versionName = details.workflowVersionName ?? ""
        survey.run.batchID = details.batchId ?? survey.run.batchID
        survey.run.ownerID = try await owner(details.workflowOwnerId)
        if survey.run.workflowType == "READY2RUN" {
            survey.result = SurveyResult(
                plan: .init(),
                trouble: SurveyTrouble("a Ready2Run workflow: AWS supplies its images", isFinal: true)
            )
            return
        }
        let given = try await parameters(of: details)
        let setting = Setting(
            parameters: given.parameters,
            engineSettings: details.engineSettings,
            engineVersion: details.engineVersion
        )
        try await plan(&survey, setting, basis)
        survey.result.trouble = survey.result.trouble ?? given.trouble
    }

    /// Plans once more from what is known of a run and its definition, where that is enough: nothing is asked but what may
    /// have changed.
    private func plannedAgain(_ survey: inout RunSurvey, _ basis: Basis) async throws -> Bool {
        let run = survey.run
        guard run.surveyedAt != nil, run.uuid != nil, run.trouble == nil, let id = run.inspection,
            let workflowID = run.workflowID
        else { return false }
        survey.isOfVersion = true
        let isDue = run.surveyDueAt.map { $0 <= now().milliseconds } ?? false
        let (version, isRead) = try await self.version(
            workflowID: workflowID,
            name: run.versionName,
            ownerID: run.ownerID,
            within: isDue ? Self.fresh : nil
        )
        if isRead { survey.version = version }
        survey.isOfVersion = false
        guard let inspection = try definitions.inspection(id, of: version) else { return false }
        try plan(&survey, id, inspection, of: version, basis)
        return true
    }

    private struct GivenParameters {
        var parameters: [String: ParameterValue] = [:]
        var trouble: SurveyTrouble?
    }

    /// A run's parameters: in the answer itself, or in the file that it was started with.
    ///
    /// Source: the service model's GetRun, `parametersUri`.
    private func parameters(of run: Run) async throws -> GivenParameters {
        guard run.parameters == nil, let place = run.parametersUri, !place.isEmpty else {
            return GivenParameters(
                parameters: Self.parameters(run.parameters, in: run.text, at: ["parameters"])
            )
        }
        guard WebAddress(place) != nil else {
            var trouble = SurveyTrouble("HealthOmics has not stored the run's parameters yet")
            let isYoung = now() < (run.creationTime ?? .distantPast) + Self.parametersAwaited
            if isYoung { trouble.retryAfter = Self.parametersAskedEvery }
            return GivenParameters(trouble: trouble)
        }
        do {
            let bytes = try await healthOmics.downloadParameters(place)
            guard case .object(let members)? = try? ParameterValue(json: bytes) else {
                return GivenParameters(trouble: SurveyTrouble("the run's file of parameters is not a JSON object"))
            }
            return GivenParameters(parameters: members)
        } catch let error as AWSError where error.code == "TooLarge" {
            return GivenParameters(trouble: SurveyTrouble(error.message, isFinal: true))
        }
    }

    /// Works out what the runs of a batch of any size need with the batch's own setting, without a call for each; each is
    /// looked at for itself later, since a run may override parameters.
    ///
    /// - Throws: `CancellationError`, and what the record throws.
    package func survey(_ setting: RunBatch.RunSetting, of batch: RunBatch, runs: [RunRow], _ basis: Basis) async throws
        -> [RunSurvey]
    {
        guard let first = runs.first else { return [] }
        func identified(_ run: RunRow, _ ownerID: String) -> RunRow {
            var row = run
            row.workflowID = setting.workflowId ?? run.workflowID
            row.versionName = setting.workflowVersionName ?? run.versionName
            row.ownerID = ownerID
            return row
        }
        var survey = RunSurvey(run: first)
        do {
            survey.run = identified(first, try await owner(setting.workflowOwnerId))
            try await plan(
                &survey,
                Setting(
                    parameters: Self.parameters(
                        setting.parameters,
                        in: batch.text,
                        at: ["defaultRunSetting", "parameters"]
                    ),
                    engineSettings: setting.engineSettings,
                    engineVersion: setting.engineVersion
                ),
                basis
            )
        } catch {
            try Self.rethrowCancellation(error)
            survey.result.trouble = SurveyTrouble(error)
            if survey.isOfVersion { survey.result.plan = try learnedAlone(by: survey, basis) }
        }
        survey.followUp = survey.result.isDecided ? now() : nil
        return runs.map { run in
            var one = survey
            one.run = identified(run, survey.run.ownerID)
            return one
        }
    }

    private func owner(_ account: String?) async throws -> String {
        let home = try await self.account.home()
        return account.flatMap { $0 == home.account ? nil : $0 } ?? ""
    }

    private struct Setting {
        var parameters: [String: ParameterValue]
        var engineSettings: JSONValue?
        var engineVersion: String?
    }

    private func plan(_ survey: inout RunSurvey, _ setting: Setting, _ basis: Basis) async throws {
        guard let workflowID = survey.run.workflowID else {
            survey.result.trouble = SurveyTrouble("the run names no workflow")
            return
        }
        survey.isOfVersion = true
        let (version, isRead) = try await self.version(
            workflowID: workflowID,
            name: survey.run.versionName,
            ownerID: survey.run.ownerID,
            within: Self.fresh
        )
        if isRead { survey.version = version }
        do {
            let found = try await definitions.inspection(
                of: version,
                parameters: setting.parameters,
                profiles: Self.profiles(setting.engineSettings),
                engineVersion: setting.engineVersion
            )
            try plan(&survey, found.id, found.inspection, of: version, basis)
        } catch let error as DefinitionError {
            survey.result.trouble = SurveyTrouble(error)
            survey.result.plan = try learned(by: survey, map: Self.map(of: version), basis)
        }
        survey.isOfVersion = false
    }

    private func plan(
        _ survey: inout RunSurvey,
        _ id: Int64,
        _ inspection: Inspection,
        of version: VersionRow,
        _ basis: Basis
    ) throws {
        let map = Self.map(of: version)
        var plan = Self.plan(inspection, map, basis)
        let known = Set(plan.demands.flatMap { [$0.source, $0.mention] })
        plan.demands += try learned(by: survey, map: map, basis).demands.filter {
            !known.contains($0.source) && !known.contains($0.mention)
        }
        survey.result = SurveyResult(plan: plan, inspection: id)
    }

    private static func plan(_ inspection: Inspection, _ map: ContainerRegistryMap?, _ basis: Basis)
        -> SurveyResult.Plan
    {
        let planned = DemandPlanning.demands(
            of: inspection,
            map: map,
            rules: basis.rules,
            certainties: basis.certainties
        )
        return SurveyResult.Plan(demands: planned.demands, unresolved: planned.unresolved)
    }

    /// What earlier runs of a run's version used besides what its definition foretold.
    private func learned(by survey: RunSurvey, map: ContainerRegistryMap?, _ basis: Basis) throws -> SurveyResult.Plan {
        guard let workflowID = survey.run.workflowID else { return .init() }
        let demands = try learned(workflowID, survey.run.versionName, map, basis, "an earlier run used it")
        return SurveyResult.Plan(
            demands: demands.map { row in
                var demand = row
                demand.certainty = Certainty.alternative.rawValue
                return demand
            }
        )
    }

    /// The same where the version cannot be read now; nil where its registry map is not known from before either.
    private func learnedAlone(by survey: RunSurvey, _ basis: Basis) throws -> SurveyResult.Plan? {
        guard let id = survey.run.workflowID,
            let version = try memory.version(workflowID: id, name: survey.run.versionName), version.engine != nil
        else { return nil }
        return try learned(by: survey, map: Self.map(of: version), basis)
    }

    private func learned(
        _ workflowID: String,
        _ name: String,
        _ map: ContainerRegistryMap?,
        _ basis: Basis,
        _ reason: String
    ) throws -> [PlannedDemand] {
        try memory.learnedSources(workflowID: workflowID, name: name).flatMap { text in
            let rows = (try? DemandPlanning.plan(text, map: map, rules: basis.rules).get()) ?? []
            return rows.map { row in
                var demand = row
                demand.reason = reason
                return demand
            }
        }
    }

    // MARK: Versions

    /// Works out what any run of an active version needs, with the definition's own defaults. What is wrong is told as its
    /// trouble.
    ///
    /// - Throws: `CancellationError`, and what the record throws.
    package func survey(_ version: VersionRow, _ basis: Basis) async throws -> VersionSurvey {
        var survey = VersionSurvey(version: version)
        do {
            // Where only what decides is another, the definition and its map are those that are known.
            let isKnown =
                version.engine != nil && (version.surveyDueAt ?? .max) > now().milliseconds && version.trouble == nil
                && version.surveyedDigest == version.digest
            if !isKnown {
                survey.version = try await refreshed(version)
                survey.isRead = true
            }
            let map = Self.map(of: survey.version)
            survey.learned = try learned(
                version.workflowID,
                version.name,
                map,
                basis,
                "a finished run used it"
            )
            let found = try await definitions.inspection(
                of: survey.version,
                parameters: [:],
                profiles: [],
                engineVersion: nil
            )
            survey.result = SurveyResult(plan: Self.plan(found.inspection, map, basis), inspection: found.id)
        } catch {
            try Self.rethrowCancellation(error)
            survey.result.trouble = SurveyTrouble(error)
            if error is DefinitionError { survey.result.plan = .init() }
        }
        return survey
    }

    /// The version as memory has it, asked of the service where memory does not know its engine, or not of late.
    ///
    /// - Parameter within: how old what is known may be, in seconds; nil: of any age.
    private func version(workflowID: String, name: String, ownerID: String, within: TimeInterval?) async throws
        -> (row: VersionRow, isRead: Bool)
    {
        let known = try memory.version(workflowID: workflowID, name: name)
        if let known, known.engine != nil, known.ownerID == ownerID {
            let age = now().milliseconds - (known.readAt ?? 0)
            guard let within, !(0..<Milliseconds(within * 1000)).contains(age) else { return (known, false) }
        }
        var row = known ?? VersionRow(workflowID: workflowID, name: name, status: "ACTIVE", seenAt: now().milliseconds)
        row.ownerID = ownerID
        do {
            return (try await refreshed(row), true)
        } catch let error as AWSError {
            throw UnreadDefinition(of: row, error)
        }
    }

    func refreshed(_ version: VersionRow) async throws -> VersionRow {
        var row = version
        let owner = row.ownerID.isEmpty ? nil : row.ownerID
        let details =
            if row.name.isEmpty {
                try await healthOmics.getWorkflow(id: row.workflowID, workflowOwnerID: owner, exportDefinition: false)
            } else {
                try await healthOmics.getWorkflowVersion(
                    workflowID: row.workflowID,
                    versionName: row.name,
                    workflowOwnerID: owner,
                    exportDefinition: false
                )
            }
        try row.take(details, at: now())
        return row
    }

    private static func rethrowCancellation(_ error: any Error) throws {
        if error is CancellationError || Task.isCancelled { throw CancellationError() }
    }

    // MARK: Reading what the service gives

    package static func map(of version: VersionRow) -> ContainerRegistryMap? {
        version.registryMap.flatMap { try? JSONDecoder().decode(ContainerRegistryMap.self, from: Data($0.utf8)) }
    }

    /// The run's parameters as Definitions reads them: from the answer's text, where numbers stand as written (an image
    /// tag made of `1.0` is not the one made of `1`), else from the decoded value.
    package static func parameters(_ value: JSONValue?, in text: Data?, at path: [String]) -> [String: ParameterValue] {
        var found = text.flatMap { try? ParameterValue(json: Array($0)) }
        for key in path {
            guard case .object(let members)? = found else { break }
            found = members[key]
        }
        if case .object(let members)? = found { return members }
        guard let value, case .object(let members) = ParameterValue(value) else { return [:] }
        return members
    }

    /// The Nextflow profiles that engine settings name, in their order: `profile`, `profiles` or `-profile`, as one
    /// text with commas or as a list. Source: HealthOmics user guide, Nextflow profiles through engine settings.
    package static func profiles(_ settings: JSONValue?) -> [String] {
        guard let settings, case .object(let members) = ParameterValue(settings) else { return [] }
        for key in ["profile", "profiles", "-profile"] {
            switch members[key] {
            case .string(let text):
                return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            case .array(let values):
                return values.compactMap { if case .string(let text) = $0 { text } else { nil } }
            default: continue
            }
        }
        return []
    }
}

extension ParameterValue {
    /// The same value, from the AWS layer's JSON.
    package init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let text): self = .number(text)
        case .string(let text): self = .string(text)
        case .array(let values): self = .array(values.map(ParameterValue.init))
        case .object(let members): self = .object(members.mapValues(ParameterValue.init))
        }
    }
}

extension VersionRow {
    /// What GetWorkflow or GetWorkflowVersion says of it.
    package mutating func take(_ details: WorkflowDetails, at now: Date) throws {
        seenAt = now.milliseconds
        readAt = now.milliseconds
        engine = details.engine?.rawValue
        main = details.main
        digest = details.digest ?? digest
        status = details.status?.rawValue ?? status
        registryMap = try details.containerRegistryMap.map(InspectionCoding.text)
    }
}

extension SurveyTrouble {
    /// What an error means for whoever was surveyed: only a definition's own fault is final.
    init(_ error: any Error) {
        let refused = (error as? UnreadDefinition)?.cause ?? error as? AWSError
        self.init(
            "\(error)",
            isFinal: error is DefinitionError,
            isOfService: refused.map { $0.isWorthRetrying || $0.isOfCredentials } ?? (error is TransportError),
            retryAfter: refused?.retryAfter
        )
    }
}
