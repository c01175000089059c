/// Evaluates expressions over what is known before a run: parameters, the fixed environment, and values of the
/// configuration. Bounded in steps and depth.
final class NextflowEvaluator {
    /// Names and their values, innermost last.
    typealias Scope = [String: NextflowValue]

    /// A function or closure: its parameters and body, with the names it was made among.
    struct Code {
        var parameters: [String]
        var body: [NextflowToken]
        var scope: Scope
    }

    /// Top-level parameters and what set each; the run's own are not overwritten.
    var parameters: [String: NextflowValue] = [:]
    let given: Set<String>
    /// Top-level parameters that were looked at.
    private(set) var relevant: Set<String> = []
    var functions: [String: Code] = [:]
    let patterns = NextflowPatterns()
    private var closures: [Code] = []
    private var steps = 0
    private var depth = 0
    private static let mostSteps = 400_000
    private static let deepest = 60

    /// What the evaluator sees of the environment: only that a HealthOmics run is going on.
    private static let environment: [String: NextflowValue] = ["AWS_WORKFLOW_RUN": .string("run")]

    init(_ parameters: [String: ParameterValue]) {
        given = Set(parameters.keys)
        self.parameters = parameters.mapValues(NextflowValue.init)
    }

    var isExhausted: Bool { steps > Self.mostSteps }

    func set(parameter path: [String], to value: NextflowValue) {
        guard let first = path.first else { return }
        if path.count == 1 {
            if !given.contains(first) { parameters[first] = value }
            return
        }
        if given.contains(first) { return }
        parameters[first] = Self.setting(parameters[first] ?? .map([:]), path.dropFirst(), to: value)
    }

    static func setting(_ value: NextflowValue, _ path: ArraySlice<String>, to new: NextflowValue) -> NextflowValue {
        guard let first = path.first else { return new }
        var members: [String: NextflowValue] = [:]
        if case .map(let known) = value { members = known }
        members[first] = setting(members[first] ?? .map([:]), path.dropFirst(), to: new)
        return .map(members)
    }

    func closure(_ tokens: [NextflowToken], _ scope: Scope) -> NextflowValue {
        var parameters: [String] = []
        var body = tokens[...]
        if let arrow = Self.arrow(in: tokens) {
            parameters = tokens[..<arrow].compactMap(\.word)
            body = tokens[(arrow + 1)...]
        }
        closures.append(Code(parameters: parameters, body: Array(body), scope: scope))
        return .closure(closures.count - 1)
    }

    private static func arrow(in tokens: [NextflowToken]) -> Int? {
        for (index, token) in tokens.enumerated().prefix(24) {
            if token.isSymbol("->") { return index }
            if token.isSymbol("{") || token.isSymbol("(") { return nil }
        }
        return nil
    }

    /// A value with closures in its place called: what a directive comes to.
    func settled(_ value: NextflowValue, _ scope: Scope) -> NextflowValue {
        guard case .closure(let id) = value, closures.indices.contains(id) else { return value }
        return call(closures[id], [], scope)
    }

    /// Calls a closure with one argument.
    func apply(_ closure: NextflowValue, _ argument: NextflowValue, _ scope: Scope) -> NextflowValue {
        guard case .closure(let id) = closure, closures.indices.contains(id) else { return .unknown("a closure") }
        return call(closures[id], [argument], scope)
    }

    func note(parameter: String) { relevant.insert(parameter) }

    func call(_ code: Code, _ arguments: [NextflowValue], _ extra: Scope = [:]) -> NextflowValue {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest, !isExhausted else { return .unknown("code nested too deeply") }
        var scope = code.scope.merging(extra) { _, new in new }
        for (index, name) in code.parameters.enumerated() {
            scope[name] = index < arguments.count ? arguments[index] : .null
        }
        if code.parameters.isEmpty { scope["it"] = arguments.first ?? .null }
        var result: NextflowValue?
        let last = run(code.body[...], &scope, &result)
        return result ?? last
    }

    // MARK: Statements

    /// Runs statements; gives the value of the last, or of `return` through `result`.
    @discardableResult
    func run(_ tokens: ArraySlice<NextflowToken>, _ scope: inout Scope, _ result: inout NextflowValue?) -> NextflowValue
    {
        var last = NextflowValue.null
        var index = tokens.startIndex
        while index < tokens.endIndex, result == nil {
            steps += 1
            if isExhausted { return .unknown("too much code") }
            let token = tokens[index]
            if token.isNewline || token.isSymbol(";") {
                index += 1
            } else if token.isWord("if") {
                index = branch(tokens, index, &scope, &result, &last)
            } else {
                let end = NextflowTokens.statementEnd(tokens, from: index)
                last = statement(tokens[index..<end], &scope, &result)
                index = max(end, index + 1)
            }
        }
        return last
    }

    private func statement(
        _ tokens: ArraySlice<NextflowToken>,
        _ scope: inout Scope,
        _ result: inout NextflowValue?
    ) -> NextflowValue {
        var rest = tokens
        if rest.first?.isWord("return") == true {
            rest = rest.dropFirst()
            let value = rest.isEmpty ? .null : evaluate(rest, scope)
            result = value
            return value
        }
        if rest.first?.isWord("def") == true || rest.first?.isWord("final") == true { rest = rest.dropFirst() }
        if rest.count > 2, rest[rest.startIndex].word != nil, rest[rest.startIndex + 1].word != nil {
            // A type before the name.
            rest = rest.dropFirst()
        }
        if rest.count > 2, let name = rest.first?.word, rest[rest.startIndex + 1].isSymbol("=") {
            let value = evaluate(rest.dropFirst(2), scope)
            scope[name] = value
            return value
        }
        return evaluate(rest, scope)
    }

    /// An if with its else; an unknown condition runs both and keeps what both say.
    private func branch(
        _ tokens: ArraySlice<NextflowToken>,
        _ start: Int,
        _ scope: inout Scope,
        _ result: inout NextflowValue?,
        _ last: inout NextflowValue
    ) -> Int {
        let parts = NextflowBranch(tokens, start)
        let condition = evaluate(parts.condition, scope)
        switch condition.truth {
        case true?: last = run(parts.yes, &scope, &result)
        case false?: last = parts.no.map { run($0, &scope, &result) } ?? .null
        case nil:
            let why = condition.missing ?? "a condition"
            var (first, second) = (scope, scope)
            var (firstResult, secondResult): (NextflowValue?, NextflowValue?)
            let one = run(parts.yes, &first, &firstResult)
            let two = parts.no.map { run($0, &second, &secondResult) } ?? .null
            for name in Set(first.keys).union(second.keys) {
                let (left, right) = (first[name] ?? .null, second[name] ?? .null)
                scope[name] = left == right ? left : .either([left, right], why)
            }
            if let firstResult, let secondResult { result = .either([firstResult, secondResult], why) }
            last = .either([firstResult ?? one, secondResult ?? two], why)
        }
        return parts.end
    }

    // MARK: Expressions

    func evaluate(_ tokens: ArraySlice<NextflowToken>, _ scope: Scope) -> NextflowValue {
        var parser = NextflowExpressionParser(tokens)
        return value(parser.expression(), scope)
    }

    func value(_ expression: NextflowExpression, _ scope: Scope) -> NextflowValue {
        steps += 1
        depth += 1
        defer { depth -= 1 }
        if isExhausted || depth > Self.deepest * 4 { return .unknown("too much code") }
        switch expression {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .number(let text): return .number(text)
        case .string(let parts, _): return string(parts, scope)
        case .name(let name, _): return self.name(name, scope)
        case .member(let base, let name): return member(base, name, scope)
        case .element(let base, let index): return element(value(base, scope), value(index, scope), base)
        case .call(let base, let name, let arguments, _): return call(base, name, arguments, scope)
        case .list(let values): return .list(values.map { value($0, scope) })
        case .map(let pairs):
            var members: [String: NextflowValue] = [:]
            for (key, item) in pairs { if let text = value(key, scope).text { members[text] = value(item, scope) } }
            return .map(members)
        case .closure(let tokens, _): return closure(tokens, scope)
        case .not(let inner):
            let inner = value(inner, scope)
            return inner.truth.map { .bool(!$0) } ?? .unknown(inner.missing ?? "a condition")
        case .binary(let symbol, let left, let right): return binary(symbol, left, right, scope)
        case .ternary(let condition, let yes, let no):
            let condition = value(condition, scope)
            guard let truth = condition.truth else {
                return .either([value(yes, scope), value(no, scope)], condition.missing ?? "a condition")
            }
            return value(truth ? yes : no, scope)
        case .opaque(let text, _): return .unknown("code that is not evaluated (\(text))")
        }
    }

    private func string(_ parts: [NextflowExpression.Part], _ scope: Scope) -> NextflowValue {
        var texts = [""]
        var why: String?
        for part in parts {
            switch part {
            case .text(let text): texts = texts.map { $0 + text }
            case .value(let expression):
                let value = settled(value(expression, scope), scope)
                switch value {
                case .oneOf(let values, let reason):
                    let pieces = values.compactMap(\.text)
                    guard pieces.count == values.count, texts.count * pieces.count <= NextflowValue.widest else {
                        return .unknown(reason)
                    }
                    why = reason
                    texts = texts.flatMap { text in pieces.map { text + $0 } }
                case .null:
                    // An undefined value in a string is no part of a name that anybody meant.
                    return .unknown("`\(Self.describe(expression))` has no value")
                default:
                    guard let piece = value.text else { return .unknown(value.missing ?? Self.describe(expression)) }
                    texts = texts.map { $0 + piece }
                }
            }
            if texts.contains(where: { $0.utf8.count > 4096 }) { return .unknown("a text of more than 4,096 bytes") }
        }
        if texts.count == 1 { return .string(texts[0]) }
        return .either(texts.map(NextflowValue.string), why ?? "a condition")
    }

    static func describe(_ expression: NextflowExpression) -> String {
        switch expression {
        case .name(let name, _): name
        case .member(let base, let name): "\(describe(base)).\(name)"
        case .element(let base, _): "\(describe(base))[…]"
        case .call(let base, let name, _, _): (base.map { describe($0) + "." } ?? "") + "\(name)(…)"
        case .string: "a string"
        default: "an expression"
        }
    }

    private func name(_ name: String, _ scope: Scope) -> NextflowValue {
        if let value = scope[name] { return value }
        switch name {
        case "params": return .map(parameters)
        case "projectDir", "baseDir", "launchDir", "workDir", "moduleDir": return .unknown("`\(name)` of the run")
        default: break
        }
        if let value = Self.environment[name] { return value }
        return .unknown("`\(name)` is known only in the run")
    }

    private func member(_ base: NextflowExpression, _ name: String, _ scope: Scope) -> NextflowValue {
        if case .name("params", _) = base, scope["params"] == nil {
            relevant.insert(name)
            return parameters[name] ?? .null
        }
        if case .name("workflow", _) = base, scope["workflow"] == nil { return Self.workflow(name) }
        if case .name("env", _) = base { return Self.environment[name] ?? .null }
        return member(of: value(base, scope), name, base)
    }

    private func member(of value: NextflowValue, _ name: String, _ base: NextflowExpression) -> NextflowValue {
        switch value {
        case .map(let members): return members[name] ?? .null
        case .null: return .null
        case .oneOf(let values, let why): return .either(values.map { member(of: $0, name, base) }, why)
        case .unknown(let why): return .unknown(why)
        default: return .unknown("`\(Self.describe(base)).\(name)`")
        }
    }

    private static func workflow(_ name: String) -> NextflowValue {
        switch name {
        case "containerEngine": .string("docker")
        case "profile": .unknown("`workflow.profile` of the run")
        default: .unknown("`workflow.\(name)` of the run")
        }
    }

    private func element(
        _ base: NextflowValue,
        _ index: NextflowValue,
        _ expression: NextflowExpression
    ) -> NextflowValue {
        switch (base, index) {
        case (.oneOf(let values, let why), _): return .either(values.map { element($0, index, expression) }, why)
        case (_, .oneOf(let indices, let why)): return .either(indices.map { element(base, $0, expression) }, why)
        case (.map(let members), _):
            if case .name("params", _) = expression, let key = index.text { relevant.insert(key) }
            guard let key = index.text else { return .unknown(index.missing ?? "a key") }
            return members[key] ?? .null
        case (.list(let values), .number(let text)):
            guard let number = Int(text) else { return .null }
            let position = number < 0 ? values.count + number : number
            return values.indices.contains(position) ? values[position] : .null
        case (.null, _): return .null
        default: return .unknown(base.missing ?? index.missing ?? Self.describe(expression))
        }
    }

    private func binary(
        _ symbol: String,
        _ left: NextflowExpression,
        _ right: NextflowExpression,
        _ scope: Scope
    ) -> NextflowValue {
        let first = value(left, scope)
        switch symbol {
        case "&&":
            if first.truth == false { return .bool(false) }
            let second = value(right, scope)
            if second.truth == false { return .bool(false) }
            if first.truth == true, second.truth == true { return .bool(true) }
            return .unknown(first.missing ?? second.missing ?? "a condition")
        case "||":
            if first.truth == true { return .bool(true) }
            let second = value(right, scope)
            if second.truth == true { return .bool(true) }
            if first.truth == false, second.truth == false { return .bool(false) }
            return .unknown(first.missing ?? second.missing ?? "a condition")
        case "?:":
            if let truth = first.truth { return truth ? first : value(right, scope) }
            return .either([first, value(right, scope)], first.missing ?? "a condition")
        default: break
        }
        let second = value(right, scope)
        if case .oneOf(let values, let why) = first {
            return .either(values.map { combine(symbol, $0, second) }, why)
        }
        if case .oneOf(let values, let why) = second {
            return .either(values.map { combine(symbol, first, $0) }, why)
        }
        return combine(symbol, first, second)
    }

    private func combine(_ symbol: String, _ first: NextflowValue, _ second: NextflowValue) -> NextflowValue {
        if let why = first.missing ?? second.missing { return .unknown(why) }
        switch symbol {
        case "==": return .bool(Self.equal(first, second))
        case "!=": return .bool(!Self.equal(first, second))
        case "in":
            switch second {
            case .list(let values): return .bool(values.contains { Self.equal($0, first) })
            case .map(let members): return .bool(first.text.map { members[$0] != nil } ?? false)
            case .string(let text): return .bool(first.text.map { text.contains($0) } ?? false)
            default: return .bool(false)
            }
        case "+":
            if case .list(let left) = first {
                if case .list(let right) = second { return .list(left + right) }
                return .list(left + [second])
            }
            if case .map(let left) = first, case .map(let right) = second {
                return .map(left.merging(right) { _, new in new })
            }
            if case .number(let left) = first, case .number(let right) = second,
                let sum = Self.arithmetic(symbol, left, right)
            {
                return .number(sum)
            }
            guard let left = first.text, let right = second.text, left.utf8.count + right.utf8.count <= 4096 else {
                return .unknown("a sum")
            }
            return .string(left + right)
        case "-", "*", "/", "%", "<", ">", "<=", ">=":
            if case .string(let left) = first, case .string(let right) = second, symbol == "-" {
                guard let range = left.firstRange(of: right) else { return first }
                return .string(String(left[..<range.lowerBound] + left[range.upperBound...]))
            }
            guard case .number(let left) = first, case .number(let right) = second else {
                return .unknown("a calculation")
            }
            if let a = Double(left), let b = Double(right) {
                switch symbol {
                case "<": return .bool(a < b)
                case ">": return .bool(a > b)
                case "<=": return .bool(a <= b)
                case ">=": return .bool(a >= b)
                default: break
                }
            }
            return Self.arithmetic(symbol, left, right).map(NextflowValue.number) ?? .unknown("a calculation")
        case "==~", "=~":
            guard let text = first.text, let pattern = second.text else { return .unknown("a match") }
            return patterns.matches(pattern, text, whole: symbol == "==~").map(NextflowValue.bool)
                ?? .unknown("the pattern `\(pattern)`")
        default: return .unknown("`\(symbol)`")
        }
    }

    private static func equal(_ first: NextflowValue, _ second: NextflowValue) -> Bool {
        if first == second { return true }
        if case .number(let left) = first, case .number(let right) = second { return Double(left) == Double(right) }
        return false
    }

    private static func arithmetic(_ symbol: String, _ left: String, _ right: String) -> String? {
        guard let a = Int(left), let b = Int(right) else { return nil }
        switch symbol {
        case "+":
            let (sum, overflow) = a.addingReportingOverflow(b)
            return overflow ? nil : String(sum)
        case "-":
            let (difference, overflow) = a.subtractingReportingOverflow(b)
            return overflow ? nil : String(difference)
        case "*":
            let (product, overflow) = a.multipliedReportingOverflow(by: b)
            return overflow ? nil : String(product)
        case "%" where b != 0 && b != -1: return String(a % b)
        default: return nil
        }
    }
}
