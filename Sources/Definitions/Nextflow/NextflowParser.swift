/// Why a piece of source could not be read.
struct NextflowFault: Error {
    var message: String
    var line: Int32
}

/// Reads statements from words. A statement that cannot be read becomes `broken` and ends with its line; the rest goes
/// on.
struct NextflowParser {
    /// Open brackets and operators around a place; keeps the stack bounded.
    private static let maximumDepth = 120
    private static let maximumHeight: Int32 = 300

    let tokens: [NextflowToken]
    var position: Int
    let limit: Int
    /// Brackets in which a line's end is white space.
    var brackets = 0
    var depth = 0
    /// Whether `name { … }` opens a scope of a configuration.
    var isConfiguration: Bool
    private let endToken: NextflowToken

    init(_ tokens: [NextflowToken], _ range: Range<Int>? = nil, isConfiguration: Bool = false) {
        self.tokens = tokens
        let range = range ?? 0..<tokens.count
        position = range.lowerBound
        limit = range.upperBound
        self.isConfiguration = isConfiguration
        let last = tokens.indices.contains(limit) ? tokens[limit] : tokens.last
        endToken = NextflowToken(kind: .end, line: last?.line ?? 1, start: last?.start ?? 0, stop: last?.start ?? 0)
    }

    // MARK: Words

    /// The next word, newlines left out inside brackets.
    var token: NextflowToken {
        mutating get {
            if brackets > 0 { skipNewlines() }
            return position < limit ? tokens[position] : endToken
        }
    }

    func peek(_ offset: Int) -> NextflowToken {
        position + offset < limit ? tokens[position + offset] : endToken
    }

    mutating func skipNewlines() {
        while position < limit, tokens[position].isNewline { position += 1 }
    }

    mutating func take(_ symbol: String) -> Bool {
        guard token.isSymbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func takeName(_ name: String) -> Bool {
        guard token.isName(name) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ symbol: String) throws(NextflowFault) {
        if !take(symbol) { throw fault("`\(symbol)` was expected") }
    }

    mutating func fault(_ message: String) -> NextflowFault { NextflowFault(message: message, line: token.line) }

    var lastStop: Int32 { position > 0 && position <= tokens.count ? tokens[position - 1].stop : 0 }

    mutating func enter() throws(NextflowFault) {
        depth += 1
        if depth > Self.maximumDepth { throw fault("nested deeper than \(Self.maximumDepth) levels") }
    }

    func make(
        _ kind: NextflowExpression.Kind,
        _ first: NextflowToken,
        _ below: [NextflowExpression]
    ) throws(NextflowFault) -> NextflowExpression {
        var height: Int32 = 0
        for expression in below where expression.height > height { height = expression.height }
        guard height < Self.maximumHeight else {
            throw NextflowFault(message: "an expression of more than \(Self.maximumHeight) levels", line: first.line)
        }
        return NextflowExpression(
            kind: kind,
            line: first.line,
            height: height + 1,
            start: first.start,
            stop: max(lastStop, first.start)
        )
    }

    // MARK: Statements

    /// All statements up to the end, or up to the brace that closes the block, which is taken.
    mutating func statements(inBlock: Bool) -> [NextflowStatement] {
        var all: [NextflowStatement] = []
        while true {
            while token.isNewline || token.isSymbol(";") { position += 1 }
            if token.isEnd { return all }
            if token.isSymbol("}") {
                position += 1
                if inBlock { return all }
                continue
            }
            let before = position
            let line = token.line
            let saved = (brackets, depth, isConfiguration)
            do {
                if let statement = try statement() { all.append(statement) }
            } catch {
                (brackets, depth, isConfiguration) = saved
                position = max(before, min(position, limit))
                recover(from: before)
                all.append(NextflowStatement(kind: .broken(error.message), line: error.line))
            }
            if position == before {
                position += 1
                all.append(NextflowStatement(kind: .broken("not understood"), line: line))
            }
        }
    }

    /// Goes to the end of the line that the statement from `start` ends on, by balanced brackets.
    mutating func recover(from start: Int) {
        var open = 0
        position = start
        while position < limit {
            switch tokens[position].kind {
            case .symbol("("), .symbol("["), .symbol("{"): open += 1
            case .symbol(")"), .symbol("]"): open -= 1
            case .symbol("}"):
                if open <= 0 { return }
                open -= 1
            case .newline where open <= 0, .end: return
            default: break
            }
            position += 1
        }
    }

    private mutating func block() throws(NextflowFault) -> [NextflowStatement] {
        skipNewlines()
        try enter()
        defer { depth -= 1 }
        let saved = brackets
        brackets = 0
        defer { brackets = saved }
        if take("{") { return statements(inBlock: true) }
        while take(";") {}
        return try statement().map { [$0] } ?? []
    }

    private mutating func condition() throws(NextflowFault) -> NextflowExpression {
        try expect("(")
        brackets += 1
        let value = try expression()
        brackets -= 1
        skipNewlines()
        try expect(")")
        return value
    }

    private static let modifiers: Set<String> = ["static", "private", "public", "protected", "final", "synchronized"]

    mutating func statement() throws(NextflowFault) -> NextflowStatement? {
        while let name = token.name, Self.modifiers.contains(name), peek(1).name != nil { position += 1 }
        while token.isSymbol("@"), peek(1).name != nil {
            position += 2
            skipNewlines()
        }
        let line = token.line
        func made(_ kind: NextflowStatement.Kind) -> NextflowStatement { NextflowStatement(kind: kind, line: line) }
        guard let word = token.name else { return try simple(line) }
        let next = peek(1)
        switch word {
        case "if" where next.isSymbol("("):
            position += 1
            let test = try condition()
            let then = try block()
            let after = position
            while token.isNewline || token.isSymbol(";") { position += 1 }
            guard takeName("else") else {
                position = after
                return made(.choice(test, then, []))
            }
            return made(.choice(test, then, try block()))
        case "try" where next.isSymbol("{") || next.isNewline:
            position += 1
            let body = try block()
            var caught: [NextflowStatement] = []
            var finally: [NextflowStatement] = []
            while true {
                let after = position
                skipNewlines()
                if takeName("catch") {
                    if token.isSymbol("(") { skipBrackets() }
                    caught += try block()
                } else if takeName("finally") {
                    finally = try block()
                } else {
                    position = after
                    return made(.attempt(body, caught, finally))
                }
            }
        case "for" where next.isSymbol("("):
            position += 1
            let start = position
            position += 1
            var name: String?
            while let word = token.name, word != "in" {
                name = word
                position += 1
            }
            if takeName("in") || take(":") {
                brackets += 1
                let values = try expression()
                brackets -= 1
                skipNewlines()
                try expect(")")
                return made(.loop(name, values, try block()))
            }
            position = start
            skipBrackets()
            return made(.loop(nil, nil, try block()))
        case "while" where next.isSymbol("("):
            position += 1
            skipBrackets()
            return made(.loop(nil, nil, try block()))
        case "switch" where next.isSymbol("("):
            position += 1
            return made(try selection())
        case "return":
            position += 1
            if token.isNewline || token.isEnd || token.isSymbol("}") || token.isSymbol(";") {
                return made(.finish(nil))
            }
            return made(.finish(try expression()))
        case "throw":
            position += 1
            _ = try expression()
            return made(.raise)
        case "import", "package", "break", "continue", "assert":
            while !token.isNewline, !token.isEnd, !token.isSymbol("}") { position += 1 }
            return nil
        case "withName" where isConfiguration && next.isSymbol(":"),
            "withLabel" where isConfiguration && next.isSymbol(":"):
            position += 2
            skipNewlines()
            let first = token
            guard !first.isEnd, first.symbol == nil || first.isSymbol("(") || first.isSymbol("!") else {
                throw fault("a selector was expected")
            }
            let pattern: NextflowExpression
            if let name = first.name {
                position += 1
                pattern = try make(.string(name), first, [])
            } else {
                pattern = try primary()
            }
            return made(.selector(word, pattern, try block()))
        case "def", "var":
            position += 1
            return try definition(line)
        default:
            if let names = typedName() {
                position = names
                return try definition(line)
            }
        }
        return try simple(line)
    }

    private mutating func selection() throws(NextflowFault) -> NextflowStatement.Kind {
        let subject = try condition()
        skipNewlines()
        try expect("{")
        try enter()
        defer { depth -= 1 }
        var cases: [(values: [NextflowExpression], body: [NextflowStatement])] = []
        while true {
            while token.isNewline || token.isSymbol(";") { position += 1 }
            if token.isEnd || take("}") { return .selection(subject, cases) }
            if takeName("default") {
                try expect(":")
                cases.append(([], []))
            } else if takeName("case") {
                let value = try expression()
                try expect(":")
                cases.append(([value], []))
            } else if let statement = try statement(), !cases.isEmpty {
                cases[cases.count - 1].body.append(statement)
            }
        }
    }

    /// Where the name of `Type name`, `Type<X> name`, `Type[] name` begins, where a definition follows.
    private mutating func typedName() -> Int? {
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
    private func isFunction(at offset: Int) -> Bool {
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
    private mutating func definition(_ line: Int32) throws(NextflowFault) -> NextflowStatement {
        func made(_ kind: NextflowStatement.Kind) -> NextflowStatement { NextflowStatement(kind: kind, line: line) }
        if let names = typedName() { position = names }
        var names: [String] = []
        if take("(") {
            while !token.isSymbol(")"), !token.isEnd {
                if let name = token.name { names.append(name) }
                position += 1
            }
            position += 1
        } else if let name = token.name {
            position += 1
            names = [name]
            if token.isSymbol("("), isFunction(at: 0) {
                let range = skippedBrackets()
                let parameters = parameters(upTo: range)
                return made(.function(name, NextflowClosure(parameters: parameters, body: try functionBody())))
            }
        } else if case .string(let name) = token.kind {
            position += 1
            names = [name]
        } else {
            throw fault("a name was expected")
        }
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

    private mutating func functionBody() throws(NextflowFault) -> [NextflowStatement] {
        let saved = isConfiguration
        isConfiguration = false
        defer { isConfiguration = saved }
        return try block()
    }

    private mutating func skippedBrackets() -> Range<Int> {
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

    /// The names of parameters in a range of words: each the last name before a comma, a default or the end.
    private func parameters(upTo range: Range<Int>) -> [String] {
        var names: [String] = []
        var last: String?
        var open = 0
        var isDefault = false
        for index in range {
            switch tokens[index].kind {
            case .name(let name) where open <= 1 && !isDefault: last = name
            case .symbol("("), .symbol("["), .symbol("{"), .symbol("<"): open += 1
            case .symbol(")"), .symbol("]"), .symbol("}"), .symbol(">"): open -= 1
            case .symbol("=") where open <= 1: isDefault = true
            case .symbol(",") where open <= 1:
                if let last { names.append(last) }
                last = nil
                isDefault = false
            default: break
            }
        }
        if let last { names.append(last) }
        return names
    }

    /// An assignment, a scope, a call, or an expression as a statement.
    private mutating func simple(_ line: Int32) throws(NextflowFault) -> NextflowStatement {
        func made(_ kind: NextflowStatement.Kind) -> NextflowStatement { NextflowStatement(kind: kind, line: line) }
        if isConfiguration, let path = scopePath() {
            return made(.scope(path, try block()))
        }
        let first = token
        var value = try expression()
        if let operation = token.symbol, ["=", "+=", "-=", "*=", "/=", "<<=", "?="].contains(operation) {
            position += 1
            skipNewlines()
            let path = Self.path(of: value)
            let right = try expression()
            guard let path else { return made(.expression(right)) }
            return made(.assign(path, operation, right))
        }
        // `name: Type = value` of a params block of 2026.
        if token.isSymbol(":"), case .name(let name) = value.kind {
            position += 1
            skipType()
            guard take("=") else { return made(.define([name], nil)) }
            skipNewlines()
            return made(.assign([name], "=", try expression()))
        }
        let next = token
        if Self.startsArgument(next) {
            let arguments = try arguments(until: nil)
            switch value.kind {
            case .name(let name):
                value = try make(.call(target: nil, name: name, arguments: arguments), first, arguments)
            case .member(let target, let name):
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
    private mutating func scopePath() -> [String]? {
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
        position += offset + 1
        return path
    }

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
        case .name(let name): !["in", "instanceof", "as"].contains(name)
        default: false
        }
    }
}

extension NextflowParser {
    /// One statement from here; nil where there is none or it cannot be read, the position then being behind it.
    mutating func one() -> NextflowStatement? {
        let start = position
        do {
            return try statement()
        } catch {
            brackets = 0
            recover(from: start)
            return nil
        }
    }
}
