/// The settings of one process call: directives of the process, then what the configuration's selectors say.
///
/// Order (nextflow.io/docs/latest/config.html, "Process selectors"): the process's own directive; then `withLabel` in
/// order of appearance; then `withName` on the defined name, on the alias, on the qualified name, later ones winning;
/// what `process.x` says holds only where nothing else was set.
final class NextflowTask {
    struct Setting {
        var value: NextflowValue
        /// Where it was set, and how it is written.
        var place: Evidence
        var expression: String
        /// Where weaker settings stand.
        var overridden: [Evidence] = []
    }

    private let call: NextflowProcessCall
    private let selectors: NextflowSelectors
    private let configuration: NextflowConfiguration
    private let evaluator: NextflowEvaluator
    private let sources: NextflowSources
    private let scope: NextflowScope
    private var labels: [String] = []
    /// Parameters that its condition looked at.
    private(set) var conditionParameters: Set<String> = []
    private var directives: [String: Setting] = [:]
    private var containers: [Setting] = []
    private var isReadingContainer = false
    /// The attempt that the task is at: the first, or one that is not known.
    private var attempt = NextflowValue(.integer(1))
    private var readsAttempt = false
    private var matching: [NextflowMap]?
    private var depth = 0

    init(
        _ call: NextflowProcessCall,
        selectors: NextflowSelectors,
        configuration: NextflowConfiguration,
        evaluator: NextflowEvaluator,
        sources: NextflowSources
    ) {
        self.call = call
        self.selectors = selectors
        self.configuration = configuration
        self.evaluator = evaluator
        self.sources = sources
        scope = NextflowScope(file: call.process.script.path, parent: call.process.script.scope)
    }

    /// The container of the first attempt, and where it was set; nil where the process has none.
    func container() -> Setting? {
        let delegate = evaluator.delegate
        defer { evaluator.delegate = delegate }
        evaluator.delegate = { [unowned self] name in self.lookup(name) }
        _ = carryOut(head())
        matching = nil
        readsAttempt = false
        return readContainer()
    }

    /// The containers of all attempts, where they depend on `task.attempt`; nil where they do not. Call `container()`
    /// before.
    func containerOfAttempts() -> Setting? {
        guard readsAttempt else { return nil }
        let delegate = evaluator.delegate
        defer { evaluator.delegate = delegate }
        evaluator.delegate = { [unowned self] name in self.lookup(name) }
        attempt = .unknown("`task.attempt` is known only when the run is under way")
        defer { attempt = NextflowValue(.integer(1)) }
        return readContainer()
    }

    private func readContainer() -> Setting? {
        let head = self.head()
        var setting = selectors.default("container", configuration)
        isReadingContainer = true
        scope.variables = [:]
        func set(_ stronger: Setting) {
            var new = stronger.over(setting)
            if let weaker = setting { new.overridden = weaker.overridden + [weaker.place] + weaker.value.trace.places }
            setting = new
        }
        if let own = carryOut(head) { set(own) }
        for settings in matches() {
            if let value = settings["container"] { set(configuration.setting(value)) }
        }
        if let found = setting { setting?.value = resolved(found.value) }
        return made(insteadOf: setting) ?? setting
    }

    /// How sure it is that the process runs when it is called, as its `when:` says.
    func standing() -> NextflowStanding {
        let sections = NextflowProcessSections(call.process)
        guard let (statements, words) = sections.when else { return .certain }
        let delegate = evaluator.delegate
        defer { evaluator.delegate = delegate }
        evaluator.delegate = { [unowned self] name in self.lookup(name) }
        let inner = NextflowScope(file: scope.file, parent: scope)
        for name in sections.inputs {
            inner.variables[name] = .unknown("`\(name)` is an input of process \(call.process.name)")
        }
        let value = evaluator.run(statements, inner).result
        conditionParameters.formUnion(value.trace.parameters)
        let text = sources.text(words, scope.file)
        let place = "\(scope.file):\(statements.first?.line ?? 0)"
        return NextflowCondition(value, "`when: \(text)` (\(place))", configuration).standing(true)
    }

    /// What stands for an image that Wave would make when the task starts.
    private func made(insteadOf container: Setting?) -> Setting? {
        for strategy in configuration.waveStrategies ?? [] {
            switch strategy {
            case "container" where container.map { $0.value.truth != false } ?? false: return nil
            case "conda", "spack":
                guard let setting = self.setting(of: strategy), setting.value.truth != false else { continue }
                return unknown(setting, "Wave would make the image from `\(strategy)`")
            case "dockerfile":
                let folder = DefinitionPath.folder(of: call.process.script.path)
                guard sources.exists(folder.isEmpty ? "Dockerfile" : folder + "/Dockerfile") else { continue }
                let place = Evidence.source(file: call.process.script.path, line: call.process.line)
                let setting = Setting(value: .null, place: place, expression: "Dockerfile")
                return unknown(setting, "Wave would make the image from the module's Dockerfile")
            default: continue
            }
        }
        return nil
    }

    private func unknown(_ setting: Setting, _ reason: String) -> Setting {
        var setting = setting
        setting.value = NextflowValue(.unknown([reason]), trace: setting.value.trace)
        return setting
    }

    /// A closure is called when the task starts.
    private func resolved(_ value: NextflowValue) -> NextflowValue {
        value.lifted { candidate in
            guard case .function(let function) = candidate.kind else { return candidate }
            guard depth < 10 else { return .unknown("settings that need each other") }
            depth += 1
            defer { depth -= 1 }
            return evaluator.call(function, []).tracing(candidate.trace)
        }
    }

    private func lookup(_ name: String) -> NextflowValue? {
        switch name {
        case "task":
            return NextflowValue(.object(NextflowObject("task") { [unowned self] in self.member($0) }))
        default: return nil
        }
    }

    // MARK: The task

    private func member(_ name: String) -> NextflowValue {
        switch name {
        case "process", "name": return NextflowValue(.string(call.qualifiedName))
        case "attempt":
            readsAttempt = true
            return attempt
        case "label": return NextflowValue(.list(labels.map { NextflowValue(.string($0)) }))
        case "ext":
            return NextflowValue(.object(NextflowObject("task.ext") { [unowned self] in self.extension($0) }))
        case "container", "index", "hash", "workDir", "exitStatus", "id", "tag":
            return .unknown("`task.\(name)` is known only when the run is under way")
        default:
            guard depth < 10 else { return .unknown("settings that need each other") }
            if let setting = setting(of: name) { return resolved(setting.value) }
            return name == "cpus"
                ? NextflowValue(.integer(1)) : NextflowValue(.null("`task.\(name)` is not set"))
        }
    }

    /// A directive other than the container, as process and configuration set it.
    private func setting(of name: String) -> Setting? {
        var setting = selectors.default(name, configuration)
        if let own = directives[name] { setting = own.over(setting) }
        for settings in matches() {
            if let value = settings[name] { setting = configuration.setting(value).over(setting) }
        }
        return setting
    }

    private func `extension`(_ name: String) -> NextflowValue {
        guard depth < 10 else { return .unknown("settings that need each other") }
        var value = configuration.value(["process", "ext", name])
        func over(_ upper: NextflowValue?) {
            guard let upper else { return }
            value =
                Setting(value: upper, place: .source(file: "", line: 0), expression: "").over(
                    value.map { Setting(value: $0, place: .source(file: "", line: 0), expression: "") }
                ).value
        }
        if let own = directives["ext"]?.value.map { over(own[name]) }
        for settings in matches() {
            if let map = settings["ext"]?.map {
                over(map[name])
            } else if let whole = settings["ext"], case .unknown = whole.kind {
                over(whole)
            }
        }
        return value.map(resolved) ?? NextflowValue(.null("`task.ext.\(name)` is not set for \(call.qualifiedName)"))
    }

    private func matches() -> [NextflowMap] {
        if let matching { return matching }
        let found = selectors.matching(
            labels: labels,
            names: [call.process.name, call.alias, call.qualifiedName]
        )
        matching = found
        return found
    }

    // MARK: The process's head

    private func head() -> [NextflowStatement] {
        if let known = call.process.statements { return known }
        let words = NextflowProcessSections(call.process).head
        var parser = NextflowParser(call.process.script.tokens, words)
        let statements = parser.statements(inBlock: false)
        call.process.statements = statements
        return statements
    }

    /// Carries out directives; answers the container they set once it is read.
    private func carryOut(_ statements: [NextflowStatement]) -> Setting? {
        var container: Setting?
        for statement in statements {
            let place = Evidence.source(file: scope.file, line: Int(statement.line))
            switch statement.kind {
            case .expression(let expression):
                guard case .call(let target, let name, let arguments) = expression.kind, target == nil else { break }
                if let found = directive(name, arguments, expression, place) { container = found }
            case .assign(let path, _, let value) where path == ["container"]:
                if isReadingContainer { container = setting([value], value, place) }
            case .choice(let test, let then, let other):
                let value = evaluator.evaluate(test, scope)
                if let truth = value.truth {
                    if var found = carryOut(truth ? then : other) {
                        found.value = found.value.tracing(NextflowTrace(parameters: value.trace.parameters))
                        container = found
                    }
                    break
                }
                let reasons = value.reasons.isEmpty ? ["a condition that is not known before the run"] : value.reasons
                let left = carryOut(then) ?? container
                let right = carryOut(other) ?? container
                guard var one = left ?? right else { break }
                one.value = NextflowValue.oneOf(
                    [left?.value ?? NextflowValue(.absent), right?.value ?? NextflowValue(.absent)],
                    reasons
                )
                container = one
            case .broken(let why, let names):
                if !isReadingContainer {
                    sources.note(place, "a directive of process \(call.process.name) could not be read: \(why)")
                } else if names == ["container"] {
                    container = Setting(
                        value: NextflowValue.unknown("it could not be read: \(why)").at(place),
                        place: place,
                        expression: "container"
                    )
                }
            default: _ = evaluator.run([statement], scope)
            }
        }
        return container
    }

    private func directive(
        _ name: String,
        _ arguments: [NextflowExpression],
        _ expression: NextflowExpression,
        _ place: Evidence
    ) -> Setting? {
        if name == "container" { return isReadingContainer ? setting(arguments, expression, place) : nil }
        guard !isReadingContainer, let first = arguments.first else { return nil }
        switch name {
        case "label":
            for argument in arguments {
                evaluator.evaluate(argument, scope).candidates.forEach { candidate in
                    let value = resolved(candidate)
                    if let label = value.text() { labels.append(label) }
                }
            }
        case "ext":
            guard let more = evaluator.evaluate(first, scope).map else { break }
            var map = directives["ext"]?.value.map ?? NextflowMap()
            for key in more.keys { map[key] = more[key] }
            directives["ext"] = Setting(value: NextflowValue(.map(map)), place: place, expression: "")
        case "accelerator", "arch", "cpus", "memory", "machineType", "queue", "executor", "conda", "spack",
            "containerOptions", "module", "clusterOptions", "resourceLabels":
            directives[name] = Setting(value: evaluator.evaluate(first, scope), place: place, expression: "")
        default: break
        }
        return nil
    }

    private func setting(
        _ arguments: [NextflowExpression],
        _ expression: NextflowExpression,
        _ place: Evidence
    ) -> Setting? {
        // Named arguments come first, as a map.
        guard let argument = arguments.last else { return nil }
        return Setting(
            value: evaluator.evaluate(argument, scope).at(place),
            place: place,
            expression: sources.text(argument, scope.file)
        )
    }
}

extension NextflowTask.Setting {
    /// This setting above another, which holds where this one may not have been set.
    func over(_ lower: NextflowTask.Setting?) -> NextflowTask.Setting {
        guard case .oneOf(let all, let reasons) = value.kind,
            all.contains(where: { if case .absent = $0.kind { true } else { false } })
        else { return self }
        var result = self
        result.value = NextflowValue.oneOf(
            all.map { candidate in
                if case .absent = candidate.kind { lower?.value ?? .null } else { candidate }
            },
            reasons
        )
        return result
    }
}

extension NextflowConfiguration {
    /// A value of the configuration with the place that set it.
    func setting(_ value: NextflowValue) -> NextflowTask.Setting {
        let place = value.trace.places.last { expressions[$0] != nil } ?? value.trace.places.first
        return NextflowTask.Setting(
            value: value,
            place: place ?? .source(file: "nextflow.config", line: 1),
            expression: place.flatMap { expressions[$0] } ?? ""
        )
    }
}
