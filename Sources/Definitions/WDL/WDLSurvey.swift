/// Walks the call graph and collects the images of all tasks.
struct WDLSurvey {
    private static let maximumVisits = 50_000
    private static let maximumGaps = 2_000

    private struct Found {
        var certainty: Certainty
        var reason: String?
        var places: [UInt64] = []
        var depth: Int
        var tasks: Set<String> = []

        mutating func add(_ other: Found, task: String) {
            if other.certainty < certainty {
                (certainty, reason, places) = (other.certainty, other.reason, other.places)
                depth = other.depth
            } else if other.certainty == certainty {
                places = WDLValue.union(places, other.places)
                depth = min(depth, other.depth)
            }
            tasks.insert(task)
        }
    }

    private struct Gap: Hashable {
        var place: UInt64
        var expression: String
        var missing: String
    }

    /// What holds on the way to a block or task.
    private struct Context {
        var certainty: Certainty = .certain
        /// Why it is not certain that it is reached.
        var reason: String?
        /// The stage at which the workflow or task around begins.
        var depth = 0
        /// The stages of the calls of the workflow around, from its own beginning.
        var starts: [Int] = []

        func below(_ certainty: Certainty, _ reason: String) -> Context {
            guard certainty > self.certainty else { return self }
            var context = self
            (context.certainty, context.reason) = (certainty, reason)
            return context
        }
    }

    private let evaluator: WDLEvaluator
    private let stages: WDLStages
    private var images: [String: Found] = [:]
    private var gaps: [Gap: Set<String>] = [:]
    private var visits = 0
    private let explains: Bool
    private var uses: [ImageUse] = []
    /// The task whose container is looked at.
    private var current: WDLScope?

    /// - Parameter explains: Whether the way to every use is kept.
    init(_ evaluator: WDLEvaluator, explains: Bool) {
        self.evaluator = evaluator
        self.explains = explains
        stages = WDLStages(evaluator)
    }

    /// Visits a task or workflow with all that it calls.
    mutating func visit(_ instance: WDLInstance) {
        visit(evaluator.makeScope(instance, block: 0, parent: nil), Context())
    }

    func inspection(main: String) -> Inspection {
        var notes = evaluator.library.notes
        if evaluator.isExhausted || visits > Self.maximumVisits {
            let message = "the definition is too large to be evaluated to the end; images may be missing"
            notes.append(DefinitionNote(place: .source(file: main, line: 1), message: message))
        }
        if gaps.count >= Self.maximumGaps {
            let message = "only the first \(gaps.count) unresolved mentions are listed"
            notes.append(DefinitionNote(place: nil, message: message))
        }
        let mentions = images.map { text, found in
            ImageMention(
                text: text,
                certainty: found.certainty,
                reason: found.reason,
                depth: found.depth,
                places: found.places.map(evaluator.evidence).sorted(),
                tasks: found.tasks.sorted()
            )
        }
        let unresolved = gaps.map { gap, tasks in
            UnresolvedMention(
                place: evaluator.evidence(gap.place),
                expression: gap.expression,
                missing: gap.missing,
                tasks: tasks.sorted()
            )
        }
        var inspection = Inspection(
            images: mentions.sorted { $0.text < $1.text },
            unresolved: unresolved.sorted {
                ($0.place, $0.expression, $0.missing) < ($1.place, $1.expression, $1.missing)
            },
            notes: notes,
            relevantParameters: evaluator.parameters.relevant
        )
        inspection.uses = uses
        return inspection
    }

    // MARK: Walking

    private mutating func visit(_ scope: WDLScope, _ context: Context) {
        visits += 1
        guard visits <= Self.maximumVisits else { return }
        if scope.callable.isTask { return visitTask(scope, context) }
        var context = context
        if scope.block == 0 { context.starts = stages.plan(of: scope).starts }
        for element in scope.callable.blocks[scope.block].elements {
            switch element {
            case .declaration: continue
            case .call(let number): visitCall(number, in: scope, context)
            case .block(let block): visitBlock(block, in: scope, context)
            }
        }
    }

    private mutating func visitBlock(_ number: Int, in scope: WDLScope, _ context: Context) {
        let block = scope.callable.blocks[number]
        let place = evaluator.shortPlace(scope, block.line)
        switch block.kind {
        case .body, .output: return
        case .conditional:
            var context = context
            if context.certainty != .inactive {
                let condition = evaluator.condition(number, of: scope)
                switch condition.value.kind {
                case .bool(true): break
                case .bool(false):
                    context = self.context(context, condition.open, "the condition at \(place) is false")
                default:
                    let reasons = evaluator.text(condition.value.reasons)
                    context = context.below(.alternative, "the condition at \(place) depends on this: \(reasons)")
                }
            }
            for child in evaluator.children(number, of: scope) { visit(child, context) }
        case .scatter:
            let children = evaluator.children(number, of: scope)
            for child in children { visit(child, context) }
            guard children.isEmpty else { return }
            let reason = "the scatter at \(place) goes over an empty array"
            let item = evaluator.unknown("the element of an empty array")
            let child = evaluator.makeScope(scope.instance, block: number, parent: scope, element: item)
            visit(child, self.context(context, evaluator.openInputs(ofScatter: number, of: scope), reason))
        }
    }

    /// Below something that is not reached; before any run it is, where a run gives what is not given here.
    private func context(_ outer: Context, _ open: [Int32], _ reason: String) -> Context {
        if open.isEmpty { return outer.below(.inactive, reason) }
        return outer.below(.alternative, "\(reason) unless a run gives \(evaluator.text(open))")
    }

    private mutating func visitCall(_ number: Int, in scope: WDLScope, _ context: Context) {
        var inner = context
        if context.starts.indices.contains(number) { inner.depth += context.starts[number] }
        switch evaluator.called(number, in: scope) {
        case .scope(let body): visit(body, inner)
        case .absent(let why):
            let call = scope.callable.calls[number]
            let place = evaluator.place(document: scope.callable.document, line: call.line)
            let gap = Gap(place: place, expression: String("call \(call.target)".prefix(200)), missing: "")
            report(why, gap, scope.instance.path + "." + call.name, inner)
        }
    }

    // MARK: Tasks

    private mutating func visitTask(_ scope: WDLScope, _ context: Context) {
        let callable = scope.callable
        let task = scope.instance.path
        current = scope
        if let given = evaluator.givenContainer(of: scope.instance) {
            let line = evaluator.place(document: callable.document, line: callable.line)
            let gap = Gap(place: line, expression: "", missing: "")
            return mention(evaluator.value(of: given), gap, task, context)
        }
        guard let attribute = callable.container else { return }
        let value = evaluator.value(attribute.expression, in: scope)
        let place = evaluator.place(document: callable.document, line: attribute.line)
        mention(value, Gap(place: place, expression: attribute.text, missing: ""), task, context)
    }

    /// - Parameter gap: Where the image is asked for, without what is missing.
    private mutating func mention(_ value: WDLValue, _ gap: Gap, _ task: String, _ context: Context) {
        switch value.kind {
        case .string(let text): add(text, value.places, .certain, nil, gap, task, context)
        case .array(let elements):
            // Any of them will do (WDL 1.1, "container"); engines take the first.
            for (index, element) in elements.enumerated() {
                if index == 0 {
                    mention(element, gap, task, context)
                } else if let text = element.string {
                    let reason = "an equivalent of the first image of a list"
                    add(text, element.places, .alternative, reason, gap, task, context)
                }
            }
        case .repeated(let element): mention(element, gap, task, context)
        case .oneOf(let candidates, let reasons):
            let reason = "which of \(candidates.count) values holds depends on this: \(evaluator.text(reasons))"
            for candidate in candidates {
                for one in Self.texts(candidate) {
                    add(one.text, one.places, .alternative, reason, gap, task, context)
                }
            }
            report(reason, gap, task, context)
        case .unknown(let reasons): report(evaluator.text(reasons), gap, task, context)
        case .null:
            let places = value.places.prefix(6).map { "\(evaluator.evidence($0))" }.joined(separator: ", ")
            report("the value is null" + (places.isEmpty ? "" : ", of \(places)"), gap, task, context)
        case .bool, .integer, .float, .pair, .map, .object: report("the value is not text", gap, task, context)
        }
    }

    private static func texts(_ value: WDLValue) -> [(text: String, places: [UInt64])] {
        switch value.kind {
        case .string(let text): [(text, value.places)]
        case .array(let elements): elements.flatMap { element in element.string.map { [($0, element.places)] } ?? [] }
        default: []
        }
    }

    private mutating func report(_ missing: String, _ gap: Gap, _ task: String, _ context: Context) {
        guard context.certainty != .inactive else { return }
        use(nil, missing: missing, .certain, nil, task, context)
        var gap = gap
        gap.missing = missing
        guard gaps.count < Self.maximumGaps || gaps[gap] != nil else { return }
        gaps[gap, default: []].insert(task)
    }

    private mutating func add(
        _ written: String,
        _ places: [UInt64],
        _ certainty: Certainty,
        _ reason: String?,
        _ gap: Gap,
        _ task: String,
        _ context: Context
    ) {
        switch WDLImageName(written) {
        case .none: return
        case .other(let why): return report(why, gap, task, context)
        case .image(let text):
            use(text, missing: nil, certainty, reason, task, context)
            let all = WDLValue.union([gap.place], places)
            let isWeaker = context.certainty > certainty
            let new = Found(
                certainty: max(certainty, context.certainty),
                reason: isWeaker ? context.reason : reason,
                places: all,
                depth: context.depth
            )
            images[text, default: new].add(new, task: task)
        }
    }

    /// Keeps the way to what a task asks for.
    private mutating func use(
        _ image: String?,
        missing: String?,
        _ certainty: Certainty,
        _ reason: String?,
        _ task: String,
        _ context: Context
    ) {
        guard explains, uses.count < ImageUse.maximum, let current, current.instance.path == task else { return }
        uses.append(
            ImageUse(
                task: task,
                image: image,
                certainty: max(certainty, context.certainty),
                reason: context.certainty > certainty ? context.reason : reason,
                missing: missing,
                steps: WDLExplanation(evaluator, image: image ?? "").steps(to: current)
            )
        )
    }
}

/// The text of a container attribute: an image, nothing, or something that is no image.
enum WDLImageName: Equatable {
    case image(String)
    /// Empty, or `*`, which WDL 1.2 has for "any image".
    case none
    /// Why it is not an image.
    case other(String)

    init(_ written: String) {
        var text = Substring(written)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        if text.hasPrefix("docker://") { text = text.dropFirst(9) }
        if text.isEmpty || text == "*" {
            self = .none
        } else if text.contains("://") || text.hasSuffix(".sif") || text.hasSuffix(".simg") {
            self = .other("\"\(text.prefix(120))\" is not an image of a registry")
        } else if !ImageText.isReference(String(text)) {
            self = .other("\"\(text.prefix(120))\" is not the name of an image")
        } else {
            self = .image(String(text))
        }
    }
}
