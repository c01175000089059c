/// Walks from the main process through every step and collects the images.
struct CWLWalker {
    /// Processes visited at most: the real record is 170. Nested workflows can name exponentially many.
    static let maximumVisits = 20_000
    static let maximumDepth = 50
    /// Bytes and entries looked at in all visits together: many times what the largest real workflow takes.
    static let maximumWork = 20_000_000

    var loader: CWLLoader
    let parameters: [String: ParameterValue]
    /// Whether the way to every use is kept.
    let explains: Bool
    private var uses: [ImageUse] = []
    private(set) var relevant: Set<String> = []
    private var visits = 0
    private var work = Self.maximumWork
    private var dockers: [CWLNode.Identity: CWLDocker] = [:]
    private var memberLists: [CWLNode.Identity: [(name: String, value: CWLNode)]] = [:]
    /// Outputs that may still be worked out before the run, and how many are being worked out.
    var outputBudget = 2_000
    var outputDepth = 0
    private var images: [String: Use] = [:]
    private var unresolved: [UnresolvedMention: Set<String>] = [:]

    private struct Use {
        var certainty: Certainty
        var reason: String?
        var depth: Int
        var places: [Evidence]
        var tasks: Set<String>

        mutating func add(
            _ certainty: Certainty,
            _ reason: String?,
            depth: Int,
            _ places: [Evidence],
            task: String
        ) {
            if certainty == self.certainty { self.depth = min(self.depth, depth) }
            if certainty < self.certainty { (self.certainty, self.reason, self.depth) = (certainty, reason, depth) }
            for place in places where !self.places.contains(place) && self.places.count < 200 {
                self.places.append(place)
            }
            tasks.insert(task)
        }
    }

    /// What a process inherits on the way to it.
    struct Context {
        var docker = CWLDocker()
        var certainty: Certainty = .certain
        var reason: String?
        /// Tasks that have to have ended, one after the other, before it can begin.
        var depth = 0
        /// Steps from the main process.
        var path: [String] = []
        /// The same with what decided whether they are taken, where explanations are asked for.
        var steps: [ImageUse.Step] = []
        var ancestors: Set<CWLNode.Identity> = []
        /// Conditions on the way depended on these parameters.
        var parameters: Set<String> = []

        /// What follows does not run, because of a value; before any run it may all the same, where a default alone
        /// made it so.
        mutating func weaken(_ value: CWLValue, _ reason: String) {
            let certainty: Certainty = value.isOverridable ? .alternative : .inactive
            guard certainty > self.certainty else { return }
            self.certainty = certainty
            self.reason = value.isOverridable ? "\(reason) by a default that a run may change" : reason
        }
    }

    init(loader: CWLLoader, parameters: [String: ParameterValue], explains: Bool = false) {
        self.loader = loader
        self.parameters = parameters
        self.explains = explains
    }

    /// Whether this stands for any run: defaults hold, but a run may say otherwise.
    var isAnyRun: Bool { parameters.isEmpty }

    func inspection() -> Inspection {
        let mentions = images.map { text, use in
            ImageMention(
                text: text,
                certainty: use.certainty,
                reason: use.certainty == .certain ? nil : use.reason,
                depth: use.depth,
                places: use.places.sorted(),
                tasks: use.tasks.sorted()
            )
        }
        let open = unresolved.map { mention, tasks in
            UnresolvedMention(
                place: mention.place,
                expression: mention.expression,
                missing: mention.missing,
                tasks: tasks.sorted()
            )
        }
        var inspection = Inspection(
            images: mentions.sorted { $0.text < $1.text },
            unresolved: open.sorted { ($0.place, $0.expression, $0.missing) < ($1.place, $1.expression, $1.missing) },
            notes: loader.notes,
            relevantParameters: relevant.sorted()
        )
        inspection.uses = uses
        return inspection
    }

    // MARK: Processes

    /// - Parameter bound: Values of inputs given from outside; an input that is not among them has its default.
    /// - Returns: How many tasks follow one after the other in it.
    @discardableResult
    mutating func walk(_ node: CWLNode, bound: [String: CWLValue], _ context: Context) -> Int {
        visits += 1
        guard visits <= Self.maximumVisits, context.path.count < Self.maximumDepth, charge(100) else {
            let isDeep = context.path.count >= Self.maximumDepth
            let limit = isDeep ? "nested too deeply" : "more than \(Self.maximumVisits) steps, or too much in them"
            report(node.evidence, "run", "\(limit); what lies below is not looked at", context)
            return 1
        }
        guard let process = loader.resolved(node) else {
            report(node.evidence, "run", "the process cannot be read; see the notes", context)
            return 1
        }
        guard !context.ancestors.contains(process.identity) else {
            loader.note(process.evidence, "the workflow runs itself; this step is not followed")
            return 1
        }
        var inner = context
        inner.ancestors.insert(process.identity)
        if explains { inner.steps.append(ImageUse.Step(process.evidence)) }
        inner.docker = docker(of: process, inside: context.docker)
        let isMain = context.ancestors.isEmpty
        if isMain { inner.docker.given = givenRequirement(of: process) }
        let name = process["class"]?.string.map(CWLLoader.shortID) ?? ""
        switch name.split(separator: ":").last ?? "" {
        case "CommandLineTool":
            use(of: process, scope: CWLScope(inputs: inputs(of: process, bound: bound, isMain: isMain)), inner)
            return 1
        case "Workflow":
            return steps(of: process, CWLScope(inputs: inputs(of: process, bound: bound, isMain: isMain)), inner)
        case "ExpressionTool", "Operation":
            // Runs in the engine itself; an Operation not at all.
            return 0
        default:
            let what = name.isEmpty ? "it has no `class`" : "its class is `\(name.prefix(80))`"
            report(process.evidence, "run", "this is no CWL process: \(what)", context)
            return 1
        }
    }

    /// What holds inside a step or process; its own part is looked for once, however often it is visited.
    mutating func docker(of node: CWLNode, inside outer: CWLDocker) -> CWLDocker {
        // Fields are found by looking through the mapping.
        guard charge(node.count * 20) else { return outer }
        let own = dockers[node.identity] ?? CWLDocker().inner(node, &loader)
        dockers[node.identity] = own
        return CWLDocker(
            requirement: own.requirement ?? outer.requirement,
            hint: own.hint ?? outer.hint,
            broken: outer.broken.count < 20 ? outer.broken + own.broken : outer.broken,
            given: own.requirement == nil ? outer.given : nil
        )
    }

    /// Whether so much more may be looked at.
    mutating func charge(_ amount: Int) -> Bool {
        work -= amount
        return work > 0
    }

    /// The value of a text that may hold expressions.
    mutating func evaluate(_ text: String, _ scope: CWLScope) -> CWLValue {
        guard text.utf8.count <= 20_000 else { return .unknown("the text is longer than 20,000 bytes") }
        guard charge(text.utf8.count * 4) else { return .unknown("the definition asks for too much work") }
        guard CWLEvaluator.isExpression(text) else { return .known(.string(text)) }
        var evaluator = CWLEvaluator(scope)
        return evaluator.value(of: CWLMethods.trimmed(text))
    }

    /// What the run's parameters ask for beside inputs.
    private mutating func givenRequirement(of main: CWLNode) -> CWLNode? {
        // Of version 1.0 it is no part, and engines refuse it.
        guard main["cwlVersion"]?.string != "v1.0" else { return nil }
        guard let value = parameters[CWLDocker.parameterName] else { return nil }
        relevant.insert(CWLDocker.parameterName)
        return CWLDocker.given(value, &loader)
    }

    /// The image of a tool.
    private mutating func use(of tool: CWLNode, scope: CWLScope, _ context: Context) {
        guard let given = context.docker.given else { return use(context.docker.effective, of: tool, scope, context) }
        var context = context
        if context.certainty == .certain {
            context.certainty = .alternative
            context.reason = "whether HealthOmics heeds the parameter `\(CWLDocker.parameterName)` is not documented"
        }
        use(given, of: tool, scope, context)
        if let own = context.docker.effective { use(own, of: tool, scope, context) }
    }

    private mutating func use(_ docker: CWLNode?, of tool: CWLNode, _ scope: CWLScope, _ context: Context) {
        guard let docker else {
            for broken in context.docker.broken {
                report(broken.evidence, "$import", "requirements that cannot be read; see the notes", context)
            }
            if context.docker.broken.isEmpty { loader.note(tool.evidence, "the tool names no container") }
            return
        }
        relevant.formUnion(context.parameters)
        guard let pull = docker["dockerPull"], !pull.isNull else {
            let built = ["dockerFile", "dockerImport", "dockerLoad", "dockerImageId"].first { docker[$0] != nil }
            let what = built.map { "only `\($0)` is given: there is no image to pull" } ?? "`dockerPull` is not given"
            report(docker.evidence, "DockerRequirement", what, context)
            return
        }
        guard let text = loader.text(pull) else {
            report(pull.evidence, "dockerPull", "its file cannot be read; see the notes", context)
            return
        }
        let value = evaluate(text, scope)
        var context = context
        if explains { context.steps += steps(docker, pull, text, value, scope) }
        relevant.formUnion(value.parameters)
        if let missing = value.missing {
            report(pull.evidence, text, missing, context)
            return
        }
        var reason = context.reason
        var certainty = context.certainty
        if case .either(let decider) = value.certainty, certainty == .certain {
            (certainty, reason) = (.alternative, "one of \(value.candidates.count) values: \(decider)")
        }
        for candidate in value.candidates {
            add(candidate, text, [pull.evidence] + value.places, certainty, reason, context)
        }
    }

    private mutating func add(
        _ value: ParameterValue,
        _ expression: String,
        _ places: [Evidence],
        _ certainty: Certainty,
        _ reason: String?,
        _ context: Context
    ) {
        guard value != .null, let written = value.scriptText else {
            var what = value == .null ? "null" : "no text"
            if case .number(let number) = value {
                what = "the number \(number.prefix(40)), which engines write in different ways; put it in quotes"
            }
            report(places[0], expression, "the expression gives \(what)", context)
            return
        }
        var text = CWLMethods.trimmed(written)
        if text.hasPrefix("docker://") { text.removeFirst("docker://".count) }
        guard ImageText.isReference(text) else {
            let isTemplate = text.contains("{{") || text.contains("}}")
            let mend = isTemplate ? "is a template; fill it in before the workflow is made" : "is not an image name"
            report(places[0], expression, "`\(text.prefix(120))` \(mend)", context)
            return
        }
        let task = context.path.joined(separator: "/")
        keep(text, missing: nil, certainty, reason, context)
        // In place: a copy of the tasks for each of thousands of steps would be quadratic.
        let new = Use(certainty: certainty, reason: reason, depth: context.depth, places: [], tasks: [])
        images[text, default: new].add(
            certainty,
            reason,
            depth: context.depth,
            places,
            task: task
        )
    }

    mutating func report(_ place: Evidence, _ expression: String, _ missing: String, _ context: Context) {
        // Below a false condition no image is missing.
        guard context.certainty != .inactive else { return }
        keep(nil, missing: missing, context.certainty, context.reason, context)
        let mention = UnresolvedMention(
            place: place,
            expression: CWLMethods.trimmed(String(expression.prefix(200))),
            missing: missing,
            tasks: []
        )
        guard unresolved[mention] != nil || unresolved.count < 1_000 else { return }
        unresolved[mention, default: []].insert(context.path.joined(separator: "/"))
    }

    // MARK: Explanations

    private mutating func keep(
        _ image: String?,
        missing: String?,
        _ certainty: Certainty,
        _ reason: String?,
        _ context: Context
    ) {
        guard explains, uses.count < ImageUse.maximum else { return }
        uses.append(
            ImageUse(
                task: context.path.joined(separator: "/"),
                image: image,
                certainty: certainty,
                reason: reason,
                missing: missing,
                steps: context.steps
            )
        )
    }

    /// Where an image is written, and the inputs that stand in it.
    private func steps(
        _ docker: CWLNode,
        _ pull: CWLNode,
        _ text: String,
        _ value: CWLValue,
        _ scope: CWLScope
    ) -> [ImageUse.Step] {
        let image = value.only?.scriptText ?? ""
        var steps = [ImageUse.Step(pull.evidence)]
        guard CWLEvaluator.isExpression(text) else { return steps }
        for name in scope.inputs.keys.sorted() where text.contains(name) && steps.count < ImageUse.maximumSteps {
            guard let input = scope.inputs[name] else { continue }
            let shown: String?
            switch input.only {
            case .string(let text)?: shown = ImageUse.shown(text, in: image, isAnyRun: isAnyRun)
            case .null?: shown = "null"
            case .bool(let value)?: shown = value ? "true" : "false"
            default: shown = nil
            }
            let note = shown.map { "\(name) = \($0)" } ?? input.missing.map { "\(name) is not known: \($0)" }
            // The last place is where the note stands; a parameter says itself what may be seen of it.
            for place in input.places {
                if case .parameter = place {
                    steps.append(ImageUse.Step(place))
                } else {
                    steps.append(ImageUse.Step(place, note))
                }
            }
            if input.places.isEmpty, let note { steps.append(ImageUse.Step(pull.evidence, note)) }
        }
        return steps
    }

    // MARK: Inputs

    /// The main process's inputs from the run's parameters; a missing one has no value here, but may have a default.
    func parameterValues() -> [String: CWLValue] {
        parameters.reduce(into: [:]) { values, parameter in
            var value = CWLValue.known(parameter.value)
            value.places = [.parameter(path: parameter.key)]
            value.parameters = [parameter.key]
            values[parameter.key] = value
        }
    }

    /// The values of a process's inputs: what was bound, else the default, else unknown or null.
    mutating func inputs(of process: CWLNode, bound: [String: CWLValue], isMain: Bool) -> [String: CWLValue] {
        var values: [String: CWLValue] = [:]
        for (name, input) in members(of: process["inputs"], key: "type") {
            if let value = bound[name], value.only != .null {
                values[name] = value
                continue
            }
            var value: CWLValue
            if input.isMapping, let node = input["default"], let known = constant(node) {
                value = known
                if isMain { value.isOverridable = isAnyRun }
            } else if !isMain, let null = bound[name] {
                value = null
            } else if isOptional(input), !(isMain && isAnyRun) {
                value = .known(.null)
            } else {
                value = .unknown("input `\(name)` has no default" + (isAnyRun || !isMain ? "" : " and no parameter"))
            }
            if isMain { value.parameters.insert(name) }
            values[name] = value
        }
        return values
    }

    mutating func constant(_ node: CWLNode) -> CWLValue? {
        guard let node = loader.resolved(node) else { return nil }
        var budget = 10_000
        let value = node.value(budget: &budget)
        guard charge((10_000 - budget) * 10), let value else { return nil }
        var known = CWLValue.known(value)
        known.places = [node.evidence]
        return known
    }

    private func isOptional(_ input: CWLNode) -> Bool {
        let type = input.isMapping ? input["type"] : input
        guard let type else { return false }
        if let name = type.string { return name.hasSuffix("?") || name == "null" || name == "Any" }
        return type.elements?.contains { $0.string == "null" || ($0.isNull && !$0.isMapping) } ?? false
    }

    /// Entries of a list with ids or of a map, by short name (CWL 1.2, "Document preprocessing", identifier maps).
    ///
    /// Each list is made once: every source of every step looks through the steps of its workflow.
    mutating func members(of node: CWLNode?, key: String) -> [(name: String, value: CWLNode)] {
        guard let node else { return [] }
        if let known = memberLists[node.identity] { return charge(known.count) ? known : [] }
        guard let list = loader.resolved(node), charge(list.count * 20) else { return [] }
        let found: [(name: String, value: CWLNode)] =
            if let elements = list.elements {
                elements.compactMap { element in
                    guard let element = loader.resolved(element), let id = element["id"]?.string else { return nil }
                    return (Self.lastName(of: id), element)
                }
            } else {
                (list.entries ?? []).compactMap { entry in
                    loader.resolved(entry.value).map { (Self.lastName(of: entry.key), $0) }
                }
            }
        memberLists[node.identity] = found
        return found
    }

    /// `#main/step/name` is `name`.
    static func lastName(of id: String) -> String {
        CWLLoader.part(of: CWLLoader.shortID(id), behindLast: UInt8(ascii: "/"))
    }
}
