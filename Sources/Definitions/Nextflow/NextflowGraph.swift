/// A process as it is called: by which names, and with which body.
struct NextflowCall {
    var process: NextflowScript.Process
    var file: String
    /// The name in the script that calls it.
    var alias: String
    /// `WORKFLOW:SUB:ALIAS`.
    var qualified: String
    var functions: [String: NextflowEvaluator.Code]
    /// Included, but nobody calls it.
    var isCalled = true
}

/// Scripts and who calls whom.
struct NextflowGraph {
    private let files: any DefinitionFiles
    private let evaluator: NextflowEvaluator
    private let root: String
    private var scripts: [String: NextflowScript] = [:]
    private var refused: Set<String> = []
    private(set) var notes: [DefinitionNote] = []
    private static let mostScripts = 3000
    private static let mostCalls = 20_000

    init(files: any DefinitionFiles, evaluator: NextflowEvaluator, root: String) {
        self.files = files
        self.evaluator = evaluator
        self.root = root
    }

    /// Reads a script and all that it includes; false when it cannot be read.
    mutating func load(_ path: String, from place: Evidence?) -> Bool {
        var waiting = [(path, place)]
        var isMain = true
        var isLoaded = true
        while let (path, place) = waiting.popLast() {
            if scripts[path] != nil || refused.contains(path) { continue }
            guard scripts.count < Self.mostScripts else {
                notes.append(
                    DefinitionNote(place: place, message: "more than \(Self.mostScripts) scripts; the rest is not read")
                )
                break
            }
            switch files.read(path) {
            case .contents(let bytes):
                let script = NextflowScript(path: path, tokens: NextflowLexer.tokens(bytes))
                for statement in script.loose { parameters(statement) }
                scripts[path] = script
                for include in script.includes {
                    let place = Evidence.source(file: path, line: include.line)
                    if let target = target(of: include, in: path) {
                        waiting.append((target, place))
                    } else if !include.source.hasPrefix("plugin/") {
                        notes.append(
                            DefinitionNote(
                                place: place,
                                message: "an include is not read: \(Self.shown(include.source))"
                            )
                        )
                    }
                }
            case .missing:
                refused.insert(path)
                if isMain { isLoaded = false }
                notes.append(DefinitionNote(place: place, message: "\(path) is not in the definition"))
            case .refused(let why):
                refused.insert(path)
                if isMain { isLoaded = false }
                notes.append(DefinitionNote(place: place, message: "\(path) is not read: \(why)"))
            }
            isMain = false
        }
        return isLoaded
    }

    private static func shown(_ source: String) -> String { source.replacing("\u{0}", with: "$") }

    /// `params.x = …` and `params { x: Type = … }` of a script: below the configuration and the run.
    private func parameters(_ tokens: ArraySlice<NextflowToken>) {
        guard tokens.first?.isWord("params") == true, tokens.count > 2 else { return }
        let second = tokens[tokens.startIndex + 1]
        if second.isSymbol("."), let name = tokens[tokens.startIndex + 2].word, tokens.count > 4,
            tokens[tokens.startIndex + 3].isSymbol("=")
        {
            declare(name, tokens.dropFirst(4))
        } else if second.isSymbol("{") {
            let inner = NextflowTokens.balanced(tokens, from: tokens.startIndex + 1).inner
            var index = inner.startIndex
            while index < inner.endIndex {
                let end = max(NextflowTokens.statementEnd(inner, from: index), index + 1)
                let statement = inner[index..<min(end, inner.endIndex)]
                if let name = statement.first?.word, let equals = statement.firstIndex(where: { $0.isSymbol("=") }) {
                    declare(name, statement[(equals + 1)...])
                }
                index = end
            }
        }
    }

    private func declare(_ name: String, _ tokens: ArraySlice<NextflowToken>) {
        guard evaluator.parameters[name] == nil else { return }
        evaluator.set(parameter: [name], to: evaluator.evaluate(tokens, [:]))
    }

    /// The file that an include names: with or without `.nf`, or a folder with `main.nf`.
    private func target(of include: NextflowScript.Include, in path: String) -> String? {
        var source = include.source
        if source.hasPrefix("plugin/") || source.contains("://") || source.contains("\u{0}unknown") { return nil }
        let base: String?
        if source.hasPrefix("\u{0}root") {
            source = String(source.dropFirst("\u{0}root".count).drop { $0 == "/" })
            base = DefinitionPath.normalized(root.isEmpty ? source : "\(root)/\(source)")
        } else {
            base = DefinitionPath.resolve(source, from: path)
        }
        guard let base else { return nil }
        return [base, "\(base).nf", "\(base)/main.nf"].first { files.exists($0) && $0.hasSuffix(".nf") }
    }

    // MARK: Calls

    /// Every process that is called, from the entry workflow on; of a script without workflows, every process.
    mutating func calls(from main: String) -> [NextflowCall] {
        guard let script = scripts[main] else { return [] }
        var found: [NextflowCall] = []
        var seen: Set<String> = []
        if let entry = script.workflows[""] ?? (script.workflows.count == 1 ? script.workflows.values.first : nil) {
            follow(entry, in: main, prefix: "", &found, &seen, depth: 0)
        } else if script.workflows.isEmpty {
            for process in script.processes.values.sorted(by: { $0.line < $1.line }) {
                found.append(call(process, in: main, alias: process.name, prefix: ""))
            }
            let loose = script.loose.flatMap(Array.init)
            follow(loose, in: main, prefix: "", &found, &seen, depth: 0)
        }
        let called = Set(found.map { "\($0.file)#\($0.process.name)" })
        for path in scripts.keys.sorted() {
            for process in (scripts[path]?.processes.values).map(Array.init) ?? []
            where !called.contains("\(path)#\(process.name)") {
                var idle = call(process, in: path, alias: process.name, prefix: "")
                idle.isCalled = false
                found.append(idle)
            }
        }
        return found
    }

    private func call(
        _ process: NextflowScript.Process,
        in path: String,
        alias: String,
        prefix: String
    ) -> NextflowCall {
        NextflowCall(
            process: process,
            file: path,
            alias: alias,
            qualified: prefix.isEmpty ? alias : "\(prefix):\(alias)",
            functions: scripts[path]?.functions ?? [:]
        )
    }

    private func follow(
        _ body: [NextflowToken],
        in path: String,
        prefix: String,
        _ found: inout [NextflowCall],
        _ seen: inout Set<String>,
        depth: Int
    ) {
        guard depth < 40, found.count < Self.mostCalls, let script = scripts[path] else { return }
        for name in Self.names(in: body) {
            let key = "\(path)\n\(prefix)\n\(name)"
            if let process = script.processes[name] {
                if seen.insert(key).inserted { found.append(call(process, in: path, alias: name, prefix: prefix)) }
            } else if let workflow = script.workflows[name], !name.isEmpty {
                guard seen.insert(key).inserted else { continue }
                follow(
                    workflow,
                    in: path,
                    prefix: prefix.isEmpty ? name : "\(prefix):\(name)",
                    &found,
                    &seen,
                    depth: depth + 1
                )
            } else if let function = script.functions[name] {
                guard seen.insert(key).inserted else { continue }
                follow(function.body, in: path, prefix: prefix, &found, &seen, depth: depth + 1)
            } else if let include = script.includes.first(where: { $0.alias == name }) {
                guard seen.insert(key).inserted, let target = target(of: include, in: path), let other = scripts[target]
                else { continue }
                if let process = other.processes[include.name] {
                    found.append(call(process, in: target, alias: name, prefix: prefix))
                } else if let workflow = other.workflows[include.name] {
                    follow(
                        workflow,
                        in: target,
                        prefix: prefix.isEmpty ? name : "\(prefix):\(name)",
                        &found,
                        &seen,
                        depth: depth + 1
                    )
                } else if let function = other.functions[include.name] {
                    follow(function.body, in: target, prefix: prefix, &found, &seen, depth: depth + 1)
                }
            }
        }
    }

    /// Names that are called: before a bracket, in a pipe, or recursively (`NAME.scan`). Strings are looked into too.
    private static func names(in body: [NextflowToken]) -> [String] {
        var names: [String] = []
        var known: Set<String> = []
        for (index, token) in body.enumerated() {
            guard let word = token.word else { continue }
            if index > 0, body[index - 1].isSymbol(".") || body[index - 1].isSymbol("?.") { continue }
            let next = index + 1 < body.count ? body[index + 1] : nil
            var before = index - 1
            while before >= 0, body[before].isNewline { before -= 1 }
            let previous = before >= 0 ? body[before] : nil
            var after = index + 1
            while after < body.count, body[after].isNewline { after += 1 }
            let following = after < body.count ? body[after] : nil
            let isRecursion =
                next?.isSymbol(".") == true && index + 2 < body.count
                && ["scan", "recurse", "run"].contains { body[index + 2].isWord($0) }
            let isCall =
                next?.isSymbol("(") == true || next?.isSymbol("{") == true || previous?.isSymbol("|") == true
                || following?.isSymbol("|") == true || isRecursion || previous?.isSymbol("&") == true
                || following?.isSymbol("&") == true
            if isCall, known.insert(word).inserted { names.append(word) }
        }
        return names
    }
}
