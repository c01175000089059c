/// Operators and conversions on values; unknown operands give unknown results, of several values each is tried.
enum WDLOperators {
    /// - Returns: nil where the value is neither unknown nor a boolean.
    static func truth(_ value: WDLValue, wanted: Bool) -> WDLValue? {
        switch value.kind {
        case .bool(let known): WDLValue(.bool(known == wanted))
        case .oneOf(let candidates, let reasons): .oneOf(candidates.compactMap { truth($0, wanted: wanted) }, reasons)
        case .unknown: value
        default: nil
        }
    }

    private static func bools(_ value: WDLValue) -> (mayBeTrue: Bool, mayBeFalse: Bool) {
        var result = (mayBeTrue: false, mayBeFalse: false)
        for candidate in value.candidates {
            switch candidate.kind {
            case .bool(true): result.mayBeTrue = true
            case .bool(false): result.mayBeFalse = true
            default: return (true, true)
            }
        }
        return result
    }

    static func and(_ left: WDLValue, _ right: WDLValue) -> WDLValue {
        let (one, two) = (bools(left), bools(right))
        if !one.mayBeTrue || !two.mayBeTrue { return WDLValue(.bool(false)) }
        if !one.mayBeFalse, !two.mayBeFalse { return WDLValue(.bool(true)) }
        return .unknown(WDLValue.union(left.reasons, right.reasons))
    }

    static func or(_ left: WDLValue, _ right: WDLValue) -> WDLValue {
        let (one, two) = (bools(left), bools(right))
        if !one.mayBeFalse || !two.mayBeFalse { return WDLValue(.bool(true)) }
        if !one.mayBeTrue, !two.mayBeTrue { return WDLValue(.bool(false)) }
        return .unknown(WDLValue.union(left.reasons, right.reasons))
    }

    static func negative(_ value: WDLValue) -> WDLValue {
        value.lifted { value in
            switch value.kind {
            case .integer(let number): number == .min ? .unknown([WDLReasons.taskOutput]) : WDLValue(.integer(-number))
            case .float(let number): WDLValue(.float(-number))
            default: .unknown(value.reasons)
            }
        }
    }

    static func apply(_ sign: UInt8, _ left: WDLValue, _ right: WDLValue) -> WDLValue {
        left.lifted { left in right.lifted { right in applied(sign, left, right) } }
    }

    private static func applied(_ sign: UInt8, _ left: WDLValue, _ right: WDLValue) -> WDLValue {
        let isUnknown = { (value: WDLValue) in if case .unknown = value.kind { true } else { false } }
        if isUnknown(left) || isUnknown(right) { return .unknown(WDLValue.union(left.reasons, right.reasons)) }
        switch sign {
        case WDLSign.equal: return left.isEqual(to: right).map { WDLValue(.bool($0)) } ?? undecided(left, right)
        case WDLSign.notEqual: return left.isEqual(to: right).map { WDLValue(.bool(!$0)) } ?? undecided(left, right)
        case UInt8(ascii: "<"), UInt8(ascii: ">"), WDLSign.lessOrEqual, WDLSign.greaterOrEqual:
            return compared(sign, left, right)
        case UInt8(ascii: "+") where left.string != nil || right.string != nil:
            // Of text and a null there is nothing, which is how optional flags are written (`"-L " + intervals`).
            return left.isNull || right.isNull ? .null : joined(left, right)
        default: return arithmetic(sign, left, right)
        }
    }

    private static func undecided(_ left: WDLValue, _ right: WDLValue) -> WDLValue {
        let reasons = WDLValue.union(left.reasons, right.reasons)
        return .unknown(reasons.isEmpty ? [WDLReasons.taskOutput] : reasons)
    }

    private static func compared(_ sign: UInt8, _ left: WDLValue, _ right: WDLValue) -> WDLValue {
        func result<Number: Comparable>(_ one: Number, _ two: Number) -> WDLValue {
            switch sign {
            case UInt8(ascii: "<"): WDLValue(.bool(one < two))
            case UInt8(ascii: ">"): WDLValue(.bool(one > two))
            case WDLSign.lessOrEqual: WDLValue(.bool(one <= two))
            default: WDLValue(.bool(one >= two))
            }
        }
        switch (left.kind, right.kind) {
        case (.integer(let one), .integer(let two)): return result(one, two)
        case (.string(let one), .string(let two)): return result(one, two)
        default:
            guard let one = number(left), let two = number(right) else { return undecided(left, right) }
            return result(one, two)
        }
    }

    static func number(_ value: WDLValue) -> Double? {
        switch value.kind {
        case .integer(let number): Double(number)
        case .float(let number): number
        default: nil
        }
    }

    private static func arithmetic(_ sign: UInt8, _ left: WDLValue, _ right: WDLValue) -> WDLValue {
        if case .integer(let one) = left.kind, case .integer(let two) = right.kind {
            let result: (partialValue: Int, overflow: Bool)
            switch sign {
            case UInt8(ascii: "+"): result = one.addingReportingOverflow(two)
            case UInt8(ascii: "-"): result = one.subtractingReportingOverflow(two)
            case UInt8(ascii: "*"): result = one.multipliedReportingOverflow(by: two)
            case UInt8(ascii: "/"): result = one.dividedReportingOverflow(by: two)
            case UInt8(ascii: "%"): result = one.remainderReportingOverflow(dividingBy: two)
            default: result = (0, true)
            }
            return result.overflow ? undecided(left, right) : WDLValue(.integer(result.partialValue))
        }
        guard let one = number(left), let two = number(right) else { return undecided(left, right) }
        switch sign {
        case UInt8(ascii: "+"): return WDLValue(.float(one + two))
        case UInt8(ascii: "-"): return WDLValue(.float(one - two))
        case UInt8(ascii: "*"): return WDLValue(.float(one * two))
        case UInt8(ascii: "/"): return WDLValue(.float(one / two))
        default: return undecided(left, right)
        }
    }

    // MARK: Text

    /// Two values, one behind the other, as text.
    static func joined(_ left: WDLValue, _ right: WDLValue) -> WDLValue {
        left.lifted { left in
            right.lifted { right in
                guard let one = left.interpolated, let two = right.interpolated else { return undecided(left, right) }
                guard one.utf8.count + two.utf8.count <= WDLEvaluator.maximumText else {
                    return .unknown([WDLReasons.tooMany])
                }
                // Where a null comes from is not where the text does.
                let behind = right.isNull ? [] : right.places
                return WDLValue(.string(one + two), places: left.isNull ? behind : WDLValue.union(left.places, behind))
            }
        }
    }

    static func joined(_ elements: [WDLValue], separator: WDLValue) -> WDLValue {
        var result = WDLValue(.string(""))
        for (index, element) in elements.enumerated() {
            if index > 0 { result = joined(result, separator) }
            result = joined(result, element)
            if case .unknown = result.kind { return result }
        }
        return result
    }

    // MARK: Types

    /// What assigning to a declared type makes of a value.
    static func coerced(_ value: WDLValue, to type: WDLType) -> WDLValue {
        switch (type.name, value.kind) {
        case (_, .oneOf): return value.lifted { coerced($0, to: type) }
        case ("String", .float), ("File", .float): return .unknown([WDLReasons.number])
        case ("String", .integer), ("String", .bool), ("File", .integer):
            return WDLValue(.string(value.interpolated ?? ""), places: value.places)
        case ("Float", .integer(let number)): return WDLValue(.float(Double(number)), places: value.places)
        case ("Float", .string(let text)):
            return Double(text).map { WDLValue(.float($0), places: value.places) } ?? value
        case ("Int", .string(let text)):
            return Int(text).map { WDLValue(.integer($0), places: value.places) } ?? value
        case ("Int", .float(let number)):
            return Int(exactly: number).map { WDLValue(.integer($0), places: value.places) } ?? value
        case ("Boolean", .string("true")): return WDLValue(.bool(true), places: value.places)
        case ("Boolean", .string("false")): return WDLValue(.bool(false), places: value.places)
        case ("Map", .object(let members)):
            let entries = members.sorted { $0.key < $1.key }
            return WDLValue(
                .map(entries.map { (key: WDLValue(.string($0.key)), value: $0.value) }),
                places: value.places
            )
        default: return value
        }
    }

    /// A run parameter, or JSON of a file.
    static func value(_ json: ParameterValue, places: [UInt64], depth: Int = 0) -> WDLValue {
        guard depth < WDLValue.maximumDepth else { return .unknown([WDLReasons.tooDeep]) }
        switch json {
        case .null: return WDLValue(.null, places: places)
        case .bool(let value): return WDLValue(.bool(value), places: places)
        case .number(let text):
            if let number = Int(text) { return WDLValue(.integer(number), places: places) }
            return Double(text).map { WDLValue(.float($0), places: places) } ?? WDLValue(.string(text), places: places)
        case .string(let text): return WDLValue(.string(text), places: places)
        case .array(let elements):
            return WDLValue(.array(elements.map { value($0, places: places, depth: depth + 1) }), places: places)
        case .object(let members):
            return WDLValue(.object(members.mapValues { value($0, places: places, depth: depth + 1) }), places: places)
        }
    }
}
