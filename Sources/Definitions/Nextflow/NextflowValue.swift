/// What decided a value.
struct NextflowTrace {
    private static let maximumPlaces = 16

    var places: [Evidence] = []
    /// Names of the top-level run parameters.
    var parameters: [String] = []

    mutating func add(_ other: NextflowTrace) {
        if places.isEmpty {
            places = other.places
        } else {
            for place in other.places where places.count < Self.maximumPlaces && !places.contains(place) {
                places.append(place)
            }
        }
        for name in other.parameters where !parameters.contains(name) { parameters.append(name) }
    }
}

/// A map that keeps the order of its keys, as Groovy's do.
struct NextflowMap {
    private(set) var keys: [String] = []
    private var values: [String: NextflowValue] = [:]

    /// Changes a value where it is, without a copy of what it holds.
    mutating func update(_ key: String, _ change: (inout NextflowValue?) -> Void) {
        let isNew = values[key] == nil
        change(&values[key])
        let isThere = values[key] != nil
        if isNew, isThere { keys.append(key) }
        if !isNew, !isThere { keys.removeAll { $0 == key } }
    }

    subscript(key: String) -> NextflowValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }
}

/// A closure or function with the names it sees.
final class NextflowFunction {
    let closure: NextflowClosure
    let scope: NextflowScope

    init(_ closure: NextflowClosure, _ scope: NextflowScope) {
        self.closure = closure
        self.scope = scope
    }
}

/// Something whose members are found on demand (`params`, `task`, `workflow`).
final class NextflowObject {
    let name: String
    let member: (String) -> NextflowValue
    /// All members, where they can be listed.
    let entries: (() -> NextflowMap)?

    init(
        _ name: String,
        entries: (() -> NextflowMap)? = nil,
        member: @escaping (String) -> NextflowValue
    ) {
        self.name = name
        self.entries = entries
        self.member = member
    }
}

/// A value as far as it is known before a run.
struct NextflowValue {
    indirect enum Kind {
        /// Not set on a way that may have been taken; only in configurations.
        case absent
        /// With what would have had to be set, where that is known.
        case null(String?)
        case bool(Bool)
        case integer(Int)
        case decimal(NextflowDecimal)
        case string(String)
        case list([NextflowValue])
        case map(NextflowMap)
        case function(NextflowFunction)
        case object(NextflowObject)
        /// With the reasons, never empty.
        case unknown([String])
        /// One of these; the reasons say what decides.
        case oneOf([NextflowValue], [String])
    }

    static let maximumCandidates = 24

    var kind: Kind
    var trace = NextflowTrace()
    /// Given by the run: the definition cannot change it.
    var isFixed = false
    /// A text with placeholders, which Groovy's lists and maps do not find equal to a plain one.
    var isTemplate = false
    /// A path as `file()` answers it: what is asked of it is asked of the file.
    var isFile = false

    init(_ kind: Kind, trace: NextflowTrace = NextflowTrace()) {
        self.kind = kind
        self.trace = trace
    }

    static var null: NextflowValue { NextflowValue(.null(nil)) }

    static func unknown(_ reason: String) -> NextflowValue { NextflowValue(.unknown([reason])) }

    /// A value of the run's parameters; `path` is where it is in them.
    init(_ value: ParameterValue, path: String, parameter: String) {
        let trace = NextflowTrace(places: [.parameter(path: path)], parameters: [parameter])
        switch value {
        case .null: self.init(.null("parameter `\(path)` is null"), trace: trace)
        case .bool(let value): self.init(.bool(value), trace: trace)
        case .number(let text): self.init(Self.number(json: text), trace: trace)
        case .string(let text): self.init(.string(text), trace: trace)
        case .array(let values):
            self.init(
                .list(
                    values.enumerated().map {
                        NextflowValue($1, path: "\(path).\($0)", parameter: parameter)
                    }
                ),
                trace: trace
            )
        case .object(let members):
            var map = NextflowMap()
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                map[key] = NextflowValue(value, path: "\(path).\(key)", parameter: parameter)
            }
            self.init(.map(map), trace: trace)
        }
        if case .map = kind { isFixed = false } else { isFixed = true }
    }

    var isNull: Bool {
        switch kind {
        case .null, .absent: true
        default: false
        }
    }

    var string: String? { if case .string(let text) = kind { text } else { nil } }

    /// Also the members of an object that can be listed.
    var map: NextflowMap? {
        switch kind {
        case .map(let map): map
        case .object(let object): object.entries?()
        default: nil
        }
    }

    /// What is at a path of keys; nil where there is nothing.
    func member(_ path: ArraySlice<String>) -> NextflowValue? {
        var value = self
        for part in path {
            guard let next = value.map?[part] else { return nil }
            value = next
        }
        if case .absent = value.kind { return nil }
        return value
    }

    var candidates: [NextflowValue] { if case .oneOf(let all, _) = kind { all } else { [self] } }

    var reasons: [String] {
        switch kind {
        case .unknown(let reasons), .oneOf(_, let reasons): reasons
        default: []
        }
    }

    static func union(_ left: [String], _ right: [String]) -> [String] {
        var all = left
        for reason in right where all.count < 6 && !all.contains(reason) { all.append(reason) }
        return all
    }

    func tracing(_ more: NextflowTrace) -> NextflowValue {
        var value = self
        value.trace.add(more)
        if case .oneOf(let all, let reasons) = kind { value.kind = .oneOf(all.map { $0.tracing(more) }, reasons) }
        return value
    }

    func at(_ place: Evidence) -> NextflowValue { tracing(NextflowTrace(places: [place])) }

    /// Groovy's truth; nil where it is not known.
    var truth: Bool? {
        switch kind {
        case .absent, .null: return false
        case .bool(let value): return value
        case .integer(let value): return value != 0
        case .decimal(let number): return number.value != 0
        case .string(let text): return !text.isEmpty
        case .list(let values): return !values.isEmpty
        case .map(let map): return !map.keys.isEmpty
        case .function, .object: return true
        case .unknown: return nil
        case .oneOf(let all, _):
            let truths = all.map(\.truth)
            return truths.allSatisfy { $0 == truths[0] } ? truths[0] : nil
        }
    }

    /// Whether both are known to be equal; nil where it is not known.
    func equals(_ other: NextflowValue, _ depth: Int = 0) -> Bool? {
        guard depth < 20 else { return nil }
        switch (kind, other.kind) {
        case (.unknown, _), (_, .unknown), (.oneOf, _), (_, .oneOf): return nil
        case (.absent, _), (.null, _): return other.isNull
        case (_, .absent), (_, .null): return false
        case (.bool(let left), .bool(let right)): return left == right
        case (.integer(let left), .integer(let right)): return left == right
        case (.decimal(let left), .decimal(let right)): return left.value == right.value
        case (.integer(let left), .decimal(let right)), (.decimal(let right), .integer(let left)):
            return Double(left) == right.value
        case (.string(let left), .string(let right)): return left == right
        case (.list(let left), .list(let right)):
            guard left.count == right.count else { return false }
            for (one, two) in zip(left, right) {
                guard let same = one.equals(two, depth + 1) else { return nil }
                if !same { return false }
            }
            return true
        case (.map(let left), .map(let right)):
            guard left.keys.count == right.keys.count else { return false }
            for key in left.keys {
                guard let one = left[key], let two = right[key] else { return false }
                guard let same = one.equals(two, depth + 1) else { return nil }
                if !same { return false }
            }
            return true
        case (.function(let left), .function(let right)): return left === right
        case (.object(let left), .object(let right)): return left.name == right.name
        default: return false
        }
    }

    /// One of several values; the only one where they are equal.
    static func oneOf(_ values: [NextflowValue], _ reasons: [String]) -> NextflowValue {
        var distinct: [NextflowValue] = []
        var all = reasons
        for value in values {
            all = union(all, value.reasons)
            for candidate in value.candidates {
                if let same = distinct.firstIndex(where: {
                    $0.isSameKind(as: candidate) && $0.equals(candidate) == true
                }) {
                    distinct[same].trace.add(candidate.trace)
                } else {
                    distinct.append(candidate)
                }
                if distinct.count > maximumCandidates {
                    var value = unknown("one of more than \(maximumCandidates) values")
                    value.trace = values[0].trace
                    return value
                }
            }
        }
        if distinct.count == 1 { return distinct[0] }
        if distinct.isEmpty { return unknown("a value that is not known before the run") }
        var trace = NextflowTrace()
        for value in distinct { trace.add(value.trace) }
        let isUnknown = distinct.allSatisfy { if case .unknown = $0.kind { true } else { false } }
        if isUnknown { return NextflowValue(.unknown(all.isEmpty ? ["not known before the run"] : all), trace: trace) }
        return NextflowValue(.oneOf(distinct, all), trace: trace)
    }

    func isSameKind(as other: NextflowValue) -> Bool {
        switch (kind, other.kind) {
        case (.absent, .absent), (.null, .null): true
        case (.absent, _), (_, .absent): false
        // Equal numbers that print differently are two values.
        case (.decimal(let left), .decimal(let right)): left.text != nil && left.text == right.text
        case (.decimal, _), (_, .decimal): false
        default: true
        }
    }

    /// Applies a function to each value it may have.
    func lifted(_ function: (NextflowValue) -> NextflowValue) -> NextflowValue {
        guard case .oneOf(let all, let reasons) = kind else { return function(self) }
        return .oneOf(all.map(function), reasons)
    }

    /// The text that interpolation makes of it; nil where it has none that is known.
    func text(_ depth: Int = 0) -> String? {
        guard depth < 20 else { return nil }
        switch kind {
        case .string(let text): return text
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .decimal(let number): return number.text
        case .list(let values):
            var parts: [String] = []
            for value in values {
                guard let text = value.isNull ? "null" : value.text(depth + 1) else { return nil }
                parts.append(text)
            }
            return "[" + parts.joined(separator: ", ") + "]"
        default: return nil
        }
    }
}
