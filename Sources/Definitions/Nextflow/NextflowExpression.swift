/// An expression, parsed leniently.
indirect enum NextflowExpression: Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string([Part], line: Int)
    case name(String, line: Int)
    case member(NextflowExpression, String)
    case element(NextflowExpression, NextflowExpression)
    case call(NextflowExpression?, String, [NextflowExpression], line: Int)
    case list([NextflowExpression])
    case map([(NextflowExpression, NextflowExpression)])
    case closure([NextflowToken], line: Int)
    case not(NextflowExpression)
    case binary(String, NextflowExpression, NextflowExpression)
    case ternary(NextflowExpression, NextflowExpression, NextflowExpression)
    /// Something this reader does not evaluate, with its text.
    case opaque(String, line: Int)

    enum Part: Sendable {
        case text(String)
        case value(NextflowExpression)
    }
}

/// Reads expressions from tokens by precedence.
struct NextflowExpressionParser {
    let tokens: ArraySlice<NextflowToken>
    private(set) var position: Int
    private var brackets: Int
    private var depth = 0
    private static let deepest = 120

    init(_ tokens: ArraySlice<NextflowToken>, isBracketed: Bool = false) {
        self.tokens = tokens
        position = tokens.startIndex
        brackets = isBracketed ? 1 : 0
    }

    static func parse(_ tokens: [NextflowToken]) -> NextflowExpression {
        var parser = NextflowExpressionParser(tokens[...], isBracketed: true)
        return parser.expression()
    }

    private static let precedence: [String: Int] = [
        "||": 2, "&&": 3, "==": 5, "!=": 5, "=~": 5, "==~": 5, "<=>": 5, "in": 6, "instanceof": 6, "as": 11, "<": 6,
        ">": 6, "<=": 6, ">=": 6, "<<": 7, "..": 7, "..<": 7, "+": 8, "-": 8, "*": 9, "/": 9, "%": 9, "**": 10, "|": 4,
        "&": 4,
    ]

    private var current: NextflowToken? { position < tokens.endIndex ? tokens[position] : nil }

    private mutating func skipNewlines() {
        while let token = current, token.isNewline { position += 1 }
    }

    /// Newlines do not end an expression inside brackets, nor before an operator that cannot begin one.
    private mutating func skipNewlinesBefore(_ symbols: Set<String>) {
        var ahead = position
        while ahead < tokens.endIndex, tokens[ahead].isNewline { ahead += 1 }
        guard ahead > position, ahead < tokens.endIndex else { return }
        if brackets > 0 {
            position = ahead
        } else if case .symbol(let text) = tokens[ahead].kind, symbols.contains(text) {
            position = ahead
        }
    }

    mutating func expression() -> NextflowExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest else { return opaque() }
        if brackets > 0 { skipNewlines() }
        let condition = binary(0)
        skipNewlinesBefore(["?", "?:"])
        guard let token = current else { return condition }
        if token.isSymbol("?") {
            position += 1
            skipNewlines()
            let yes = expression()
            skipNewlinesBefore([":"])
            guard current?.isSymbol(":") == true else { return condition }
            position += 1
            skipNewlines()
            return .ternary(condition, yes, expression())
        }
        if token.isSymbol("?:") {
            position += 1
            skipNewlines()
            return .binary("?:", condition, expression())
        }
        return condition
    }

    private mutating func binary(_ least: Int) -> NextflowExpression {
        var left = unary()
        while true {
            skipNewlinesBefore(["&&", "||", "."])
            guard let token = current else { return left }
            var text: String
            switch token.kind {
            case .symbol(let symbol): text = symbol
            case .word(let word) where word == "in" || word == "instanceof" || word == "as": text = word
            default: return left
            }
            var isNegated = false
            if text == "!", position + 1 < tokens.endIndex, tokens[position + 1].isWord("in") {
                isNegated = true
                text = "in"
            }
            guard let strength = Self.precedence[text], strength > least else { return left }
            position += isNegated ? 2 : 1
            skipNewlines()
            if text == "as" || text == "instanceof" {
                _ = unary()
                if text == "instanceof" { left = .opaque("instanceof", line: token.line) }
                continue
            }
            let right = binary(strength)
            left = .binary(text, left, right)
            if isNegated { left = .not(left) }
        }
    }

    private mutating func unary() -> NextflowExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.deepest, let token = current else { return opaque() }
        if token.isSymbol("!") {
            position += 1
            return .not(unary())
        }
        if token.isSymbol("-") || token.isSymbol("+") {
            position += 1
            let inner = unary()
            if case .number(let text) = inner, token.isSymbol("-") { return .number("-" + text) }
            return inner
        }
        return postfix(primary())
    }

    private mutating func opaque() -> NextflowExpression {
        let line = current?.line ?? tokens.last?.line ?? 0
        if current != nil { position += 1 }
        return .opaque("expression", line: line)
    }

    private mutating func postfix(_ start: NextflowExpression) -> NextflowExpression {
        var value = start
        while true {
            skipNewlinesBefore([".", "?."])
            guard let token = current else { return value }
            if token.isSymbol(".") || token.isSymbol("?.") || token.isSymbol("*.") {
                guard position + 1 < tokens.endIndex else { return value }
                let name: String
                switch tokens[position + 1].kind {
                case .word(let word): name = word
                case .string: name = tokens[position + 1].plainString ?? ""
                default: return value
                }
                position += 2
                if current?.isSymbol("(") == true {
                    value = .call(value, name, arguments() + trailingClosure(), line: token.line)
                } else if current?.isSymbol("{") == true {
                    value = .call(value, name, trailingClosure(), line: token.line)
                } else {
                    value = .member(value, name)
                }
            } else if token.isSymbol("[") {
                position += 1
                brackets += 1
                let index = expression()
                skipTo("]")
                brackets -= 1
                value = .element(value, index)
            } else if token.isSymbol("("), case .closure = value {
                // A closure that is called where it stands.
                value = .call(value, "call", arguments(), line: token.line)
            } else {
                return value
            }
        }
    }

    /// The arguments of a call; the cursor is on the opening bracket.
    private mutating func arguments() -> [NextflowExpression] {
        position += 1
        brackets += 1
        defer { brackets -= 1 }
        var values: [NextflowExpression] = []
        skipNewlines()
        while let token = current, !token.isSymbol(")") {
            let before = position
            values.append(expression())
            skipNewlines()
            if current?.isSymbol(":") == true {
                position += 1
                values.removeLast()
                _ = expression()
                skipNewlines()
            }
            if current?.isSymbol(",") == true { position += 1 }
            skipNewlines()
            if position == before { position += 1 }
        }
        if current != nil { position += 1 }
        return values
    }

    private mutating func trailingClosure() -> [NextflowExpression] {
        guard let token = current, token.isSymbol("{") else { return [] }
        return [.closure(block(), line: token.line)]
    }

    /// The tokens between balanced braces; the cursor is on the opening one.
    private mutating func block() -> [NextflowToken] {
        let (inner, end) = NextflowTokens.balanced(tokens, from: position)
        position = end
        return Array(inner)
    }

    private mutating func skipTo(_ symbol: String) {
        while let token = current, !token.isSymbol(symbol) { position += 1 }
        if current != nil { position += 1 }
    }

    private mutating func primary() -> NextflowExpression {
        guard let token = current else { return opaque() }
        switch token.kind {
        case .newline: return opaque()
        case .number(let text):
            position += 1
            return .number(text)
        case .string(let parts):
            position += 1
            return .string(
                parts.map { part in
                    switch part {
                    case .text(let text): .text(text)
                    case .expression(let inner): .value(Self.parse(inner))
                    }
                },
                line: token.line
            )
        case .word(let word):
            position += 1
            switch word {
            case "null": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            case "new":
                while let next = current, next.word != nil || next.isSymbol(".") { position += 1 }
                if current?.isSymbol("(") == true { _ = arguments() }
                return .opaque("new", line: token.line)
            default: break
            }
            if current?.isSymbol("(") == true {
                return .call(nil, word, arguments() + trailingClosure(), line: token.line)
            }
            return .name(word, line: token.line)
        case .symbol(let symbol):
            switch symbol {
            case "(":
                position += 1
                brackets += 1
                let inner = expression()
                skipTo(")")
                brackets -= 1
                return inner
            case "[": return literal()
            case "{": return .closure(block(), line: token.line)
            default: return opaque()
            }
        }
    }

    /// A list or map; the cursor is on the opening bracket.
    private mutating func literal() -> NextflowExpression {
        position += 1
        brackets += 1
        defer { brackets -= 1 }
        var values: [NextflowExpression] = []
        var pairs: [(NextflowExpression, NextflowExpression)] = []
        skipNewlines()
        while let token = current, !token.isSymbol("]") {
            let before = position
            if token.isSymbol(":") {
                position += 1
                skipNewlines()
                continue
            }
            var key = expression()
            skipNewlines()
            if current?.isSymbol(":") == true {
                position += 1
                if case .name(let word, let line) = key { key = .string([.text(word)], line: line) }
                pairs.append((key, expression()))
            } else {
                values.append(key)
            }
            skipNewlines()
            if current?.isSymbol(",") == true { position += 1 }
            skipNewlines()
            if position == before { position += 1 }
        }
        if current != nil { position += 1 }
        return pairs.isEmpty ? .list(values) : .map(pairs)
    }
}

/// Steps over brackets.
enum NextflowTokens {
    /// What stands between an opening bracket and its partner, and the place behind that.
    static func balanced(
        _ tokens: ArraySlice<NextflowToken>,
        from start: Int
    ) -> (inner: ArraySlice<NextflowToken>, end: Int) {
        var open = 0
        var index = start
        while index < tokens.endIndex {
            if case .symbol(let text) = tokens[index].kind {
                if text == "{" || text == "(" || text == "[" { open += 1 }
                if text == "}" || text == ")" || text == "]" {
                    open -= 1
                    if open == 0 { return (tokens[(start + 1)..<index], index + 1) }
                }
            }
            index += 1
        }
        return (tokens[min(start + 1, tokens.endIndex)..<tokens.endIndex], tokens.endIndex)
    }

    /// The end of a statement: a newline or semicolon outside brackets, where the next line does not go on with an
    /// operator.
    static func statementEnd(_ tokens: ArraySlice<NextflowToken>, from start: Int) -> Int {
        var open = 0
        var index = start
        while index < tokens.endIndex {
            switch tokens[index].kind {
            case .symbol(let text):
                if text == "{" || text == "(" || text == "[" { open += 1 }
                if text == "}" || text == ")" || text == "]" {
                    open -= 1
                    if open < 0 { return index }
                }
                if text == ";", open == 0 { return index }
            case .newline where open == 0:
                var ahead = index
                while ahead < tokens.endIndex, tokens[ahead].isNewline { ahead += 1 }
                let goesOnAfter =
                    ahead < tokens.endIndex
                    && ["?", ":", "?:", ".", "?.", "&&", "||", "+"].contains { tokens[ahead].isSymbol($0) }
                let goesOnBefore =
                    index > start
                    && ["=", "?", ":", "?:", "+", "&&", "||", ",", "->"].contains { tokens[index - 1].isSymbol($0) }
                if !goesOnAfter, !goesOnBefore { return index }
            default: break
            }
            index += 1
        }
        return tokens.endIndex
    }
}
