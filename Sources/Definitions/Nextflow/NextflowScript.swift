/// A script scanned for what it defines; the bodies are looked into only where something calls them.
final class NextflowScript {
    /// A process, workflow or function, by the words of its body.
    final class Definition {
        enum Kind {
            case process
            case workflow
            case function([String])
        }

        let kind: Kind
        /// Empty for the entry workflow.
        let name: String
        let body: Range<Int>
        let line: Int
        unowned let script: NextflowScript
        /// Names in the body that are called, found once.
        var calls: [String]?
        /// The statements of a process's head, or of a function, read once.
        var statements: [NextflowStatement]?

        init(_ kind: Kind, name: String, body: Range<Int>, line: Int, script: NextflowScript) {
            self.kind = kind
            self.name = name
            self.body = body
            self.line = line
            self.script = script
        }

        var isProcess: Bool { if case .process = kind { true } else { false } }

        var isWorkflow: Bool { if case .workflow = kind { true } else { false } }
    }

    /// One name of an include statement.
    struct Include {
        var name: String
        var path: String
    }

    let path: String
    let tokens: [NextflowToken]
    var definitions: [String: Definition] = [:]
    /// In the order of the source.
    var processes: [Definition] = []
    /// By the name they have in this script.
    var includes: [String: Include] = [:]
    /// Scripts of which everything is included.
    var wholes: [String] = []
    /// Top-level variables.
    let scope: NextflowScope

    init(path: String, tokens: [NextflowToken], scope: NextflowScope) {
        self.path = path
        self.tokens = tokens
        self.scope = scope
    }

    func add(_ kind: Definition.Kind, name: String, body: Range<Int>, line: Int32) {
        let definition = Definition(kind, name: name, body: body, line: Int(line), script: self)
        // Of two with one name (in two branches) the first holds; both count for scripts without workflow.
        if definitions[name] == nil { definitions[name] = definition }
        if definition.isProcess { processes.append(definition) }
    }
}

/// The scripts of a definition, scanned as includes reach them.
final class NextflowLibrary {
    private static let maximumScripts = 5000
    private static let maximumNesting = 100

    private let sources: NextflowSources
    private let evaluator: NextflowEvaluator
    private let configuration: NextflowConfiguration
    private var scripts: [String: NextflowScript] = [:]
    private var nesting = 0

    init(sources: NextflowSources, evaluator: NextflowEvaluator, configuration: NextflowConfiguration) {
        self.sources = sources
        self.evaluator = evaluator
        self.configuration = configuration
        evaluator.function = { [unowned self] name, scope in self.function(name, scope) }
    }

    func load(_ path: String, from place: Evidence?) -> NextflowScript? {
        if let known = scripts[path] { return known }
        guard scripts.count < Self.maximumScripts, nesting < Self.maximumNesting else {
            sources.note(place, "script \(path) is not read: too many scripts, or includes nested too deeply")
            return nil
        }
        guard let source = sources.source(path, from: place, purpose: "script") else { return nil }
        let scope = NextflowScope(file: path) { [unowned self] name in self.builtin(name, path) }
        let script = NextflowScript(path: path, tokens: source.tokens, scope: scope)
        scripts[path] = script
        nesting += 1
        scan(script)
        nesting -= 1
        return script
    }

    private func builtin(_ name: String, _ file: String) -> NextflowValue? {
        switch name {
        case "params": return configuration.parameters
        case "moduleDir":
            let folder = DefinitionPath.folder(of: file)
            return NextflowValue(.string(NextflowSources.rootFolder + (folder.isEmpty ? "" : "/" + folder)))
        default: return configuration.builtin(name)
        }
    }

    /// What a name means in a script.
    func definition(_ name: String, in script: NextflowScript, depth: Int = 0) -> NextflowScript.Definition? {
        if let own = script.definitions[name] { return own }
        guard depth < 20 else { return nil }
        if let include = script.includes[name] {
            guard let other = scripts[include.path] else { return nil }
            return definition(include.name, in: other, depth: depth + 1)
        }
        for path in script.wholes {
            if let found = scripts[path].flatMap({ definition(name, in: $0, depth: depth + 1) }) { return found }
        }
        return nil
    }

    /// A function of the script that a scope belongs to, ready to be called.
    private func function(_ name: String, _ scope: NextflowScope) -> NextflowFunction? {
        guard let script = scripts[scope.file], let found = definition(name, in: script),
            case .function(let parameters) = found.kind
        else { return nil }
        if found.statements == nil {
            var parser = NextflowParser(found.script.tokens, found.body)
            found.statements = parser.statements(inBlock: false)
        }
        let closure = NextflowClosure(parameters: parameters, body: found.statements ?? [])
        return NextflowFunction(closure, found.script.scope)
    }

    // MARK: Scanning

    private func scan(_ script: NextflowScript) {
        let tokens = script.tokens
        var position = 0
        func at(_ index: Int) -> NextflowToken? { index < tokens.count ? tokens[index] : nil }
        while position < tokens.count {
            let start = position
            let token = tokens[position]
            guard let word = token.name else {
                // Braces of `if` around definitions are passed through.
                position += 1
                if case .string = token.kind { position = Self.lineEnd(tokens, position) }
                if case .template = token.kind { position = Self.lineEnd(tokens, position) }
                if token.isSymbol("@") { position += 1 }
                continue
            }
            let next = at(position + 1)
            switch word {
            case "process" where Self.bodyName(next) != nil && Self.opens(tokens, position + 2):
                let open = Self.next(tokens, position + 2)
                position = Self.close(tokens, open)
                script.add(
                    .process,
                    name: Self.bodyName(next) ?? "",
                    body: open + 1..<max(open + 1, position - 1),
                    line: token.line
                )
            case "workflow" where next?.name != nil && Self.opens(tokens, position + 2):
                let open = Self.next(tokens, position + 2)
                position = Self.close(tokens, open)
                script.add(
                    .workflow,
                    name: next?.name ?? "",
                    body: open + 1..<max(open + 1, position - 1),
                    line: token.line
                )
            case "workflow" where Self.opens(tokens, position + 1):
                let open = Self.next(tokens, position + 1)
                position = Self.close(tokens, open)
                script.add(.workflow, name: "", body: open + 1..<max(open + 1, position - 1), line: token.line)
            case "workflow" where next?.isSymbol(".") == true, "import", "package":
                position = Self.lineEnd(tokens, position)
            case "output", "record", "enum", "class", "interface", "trait":
                let open = Self.next(tokens, position + (next?.name == nil ? 1 : 2))
                position = at(open)?.isSymbol("{") == true ? Self.close(tokens, open) : position + 1
            case "include":
                position = include(script, position)
            case "params" where Self.opens(tokens, position + 1):
                let open = Self.next(tokens, position + 1)
                position = Self.close(tokens, open)
                var parser = NextflowParser(
                    tokens,
                    open + 1..<max(open + 1, position - 1),
                    isConfiguration: true
                )
                for statement in parser.statements(inBlock: false) { parameter([], statement, script) }
            case "if", "else", "try", "catch", "finally":
                position = conditional(script, position)
            default:
                if let function = functionHead(tokens, position) {
                    position = Self.close(tokens, function.open)
                    script.add(
                        .function(function.parameters),
                        name: function.name,
                        body: function.open + 1..<max(function.open + 1, position - 1),
                        line: token.line
                    )
                } else {
                    position = statement(script, position)
                }
            }
            if position <= start { position = start + 1 }
        }
    }

    private static func bodyName(_ token: NextflowToken?) -> String? {
        switch token?.kind {
        case .name(let name)?, .string(let name)?: name
        default: nil
        }
    }

    /// The next word that is no newline.
    private static func next(_ tokens: [NextflowToken], _ index: Int) -> Int {
        var index = index
        while index < tokens.count, tokens[index].isNewline { index += 1 }
        return index
    }

    private static func opens(_ tokens: [NextflowToken], _ index: Int) -> Bool {
        let index = next(tokens, index)
        return index < tokens.count && tokens[index].isSymbol("{")
    }

    /// Behind the bracket that closes the one at an index.
    static func close(_ tokens: [NextflowToken], _ index: Int) -> Int {
        var open = 0
        var index = index
        while index < tokens.count {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"): open -= 1
            default: break
            }
            index += 1
            if open <= 0 { break }
        }
        return index
    }

    /// Behind the line's end, brackets closed.
    private static func lineEnd(_ tokens: [NextflowToken], _ index: Int) -> Int {
        var open = 0
        var index = index
        while index < tokens.count {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"):
                open -= 1
                if open < 0 { return index }
            case .newline where open <= 0: return index + 1
            default: break
            }
            index += 1
        }
        return index
    }

    /// `def name(…) {`, `Type name(…) {`.
    private func functionHead(
        _ tokens: [NextflowToken],
        _ position: Int
    ) -> (name: String, parameters: [String], open: Int)? {
        var index = position
        var previous = 0
        while index < tokens.count, index < position + 30, !tokens[index].isNewline {
            if tokens[index].isSymbol("("), previous > position, !tokens[previous - 1].isSymbol("."),
                let name = tokens[previous].name ?? Self.bodyName(tokens[previous])
            {
                let after = Self.close(tokens, index)
                var open = Self.next(tokens, after)
                // `-> Type` of 2026.
                if open < tokens.count, tokens[open].isSymbol("->") {
                    while open < tokens.count, !tokens[open].isSymbol("{"), !tokens[open].isNewline { open += 1 }
                }
                guard open < tokens.count, tokens[open].isSymbol("{") else { return nil }
                return (name, Self.parameters(tokens, index + 1..<max(index + 1, after - 1)), open)
            }
            switch tokens[index].kind {
            case .name, .symbol("<"), .symbol(">"), .symbol(","), .symbol("."), .symbol("["), .symbol("]"),
                .symbol("?"),
                .string:
                previous = index
            default: return nil
            }
            index += 1
        }
        return nil
    }

    private static func parameters(_ tokens: [NextflowToken], _ range: Range<Int>) -> [String] {
        var names: [String] = []
        var last: String?
        var open = 0
        var isClosed = false
        for index in range {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"), .symbol("<"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"), .symbol(">"): open -= 1
            case .symbol("="), .symbol(":"): isClosed = true
            case .symbol(",") where open == 0:
                if let last { names.append(last) }
                last = nil
                isClosed = false
            case .name(let name) where open == 0 && !isClosed: last = name
            default: break
            }
        }
        if let last { names.append(last) }
        return names
    }

    /// An `if` that holds definitions is passed through; any other is carried out.
    private func conditional(_ script: NextflowScript, _ position: Int) -> Int {
        let tokens = script.tokens
        var index = position + 1
        if index < tokens.count, tokens[index].isSymbol("(") { index = Self.close(tokens, index) }
        let open = Self.next(tokens, index)
        let words: Set<String> = ["process", "include", "workflow"]
        var depth = 0
        var last = open
        // To the end of the whole chain.
        var scan = open
        while scan < tokens.count {
            if tokens[scan].isSymbol("{") { depth += 1 }
            if tokens[scan].isSymbol("}") { depth -= 1 }
            if let name = tokens[scan].name, words.contains(name), scan > 0,
                tokens[scan - 1].isNewline || tokens[scan - 1].isSymbol("{"),
                scan + 1 < tokens.count, tokens[scan + 1].name != nil || tokens[scan + 1].isSymbol("{")
            {
                return open
            }
            last = scan
            if depth <= 0, tokens[scan].isNewline || tokens[scan].isSymbol("}") {
                let after = Self.next(tokens, scan + 1)
                guard after < tokens.count, tokens[after].isName("else") else { break }
                scan = after
            }
            scan += 1
        }
        guard tokens[position].isName("if") else { return last + 1 }
        return statement(script, position)
    }

    /// Carries out one statement of the top level.
    private func statement(_ script: NextflowScript, _ position: Int) -> Int {
        var parser = NextflowParser(script.tokens, position..<script.tokens.count)
        guard let statement = parser.one() else { return max(parser.position, position + 1) }
        parameter(nil, statement, script)
        return max(parser.position, position + 1)
    }

    /// `params.x = …` holds where neither run nor configuration set it; in a block (`prefix` given) without `params`.
    private func parameter(_ prefix: [String]?, _ statement: NextflowStatement, _ script: NextflowScript) {
        let place = Evidence.source(file: script.path, line: Int(statement.line))
        switch statement.kind {
        case .assign(let path, "=", let expression) where prefix != nil || (path.first == "params" && path.count > 1):
            let full = prefix == nil ? path : ["params"] + (prefix ?? []) + path
            guard
                configuration.root["params"]?.map?[full[1]] == nil || full.count > 2 && configuration.value(full) == nil
            else { return }
            configuration.set(full, evaluator.evaluate(expression, script.scope).at(place))
        case .scope(let path, let body) where prefix != nil:
            guard (prefix?.count ?? 0) < 20 else { return }
            for inner in body { parameter((prefix ?? []) + path, inner, script) }
        case .define where prefix != nil, .broken: break
        default: _ = evaluator.run([statement], script.scope)
        }
    }

    // MARK: Includes

    /// `include { A; B as C } from 'path'`, `include A as B from 'path'`, `include 'path'`.
    private func include(_ script: NextflowScript, _ position: Int) -> Int {
        let tokens = script.tokens
        var index = position + 1
        var names: [(name: String, alias: String)] = []
        let isBlock = index < tokens.count && tokens[index].isSymbol("{")
        if isBlock { index += 1 }
        while index < tokens.count {
            if let name = tokens[index].name, name != "from" || isBlock {
                var alias = name
                index += 1
                if index + 1 < tokens.count, tokens[index].isName("as"), let other = tokens[index + 1].name {
                    alias = other
                    index += 2
                }
                names.append((name, alias))
            } else if isBlock, tokens[index].isSymbol("}") {
                index = Self.next(tokens, index + 1)
                break
            } else if isBlock, tokens[index].isNewline || tokens[index].isSymbol(";") || tokens[index].isSymbol(",") {
                index += 1
            } else {
                break
            }
        }
        if index < tokens.count, tokens[index].isName("from") { index = Self.next(tokens, index + 1) }
        var parser = NextflowParser(tokens, index..<tokens.count)
        let place = Evidence.source(file: script.path, line: Int(tokens[position].line))
        guard let expression = try? parser.primary() else { return Self.lineEnd(tokens, index) }
        let after = Self.lineEnd(tokens, parser.position)
        let value = evaluator.evaluate(expression, script.scope)
        guard let text = value.string else {
            sources.note(place, "which script is included is not known before the run: \(value.reasons.first ?? "")")
            return after
        }
        if text.utf8.starts(with: "plugin/".utf8) { return after }
        guard let path = sources.resolve(text, from: script.path, at: place, purpose: "script") else { return after }
        let candidates = text.hasSuffix(".nf") ? [path] : [path + ".nf", path + "/main.nf", path]
        let found = candidates.first(where: sources.exists) ?? candidates[0]
        guard load(found, from: place) != nil else { return after }
        if names.isEmpty { script.wholes.append(found) }
        for (name, alias) in names { script.includes[alias] = NextflowScript.Include(name: name, path: found) }
        return after
    }
}
