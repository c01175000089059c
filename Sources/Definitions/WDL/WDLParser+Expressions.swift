/// Expressions, by rising precedence; `depth` bounds the stack.
extension WDLParser {
    /// Operators in a row (`a + b + …`): more is no program a person wrote.
    private static let maximumOperators = 2000

    mutating func add(_ node: WDLExpression, line: Int32) -> WDLExpression.ID {
        document.nodes.append(node)
        document.lines.append(line)
        return WDLExpression.ID(document.nodes.count - 1)
    }

    mutating func expression() throws(WDLFault) -> WDLExpression.ID {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else {
            throw WDLFault(line: Int(token.line), message: "an expression is nested too deep")
        }
        return try binary(above: 0)
    }

    private func precedence(_ token: WDLToken) -> Int {
        guard token.kind == .punctuation else { return 0 }
        switch token.sign {
        case WDLSign.or: return 1
        case WDLSign.and: return 2
        case WDLSign.equal, WDLSign.notEqual: return 3
        case WDLSign.lessOrEqual, WDLSign.greaterOrEqual, UInt8(ascii: "<"), UInt8(ascii: ">"): return 4
        case UInt8(ascii: "+"), UInt8(ascii: "-"): return 5
        case UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "%"): return 6
        case WDLSign.power: return 7
        default: return 0
        }
    }

    private mutating func binary(above limit: Int) throws(WDLFault) -> WDLExpression.ID {
        var left = try unary()
        var count = 0
        while true {
            let token = token
            let rank = precedence(token)
            guard rank > limit else { return left }
            count += 1
            guard count < Self.maximumOperators else {
                throw WDLFault(line: Int(token.line), message: "an expression has too many operators")
            }
            advance()
            let right = try binary(above: token.sign == WDLSign.power ? rank - 1 : rank)
            left = add(.binary(token.sign, left, right), line: token.line)
        }
    }

    private mutating func unary() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        if isSign("!") || isSign("-") || isSign("+") {
            let sign = token.sign
            depth += 1
            defer { depth -= 1 }
            guard depth < Self.maximumDepth else { throw unexpected("fewer signs in a row") }
            advance()
            let operand = try unary()
            switch sign {
            case UInt8(ascii: "!"): return add(.not(operand), line: line)
            case UInt8(ascii: "-"): return add(.negative(operand), line: line)
            default: return operand
            }
        }
        return try postfix()
    }

    private mutating func postfix() throws(WDLFault) -> WDLExpression.ID {
        var node = try primary()
        var count = 0
        while count < 100 {
            count += 1
            let line = token.line
            if isSign("."), token(ahead: 1).kind == .name {
                advance()
                node = add(.member(node, try name()), line: line)
            } else if isSign("["), !token.startsLine {
                advance()
                let key = try expression()
                try expect("]")
                node = add(.index(node, key), line: line)
            } else {
                break
            }
        }
        return node
    }

    private mutating func primary() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        switch token.kind {
        case .integer: return integer()
        case .float:
            let value = Double(text(of: token)) ?? 0
            advance()
            return add(.float(value), line: line)
        case .stringStart: return try string()
        case .name: return try word()
        case .punctuation:
            switch token.sign {
            case UInt8(ascii: "("): return try parentheses()
            case UInt8(ascii: "["):
                advance()
                return add(.array(try list(until: "]")), line: line)
            case UInt8(ascii: "{"): return try mapLiteral()
            default: throw unexpected("an expression")
            }
        default: throw unexpected("an expression")
        }
    }

    private mutating func integer() -> WDLExpression.ID {
        let written = text(of: token)
        let line = token.line
        advance()
        let isHexadecimal = written.hasPrefix("0x") || written.hasPrefix("0X")
        // Of base 8 by the specification, of base 10 in some engines.
        let isOctal = !isHexadecimal && written.utf8.count > 1 && written.hasPrefix("0")
        guard !isOctal, let value = isHexadecimal ? Int(written.dropFirst(2), radix: 16) : Int(written) else {
            return add(.oddNumber, line: line)
        }
        return add(.integer(value), line: line)
    }

    private mutating func parentheses() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        advance()
        let first = try expression()
        if take(",") {
            let second = try expression()
            _ = take(",")
            try expect(")")
            return add(.pair(first, second), line: line)
        }
        try expect(")")
        return first
    }

    private mutating func list(until end: Unicode.Scalar) throws(WDLFault) -> [WDLExpression.ID] {
        var elements: [WDLExpression.ID] = []
        while !isSign(end) {
            elements.append(try expression())
            guard take(",") else { break }
        }
        try expect(end)
        return elements
    }

    private mutating func mapLiteral() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        advance()
        var entries: [(key: WDLExpression.ID, value: WDLExpression.ID)] = []
        while !isSign("}") {
            let key = try expression()
            try expect(":")
            entries.append((key, try expression()))
            guard take(",") else { break }
        }
        try expect("}")
        return add(.map(entries), line: line)
    }

    private mutating func word() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        if isWord("if") { return try choice() }
        if isWord("true") || isWord("false") {
            let value = isWord("true")
            advance()
            return add(.bool(value), line: line)
        }
        if isWord("None") || isWord("null") {
            advance()
            return add(.null, line: line)
        }
        let opensObject = isSign("{", ahead: 1) && (isSign("}", ahead: 2) || isObjectKey(ahead: 2))
        let word = try name()
        if opensObject { return try objectLiteral(line: line) }
        if isSign("("), !token.startsLine {
            advance()
            return add(.apply(word, try list(until: ")")), line: line)
        }
        return add(.name(word), line: line)
    }

    /// `key:` or `"key":`, as in an object or struct literal.
    private func isObjectKey(ahead: Int) -> Bool {
        switch token(ahead: ahead).kind {
        case .name: isSign(":", ahead: ahead + 1)
        case .stringStart: isSign(":", ahead: ahead + 3) || isSign(":", ahead: ahead + 2)
        default: false
        }
    }

    private mutating func objectLiteral(line: Int32) throws(WDLFault) -> WDLExpression.ID {
        try expect("{")
        var members: [(key: String, value: WDLExpression.ID)] = []
        while !isSign("}") {
            let key = token.kind == .stringStart ? try literalString() : try name()
            try expect(":")
            members.append((key, try expression()))
            guard take(",") || token.startsLine, token.kind != .end else { break }
        }
        try expect("}")
        return add(.object(members), line: line)
    }

    private mutating func choice() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        advance()
        let condition = try expression()
        guard isWord("then") else { throw unexpected("`then`") }
        advance()
        let then = try expression()
        guard isWord("else") else { throw unexpected("`else`") }
        advance()
        let otherwise = try expression()
        return add(.choice(condition: condition, then: then, otherwise: otherwise), line: line)
    }

    // MARK: Strings

    /// A string without placeholders, as in imports and keys.
    mutating func literalString() throws(WDLFault) -> String {
        guard token.kind == .stringStart else { throw unexpected("a string") }
        advance()
        var text = ""
        if token.kind == .text {
            text = WDLEscapes.read(bytes[Int(token.start)..<Int(token.end)])
            advance()
        }
        guard token.kind == .stringEnd else { throw unexpected("a string without placeholders") }
        advance()
        return text
    }

    private mutating func string() throws(WDLFault) -> WDLExpression.ID {
        let line = token.line
        let isMultiline = token.sign == UInt8(ascii: "<")
        advance()
        var parts: [WDLExpression.Part] = []
        while token.kind != .stringEnd {
            switch token.kind {
            case .text:
                parts.append(.text(WDLEscapes.read(bytes[Int(token.start)..<Int(token.end)])))
                advance()
            case .placeholderStart:
                advance()
                let options = try placeholderOptions()
                let value = try expression()
                guard token.kind == .placeholderEnd else { throw unexpected("`}` at the end of a placeholder") }
                advance()
                parts.append(.placeholder(value, options))
            default: throw unexpected("the end of a string")
            }
        }
        advance()
        if isMultiline { Self.trim(&parts) }
        return add(.string(parts), line: line)
    }

    /// WDL 1.2, multi-line strings: white space behind `<<<` and before `>>>` does not count.
    private static func trim(_ parts: inout [WDLExpression.Part]) {
        if case .text(let text)? = parts.first {
            parts[0] = .text(String(text.drop { $0.isWhitespace }))
        }
        if case .text(let text)? = parts.last {
            let blanks = text.reversed().prefix { $0.isWhitespace }.count
            parts[parts.count - 1] = .text(String(text.dropLast(blanks)))
        }
    }

    private mutating func placeholderOptions() throws(WDLFault) -> WDLPlaceholderOptions {
        var options = WDLPlaceholderOptions()
        while token.kind == .name, isSign("=", ahead: 1) {
            if isWord("sep") {
                advance()
                advance()
                options.separator = try literalString()
            } else if isWord("default") {
                advance()
                advance()
                // Not a whole expression: in `default=1 x` the next word is the value.
                options.standIn = try primary()
            } else if isWord("true") || isWord("false") {
                let isTrue = isWord("true")
                advance()
                advance()
                let text = try literalString()
                if isTrue { options.whenTrue = text } else { options.whenFalse = text }
            } else {
                break
            }
        }
        return options
    }
}

/// Escapes of WDL strings (WDL 1.1, "Strings").
enum WDLEscapes {
    static func read(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
        var text: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard byte == UInt8(ascii: "\\"), index < bytes.endIndex else {
                text.append(byte)
                continue
            }
            let escape = bytes[index]
            index += 1
            switch escape {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case 0x0A:
                while index < bytes.endIndex, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
            case UInt8(ascii: "x"): code(bytes, &index, digits: 2, radix: 16, escape, into: &text)
            case UInt8(ascii: "u"): code(bytes, &index, digits: 4, radix: 16, escape, into: &text)
            case UInt8(ascii: "U"): code(bytes, &index, digits: 8, radix: 16, escape, into: &text)
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                index -= 1
                code(bytes, &index, digits: 3, radix: 8, escape, into: &text)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "~"), UInt8(ascii: "$"),
                UInt8(ascii: ">"), UInt8(ascii: "<"):
                text.append(escape)
            default: text += [byte, escape]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func code(
        _ bytes: ArraySlice<UInt8>,
        _ index: inout Int,
        digits: Int,
        radix: Int,
        _ escape: UInt8,
        into text: inout [UInt8]
    ) {
        let end = min(index + digits, bytes.endIndex)
        let written = String(decoding: bytes[index..<end], as: UTF8.self)
        guard written.utf8.count == digits, let value = UInt32(written, radix: radix),
            let scalar = Unicode.Scalar(value)
        else {
            text += [UInt8(ascii: "\\"), escape]
            if radix == 8 { index += 1 }
            return
        }
        index = end
        text += Array(String(scalar).utf8)
    }
}
