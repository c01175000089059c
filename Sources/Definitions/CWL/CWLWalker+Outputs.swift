extension CWLWalker {
    /// The value of a step's output where it is known before the run: of an ExpressionTool, of a workflow that hands
    /// such a value on, or of a tool's `outputEval` that looks at no file.
    ///
    /// - Returns: nil where only the run can tell.
    mutating func output(
        _ name: String,
        ofStep stepName: String,
        in workflow: CWLNode,
        _ scope: CWLScope
    ) -> CWLValue? {
        outputBudget -= 1
        guard outputBudget > 0, outputDepth < 20 else { return nil }
        outputDepth += 1
        defer { outputDepth -= 1 }
        let steps = members(of: workflow["steps"], key: "run")
        guard let step = steps.last(where: { $0.name == stepName })?.value, step["scatter"] == nil, step["when"] == nil,
            let run = step["run"], let process = process(of: run)
        else { return nil }
        // The step's inputs, which may be outputs of other steps, only where something is made of them: nearly every
        // output is a file that a tool writes.
        switch process["class"]?.string {
        case "ExpressionTool":
            guard let node = process["expression"], let text = loader.text(node) else { return nil }
            let value = evaluate(text, self.scope(of: process, at: step, in: workflow, scope))
            guard value.missing == nil else { return nil }
            let result = value.map(
                { value in
                    guard case .object(let members) = value else { return nil }
                    return members[name]
                },
                orUnknown: ""
            )
            return result.missing == nil ? result : nil
        case "Workflow":
            let outputs = members(of: process["outputs"], key: "type")
            guard let output = outputs.last(where: { $0.name == name })?.value,
                let source = output["outputSource"] ?? output["source"]
            else { return nil }
            let inner = self.scope(of: process, at: step, in: workflow, scope)
            let value = value(ofSource: source, output, in: process, inner)
            return value.missing == nil ? value : nil
        case "CommandLineTool":
            let outputs = members(of: process["outputs"], key: "type")
            guard let binding = outputs.last(where: { $0.name == name })?.value["outputBinding"],
                binding["glob"] == nil, let node = binding["outputEval"], let text = loader.text(node)
            else { return nil }
            let value = evaluate(text, self.scope(of: process, at: step, in: workflow, scope))
            return value.missing == nil ? value : nil
        default: return nil
        }
    }

    /// What a step's process sees.
    private mutating func scope(
        of process: CWLNode,
        at step: CWLNode,
        in workflow: CWLNode,
        _ scope: CWLScope
    ) -> CWLScope {
        let bound = stepInputs(of: step, in: workflow, scope)
        return CWLScope(inputs: inputs(of: process, bound: bound, isMain: false))
    }

    /// The process that `run` names or is; what is wrong with it is reported where the step is walked.
    private mutating func process(of run: CWLNode) -> CWLNode? {
        guard run.string != nil else { return loader.resolved(run) }
        guard let target = try? loader.target(of: run) else { return nil }
        return loader.resolved(target)
    }
}
