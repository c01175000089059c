/// How sure it is that code is reached.
struct NextflowStanding {
    var certainty: Certainty
    /// What decides; nil where it is certain.
    var reason: String?

    static let certain = NextflowStanding(certainty: .certain, reason: nil)

    static func alternative(_ reason: String) -> NextflowStanding {
        NextflowStanding(certainty: .alternative, reason: reason)
    }

    static func inactive(_ reason: String) -> NextflowStanding {
        NextflowStanding(certainty: .inactive, reason: reason)
    }

    /// Of what is below a condition, where this is how sure its surroundings are.
    func and(_ inner: NextflowStanding) -> NextflowStanding { inner.certainty > certainty ? inner : self }

    /// Of what is reached on either of two ways.
    func or(_ other: NextflowStanding) -> NextflowStanding { other.certainty < certainty ? other : self }
}

/// A condition as far as it is known before the run.
struct NextflowCondition {
    let truth: Bool?
    private let description: String
    private let reasons: [String]
    /// Parameters that a run may still set, each of which may turn the condition.
    private let open: [String]

    /// - Parameter text: the condition as written, with its place.
    init(_ value: NextflowValue, _ text: String, _ configuration: NextflowConfiguration) {
        truth = value.truth
        description = text
        reasons = value.reasons
        open = value.truth == nil ? [] : value.trace.parameters.filter(configuration.isOpen)
    }

    /// How sure it is that the way for true, or for false, is taken.
    func standing(_ way: Bool) -> NextflowStanding {
        guard let truth else {
            let why = reasons.isEmpty ? "it is not known before the run" : reasons.joined(separator: "; ")
            return .alternative("whether \(description) is true: \(why)")
        }
        if truth == way { return .certain }
        let fact = "\(description) is \(truth)"
        guard !open.isEmpty else { return .inactive(fact) }
        let names = open.prefix(4).map { "`\($0)`" }.joined(separator: ", ")
        return .alternative("\(fact) unless a run sets \(names)")
    }
}
