/// From calls to images: the directive, then the configuration's selectors, as Nextflow ranks them.
///
/// Source: Nextflow documentation, "Process selectors" and "Selectors priority"; `docker.registry` as in
/// `ContainerHandler.normalizeDockerImageName`.
struct NextflowImages {
    private struct Found {
        var value: NextflowValue
        var place: Evidence
        var expression: String
        var scope: NextflowEvaluator.Scope
    }

    private let evaluator: NextflowEvaluator
    private let settings: NextflowSettings
    private var byText: [String: ImageMention] = [:]
    private(set) var unresolved: [UnresolvedMention] = []

    init(evaluator: NextflowEvaluator, settings: NextflowSettings) {
        self.evaluator = evaluator
        self.settings = settings
    }

    var mentions: [ImageMention] { byText.values.sorted { $0.text < $1.text } }

    mutating func add(_ call: NextflowCall) {
        let directives = NextflowDirectives(call, evaluator)
        let ext = extensions(call, directives)
        var scope = directives.scope
        scope["task"] = .map(["ext": .map(ext), "process": .string(call.qualified)])
        for (name, code) in call.functions where evaluator.functions[name] == nil { evaluator.functions[name] = code }
        guard let found = container(call, directives) else { return }
        var inner = found.scope
        inner["task"] = scope["task"]
        let value = evaluator.settled(found.value, inner)
        note(value, call, found)
    }

    /// The setting that decides: a selector by name, else by label, else the directive, else `process.container`.
    private func container(_ call: NextflowCall, _ directives: NextflowDirectives) -> Found? {
        var best: Found?
        if let directive = directives.container(evaluator, task: extensions(call, directives)) {
            best = Found(
                value: directive.value,
                place: .source(file: call.file, line: directive.line),
                expression: directive.expression,
                scope: directives.scope
            )
        }
        var general: Found?
        for setting in settings.settings where setting.key == "container" {
            let candidate = Found(
                value: setting.value,
                place: setting.place,
                expression: setting.expression,
                scope: setting.scope
            )
            if setting.selector == .all { general = candidate }
        }
        for rank in 0..<4 {
            for setting in settings.settings
            where setting.key == "container" && matches(setting.selector, call, directives, rank: rank) {
                best = Found(
                    value: setting.value,
                    place: setting.place,
                    expression: setting.expression,
                    scope: setting.scope
                )
            }
        }
        return best ?? general
    }

    /// Rank 0: labels; 1: the defined name; 2: the alias; 3: the qualified name.
    private func matches(
        _ selector: NextflowSettings.Selector,
        _ call: NextflowCall,
        _ directives: NextflowDirectives,
        rank: Int
    ) -> Bool {
        switch (selector, rank) {
        case (.label(let pattern), 0):
            let (isNegated, text) = Self.negation(pattern)
            let hits = directives.labels.contains { evaluator.patterns.matches(text, $0, whole: true) == true }
            return isNegated ? !hits : hits
        case (.name(let pattern), 1): return matches(pattern, call.process.name)
        case (.name(let pattern), 2) where call.alias != call.process.name: return matches(pattern, call.alias)
        case (.name(let pattern), 3) where call.qualified != call.alias: return matches(pattern, call.qualified)
        default: return false
        }
    }

    private static func negation(_ pattern: String) -> (Bool, String) {
        pattern.hasPrefix("!") ? (true, String(pattern.dropFirst())) : (false, pattern)
    }

    private func matches(_ pattern: String, _ name: String) -> Bool {
        let (isNegated, text) = Self.negation(pattern)
        let hits = evaluator.patterns.matches(text, name, whole: true) == true
        return isNegated ? !hits : hits
    }

    /// `task.ext` of a call, merged in the same order.
    private func extensions(_ call: NextflowCall, _ directives: NextflowDirectives) -> [String: NextflowValue] {
        var ext = directives.ext
        func take(_ setting: NextflowSettings.Setting) {
            if setting.key == "ext", case .map(let members) = setting.value {
                ext.merge(members) { _, new in new }
            } else if setting.key.hasPrefix("ext.") {
                ext[String(setting.key.dropFirst(4))] = setting.value
            }
        }
        for setting in settings.settings where setting.selector == .all { take(setting) }
        for rank in 0..<4 {
            for setting in settings.settings where matches(setting.selector, call, directives, rank: rank) {
                take(setting)
            }
        }
        // A closure of one entry may read the others.
        let task: NextflowEvaluator.Scope = ["task": .map(["ext": .map(ext)])]
        return ext.mapValues { value in
            if case .closure = value { evaluator.settled(value, task) } else { value }
        }
    }

    // MARK: Notes

    private mutating func note(_ value: NextflowValue, _ call: NextflowCall, _ found: Found) {
        switch value {
        case .oneOf(let values, let why):
            for value in values { note(one: value, call, found, alternative: why) }
        default: note(one: value, call, found, alternative: nil)
        }
    }

    private mutating func note(
        one value: NextflowValue,
        _ call: NextflowCall,
        _ found: Found,
        alternative: String?
    ) {
        switch value {
        case .null, .bool: return
        case .string(let text):
            let name = NextflowEvaluator.trimmed(text)
            guard !name.isEmpty, name != "null" else { return }
            guard let image = image(name) else {
                missing("`\(name.prefix(120))` is no container image", call, found)
                return
            }
            let why = call.isCalled ? alternative : "the process is included but never called"
            record(image, call, found, why: why.map { call.isCalled ? "depends on \($0)" : $0 })
        default:
            missing(value.missing ?? "its value is not known before the run", call, found)
        }
    }

    private mutating func missing(_ why: String, _ call: NextflowCall, _ found: Found) {
        guard call.isCalled else { return }
        let mention = UnresolvedMention(
            place: found.place,
            expression: found.expression,
            missing: why,
            tasks: [call.qualified]
        )
        if let index = unresolved.firstIndex(where: {
            $0.place == mention.place && $0.expression == mention.expression && $0.missing == mention.missing
        }) {
            unresolved[index].tasks = Array(Set(unresolved[index].tasks + mention.tasks)).sorted()
        } else {
            unresolved.append(mention)
        }
    }

    private mutating func record(_ image: String, _ call: NextflowCall, _ found: Found, why: String?) {
        var mention =
            byText[image]
            ?? ImageMention(
                text: image,
                certainty: why == nil ? .certain : .alternative,
                reason: why,
                places: [],
                tasks: []
            )
        if why == nil {
            mention.certainty = .certain
            mention.reason = nil
        }
        if !mention.places.contains(found.place) { mention.places.append(found.place) }
        if !mention.tasks.contains(call.qualified) { mention.tasks = (mention.tasks + [call.qualified]).sorted() }
        byText[image] = mention
    }

    /// The name with `docker.registry` applied; nil for what is no image of a registry.
    private func image(_ name: String) -> String? {
        var text = name
        if text.hasPrefix("docker://") { text = String(text.dropFirst("docker://".count)) }
        if text.contains("://") || text.hasPrefix("/") || text.contains(where: \.isWhitespace) || text.contains("${") {
            return nil
        }
        guard case .string(var registry)? = settings.values["docker.registry"], !registry.isEmpty else { return text }
        while registry.hasSuffix("/") { registry.removeLast() }
        let slash = text.firstIndex(of: "/")
        let first = slash.map { text[..<$0] }
        let isQualified = first.map { $0.contains(".") || $0.contains(":") || $0 == "localhost" } ?? false
        if isQualified {
            guard settings.values["docker.registryOverride"]?.truth == true, let slash else { return text }
            return registry + text[slash...]
        }
        return "\(registry)/\(text)"
    }
}

/// The directives of a process that matter here: `container`, `label`, `ext`, with `if` and `def` around them.
struct NextflowDirectives {
    private(set) var labels: [String] = []
    private(set) var ext: [String: NextflowValue] = [:]
    private(set) var scope: NextflowEvaluator.Scope = [:]
    private let body: ArraySlice<NextflowToken>

    private static let sections: Set<String> = [
        "input", "output", "script", "shell", "exec", "when", "stub", "topic", "stage",
    ]

    init(_ call: NextflowCall, _ evaluator: NextflowEvaluator) {
        let all = call.process.body
        var end = all.count
        var open = 0
        for (index, token) in all.enumerated() {
            if case .symbol(let text) = token.kind {
                if "{([".contains(text) { open += 1 }
                if "})]".contains(text) { open -= 1 }
            }
            if open == 0, let word = token.word, Self.sections.contains(word), index + 1 < all.count,
                all[index + 1].isSymbol(":"), index == 0 || all[index - 1].isNewline || all[index - 1].isSymbol(";")
            {
                end = index
                break
            }
        }
        body = all[..<end]
        collect(body, evaluator)
    }

    private mutating func collect(_ tokens: ArraySlice<NextflowToken>, _ evaluator: NextflowEvaluator) {
        for (name, arguments, _) in Self.statements(tokens) {
            switch name {
            case "label":
                if let text = evaluator.evaluate(arguments, scope).text { labels.append(text) }
            case "ext":
                if case .map(let members) = evaluator.evaluate(Self.bracketed(arguments), scope) {
                    ext.merge(members) { _, new in new }
                }
            case "def":
                if let name = arguments.first?.word, arguments.count > 2,
                    arguments[arguments.startIndex + 1].isSymbol("=")
                {
                    scope[name] = evaluator.evaluate(arguments.dropFirst(2), scope)
                }
            default: break
            }
        }
    }

    /// `ext a: 1, b: 2` as a map literal.
    private static func bracketed(_ tokens: ArraySlice<NextflowToken>) -> ArraySlice<NextflowToken> {
        let line = tokens.first?.line ?? 0
        let open = NextflowToken(kind: .symbol("["), line: line)
        let close = NextflowToken(kind: .symbol("]"), line: line)
        return ([open] + Array(tokens) + [close])[...]
    }

    /// The container directive, with conditions around it evaluated; nil when there is none.
    func container(
        _ evaluator: NextflowEvaluator,
        task ext: [String: NextflowValue]
    ) -> (value: NextflowValue, line: Int, expression: String)? {
        var inner = scope
        inner["task"] = .map(["ext": .map(ext)])
        return container(in: body, evaluator, inner)
    }

    private func container(
        in tokens: ArraySlice<NextflowToken>,
        _ evaluator: NextflowEvaluator,
        _ scope: NextflowEvaluator.Scope
    ) -> (value: NextflowValue, line: Int, expression: String)? {
        var found: (value: NextflowValue, line: Int, expression: String)?
        var index = tokens.startIndex
        while index < tokens.endIndex {
            let token = tokens[index]
            if token.isWord("if") {
                let parts = NextflowBranch(tokens, index)
                let condition = evaluator.evaluate(parts.condition, scope)
                let yes = container(in: parts.yes, evaluator, scope)
                let no = parts.no.flatMap { container(in: $0, evaluator, scope) }
                switch condition.truth {
                case true?: found = yes ?? found
                case false?: found = no ?? found
                case nil:
                    let why = condition.missing ?? "a condition"
                    if let one = yes ?? no {
                        let values = [yes?.value, no?.value ?? found?.value].compactMap(\.self)
                        found = (.either(values, why), one.line, one.expression)
                    }
                }
                index = max(parts.end, index + 1)
                continue
            }
            let end = max(NextflowTokens.statementEnd(tokens, from: index), index + 1)
            if token.isWord("container"), index + 1 < tokens.endIndex, !tokens[index + 1].isNewline {
                var arguments = tokens[(index + 1)..<min(end, tokens.endIndex)]
                if arguments.first?.isSymbol("=") == true { arguments = arguments.dropFirst() }
                found = (evaluator.evaluate(arguments, scope), token.line, NextflowScript.text(arguments))
            }
            index = end
        }
        return found
    }

    private static func statements(
        _ tokens: ArraySlice<NextflowToken>
    ) -> [(name: String, arguments: ArraySlice<NextflowToken>, line: Int)] {
        var result: [(String, ArraySlice<NextflowToken>, Int)] = []
        var index = tokens.startIndex
        while index < tokens.endIndex {
            let end = max(NextflowTokens.statementEnd(tokens, from: index), index + 1)
            if let word = tokens[index].word {
                result.append((word, tokens[(index + 1)..<min(end, tokens.endIndex)], tokens[index].line))
            }
            index = end
        }
        return result
    }
}
