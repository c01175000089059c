/// A script scanned for what it defines; the bodies are looked into only where something calls them.
final class NextflowScript {
    /// A process, workflow or function, by the words of its body.
    final class Definition {
        enum Kind {
            case process
            case workflow
            case function([NextflowParameter])
        }

        let kind: Kind
        /// Empty for the entry workflow.
        let name: String
        let body: Range<Int>
        let line: Int
        unowned let script: NextflowScript
        /// How sure it is that the script defines it.
        let standing: NextflowStanding
        /// The calls in the body, found once.
        var sites: [NextflowCallSite]?
        /// The statements of a process's head, of a workflow's main part, or of a function, read once.
        var statements: [NextflowStatement]?

        init(
            _ kind: Kind,
            name: String,
            body: Range<Int>,
            line: Int,
            script: NextflowScript,
            standing: NextflowStanding
        ) {
            self.kind = kind
            self.name = name
            self.body = body
            self.line = line
            self.script = script
            self.standing = standing
        }

        var isProcess: Bool { if case .process = kind { true } else { false } }

        var isWorkflow: Bool { if case .workflow = kind { true } else { false } }
    }

    /// One name of an include statement.
    struct Include {
        var name: String
        var script: NextflowLibrary.Key
        var standing: NextflowStanding
    }

    /// Words of the top level below a condition.
    struct Region {
        var words: Range<Int>
        var standing: NextflowStanding
        /// Whether the way is the one that is taken, as far as is known; nil where it is not.
        var isTaken: Bool?
    }

    /// An include of a script that could not be read.
    struct Missing {
        var place: Evidence
        var expression: String
        var why: String
    }

    let path: String
    let tokens: [NextflowToken]
    var definitions: [String: Definition] = [:]
    /// In the order of the source.
    var processes: [Definition] = []
    /// Further functions of one name, with other parameters.
    private var overloads: [String: [Definition]] = [:]
    /// By the name they have in this script; several where branches include different scripts under one name.
    private(set) var includes: [String: [Include]] = [:]
    /// Names that scripts would have given that could not be read.
    var missing: [String: Missing] = [:]
    /// Scripts of which everything is included.
    var wholes: [NextflowLibrary.Key] = []
    /// Blocks of the top level that hold definitions and are below conditions.
    var regions: [Region] = []
    /// Parameters that conditions of the top level looked at.
    var conditionParameters: Set<String> = []
    /// Where the top level certainly ends early, before any workflow begins.
    var end: NextflowStanding?
    /// Parameters, and variables of the top level, that bodies set.
    private(set) lazy var changes = Self.changes(tokens, definitions.keys.flatMap(own).map(\.body))
    var changedParameters: Set<String> { changes.parameters }
    /// The script's own `params`: those of the script that includes it, and what it adds.
    var parameters: NextflowMap
    /// Which `params` these are; scripts with the same have the same.
    var parametersVersion: Int
    /// Top-level variables; set once the script can be asked.
    private(set) var scope = NextflowScope(file: "")

    init(path: String, tokens: [NextflowToken], parameters: NextflowMap, version: Int) {
        self.path = path
        self.tokens = tokens
        self.parameters = parameters
        parametersVersion = version
    }

    func open(_ scope: NextflowScope) { self.scope = scope }

    func include(_ include: Include, as alias: String) { includes[alias, default: []].append(include) }

    /// How sure it is that a word of the top level is reached, and whether it is as far as is known.
    func standing(at word: Int) -> (standing: NextflowStanding, isTaken: Bool?) {
        var standing = NextflowStanding.certain
        var isTaken: Bool? = true
        for region in regions where region.words.contains(word) {
            standing = standing.and(region.standing)
            if isTaken == true || region.isTaken == false { isTaken = region.isTaken }
        }
        return (standing, isTaken)
    }

    func add(_ kind: Definition.Kind, name: String, body: Range<Int>, line: Int32) {
        let standing = standing(at: body.lowerBound).standing
        let definition = Definition(kind, name: name, body: body, line: Int(line), script: self, standing: standing)
        if case .function = kind, definitions[name] != nil { overloads[name, default: []].append(definition) }
        // Of two with one name (in two branches) the surer holds; both count for scripts without workflow.
        if standing.certainty < definitions[name]?.standing.certainty ?? .inactive || definitions[name] == nil {
            definitions[name] = definition
        }
        if definition.isProcess { processes.append(definition) }
    }

    /// What the script itself defines by a name.
    func own(_ name: String) -> [Definition] {
        guard let first = definitions[name] else { return [] }
        return [first] + (overloads[name] ?? []).filter { $0 !== first }
    }

    /// What bodies set: `params.name = …`, and `name = …` without `def`.
    private static func changes(
        _ tokens: [NextflowToken],
        _ bodies: [Range<Int>]
    ) -> (parameters: Set<String>, variables: Set<String>) {
        var changes = (parameters: Set<String>(), variables: Set<String>())
        for body in bodies {
            for index in body where index + 1 < tokens.count {
                guard let operation = tokens[index + 1].symbol, let name = tokens[index].name,
                    ["=", "+=", "-=", "?=", "<<=", "++", "--", "*=", "/="].contains(operation)
                else { continue }
                let before = index > 0 ? tokens[index - 1] : nil
                if before?.isSymbol(".") == true {
                    if index > 1, tokens[index - 2].isName("params") { changes.parameters.insert(name) }
                } else if before?.name == nil {
                    changes.variables.insert(name)
                }
            }
        }
        return changes
    }
}

/// The scripts of a definition, scanned as includes reach them.
final class NextflowLibrary {
    private static let maximumScripts = 5000
    private static let maximumNesting = 100
    private static let maximumWords = 8_000_000

    /// A script with the `params` it sees. The engine gives each script its own (`IncludeDef` in Nextflow's source):
    /// those of the script that includes it, changed by `addParams(…)`, or only those of `params(…)`.
    struct Key: Hashable {
        var path: String
        var version: Int
    }

    let sources: NextflowSources
    let evaluator: NextflowEvaluator
    let configuration: NextflowConfiguration
    private var scripts: [Key: NextflowScript] = [:]
    private var nesting = 0
    private var versions = 0
    private var wordsScanned = 0

    init(sources: NextflowSources, evaluator: NextflowEvaluator, configuration: NextflowConfiguration) {
        self.sources = sources
        self.evaluator = evaluator
        self.configuration = configuration
    }

    /// Parameters that conditions around definitions looked at, in any script.
    var conditionParameters: Set<String> { scripts.values.reduce(into: []) { $0.formUnion($1.conditionParameters) } }

    func newVersion() -> Int {
        versions += 1
        return versions
    }

    /// The script that the run starts with, whose `params` are the configuration's.
    func main(_ path: String) -> NextflowScript? {
        load(Key(path: path, version: 0), configuration.root["params"]?.map ?? NextflowMap(), from: nil)
    }

    private func load(_ key: Key, _ parameters: NextflowMap, from place: Evidence?) -> NextflowScript? {
        if let known = scripts[key] { return known }
        guard scripts.count < Self.maximumScripts, nesting < Self.maximumNesting else {
            sources.note(place, "script \(key.path) is not read: too many scripts, or includes nested too deeply")
            return nil
        }
        guard let source = sources.source(key.path, from: place, purpose: "script") else { return nil }
        wordsScanned += source.tokens.count
        guard wordsScanned <= Self.maximumWords else {
            sources.note(place, "script \(key.path) is not read again: too much to read under different parameters")
            return nil
        }
        let script = NextflowScript(
            path: key.path,
            tokens: source.tokens,
            parameters: parameters,
            version: key.version
        )
        let scope = NextflowScope(
            file: key.path,
            lookup: { [unowned self, unowned script] name in self.builtin(name, script) },
            functions: { [unowned self, unowned script] name in self.function(name, script) }
        )
        script.open(scope)
        scripts[key] = script
        nesting += 1
        scan(script)
        nesting -= 1
        return script
    }

    private func builtin(_ name: String, _ script: NextflowScript) -> NextflowValue? {
        switch name {
        case "params":
            return NextflowConfiguration.parameters(
                evaluator,
                changed: { [unowned script] in script.changedParameters.contains($0) },
                { [unowned script] in script.parameters }
            )
        case "moduleDir":
            let folder = DefinitionPath.folder(of: script.path)
            return NextflowValue(.string(NextflowSources.rootFolder + (folder.isEmpty ? "" : "/" + folder)))
        default:
            // The configuration's `env` scope is seen by scripts too.
            return configuration.builtin(name) ?? configuration.value(["env", name])
        }
    }

    /// What a name may mean in a script, and how sure it is that it does.
    typealias Target = (definition: NextflowScript.Definition, standing: NextflowStanding)

    /// What was found on the way to a name's meaning: scripts may include each other, and one many times, so that each name
    /// is looked for once in each.
    private struct Search {
        struct Question: Hashable {
            var script: ObjectIdentifier
            var name: String
        }

        /// Empty while it is being looked for: a name does not mean itself.
        var known: [Question: [Target]] = [:]
    }

    /// What a name means in a script; several things where branches include different scripts.
    func definitions(_ name: String, in script: NextflowScript) -> [Target] {
        var search = Search()
        return definitions(name, in: script, depth: 0, &search)
    }

    private func definitions(_ name: String, in script: NextflowScript, depth: Int, _ search: inout Search) -> [Target]
    {
        let own = script.own(name)
        if !own.isEmpty { return own.map { ($0, .certain) } }
        guard depth < 20 else { return [] }
        let question = Search.Question(script: ObjectIdentifier(script), name: name)
        if let known = search.known[question] { return known }
        search.known[question] = []
        let found = included(name, in: script, depth: depth, &search)
        search.known[question] = found
        return found
    }

    /// What a name means that a script does not define itself.
    private func included(_ name: String, in script: NextflowScript, depth: Int, _ search: inout Search) -> [Target] {
        if let includes = script.includes[name] {
            if includes.count == 1, let include = includes.first {
                guard let other = scripts[include.script] else { return [] }
                return definitions(include.name, in: other, depth: depth + 1, &search)
            }
            var found: [Target] = []
            for include in includes where found.count < 20 {
                guard let other = scripts[include.script] else { continue }
                for (definition, standing) in definitions(include.name, in: other, depth: depth + 1, &search) {
                    let own = include.standing.and(standing)
                    if let known = found.firstIndex(where: { $0.definition === definition }) {
                        found[known].standing = found[known].standing.or(own)
                    } else {
                        found.append((definition, own))
                    }
                }
            }
            // Nothing else than one of several can be meant.
            if found.count == 1 { found[0].standing = .certain }
            return found
        }
        for key in script.wholes {
            guard let other = scripts[key] else { continue }
            let found = definitions(name, in: other, depth: depth + 1, &search)
            if !found.isEmpty { return found }
        }
        return []
    }

    /// A function that a script knows, ready to be called.
    private func function(_ name: String, _ script: NextflowScript) -> NextflowFunction? {
        let targets = definitions(name, in: script)
        guard let best = targets.map(\.standing.certainty).min() else { return nil }
        let surest = targets.filter { $0.standing.certainty == best }
        // Of several it is not known which is meant.
        guard surest.count == 1, let found = surest.first?.definition, case .function(let parameters) = found.kind
        else {
            return nil
        }
        let closure = NextflowClosure(parameters: parameters, body: statements(of: found))
        return NextflowFunction(closure, found.script.scope)
    }

    /// The statements of a function.
    func statements(of function: NextflowScript.Definition) -> [NextflowStatement] {
        if let known = function.statements { return known }
        var parser = NextflowParser(function.script.tokens, function.body)
        let statements = parser.statements(inBlock: false)
        function.statements = statements
        return statements
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
        let standing = script.standing(at: position)
        guard standing.standing.certainty != .inactive else { return Self.lineEnd(tokens, index) }
        var parser = NextflowParser(tokens, index..<tokens.count)
        let place = Evidence.source(file: script.path, line: Int(tokens[position].line))
        let clauses = self.clauses(of: script, &parser)
        guard let expression = clauses.path else { return Self.lineEnd(tokens, index) }
        let after = Self.lineEnd(tokens, parser.position)
        let value = evaluator.evaluate(expression, script.scope)
        func miss(_ why: String) {
            let written = sources.text(expression, script.path)
            for (_, alias) in names where script.includes[alias] == nil {
                script.missing[alias] = NextflowScript.Missing(place: place, expression: written, why: why)
            }
        }
        guard let text = value.string else {
            let why = "which script is included is not known before the run: \(value.reasons.first ?? "")"
            sources.note(place, why)
            miss(why)
            return after
        }
        if text.utf8.starts(with: "plugin/".utf8) { return after }
        guard let path = sources.resolve(text, from: script.path, at: place, purpose: "script") else {
            miss("the script lies outside of what was given and is not read")
            return after
        }
        var candidates = text.hasSuffix(".nf") ? [path] : [path + ".nf", path + "/main.nf", path]
        // A module of a registry, `scope/name`, as it is installed in the project.
        if !text.utf8.starts(with: ".".utf8), !text.utf8.starts(with: "/".utf8) {
            let folder = sources.projectFolder.isEmpty ? "modules" : sources.projectFolder + "/modules"
            if let module = DefinitionPath.normalized("\(folder)/\(text)/main.nf") { candidates.append(module) }
        }
        let found = candidates.first(where: sources.exists) ?? candidates[0]
        let key = Key(path: found, version: clauses.version)
        guard load(key, clauses.parameters, from: place) != nil else {
            miss("the script \(found) cannot be read")
            return after
        }
        if names.isEmpty { script.wholes.append(key) }
        for (name, alias) in names {
            script.include(NextflowScript.Include(name: name, script: key, standing: standing.standing), as: alias)
        }
        return after
    }

    /// What follows the names: `from 'x'`, and what the script sees as `params`: those of `params(…)`, the including
    /// script's with those of `addParams(…)`, else the including script's.
    private func clauses(
        of script: NextflowScript,
        _ parser: inout NextflowParser
    ) -> (path: NextflowExpression?, parameters: NextflowMap, version: Int) {
        var found = (path: NextflowExpression?.none, parameters: script.parameters, version: script.parametersVersion)
        while !parser.token.isNewline, !parser.token.isEnd {
            switch parser.token.name {
            case "from"?:
                parser.position += 1
                parser.skipNewlines()
                guard let path = try? parser.primary() else { return found }
                found.path = path
            case let word? where word == "params" || word == "addParams":
                let line = Int(parser.token.line)
                parser.position += 1
                guard let arguments = try? parser.bracketed() else { return found }
                let value = arguments.first.map { evaluator.evaluate($0, script.scope) } ?? .null
                if value.map == nil {
                    sources.note(
                        .source(file: script.path, line: line),
                        "`\(word)` of an include is not known before the run and is left out"
                    )
                }
                let more = value.map ?? NextflowMap()
                if word == "params" { found.parameters = NextflowMap() }
                for key in more.keys { found.parameters[key] = more[key] }
                found.version = newVersion()
            case nil where found.path == nil:
                guard let path = try? parser.primary() else { return found }
                found.path = path
            default: return found
            }
        }
        return found
    }
}
