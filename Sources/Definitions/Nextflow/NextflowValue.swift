/// A value as far as it can be known before a run.
indirect enum NextflowValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case list([NextflowValue])
    case map([String: NextflowValue])
    /// Code that gives a value when it is asked for; which one is in the evaluator's store.
    case closure(Int)
    /// Not known, with what is missing.
    case unknown(String)
    /// One of several, with what decides.
    case oneOf([NextflowValue], String)

    /// Groovy's truth; nil when it is not known.
    var truth: Bool? {
        switch self {
        case .null: false
        case .bool(let value): value
        case .number(let text): Double(text).map { $0 != 0 } ?? true
        case .string(let text): !text.isEmpty
        case .list(let values): !values.isEmpty
        case .map(let members): !members.isEmpty
        case .closure: true
        case .unknown: nil
        case .oneOf(let values, _):
            values.allSatisfy { $0.truth == true } ? true : values.allSatisfy { $0.truth == false } ? false : nil
        }
    }

    /// Why it is not known.
    var missing: String? {
        switch self {
        case .unknown(let why): why
        case .oneOf(_, let why): why
        default: nil
        }
    }

    /// What a string shows of it; nil when it is not known.
    var text: String? {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let text): text
        case .string(let text): text
        case .list(let values):
            values.reduce(into: Optional("[")) { text, value in
                guard let piece = value.text else {
                    text = nil
                    return
                }
                text = text.map { $0 == "[" ? $0 + piece : $0 + ", " + piece }
            }.map { $0 + "]" }
        case .map, .closure, .unknown, .oneOf: nil
        }
    }

    init(_ value: ParameterValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let text): self = .number(text)
        case .string(let text): self = .string(text)
        case .array(let values): self = .list(values.map(NextflowValue.init))
        case .object(let members): self = .map(members.mapValues(NextflowValue.init))
        }
    }

    /// At most this many values are followed side by side.
    static let widest = 16

    static func either(_ values: [NextflowValue], _ why: String) -> NextflowValue {
        var flat: [NextflowValue] = []
        for value in values {
            if case .oneOf(let inner, _) = value { flat += inner } else { flat.append(value) }
        }
        var unique: [NextflowValue] = []
        for value in flat where !unique.contains(value) { unique.append(value) }
        if unique.count == 1 { return unique[0] }
        return unique.count > widest ? .unknown(why) : .oneOf(unique, why)
    }
}
