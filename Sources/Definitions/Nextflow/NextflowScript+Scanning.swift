/// Finds what a script defines without reading the bodies: processes, workflows, functions, includes.
extension NextflowLibrary {
    func scan(_ script: NextflowScript) {
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
            case "workflow" where Self.opens(tokens, position + (next?.name == nil ? 1 : 2)):
                let open = Self.next(tokens, position + (next?.name == nil ? 1 : 2))
                position = Self.close(tokens, open)
                let body = open + 1..<max(open + 1, position - 1)
                script.add(.workflow, name: next?.name ?? "", body: body, line: token.line)
                if tokens[body].contains(where: { $0.isName("include") }) {
                    let workflow = NextflowScript.Definition(
                        .workflow,
                        name: "",
                        body: body,
                        line: Int(token.line),
                        script: script,
                        standing: .certain
                    )
                    let parts = NextflowWorkflowParts(workflow)
                    let scope = NextflowScope(file: script.path, parent: script.scope)
                    for name in parts.takes { scope.variables[name] = .unknown("what the workflow is called with") }
                    mark(script, parts.main(workflow), scope)
                    includes(script, body)
                }
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

    /// Includes in the body of a workflow, as the first DSL2 had them.
    private func includes(_ script: NextflowScript, _ body: Range<Int>) {
        let tokens = script.tokens
        var index = body.lowerBound
        while index < body.upperBound {
            let isFirst =
                index == body.lowerBound || tokens[index - 1].isNewline || tokens[index - 1].isSymbol(";")
                || tokens[index - 1].isSymbol("{")
            let next = index + 1 < body.upperBound ? tokens[index + 1] : nil
            let isInclude = next.map { $0.isSymbol("{") || Self.bodyName($0) != nil } ?? false
            if tokens[index].isName("include"), isFirst, isInclude {
                index = max(index + 1, include(script, index))
            } else {
                index += 1
            }
        }
    }

    private static func bodyName(_ token: NextflowToken?) -> String? {
        switch token?.kind {
        case .name(let name)?, .string(let name)?: name
        default: nil
        }
    }

    /// The next word that is no newline.
    static func next(_ tokens: [NextflowToken], _ index: Int) -> Int {
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
    static func lineEnd(_ tokens: [NextflowToken], _ index: Int) -> Int {
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
    ) -> (name: String, parameters: [NextflowParameter], open: Int)? {
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
                let parser = NextflowParser(tokens, 0..<tokens.count)
                return (name, parser.parameters(index + 1..<max(index + 1, after - 1)), open)
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

    /// An `if` that holds definitions is passed through, with how sure each way is. Any other is carried out.
    private func conditional(_ script: NextflowScript, _ position: Int) -> Int {
        let tokens = script.tokens
        let isIf = tokens[position].isName("if")
        var index = position + 1
        if index < tokens.count, tokens[index].isSymbol("(") { index = Self.close(tokens, index) }
        let open = Self.next(tokens, index)
        let (end, holdsDefinitions) = Self.chain(tokens, open)
        guard holdsDefinitions else { return isIf ? statement(script, position) : end }
        if isIf { mark(script, position, open) }
        return open
    }

    /// The last word of an `if … else …`, and whether it holds definitions.
    private static func chain(_ tokens: [NextflowToken], _ open: Int) -> (end: Int, holdsDefinitions: Bool) {
        let words: Set<String> = ["process", "include", "workflow"]
        var depth = 0
        var last = open
        var scan = open
        while scan < tokens.count {
            if tokens[scan].isSymbol("{") { depth += 1 }
            if tokens[scan].isSymbol("}") { depth -= 1 }
            if let name = tokens[scan].name, words.contains(name), scan > 0,
                tokens[scan - 1].isNewline || tokens[scan - 1].isSymbol("{") || tokens[scan - 1].isSymbol(")"),
                scan + 1 < tokens.count, tokens[scan + 1].name != nil || tokens[scan + 1].isSymbol("{")
            {
                return (open, true)
            }
            last = scan
            if depth <= 0, tokens[scan].isNewline || tokens[scan].isSymbol("}") {
                let after = Self.next(tokens, scan + 1)
                guard after < tokens.count, tokens[after].isName("else") else { break }
                scan = after
            }
            scan += 1
        }
        return (last + 1, false)
    }

    /// Remembers which ways of a body's conditions are known not to be taken. Names that the body sets are not known.
    private func mark(_ script: NextflowScript, _ statements: [NextflowStatement], _ scope: NextflowScope) {
        for statement in statements {
            switch statement.kind {
            case .assign(let path, _, _): scope.variables[path[0]] = .unknown("`\(path[0])` is set in the workflow")
            case .define(let names, _):
                for name in names { scope.variables[name] = .unknown("`\(name)` is set in the workflow") }
            case .choice(let test, let then, let other):
                let value = evaluator.evaluate(test, scope)
                script.conditionParameters.formUnion(value.trace.parameters)
                let text = "`\(sources.text(test, script.path))` (\(script.path):\(statement.line))"
                let condition = NextflowCondition(value, text, configuration)
                for (way, body) in [(true, then), (false, other)] {
                    if let first = body.first?.words, let last = body.last?.words, first.lowerBound < last.upperBound {
                        let words = first.lowerBound..<last.upperBound
                        let isTaken = condition.truth.map { $0 == way }
                        script.regions.append(
                            NextflowScript.Region(words: words, standing: condition.standing(way), isTaken: isTaken)
                        )
                    }
                    mark(script, body, scope)
                }
            default: break
            }
            for name in statement.changed { scope.variables[name] = .unknown("`\(name)` is set in the workflow") }
        }
    }

    /// Remembers how sure it is that each way of an `if` is taken.
    private func mark(_ script: NextflowScript, _ position: Int, _ open: Int) {
        let tokens = script.tokens
        var parser = NextflowParser(tokens, position + 1..<open)
        let test = try? parser.condition()
        let value = test.map { evaluator.evaluate($0, script.scope) } ?? .unknown("a condition that could not be read")
        script.conditionParameters.formUnion(value.trace.parameters)
        let place = "\(script.path):\(tokens[position].line)"
        let text = test.map { "`\(sources.text($0, script.path))` (\(place))" } ?? "the condition at \(place)"
        let condition = NextflowCondition(value, text, configuration)
        func add(_ words: Range<Int>, _ way: Bool) {
            let isTaken = condition.truth.map { $0 == way }
            script.regions.append(
                NextflowScript.Region(words: words, standing: condition.standing(way), isTaken: isTaken)
            )
        }
        let end =
            tokens.indices.contains(open) && tokens[open].isSymbol("{")
            ? Self.close(tokens, open) : Self.lineEnd(tokens, open)
        add(open..<max(open, end), true)
        let other = Self.next(tokens, end)
        guard other < tokens.count, tokens[other].isName("else") else { return }
        var stop = Self.next(tokens, other + 1)
        while stop < tokens.count, tokens[stop].isName("if") {
            let body = Self.next(tokens, Self.close(tokens, stop + 1))
            stop = Self.close(tokens, body)
            let next = Self.next(tokens, stop)
            guard next < tokens.count, tokens[next].isName("else") else {
                add(other..<stop, false)
                return
            }
            stop = Self.next(tokens, next + 1)
        }
        guard tokens.indices.contains(stop) else { return add(other..<stop, false) }
        add(other..<(tokens[stop].isSymbol("{") ? Self.close(tokens, stop) : Self.lineEnd(tokens, stop)), false)
    }

    /// Carries out one statement of the top level, where it is reached.
    private func statement(_ script: NextflowScript, _ position: Int) -> Int {
        var parser = NextflowParser(script.tokens, position..<script.tokens.count)
        let statement = parser.one()
        let end = max(parser.position, position + 1)
        guard let statement else {
            script.scope.forget(parser.written, ["a statement that could not be read"])
            return end
        }
        switch script.standing(at: position) {
        case (_, true): parameter(nil, statement, script)
        case (_, false): break
        case (let standing, nil):
            let reasons = [standing.reason ?? "a condition that is not known before the run"]
            var wasSet = script.parameters
            _ = evaluator.branch(NextflowValue(.unknown(reasons)), script.scope, parser.written) { isTaken in
                guard isTaken else { return NextflowEvaluator.Flow() }
                wasSet = script.parameters
                parameter(nil, statement, script)
                return NextflowEvaluator.Flow()
            }
            for name in script.parameters.keys where wasSet[name] == nil {
                script.parameters.update(name) { value in
                    value = value.map { NextflowValue.oneOf([$0, NextflowValue(.null(nil))], reasons) }
                }
            }
        }
        return end
    }

    /// `params.x = …` holds where neither run, configuration nor including script set it; in a block (`prefix` given)
    /// without `params`.
    private func parameter(_ prefix: [String]?, _ statement: NextflowStatement, _ script: NextflowScript) {
        let place = Evidence.source(file: script.path, line: Int(statement.line))
        switch statement.kind {
        case .assign(let path, "=", let expression) where prefix != nil || (path.first == "params" && path.count > 1):
            let full = prefix.map { $0 + path } ?? Array(path.dropFirst())
            let old = script.parameters[full[0]]
            guard old == nil || full.count > 1 && old?.member(full.dropFirst()) == nil else { return }
            let value = evaluator.evaluate(expression, script.scope).at(place)
            script.parameters.update(full[0]) { NextflowConfiguration.set(&$0, full.dropFirst(), value) }
            script.parametersVersion = newVersion()
        case .scope(let path, let body) where prefix != nil:
            guard (prefix?.count ?? 0) < 20 else { return }
            for inner in body { parameter((prefix ?? []) + path, inner, script) }
        case .define where prefix != nil: break
        default:
            let flow = evaluator.run([statement], script.scope)
            guard flow.ended, script.end == nil else { break }
            let fact = "the script ends at \(place)"
            let open = flow.cause.parameters.filter(configuration.isOpen)
            script.conditionParameters.formUnion(flow.cause.parameters)
            script.end =
                open.isEmpty ? .inactive(fact) : .alternative("\(fact) unless a run sets `\(open[0])`")
        }
    }
}
