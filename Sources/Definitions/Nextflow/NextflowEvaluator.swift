/// Evaluates Groovy as far as it is known before a run. Nothing outside the definition and the request is seen.
final class NextflowEvaluator {
    static let maximumText = 1 << 16
    static let maximumElements = 10_000
    private static let maximumDepth = 150
    private static let maximumSteps = 1_500_000

    private var steps = 0
    private var wasExhausted = false
    private var depth = 0
    /// Names that a process gives to closures of the configuration (`task`); asked last.
    var delegate: ((String) -> NextflowValue?)?
    /// Parameters that the calls under way have read, the innermost last.
    private var readings: [Set<String>] = []

    /// Whether all work of this part is used up: everything after is unknown.
    var isSpent: Bool { steps >= Self.maximumSteps }

    /// Whether that happened in this part or one before.
    var isExhausted: Bool { wasExhausted || isSpent }

    /// Begins a further part of the work, with as much of it: one endless file does not hide what the others say.
    func renew() {
        wasExhausted = isExhausted
        steps = 0
    }

    /// A parameter that is read.
    func read(_ parameter: String) {
        if !readings.isEmpty { readings[readings.count - 1].insert(parameter) }
    }

    func spend(_ amount: Int = 1) -> Bool {
        steps += amount
        return steps < Self.maximumSteps
    }

    func evaluate(_ expression: NextflowExpression, _ scope: NextflowScope) -> NextflowValue {
        guard spend() else { return .unknown("the definition takes too much work to evaluate") }
        guard depth < Self.maximumDepth else { return .unknown("nested too deeply to evaluate") }
        depth += 1
        defer { depth -= 1 }
        func here(_ kind: NextflowValue.Kind) -> NextflowValue {
            NextflowValue(kind, trace: NextflowTrace(places: [.source(file: scope.file, line: Int(expression.line))]))
        }
        switch expression.kind {
        case .null: return .null
        case .bool(let value): return here(.bool(value))
        case .number(let text): return here(NextflowValue.number(text))
        case .string(let text): return here(.string(text))
        case .template(let parts):
            return template(parts, scope).at(.source(file: scope.file, line: Int(expression.line)))
        case .name(let name): return self.name(name, scope)
        case .list(let elements): return list(elements, scope)
        case .map(let entries): return map(entries, scope)
        case .closure(let closure): return here(.function(NextflowFunction(closure, scope)))
        case .member(let target, let name):
            return evaluate(target, scope).lifted { self.member($0, name, of: target) }
        case .spread(let target, let name):
            return evaluate(target, scope).lifted { value in
                guard case .list(let all) = value.kind else { return self.unknown(value, "a spread member") }
                return NextflowValue(.list(all.map { self.member($0, name, of: target) }), trace: value.trace)
            }
        case .index(let target, let key):
            let place = evaluate(key, scope)
            return evaluate(target, scope).lifted { value in place.lifted { self.element(value, $0, of: target) } }
        case .call(let target, let name, let arguments): return call(target, name, arguments, scope)
        case .apply(let target, let arguments):
            let value = evaluate(target, scope)
            guard case .function(let function) = value.kind else { return unknown(value, "a call of a value") }
            return call(function, arguments.map { evaluate($0, scope) })
        case .unary(let operation, let operand):
            guard operation.utf8.count > 1, operation != "()" else { return unary(operation, evaluate(operand, scope)) }
            return step(operation, operand, scope)
        case .binary(let operation, let left, let right): return binary(operation, left, right, scope)
        case .ternary(let test, let then, let other):
            return choose(evaluate(test, scope), test) { self.evaluate($0 ? then : other, scope) }
        case .elvis(let test, let other):
            let value = evaluate(test, scope)
            return value.lifted { candidate in
                switch candidate.truth {
                case true: candidate
                case false: self.evaluate(other, scope).tracing(NextflowTrace(parameters: candidate.trace.parameters))
                default: NextflowValue.oneOf([candidate, self.evaluate(other, scope)], candidate.reasons)
                }
            }
        case .opaque(let what): return .unknown("`\(what)` is not evaluated")
        }
    }

    /// `++name`, `name--`: the value before or after the change.
    private func step(
        _ operation: String,
        _ operand: NextflowExpression,
        _ scope: NextflowScope
    ) -> NextflowValue {
        let old = evaluate(operand, scope)
        let changed = old.lifted { self.operate(String(operation.prefix(1)), $0, NextflowValue(.integer(1))) }
        if case .name(let name) = operand.kind, scope.variable(name) != nil { scope.assign(name, changed) }
        return operation.utf8.count > 2 ? old : changed
    }

    func unknown(_ value: NextflowValue, _ otherwise: String) -> NextflowValue {
        NextflowValue(
            .unknown(value.reasons.isEmpty ? ["\(otherwise) is not known before the run"] : value.reasons),
            trace: value.trace
        )
    }

    /// The value of the way a condition takes, or of both.
    private func choose(
        _ test: NextflowValue,
        _ expression: NextflowExpression,
        _ way: (Bool) -> NextflowValue
    ) -> NextflowValue {
        let cause = NextflowTrace(parameters: test.trace.parameters)
        if let truth = test.truth { return way(truth).tracing(cause) }
        let reasons = test.reasons.isEmpty ? ["a condition that is not known before the run"] : test.reasons
        return NextflowValue.oneOf([way(true), way(false)], reasons).tracing(cause)
    }

    private func template(_ parts: [NextflowExpression.Part], _ scope: NextflowScope) -> NextflowValue {
        var result = NextflowValue(.string(""))
        for part in parts {
            switch part {
            case .text(let text):
                result = result.lifted { self.joined($0, NextflowValue(.string(text))) }
            case .value(let expression):
                var value = evaluate(expression, scope)
                if case .function(let function) = value.kind { value = call(function, []) }
                value = value.lifted { candidate in
                    guard candidate.isNull else { return candidate }
                    var missing = "`\(Self.source(expression))` has no value"
                    if case .null(let known?) = candidate.kind { missing = known }
                    return NextflowValue(.unknown([missing]), trace: candidate.trace)
                }
                result = result.lifted { left in value.lifted { self.joined(left, $0) } }
            }
        }
        result.isTemplate = true
        return result
    }

    /// Two texts as one.
    func joined(_ left: NextflowValue, _ right: NextflowValue) -> NextflowValue {
        var trace = left.trace
        trace.add(right.trace)
        if case .unknown = left.kind {
            return NextflowValue(.unknown(NextflowValue.union(left.reasons, right.reasons)), trace: trace)
        }
        guard let one = left.text(), let two = right.text() else {
            return NextflowValue(
                .unknown(right.reasons.isEmpty ? ["a value without a text of its own"] : right.reasons),
                trace: trace
            )
        }
        guard one.utf8.count + two.utf8.count <= Self.maximumText, spend(1 + two.utf8.count / 256) else {
            return NextflowValue(.unknown(["a text of more than \(Self.maximumText) bytes"]), trace: trace)
        }
        return NextflowValue(.string(one + two), trace: trace)
    }

    /// An expression as a person would name it, for reasons.
    static func source(_ expression: NextflowExpression) -> String {
        switch expression.kind {
        case .name(let name): name
        case .member(let target, let name): source(target) + "." + name
        case .call(_, let name, _): name + "()"
        case .string(let text): "'\(text.prefix(40))'"
        default: "an expression"
        }
    }

    // MARK: Names

    private func name(_ name: String, _ scope: NextflowScope) -> NextflowValue {
        if let value = scope.variable(name) ?? scope.outside(name) ?? delegate?(name) { return value }
        if let found = scope.function(name) { return NextflowValue(.function(found)) }
        if let value = Self.environment(name) { return value }
        return .unknown("`\(name)` is known only when the run is under way")
    }

    /// The environment HealthOmics gives the engine, as far as it is documented; everything else is not set.
    static func environment(_ name: String) -> NextflowValue? {
        name == "AWS_WORKFLOW_RUN" ? NextflowValue(.string("true")) : nil
    }

    /// What `System.getenv(name)` answers.
    static func getenv(_ name: String) -> NextflowValue {
        if let value = environment(name) { return value }
        let own: Set<String> = [
            "HOME", "PATH", "PWD", "USER", "HOSTNAME", "TMPDIR", "AWS_REGION", "AWS_DEFAULT_REGION", "NXF_HOME", "LANG",
        ]
        return own.contains(name)
            ? .unknown("the environment variable `\(name)` is not known before the run")
            : NextflowValue(.null("the environment variable `\(name)` is not set"))
    }

    func member(_ value: NextflowValue, _ name: String, of target: NextflowExpression) -> NextflowValue {
        switch value.kind {
        case .map(let map):
            if let found = map[name] { return found.tracing(NextflowTrace(parameters: value.trace.parameters)) }
            if name == "size" || name == "length" { break }
            return NextflowValue(.null("`\(Self.source(target)).\(name)` is not set"), trace: value.trace)
        case .object(let object): return object.member(name)
        case .null, .absent:
            if case .null(let missing?) = value.kind { return NextflowValue(.null(missing), trace: value.trace) }
            return NextflowValue(.null("`\(Self.source(target))` is not set"), trace: value.trace)
        case .list(let all) where !all.isEmpty:
            return NextflowValue(.list(all.map { self.member($0, name, of: target) }), trace: value.trace)
        case .list where ["empty", "size", "length"].contains(name): break
        default: break
        }
        if case .unknown = value.kind { return value }
        return unknown(value, "`\(Self.source(target)).\(name)`")
    }

    private func element(_ value: NextflowValue, _ key: NextflowValue, of target: NextflowExpression) -> NextflowValue {
        var cause = value.trace
        cause.add(key.trace)
        switch (value.kind, key.kind) {
        case (.list(let all), .integer(let index)):
            let place = index < 0 ? index &+ all.count : index
            guard all.indices.contains(place) else { return NextflowValue(.null(nil), trace: cause) }
            return all[place].tracing(NextflowTrace(parameters: cause.parameters))
        case (.string, .list(let all)) where all.isEmpty: return NextflowValue(.string(""), trace: cause)
        case (.list, .list(let all)) where all.isEmpty: return NextflowValue(.list([]), trace: cause)
        case (.string(let text), .integer(let index)):
            let characters = Array(text.unicodeScalars)
            let place = index < 0 ? index &+ characters.count : index
            guard characters.indices.contains(place) else { return unknown(value, "a character") }
            return NextflowValue(.string(String(characters[place])), trace: cause)
        case (.map(let map), .unknown):
            // One of the map's values: what the key is, the run decides.
            let values = map.keys.compactMap { map[$0] }
            guard !values.isEmpty else { return NextflowValue(.unknown(key.reasons), trace: cause) }
            return NextflowValue.oneOf(values, key.reasons).tracing(cause)
        case (.map(let map), _):
            guard let name = key.text() else { break }
            if let found = map[name] { return found.tracing(NextflowTrace(parameters: cause.parameters)) }
            return NextflowValue(.null("`\(Self.source(target))` has no `\(name)`"), trace: cause)
        case (.object(let object), .string(let name)): return object.member(name)
        case (.null, _), (.absent, _): return member(value, "[]", of: target)
        case (_, .unknown(let reasons)): return NextflowValue(.unknown(reasons), trace: cause)
        default: break
        }
        return unknown(value, "an element of `\(Self.source(target))`")
    }

    // MARK: Literals

    private func list(_ elements: [NextflowExpression], _ scope: NextflowScope) -> NextflowValue {
        var all: [NextflowValue] = []
        for element in elements {
            if case .unary("*", let inner) = element.kind {
                let value = evaluate(inner, scope)
                guard case .list(let more) = value.kind else { return unknown(value, "a spread list") }
                all += more
            } else {
                all.append(evaluate(element, scope))
            }
            guard all.count <= Self.maximumElements else { return .unknown("a list that is too long") }
        }
        return NextflowValue(.list(all), trace: Self.parameters(of: all))
    }

    /// What a list or map depends on through its elements.
    private static func parameters(of elements: [NextflowValue]) -> NextflowTrace {
        var names: Set<String> = []
        for element in elements { names.formUnion(element.trace.parameters) }
        return NextflowTrace(parameters: names.sorted())
    }

    private func map(
        _ entries: [(key: NextflowExpression, value: NextflowExpression)],
        _ scope: NextflowScope
    ) -> NextflowValue {
        var map = NextflowMap()
        for entry in entries {
            let value = evaluate(entry.value, scope)
            if case .unary("*", _) = entry.key.kind {
                guard let more = value.map else { return unknown(value, "a spread map") }
                for key in more.keys { map[key] = more[key] }
                continue
            }
            let key = evaluate(entry.key, scope)
            guard let name = key.text() else { return unknown(key, "a key") }
            map[name] = value.tracing(NextflowTrace(parameters: key.trace.parameters))
        }
        return NextflowValue(.map(map), trace: Self.parameters(of: map.keys.compactMap { map[$0] }))
    }

    // MARK: Calls

    private func environment(_ name: NextflowExpression, _ scope: NextflowScope) -> NextflowValue {
        evaluate(name, scope).lifted { value in
            value.string.map(Self.getenv) ?? self.unknown(value, "an environment variable")
        }
    }

    /// Methods that change the list or map they are called on.
    static let changers: Set<String> = [
        "add", "addAll", "addFirst", "addLast", "append", "clear", "computeIfAbsent", "delete", "insert", "leftShift",
        "merge", "poll", "pop", "push", "put", "putAll", "putAt", "putIfAbsent", "remove", "removeAll", "removeAt",
        "removeElement", "removeIf", "retainAll", "reverse", "setLength", "shuffle", "sort", "swap", "unique",
    ]
    /// Of these, those that change what they are called on only with an argument `true`.
    private static let copiers: Set<String> = ["reverse", "sort", "unique"]

    /// Methods that change the list or map a variable holds.
    private func change(
        _ variable: String,
        _ method: String,
        _ arguments: [NextflowExpression],
        _ scope: NextflowScope
    ) -> NextflowValue? {
        guard Self.changers.contains(method), let old = scope.variable(variable) else { return nil }
        switch old.kind {
        case .list, .map, .oneOf: break
        default: return nil
        }
        let values = arguments.map { evaluate($0, scope) }
        switch (method, old.kind, values.count) {
        case ("put", .map, 2): _ = assign([variable], values[0], "=", values[1], scope)
        case ("putAll", .map, 1), ("addAll", .list, 1): scope.assign(variable, operate("+", old, values[0]))
        case ("add", .list, 1): scope.assign(variable, operate("<<", old, values[0]))
        default:
            let result = old.lifted { self.method($0, method, values) }
            scope.forget([variable], ["`\(method)()` is not evaluated"])
            // `list.sort()` changes the list as well, to what it answers.
            if Self.copiers.contains(method), values.isEmpty { scope.assign(variable, result) }
            return result
        }
        return NextflowValue(.bool(true))
    }

    /// Closures that were given to what is not evaluated: they may run, once or often, and change what they name.
    private func disturb(_ arguments: [NextflowValue], _ reasons: [String]) {
        for argument in arguments {
            guard case .function(let function) = argument.kind else { continue }
            function.scope.forget(function.closure.changed, reasons)
        }
    }

    func call(_ function: NextflowFunction, _ arguments: [NextflowValue]) -> NextflowValue {
        guard spend(5) else { return .unknown("the definition takes too much work to evaluate") }
        guard depth < Self.maximumDepth - 20 else { return .unknown("calls nested too deeply to evaluate") }
        depth += 20
        defer { depth -= 20 }
        readings.append([])
        let scope = NextflowScope(file: function.scope.file, parent: function.scope)
        if let names = function.closure.parameters {
            var values = arguments
            // A list is taken apart for a closure of several parameters.
            if names.count > 1, arguments.count == 1, case .list(let parts) = arguments[0].kind { values = parts }
            for (index, parameter) in names.enumerated() {
                scope.variables[parameter.name] =
                    index < values.count ? values[index] : parameter.fallback.map { evaluate($0, scope) } ?? .null
            }
        } else if let first = arguments.first {
            scope.variables["it"] = first
        }
        let result = run(function.closure.body, scope).result
        // Whatever was read on the way may have decided the result.
        let read = readings.removeLast()
        guard !read.isEmpty else { return result }
        if !readings.isEmpty { readings[readings.count - 1].formUnion(read) }
        return result.tracing(NextflowTrace(parameters: read.sorted()))
    }

    private func call(
        _ target: NextflowExpression?,
        _ name: String,
        _ arguments: [NextflowExpression],
        _ scope: NextflowScope
    ) -> NextflowValue {
        guard let target else {
            if case .function(let function)? = scope.variable(name)?.kind {
                return call(function, arguments.map { evaluate($0, scope) })
            }
            if let found = scope.function(name) { return call(found, arguments.map { evaluate($0, scope) }) }
            switch (name, arguments.first) {
            case ("file", let first?):
                return evaluate(first, scope).lifted { path in
                    var file = path
                    file.isFile = true
                    return file
                }
            case ("env", let first?): return environment(first, scope)
            default: break
            }
            let reasons = ["`\(name)()` is not evaluated"]
            let closures = arguments.filter { if case .closure = $0.kind { true } else { false } }
            disturb(closures.map { evaluate($0, scope) }, reasons)
            return NextflowValue(.unknown(reasons))
        }
        if case .name("System") = target.kind, name == "getenv" {
            guard let first = arguments.first else { return .unknown("the environment is not known before the run") }
            return environment(first, scope)
        }
        if case .name(let variable) = target.kind, let changed = change(variable, name, arguments, scope) {
            return changed
        }
        let value = evaluate(target, scope)
        let values = arguments.map { evaluate($0, scope) }
        let isChanging = values.contains { if case .function = $0.kind { true } else { false } }
        let result = value.lifted { one in
            guard let first = values.first, case .oneOf = first.kind else { return self.method(one, name, values) }
            return first.lifted { self.method(one, name, [$0] + values.dropFirst()) }
        }
        guard isChanging else { return result }
        if result.reasons.isEmpty, value.reasons.isEmpty {
            for case .function(let function) in values.map(\.kind) {
                function.scope.taint(function.closure.changed, result.trace)
            }
        } else {
            disturb(values, NextflowValue.union(result.reasons, value.reasons))
        }
        return result
    }
}
