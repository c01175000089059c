extension NextflowEvaluator {
    func unary(_ operation: String, _ operand: NextflowValue) -> NextflowValue {
        operand.lifted { value in
            switch (operation, value.kind) {
            case (_, .unknown): return value
            case ("!", _):
                return value.truth.map { NextflowValue(.bool(!$0), trace: value.trace) }
                    ?? self.unknown(value, "a condition")
            case ("-", .integer(let number)): return NextflowValue(.integer(0 &- number), trace: value.trace)
            case ("-", .decimal(let number)): return NextflowValue(.decimal(number.negated), trace: value.trace)
            case ("+", _), ("~", .string), ("()", _): return value
            default: return self.unknown(value, "`\(operation)`")
            }
        }
    }

    func binary(
        _ operation: String,
        _ left: NextflowExpression,
        _ right: NextflowExpression,
        _ scope: NextflowScope
    ) -> NextflowValue {
        let one = evaluate(left, scope)
        switch operation {
        case "&&", "||":
            let decisive = operation == "||"
            if one.truth == decisive { return NextflowValue(.bool(decisive), trace: one.trace) }
            let two = evaluate(right, scope)
            var trace = one.trace
            trace.add(two.trace)
            // `unknown && false` is false, whatever the unknown is.
            if two.truth == decisive { return NextflowValue(.bool(decisive), trace: trace) }
            guard one.truth != nil, two.truth != nil else {
                let reasons = NextflowValue.union(
                    one.truth == nil ? one.reasons : [],
                    two.truth == nil ? two.reasons : []
                )
                return NextflowValue(
                    .unknown(reasons.isEmpty ? ["a condition that is not known before the run"] : reasons),
                    trace: trace
                )
            }
            return NextflowValue(.bool(!decisive), trace: trace)
        case "as":
            guard case .string(let type) = right.kind else { return one }
            return one.lifted { self.cast($0, to: type) }
        case "in", "!in":
            // A pattern matches the whole text.
            guard case .unary("~", let pattern) = right.kind else { break }
            let found = operate("==~", one, evaluate(pattern, scope))
            return operation == "in" ? found : unary("!", found)
        default: break
        }
        let two = evaluate(right, scope)
        // `list << element` changes the list.
        if operation == "<<", case .name(let variable) = left.kind, case .list = one.kind,
            scope.variable(variable) != nil
        {
            scope.assign(variable, operate(operation, one, two))
        }
        return one.lifted { left in two.lifted { self.operate(operation, left, $0) } }
    }

    /// `value as Type`; other types than these leave a value what it is here.
    private func cast(_ value: NextflowValue, to type: String) -> NextflowValue {
        func made(_ kind: NextflowValue.Kind) -> NextflowValue { NextflowValue(kind, trace: value.trace) }
        if value.isNull { return value }
        switch type {
        case "String", "CharSequence": return value.text().map { made(.string($0)) } ?? unknown(value, "a text")
        case "boolean", "Boolean": return value.truth.map { made(.bool($0)) } ?? unknown(value, "a condition")
        case "int", "Integer", "long", "Long", "BigInteger":
            switch value.kind {
            case .integer: return value
            case .string(let text): return Int(text).map { made(.integer($0)) } ?? unknown(value, "a number")
            default: return unknown(value, "a number")
            }
        case "float", "Float", "double", "Double", "BigDecimal", "Number", "MemoryUnit", "Duration":
            return unknown(value, "a number")
        default: return value
        }
    }

    func operate(_ operation: String, _ left: NextflowValue, _ right: NextflowValue) -> NextflowValue {
        if case .object = left.kind, let map = left.map {
            return operate(operation, NextflowValue(.map(map), trace: left.trace), right)
        }
        if case .object = right.kind, let map = right.map {
            return operate(operation, left, NextflowValue(.map(map), trace: right.trace))
        }
        var trace = left.trace
        trace.add(right.trace)
        func made(_ kind: NextflowValue.Kind) -> NextflowValue { NextflowValue(kind, trace: trace) }
        func bool(_ value: Bool?) -> NextflowValue {
            if let value { return made(.bool(value)) }
            let reasons = NextflowValue.union(left.reasons, right.reasons)
            return made(.unknown(reasons.isEmpty ? ["a comparison that is not known before the run"] : reasons))
        }
        switch operation {
        case "==", "===": return bool(left.equals(right))
        case "!=", "!==": return bool(left.equals(right).map(!))
        case "in", "!in":
            let found = contains(right, left)
            return bool(operation == "in" ? found : found.map(!))
        default: break
        }
        let reasons = NextflowValue.union(left.reasons, right.reasons)
        if !reasons.isEmpty { return made(.unknown(reasons)) }
        switch (operation, left.kind, right.kind) {
        case ("+", .string, _), ("+", _, .string):
            for side in [left, right] where side.isNull {
                if case .null(let missing?) = side.kind { return made(.unknown([missing])) }
                return made(.unknown(["a value is null"]))
            }
            return joined(left, right)
        case ("-", .string(let text), .string(let part)):
            return made(.string(Self.replacing(text, part, with: "", once: true)))
        case ("+", .list(let one), .list(let two)) where one.count + two.count <= Self.maximumElements:
            return made(.list(one + two))
        case ("+", .list(let one), _), ("<<", .list(let one), _):
            guard one.count < Self.maximumElements, spend(1 + one.count / 16) else { break }
            return made(.list(one + [right]))
        case ("-", .list(let one), .list(let two)):
            guard spend(one.count * two.count) else { break }
            return made(.list(one.filter { element in !two.contains { $0.equals(element) == true } }))
        case ("+", .map(let one), .map(let two)):
            guard spend(two.keys.count) else { break }
            var map = one
            for key in two.keys { map[key] = two[key] }
            return made(.map(map))
        case (_, .integer(let one), .integer(let two)): return made(integer(operation, one, two))
        case ("<", .string(let one), .string(let two)): return made(.bool(one < two))
        case (">", .string(let one), .string(let two)): return made(.bool(one > two))
        case ("=~", .string(let text), .string(let pattern)), ("==~", .string(let text), .string(let pattern)):
            return bool(matches(pattern, text, isWhole: operation == "==~"))
        case ("<", .decimal, _), (">", .decimal, _), ("<=", .decimal, _), (">=", .decimal, _), ("<", _, .decimal),
            (">", _, .decimal), ("<=", _, .decimal), (">=", _, .decimal):
            guard let one = Self.decimal(left), let two = Self.decimal(right) else { break }
            switch operation {
            case "<": return made(.bool(one < two))
            case ">": return made(.bool(one > two))
            case "<=": return made(.bool(one <= two))
            default: return made(.bool(one >= two))
            }
        case ("instanceof", _, .string(let type)), ("!instanceof", _, .string(let type)):
            let answer = Self.isInstance(left, of: type)
            return bool(operation == "instanceof" ? answer : answer.map(!))
        default: break
        }
        return made(.unknown(["the result of `\(operation)` is not known before the run"]))
    }

    private static func decimal(_ value: NextflowValue) -> Double? {
        switch value.kind {
        case .integer(let number): Double(number)
        case .decimal(let number): number.value
        default: nil
        }
    }

    private static func isInstance(_ value: NextflowValue, of type: String) -> Bool? {
        switch (value.kind, type) {
        case (.null, _), (.absent, _): false
        case (.string, "String"), (.string, "CharSequence"), (.list, "List"), (.list, "Collection"), (.map, "Map"),
            (.function, "Closure"), (.bool, "Boolean"), (.integer, "Integer"), (.integer, "Number"):
            true
        case (.string, "List"), (.string, "Map"), (.list, "String"), (.list, "Map"), (.map, "List"), (.map, "String"),
            (.string, "Closure"), (.string, "Boolean"), (.bool, "String"), (.string, "Collection"):
            false
        default: nil
        }
    }

    private func integer(_ operation: String, _ one: Int, _ two: Int) -> NextflowValue.Kind {
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case "+": result = one.addingReportingOverflow(two)
        case "-": result = one.subtractingReportingOverflow(two)
        case "*": result = one.multipliedReportingOverflow(by: two)
        case "%": result = one.remainderReportingOverflow(dividingBy: two)
        case "/":
            guard two != 0 else { return .unknown(["a division by zero"]) }
            return .decimal(NextflowDecimal(Double(one) / Double(two)))
        case "<": return .bool(one < two)
        case ">": return .bool(one > two)
        case "<=": return .bool(one <= two)
        case ">=": return .bool(one >= two)
        case "..", "..<":
            let last = operation == ".." ? two : two.subtractingReportingOverflow(1).partialValue
            guard last >= one else {
                // A range that goes down; `..<` leaves out its end on that side.
                let stop = operation == ".." ? two : two.addingReportingOverflow(1).partialValue
                let (count, overflow) = one.subtractingReportingOverflow(stop)
                guard one != two || operation == ".." else { return .list([]) }
                guard !overflow, count < Self.maximumElements, spend(max(count, 0)), stop <= one else {
                    return .unknown(["a range that is too long"])
                }
                return .list((stop...one).reversed().map { NextflowValue(.integer($0)) })
            }
            let (count, overflow) = last.subtractingReportingOverflow(one)
            guard !overflow, count < Self.maximumElements, spend(count) else {
                return .unknown(["a range that is too long"])
            }
            return .list((one...last).map { NextflowValue(.integer($0)) })
        default: return .unknown(["the result of `\(operation)` is not known before the run"])
        }
        // Groovy calculates with 32 bits where both numbers fit.
        let isShort = [one, two].allSatisfy { Int(Int32.min)...Int(Int32.max) ~= $0 }
        guard !result.overflow, !isShort || Int(Int32.min)...Int(Int32.max) ~= result.partialValue else {
            return .unknown(["a number that is too large"])
        }
        return .integer(result.partialValue)
    }

    func contains(_ whole: NextflowValue, _ part: NextflowValue) -> Bool? {
        switch (whole.kind, part.kind) {
        case (.unknown, _), (_, .unknown), (.oneOf, _), (_, .oneOf): return nil
        // A text is in a text where both are equal (`isCase` of Groovy), unlike `contains()`.
        case (.string(let text), _): return part.isNull ? false : part.text().map { $0 == text }
        case (.list(let all), _):
            guard spend(all.count) else { return nil }
            var isKnown = true
            for element in all {
                switch element.equals(part) {
                // Java's `equals`: 1.10 and 1.1 differ, and so do a text with placeholders and a plain one.
                case true where element.isTemplate == part.isTemplate && element.isSameKind(as: part): return true
                case nil, true: isKnown = false
                default: break
                }
            }
            return isKnown ? false : nil
        case (.map(let map), .string(let key)): return map[key].map(\.truth) ?? false
        default: return whole.isNull ? false : nil
        }
    }

    func matches(_ pattern: String, _ text: String, isWhole: Bool) -> Bool? {
        guard spend(20 + text.utf8.count), let compiled = RegularExpression(pattern) else { return nil }
        return isWhole ? compiled.matchesWhole(text) : compiled.firstMatch(in: text).map { $0.match != nil }
    }

    static func find(_ part: String, in text: String) -> Int? {
        let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
        guard !wanted.isEmpty else { return 0 }
        guard bytes.count >= wanted.count else { return nil }
        return (0...bytes.count - wanted.count).first { bytes[$0] == wanted[0] && bytes[$0...].starts(with: wanted) }
    }

    static func replacing(_ text: String, _ part: String, with other: String, once: Bool = false) -> String {
        let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
        guard !wanted.isEmpty else { return text }
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count, result.count <= maximumText {
            if bytes[position] == wanted[0], bytes[position...].starts(with: wanted) {
                result += other.utf8
                position += wanted.count
                if once { break }
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        if once { result += bytes[min(position, bytes.count)...] }
        return String(decoding: result, as: UTF8.self)
    }
}
