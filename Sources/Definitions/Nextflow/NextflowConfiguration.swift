/// A configuration carried out statement by statement, as the engine does it before a run.
///
/// Rules: nextflow.io/docs/latest/config.html; for HealthOmics, "Nextflow workflow definition specifics" of its user
/// guide: without profiles in the engine settings `standard` holds; before engine 26 profiles apply in the order of the
/// configuration and after all of it, from then on in the order in which they are named and where they stand.
final class NextflowConfiguration {
    private static let maximumFiles = 500
    private static let maximumNesting = 40
    /// What stands for the folder of the main file in paths; no image can hold it.
    static let projectFolder = "{projectDir}"

    private let sources: NextflowSources
    private let evaluator: NextflowEvaluator
    let profileNames: [String]
    private let profilesAsNamed: Bool
    private(set) var root = NextflowMap()
    private var stack: [[String]] = []
    private var profiles: [(name: String, body: [NextflowStatement], scope: NextflowScope)] = []
    private var declared: Set<String> = []
    private var open: [String] = []
    private var filesRead = 0
    /// Parameters that conditions in the configuration looked at.
    private(set) var conditionParameters: Set<String> = []
    /// Parameters that the run gives, or a profile that it names.
    private var given: Set<String>
    private var isNamedProfile = false
    private let isProfileNamed: Bool
    /// The expressions that containers were set to, by place.
    private(set) var expressions: [Evidence: String] = [:]

    /// - Parameter isAnyRun: whether no run is meant; nil: where nothing is given.
    init(
        sources: NextflowSources,
        evaluator: NextflowEvaluator,
        request: DefinitionRequest,
        isAnyRun: Bool? = nil
    ) {
        self.isAnyRun = isAnyRun
        isProfileNamed = !request.profiles.isEmpty
        self.sources = sources
        self.evaluator = evaluator
        profileNames = request.profiles.isEmpty ? ["standard"] : request.profiles
        let version = request.engineVersion.map { $0.utf8.drop { !(48...57 ~= $0) }.prefix { 48...57 ~= $0 } }
        profilesAsNamed =
            version.flatMap { Int(String(decoding: $0.prefix(6), as: UTF8.self)) }.map { $0 >= 26 } ?? false
        var parameters = NextflowMap()
        for (name, value) in request.parameters.sorted(by: { $0.key < $1.key }) {
            parameters[name] = NextflowValue(value, path: name, parameter: name)
        }
        given = Set(parameters.keys)
        root["params"] = NextflowValue(.map(parameters))
    }

    /// Whether what is inspected is no run yet.
    private let isAnyRun: Bool?

    /// Whether the parameters may be less than a run's, given what conditions look at: of all that the definition's
    /// schema declares there is neither a path, without which a run has no data, nor anything that decides a call.
    func givesNoRun(_ conditions: Set<String>) -> Bool {
        guard isAnyRun != true, !given.isEmpty, let declared = sources.declaredParameters else { return false }
        return given.isDisjoint(with: declared.paths) && given.isDisjoint(with: conditions)
    }

    /// Parameters that tell a run from none.
    var runParameters: Set<String> { sources.declaredParameters?.paths ?? [] }

    /// Whether a parameter's value is only what holds as long as no run sets it.
    ///
    /// For a run all is known: what it does not give has its default, or is null. Before any run, a parameter without a
    /// value is one that a run will usually give, and so may be each that the definition's schema declares.
    func isOpen(_ parameter: String) -> Bool {
        guard isAnyRun ?? given.isEmpty, !given.contains(parameter) else { return false }
        if parameter == Self.profile { return !isProfileNamed }
        return value(["params", parameter])?.isNull ?? true
            || sources.declaredParameters?.all.contains(parameter) == true
    }

    // MARK: Files

    /// Reads a configuration and, after it, the profiles that hold.
    func load(_ path: String, isNamed: [String]) {
        include(path, from: nil)
        applyProfiles(isNamed)
        for name in isNamed where name != "standard" && !declared.contains(name) {
            sources.note(nil, "profile \(name) is not defined")
        }
    }

    private func include(_ path: String, from place: Evidence?) {
        guard filesRead < Self.maximumFiles, open.count < Self.maximumNesting else {
            sources.note(
                place,
                "\(path) is not read: more than \(Self.maximumFiles) configurations, or too deeply nested"
            )
            return
        }
        guard !open.contains(path) else {
            sources.note(place, "\(path) includes itself")
            return
        }
        guard let source = sources.source(path, from: place, purpose: "configuration") else { return }
        filesRead += 1
        open.append(path)
        defer { open.removeLast() }
        var parser = NextflowParser(source.tokens, isConfiguration: true)
        let statements = parser.statements(inBlock: false)
        let scope = NextflowScope(file: path) { [unowned self] name in self.lookup(name, path) }
        run(statements, scope)
    }

    private func applyProfiles(_ named: [String]) {
        var order = named
        if !profilesAsNamed {
            var seen: [String] = []
            for profile in profiles where !seen.contains(profile.name) { seen.append(profile.name) }
            order = seen.filter(named.contains)
        }
        let all = profiles
        profiles = []
        let outside = stack
        defer { stack = outside }
        for name in order {
            for profile in all where profile.name == name {
                stack = []
                isNamedProfile = name != "standard"
                run(profile.body, profile.scope)
                isNamedProfile = false
            }
        }
    }

    // MARK: Names

    private func lookup(_ name: String, _ file: String) -> NextflowValue? {
        switch name {
        case "params": return Self.parameters(evaluator) { [unowned self] in self.root["params"]?.map ?? NextflowMap() }
        case "task", "System": return nil
        default:
            if let value = builtin(name) { return value }
        }
        for path in stack.reversed() {
            if let value = self.value(path + [name]) { return value }
        }
        return root[name]
    }

    func value(_ path: [String]) -> NextflowValue? {
        path.first.flatMap { root[$0]?.member(path.dropFirst()) }
    }

    // MARK: Statements

    private func run(_ statements: [NextflowStatement], _ scope: NextflowScope) {
        for statement in statements {
            guard evaluator.spend() else { return }
            run(statement, scope)
        }
    }

    private func run(_ statement: NextflowStatement, _ scope: NextflowScope) {
        let place = Evidence.source(file: scope.file, line: Int(statement.line))
        let path = stack.last ?? []
        switch statement.kind {
        case .assign(let names, let operation, let expression):
            let full = path + names
            if full[0] == "profiles", full.count > 2 {
                var inner = statement
                inner.kind = .assign(Array(full.dropFirst(2)), operation, expression)
                profile(full[1], [inner], scope)
                return
            }
            if let first = names.first, scope.variable(first) != nil {
                _ = evaluator.assign(names, operation, evaluator.evaluate(expression, scope), scope)
            } else {
                assign(full, operation, expression, place, scope)
            }
        case .assignElement(let names, let key, let operation, let expression):
            let key = evaluator.evaluate(key, scope)
            if let first = names.first, scope.variable(first) != nil {
                _ = evaluator.assign(names, key, operation, evaluator.evaluate(expression, scope), scope)
            } else if let name = key.text() {
                assign(path + names + [name], operation, expression, place, scope)
            } else {
                sources.note(place, "a setting whose name is not known before the run is left out")
            }
        case .define(let names, let expression):
            // `name: Type` without a value, in a params block.
            if path == ["params"], expression == nil { return }
            let value = expression.map { evaluator.evaluate($0, scope) } ?? .null
            evaluator.define(names, value, scope)
        case .function(let name, let closure):
            scope.variables[name] = NextflowValue(.function(NextflowFunction(closure, scope)))
        case .scope(let names, let body): self.scope(path, names, body, scope)
        case .selector(let kind, let pattern, let body):
            guard let text = evaluator.evaluate(pattern, scope).text() else {
                sources.note(place, "a selector that is not known before the run")
                return
            }
            inside(["process", "\(kind):\(text)"]) { run(body, scope) }
        case .choice(let test, let then, let other):
            let value = evaluator.evaluate(test, scope)
            conditionParameters.formUnion(value.trace.parameters)
            branch(value, scope) { run($0 ? then : other, scope) }
        case .selection(let subject, let cases):
            let value = evaluator.evaluate(subject, scope)
            conditionParameters.formUnion(value.trace.parameters)
            select(value, NextflowCase.all(of: cases)[...], scope)
        case .attempt(let body, _, let finally):
            run(body, scope)
            run(finally, scope)
        case .loop(let name, let values, let body):
            let value = values.map { evaluator.evaluate($0, scope) }
            if case .list(let all)? = value?.kind, all.count <= 1000 {
                for element in all {
                    if let name { scope.variables[name] = element }
                    run(body, scope)
                }
            } else {
                sources.note(place, "a loop that is not known before the run is left out")
            }
        case .expression(let expression): command(expression, place, scope)
        case .finish, .raise, .leave: break
        case .broken(let why, let names):
            sources.note(place, "a statement could not be read: \(why)")
            if names.last == "container" {
                expressions[place] = names.joined(separator: ".")
                set(path + names, NextflowValue.unknown("it could not be read: \(why)").at(place))
            }
        }
    }

    private func inside(_ path: [String], _ body: () -> Void) {
        guard stack.count < 60 else { return }
        stack.append(path)
        body()
        stack.removeLast()
    }

    private func scope(_ path: [String], _ names: [String], _ body: [NextflowStatement], _ scope: NextflowScope) {
        let full = path + names
        if full.count > 1, full[0] == "profiles" {
            var body = body
            if full.count > 2 {
                body = [NextflowStatement(kind: .scope(Array(full.dropFirst(2)), body), line: body.first?.line ?? 1)]
            }
            profile(full[1], body, scope)
            return
        }
        guard full.first != "plugins" else { return }
        inside(full) { run(body, scope) }
        if profilesAsNamed, full == ["profiles"] { applyProfiles(profileNames) }
    }

    private func profile(_ name: String, _ body: [NextflowStatement], _ scope: NextflowScope) {
        profiles.append((name, body, scope))
        declared.insert(name)
    }

    private func command(_ expression: NextflowExpression, _ place: Evidence, _ scope: NextflowScope) {
        if case .call(nil, "includeConfig", let arguments) = expression.kind, let first = arguments.first {
            let value = evaluator.evaluate(first, scope)
            conditionParameters.formUnion(value.trace.parameters)
            includeConfig(value, place, scope)
            return
        }
        guard case .call = expression.kind else { return }
        _ = evaluator.evaluate(expression, scope)
    }

    private func includeConfig(_ value: NextflowValue, _ place: Evidence, _ scope: NextflowScope) {
        if case .oneOf(let all, let reasons) = value.kind, let first = all.first {
            let test = NextflowValue(.unknown(reasons.isEmpty ? ["which configuration is included"] : reasons))
            let rest = NextflowValue.oneOf(Array(all.dropFirst()), reasons)
            branch(test, scope) { includeConfig($0 ? first : rest, place, scope) }
            return
        }
        guard let text = value.string else {
            if !value.isNull {
                sources.note(
                    place,
                    "which configuration is included is not known before the run: \(value.reasons.first ?? "")"
                )
            }
            return
        }
        guard !text.isEmpty, text != "/dev/null" else { return }
        guard let path = sources.resolve(text, from: scope.file, at: place, purpose: "configuration") else { return }
        include(path, from: place)
    }

    /// Takes one way, or both where the condition is not known, and joins the configurations they leave.
    private func branch(_ test: NextflowValue, _ scope: NextflowScope, _ way: (Bool) -> Void) {
        if let truth = test.truth {
            way(truth)
            return
        }
        let reasons = test.reasons.isEmpty ? ["a condition that is not known before the run"] : test.reasons
        let (before, variables) = (root, scope.snapshot)
        way(true)
        let (left, leftVariables) = (root, scope.snapshot)
        root = before
        scope.snapshot = variables
        way(false)
        root = merged(left, root, reasons, 0)
        scope.snapshot = NextflowScope.merged(leftVariables, scope.snapshot, reasons)
    }

    private func select(
        _ subject: NextflowValue,
        _ cases: ArraySlice<NextflowCase>,
        _ scope: NextflowScope,
        otherwise: NextflowCase? = nil
    ) {
        func take(_ choice: NextflowCase) {
            guard !choice.isClear else { return run(choice.body, scope) }
            branch(.unknown("a `break` on the way"), scope) { if $0 { run(choice.body, scope) } }
        }
        guard let first = cases.first, cases.count < 60 else {
            if let otherwise { take(otherwise) }
            return
        }
        let other = otherwise ?? (first.isDefault ? first : nil)
        branch(evaluator.hits(subject, first, scope), scope) { isTaken in
            if isTaken { take(first) } else { select(subject, cases.dropFirst(), scope, otherwise: other) }
        }
    }

    private func merged(_ left: NextflowMap, _ right: NextflowMap, _ reasons: [String], _ depth: Int) -> NextflowMap {
        guard depth < 20, evaluator.spend(1 + left.keys.count + right.keys.count) else { return left }
        var result = left
        for key in left.keys + right.keys.filter({ left[$0] == nil }) {
            let one = left[key] ?? NextflowValue(.absent)
            let two = right[key] ?? NextflowValue(.absent)
            switch (one.kind, two.kind) {
            case (.map(let inner), .map(let other)):
                result[key] = NextflowValue(.map(merged(inner, other, reasons, depth + 1)), trace: one.trace)
            case (.map(let inner), .absent):
                result[key] = NextflowValue(.map(merged(inner, NextflowMap(), reasons, depth + 1)), trace: one.trace)
            case (.absent, .map(let inner)):
                result[key] = NextflowValue(.map(merged(NextflowMap(), inner, reasons, depth + 1)), trace: two.trace)
            default: result[key] = NextflowValue.oneOf([one, two], reasons)
            }
        }
        return result
    }

    // MARK: Values

    private func assign(
        _ path: [String],
        _ operation: String,
        _ expression: NextflowExpression,
        _ place: Evidence,
        _ scope: NextflowScope
    ) {
        var value = evaluator.evaluate(expression, scope).at(place)
        if operation != "=", let old = self.value(path) {
            let added = value
            value = old.lifted { left in
                added.lifted { evaluator.operate(String(operation.dropLast()), left, $0) }
            }
        }
        if path.last == "container" || path.last == "registry" || path.contains("ext") {
            expressions[place] = sources.text(expression, scope.file)
        }
        set(path, value)
    }

    /// Sets a value unless the run gave it.
    private func set(_ path: [String], _ value: NextflowValue) {
        guard let first = path.first, path.count < 40 else { return }
        var value = value
        value.isFixed = false
        if isNamedProfile, first == "params" {
            given.formUnion(path.count > 1 ? [path[1]] : value.map?.keys ?? [])
        }
        root.update(first) { Self.set(&$0, path.dropFirst(), value) }
    }

    /// Sets what is at a path of keys in a map; what the run gave stays.
    static func set(_ target: inout NextflowValue?, _ path: ArraySlice<String>, _ value: NextflowValue) {
        if let target, target.isFixed { return }
        guard let first = path.first else {
            // Values of the run stay where a whole map is set.
            guard let inner = value.map, let kept = target?.map,
                kept.keys.contains(where: { kept[$0]?.isFixed == true })
            else {
                target = value
                return
            }
            var map = inner
            for key in kept.keys where kept[key]?.isFixed == true { map[key] = kept[key] }
            target = NextflowValue(.map(map), trace: value.trace)
            return
        }
        var changed = target ?? NextflowValue(.map(NextflowMap()))
        target = nil
        var map = changed.map ?? NextflowMap()
        // The only reference left is `map`, so that it changes in place.
        changed.kind = .null(nil)
        map.update(first) { set(&$0, path.dropFirst(), value) }
        changed.kind = .map(map)
        target = changed
    }
}
