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
    let evaluator: NextflowEvaluator
    let configuration: NextflowConfiguration
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

    // MARK: Includes

    /// `include { A; B as C } from 'path'`, `include A as B from 'path'`, `include 'path'`.
    func include(_ script: NextflowScript, _ position: Int) -> Int {
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
