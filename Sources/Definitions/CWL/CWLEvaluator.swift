/// What an expression can see: the inputs of its process or step, and `self`.
struct CWLScope: Sendable {
    var inputs: [String: CWLValue]
    var this: CWLValue = .unknown("`self` has no value here")
}

/// Evaluates texts with parameter references and expressions (CWL 1.2, 3.4 and 3.5), as far as values are known.
struct CWLEvaluator {
    private let scope: CWLScope
    /// Evaluations left; an expression is small, one that is not is hostile.
    private var budget = 20_000
    private var variables: [String: CWLValue] = [:]

    init(_ scope: CWLScope) { self.scope = scope }

    /// Whether a text holds a reference or expression at all.
    static func isExpression(_ text: String) -> Bool {
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if previous == UInt8(ascii: "$"), byte == UInt8(ascii: "(") || byte == UInt8(ascii: "{") { return true }
            previous = byte
        }
        return false
    }

    /// The value of a text: of a single expression its value, else the text with the expressions filled in.
    mutating func value(of text: String) -> CWLValue {
        let bytes = Array(text.utf8)
        guard let pieces = Self.pieces(of: bytes) else { return .unknown("the expression's brackets do not match") }
        let expressions = pieces.filter { if case .text = $0 { false } else { true } }
        let isAlone = pieces.allSatisfy { piece in
            if case .text(let bytes) = piece { bytes.allSatisfy { $0 <= 0x20 } } else { true }
        }
        if expressions.count == 1, isAlone { return value(of: expressions[0]) }
        var result = CWLValue.known(.string(""))
        for piece in pieces {
            let value = value(of: piece)
            let number = value.candidates.first { if case .number = $0 { $0.scriptText == nil } else { false } }
            var missing = "null, a list or an object in a text"
            if case .number(let text)? = number {
                missing =
                    "the number \(text.prefix(40)) in a text, which engines write in different ways; put it in quotes"
            }
            result = result.combined(with: value, orUnknown: missing) { CWLEvaluator.joined($0, $1) }
        }
        return result
    }

    // MARK: Pieces

    private enum Piece {
        case text(ArraySlice<UInt8>)
        case expression(ArraySlice<UInt8>)
        case body(ArraySlice<UInt8>)
    }

    private static func pieces(of bytes: [UInt8]) -> [Piece]? {
        var pieces: [Piece] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            let isDollar = bytes[index] == UInt8(ascii: "$") && index + 1 < bytes.count
            let isBody = isDollar && bytes[index + 1] == UInt8(ascii: "{")
            if bytes[index] == UInt8(ascii: "\\"), index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "$") {
                // `\$(` is the text `$(`.
                if index > start { pieces.append(.text(bytes[start..<index])) }
                start = index + 1
                index += 2
            } else if isBody || (isDollar && bytes[index + 1] == UInt8(ascii: "(")) {
                guard let end = endOfBrackets(bytes, from: index + 1) else { return nil }
                if index > start { pieces.append(.text(bytes[start..<index])) }
                let inner = bytes[(index + 2)..<(end - 1)]
                pieces.append(isBody ? .body(inner) : .expression(inner))
                index = end
                start = end
            } else {
                index += 1
            }
        }
        if start < bytes.count { pieces.append(.text(bytes[start...])) }
        return pieces
    }

    /// Behind the bracket that closes the one at `start`.
    private static func endOfBrackets(_ bytes: [UInt8], from start: Int) -> Int? {
        var open = 0
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "("), UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: ")"), UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                if open == 0 { return index + 1 }
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                let quote = bytes[index]
                index += 1
                while index < bytes.count, bytes[index] != quote {
                    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
            default: break
            }
            index += 1
        }
        return nil
    }

    private mutating func value(of piece: Piece) -> CWLValue {
        switch piece {
        case .text(let bytes): return .known(.string(String(decoding: bytes, as: UTF8.self)))
        case .expression(let bytes):
            do throws(CWLExpressionParser.Unread) {
                var parser = try CWLExpressionParser(bytes)
                return evaluate(try parser.expression())
            } catch {
                return unread(bytes)
            }
        case .body(let bytes):
            do throws(CWLExpressionParser.Unread) {
                var parser = try CWLExpressionParser(bytes)
                let statements = try parser.body()
                return run(statements) ?? .known(.null)
            } catch {
                return unread(bytes)
            }
        }
    }

    /// What is missing where JavaScript is not read: the inputs that the text names.
    private func unread(_ bytes: ArraySlice<UInt8>) -> CWLValue {
        let text = String(decoding: bytes, as: UTF8.self)
        let names = scope.inputs.keys.sorted().filter { text.contains("inputs." + $0) }
        let on = names.isEmpty ? "" : " on \(names.map { "input `\($0)`" }.joined(separator: ", "))"
        var result = CWLValue.unknown("JavaScript\(on) that is only known when it runs")
        for name in names { if let value = scope.inputs[name] { result = result.dependent(on: value) } }
        return result
    }

    // MARK: Statements

    /// The value returned; nil where the end is reached.
    private mutating func run(_ statements: [CWLStatement]) -> CWLValue? {
        for (index, statement) in statements.enumerated() {
            budget -= 1
            guard budget > 0 else { return .unknown("the expression is too long") }
            switch statement {
            case .declare(let name, let expression):
                variables[name] = expression.map { evaluate($0) } ?? .known(.null)
            case .evaluate: return .unknown("JavaScript that changes values")
            case .return(let expression): return expression.map { evaluate($0) } ?? .known(.null)
            case .if(let condition, let then, let otherwise):
                let rest = Array(statements[(index + 1)...])
                let value = evaluate(condition)
                if let truth = value.truth {
                    return (run((truth ? then : otherwise) + rest) ?? .known(.null)).dependent(on: value)
                }
                let before = variables
                let left = run(then + rest) ?? .known(.null)
                variables = before
                let right = run(otherwise + rest) ?? .known(.null)
                return left.or(right, because: value.missing ?? "a condition that differs").dependent(on: value)
            }
        }
        return nil
    }

    // MARK: Expressions

    private mutating func evaluate(_ expression: CWLExpression) -> CWLValue {
        budget -= 1
        guard budget > 0 else { return .unknown("the expression is too long") }
        switch expression {
        case .literal(let value): return .known(value)
        case .name("self"): return scope.this
        case .name("runtime"): return .unknown("`runtime` is known only when it runs")
        case .name(let name): return variables[name] ?? .unknown("`\(name.prefix(80))` has no value here")
        case .member(.name("inputs"), let key):
            guard case .string(let name) = evaluate(key).only else {
                return .unknown("an input whose name is computed")
            }
            return scope.inputs[name] ?? .unknown("there is no input `\(name.prefix(80))`")
        case .member(let base, let key):
            let what = "a member that is known only when it runs"
            let keyValue = evaluate(key)
            return evaluate(base).combined(with: keyValue, orUnknown: what, CWLEvaluator.member)
        case .call(let base, let name, let arguments): return call(evaluate(base), name, arguments)
        case .unary(let sign, let operand):
            return evaluate(operand).map({ CWLEvaluator.unary(sign, $0) }, orUnknown: "arithmetic on no number")
        case .binary(let sign, let left, let right): return binary(sign, left, right)
        case .conditional(let condition, let then, let otherwise):
            let value = evaluate(condition)
            if let truth = value.truth { return evaluate(truth ? then : otherwise).dependent(on: value) }
            let reason = value.missing ?? "a condition that differs"
            return evaluate(then).or(evaluate(otherwise), because: reason).dependent(on: value)
        case .array(let elements):
            var result = CWLValue.known(.array([]))
            for element in elements {
                result = result.combined(with: evaluate(element), orUnknown: "a list") { list, value in
                    guard case .array(let list) = list else { return nil }
                    return .array(list + [value])
                }
            }
            return result
        case .object(let members):
            var result = CWLValue.known(.object([:]))
            for member in members {
                result = result.combined(with: evaluate(member.value), orUnknown: "an object") { object, value in
                    guard case .object(var object) = object else { return nil }
                    object[member.key] = value
                    return .object(object)
                }
            }
            return result
        }
    }

    private mutating func binary(_ sign: CWLExpression.Operator, _ left: CWLExpression, _ right: CWLExpression)
        -> CWLValue
    {
        let first = evaluate(left)
        switch sign {
        case .and, .or, .coalesce:
            let isDone: Bool?
            switch sign {
            case .and: isDone = first.truth.map { !$0 }
            case .or: isDone = first.truth
            default: isDone = first.only.map { $0 != .null }
            }
            if isDone == true { return first }
            let second = evaluate(right).dependent(on: first)
            if isDone == false { return second }
            // Something unknown and false is false, as far as conditions go.
            if sign == .and, second.only == .bool(false) { return second }
            guard first.missing == nil else { return .unknown(first.missing ?? "").dependent(on: second) }
            return first.or(second, because: "a condition that differs")
        default:
            let second = evaluate(right)
            return first.combined(with: second, orUnknown: "an operator on values it is not read for") {
                CWLEvaluator.binary(sign, $0, $1)
            }
        }
    }

    private mutating func call(_ base: CWLValue, _ name: String, _ arguments: [CWLExpression]) -> CWLValue {
        let what = "a call of `\(name.prefix(80))` that is known only when it runs"
        var all = CWLValue.known(.array([]))
        for argument in arguments {
            all = all.combined(with: evaluate(argument), orUnknown: what) { list, value in
                guard case .array(let list) = list else { return nil }
                return .array(list + [value])
            }
        }
        return base.combined(with: all, orUnknown: what) { base, arguments in
            guard case .array(let arguments) = arguments else { return nil }
            return CWLMethods.call(base, name, arguments)
        }
    }

    // MARK: Operators on values

    /// Two scalars as one text. The engine would write `null` into it, which never is what was meant.
    private static func joined(_ left: ParameterValue, _ right: ParameterValue) -> ParameterValue? {
        guard left != .null, right != .null, let first = left.scriptText, let second = right.scriptText,
            first.utf8.count + second.utf8.count < 20_000
        else { return nil }
        return .string(first + second)
    }

    private static func member(_ base: ParameterValue, _ key: ParameterValue) -> ParameterValue? {
        switch (base, key) {
        case (.object(let members), .string(let name)):
            // A File or Directory gets more members when it is staged.
            if members[name] == nil, members["class"] != nil { return nil }
            return members[name] ?? .null
        case (.array(let elements), .string("length")): return .number(String(elements.count))
        case (.string(let text), .string("length")): return .number(String(text.utf16.count))
        case (.array(let elements), .number(let text)):
            guard let index = Int(text) else { return nil }
            return elements.indices.contains(index) ? elements[index] : .null
        default: return nil
        }
    }

    private static func unary(_ sign: CWLExpression.Operator, _ value: ParameterValue) -> ParameterValue? {
        switch (sign, value) {
        case (.not, _): return .bool(!value.isTruthy)
        case (.minus, .number(let text)):
            return Double(text).flatMap { JavaScriptNumber.text(-$0) }.map(ParameterValue.number)
        case (.plus, .number): return value
        case (.plus, .string(let text)):
            return Double(text).flatMap(JavaScriptNumber.text).map(ParameterValue.number)
        case (.typeOf, _):
            switch value {
            case .string: return .string("string")
            case .number: return .string("number")
            case .bool: return .string("boolean")
            case .array, .object: return .string("object")
            // Null and undefined are one value here, and differ in this alone.
            case .null: return nil
            }
        default: return nil
        }
    }

    private static func binary(
        _ sign: CWLExpression.Operator,
        _ left: ParameterValue,
        _ right: ParameterValue
    ) -> ParameterValue? {
        switch sign {
        case .same, .equal: return equal(left, right, strictly: sign == .same).map(ParameterValue.bool)
        case .notSame, .notEqual: return equal(left, right, strictly: sign == .notSame).map { .bool(!$0) }
        case .plus:
            if let first = number(left), let second = number(right) {
                return JavaScriptNumber.text(first + second).map(ParameterValue.number)
            }
            switch (left, right) {
            case (.string, _), (_, .string): return joined(left, right)
            default: return nil
            }
        case .minus, .times, .over, .modulo, .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let first = number(left), let second = number(right) else { return nil }
            switch sign {
            case .less: return .bool(first < second)
            case .lessOrEqual: return .bool(first <= second)
            case .greater: return .bool(first > second)
            case .greaterOrEqual: return .bool(first >= second)
            case .minus: return JavaScriptNumber.text(first - second).map(ParameterValue.number)
            case .times: return JavaScriptNumber.text(first * second).map(ParameterValue.number)
            case .over: return JavaScriptNumber.text(first / second).map(ParameterValue.number)
            default:
                let rest = first.truncatingRemainder(dividingBy: second)
                return JavaScriptNumber.text(rest).map(ParameterValue.number)
            }
        default: return nil
        }
    }

    private static func number(_ value: ParameterValue) -> Double? {
        if case .number(let text) = value { Double(text) } else { nil }
    }

    private static func equal(_ left: ParameterValue, _ right: ParameterValue, strictly: Bool) -> Bool? {
        switch (left, right) {
        case (.array, .array), (.object, .object): return nil
        case (.number, .number): return number(left) == number(right)
        case (.string, .string), (.bool, .bool), (.null, .null): return left == right
        case (.null, _), (_, .null): return false
        case (.number, .string), (.string, .number):
            if strictly { return false }
            // `1 == "1"`; anything odder is left open.
            guard let first = left.scriptText, let second = right.scriptText else { return nil }
            return first == second ? true : nil
        default: return strictly ? false : nil
        }
    }
}
