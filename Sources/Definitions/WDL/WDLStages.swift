/// When each call of a workflow can begin: how many tasks have to have ended one after the other before it.
///
/// A call waits for the calls whose outputs its inputs hang on, through any declarations, those that the conditions and
/// scatters around it hang on, and those behind `after`; the outputs of a sub-workflow are there when all of it has
/// ended. What is below a condition that is false is waited for by nobody.
final class WDLStages {
    /// The stages of one use of a workflow, from its own beginning.
    struct Plan {
        /// By the number of the call.
        var starts: [Int] = []
        /// Until the last of its tasks has ended.
        var duration = 0
    }

    /// What the calls of a workflow wait for, whatever their values.
    private struct Dependencies {
        var calls: [[Int]]
        /// The block that each call stands in.
        var blocks: [Int]
    }

    private static let maximumWork = 5_000_000

    private let evaluator: WDLEvaluator
    private var work = maximumWork
    private var dependencies: [ObjectIdentifier: Dependencies] = [:]
    private var plans: [ObjectIdentifier: Plan] = [:]
    private var durations: [ObjectIdentifier: Int] = [:]

    init(_ evaluator: WDLEvaluator) { self.evaluator = evaluator }

    /// - Parameter body: Block 0 of an instance.
    func plan(of body: WDLScope) -> Plan {
        let callable = body.callable
        if callable.isTask { return Plan(starts: [], duration: 1) }
        if let known = plans[ObjectIdentifier(body)] { return known }
        let dependencies = dependencies(of: callable)
        let durations = callable.calls.indices.map { duration(of: $0, in: dependencies.blocks[$0], body) }
        let starts = Self.starts(dependencies.calls, durations)
        let plan = Plan(starts: starts, duration: zip(starts, durations).map { Self.end($0, $1) }.max() ?? 0)
        plans[ObjectIdentifier(body)] = plan
        return plan
    }

    /// - Returns: nil for a call that is not made.
    private func duration(of call: Int, in block: Int, _ body: WDLScope) -> Int? {
        var scope = body
        for block in body.callable.way(from: 0, to: block) {
            work -= 1
            if case .bool(false) = evaluator.condition(block, of: scope).value.kind { return nil }
            guard work > 0, let child = evaluator.children(block, of: scope).first else { return nil }
            scope = child
        }
        // Uses of workflows may be exponentially many; beyond what is usual, all of one workflow count as one.
        guard evaluator.isSmall else {
            return duration(of: body.callable.calls[call].target, in: body.callable.document)
        }
        guard case .scope(let called) = evaluator.called(call, in: scope) else { return 1 }
        return plan(of: called).duration
    }

    /// The tasks that follow one after the other in what a call names, whatever its conditions.
    private func duration(of target: String, in document: Int, depth: Int = 0) -> Int {
        guard depth < 30, work > 0, case .success(let callable) = evaluator.library.callable(target, in: document),
            !callable.isTask
        else { return 1 }
        if let known = durations[ObjectIdentifier(callable)] { return known }
        // A workflow that calls itself.
        durations[ObjectIdentifier(callable)] = 1
        work -= callable.calls.count
        let durations = callable.calls.map { duration(of: $0.target, in: callable.document, depth: depth + 1) }
        let starts = Self.starts(dependencies(of: callable).calls, durations)
        let longest = zip(starts, durations).map { Self.end($0, $1) }.max() ?? 0
        self.durations[ObjectIdentifier(callable)] = longest
        return longest
    }

    private static func end(_ start: Int, _ duration: Int?) -> Int { duration.map { start + $0 } ?? 0 }

    /// The longest way to each call; calls that wait for each other wait for nothing.
    private static func starts(_ dependencies: [[Int]], _ durations: [Int?]) -> [Int] {
        var starts: [Int?] = Array(repeating: nil, count: dependencies.count)
        var isOpen = Array(repeating: false, count: dependencies.count)
        for call in dependencies.indices {
            // Without recursion: a chain may be as long as the workflow.
            var stack = [(call: call, next: 0, start: 0)]
            while var top = stack.popLast() {
                guard starts[top.call] == nil else { continue }
                isOpen[top.call] = true
                if top.next > 0 {
                    let done = dependencies[top.call][top.next - 1]
                    if let start = starts[done] { top.start = max(top.start, end(start, durations[done])) }
                }
                guard top.next < dependencies[top.call].count else {
                    starts[top.call] = top.start
                    isOpen[top.call] = false
                    continue
                }
                let needed = dependencies[top.call][top.next]
                top.next += 1
                stack.append(top)
                if starts[needed] == nil, !isOpen[needed] { stack.append((needed, 0, 0)) }
            }
        }
        return starts.map { $0 ?? 0 }
    }

    // MARK: Names

    private func dependencies(of callable: WDLCallable) -> Dependencies {
        if let known = dependencies[ObjectIdentifier(callable)] { return known }
        var reader = Reader(callable, evaluator.library.documents[callable.document].nodes, work)
        let made = Dependencies(
            calls: callable.calls.indices.map { reader.calls(behind: $0) },
            blocks: reader.callBlocks
        )
        work = reader.work
        dependencies[ObjectIdentifier(callable)] = made
        return made
    }

    /// Finds the calls that the names in expressions lead to.
    private struct Reader {
        private let callable: WDLCallable
        private let nodes: [WDLExpression]
        var work: Int
        private(set) var callBlocks: [Int]
        private var declarationBlocks: [Int]
        private var declarations: [Int: Set<Int>] = [:]
        private var blocks: [Int: Set<Int>] = [:]
        private var depth = 0

        init(_ callable: WDLCallable, _ nodes: [WDLExpression], _ work: Int) {
            self.callable = callable
            self.nodes = nodes
            self.work = work
            callBlocks = Array(repeating: 0, count: callable.calls.count)
            declarationBlocks = Array(repeating: 0, count: callable.declarations.count)
            for (number, block) in callable.blocks.enumerated() {
                for element in block.elements {
                    switch element {
                    case .call(let call): callBlocks[call] = number
                    case .declaration(let declaration): declarationBlocks[declaration] = number
                    case .block: continue
                    }
                }
            }
        }

        mutating func calls(behind number: Int) -> [Int] {
            let call = callable.calls[number]
            let block = callBlocks[number]
            var found = calls(around: block)
            for input in call.inputs { found.formUnion(calls(in: input.value, at: block)) }
            for name in call.after { found.formUnion(calls(behind: name, at: block)) }
            found.remove(number)
            work -= found.count
            return work > 0 ? found.sorted() : []
        }

        /// What the conditions and scatters around a place wait for.
        private mutating func calls(around block: Int) -> Set<Int> {
            guard block > 0, depth < 100, work > 0 else { return [] }
            if let known = blocks[block] { return known }
            blocks[block] = []
            depth += 1
            defer { depth -= 1 }
            let parent = callable.blocks[block].parent
            var found = calls(around: parent)
            switch callable.blocks[block].kind {
            case .conditional(let guards):
                for part in guards { found.formUnion(calls(in: part.condition, at: parent)) }
            case .scatter(_, let over): found.formUnion(calls(in: over, at: parent))
            case .body, .output: break
            }
            work -= found.count
            blocks[block] = found
            return found
        }

        private mutating func calls(in node: WDLExpression.ID, at block: Int) -> Set<Int> {
            var names: [String] = []
            work -= WDLExpression.forEachName(in: node, nodes) { names.append($0) }
            var found: Set<Int> = []
            for name in names where work > 0 { found.formUnion(calls(behind: name, at: block)) }
            work -= found.count
            return found
        }

        private mutating func calls(behind name: String, at block: Int) -> Set<Int> {
            let all = callable.names[name] ?? []
            let around = all.filter { callable.holds($0.block, block) }
            let inner = around.max { $0.block < $1.block }
            work -= all.count
            var found: Set<Int> = []
            for entry in inner.map({ [$0] }) ?? all {
                switch entry.meaning {
                case .call(let number):
                    found.insert(number)
                    found.formUnion(calls(around: entry.block))
                case .declaration(let number): found.formUnion(calls(behindDeclaration: number))
                case .scatterVariable: found.formUnion(calls(around: entry.block))
                }
            }
            return found
        }

        private mutating func calls(behindDeclaration number: Int) -> Set<Int> {
            if let known = declarations[number] { return known }
            guard depth < 100, work > 0 else { return [] }
            declarations[number] = []
            depth += 1
            defer { depth -= 1 }
            let block = declarationBlocks[number]
            var found = calls(around: block)
            if let value = callable.declarations[number].value { found.formUnion(calls(in: value, at: block)) }
            declarations[number] = found
            return found
        }
    }
}
