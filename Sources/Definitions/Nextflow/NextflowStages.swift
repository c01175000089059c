/// When each process can begin: how many others have to have ended before, one after the other, as channels lead from
/// one to the next.
///
/// A call waits for the calls behind the channels that it is given, through variables, operators, pipes, and what
/// workflows take and emit. A channel that several processes fill is there when the last of them has ended. Where no
/// call is seen, as inside of functions, a process begins with the one before it.
struct NextflowStages {
    /// When a call can begin, and the way to it.
    struct Call {
        var depth: Int
        var steps: [ImageUse.Step]
    }

    /// What a call gives, by stages.
    private struct Outcome {
        var all: Int
        var emits: [String: Int] = [:]

        func stage(of name: String) -> Int { emits[name] ?? all }
    }

    /// The body of a workflow while it is gone through.
    private struct Body {
        var definition: NextflowScript.Definition
        var prefix: String
        var steps: [ImageUse.Step]
        var depth: Int
        /// When the channels behind variables are there.
        var ready: [String: Int] = [:]
        var outcomes: [String: Outcome] = [:]
        /// Below conditions: what was set before may still hold.
        var branches = 0
        var last = 0

        mutating func set(_ name: String, _ stage: Int, _ outcome: Outcome?) {
            ready[name] = branches > 0 ? max(stage, ready[name] ?? 0) : stage
            outcomes[name] = outcome
        }
    }

    private struct Visit: Hashable {
        var definition: ObjectIdentifier
        var prefix: String
        var arguments: [Int]
    }

    private static let maximumRuns = 5_000
    private static let maximumDepth = 60

    private let library: NextflowLibrary
    private let explains: Bool
    /// Names of calls that are certainly not made.
    private let inactive: Set<String>
    private var calls: [String: Call] = [:]
    private var known: [Visit: Outcome] = [:]
    private var runs = 0
    private var work = 2_000_000

    /// - Parameter explains: Whether the way to every call is kept.
    init(_ main: NextflowScript, _ library: NextflowLibrary, inactive: Set<String>, explains: Bool) {
        self.library = library
        self.inactive = inactive
        self.explains = explains
        if let entry = main.definitions[""] {
            _ = run(entry, [], prefix: "", steps: [], depth: 0)
        } else {
            // DSL1: in the order in which they are written.
            for (index, process) in main.processes.enumerated() { calls[process.name] = Call(depth: index, steps: []) }
        }
    }

    /// - Returns: nil where no call was seen.
    func call(_ qualifiedName: String) -> Call? { calls[qualifiedName] }

    // MARK: Calls

    private mutating func run(
        _ workflow: NextflowScript.Definition,
        _ arguments: [Int],
        prefix: String,
        steps: [ImageUse.Step],
        depth: Int
    ) -> Outcome {
        let visit = Visit(definition: ObjectIdentifier(workflow), prefix: prefix, arguments: arguments)
        if let known = known[visit] { return known }
        runs += 1
        let start = arguments.max() ?? 0
        guard depth < Self.maximumDepth, runs <= Self.maximumRuns else { return Outcome(all: start) }
        // What a workflow calls itself with.
        known[visit] = Outcome(all: start)
        var body = Body(definition: workflow, prefix: prefix, steps: steps, depth: depth, last: start)
        if explains { body.steps.append(step(workflow.script, workflow.line)) }
        let parts = NextflowWorkflowParts(workflow)
        for (index, name) in parts.takes.enumerated() {
            body.ready[name] = index < arguments.count ? arguments[index] : start
        }
        walk(parts.main(workflow), &body)
        let outcome = Outcome(all: body.last, emits: body.ready)
        known[visit] = outcome
        return outcome
    }

    private func step(_ script: NextflowScript, _ line: Int) -> ImageUse.Step {
        ImageUse.Step(.source(file: script.path, line: line))
    }

    /// What a call of a process or workflow gives; nil for any other name.
    private mutating func call(_ name: String, _ arguments: [Int], line: Int32, _ body: inout Body) -> Outcome? {
        var outcome: Outcome?
        for (target, _) in library.definitions(name, in: body.definition.script) {
            let qualified = body.prefix + name
            let steps = explains ? body.steps + [step(body.definition.script, Int(line))] : []
            switch target.kind {
            case .function: return nil
            case .process:
                let start = arguments.max() ?? 0
                if calls[qualified].map({ $0.depth > start }) ?? true {
                    calls[qualified] = Call(depth: start, steps: steps)
                }
                let end = inactive.contains(qualified) ? 0 : start + 1
                outcome = Outcome(all: max(outcome?.all ?? 0, end))
            case .workflow:
                let made = run(target, arguments, prefix: qualified + ":", steps: steps, depth: body.depth + 1)
                let emits = made.emits.merging(outcome?.emits ?? [:]) { max($0, $1) }
                outcome = Outcome(all: max(made.all, outcome?.all ?? 0), emits: emits)
            }
        }
        guard let outcome else { return nil }
        body.outcomes[name] = outcome
        body.last = max(body.last, outcome.all)
        return outcome
    }

    // MARK: Statements

    private mutating func walk(_ statements: [NextflowStatement], _ body: inout Body) {
        for statement in statements {
            work -= 1
            guard work > 0 else { return }
            switch statement.kind {
            case .expression(let expression), .finish(let expression?): _ = stage(expression, &body)
            case .assign(let path, let operation, let expression):
                assign(path, expression, isAdded: operation != "=" || path.count > 1, &body)
            case .assignElement(let path, _, _, let expression): assign(path, expression, isAdded: true, &body)
            case .define(let names, let expression):
                guard let expression else { continue }
                let (stage, outcome) = result(expression, &body)
                for name in names { body.set(name, stage, outcome) }
            case .choice(let test, let then, let other):
                _ = stage(test, &body)
                inBranch(then, &body)
                inBranch(other, &body)
            case .attempt(let first, let second, let third):
                walk(first, &body)
                inBranch(second, &body)
                walk(third, &body)
            case .loop(let name, let values, let inner):
                let stage = values.map { self.stage($0, &body) } ?? 0
                if let name { body.set(name, stage, nil) }
                inBranch(inner, &body)
            case .selection(let subject, let cases):
                _ = stage(subject, &body)
                for one in cases { inBranch(one.body, &body) }
            case .scope(_, let inner): walk(inner, &body)
            case .finish(.none), .selector, .raise, .leave, .function, .broken: continue
            }
        }
    }

    private mutating func inBranch(_ statements: [NextflowStatement], _ body: inout Body) {
        body.branches += 1
        walk(statements, &body)
        body.branches -= 1
    }

    private mutating func assign(
        _ path: [String],
        _ expression: NextflowExpression,
        isAdded: Bool,
        _ body: inout Body
    ) {
        let (stage, outcome) = result(expression, &body)
        guard let name = path.first else { return }
        if isAdded {
            body.ready[name] = max(stage, body.ready[name] ?? 0)
        } else {
            body.set(name, stage, outcome)
        }
    }

    /// A stage, and where it is a call's what the call gives.
    private mutating func result(_ expression: NextflowExpression, _ body: inout Body) -> (Int, Outcome?) {
        let stage = stage(expression, &body)
        switch expression.kind {
        case .call(nil, let name, _): return (stage, body.outcomes[name])
        case .member(let base, "out"):
            if case .name(let name) = base.kind { return (stage, body.outcomes[name]) }
            return (stage, nil)
        default: return (stage, nil)
        }
    }

    // MARK: Expressions

    /// When all that an expression is made of is there.
    private mutating func stage(_ expression: NextflowExpression, _ body: inout Body) -> Int {
        work -= 1
        guard work > 0 else { return 0 }
        switch expression.kind {
        case .null, .bool, .number, .string, .opaque: return 0
        case .name(let name): return body.outcomes[name]?.all ?? body.ready[name] ?? 0
        case .template(let parts):
            var latest = 0
            for case .value(let value) in parts { latest = max(latest, stage(value, &body)) }
            return latest
        case .member(let base, let field): return member(base, field, &body)
        case .spread(let base, _), .unary(_, let base): return stage(base, &body)
        case .list(let elements): return latest(elements, &body)
        case .map(let entries): return latest(entries.map(\.value), &body)
        case .closure(let closure): return inside(closure, body)
        case .index(let base, let key): return latest([base, key], &body)
        case .apply(let base, let arguments): return latest([base] + arguments, &body)
        case .binary("|", let left, let right): return piped(stage(left, &body), into: right, &body)
        case .binary(_, let left, let right), .elvis(let left, let right): return latest([left, right], &body)
        case .ternary(let test, let then, let other): return latest([test, then, other], &body)
        case .call(let target, let name, let arguments):
            return call(target, name, arguments, line: expression.line, &body)
        }
    }

    private mutating func latest(_ expressions: [NextflowExpression], _ body: inout Body) -> Int {
        var latest = 0
        for expression in expressions { latest = max(latest, stage(expression, &body)) }
        return latest
    }

    /// `CALL.out`, `CALL.out.name`, `result.name`.
    private mutating func member(_ base: NextflowExpression, _ field: String, _ body: inout Body) -> Int {
        switch base.kind {
        case .name(let name):
            guard let outcome = body.outcomes[name] else { return body.ready[name] ?? 0 }
            return field == "out" ? outcome.all : outcome.stage(of: field)
        case .member(let inner, "out"):
            guard case .name(let name) = inner.kind, let outcome = body.outcomes[name] else { break }
            return outcome.stage(of: field)
        default: break
        }
        return stage(base, &body)
    }

    /// What a closure looks at; what it sets stays inside.
    private mutating func inside(_ closure: NextflowClosure, _ body: Body) -> Int {
        work -= body.ready.count / 8
        var inner = body
        inner.branches += 1
        for parameter in closure.parameters ?? [] { inner.ready[parameter.name] = 0 }
        var latest = 0
        for statement in closure.body {
            switch statement.kind {
            case .expression(let expression), .finish(let expression?): latest = max(latest, stage(expression, &inner))
            default: walk([statement], &inner)
            }
        }
        return latest
    }

    private mutating func call(
        _ target: NextflowExpression?,
        _ name: String,
        _ arguments: [NextflowExpression],
        line: Int32,
        _ body: inout Body
    ) -> Int {
        guard let target else {
            let stages = arguments.map { stage($0, &body) }
            return call(name, stages, line: line, &body)?.all ?? stages.max() ?? 0
        }
        if ["scan", "recurse", "run"].contains(name), case .name(let process) = target.kind {
            let stages = arguments.map { stage($0, &body) }
            if let outcome = call(process, stages, line: line, &body) { return outcome.all }
        }
        return operated(stage(target, &body), name, arguments, &body)
    }

    /// A channel behind an operator; `set` and `tap` give it names.
    private mutating func operated(
        _ stage: Int,
        _ name: String,
        _ arguments: [NextflowExpression],
        _ body: inout Body
    ) -> Int {
        let all = max(stage, latest(arguments, &body))
        guard ["set", "tap", "into"].contains(name) else { return all }
        for case .closure(let closure) in arguments.map(\.kind) {
            for statement in closure.body {
                guard case .expression(let expression) = statement.kind, case .name(let name) = expression.kind else {
                    continue
                }
                body.set(name, stage, nil)
            }
        }
        return stage
    }

    /// `channel | CALL`, `channel | map { … }`, `channel | (ONE & OTHER)`.
    private mutating func piped(_ stage: Int, into right: NextflowExpression, _ body: inout Body) -> Int {
        switch right.kind {
        case .name(let name): return call(name, [stage], line: right.line, &body)?.all ?? stage
        case .call(nil, let name, let arguments):
            let stages = arguments.map { self.stage($0, &body) }
            return call(name, [stage] + stages, line: right.line, &body)?.all ?? operated(stage, name, arguments, &body)
        case .binary("&", let one, let other):
            return max(piped(stage, into: one, &body), piped(stage, into: other, &body))
        default: return max(stage, self.stage(right, &body))
        }
    }
}
