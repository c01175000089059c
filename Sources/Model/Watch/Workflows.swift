package import Foundation

/// A row of `version`; the name is empty for the workflow's own definition.
package struct VersionRow: Codable, Sendable, Equatable {
    package var workflowID: String
    package var name: String
    package var ownerID: String
    package var status: String
    package var digest: String?
    package var engine: String?
    package var main: String?
    package var registryMap: String?
    package var definition: String?
    /// The digest that the demands are of.
    package var surveyedDigest: String?
    /// What decided them; nil while they are not known.
    package var surveyMark: String?
    package var surveyDueAt: Milliseconds?
    package var surveyAttempts = 0
    package var trouble: String?
    package var seenAt: Milliseconds
    /// When the service described it last.
    package var readAt: Milliseconds?
    package var createdAt: Milliseconds?

    package init(workflowID: String, name: String, status: String, seenAt: Milliseconds) {
        self.workflowID = workflowID
        self.name = name
        self.status = status
        self.seenAt = seenAt
        ownerID = ""
    }

    /// How demands and people name it.
    package var label: String { name.isEmpty ? workflowID : "\(workflowID)/\(name)" }

    /// Whether both describe the same definition and the same places for its images.
    package func isDecided(like other: VersionRow) -> Bool {
        digest == other.digest && engine == other.engine && main == other.main && registryMap == other.registryMap
    }
}

/// What a list of workflows says of one.
package struct WorkflowSighting: Sendable, Hashable {
    package var id: String
    package var name: String?
    package var type: String
    package var status: String
    package var digest: String?
    package var created: Date?
    /// `watch.workflows` leaves it out: nothing is cloned ahead for it.
    package var isExcluded: Bool

    package init(
        id: String,
        name: String?,
        type: String,
        status: String,
        digest: String?,
        created: Date?,
        isExcluded: Bool = false
    ) {
        self.id = id
        self.name = name
        self.type = type
        self.status = status
        self.digest = digest
        self.created = created
        self.isExcluded = isExcluded
    }
}

/// What a list of versions says of one.
package struct VersionSighting: Sendable, Hashable {
    package var workflowID: String
    package var name: String
    package var status: String
    package var digest: String?
    package var created: Date?

    package init(workflowID: String, name: String, status: String, digest: String?, created: Date?) {
        self.workflowID = workflowID
        self.name = name
        self.status = status
        self.digest = digest
        self.created = created
    }
}

/// A stored inspection of a definition for one set of relevant parameters.
package struct InspectionRow: Codable, Sendable {
    package var id: Int64
    package var definition: String
    package var engine: String
    package var main: String
    package var profiles: String
    package var parameters: String
    package var relevant: String
    package var result: String
    package var createdAt: Milliseconds

    package init(
        id: Int64,
        definition: String,
        engine: String,
        main: String,
        profiles: String,
        parameters: String,
        relevant: String,
        result: String,
        createdAt: Milliseconds
    ) {
        self.id = id
        self.definition = definition
        self.engine = engine
        self.main = main
        self.profiles = profiles
        self.parameters = parameters
        self.relevant = relevant
        self.result = result
        self.createdAt = createdAt
    }
}
