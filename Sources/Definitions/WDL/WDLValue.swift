/// A value as far as it is known before a run.
struct WDLValue: Sendable {
    indirect enum Kind: Sendable {
        /// Not to be known; why, as numbers of the evaluator's reasons.
        case unknown([Int32])
        case null
        case bool(Bool)
        case integer(Int)
        case float(Double)
        /// Strings, files and directories.
        case string(String)
        case array([WDLValue])
        /// An array of unknown length whose elements are all this.
        case repeated(WDLValue)
        case pair(WDLValue, WDLValue)
        case map([(key: WDLValue, value: WDLValue)])
        case object([String: WDLValue])
        /// One of these; what decides is unknown, for these reasons.
        case oneOf([WDLValue], [Int32])
    }

    /// Deeper nests of arrays are unknown.
    static let maximumDepth = 40
    static let maximumPlaces = 24
    static let maximumCandidates = 24

    var kind: Kind
    /// Where it was decided, as the evaluator numbers places; sorted by neither place nor time.
    var places: [UInt64] = []
    private(set) var depth: UInt8 = 0

    init(_ kind: Kind, places: [UInt64] = []) {
        self.kind = kind
        // Nothing is unknown without a reason.
        if case .unknown(let reasons) = kind, reasons.isEmpty { self.kind = .unknown([WDLReasons.invalid]) }
        self.places = places
        depth = Self.depth(of: kind)
        if depth > Self.maximumDepth {
            self.kind = .unknown([WDLReasons.tooDeep])
            depth = 0
        }
    }

    static let null = WDLValue(.null)

    static func unknown(_ reasons: [Int32]) -> WDLValue { WDLValue(.unknown(reasons)) }

    private static func depth(of kind: Kind) -> UInt8 {
        switch kind {
        case .array(let elements): 1 + (elements.lazy.map(\.depth).max() ?? 0)
        case .repeated(let element): 1 + element.depth
        case .pair(let left, let right): 1 + max(left.depth, right.depth)
        case .map(let entries): 1 + (entries.lazy.map { max($0.key.depth, $0.value.depth) }.max() ?? 0)
        case .object(let members): 1 + (members.values.lazy.map(\.depth).max() ?? 0)
        case .oneOf(let candidates, _): candidates.lazy.map(\.depth).max() ?? 0
        default: 0
        }
    }

    var isNull: Bool { if case .null = kind { true } else { false } }

    var string: String? { if case .string(let text) = kind { text } else { nil } }

    /// The values it may have; itself where it is one.
    var candidates: [WDLValue] { if case .oneOf(let candidates, _) = kind { candidates } else { [self] } }

    /// Why it is not known, whatever its kind.
    var reasons: [Int32] {
        switch kind {
        case .unknown(let reasons), .oneOf(_, let reasons): reasons
        default: []
        }
    }

    /// What it costs to handle it once, roughly.
    var weight: Int {
        switch kind {
        case .string(let text): text.utf8.count / 64
        case .array(let elements): elements.count / 8
        case .map(let entries): entries.count / 8
        case .object(let members): members.count / 8
        case .oneOf(let candidates, _): candidates.reduce(50) { $0 + 4 * $1.weight }
        default: 0
        }
    }

    func adding(places more: [UInt64]) -> WDLValue {
        guard !more.isEmpty else { return self }
        var value = self
        value.places = Self.union(places, more)
        if case .oneOf(let candidates, let reasons) = kind {
            value.kind = .oneOf(candidates.map { $0.adding(places: more) }, reasons)
        }
        return value
    }

    static func union(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        guard !left.isEmpty else { return right }
        var all = left
        for place in right where all.count < maximumPlaces && !all.contains(place) { all.append(place) }
        return all
    }

    static func union(_ left: [Int32], _ right: [Int32]) -> [Int32] {
        guard !left.isEmpty else { return right }
        var all = left
        for reason in right where all.count < 16 && !all.contains(reason) { all.append(reason) }
        return all
    }

    /// One of several values; the only one where they are equal.
    static func oneOf(_ values: [WDLValue], _ reasons: [Int32]) -> WDLValue {
        var distinct: [WDLValue] = []
        var all = reasons
        for value in values {
            if case .oneOf(_, let inner) = value.kind { all = union(all, inner) }
            for candidate in value.candidates where !distinct.contains(where: { $0.isSame(as: candidate) }) {
                distinct.append(candidate)
            }
            if distinct.count > maximumCandidates { break }
        }
        if distinct.count > maximumCandidates {
            distinct = Array(distinct.prefix(maximumCandidates - 1)) + [unknown([WDLReasons.tooMany])]
        }
        if distinct.count == 1 { return distinct[0] }
        let unknowns = distinct.allSatisfy { if case .unknown = $0.kind { true } else { false } }
        if unknowns { return unknown(distinct.reduce(all) { union($0, $1.reasons) }) }
        return WDLValue(.oneOf(distinct, all))
    }

    /// Applies a function to each value it may have.
    func lifted(_ function: (WDLValue) -> WDLValue) -> WDLValue {
        guard case .oneOf(let candidates, let reasons) = kind else { return function(self) }
        return .oneOf(candidates.map(function), reasons)
    }

    /// Whether both are known to be the same value.
    func isSame(as other: WDLValue) -> Bool {
        var budget = 2000
        return isSame(as: other, &budget) ?? false
    }

    /// Equality as WDL's `==` has it; nil where it is not known.
    func isEqual(to other: WDLValue) -> Bool? {
        var budget = 2000
        switch (kind, other.kind) {
        case (.unknown, _), (_, .unknown), (.repeated, _), (_, .repeated): return nil
        default: return isSame(as: other, &budget, unknownsDiffer: false)
        }
    }

    private func isSame(as other: WDLValue, _ budget: inout Int, unknownsDiffer: Bool = true) -> Bool? {
        budget -= 1
        guard budget > 0 else { return unknownsDiffer ? false : nil }
        switch (kind, other.kind) {
        case (.unknown(let left), .unknown(let right)): return unknownsDiffer ? left == right : nil
        case (.unknown, _), (_, .unknown): return unknownsDiffer ? false : nil
        case (.null, .null): return true
        case (.bool(let left), .bool(let right)): return left == right
        case (.integer(let left), .integer(let right)): return left == right
        case (.float(let left), .float(let right)): return left == right
        case (.integer(let left), .float(let right)): return Double(left) == right && !unknownsDiffer
        case (.float(let left), .integer(let right)): return left == Double(right) && !unknownsDiffer
        case (.string(let left), .string(let right)): return left == right
        case (.array(let left), .array(let right)):
            guard left.count == right.count else { return false }
            for (one, two) in zip(left, right) {
                let same = one.isSame(as: two, &budget, unknownsDiffer: unknownsDiffer)
                if same != true { return same }
            }
            return true
        case (.pair(let left, let right), .pair(let otherLeft, let otherRight)):
            let same = left.isSame(as: otherLeft, &budget, unknownsDiffer: unknownsDiffer)
            return same == true ? right.isSame(as: otherRight, &budget, unknownsDiffer: unknownsDiffer) : same
        case (.object(let left), .object(let right)):
            guard left.count == right.count else { return false }
            for (key, value) in left {
                guard let twin = right[key] else { return false }
                let same = value.isSame(as: twin, &budget, unknownsDiffer: unknownsDiffer)
                if same != true { return same }
            }
            return true
        case (.map(let left), .map(let right)):
            guard left.count == right.count else { return false }
            for (one, two) in zip(left, right) {
                let keys = one.key.isSame(as: two.key, &budget, unknownsDiffer: unknownsDiffer)
                if keys != true { return keys }
                let values = one.value.isSame(as: two.value, &budget, unknownsDiffer: unknownsDiffer)
                if values != true { return values }
            }
            return true
        case (.repeated(let left), .repeated(let right)):
            return left.isSame(as: right, &budget, unknownsDiffer: unknownsDiffer)
        default: return false
        }
    }

    /// The text that `~{}` puts in its place; nil where there is none to be known (`null` gives an empty one).
    var interpolated: String? {
        switch kind {
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .float(let value): WDLNumbers.text(value)
        case .string(let text): text
        default: nil
        }
    }
}

/// Numbers of the reasons that every evaluation has.
enum WDLReasons {
    static let taskOutput: Int32 = 0
    static let tooDeep: Int32 = 1
    static let tooMany: Int32 = 2
    static let budget: Int32 = 3
    static let invalid: Int32 = 4
    static let number: Int32 = 5

    static let initial = [
        "a value that a task computes",
        "values are nested too deep to be followed",
        "too many values are possible",
        "the definition is too large to be evaluated to the end",
        "an operation on values of the wrong kind",
        "a number of which engines make different texts (`1.10`, `1e3`, `010`); put it in quotes",
    ]
}

enum WDLNumbers {
    /// Six digits behind the point (WDL 1.1, "Expression Placeholder Coercion").
    static func text(_ value: Double) -> String? {
        guard value.isFinite, abs(value) < 1e12 else { return nil }
        let scaled = (abs(value) * 1_000_000).rounded()
        let whole = Int(scaled) / 1_000_000
        let part = String(Int(scaled) % 1_000_000)
        return (value < 0 && scaled > 0 ? "-" : "") + "\(whole)." + String(repeating: "0", count: 6 - part.count) + part
    }
}
