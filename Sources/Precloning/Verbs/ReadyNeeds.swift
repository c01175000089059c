import Definitions
import Foundation
package import Model
import Names
import Remotes

/// What a run will need: the images with their places, and what is not known of them.
package struct ReadyNeeds: Sendable {
    package var label: String
    package var demands: [PlannedDemand]
    package var unresolved: [UnresolvedDemand]
    /// Why what is needed is not known, or not whole; a run that starts may need more.
    package var trouble: String?
    /// It is the definition's own: another try finds the same.
    package var isTroubleFinal: Bool
    package var notes: [String]

    package init(
        label: String,
        demands: [PlannedDemand],
        unresolved: [UnresolvedDemand] = [],
        trouble: String? = nil,
        isTroubleFinal: Bool = false,
        notes: [String] = []
    ) {
        self.label = label
        self.demands = demands
        self.unresolved = unresolved
        self.trouble = trouble
        self.isTroubleFinal = isTroubleFinal
        self.notes = notes
    }

    /// Of a definition that was read. Without a map of its own, the one that `preclone map` writes is taken.
    ///
    /// - Parameters:
    ///   - rules: what places images; `clonesUnmapped` is not looked at, since what nothing reaches is never ready.
    ///   - certainties: `clone.certainty`.
    package init(
        _ reading: SubjectReading,
        isRegistered: Bool,
        rules: PlacementRules,
        certainties: Set<String>
    ) {
        var rules = rules
        rules.clonesUnmapped = false
        var notes: [String] = []
        var map = reading.map
        if map == nil, !isRegistered {
            let basis = MapBasis(rules: rules, isHomeKnown: true)
            map = MapVerb.write(for: reading.inspection, basis).map
            notes.append("no registry map was given: the one that `preclone map` writes is taken")
        }
        let planned = DemandPlanning.demands(
            of: reading.inspection,
            map: map,
            rules: rules,
            certainties: certainties
        )
        self.init(
            label: reading.label,
            demands: planned.demands,
            unresolved: planned.unresolved,
            notes: notes + Self.leftOut(reading.inspection, certainties)
        )
    }

    /// What `clone.certainty` leaves out is not looked at, and that is said.
    private static func leftOut(_ inspection: Inspection, _ certainties: Set<String>) -> [String] {
        let count = inspection.images.count {
            $0.certainty != .inactive && !certainties.contains($0.certainty.rawValue)
        }
        return count == 0 ? [] : ["\(Phrase.count(count, "image")) that clone.certainty leaves out not looked at"]
    }
}

extension Surveyor {
    /// What a run needs that HealthOmics knows, whether it is live or not.
    ///
    /// - Throws: `LedgerError` where there is no such run; `AWSError` while the services do not answer; what the record throws.
    package func needs(ofRun id: String, _ choices: Choices) async throws -> ReadyNeeds {
        guard let found = try await healthOmics.getRun(id: id) else {
            throw LedgerError("there is no run \(id) in this account and Region")
        }
        let sighting = RunSighting(id: id, found)
        let row = RunRow(
            key: sighting.key,
            id: id,
            name: sighting.name,
            status: sighting.status,
            workflowID: sighting.workflowID,
            ownerID: "",
            versionName: sighting.versionName,
            surveyAttempts: 0,
            createdAt: sighting.created?.milliseconds,
            seenAt: now().milliseconds
        )
        var choices = choices
        // What no mapping reaches is never ready for a run, wherever else it is cloned to.
        choices.clonesUnmapped = false
        let survey = try await survey(row, try await basis(choices))
        var needs = ReadyNeeds(
            label: "run \(id)",
            demands: survey.result.plan?.demands ?? [],
            unresolved: survey.result.plan?.unresolved ?? [],
            trouble: survey.result.trouble?.message,
            isTroubleFinal: survey.result.trouble?.isFinal ?? false
        )
        if survey.run.workflowType == "READY2RUN", let message = needs.trouble {
            // AWS supplies them: there is nothing to be ready.
            needs.trouble = nil
            needs.isTroubleFinal = false
            needs.notes.append(message)
        }
        return needs
    }
}
