/// A value of an input, as far as it is known before the run, with what it came from.
struct CWLValue: Sendable {
    enum Certainty: Sendable, Equatable {
        /// The only candidate.
        case known
        /// Every candidate is used: the elements of a scattered list.
        case each
        /// One of the candidates; with what decides.
        case either(String)
        /// Not known before the run; with what is missing.
        case unknown(String)
    }

    /// Above this, candidates are no longer told apart.
    static let maximumCandidates = 64

    var candidates: [ParameterValue]
    var certainty: Certainty
    /// Where it was written: defaults, parameters, literals.
    var places: [Evidence] = []
    /// The run parameters it depends on.
    var parameters: Set<String> = []
    /// It hangs on a default where no parameters were given at all: a run may well say otherwise.
    var isOverridable = false
    /// The elements of a list that has none.
    var isEmptyScatter = false

    static func known(_ value: ParameterValue) -> CWLValue { CWLValue(candidates: [value], certainty: .known) }

    static func unknown(_ missing: String) -> CWLValue { CWLValue(candidates: [], certainty: .unknown(missing)) }

    /// The one value there is.
    var only: ParameterValue? { certainty == .known ? candidates.first : nil }

    var missing: String? {
        if case .unknown(let missing) = certainty { missing } else { nil }
    }

    /// Whether every candidate is true or every one is not; nil where that is open.
    var truth: Bool? {
        guard missing == nil, let first = candidates.first else { return nil }
        let truth = first.isTruthy
        return candidates.allSatisfy { $0.isTruthy == truth } ? truth : nil
    }

    /// The same origins, with values made out of this one's.
    func map(_ transform: (ParameterValue) -> ParameterValue?, orUnknown missing: String) -> CWLValue {
        var result = self
        guard self.missing == nil else { return result }
        result.candidates = []
        for candidate in candidates {
            guard let value = transform(candidate) else {
                result.candidates = []
                result.certainty = .unknown(missing)
                return result
            }
            result.add(value)
        }
        return result
    }

    /// A value made of two, for every pair of candidates.
    func combined(
        with other: CWLValue,
        orUnknown missing: String,
        _ transform: (ParameterValue, ParameterValue) -> ParameterValue?
    ) -> CWLValue {
        var result = CWLValue(candidates: [], certainty: .known).dependent(on: self).dependent(on: other)
        if let missing = self.missing ?? other.missing {
            result.certainty = .unknown(missing)
            return result
        }
        result.certainty = CWLValue.weaker(certainty, other.certainty)
        for left in candidates {
            for right in other.candidates {
                guard result.candidates.count < Self.maximumCandidates, let value = transform(left, right) else {
                    result.candidates = []
                    result.certainty = .unknown(missing)
                    return result
                }
                result.add(value)
            }
        }
        return result
    }

    /// One of two values, and nobody knows which.
    func or(_ other: CWLValue, because reason: String) -> CWLValue {
        var result = self.dependent(on: other)
        if let missing = self.missing ?? other.missing {
            result.candidates = []
            result.certainty = .unknown(missing)
            return result
        }
        for candidate in other.candidates { result.add(candidate) }
        if result.candidates.count > 1 { result.certainty = .either(reason) }
        return result
    }

    /// The same value, with the origins of another that had a say in it.
    func dependent(on other: CWLValue) -> CWLValue {
        var result = self
        for place in other.places where !result.places.contains(place) && result.places.count < 20 {
            result.places.append(place)
        }
        result.parameters.formUnion(other.parameters)
        result.isOverridable = isOverridable || other.isOverridable
        return result
    }

    private mutating func add(_ value: ParameterValue) {
        if !candidates.contains(value) { candidates.append(value) }
    }

    private static func weaker(_ left: Certainty, _ right: Certainty) -> Certainty {
        if case .either = left { return left }
        if case .either = right { return right }
        return left == .known ? right : left
    }
}

extension ParameterValue {
    /// Truth as JavaScript sees it.
    var isTruthy: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .number(let text): Double(text).map { $0 != 0 && !$0.isNaN } ?? true
        case .string(let text): !text.isEmpty
        case .array, .object: true
        }
    }

    /// The text of a scalar as JavaScript writes it; nil for collections, and for a number that is written otherwise:
    /// of `1.10` and `010` versions of YAML and engines make different texts.
    var scriptText: String? {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let text): JavaScriptNumber.text(written: text)
        case .string(let text): text
        case .array, .object: nil
        }
    }
}

/// Numbers as JavaScript writes them.
enum JavaScriptNumber {
    /// nil for numbers that would be written with an exponent, or are no longer exact.
    static func text(_ number: Double) -> String? {
        guard number.magnitude < 1e15 else { return nil }
        if number == number.rounded() { return String(Int(number)) }
        return number.magnitude >= 1e-4 ? "\(number)" : nil
    }

    /// What is written, where JavaScript would write the number in the same way.
    static func text(written: String) -> String? { Double(written).flatMap(text) == written ? written : nil }
}
