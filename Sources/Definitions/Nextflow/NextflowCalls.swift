/// A process under one of the names it is called by.
struct NextflowProcessCall {
    var process: NextflowScript.Definition
    /// The name in the calling script.
    var alias: String
    /// With the workflows around it: `WF:SUB:ALIAS`.
    var qualifiedName: String
}

/// Walks from the entry workflow to every process that is called, whatever the conditions around the calls.
struct NextflowCalls {
    private struct Visit: Hashable {
        var definition: ObjectIdentifier
        var name: String
    }

    private static let maximumVisits = 50_000
    private static let maximumDepth = 80
    private static let maximumMissing = 1000

    private let library: NextflowLibrary
    private let sources: NextflowSources
    private var seen: Set<Visit> = []
    private(set) var calls: [NextflowProcessCall] = []
    /// Calls of what scripts would define that could not be read.
    private(set) var missing: [(qualifiedName: String, include: NextflowScript.Missing)] = []

    init(main: NextflowScript, library: NextflowLibrary, sources: NextflowSources) {
        self.library = library
        self.sources = sources
        if let entry = main.definitions[""] {
            walk(entry, prefix: "", depth: 0)
        } else {
            // DSL1, or a single process that runs by itself.
            for process in main.processes {
                calls.append(
                    NextflowProcessCall(process: process, alias: process.name, qualifiedName: process.name)
                )
            }
            if calls.isEmpty {
                sources.note(
                    .source(file: main.path, line: 1),
                    "there is no entry workflow, and no process outside of workflows"
                )
            }
        }
    }

    private mutating func walk(_ definition: NextflowScript.Definition, prefix: String, depth: Int) {
        guard depth < Self.maximumDepth, seen.count < Self.maximumVisits else {
            sources.note(
                .source(file: definition.script.path, line: definition.line),
                "calls are not followed further: too many, or nested too deeply"
            )
            return
        }
        for name in names(definition) {
            let targets = library.definitions(name, in: definition.script)
            if targets.isEmpty, missing.count < Self.maximumMissing, let include = definition.script.missing[name] {
                missing.append((prefix + name, include))
            }
            for target in targets {
                let qualified = prefix + name
                let key = Visit(definition: ObjectIdentifier(target), name: qualified)
                switch target.kind {
                case .process:
                    if seen.insert(key).inserted {
                        calls.append(NextflowProcessCall(process: target, alias: name, qualifiedName: qualified))
                    }
                case .workflow:
                    if seen.insert(key).inserted { walk(target, prefix: qualified + ":", depth: depth + 1) }
                case .function:
                    // A function adds nothing to the names of what it calls.
                    let key = Visit(definition: ObjectIdentifier(target), name: prefix)
                    if seen.insert(key).inserted { walk(target, prefix: prefix, depth: depth + 1) }
                }
            }
        }
    }

    /// The names in a body that call something, in the order of the source.
    private func names(_ definition: NextflowScript.Definition) -> [String] {
        if let known = definition.calls { return known }
        let tokens = definition.script.tokens
        var found: [String] = []
        var known: Set<String> = []
        for index in definition.body {
            guard let name = tokens[index].name, !known.contains(name) else { continue }
            let target = library.definitions(name, in: definition.script).first
            guard target != nil || definition.script.missing[name] != nil else { continue }
            if index > 0, let symbol = tokens[index - 1].symbol, symbol == "." || symbol == "?." { continue }
            if case .function? = target?.kind {
                known.insert(name)
                found.append(name)
            } else if isCall(tokens, index, definition.body) {
                known.insert(name)
                found.append(name)
            }
        }
        definition.calls = found
        return found
    }

    private func isCall(_ tokens: [NextflowToken], _ index: Int, _ body: Range<Int>) -> Bool {
        func significant(_ start: Int, _ step: Int) -> NextflowToken? {
            var place = start
            while body.contains(place) {
                if !tokens[place].isNewline { return tokens[place] }
                place += step
            }
            return nil
        }
        let next = index + 1 < body.upperBound ? tokens[index + 1] : nil
        if let next, next.isSymbol("(") { return true }
        // `PROCESS.scan(…)`, `PROCESS.recurse(…).times(…)`
        if let next, next.isSymbol("."), index + 3 < body.upperBound, let method = tokens[index + 2].name,
            ["scan", "recurse", "run"].contains(method), tokens[index + 3].isSymbol("(")
        {
            return true
        }
        // Pipes: `channel | A | (B & C)`.
        let pipes = ["|", "&"]
        if let before = significant(index - 1, -1)?.symbol, pipes.contains(before) { return true }
        if let after = significant(index + 1, 1)?.symbol, pipes.contains(after) {
            // `OUT.x | …` is a channel; here the name stands alone.
            return true
        }
        // `PROCESS channel, other`
        switch next?.kind {
        case .name(let name)?: return name != "in" && name != "as" && name != "instanceof"
        case .string?, .template?, .number?: return true
        default: return false
        }
    }
}
