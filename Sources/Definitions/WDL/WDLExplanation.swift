/// The way to the container of a task: the calls, and the values that its image is made of.
struct WDLExplanation {
    private let evaluator: WDLEvaluator
    private let image: String
    private var steps: [ImageUse.Step] = []
    private var seen: Set<Name> = []

    private struct Name: Hashable {
        var scope: ObjectIdentifier
        var name: String
    }

    /// - Parameter image: What the way leads to; values that are not in it may be secret.
    init(_ evaluator: WDLEvaluator, image: String) {
        self.evaluator = evaluator
        self.image = image
    }

    func steps(to task: WDLScope) -> [ImageUse.Step] {
        var explanation = self
        explanation.addCalls(to: task)
        let callable = task.callable
        if let given = evaluator.givenContainer(of: task.instance) {
            explanation.steps.append(ImageUse.Step(.parameter(path: given.key)))
        } else if let attribute = callable.container {
            explanation.steps.append(ImageUse.Step(explanation.place(task, attribute.line)))
            explanation.addNames(in: attribute.expression, of: task, depth: 0)
        }
        return explanation.steps
    }

    private func place(_ scope: WDLScope, _ line: Int) -> Evidence {
        evaluator.evidence(evaluator.place(document: scope.callable.document, line: line))
    }

    /// From the main workflow to a task: every workflow, what its calls stand in, and the calls.
    private mutating func addCalls(to scope: WDLScope) {
        var way: [[ImageUse.Step]] = []
        var instance = scope.instance
        var innermost = [ImageUse.Step(place(scope, scope.callable.line))]
        while let caller = instance.caller {
            let callable = caller.scope.callable
            var steps = [ImageUse.Step(place(caller.scope, callable.line))]
            for block in callable.way(from: 0, to: caller.scope.block) {
                steps.append(ImageUse.Step(place(caller.scope, callable.blocks[block].line)))
            }
            steps.append(ImageUse.Step(place(caller.scope, callable.calls[caller.call].line)))
            way.append(innermost)
            innermost = steps
            instance = caller.scope.instance
        }
        way.append(innermost)
        steps += way.reversed().joined()
    }

    /// What the names in an expression mean, and what these are made of.
    private mutating func addNames(in node: WDLExpression.ID, of scope: WDLScope, depth: Int) {
        let nodes = evaluator.library.documents[scope.callable.document].nodes
        guard depth < 12 else { return }
        for name in WDLExpression.names(in: node, nodes) where steps.count < ImageUse.maximumSteps {
            guard let entry = evaluator.meanings(name, in: scope).first else { continue }
            var home = scope
            while home.block != entry.block, let outer = home.parent { home = outer }
            guard seen.insert(Name(scope: ObjectIdentifier(home), name: name)).inserted else { continue }
            switch entry.meaning {
            case .call(let number):
                let line = scope.callable.calls[number].line
                steps.append(ImageUse.Step(place(scope, line), "`\(name)` is known when it has run"))
            case .scatterVariable:
                let note = home.element.flatMap { described(name, $0) }
                steps.append(ImageUse.Step(place(scope, scope.callable.blocks[entry.block].line), note))
                if case .scatter(_, let over) = scope.callable.blocks[entry.block].kind, let outer = home.parent {
                    addNames(in: over, of: outer, depth: depth + 1)
                }
            case .declaration(let number):
                let isHere = home.block == entry.block
                addDeclaration(number, in: home, isEvaluated: isHere, depth: depth)
            }
        }
    }

    private mutating func addDeclaration(_ number: Int, in scope: WDLScope, isEvaluated: Bool, depth: Int) {
        let declaration = scope.callable.declarations[number]
        let note = isEvaluated ? described(declaration.name, evaluator.declaration(number, in: scope)) : nil
        if scope.block == 0, let binding = scope.instance.bindings[declaration.name] {
            steps.append(ImageUse.Step(place(binding.scope, binding.line), note))
            addNames(in: binding.value, of: binding.scope, depth: depth + 1)
        } else if declaration.isInput,
            let given = evaluator.parameters.value(scope.instance.inputKey(declaration.name))
        {
            steps.append(ImageUse.Step(.parameter(path: given.key)))
        } else {
            steps.append(ImageUse.Step(place(scope, declaration.line), note))
            if let value = declaration.value { addNames(in: value, of: scope, depth: depth + 1) }
        }
    }

    private func described(_ name: String, _ value: WDLValue) -> String? {
        let isAnyRun = evaluator.parameters.isAnyRun
        let shown: String?
        switch value.kind {
        case .string(let text): shown = ImageUse.shown(text, in: image, isAnyRun: isAnyRun)
        case .null: shown = "null"
        case .bool(let value): shown = value ? "true" : "false"
        case .oneOf(let candidates, _): return "\(name) is one of \(candidates.count) values"
        case .unknown(let reasons): return "\(name) is not known: \(evaluator.text(reasons))"
        default: shown = nil
        }
        return shown.map { "\(name) = \($0)" }
    }
}

extension WDLExpression {
    /// The names that an expression is made of, each once, in the order of the text.
    static func names(in node: ID, _ nodes: [WDLExpression]) -> [String] {
        var names: [String] = []
        forEachName(in: node, nodes) { if !names.contains($0), names.count < 100 { names.append($0) } }
        return names
    }

    /// - Returns: Nodes that were looked at.
    @discardableResult
    static func forEachName(in node: ID, _ nodes: [WDLExpression], _ body: (String) -> Void) -> Int {
        var open = [node]
        var count = 0
        while let node = open.popLast() {
            count += 1
            switch nodes[Int(node)] {
            case .null, .bool, .integer, .float, .oddNumber: continue
            case .name(let name): body(name)
            case .string(let parts):
                for case .placeholder(let value, let options) in parts.reversed() {
                    open.append(value)
                    if let other = options.standIn { open.append(other) }
                }
            case .member(let base, _), .not(let base), .negative(let base): open.append(base)
            case .index(let base, let key): open += [key, base]
            case .apply(_, let arguments): open += arguments.reversed()
            case .binary(_, let left, let right), .pair(let left, let right): open += [right, left]
            case .choice(let condition, let then, let otherwise): open += [otherwise, then, condition]
            case .array(let elements): open += elements.reversed()
            case .map(let entries): for entry in entries.reversed() { open += [entry.value, entry.key] }
            case .object(let members): open += members.reversed().map(\.value)
            }
        }
        return count
    }
}
