package import Definitions
package import Foundation
import Logging
package import Model
package import Names
package import Record
package import Remotes

/// The first stage: from a run or a version to what it demands, written to the record.
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

    let ledger: Ledger
    let healthOmics: HealthOmicsClient
    let account: AccountFacts
    let definitions: DefinitionStore
    let now: @Sendable () -> Date

    package init(
        ledger: Ledger,
        healthOmics: HealthOmicsClient,
        account: AccountFacts,
        definitions: DefinitionStore,
        now: @escaping @Sendable () -> Date
    ) {
        self.ledger = ledger
        self.healthOmics = healthOmics
        self.account = account
        self.definitions = definitions
        self.now = now
    }

    // MARK: Runs

    /// Works out what a live run needs and records it. A failure of the service is thrown; what is wrong with the run or
    /// its definition is recorded as its trouble.
    package func survey(_ run: RunRow, choices: Choices) async throws {
        guard let details = try await healthOmics.getRun(id: run.id) else {
            try ledger.surveyed(run, inspection: nil, trouble: "the run is gone", now: now())
            return
        }
        var row = run
        row.uuid = details.uuid
        row.workflowID = details.workflowId ?? run.workflowID
        row.workflowType = details.workflowType?.rawValue
        row.versionName = details.workflowVersionName ?? ""
        row.batchID = details.batchId ?? run.batchID
        let home = try await account.home()
        row.ownerID = details.workflowOwnerId.flatMap { $0 == home.account ? nil : $0 } ?? ""
        let given = try await parameters(of: details)
        let isAwaited = given.isAwaited && now() < (details.creationTime ?? .distantPast) + Self.parametersAwaited
        try await record(
            row,
            Setting(
                parameters: given.parameters,
                engineSettings: details.engineSettings,
                engineVersion: details.engineVersion,
                trouble: given.trouble
            ),
            choices: choices,
            followUp: isAwaited ? now() + Self.parametersAskedEvery : nil
        )
    }

    /// How long after a run's start its file of parameters is waited for, and how often asked for, in seconds.
    private static let parametersAwaited: TimeInterval = 900
    private static let parametersAskedEvery: TimeInterval = 30

    private struct GivenParameters {
        var parameters: [String: ParameterValue] = [:]
        /// HealthOmics has not stored them yet.
        var isAwaited = false
        var trouble: String?
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
            return GivenParameters(isAwaited: true, trouble: "HealthOmics has not stored the run's parameters yet")
        }
        do {
            let bytes = try await healthOmics.downloadParameters(place)
            guard case .object(let members)? = try? ParameterValue(json: bytes) else {
                return GivenParameters(trouble: "the run's file of parameters is not a JSON object")
            }
            return GivenParameters(parameters: members)
        } catch let error as AWSError where error.code == "TooLarge" {
            return GivenParameters(trouble: error.message)
        }
    }

    /// Records runs of a batch of any size with the batch's own setting, without a call for each; each is looked at for
    /// itself later, since a run may override parameters.
    package func survey(batch: RunBatch, runs: [RunRow], choices: Choices) async throws {
        guard let setting = batch.defaultRunSetting else { return }
        let parameters = Self.parameters(setting.parameters, in: batch.text, at: ["defaultRunSetting", "parameters"])
        let home = try await account.home()
        for run in runs {
            var row = run
            row.workflowID = setting.workflowId ?? run.workflowID
            row.versionName = setting.workflowVersionName ?? run.versionName
            row.ownerID = setting.workflowOwnerId.flatMap { $0 == home.account ? nil : $0 } ?? ""
            try await record(
                row,
                Setting(
                    parameters: parameters,
                    engineSettings: setting.engineSettings,
                    engineVersion: setting.engineVersion
                ),
                choices: choices,
                followUp: now()
            )
        }
    }

    private struct Setting {
        var parameters: [String: ParameterValue]
        var engineSettings: JSONValue?
        var engineVersion: String?
        var trouble: String?
    }

    private func record(_ run: RunRow, _ setting: Setting, choices: Choices, followUp: Date?) async throws {
        let subject = DemandSubject.run(key: run.key)
        func close(_ inspection: Int64?, _ trouble: String?) throws {
            try ledger.surveyed(run, inspection: inspection, trouble: trouble, followUp: followUp, now: now())
        }
        if run.workflowType == "READY2RUN" {
            try ledger.want(subject, [], now: now())
            return try close(nil, "a Ready2Run workflow: AWS supplies its images")
        }
        guard let workflowID = run.workflowID else {
            return try close(nil, "the run names no workflow")
        }
        let version: VersionRow
        do {
            version = try await self.version(workflowID: workflowID, name: run.versionName, ownerID: run.ownerID)
        } catch let error as AWSError where error.isNotFound || error.isAccessDenied {
            return try close(nil, "workflow \(workflowID) cannot be read: \(error)")
        }
        let rules = try await account.placement(template: choices.template, clonesUnmapped: choices.clonesUnmapped)
        let map = Self.map(of: version)
        var planned: (demands: [PlannedDemand], unresolved: [UnresolvedDemand]) = ([], [])
        var inspectionID: Int64?
        var trouble = setting.trouble
        do {
            let found = try await definitions.inspection(
                of: version,
                parameters: setting.parameters,
                profiles: Self.profiles(setting.engineSettings),
                engineVersion: setting.engineVersion
            )
            inspectionID = found.id
            planned = DemandPlanning.demands(
                of: found.inspection,
                map: map,
                rules: rules,
                certainties: choices.certainties
            )
        } catch let error as DefinitionError {
            trouble = error.message
        }
        let learned = try ledger.learnedSources(workflowID: workflowID, name: run.versionName)
        for text in learned where !planned.demands.contains(where: { $0.source == text || $0.mention == text }) {
            guard case .success(let rows) = DemandPlanning.plan(text, map: map, rules: rules) else { continue }
            planned.demands += rows.map { row in
                var demand = row
                demand.certainty = Certainty.alternative.rawValue
                demand.reason = "an earlier run used it"
                return demand
            }
        }
        try ledger.want(subject, planned.demands, unresolved: planned.unresolved, now: now())
        try close(inspectionID, trouble)
    }

    // MARK: Versions

    /// Works out what any run of an active version needs, with the definition's own defaults.
    package func survey(_ version: VersionRow, choices: Choices) async throws {
        var row = try await refreshed(version)
        let subject = DemandSubject.version(workflowID: version.workflowID, name: version.name)
        let rules = try await account.placement(template: choices.template, clonesUnmapped: choices.clonesUnmapped)
        do {
            let found = try await definitions.inspection(of: row, parameters: [:], profiles: [], engineVersion: nil)
            let planned = DemandPlanning.demands(
                of: found.inspection,
                map: Self.map(of: row),
                rules: rules,
                certainties: choices.certainties
            )
            try ledger.want(subject, planned.demands, unresolved: planned.unresolved, now: now())
            row.trouble = nil
        } catch let error as DefinitionError {
            row.trouble = error.message
        }
        row.surveyedDigest = row.digest ?? "?"
        try ledger.store(row)
    }

    /// The version as the record has it, asked of the service where the record does not know its engine yet.
    package func version(workflowID: String, name: String, ownerID: String) async throws -> VersionRow {
        if let known = try ledger.version(workflowID: workflowID, name: name), known.engine != nil,
            known.ownerID == ownerID
        {
            return known
        }
        var row = VersionRow(workflowID: workflowID, name: name, status: "ACTIVE", seenAt: now().milliseconds)
        if let known = try ledger.version(workflowID: workflowID, name: name) { row = known }
        row.ownerID = ownerID
        row = try await refreshed(row)
        try ledger.store(row)
        return row
    }

    private func refreshed(_ version: VersionRow) async throws -> VersionRow {
        var row = version
        let owner = row.ownerID.isEmpty ? nil : row.ownerID
        row.seenAt = now().milliseconds
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
        row.engine = details.engine?.rawValue
        row.main = details.main
        row.digest = details.digest ?? row.digest
        row.status = details.status?.rawValue ?? row.status
        row.registryMap = try details.containerRegistryMap.map(InspectionCoding.text)
        return row
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
