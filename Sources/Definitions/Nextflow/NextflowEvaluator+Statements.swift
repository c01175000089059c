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
            if flow.returned.count > NextflowValue.maximumCandidates {
                flow.returned = [NextflowValue.oneOf(flow.returned, flow.reasons)]
            }
        }
        return flow
    }

    private func run(_ statement: NextflowStatement, _ scope: NextflowScope) -> Flow {
        var flow = Flow()
        switch statement.kind {
        case .expression(let expression): flow.last = evaluate(expression, scope)
        case .assign(let path, let operation, let expression):
            flow.last = assign(path, operation, evaluate(expression, scope), scope)
        case .assignElement(let path, let key, let operation, let expression):
            flow.last = assign(path, evaluate(key, scope), operation, evaluate(expression, scope), scope)
        case .define(let names, let expression):
            let value = expression.map { evaluate($0, scope) } ?? .null
            if names.count == 1 {
                scope.variables[names[0]] = value
            } else {
                for (index, name) in names.enumerated() {
                    if case .list(let all) = value.kind {
                        scope.variables[name] = index < all.count ? all[index] : .null
                    } else {
                        scope.variables[name] = unknown(value, "`\(name)`")
                    }
                }
            }
            flow.last = value
        case .function(let name, let closure):
            scope.variables[name] = NextflowValue(.function(NextflowFunction(closure, scope)))
        case .choice(let test, let then, let other):
            return branch(evaluate(test, scope), scope) { self.run($0 ? then : other, scope) }
        case .attempt(let body, _, let finally):
            flow = run(body, scope)
            if !finally.isEmpty, !flow.ended { _ = run(finally, scope) }
        case .loop(let name, let values, let body): return loop(name, values, body, scope)
        case .selection(let subject, let cases): return select(evaluate(subject, scope), cases, scope)
        case .finish(let expression):
            flow.returned = [expression.map { evaluate($0, scope) } ?? .null]
            flow.ended = true
        case .raise: flow.ended = true
        case .scope, .selector: flow.last = .unknown("a block that is not evaluated")
        case .broken(let why, _): flow.last = .unknown("a statement that could not be read: \(why)")
        }
        return flow
    }

    /// Takes one way, or both where the condition is not known, and joins what they leave.
    func branch(_ test: NextflowValue, _ scope: NextflowScope, _ way: (Bool) -> Flow) -> Flow {
        let cause = NextflowTrace(parameters: test.trace.parameters)
        if let truth = test.truth {
            var flow = way(truth)
            if !cause.parameters.isEmpty {
                flow.returned = flow.returned.map { $0.tracing(cause) }
                flow.last = flow.last.tracing(cause)
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
        _ scope: NextflowScope
    ) -> Flow {
        let value = values.map { evaluate($0, scope) } ?? .unknown("a loop that is not evaluated")
        guard case .list(let all) = value.kind, all.count <= 1000 else {
            return branch(unknown(value, "a loop"), scope) { isTaken in
                guard isTaken else { return Flow() }
                if let name { scope.variables[name] = self.unknown(value, "`\(name)`") }
                return self.run(body, scope)
            }
        }
        var flow = Flow()
        for element in all {
            if let name { scope.variables[name] = element }
            let step = run(body, scope)
            flow.returned += step.returned
            flow.reasons = NextflowValue.union(flow.reasons, step.reasons)
            if step.ended || isSpent {
                flow.ended = step.ended
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
        _ scope: NextflowScope
    ) -> Flow {
        // Cases without a body fall through to the next that has one.
        var merged: [(values: [NextflowExpression], isDefault: Bool, body: [NextflowStatement])] = []
        var values: [NextflowExpression] = []
        var isDefault = false
        for entry in cases {
            values += entry.values
            isDefault = isDefault || entry.values.isEmpty
            guard !entry.body.isEmpty else { continue }
            merged.append((values, isDefault, entry.body))
            values = []
            isDefault = false
        }
        func from(_ index: Int) -> Flow {
            guard index < merged.count else {
                return merged.first { $0.isDefault }.map { run($0.body, scope) } ?? Flow()
            }
            guard spend() else { return Flow() }
            var test = NextflowValue(.bool(false), trace: subject.trace)
            for expression in merged[index].values {
                let value = evaluate(expression, scope)
                var hit = subject.equals(value)
                if case .list(let all) = value.kind { hit = all.contains { $0.equals(subject) == true } }
                if hit == true {
                    test.kind = .bool(true)
                    break
                }
                if hit == nil { test = unknown(subject, "a choice") }
            }
            return branch(test, scope) { $0 ? run(merged[index].body, scope) : from(index + 1) }
        }
        return merged.count <= 40 ? from(0) : Flow()
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
