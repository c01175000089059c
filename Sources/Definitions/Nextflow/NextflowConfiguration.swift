/// What a configuration says of processes and registries, in the order it was said.
struct NextflowSettings {
    enum Selector: Hashable {
        /// `process.x = …`, for all.
        case all
        case label(String)
        case name(String)
    }

    /// One setting of processes: `container`, or an entry of `ext`.
    struct Setting {
        var selector: Selector
        /// `container`, or `ext.args`.
        var key: String
        var value: NextflowValue
        var place: Evidence
        var scope: NextflowEvaluator.Scope
        var expression: String
    }

    var settings: [Setting] = []
    /// `docker.registry` and the like, by dotted name.
    var values: [String: NextflowValue] = [:]
    var profiles: Set<String> = []
    var notes: [DefinitionNote] = []
}

/// Interprets `nextflow.config` and what it includes.
final class NextflowConfigurationReader {
    private let files: any DefinitionFiles
    private let evaluator: NextflowEvaluator
    private let active: [String]
    private(set) var settings = NextflowSettings()
    private var including: [String] = []
    private var read = 0
    private static let mostFiles = 2000
    private static let deepest = 40
    private var depth = 0

    /// - Parameter active: the profiles in force.
    init(files: any DefinitionFiles, evaluator: NextflowEvaluator, active: [String]) {
        self.files = files
        self.evaluator = evaluator
        self.active = active
    }

    /// Reads a file; includes are relative to the file that names them.
    func read(_ path: String, from place: Evidence? = nil) {
        guard !including.contains(path), including.count < 50, read < Self.mostFiles else {
            settings.notes.append(DefinitionNote(place: place, message: "\(path) is included in a circle"))
            return
        }
        read += 1
        switch files.read(path) {
        case .contents(let bytes):
            including.append(path)
            var scope: NextflowEvaluator.Scope = [:]
            block(NextflowLexer.tokens(bytes)[...], file: path, path: [], selector: nil, &scope)
            including.removeLast()
        case .missing:
            settings.notes.append(DefinitionNote(place: place, message: "\(path) is not in the definition"))
        case .refused(let why):
            settings.notes.append(DefinitionNote(place: place, message: "\(path) is not read: \(why)"))
        }
    }

    private typealias Tokens = ArraySlice<NextflowToken>

    private func block(
        _ tokens: Tokens,
        file: String,
        path: [String],
        selector: NextflowSettings.Selector?,
        _ scope: inout NextflowEvaluator.Scope
    ) {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest else { return }
        var index = tokens.startIndex
        while index < tokens.endIndex, !evaluator.isExhausted {
            let token = tokens[index]
            if token.isNewline || token.isSymbol(";") {
                index += 1
            } else if token.isWord("if") {
                index = branch(tokens, index, file: file, path: path, selector: selector, &scope)
            } else if token.isWord("try"), let open = brace(tokens, index + 1) {
                let (inner, end) = NextflowTokens.balanced(tokens, from: open)
                block(inner, file: file, path: path, selector: selector, &scope)
                index = afterCatch(tokens, end)
            } else if token.isWord("includeConfig") {
                let end = NextflowTokens.statementEnd(tokens, from: index)
                include(tokens[(index + 1)..<end], file: file, line: token.line, scope)
                index = max(end, index + 1)
            } else if token.isWord("def"), index + 2 < tokens.endIndex, let name = tokens[index + 1].word,
                tokens[index + 2].isSymbol("(")
            {
                index = function(name, tokens, index + 2, scope)
            } else {
                index = entry(tokens, index, file: file, path: path, selector: selector, &scope)
            }
        }
    }

    /// `name { … }`, `withName: x { … }`, `a.b = …`, or something that is stepped over.
    private func entry(
        _ tokens: Tokens,
        _ start: Int,
        file: String,
        path: [String],
        selector: NextflowSettings.Selector?,
        _ scope: inout NextflowEvaluator.Scope
    ) -> Int {
        var index = start
        var names: [String] = []
        while index < tokens.endIndex, let name = tokens[index].word ?? tokens[index].plainString {
            names.append(name)
            index += 1
            guard index < tokens.endIndex, tokens[index].isSymbol(".") else { break }
            index += 1
        }
        guard !names.isEmpty, index < tokens.endIndex else {
            return max(NextflowTokens.statementEnd(tokens, from: start), start + 1)
        }
        if tokens[index].isSymbol(":"), names.count == 1, names[0] == "withName" || names[0] == "withLabel",
            let open = brace(tokens, index + 1, stepping: true)
        {
            let pattern = tokens[(index + 1)..<open].compactMap { $0.word ?? $0.plainString ?? symbol($0) }.joined()
            let (inner, end) = NextflowTokens.balanced(tokens, from: open)
            let chosen: NextflowSettings.Selector = names[0] == "withName" ? .name(pattern) : .label(pattern)
            block(inner, file: file, path: path, selector: chosen, &scope)
            return end
        }
        if tokens[index].isSymbol("{") {
            let (inner, end) = NextflowTokens.balanced(tokens, from: index)
            let inside = path + names
            if inside.first == "profiles", inside.count == 2 {
                settings.profiles.insert(inside[1])
                if active.contains(inside[1]) { block(inner, file: file, path: [], selector: nil, &scope) }
            } else if names[0].hasPrefix("$"), path == ["process"] {
                block(inner, file: file, path: path, selector: .name(String(names[0].dropFirst())), &scope)
            } else if inside != ["plugins"], inside != ["manifest"] {
                var inner2 = scope
                block(inner, file: file, path: inside, selector: selector, &inner2)
            }
            return end
        }
        let end = max(NextflowTokens.statementEnd(tokens, from: start), start + 1)
        if names.count == 1, index < end, tokens[index].word != nil, names[0] == "def" { return end }
        if tokens[index].isSymbol("="), index + 1 <= end {
            assign(names, tokens[(index + 1)..<end], file: file, line: tokens[start].line, path, selector, &scope)
        }
        if names.count == 1, names[0] == "def", index < end { return end }
        return end
    }

    private func assign(
        _ names: [String],
        _ tokens: Tokens,
        file: String,
        line: Int,
        _ path: [String],
        _ selector: NextflowSettings.Selector?,
        _ scope: inout NextflowEvaluator.Scope
    ) {
        var full = path + names
        var chosen = selector
        if full.first == "process", full.count > 2, full[1].hasPrefix("$") {
            chosen = .name(String(full[1].dropFirst()))
            full.remove(at: 1)
        }
        let value = evaluator.evaluate(tokens, scope)
        let key = full.joined(separator: ".")
        if full.first == "params" {
            evaluator.set(parameter: Array(full.dropFirst()), to: value)
        } else if key == "process.container" || key.hasPrefix("process.ext") {
            settings.settings.append(
                NextflowSettings.Setting(
                    selector: chosen ?? .all,
                    key: String(key.dropFirst("process.".count)),
                    value: value,
                    place: .source(file: file, line: line),
                    scope: scope,
                    expression: NextflowScript.text(tokens)
                )
            )
        } else if path.isEmpty, names.count == 1 {
            scope[names[0]] = value
        } else {
            settings.values[key] = value
        }
    }

    private func branch(
        _ tokens: Tokens,
        _ start: Int,
        file: String,
        path: [String],
        selector: NextflowSettings.Selector?,
        _ scope: inout NextflowEvaluator.Scope
    ) -> Int {
        let parts = NextflowBranch(tokens, start)
        switch evaluator.evaluate(parts.condition, scope).truth {
        case true?: block(parts.yes, file: file, path: path, selector: selector, &scope)
        case false?:
            if let no = parts.no { block(no, file: file, path: path, selector: selector, &scope) }
        case nil:
            // Both may hold; what they set about processes is read in order, so the later wins as it would in the file.
            block(parts.yes, file: file, path: path, selector: selector, &scope)
            if let no = parts.no { block(no, file: file, path: path, selector: selector, &scope) }
        }
        return max(parts.end, start + 1)
    }

    private func include(_ tokens: Tokens, file: String, line: Int, _ scope: NextflowEvaluator.Scope) {
        let place = Evidence.source(file: file, line: line)
        let value = evaluator.settled(evaluator.evaluate(tokens, scope), scope)
        let candidates: [NextflowValue] = if case .oneOf(let values, _) = value { values } else { [value] }
        for candidate in candidates {
            guard let text = candidate.text else {
                settings.notes.append(
                    DefinitionNote(place: place, message: "an include is not read: \(candidate.missing ?? "unknown")")
                )
                continue
            }
            if text == "/dev/null" || text.isEmpty || text == "null" { continue }
            if text.contains("://") {
                settings.notes.append(DefinitionNote(place: place, message: "a remote include is not read: \(text)"))
                continue
            }
            guard let path = DefinitionPath.resolve(text, from: file) else {
                settings.notes.append(
                    DefinitionNote(place: place, message: "an include outside the definition is refused: \(text)")
                )
                continue
            }
            read(path, from: place)
        }
    }

    private func function(_ name: String, _ tokens: Tokens, _ open: Int, _ scope: NextflowEvaluator.Scope) -> Int {
        let (arguments, after) = NextflowTokens.balanced(tokens, from: open)
        guard let brace = brace(tokens, after) else { return after }
        let (body, end) = NextflowTokens.balanced(tokens, from: brace)
        evaluator.functions[name] = NextflowEvaluator.Code(
            parameters: NextflowScript.parameterNames(arguments),
            body: Array(body),
            scope: scope
        )
        return end
    }

    private func symbol(_ token: NextflowToken) -> String? {
        if case .symbol(let text) = token.kind { text } else { nil }
    }

    private func brace(_ tokens: Tokens, _ start: Int, stepping: Bool = false) -> Int? {
        var index = start
        while index < tokens.endIndex {
            if tokens[index].isSymbol("{") { return index }
            if !stepping, !tokens[index].isNewline { return nil }
            if stepping, tokens[index].isNewline { return nil }
            index += 1
        }
        return nil
    }

    private func afterCatch(_ tokens: Tokens, _ start: Int) -> Int {
        var index = start
        while index < tokens.endIndex {
            var next = index
            while next < tokens.endIndex, tokens[next].isNewline { next += 1 }
            guard next < tokens.endIndex, tokens[next].isWord("catch") || tokens[next].isWord("finally") else {
                return index
            }
            var open = next + 1
            if open < tokens.endIndex, tokens[open].isSymbol("(") {
                open = NextflowTokens.balanced(tokens, from: open).end
            }
            guard let brace = brace(tokens, open) else { return next + 1 }
            index = NextflowTokens.balanced(tokens, from: brace).end
        }
        return index
    }
}
