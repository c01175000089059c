extension CWLWalker {
    /// Walks into every step of a workflow, each after those that it waits for.
    ///
    /// - Returns: How many tasks follow one after the other in it; what a false condition leaves out does not count.
    mutating func steps(of workflow: CWLNode, _ scope: CWLScope, _ context: Context) -> Int {
        let steps = members(of: workflow["steps"], key: "run")
        let needed = dependencies(of: steps)
        /// When each step has ended, from the beginning of the workflow.
        var ends: [Int: Int] = [:]
        for number in Self.order(needed) {
            let (name, step) = steps[number]
            var inner = context
            let start = needed[number].compactMap { ends[$0] }.max() ?? 0
            inner.depth += start
            inner.path.append(name)
            inner.docker = docker(of: step, inside: context.docker)
            if explains { inner.steps.append(ImageUse.Step(step.evidence)) }
            let bound = stepInputs(of: step, in: workflow, scope)
            let isSkipped = !decide(whether: step, runsWith: bound, &inner)
            let duration = walk(step: step, bound: bound, inner)
            ends[number] = isSkipped ? 0 : start + duration
        }
        return ends.values.max() ?? 0
    }

    private mutating func walk(step: CWLNode, bound: [String: CWLValue], _ context: Context) -> Int {
        guard let run = step["run"], !run.isNull else {
            report(step.evidence, "run", "the step runs nothing: `run` is not given", context)
            return 0
        }
        guard let reference = run.string else { return walk(run, bound: bound, context) }
        do throws(CWLLoader.Fault) {
            return walk(try loader.target(of: run), bound: bound, context)
        } catch {
            report(run.evidence, "run: \(reference)", error.reason, context)
            return 1
        }
    }

    // MARK: Conditions

    /// How sure it is that a step runs: its `when`, and whether what it scatters over holds anything.
    ///
    /// - Returns: false where it does not, as far as what is given goes.
    private mutating func decide(
        whether step: CWLNode,
        runsWith bound: [String: CWLValue],
        _ context: inout Context
    ) -> Bool {
        for name in Self.scattered(by: step) {
            // The elements of a list are candidates already; an empty one has none.
            guard let value = bound[name], value.isEmptyScatter else { continue }
            context.parameters.formUnion(value.parameters)
            context.weaken(value, "the step at \(step.evidence) scatters over an empty list")
            return false
        }
        guard let condition = step["when"], let text = loader.text(condition) else { return true }
        let value = evaluate(text, CWLScope(inputs: bound))
        context.parameters.formUnion(value.parameters)
        if explains { context.steps.append(ImageUse.Step(condition.evidence)) }
        let place = condition.evidence
        // `when` must give a truth value; null is a fault of the engine's own to report.
        if value.missing == nil, value.candidates.allSatisfy({ $0 == .bool(false) }) {
            context.weaken(value, "the condition at \(place) is false")
            return false
        }
        guard value.truth == nil, context.certainty == .certain else { return true }
        switch value.certainty {
        case .unknown(let missing), .either(let missing):
            (context.certainty, context.reason) = (
                .alternative, "the condition at \(place) depends on this: \(missing)"
            )
        case .known, .each:
            // Of several elements those with a true one run.
            break
        }
        return true
    }

    // MARK: Order

    /// The steps whose outputs each step takes.
    private mutating func dependencies(of steps: [(name: String, value: CWLNode)]) -> [[Int]] {
        var numbers: [String: Int] = [:]
        for (number, step) in steps.enumerated() { numbers[step.name] = number }
        return steps.enumerated().map { number, step in
            var needed: Set<Int> = []
            for (_, input) in members(of: step.value["in"] ?? step.value["inputs"], key: "source") {
                guard let source = input.isMapping ? input["source"] : input, charge(1 + source.count) else { continue }
                for one in source.elements ?? [source] {
                    let parts = CWLLoader.shortID(one.string ?? "").split(separator: "/")
                    guard parts.count > 1, let other = numbers[String(parts[parts.count - 2])], other != number else {
                        continue
                    }
                    needed.insert(other)
                }
            }
            return needed.sorted()
        }
    }

    /// Every step behind those that it waits for, else as they are written; in a circle somebody goes first.
    private static func order(_ needed: [[Int]]) -> [Int] {
        var order: [Int] = []
        var isTaken = Array(repeating: false, count: needed.count)
        for number in needed.indices {
            // Without recursion: a chain may be as long as the workflow.
            var stack = [(number, 0)]
            while let (number, next) = stack.popLast() {
                if next == 0 {
                    guard !isTaken[number] else { continue }
                    isTaken[number] = true
                }
                if next < needed[number].count {
                    stack.append((number, next + 1))
                    stack.append((needed[number][next], 0))
                } else {
                    order.append(number)
                }
            }
        }
        return order
    }

    // MARK: Values

    private static func scattered(by step: CWLNode) -> Set<String> {
        guard let scatter = step["scatter"] else { return [] }
        return Set((scatter.elements ?? [scatter]).compactMap { $0.string.map(lastName) })
    }

    /// What a step gives to its process (CWL 1.2, WorkflowStepInput): source, else default, then `valueFrom`.
    mutating func stepInputs(of step: CWLNode, in workflow: CWLNode, _ scope: CWLScope) -> [String: CWLValue] {
        let scattered = Self.scattered(by: step)
        var values: [String: CWLValue] = [:]
        var computed: [(name: String, text: String)] = []
        for (name, input) in members(of: step["in"] ?? step["inputs"], key: "source") {
            let isPlain = !input.isMapping
            var value = CWLValue.known(.null)
            if let source = isPlain ? input : input["source"], !source.isNull {
                value = self.value(ofSource: source, input, in: workflow, scope)
            }
            if !isPlain, value.only == .null, let node = input["default"], let known = constant(node) { value = known }
            if scattered.contains(name) { value = Self.elements(of: value) }
            values[name] = value
            if !isPlain, let node = input["valueFrom"], let text = loader.text(node) { computed.append((name, text)) }
        }
        // Every `valueFrom` sees the inputs as they were before any of them.
        let before = values
        for (name, text) in computed {
            values[name] = evaluate(text, CWLScope(inputs: before, this: before[name] ?? .known(.null)))
        }
        return values
    }

    /// The value of one source or a list of them.
    mutating func value(
        ofSource source: CWLNode,
        _ input: CWLNode,
        in workflow: CWLNode,
        _ scope: CWLScope
    ) -> CWLValue {
        guard let sources = source.elements else { return value(of: source.string ?? "", in: workflow, scope) }
        guard sources.count <= 200 else { return .unknown("a list of more than 200 sources") }
        var list = CWLValue.known(.array([]))
        for source in sources {
            let value = self.value(of: source.string ?? "", in: workflow, scope)
            list = list.combined(with: value, orUnknown: "a list of too many values") { list, value in
                guard case .array(let list) = list else { return nil }
                return .array(list + [value])
            }
        }
        let isFlat = input["linkMerge"]?.string == "merge_flattened"
        return Self.picked(list, isFlat: isFlat, by: input["pickValue"]?.string)
    }

    /// `linkMerge` and `pickValue`.
    private static func picked(_ value: CWLValue, isFlat: Bool, by method: String?) -> CWLValue {
        value.map(
            { value in
                guard case .array(var list) = value else { return nil }
                if isFlat { list = list.flatMap { if case .array(let inner) = $0 { inner } else { [$0] } } }
                let given = list.filter { $0 != .null }
                switch method {
                case "first_non_null": return given.first
                case "the_only_non_null": return given.count == 1 ? given.first : nil
                case "all_non_null": return .array(given)
                default: return list.count == 1 && !isFlat ? list.first : .array(list)
                }
            },
            orUnknown: "no value is left to pick"
        )
    }

    /// The value of `input` or `step/output`, in the long form of packed documents too.
    private mutating func value(of source: String, in workflow: CWLNode, _ scope: CWLScope) -> CWLValue {
        var name = CWLLoader.shortID(source)
        if let id = workflow["id"]?.string.map(CWLLoader.shortID), name.hasPrefix(id + "/") {
            name.removeFirst(id.count + 1)
        }
        if let value = scope.inputs[name] { return value }
        let last = Self.lastName(of: name)
        let step = Self.lastName(of: name.split(separator: "/").dropLast().joined(separator: "/"))
        if step.isEmpty {
            return scope.inputs[last] ?? .unknown("source `\(name.prefix(80))` is no input of the workflow")
        }
        return output(last, ofStep: step, in: workflow, scope)
            ?? .unknown(
                "output `\(last.prefix(80))` of step `\(step.prefix(80))` is known only when it has run"
            )
    }

    private static func elements(of value: CWLValue) -> CWLValue {
        guard case .array(let elements) = value.only else { return value }
        guard !elements.isEmpty, elements.count <= CWLValue.maximumCandidates else {
            var unknown = CWLValue.unknown("a scatter over \(elements.count) values").dependent(on: value)
            unknown.isEmptyScatter = elements.isEmpty
            return unknown
        }
        var result = value
        result.candidates = elements.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        result.certainty = result.candidates.count > 1 ? .each : .known
        return result
    }
}
