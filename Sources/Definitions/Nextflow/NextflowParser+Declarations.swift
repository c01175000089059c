/// What a statement declares: functions, variables, scopes of a configuration, and the types around them.
extension NextflowParser {
    /// Where the name of `Type name`, `Type<X> name`, `Type[] name` begins, where a definition follows.
    mutating func typedName() -> Int? {
        var offset = 1
        while peek(offset).isSymbol("."), peek(offset + 1).name != nil { offset += 2 }
        if peek(offset).isSymbol("<") {
            var open = 0
            repeat {
                let token = peek(offset)
                if token.isSymbol("<") { open += 1 }
                if token.isSymbol(">") { open -= 1 }
                if token.isSymbol(">>") { open -= 2 }
                guard token.name != nil || ["<", ">", ">>", ",", "?", "."].contains(token.symbol ?? "") else {
                    return nil
                }
                offset += 1
            } while open > 0 && offset < 40
        }
        if peek(offset).isSymbol("["), peek(offset + 1).isSymbol("]") { offset += 2 }
        guard let name = peek(offset).name, name != "in", name != "as", name != "instanceof" else { return nil }
        let after = peek(offset + 1)
        guard after.isSymbol("=") || (after.isSymbol("(") && peek(0).line == after.line && isFunction(at: offset + 1))
        else { return nil }
        return position + offset
    }

    /// Whether a brace follows the bracket at an offset: a function, not a call.
    func isFunction(at offset: Int) -> Bool {
        var index = position + offset
        var open = 0
        while index < limit {
            if tokens[index].isSymbol("(") { open += 1 }
            if tokens[index].isSymbol(")") { open -= 1 }
            index += 1
            if open == 0 { break }
        }
        while index < limit, tokens[index].isNewline { index += 1 }
        return index < limit && tokens[index].isSymbol("{")
    }

    /// After `def`, or at the name after a type.
    mutating func definition(_ line: Int32) throws(NextflowFault) -> NextflowStatement {
        func made(_ kind: NextflowStatement.Kind) -> NextflowStatement { NextflowStatement(kind: kind, line: line) }
        if let names = typedName() { position = names }
        var names: [String] = []
        if take("(") {
            // Of `Type name` the name is the last word.
            while !token.isSymbol(")"), !token.isEnd {
                if let name = token.name, [",", ")"].contains(peek(1).symbol) { names.append(name) }
                position += 1
            }
            position += 1
        } else if let name = token.name {
            position += 1
            names = [name]
            if token.isSymbol("("), isFunction(at: 0) {
                let range = skippedBrackets()
                let parameters = parameters(range.lowerBound + 1..<max(range.lowerBound + 1, range.upperBound - 1))
                return made(.function(name, NextflowClosure(parameters: parameters, body: try functionBody())))
            }
        } else if case .string(let name) = token.kind {
            position += 1
            names = [name]
        } else {
            throw fault("a name was expected")
        }
        written += names
        // `name: Type = value` of 2026.
        if take(":") { skipType() }
        guard take("=") else { return made(.define(names, nil)) }
        skipNewlines()
        return made(.define(names, try expression()))
    }

    /// A type after a colon: names, dots, angle brackets, `?`.
    mutating func skipType(isNullable: Bool = true) {
        var open = 0
        while true {
            switch token.kind {
            case .name: position += 1
            case .symbol("<"): open += 1; position += 1
            case .symbol(">"): open -= 1; position += 1
            case .symbol(">>"): open -= 2; position += 1
            case .symbol("?") where isNullable: position += 1
            case .symbol("."): position += 1
            case .symbol(",") where open > 0: position += 1
            default: return
            }
        }
    }

    mutating func functionBody() throws(NextflowFault) -> [NextflowStatement] {
        let saved = isConfiguration
        isConfiguration = false
        defer { isConfiguration = saved }
        return try block()
    }

    mutating func skippedBrackets() -> Range<Int> {
        let start = position
        skipBrackets()
        return start..<position
    }

    /// Skips from an opening bracket to behind its partner.
    mutating func skipBrackets() {
        var open = 0
        while position < limit {
            switch tokens[position].kind {
            case .symbol("("), .symbol("["), .symbol("{"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"): open -= 1
            case .end: return
            default: break
            }
            position += 1
            if open <= 0 { return }
        }
    }

    /// The parameters in a range of words, without the brackets: `a`, `Type a`, `a: Type`, each with `= value` or
    /// without.
    func parameters(_ range: Range<Int>) -> [NextflowParameter] {
        var all: [NextflowParameter] = []
        var name: String?
        var value: Int?
        var isTyped = false
        var open = 0
        func end(_ index: Int) {
            guard let name else { return }
            var fallback: NextflowExpression?
            if let value {
                var parser = NextflowParser(tokens, value..<index)
                parser.depth = depth
                parser.brackets = 1
                fallback = try? parser.expression()
            }
            all.append(NextflowParameter(name: name, fallback: fallback))
        }
        for index in range {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"): open -= 1
            case .symbol("<") where value == nil: open += 1
            case .symbol(">") where value == nil: open -= 1
            case .symbol(">>") where value == nil: open -= 2
            case .symbol("=") where open == 0 && value == nil: value = index + 1
            case .symbol(":") where open == 0 && value == nil: isTyped = true
            case .symbol(",") where open == 0:
                end(index)
                (name, value, isTyped) = (nil, nil, false)
            case .name(let word) where open == 0 && value == nil && !isTyped: name = word
            default: break
            }
        }
        end(range.upperBound)
        return all
    }

    /// An assignment, a scope, a call, or an expression as a statement.
    mutating func simple(_ line: Int32) throws(NextflowFault) -> NextflowStatement {
        func made(_ kind: NextflowStatement.Kind) -> NextflowStatement { NextflowStatement(kind: kind, line: line) }
        if isConfiguration, let path = scopePath() {
            return made(.scope(path, try block()))
        }
        let first = token
        var value = try expression()
        if let operation = token.symbol, ["=", "+=", "-=", "*=", "/=", "<<=", "?="].contains(operation) {
            position += 1
            skipNewlines()
            let right = try expression()
            if let path = Self.path(of: value) {
                written += path.prefix(1)
                return made(.assign(path, operation, right))
            }
            if case .index(let target, let key) = value.kind, let path = Self.path(of: target) {
                written += path.prefix(1)
                return made(.assignElement(path, key, operation, right))
            }
            return made(.expression(right))
        }
        // `name: Type = value` of a params block of 2026.
        if token.isSymbol(":"), case .name(let name) = value.kind {
            position += 1
            skipType()
            guard take("=") else { return made(.define([name], nil)) }
            skipNewlines()
            return made(.assign([name], "=", try expression()))
        }
        // `publishDir { … }, mode: 'copy'`: a call without brackets whose first argument is a closure.
        if case .call(let target, let name, let first) = value.kind, case .closure? = first.last?.kind, take(",") {
            skipNewlines()
            value.kind = .call(target: target, name: name, arguments: first + (try arguments(until: nil)))
            return made(.expression(value))
        }
        let isNamed =
            switch value.kind {
            case .name, .member: true
            default: false
            }
        if isNamed, Self.startsArgument(token) {
            let arguments = try arguments(until: nil)
            switch value.kind {
            case .name(let name):
                value = try make(.call(target: nil, name: name, arguments: arguments), first, arguments)
            case .member(let target, let name):
                if case .name(let variable) = target.kind, NextflowEvaluator.changers.contains(name) {
                    written.append(variable)
                }
                value = try make(
                    .call(target: target, name: name, arguments: arguments),
                    first,
                    [target] + arguments
                )
            default: break
            }
        }
        return made(.expression(value))
    }

    /// `name {`, `a.b {`, `'text' {`.
    mutating func scopePath() -> [String]? {
        var offset = 0
        var path: [String] = []
        while true {
            switch peek(offset).kind {
            case .name(let name): path.append(name)
            case .string(let name): path.append(name)
            default: return nil
            }
            guard peek(offset + 1).isSymbol(".") else { break }
            offset += 2
        }
        guard peek(offset + 1).isSymbol("{") else { return nil }
        // `params.tools.each { … }` is a call.
        if path.count > 1, let last = path.last, Self.closureMethods.contains(last) { return nil }
        position += offset + 1
        return path
    }

    private static let closureMethods: Set<String> = [
        "each", "eachWithIndex", "collect", "find", "findAll", "any", "every", "with", "tap",
    ]

    private static func path(of expression: NextflowExpression) -> [String]? {
        switch expression.kind {
        case .name(let name), .string(let name): return [name]
        case .member(let target, let name): return path(of: target).map { $0 + [name] }
        case .index(let target, let key):
            guard case .string(let name) = key.kind else { return nil }
            return path(of: target).map { $0 + [name] }
        default: return nil
        }
    }

    private static func startsArgument(_ token: NextflowToken) -> Bool {
        switch token.kind {
        case .string, .template, .number: true
        case .name(let name): !["in", "instanceof", "as", "else"].contains(name)
        default: false
        }
    }
}
