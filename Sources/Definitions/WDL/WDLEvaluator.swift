/// Evaluates names and calls, lazily and once each: only what an image or a condition hangs on.
final class WDLEvaluator {
    /// Evaluated nodes in all; a definition of 400 calls takes some ten thousand.
    private static let maximumSteps = 1_000_000
    /// Nested evaluations, and so the stack.
    private static let maximumDepth = 200
    private static let maximumCallDepth = 30
    /// Scopes in all, and how many may be made before scatters are passed through once.
    private static let maximumScopes = 60_000
    static let generousScopes = 6_000
    static let maximumElements = 2_000
    static let maximumText = 1 << 13

    let library: WDLLibrary
    /// Cromwell's dialect, which writes floats in ways of its own.
    let isLenient: Bool
    var parameters: WDLParameters
    private var steps = 0
    private var depth = 0
    private var scopes: [WDLScope] = []
    private var reasons = WDLReasons.initial
    private var reasonNumbers: [String: Int32] = [:]
    private var parameterPlaces: [String] = []
    private var parameterNumbers: [String: UInt64] = [:]
    /// Inputs that were looked at, are not given, and that a run may give: reasons, since tracking began.
    private var open: [Int32] = []

    init(library: WDLLibrary, parameters: WDLParameters, isLenient: Bool = false) {
        self.library = library
        self.isLenient = isLenient
        self.parameters = parameters
    }

    deinit { for scope in scopes { scope.children = [:]; scope.called = [:] } }

    var isExhausted: Bool { steps > Self.maximumSteps || scopes.count >= Self.maximumScopes }

    /// Whether so few scopes were made that more may be made for the order of calls alone.
    var isSmall: Bool { scopes.count < Self.generousScopes }

    // MARK: Reasons and places

    func reason(_ text: String) -> Int32 {
        if let number = reasonNumbers[text] { return number }
        guard reasons.count < 20_000 else { return WDLReasons.tooMany }
        let number = Int32(reasons.count)
        reasons.append(text)
        reasonNumbers[text] = number
        return number
    }

    func unknown(_ text: String) -> WDLValue { .unknown([reason(text)]) }

    func text(_ numbers: [Int32]) -> String {
        let shown = numbers.prefix(4).map { reasons[Int($0)] }
        return shown.joined(separator: "; ") + (numbers.count > 4 ? "; and \(numbers.count - 4) more" : "")
    }

    func place(document: Int, line: Int) -> UInt64 { UInt64(document) << 32 | UInt64(UInt32(clamping: line)) }

    private func place(parameter: String) -> UInt64 {
        if let number = parameterNumbers[parameter] { return number }
        let number = UInt64(parameterPlaces.count) | 1 << 63
        parameterPlaces.append(parameter)
        parameterNumbers[parameter] = number
        return number
    }

    func evidence(_ place: UInt64) -> Evidence {
        if place >> 63 == 1 { return .parameter(path: parameterPlaces[Int(place & 0xFFFF_FFFF)]) }
        return .source(file: library.documents[Int(place >> 32)].path, line: Int(place & 0xFFFF_FFFF))
    }

    func shortPlace(_ scope: WDLScope, _ line: Int) -> String {
        "\(library.documents[scope.callable.document].path):\(line)"
    }

    // MARK: Inputs that a run may give

    /// What a body gives, and the inputs that it hangs on which a run may give.
    private func tracking<Result>(_ body: () -> Result) -> (result: Result, open: [Int32]) {
        let outside = open
        open = []
        let result = body()
        let inside = open
        open = WDLValue.union(outside, inside)
        return (result, inside)
    }

    private func look(at more: [Int32]) { open = WDLValue.union(open, more) }

    // MARK: Scopes

    func makeScope(_ instance: WDLInstance, block: Int, parent: WDLScope?, element: WDLValue? = nil) -> WDLScope {
        let scope = WDLScope(instance: instance, block: block, parent: parent, element: element)
        scopes.append(scope)
        return scope
    }

    /// The passes through a block below a scope: one, or one per element of a scatter. None where an array is empty.
    func children(_ block: Int, of scope: WDLScope) -> [WDLScope] {
        if let known = scope.children[block] {
            if let inputs = scope.openScatters[block] { look(at: inputs) }
            return known
        }
        let (made, inputs) = tracking { makeChildren(block, of: scope) }
        scope.children[block] = made
        scope.openScatters[block] = inputs
        return made
    }

    private func makeChildren(_ block: Int, of scope: WDLScope) -> [WDLScope] {
        guard case .scatter(_, let over) = scope.callable.blocks[block].kind else {
            return [makeScope(scope.instance, block: block, parent: scope)]
        }
        let array = value(over, in: scope)
        if case .array(let elements) = array.kind, array.depth < 2 || elements.count <= 64 {
            var distinct: [WDLValue] = []
            for element in elements where !distinct.contains(where: { $0.isSame(as: element) }) {
                distinct.append(element)
                if distinct.count > 64 { break }
            }
            let isFew = distinct.count <= 64 && scopes.count < Self.generousScopes
            if isFew, distinct.count == elements.count {
                return elements.map { makeScope(scope.instance, block: block, parent: scope, element: $0) }
            }
            scope.unsizedScatters.insert(block)
            if isFew {
                return distinct.map { makeScope(scope.instance, block: block, parent: scope, element: $0) }
            }
            let item = unknown("the element of the scatter at \(shortPlace(scope, scope.callable.blocks[block].line))")
            return [makeScope(scope.instance, block: block, parent: scope, element: item)]
        }
        scope.unsizedScatters.insert(block)
        let item =
            switch array.kind {
            case .repeated(let element): element
            case .unknown, .oneOf: WDLValue.unknown(array.reasons)
            default: unknown("what the scatter at \(shortPlace(scope, scope.callable.blocks[block].line)) goes over")
            }
        return [makeScope(scope.instance, block: block, parent: scope, element: item)]
    }

    struct Condition {
        /// Whether the block is entered: a boolean, or unknown.
        var value: WDLValue
        /// Inputs that it hangs on, that are not given, and that a run may give.
        var open: [Int32] = []
    }

    func condition(_ block: Int, of scope: WDLScope) -> Condition {
        guard case .conditional(let guards) = scope.callable.blocks[block].kind else {
            return Condition(value: WDLValue(.bool(true)))
        }
        if let known = scope.conditions[block] {
            look(at: known.open)
            return known
        }
        var condition = Condition(value: WDLValue(.bool(true)))
        for part in guards {
            let (value, inputs) = tracking { self.value(part.condition, in: scope) }
            let met = WDLOperators.truth(value, wanted: part.value) ?? .unknown(value.reasons)
            if case .bool(false) = met.kind, inputs.isEmpty {
                // One part that is false whatever the run gives is enough.
                condition = Condition(value: met)
                break
            }
            condition.value = WDLOperators.and(condition.value, met)
            condition.open = WDLValue.union(condition.open, inputs)
        }
        scope.conditions[block] = condition
        return condition
    }

    /// The inputs that a run may give which decided how often a scatter below is passed.
    func openInputs(ofScatter block: Int, of scope: WDLScope) -> [Int32] { scope.openScatters[block] ?? [] }

    // MARK: Names

    /// The meaning of a name where an expression stands, and the scope to reach it from.
    ///
    /// - Parameter excluding: The declaration whose own value is asked for.
    func meanings(_ name: String, in scope: WDLScope, excluding: Int? = nil) -> [WDLName] {
        let callable = scope.callable
        guard let all = callable.names[name] else { return [] }
        spend(all.count / 8)
        var inner: WDLName?
        var others: [WDLName] = []
        for entry in all {
            if case .declaration(let number) = entry.meaning, number == excluding { continue }
            if callable.holds(entry.block, scope.block) {
                if inner.map({ $0.block <= entry.block }) ?? true { inner = entry }
            } else if !callable.isOutput(entry.block) {
                if case .scatterVariable = entry.meaning { continue }
                others.append(entry)
            }
        }
        return inner.map { [$0] } ?? others
    }

    func value(name: String, in scope: WDLScope, excluding: Int? = nil) -> WDLValue {
        let found = meanings(name, in: scope, excluding: excluding)
        if found.isEmpty { return unknown("`\(name)` is declared nowhere in \(scope.callable.name)") }
        return first(found, in: scope) { entry, scope in
            switch entry.meaning {
            case .declaration(let number): declaration(number, in: scope)
            case .scatterVariable: scope.element ?? .unknown([WDLReasons.taskOutput])
            case .call: unknown("call `\(name)` is used as a value")
            }
        }
    }

    /// The value of the first meaning that is not null: branches of one conditional may declare the same name.
    func first(
        _ found: [WDLName],
        in scope: WDLScope,
        _ body: (WDLName, WDLScope) -> WDLValue
    ) -> WDLValue {
        if found.count == 1 { return reach(found[0], from: scope, body) }
        var candidates: [WDLValue] = []
        var reasons: [Int32] = []
        for entry in found {
            let value = reach(entry, from: scope, body)
            reasons = WDLValue.union(reasons, value.reasons)
            candidates += value.candidates.filter { !$0.isNull }
            if !value.candidates.contains(where: \.isNull) { return .oneOf(candidates, reasons) }
        }
        return candidates.isEmpty ? .null : .oneOf(candidates + [.null], reasons)
    }

    /// A name of a block inside, seen from outside: null where a condition is false, an array below a scatter.
    private func reach(
        _ entry: WDLName,
        from scope: WDLScope,
        _ body: (WDLName, WDLScope) -> WDLValue
    ) -> WDLValue {
        var start = scope
        while !scope.callable.holds(start.block, entry.block), let parent = start.parent { start = parent }
        return gather(scope.callable.way(from: start.block, to: entry.block)[...], from: start) { body(entry, $0) }
    }

    private func gather(
        _ way: ArraySlice<Int>,
        from scope: WDLScope,
        _ body: (WDLScope) -> WDLValue
    ) -> WDLValue {
        guard let block = way.first else { return body(scope) }
        let rest = way.dropFirst()
        switch scope.callable.blocks[block].kind {
        case .conditional:
            let entered = condition(block, of: scope).value
            if case .bool(false) = entered.kind { return .null }
            let inside = children(block, of: scope).first.map { gather(rest, from: $0, body) } ?? .null
            if case .bool = entered.kind { return inside }
            return .oneOf([inside, .null], entered.reasons)
        case .scatter:
            let values = children(block, of: scope).map { gather(rest, from: $0, body) }
            guard scope.unsizedScatters.contains(block) else { return WDLValue(.array(values)) }
            return WDLValue(.repeated(.oneOf(values, [WDLReasons.tooMany])))
        case .body, .output:
            return children(block, of: scope).first.map { gather(rest, from: $0, body) } ?? .null
        }
    }

    // MARK: Declarations

    func declaration(_ number: Int, in scope: WDLScope) -> WDLValue {
        switch scope.declarations[number] {
        case .value(let value, let inputs)?:
            look(at: inputs)
            return value
        case .evaluating?: return unknown("`\(scope.callable.declarations[number].name)` refers to itself")
        case nil: break
        }
        scope.declarations[number] = .evaluating
        let declaration = scope.callable.declarations[number]
        let (evaluated, inputs) = tracking { evaluate(declaration, number, in: scope) }
        var value = WDLOperators.coerced(evaluated, to: declaration.type)
        if scope.callable.isTask, scope.callable.isOutput(scope.block) {
            value = Self.outcome(value, of: declaration.type)
        }
        scope.declarations[number] = .value(value, open: inputs)
        return value
    }

    /// What of a task's output is known: of a file no more than that there is one, of an optional value not even that.
    private static func outcome(_ value: WDLValue, of type: WDLType) -> WDLValue {
        let isFile = type.name == "File" || type.name == "Directory"
        let known = isFile && value.string != nil ? WDLValue.unknown([WDLReasons.taskOutput]) : value
        return type.isOptional ? .oneOf([known, .null], [WDLReasons.taskOutput]) : known
    }

    private func evaluate(_ declaration: WDLDeclaration, _ number: Int, in scope: WDLScope) -> WDLValue {
        let isOutput = scope.callable.isOutput(scope.block)
        var given: WDLValue?
        if !isOutput, scope.block == 0 || declaration.isInput {
            given = self.given(declaration, in: scope)
        }
        let keepsNull = declaration.type.isOptional || declaration.value == nil
        if let given, keepsNull || !given.candidates.contains(where: \.isNull) { return given }
        guard let expression = declaration.value else {
            if declaration.type.isOptional {
                return WDLValue(.null, places: [place(document: scope.callable.document, line: declaration.line)])
            }
            let key = scope.instance.inputKey(declaration.name)
            if !declaration.isInput { return unknown("`\(declaration.name)` has no value") }
            let root = scope.instance.path.prefix { $0 != "." }
            return unknown("input `\(root).\(key)` has no default and is not given")
        }
        let value = value(expression, in: scope, excluding: number)
        // A null given to an input that has a default and is not optional means the default.
        guard let given else { return value }
        return .oneOf(given.candidates.map { $0.isNull ? value : $0 }, given.reasons)
    }

    /// What the caller or the run gives for a declaration.
    private func given(_ declaration: WDLDeclaration, in scope: WDLScope) -> WDLValue? {
        let instance = scope.instance
        if let binding = instance.bindings[declaration.name] {
            let value = value(binding.value, in: binding.scope)
            return value.adding(places: [place(document: binding.scope.callable.document, line: binding.line)])
        }
        guard declaration.isInput else { return nil }
        let key = instance.inputKey(declaration.name)
        spend(key.utf8.count / 8)
        guard let found = parameters.value(key) else {
            if parameters.isAnyRun {
                let root = instance.path.prefix { $0 != "." }
                look(at: [reason("input `\(root).\(key)`")])
            }
            return nil
        }
        return value(of: found)
    }

    func value(of given: WDLParameters.Given) -> WDLValue {
        let value = WDLOperators.value(given.value, places: [place(parameter: given.key)])
        if isLenient, case .float = value.kind { return .unknown([WDLReasons.number]) }
        return value
    }

    /// A run may set attributes of a call itself (`Workflow.call.runtime.container`).
    func givenContainer(of instance: WDLInstance) -> WDLParameters.Given? {
        for name in ["requirements.container", "runtime.container", "runtime.docker"] {
            if let given = parameters.value(instance.inputKey(name)), given.value != .null { return given }
        }
        return nil
    }

    // MARK: Calls

    /// The body of what a call calls.
    func called(_ number: Int, in scope: WDLScope) -> WDLScope.Called {
        if let known = scope.called[number] { return known }
        let made = makeCalled(number, in: scope)
        scope.called[number] = made
        return made
    }

    private func makeCalled(_ number: Int, in scope: WDLScope) -> WDLScope.Called {
        let call = scope.callable.calls[number]
        switch library.callable(call.target, in: scope.callable.document) {
        case .failure(let absence): return .absent(absence.reason)
        case .success(let callable):
            guard scope.instance.depth < Self.maximumCallDepth, !isExhausted else {
                let why =
                    isExhausted ? reasons[Int(WDLReasons.budget)] : "workflows call each other too deep, or in a circle"
                return .absent(why)
            }
            let instance = WDLInstance(
                callable: callable,
                path: scope.instance.path + "." + call.name,
                key: scope.instance.inputKey(call.name),
                depth: scope.instance.depth + 1
            )
            instance.caller = WDLInstance.Caller(scope: scope, call: number)
            spend(instance.path.utf8.count / 8 + call.inputs.count)
            for input in call.inputs {
                instance.bindings[input.name] = WDLInstance.Binding(value: input.value, scope: scope, line: input.line)
            }
            return .scope(makeScope(instance, block: 0, parent: nil))
        }
    }

    /// `call.field`.
    func output(_ field: String, of number: Int, in scope: WDLScope) -> WDLValue {
        switch called(number, in: scope) {
        case .absent(let why): return unknown(why)
        case .scope(let body):
            let callable = body.callable
            let entry = callable.outputBlock.flatMap { block in callable.names[field]?.first { $0.block == block } }
            guard let entry, case .declaration(let declared) = entry.meaning else {
                return unknown("`\(field)` is not an output of `\(callable.name)`")
            }
            guard let outputs = children(entry.block, of: body).first else { return .unknown([WDLReasons.taskOutput]) }
            let value = declaration(declared, in: outputs)
            guard callable.isTask else { return value }
            return named(value, "output `\(body.instance.path).\(field)` is known only when the task has run")
        }
    }

    /// Puts the output's name in the place of "a value that a task computes".
    private func named(_ value: WDLValue, _ name: @autoclosure () -> String) -> WDLValue {
        guard value.reasons.contains(WDLReasons.taskOutput) else { return value }
        let reasons = value.reasons.map { $0 == WDLReasons.taskOutput ? reason(name()) : $0 }
        if case .oneOf(let candidates, _) = value.kind {
            return WDLValue(.oneOf(candidates, reasons), places: value.places)
        }
        return .unknown(reasons)
    }

    // MARK: Expressions

    /// The value of an expression where it stands.
    ///
    /// - Parameter excluding: The declaration whose value this is, if any; a name never means itself.
    func value(_ node: WDLExpression.ID, in scope: WDLScope, excluding: Int? = nil) -> WDLValue {
        steps += 1
        guard steps <= Self.maximumSteps, scopes.count < Self.maximumScopes else {
            return .unknown([WDLReasons.budget])
        }
        guard depth < Self.maximumDepth else { return .unknown([WDLReasons.tooDeep]) }
        depth += 1
        defer { depth -= 1 }
        let value = expression(node, in: scope, excluding: excluding)
        spend(value.weight)
        return value
    }

    /// Takes the cost of large values from the same budget as nodes.
    func spend(_ cost: Int) { steps += cost }
}
