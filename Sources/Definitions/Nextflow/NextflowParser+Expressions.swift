extension NextflowParser {
    mutating func expression() throws(NextflowFault) -> NextflowExpression {
        try enter()
        defer { depth -= 1 }
        let first = token
        let test = try binary(0)
        if takeContinuation("?:") {
            skipNewlines()
            let other = try expression()
            return try make(.elvis(test, other), first, [test, other])
        }
        guard takeContinuation("?") else { return test }
        skipNewlines()
        let then = try expression()
        skipNewlines()
        try expect(":")
        skipNewlines()
        let other = try expression()
        return try make(.ternary(test, then, other), first, [test, then, other])
    }

    /// An operator that may begin the next line.
    private mutating func takeContinuation(_ symbol: String) -> Bool {
        let saved = position
        skipNewlines()
        if take(symbol) { return true }
        position = saved
        return false
    }

    private static let precedence: [String: Int] = [
        "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<=>": 6, "=~": 6, "==~": 6, "===": 6, "!==": 6,
        "<": 7, ">": 7, "<=": 7, ">=": 7, "in": 7, "!in": 7, "instanceof": 7, "!instanceof": 7, "as": 12, "..": 8,
        "..<": 8, "<<": 8, ">>": 8, ">>>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10, "**": 11,
    ]

    /// The operator here and how many words it takes.
    private mutating func nextOperator() -> (String, Int)? {
        switch token.kind {
        case .symbol("!"):
            guard let name = peek(1).name, name == "in" || name == "instanceof" else { return nil }
            return ("!" + name, 2)
        case .symbol(let symbol): return Self.precedence[symbol] == nil ? nil : (symbol, 1)
        case .name(let name) where name == "in" || name == "instanceof" || name == "as": return (name, 1)
        case .newline:
            var index = position
            while index < limit, tokens[index].isNewline { index += 1 }
            guard index < limit, let symbol = tokens[index].symbol, symbol == "&&" || symbol == "||" else { return nil }
            position = index
            return (symbol, 1)
        default: return nil
        }
    }

    private mutating func binary(_ minimum: Int) throws(NextflowFault) -> NextflowExpression {
        try enter()
        defer { depth -= 1 }
        let first = token
        var left = try unary()
        while let (operation, words) = nextOperator(), let rank = Self.precedence[operation], rank > minimum {
            position += words
            skipNewlines()
            if operation == "as" || operation.hasSuffix("instanceof") {
                let type = token
                skipType(isNullable: false)
                if token.isSymbol("["), peek(1).isSymbol("]") { position += 2 }
                let name = try make(.string(type.name ?? ""), type, [])
                left = try make(.binary(operation, left, name), first, [left])
                continue
            }
            if operation == "<<", case .name(let name) = left.kind { written.append(name) }
            let right = try binary(rank)
            left = try make(.binary(operation, left, right), first, [left, right])
        }
        return left
    }

    private mutating func unary() throws(NextflowFault) -> NextflowExpression {
        let first = token
        guard let symbol = first.symbol, ["!", "-", "+", "~", "++", "--", "*"].contains(symbol) else {
            return try postfix()
        }
        position += 1
        try enter()
        defer { depth -= 1 }
        let value = try unary()
        if symbol == "++" || symbol == "--", case .name(let name) = value.kind { written.append(name) }
        return try make(.unary(symbol, value), first, [value])
    }

    private mutating func postfix() throws(NextflowFault) -> NextflowExpression {
        let first = token
        var value = try primary()
        while true {
            let saved = position
            if token.isNewline {
                skipNewlines()
                guard let symbol = token.symbol, symbol == "." || symbol == "?." || symbol == "*." else {
                    position = saved
                    return value
                }
            }
            switch token.kind {
            case .symbol("."), .symbol("?."), .symbol("*."), .symbol(".&"), .symbol("::"):
                let symbol = token.symbol
                position += 1
                skipNewlines()
                let name: String
                switch token.kind {
                case .name(let text), .string(let text): name = text
                case .symbol("@"):
                    position += 1
                    name = token.name ?? ""
                case .template:
                    let key = try primary()
                    value = try make(.index(value, key), first, [value, key])
                    continue
                default: throw fault("a member's name was expected")
                }
                position += 1
                if symbol == ".&" || symbol == "::" {
                    value = try make(.opaque("a method as a value"), first, [value])
                } else if token.isSymbol("(") || token.isSymbol("{") {
                    if case .name(let variable) = value.kind, NextflowEvaluator.changers.contains(name) {
                        written.append(variable)
                    }
                    let arguments = try callArguments()
                    if symbol == "*." {
                        value = try make(.opaque("a spread call"), first, [value] + arguments)
                    } else {
                        value = try make(
                            .call(target: value, name: name, arguments: arguments),
                            first,
                            [value] + arguments
                        )
                    }
                } else {
                    value = try make(symbol == "*." ? .spread(value, name) : .member(value, name), first, [value])
                }
            case .symbol("["):
                position += 1
                brackets += 1
                let open = token
                if take("]") {
                    // `'x'[]`: no element at all; Nextflow's strict syntax refuses it.
                    brackets -= 1
                    value = try make(.index(value, try make(.list([]), open, [])), first, [value])
                    continue
                }
                let key = try expression()
                while take(",") { _ = try expression() }
                try expect("]")
                brackets -= 1
                value = try make(.index(value, key), first, [value, key])
            case .symbol("("):
                let arguments = try callArguments()
                if case .name(let name) = value.kind {
                    value = try make(.call(target: nil, name: name, arguments: arguments), first, arguments)
                } else {
                    value = try make(.apply(value, arguments), first, [value] + arguments)
                }
            case .symbol("{"):
                guard case .name(let name) = value.kind else { return value }
                let arguments = try callArguments()
                value = try make(.call(target: nil, name: name, arguments: arguments), first, arguments)
            case .symbol("++"), .symbol("--"):
                if case .name(let name) = value.kind { written.append(name) }
                value = try make(.unary((token.symbol ?? "") + "after", value), first, [value])
                position += 1
            default:
                return value
            }
        }
    }

    /// `(…)` and closures behind it.
    private mutating func callArguments() throws(NextflowFault) -> [NextflowExpression] {
        var all: [NextflowExpression] = []
        if take("(") {
            brackets += 1
            all = try arguments(until: ")")
            try expect(")")
            brackets -= 1
        }
        while token.isSymbol("{") { all.append(try closure()) }
        return all
    }

    /// The arguments in the brackets here, or without brackets up to the line's end.
    mutating func bracketed() throws(NextflowFault) -> [NextflowExpression] {
        token.isSymbol("(") ? try callArguments() : try arguments(until: nil)
    }

    /// Values with commas between; named ones are gathered into a map, which comes first, as in Groovy.
    mutating func arguments(until close: String?) throws(NextflowFault) -> [NextflowExpression] {
        let first = token
        var values: [NextflowExpression] = []
        var named: [(key: NextflowExpression, value: NextflowExpression)] = []
        while true {
            if let close, token.isSymbol(close) { break }
            let value = try expression()
            if take(":") {
                skipNewlines()
                named.append((Self.key(value), try expression()))
            } else {
                values.append(value)
            }
            guard take(",") else { break }
            skipNewlines()
        }
        if !named.isEmpty { values.insert(try make(.map(named), first, named.map(\.value)), at: 0) }
        return values
    }

    /// A bare name as a key is its own text.
    private static func key(_ expression: NextflowExpression) -> NextflowExpression {
        guard case .name(let name) = expression.kind else { return expression }
        var key = expression
        key.kind = .string(name)
        return key
    }

    mutating func primary() throws(NextflowFault) -> NextflowExpression {
        let first = token
        switch first.kind {
        case .string(let text):
            position += 1
            return try make(.string(text), first, [])
        case .template(let parts):
            position += 1
            return try template(parts, first)
        case .number(let text):
            position += 1
            return try make(.number(text), first, [])
        case .name(let name):
            position += 1
            switch name {
            case "true": return try make(.bool(true), first, [])
            case "false": return try make(.bool(false), first, [])
            case "null": return try make(.null, first, [])
            case "new":
                let type = token.name ?? ""
                skipType()
                var below: [NextflowExpression] = []
                if token.isSymbol("(") { below = try callArguments() }
                return try make(.opaque("new \(type)"), first, below)
            default: return try make(.name(name), first, [])
            }
        case .symbol("("):
            position += 1
            brackets += 1
            let value = try expression()
            try expect(")")
            brackets -= 1
            // `[(name): value]`: the key is what the name holds.
            if case .name = value.kind, token.isSymbol(":") { return try make(.unary("()", value), first, [value]) }
            // A cast: `(String) value`.
            if case .name(let name) = value.kind, name.utf8.first.map({ 65...90 ~= $0 }) == true {
                switch token.kind {
                case .name(let next) where next != "in" && next != "as" && next != "instanceof": return try postfix()
                case .string, .template: return try postfix()
                default: break
                }
            }
            return value
        case .symbol("["): return try collection()
        case .symbol("{"): return try closure()
        default: throw fault("a value was expected")
        }
    }

    private func template(
        _ parts: [NextflowTemplatePart],
        _ first: NextflowToken
    ) throws(NextflowFault) -> NextflowExpression {
        var all: [NextflowExpression.Part] = []
        var below: [NextflowExpression] = []
        for part in parts {
            switch part {
            case .text(let text): all.append(.text(text))
            case .placeholder(let tokens):
                var inner = NextflowParser(tokens)
                inner.depth = depth
                inner.brackets = 1
                let value: NextflowExpression
                if inner.token.isEnd {
                    value = try make(.string(""), first, [])
                } else {
                    value = try inner.expression()
                }
                guard inner.token.isEnd else { throw inner.fault("a placeholder with more than one value") }
                all.append(.value(value))
                below.append(value)
            }
        }
        return try make(.template(all), first, below)
    }

    private mutating func collection() throws(NextflowFault) -> NextflowExpression {
        let first = token
        position += 1
        brackets += 1
        defer { brackets -= 1 }
        if take(":") {
            try expect("]")
            return try make(.map([]), first, [])
        }
        var values: [NextflowExpression] = []
        var entries: [(key: NextflowExpression, value: NextflowExpression)] = []
        while !token.isSymbol("]") {
            if token.isSymbol("*"), peek(1).isSymbol(":") {
                let star = token
                position += 2
                let spread = try expression()
                entries.append((try make(.unary("*", spread), star, [spread]), spread))
            } else {
                let value = try expression()
                if take(":") {
                    entries.append((Self.key(value), try expression()))
                } else {
                    values.append(value)
                }
            }
            guard take(",") else { break }
        }
        try expect("]")
        if entries.isEmpty { return try make(.list(values), first, values) }
        return try make(.map(entries), first, entries.map(\.value) + entries.map(\.key))
    }

    mutating func closure() throws(NextflowFault) -> NextflowExpression {
        let first = token
        try enter()
        defer { depth -= 1 }
        position += 1
        let saved = (brackets, isConfiguration)
        brackets = 0
        isConfiguration = false
        defer { (brackets, isConfiguration) = saved }
        let parameters = closureParameters()
        let mark = written.count
        let body = statements(inBlock: true)
        let changed = Array(Set(written[mark...]))
        return try make(.closure(NextflowClosure(parameters: parameters, body: body, changed: changed)), first, [])
    }

    /// What stands before `->`, where there is one.
    private mutating func closureParameters() -> [NextflowParameter]? {
        var index = position
        var open = 0
        var isLineFull = false
        while index < limit, index < position + 100 {
            switch tokens[index].kind {
            case .symbol("->") where open == 0:
                let range = position..<index
                position = index + 1
                return parameters(range)
            case .symbol("("), .symbol("["), .symbol("<"): open += 1
            case .symbol(")"), .symbol("]"), .symbol(">"): open -= 1
            case .symbol("{"), .symbol("}"), .symbol(";"): return nil
            case .symbol(","): isLineFull = false
            // A line that ends without an arrow is no list of parameters, unless a comma goes before.
            case .newline where isLineFull && open == 0: return nil
            case .name, .string, .template, .number: isLineFull = true
            default: break
            }
            index += 1
        }
        return nil
    }
}
