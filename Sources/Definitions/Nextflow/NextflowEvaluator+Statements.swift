extension NextflowEvaluator {
    /// How a block of code ended.
    struct Flow {
        /// Values it may have returned with.
        var returned: [NextflowValue] = []
        /// Whether it certainly did not reach its end.
        var ended = false
        /// The value of its last statement.
        var last = NextflowValue.null
        var reasons: [String] = []
        /// What decided that it ended.
        var cause = NextflowTrace()

        var result: NextflowValue {
            if returned.isEmpty { return last }
            return NextflowValue.oneOf(returned + (ended ? [] : [last]), reasons)
        }
    }

    func run(_ statements: [NextflowStatement], _ scope: NextflowScope) -> Flow {
        var flow = Flow()
        for statement in statements {
            guard !flow.ended, spend() else { break }
            let step = run(statement, scope)
            flow.returned += step.returned
            flow.reasons = NextflowValue.union(flow.reasons, step.reasons)
            flow.ended = step.ended
            flow.last = step.last
            flow.cause.add(NextflowTrace(parameters: step.cause.parameters))
            if flow.returned.count > NextflowValue.maximumCandidates {
                flow.returned = [NextflowValue.oneOf(flow.returned, flow.reasons)]
            }
        }
        return flow
    }

    /// Whether an expression ends the run: `exit`, `error`, `System.exit`.
    static func endsRun(_ expression: NextflowExpression, _ scope: NextflowScope) -> Bool {
        switch expression.kind {
        case .call(nil, let name, _) where name == "exit" || name == "error":
            scope.function(name) == nil && scope.variable(name) == nil
        case .call(let target?, "exit", _): if case .name("System") = target.kind { true } else { false }
        default: false
        }
    }

    private func run(_ statement: NextflowStatement, _ scope: NextflowScope) -> Flow {
        var flow = Flow()
        switch statement.kind {
        case .expression(let expression):
            flow.last = evaluate(expression, scope)
            flow.ended = Self.endsRun(expression, scope)
        case .assign(let path, let operation, let expression):
            flow.last = assign(path, operation, evaluate(expression, scope), scope)
        case .assignElement(let path, let key, let operation, let expression):
            flow.last = assign(path, evaluate(key, scope), operation, evaluate(expression, scope), scope)
        case .define(let names, let expression):
            let value = expression.map { evaluate($0, scope) } ?? .null
            define(names, value, scope)
            flow.last = value
        case .function(let name, let closure):
            scope.variables[name] = NextflowValue(.function(NextflowFunction(closure, scope)))
        case .choice(let test, let then, let other):
            return branch(evaluate(test, scope), scope, statement.changed) { self.run($0 ? then : other, scope) }
        case .attempt(let body, let caught, let finally):
            let before = scope.snapshot
            flow = run(body, scope)
            if !caught.isEmpty {
                let after = scope.snapshot
                let other = branch(.unknown("what is tried may fail"), scope, statement.changed) { isCaught in
                    scope.snapshot = isCaught ? before : after
                    return isCaught ? self.run(caught, scope) : Flow()
                }
                flow.returned += other.returned
                flow.reasons = NextflowValue.union(flow.reasons, other.reasons)
                flow.ended = flow.ended && Self.alwaysEnds(caught)
            }
            if !finally.isEmpty, !flow.ended { _ = run(finally, scope) }
        case .loop(let name, let values, let body): return loop(name, values, body, scope, statement.changed)
        case .selection(let subject, let cases):
            return select(evaluate(subject, scope), cases, scope, statement.changed)
        case .finish(let expression):
            flow.returned = [expression.map { evaluate($0, scope) } ?? .null]
            flow.ended = true
        case .raise: flow.ended = true
        case .leave: break
        case .scope, .selector: flow.last = .unknown("a block that is not evaluated")
        case .broken(let why, _):
            flow.reasons = ["a statement that could not be read: \(why)"]
            flow.last = .unknown(flow.reasons[0])
            scope.forget(statement.changed, flow.reasons)
            if statement.changed.contains("return") { flow.returned = [flow.last] }
        }
        return flow
    }

    /// `def name = …`, `def (a, b) = …`
    func define(_ names: [String], _ value: NextflowValue, _ scope: NextflowScope) {
        guard names.count != 1 else {
            scope.variables[names[0]] = value
            return
        }
        let cause = NextflowTrace(parameters: value.trace.parameters)
        for (index, name) in names.enumerated() {
            if case .list(let all) = value.kind {
                scope.variables[name] = (index < all.count ? all[index] : .null).tracing(cause)
            } else {
                scope.variables[name] = unknown(value, "`\(name)`")
            }
        }
    }

    private static func alwaysEnds(_ statements: [NextflowStatement]) -> Bool {
        switch statements.last?.kind {
        case .finish?, .raise?: true
        default: false
        }
    }

    /// Takes one way, or both where the condition is not known, and joins what they leave.
    ///
    /// - Parameter changed: variables that one of the ways may change.
    func branch(
        _ test: NextflowValue,
        _ scope: NextflowScope,
        _ changed: [String],
        _ way: (Bool) -> Flow
    ) -> Flow {
        let cause = NextflowTrace(parameters: test.trace.parameters)
        // Also what the way not taken would have changed depends on the condition.
        defer { scope.taint(changed, cause) }
        if let truth = test.truth {
            var flow = way(truth)
            if !cause.parameters.isEmpty {
                flow.returned = flow.returned.map { $0.tracing(cause) }
                flow.last = flow.last.tracing(cause)
                if flow.ended { flow.cause.add(cause) }
            }
            return flow
        }
        let reasons = test.reasons.isEmpty ? ["a condition that is not known before the run"] : test.reasons
        let before = scope.snapshot
        let left = way(true)
        let after = scope.snapshot
        scope.snapshot = before
        let right = way(false)
        scope.snapshot =
            left.ended ? scope.snapshot : right.ended ? after : NextflowScope.merged(after, scope.snapshot, reasons)
        var flow = Flow()
        flow.returned = (left.returned + right.returned).map { $0.tracing(cause) }
        flow.ended = left.ended && right.ended
        flow.reasons = NextflowValue.union(reasons, NextflowValue.union(left.reasons, right.reasons))
        flow.last =
            left.ended ? right.last : right.ended ? left.last : NextflowValue.oneOf([left.last, right.last], reasons)
        return flow
    }

    private func loop(
        _ name: String?,
        _ values: NextflowExpression?,
        _ body: [NextflowStatement],
        _ scope: NextflowScope,
        _ changed: [String]
    ) -> Flow {
        let value = values.map { evaluate($0, scope) } ?? .unknown("a loop that is not evaluated")
        let cause = NextflowTrace(parameters: value.trace.parameters)
        guard case .list(let all) = value.kind, all.count <= 1000, !NextflowCase.leaves(body) else {
            let unknown = unknown(value, "a loop")
            // After each round of many that are not known.
            defer { scope.forget(changed, unknown.reasons) }
            scope.forget(changed, unknown.reasons)
            return branch(unknown, scope, changed) { isTaken in
                guard isTaken else { return Flow() }
                if let name { scope.variables[name] = self.unknown(value, "`\(name)`") }
                return self.run(body, scope)
            }
        }
        var flow = Flow()
        defer { scope.taint(changed, cause) }
        for element in all {
            if let name { scope.variables[name] = element.tracing(cause) }
            let step = run(body, scope)
            flow.returned += step.returned
            flow.reasons = NextflowValue.union(flow.reasons, step.reasons)
            if step.ended || isSpent {
                flow.ended = step.ended
                flow.cause = step.cause
                break
            }
            if flow.returned.count > NextflowValue.maximumCandidates {
                flow.returned = [NextflowValue.oneOf(flow.returned, flow.reasons)]
            }
        }
        return flow
    }

    private func select(
        _ subject: NextflowValue,
        _ cases: [(values: [NextflowExpression], body: [NextflowStatement])],
        _ scope: NextflowScope,
        _ changed: [String]
    ) -> Flow {
        let all = NextflowCase.all(of: cases)
        func from(_ index: Int) -> Flow {
            guard index < all.count else { return all.first { $0.isDefault }.map { taken($0) } ?? Flow() }
            guard spend() else { return Flow() }
            let test = hits(subject, all[index], scope)
            return branch(test, scope, changed) { $0 ? taken(all[index]) : from(index + 1) }
        }
        func taken(_ choice: NextflowCase) -> Flow {
            guard !choice.isClear else { return run(choice.body, scope) }
            let flow = branch(.unknown("a `break` on the way"), scope, changed) {
                $0 ? run(choice.body, scope) : Flow()
            }
            scope.forget(changed, flow.reasons)
            return flow
        }
        guard all.count <= 40 else {
            scope.forget(changed, ["a choice of too many cases"])
            return Flow()
        }
        return from(0)
    }

    /// Whether a case of a `switch` is the one for a value (`isCase` of Groovy).
    func hits(_ subject: NextflowValue, _ choice: NextflowCase, _ scope: NextflowScope) -> NextflowValue {
        var test = NextflowValue(.bool(false), trace: NextflowTrace(parameters: subject.trace.parameters))
        var reasons: [String] = []
        for expression in choice.values {
            let hit: NextflowValue
            if case .unary("~", let pattern) = expression.kind {
                hit = operate("==~", subject, evaluate(pattern, scope))
            } else {
                let value = evaluate(expression, scope)
                switch value.kind {
                case .list, .map: hit = operate("in", subject, value)
                case .function(let function): hit = call(function, [subject])
                default: hit = operate("==", subject, value)
                }
            }
            test.trace.add(NextflowTrace(parameters: hit.trace.parameters))
            switch hit.truth {
            case true where reasons.isEmpty:
                test.kind = .bool(true)
                return test
            case false: break
            default: reasons = NextflowValue.union(reasons, hit.reasons.isEmpty ? ["which case holds"] : hit.reasons)
            }
        }
        if !reasons.isEmpty { test.kind = .unknown(reasons) }
        return test
    }

    /// Sets a variable, or what is at a path in the map it holds; answers what was set.
    func assign(
        _ path: [String],
        _ operation: String,
        _ right: NextflowValue,
        _ scope: NextflowScope
    ) -> NextflowValue {
        guard let first = path.first else { return right }
        let old = scope.variable(first)
        guard path.count == 1 else {
            if let old { scope.assign(first, setting(old, path.dropFirst(), operation, right)) }
            return right
        }
        let value = old.map { changed($0, operation, right) } ?? right
        scope.assign(first, value)
        return value
    }

    /// `path[key] = value`. Where the key is not known, what the map holds afterwards is not either.
    func assign(
        _ path: [String],
        _ key: NextflowValue,
        _ operation: String,
        _ right: NextflowValue,
        _ scope: NextflowScope
    ) -> NextflowValue {
        if let name = key.text() { return assign(path + [name], operation, right, scope) }
        if let first = path.first, scope.variable(first) != nil { scope.assign(first, unknown(key, "a key")) }
        return right
    }

    private func changed(_ old: NextflowValue, _ operation: String, _ right: NextflowValue) -> NextflowValue {
        guard operation != "=" else { return right }
        return old.lifted { left in right.lifted { self.operate(String(operation.dropLast()), left, $0) } }
    }

    private func setting(
        _ old: NextflowValue,
        _ path: ArraySlice<String>,
        _ operation: String,
        _ right: NextflowValue
    ) -> NextflowValue {
        guard let key = path.first else { return changed(old, operation, right) }
        guard spend(), path.count < 40 else { return old }
        switch old.kind {
        case .map(var map):
            map[key] = setting(map[key] ?? .null, path.dropFirst(), operation, right)
            return NextflowValue(.map(map), trace: old.trace)
        case .null, .absent:
            guard path.count > 1 || operation == "=" else { return right }
            var map = NextflowMap()
            map[key] = setting(.null, path.dropFirst(), operation, right)
            return NextflowValue(.map(map), trace: old.trace)
        case .oneOf, .unknown: return old
        default: return unknown(right, "`\(key)`")
        }
    }
}
