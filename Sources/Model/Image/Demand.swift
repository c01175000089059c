/// Who wants an image.
package enum DemandSubject: Sendable, Hashable {
    /// A live run, by its record key.
    case run(key: String)
    /// What any run of a version needs; the name is empty for the workflow's own definition.
    case version(workflowID: String, name: String)
    /// A person, by the number of the request.
    case clone(request: String)
    /// Seen in a finished run's tasks and not predicted; kept for the version.
    case learned(workflowID: String, name: String)

    package var kind: String {
        switch self {
        case .run: "run"
        case .version: "version"
        case .clone: "clone"
        case .learned: "learned"
        }
    }

    /// The record's text for it.
    package var text: String {
        switch self {
        case .run(let key): key
        case .version(let id, let name), .learned(let id, let name): name.isEmpty ? id : "\(id)/\(name)"
        case .clone(let request): request
        }
    }

    package var urgency: Urgency {
        switch self {
        case .run: .run
        case .clone: .person
        case .version, .learned: .version
        }
    }
}

/// A demand with the place that the planner found for it.
package struct PlannedDemand: Sendable, Hashable {
    /// The canonical reference, or the text itself where it is none.
    package var source: String
    /// The ECR URI; empty where there is none.
    package var destination: String
    package var registry: String
    package var mention: String
    package var certainty: String
    package var reason: String?
    /// How many tasks have to end one after the other before the first that uses it begins.
    package var depth: Int
    package var places: [String]
    package var tasks: [String]
    /// HealthOmics copies it itself when a task asks for it: late, and whatever we can do.
    package var comesByItself = false
    /// Set when no attempt can be made: class, reason, mend.
    package var refusal: Refusal?

    package init(source: String, destination: String, registry: String, mention: String, certainty: String) {
        self.source = source
        self.destination = destination
        self.registry = registry
        self.mention = mention
        self.certainty = certainty
        depth = 0
        places = []
        tasks = []
    }
}

/// A mention that could not be resolved, for the record.
package struct UnresolvedDemand: Sendable, Hashable {
    package var place: String
    package var expression: String
    package var missing: String
    package var tasks: [String]

    package init(place: String, expression: String, missing: String, tasks: [String]) {
        self.place = place
        self.expression = expression
        self.missing = missing
        self.tasks = tasks
    }
}
