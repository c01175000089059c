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
    /// Names of variables that what was read so far may change, in the order of the source.
    var written: [String] = []

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
            let mark = written.count
            do {
                if let statement = try statement() { all.append(placed(statement, from: before, mark)) }
            } catch {
                (brackets, depth, isConfiguration) = saved
                position = max(before, min(position, limit))
                recover(from: before)
                // What it does is not known: it may change whatever it names.
                written += tokens[before..<position].compactMap(\.name)
                let broken = NextflowStatement(kind: .broken(error.message, names(from: before)), line: line)
                all.append(placed(broken, from: before, mark))
            }
            if position == before {
                position += 1
                all.append(NextflowStatement(kind: .broken("not understood", []), line: line))
            }
        }
    }

    /// A statement with the words it takes and the variables it may change.
    func placed(_ statement: NextflowStatement, from start: Int, _ mark: Int) -> NextflowStatement {
        var statement = statement
        statement.words = start..<max(start, position)
        switch statement.kind {
        case .choice, .attempt, .loop, .selection, .broken: statement.changed = Array(Set(written[mark...]))
        default: break
        }
        return statement
    }

    /// The dotted name that begins at a word.
    private func names(from start: Int) -> [String] {
        var names: [String] = []
        var index = start
        while index < limit, names.count < 10, let name = tokens[index].name {
            names.append(name)
            guard index + 1 < limit, tokens[index + 1].isSymbol(".") else { break }
            index += 2
        }
        return names
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

    mutating func block() throws(NextflowFault) -> [NextflowStatement] {
        skipNewlines()
        try enter()
        defer { depth -= 1 }
        let saved = brackets
        brackets = 0
        defer { brackets = saved }
        if take("{") { return statements(inBlock: true) }
        while take(";") {}
        let (start, mark) = (position, written.count)
        return try statement().map { [placed($0, from: start, mark)] } ?? []
    }

    mutating func condition() throws(NextflowFault) -> NextflowExpression {
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
                if let name { written.append(name) }
                brackets += 1
                let values = try expression()
                brackets -= 1
                skipNewlines()
                try expect(")")
                return made(.loop(name, values, try block()))
            }
            position = start
            written += skippedBrackets().compactMap { tokens[$0].name }
            return made(.loop(nil, nil, try block()))
        case "while" where next.isSymbol("("):
            position += 1
            written += skippedBrackets().compactMap { tokens[$0].name }
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
        case "break", "continue":
            while !token.isNewline, !token.isEnd, !token.isSymbol("}"), !token.isSymbol(";") { position += 1 }
            return made(.leave)
        case "import", "package", "assert":
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

    mutating func selection() throws(NextflowFault) -> NextflowStatement.Kind {
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
            } else {
                let (start, mark) = (position, written.count)
                guard let statement = try statement(), !cases.isEmpty else { continue }
                cases[cases.count - 1].body.append(placed(statement, from: start, mark))
            }
        }
    }
}

extension NextflowParser {
    /// One statement from here; nil where there is none or it cannot be read, the position then being behind it.
    mutating func one() -> NextflowStatement? {
        let (start, mark) = (position, written.count)
        do {
            return try statement().map { placed($0, from: start, mark) }
        } catch {
            brackets = 0
            recover(from: start)
            written += tokens[start..<max(start, position)].compactMap(\.name)
            return nil
        }
    }
}
