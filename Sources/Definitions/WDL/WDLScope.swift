/// One use of a task or workflow: where it stands in the call graph and what its caller gives it.
final class WDLInstance {
    /// An input as the caller writes it, to be evaluated where the caller stands.
    struct Binding {
        var value: WDLExpression.ID
        unowned let scope: WDLScope
        var line: Int
    }

    /// The call that it is of.
    struct Caller {
        unowned let scope: WDLScope
        var call: Int
    }

    let callable: WDLCallable
    /// nil for the main workflow.
    var caller: Caller?
    /// `Workflow.call.call`, as tasks are named in the result.
    let path: String
    /// The same without the workflow's name, as inputs are keyed; empty for the main workflow.
    let key: String
    var bindings: [String: Binding] = [:]
    /// Calls above it.
    let depth: Int

    init(callable: WDLCallable, path: String, key: String, depth: Int) {
        self.callable = callable
        self.path = path
        self.key = key
        self.depth = depth
    }

    func inputKey(_ name: String) -> String { key.isEmpty ? name : key + "." + name }
}

/// One pass through a block of an instance. The evaluator keeps every scope alive until it is done.
final class WDLScope {
    enum Memo {
        case evaluating
        case value(WDLValue, open: [Int32])
    }

    enum Called {
        case scope(WDLScope)
        /// Why there is nothing to call.
        case absent(String)
    }

    let instance: WDLInstance
    let block: Int
    unowned(unsafe) let parent: WDLScope?
    /// The element of a scatter's array.
    let element: WDLValue?
    var declarations: [Int: Memo] = [:]
    var children: [Int: [WDLScope]] = [:]
    /// Whether a scatter below stands for an unknown number of passes.
    var unsizedScatters: Set<Int> = []
    /// Which inputs that a run may give decided the passes through a scatter below.
    var openScatters: [Int: [Int32]] = [:]
    var conditions: [Int: WDLEvaluator.Condition] = [:]
    var called: [Int: Called] = [:]

    var callable: WDLCallable { instance.callable }

    init(instance: WDLInstance, block: Int, parent: WDLScope?, element: WDLValue? = nil) {
        self.instance = instance
        self.block = block
        self.parent = parent
        self.element = element
    }
}

extension WDLCallable {
    /// Whether block `outer` is `inner` or holds it.
    func holds(_ outer: Int, _ inner: Int) -> Bool {
        var block = inner
        while block > outer { block = blocks[block].parent }
        return block == outer
    }

    /// The blocks below `outer` down to `inner`, outermost first.
    func way(from outer: Int, to inner: Int) -> [Int] {
        var way: [Int] = []
        var block = inner
        while block != outer, block >= 0 {
            way.append(block)
            block = blocks[block].parent
        }
        return way.reversed()
    }

    func isOutput(_ block: Int) -> Bool {
        if case .output = blocks[block].kind { true } else { false }
    }
}
