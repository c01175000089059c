/// Carries out the body of a workflow or function as far as it is known before the run, and says of each call in it how
/// sure it is that it is made, and with what.
///
/// Ways that are not taken are looked through as well, without effect, for what they would call.
final class NextflowBody {
    let sites: [NextflowCallSite]
    /// How sure each call is, once the body is entered.
    private(set) var standings: [NextflowStanding]
    /// What each call may be made with, as far as was seen; nil where the values are not known one by one.
    private(set) var arguments: [[[NextflowValue]?]]
    /// Parameters that conditions looked at.
    private(set) var parameters: Set<String> = []

    private let definition: NextflowScript.Definition
    private let evaluator: NextflowEvaluator
    private let configuration: NextflowConfiguration
    private let sources: NextflowSources
    private let scope: NextflowScope
    private let library: NextflowLibrary

    init(
        _ definition: NextflowScript.Definition,
        library: NextflowLibrary,
        sources: NextflowSources
    ) {
        self.definition = definition
        self.library = library
        self.sources = sources
        evaluator = library.evaluator
        configuration = library.configuration
        sites = library.sites(in: definition)
        standings = sites.map { _ in .certain }
        arguments = sites.map { _ in [] }
        scope = NextflowScope(file: definition.script.path, parent: definition.script.scope)
    }

    /// - Parameter values: what it is called with; nil where that is not known.
    func run(_ values: [NextflowValue]?) {
        guard !sites.isEmpty else { return }
        guard !evaluator.isSpent else {
            for index in standings.indices {
                standings[index] = .alternative("the definition takes too much work to evaluate")
            }
            return
        }
        let outside = definition.script.scope.snapshot
        defer { definition.script.scope.snapshot = outside }
        // What bodies set while they run may have any value in this one.
        let script = definition.script.scope
        for name in definition.script.changes.variables where script.variables[name] != nil {
            scope.variables[name] = .unknown("`\(name)` is set while workflows run")
        }
        let statements: [NextflowStatement]
        if case .function(let parameters) = definition.kind {
            bind(parameters, values)
            statements = library.statements(of: definition)
        } else {
            let parts = NextflowWorkflowParts(definition)
            let isKnown = parts.takes.count == values?.count
            for (index, name) in parts.takes.enumerated() {
                scope.variables[name] =
                    isKnown ? values?[index] : .unknown("what workflow \(definition.name) is called with")
            }
            statements = parts.main(definition)
        }
        let end = walk(statements, scope)
        // What a workflow emits or publishes stands behind its main part.
        guard let last = statements.last?.words.upperBound, let standing = end.standing(self) else { return }
        mark(words: last..<definition.body.upperBound, standing)
    }

    private func bind(_ parameters: [NextflowParameter], _ values: [NextflowValue]?) {
        for (index, parameter) in parameters.enumerated() {
            if let values {
                scope.variables[parameter.name] =
                    index < values.count
                    ? values[index] : parameter.fallback.map { evaluator.evaluate($0, scope) } ?? .null
            } else {
                scope.variables[parameter.name] = .unknown("what \(definition.name) is called with")
            }
        }
    }

    // MARK: Marks

    /// The calls in a range of words or bytes.
    private func calls(_ range: Range<Int>, by position: (NextflowCallSite) -> Int) -> Range<Int> {
        func first(_ bound: Int) -> Int {
            var (low, high) = (0, sites.count)
            while low < high {
                let middle = (low + high) / 2
                if position(sites[middle]) < bound { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let start = first(range.lowerBound)
        return start..<max(start, first(range.upperBound))
    }

    private func mark(words: Range<Int>, _ standing: NextflowStanding) {
        for index in calls(words, by: \.word) { standings[index] = standings[index].and(standing) }
    }

    private func mark(_ statements: ArraySlice<NextflowStatement>, _ standing: NextflowStanding) {
        guard standing.certainty != .certain, let first = statements.first?.words, let last = statements.last?.words,
            first.lowerBound <= last.upperBound
        else { return }
        mark(words: first.lowerBound..<last.upperBound, standing)
    }

    private func mark(_ expression: NextflowExpression, _ standing: NextflowStanding) {
        guard standing.certainty != .certain else { return }
        for index in calls(of: expression) { standings[index] = standings[index].and(standing) }
    }

    private func calls(of expression: NextflowExpression) -> Range<Int> {
        calls(Int(expression.start)..<max(Int(expression.start), Int(expression.stop)), by: { Int($0.start) })
    }

    private func condition(_ value: NextflowValue, _ text: String, line: Int32) -> NextflowCondition {
        parameters.formUnion(value.trace.parameters)
        return NextflowCondition(value, "`\(text)` (\(scope.file):\(line))", configuration)
    }

    // MARK: Statements

    /// How a block ended.
    private struct End {
        var ended = false
        /// Whether it was by `return`: after what may have failed, the rest counts as reached, since else nothing would
        /// be needed.
        var isReturn = false
        var cause = NextflowTrace()
        var line: Int32 = 0
        /// That it may have returned.
        var may: NextflowStanding?

        /// How sure it is that what follows is reached; nil where it certainly is.
        func standing(_ body: NextflowBody) -> NextflowStanding? {
            guard ended else { return may }
            let fact =
                "\(body.definition.name.isEmpty ? "the workflow" : body.definition.name) ends at "
                + "\(body.scope.file):\(line)"
            let open = cause.parameters.filter(body.configuration.isOpen)
            return open.isEmpty ? .inactive(fact) : .alternative("\(fact) unless a run sets `\(open[0])`")
        }
    }

    private func walk(_ statements: [NextflowStatement], _ scope: NextflowScope) -> End {
        var result = End()
        for (index, statement) in statements.enumerated() {
            let end = walk(statement, scope)
            if let standing = end.standing(self) {
                parameters.formUnion(end.cause.parameters)
                mark(statements[(index + 1)...], standing)
                result.may = end.ended ? result.may : standing
            }
            if end.ended {
                let may = result.may
                result = end
                result.may = may
                return result
            }
        }
        return result
    }

    private func walk(_ statement: NextflowStatement, _ scope: NextflowScope) -> End {
        guard evaluator.spend() else { return End() }
        guard !calls(statement.words, by: \.word).isEmpty else { return carryOut(statement, scope) }
        switch statement.kind {
        case .choice(let test, let then, let other):
            look(test, scope)
            let value = evaluator.evaluate(test, scope)
            let condition = condition(value, sources.text(test, scope.file), line: statement.line)
            return choose(value, condition, then, other, statement, scope)
        case .selection(let subject, let cases):
            look(subject, scope)
            return select(evaluator.evaluate(subject, scope), subject, NextflowCase.all(of: cases), statement, scope)
        case .attempt(let body, let caught, let finally):
            mark(caught[...], .alternative("only where what is tried at \(scope.file):\(statement.line) fails"))
            let before = scope.snapshot
            let end = walk(body, scope)
            let after = scope.snapshot
            scope.snapshot = before
            _ = walk(caught, scope)
            if !caught.isEmpty {
                scope.snapshot = NextflowScope.merged(after, scope.snapshot, ["what is tried may fail"])
            }
            let last = walk(finally, scope)
            return last.ended ? last : caught.isEmpty ? end : End(may: end.standing(self))
        case .loop(let name, let values, let body):
            if let values { look(values, scope) }
            return loop(name, values, body, statement, scope)
        case .expression(let expression), .assign(_, _, let expression): look(expression, scope)
        case .assignElement(_, let key, _, let expression):
            look(key, scope)
            look(expression, scope)
        case .define(_, let expression), .finish(let expression):
            if let expression { look(expression, scope) }
        case .scope, .selector, .raise, .leave, .function, .broken: break
        }
        return carryOut(statement, scope)
    }

    /// A statement without calls that matter, or one whose calls have been looked at.
    private func carryOut(_ statement: NextflowStatement, _ scope: NextflowScope) -> End {
        let flow = evaluator.run([statement], scope)
        var end = End()
        end.ended = flow.ended
        end.isReturn = !flow.returned.isEmpty
        end.line = statement.line
        end.cause.add(NextflowTrace(parameters: flow.cause.parameters))
        for value in flow.returned { end.cause.add(NextflowTrace(parameters: value.trace.parameters)) }
        if !flow.ended, end.isReturn {
            end.may = .alternative(
                "\(scope.file):\(statement.line) may return: \(flow.reasons.first ?? "it is not known before the run")"
            )
        }
        return end
    }

    private func choose(
        _ value: NextflowValue,
        _ condition: NextflowCondition,
        _ then: [NextflowStatement],
        _ other: [NextflowStatement],
        _ statement: NextflowStatement,
        _ scope: NextflowScope
    ) -> End {
        branch(value, condition, statement, scope) { way in
            let statements = way ? then : other
            mark(statements[...], condition.standing(way))
            return walk(statements, scope)
        }
    }

    /// Takes both ways; what the one does that is not taken has no effect.
    private func branch(
        _ value: NextflowValue,
        _ condition: NextflowCondition,
        _ statement: NextflowStatement,
        _ scope: NextflowScope,
        _ way: (Bool) -> End
    ) -> End {
        let cause = NextflowTrace(parameters: value.trace.parameters)
        defer { scope.taint(statement.changed, cause) }
        let before = scope.snapshot
        if let truth = condition.truth {
            _ = way(!truth)
            scope.snapshot = before
            var end = way(truth)
            end.cause.add(cause)
            return end
        }
        let left = way(true)
        let after = scope.snapshot
        scope.snapshot = before
        let right = way(false)
        let reasons = value.reasons.isEmpty ? ["a condition that is not known before the run"] : value.reasons
        if right.ended, !left.ended {
            scope.snapshot = after
        } else if !left.ended {
            scope.snapshot = NextflowScope.merged(after, scope.snapshot, reasons)
        }
        var end = left.ended ? right : left
        end.ended = left.ended && right.ended
        end.cause.add(cause)
        end.may = left.may ?? right.may
        for (side, way) in [(left, true), (right, false)] where side.ended && side.isReturn {
            end.may = end.may ?? condition.standing(!way)
        }
        end.line = statement.line
        return end
    }

    private func select(
        _ subject: NextflowValue,
        _ expression: NextflowExpression,
        _ cases: [NextflowCase],
        _ statement: NextflowStatement,
        _ scope: NextflowScope
    ) -> End {
        let text = sources.text(expression, scope.file)
        func taken(_ choice: NextflowCase) -> End {
            guard !choice.isClear else { return walk(choice.body, scope) }
            let end = walk(choice.body, scope)
            scope.forget(statement.changed, ["a `break` on the way"])
            return End(may: end.standing(self))
        }
        // Bodies that several cases share, without `break`, are marked by the surest.
        var marks: [(words: Range<Int>, standing: NextflowStanding)] = []
        func note(_ choice: NextflowCase, _ standing: NextflowStanding) {
            guard let first = choice.body.first, let last = choice.body.last else { return }
            marks.append((first.words.lowerBound..<max(first.words.lowerBound, last.words.upperBound), standing))
        }
        func from(_ index: Int, _ outer: NextflowStanding) -> End {
            guard index < cases.count, index < 60, evaluator.spend() else {
                for choice in cases.dropFirst(index) { note(choice, outer.and(.alternative("a choice of many cases"))) }
                guard let other = cases.first(where: \.isDefault) else { return End() }
                note(other, outer)
                return taken(other)
            }
            let test = evaluator.hits(subject, cases[index], scope)
            let labels = cases[index].values.map { sources.text($0, scope.file) }.joined(separator: ", ")
            let line = cases[index].body.first?.line ?? statement.line
            let condition = condition(test, "\(text) in [\(labels)]", line: line)
            return branch(test, condition, statement, scope) { way in
                let standing = outer.and(condition.standing(way))
                guard way else { return from(index + 1, standing) }
                note(cases[index], standing)
                return taken(cases[index])
            }
        }
        let end = from(0, .certain)
        var surest: [Int: NextflowStanding] = [:]
        for mark in marks {
            for index in calls(mark.words, by: \.word) {
                surest[index] = surest[index].map { $0.or(mark.standing) } ?? mark.standing
            }
        }
        for (index, standing) in surest { standings[index] = standings[index].and(standing) }
        return end
    }

    private func loop(
        _ name: String?,
        _ values: NextflowExpression?,
        _ body: [NextflowStatement],
        _ statement: NextflowStatement,
        _ scope: NextflowScope
    ) -> End {
        let value = values.map { evaluator.evaluate($0, scope) } ?? .unknown("a loop")
        parameters.formUnion(value.trace.parameters)
        var reasons = value.reasons
        if case .list(let all) = value.kind, 1...Self.maximumRounds ~= all.count, !NextflowCase.leaves(body) {
            let cause = NextflowTrace(parameters: value.trace.parameters)
            var result = End()
            rounds(all) { element, _ in
                guard !result.ended else { return }
                if let name { scope.variables[name] = element.tracing(cause) }
                let end = walk(body, scope)
                result.may = result.may ?? end.may
                if end.ended { result = end }
            }
            scope.taint(statement.changed, cause)
            // Whether it ends in the first round or a later one, what stands in it is looked at above.
            return result
        }
        if case .list(let all) = value.kind {
            reasons = ["which round of the loop at \(scope.file):\(statement.line) it is"]
            if all.isEmpty {
                let test = NextflowValue(.bool(false), trace: value.trace)
                let text = values.map { sources.text($0, scope.file) } ?? "a loop"
                mark(body[...], condition(test, text, line: statement.line).standing(true))
            }
        } else {
            mark(body[...], .alternative("how often the loop at \(scope.file):\(statement.line) runs"))
        }
        // Each round finds what the rounds before have left.
        scope.forget(statement.changed, reasons)
        if let name { scope.variables[name] = .unknown(reasons.first ?? "a loop") }
        let before = scope.snapshot
        let end = walk(body, scope)
        scope.snapshot = before
        return End(
            may: end.standing(self).map { _ in .alternative("the loop at \(scope.file):\(statement.line) may return") }
        )
    }

    /// Elements of a list that is known which are looked at one by one.
    private static let maximumRounds = 50

    /// Goes through the same code for each element: a call is as sure as in its surest round.
    private func rounds(_ elements: [NextflowValue], _ round: (NextflowValue, Int) -> Void) {
        let before = standings
        var surest = before
        for (index, element) in elements.enumerated() {
            guard evaluator.spend(1 + sites.count) else {
                let reason = "the definition takes too much work to evaluate"
                surest = surest.map { $0.or(.alternative(reason)) }
                break
            }
            standings = before
            round(element, index)
            surest = index == 0 ? standings : zip(surest, standings).map { $0.or($1) }
        }
        standings = surest
    }

    static func areSame(_ left: [NextflowValue]?, _ right: [NextflowValue]?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return left.count == right.count
            && zip(left, right).allSatisfy { one, two in
                if case .unknown = one.kind, case .unknown = two.kind { return true }
                return one.equals(two) == true
            }
    }

    // MARK: Expressions

    /// Looks through a closure that runs once for each element of a list; false where the list is not known.
    private func look(
        _ closure: NextflowClosure,
        over target: NextflowExpression,
        isIndexed: Bool,
        _ scope: NextflowScope
    ) -> Bool {
        let value = evaluator.evaluate(target, scope)
        parameters.formUnion(value.trace.parameters)
        guard case .list(let all) = value.kind, all.count <= Self.maximumRounds else { return false }
        guard let first = closure.body.first else { return true }
        if all.isEmpty {
            let test = NextflowValue(.bool(false), trace: value.trace)
            mark(closure.body[...], condition(test, sources.text(target, scope.file), line: first.line).standing(true))
            return true
        }
        // The statement that this is part of carries the closure out; here only its calls are of interest.
        let before = scope.snapshot
        rounds(all) { element, index in
            let inner = NextflowScope(file: scope.file, parent: scope)
            let names = closure.parameters?.map(\.name) ?? ["it"]
            let parts = [
                element.tracing(NextflowTrace(parameters: value.trace.parameters)), NextflowValue(.integer(index)),
            ]
            // A closure of several parameters takes an element apart.
            let isKnown = names.count == (isIndexed ? 2 : 1)
            for (place, name) in names.enumerated() {
                inner.variables[name] = isKnown ? parts[place] : .unknown("`\(name)` of a closure")
            }
            _ = walk(closure.body, inner)
        }
        scope.snapshot = before
        return true
    }

    /// Looks for calls in an expression: what they are called with, and the conditions around them.
    private func look(_ expression: NextflowExpression, _ scope: NextflowScope) {
        guard !calls(of: expression).isEmpty, evaluator.spend() else { return }
        func test(_ part: NextflowExpression) -> NextflowCondition {
            look(part, scope)
            return condition(evaluator.evaluate(part, scope), sources.text(part, scope.file), line: part.line)
        }
        func below(_ part: NextflowExpression, _ condition: NextflowCondition, _ way: Bool) {
            mark(part, condition.standing(way))
            look(part, scope)
        }
        switch expression.kind {
        case .ternary(let part, let then, let other):
            let condition = test(part)
            below(then, condition, true)
            below(other, condition, false)
        case .elvis(let part, let other): below(other, test(part), false)
        case .binary("&&", let left, let right): below(right, test(left), true)
        case .binary("||", let left, let right): below(right, test(left), false)
        case .binary(_, let left, let right), .index(let left, let right):
            look(left, scope)
            look(right, scope)
        case .call(let target, let name, let values):
            if target == nil, let site = calls(of: expression).first, sites[site].start == expression.start {
                let found = values.map { evaluator.evaluate($0, scope) }
                if !arguments[site].contains(where: { Self.areSame($0, found) }) { arguments[site].append(found) }
            }
            if let target { look(target, scope) }
            if let target, ["each", "eachWithIndex", "collect"].contains(name), values.count == 1,
                case .closure(let closure) = values[0].kind,
                look(closure, over: target, isIndexed: name == "eachWithIndex", scope)
            {
                return
            }
            for value in values { look(value, scope) }
        case .apply(let target, let values):
            look(target, scope)
            for value in values { look(value, scope) }
        case .closure(let closure):
            let inner = NextflowScope(file: scope.file, parent: scope)
            for parameter in closure.parameters ?? [NextflowParameter(name: "it", fallback: nil)] {
                inner.variables[parameter.name] = .unknown(
                    "`\(parameter.name)` is known only when the run is under way"
                )
            }
            let before = scope.snapshot
            scope.forget(closure.changed, ["a closure may run more than once"])
            _ = walk(closure.body, inner)
            scope.snapshot = before
        case .list(let values): for value in values { look(value, scope) }
        case .map(let entries): for entry in entries { look(entry.value, scope) }
        case .member(let value, _), .spread(let value, _), .unary(_, let value): look(value, scope)
        case .null, .bool, .number, .string, .template, .name, .opaque: break
        }
    }
}

/// The parts of a workflow's body.
struct NextflowWorkflowParts {
    private static let labels: Set<String> = ["take", "main", "emit", "publish", "onComplete", "onError"]

    /// The names of its inputs.
    private(set) var takes: [String] = []
    private var mains: [Range<Int>] = []
    /// What it emits and publishes, which is evaluated after the main part.
    private var ends: [Range<Int>] = []

    init(_ workflow: NextflowScript.Definition) {
        let tokens = workflow.script.tokens
        let body = workflow.body
        var label = "main"
        var start = body.lowerBound
        var depth = 0
        func end(_ index: Int) -> Range<Int> { start..<max(start, index) }
        func close(_ index: Int, _ parts: inout NextflowWorkflowParts) {
            if label == "main" { parts.mains.append(end(index)) }
            if label == "emit" || label == "publish" { parts.ends.append(end(index)) }
            if label == "take" { parts.takes += Self.names(tokens, end(index)) }
        }
        for index in body {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"): depth += 1
            case .symbol(")"), .symbol("]"), .symbol("}"): depth -= 1
            case .name(let name) where depth == 0 && Self.labels.contains(name):
                guard index + 1 < body.upperBound, tokens[index + 1].isSymbol(":"),
                    index == body.lowerBound || tokens[index - 1].isNewline || tokens[index - 1].isSymbol(";")
                        || tokens[index - 1].isSymbol("{")
                else { break }
                close(index, &self)
                label = name
                start = index + 2
            default: break
            }
        }
        close(body.upperBound, &self)
    }

    /// The first name of each line: `name`, `name: Type`.
    private static func names(_ tokens: [NextflowToken], _ range: Range<Int>) -> [String] {
        var names: [String] = []
        var isFirst = true
        var depth = 0
        for index in range {
            switch tokens[index].kind {
            case .newline, .symbol(";"): if depth == 0 { isFirst = true }
            case .symbol("<"), .symbol("("): depth += 1
            case .symbol(">"), .symbol(")"): depth -= 1
            case .symbol(">>"): depth -= 2
            case .name(let name):
                if isFirst { names.append(name) }
                isFirst = false
            default: break
            }
        }
        return names
    }

    /// The statements of the main part and of what it emits, read once.
    func main(_ workflow: NextflowScript.Definition) -> [NextflowStatement] {
        if let known = workflow.statements { return known }
        var statements: [NextflowStatement] = []
        for range in mains + ends where !range.isEmpty {
            var parser = NextflowParser(workflow.script.tokens, range)
            statements += parser.statements(inBlock: false)
        }
        workflow.statements = statements
        return statements
    }
}
