extension CWLWalker {
    /// Walks into every step of a workflow.
    mutating func steps(of workflow: CWLNode, _ scope: CWLScope, _ context: Context) {
        for (name, step) in members(of: workflow["steps"], key: "run") {
            var inner = context
            inner.path.append(name)
            inner.docker = docker(of: step, inside: context.docker)
            let bound = stepInputs(of: step, in: workflow, scope)
            if let condition = step["when"], let text = loader.text(condition) {
                let value = evaluate(text, CWLScope(inputs: bound))
                inner.parameters.formUnion(value.parameters)
                // `when` must give a truth value; null is a fault of the engine's own to report.
                if value.truth == false, value.candidates.allSatisfy({ $0 == .bool(false) }) {
                    let place = condition.evidence
                    let isOpen = value.isOverridable && context.certainty != .inactive
                    inner.certainty = max(context.certainty, isOpen ? .alternative : .inactive)
                    if inner.certainty != context.certainty {
                        inner.reason =
                            isOpen
                            ? "the condition at \(place) is false by a default that a run may change"
                            : "the condition at \(place) is false"
                    }
                }
            }
            guard let run = step["run"], !run.isNull else {
                report(step.evidence, "run", "the step runs nothing: `run` is not given", inner)
                continue
            }
            guard let reference = run.string else {
                walk(run, bound: bound, inner)
                continue
            }
            do throws(CWLLoader.Fault) {
                walk(try loader.target(of: run), bound: bound, inner)
            } catch {
                report(run.evidence, "run: \(reference)", error.reason, inner)
            }
        }
    }

    /// What a step gives to its process (CWL 1.2, WorkflowStepInput): source, else default, then `valueFrom`.
    mutating func stepInputs(of step: CWLNode, in workflow: CWLNode, _ scope: CWLScope) -> [String: CWLValue] {
        var scattered: Set<String> = []
        if let scatter = step["scatter"] {
            scattered = Set((scatter.elements ?? [scatter]).compactMap { $0.string.map(Self.lastName) })
        }
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
            return .unknown("a scatter over \(elements.count) values").dependent(on: value)
        }
        var result = value
        result.candidates = elements.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        result.certainty = result.candidates.count > 1 ? .each : .known
        return result
    }
}
