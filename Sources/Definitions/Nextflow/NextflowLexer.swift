/// Splits Groovy source into words. It never fails: what cannot be read ends a text at the end of the file or is
/// skipped, since the rest of a file is worth more than its fault.
struct NextflowLexer {
    /// Placeholders in texts in placeholders, and so on; deeper ones are left as text.
    private static let maximumNesting = 30

    private let bytes: [UInt8]
    private var position: Int
    private let limit: Int
    private var line: Int32
    private let nesting: Int
    private var tokens: [NextflowToken] = []
    private var remaining = 0

    /// - Parameter maximum: Words above which the text is not read.
    /// - Returns: The words, and how many there are with those in placeholders; nil where they are too many.
    static func tokens(of bytes: [UInt8], maximum: Int) -> (tokens: [NextflowToken], count: Int)? {
        // Positions and lines are kept in 32 bits.
        var lexer = NextflowLexer(bytes: bytes, from: 0, to: min(bytes.count, Int(Int32.max) - 1), line: 1, nesting: 0)
        lexer.remaining = maximum
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { lexer.position = 3 }
        if lexer.at(0) == UInt8(ascii: "#"), lexer.at(1) == UInt8(ascii: "!") { lexer.skipLine() }
        lexer.run(untilBrace: false)
        return lexer.remaining > 0 ? (lexer.tokens, maximum - lexer.remaining) : nil
    }

    private init(bytes: [UInt8], from start: Int, to limit: Int, line: Int32, nesting: Int) {
        self.bytes = bytes
        self.limit = limit
        self.line = line
        self.nesting = nesting
        position = start
        if nesting == 0 { tokens.reserveCapacity(min(limit / 6, 100_000)) }
    }

    private func at(_ offset: Int) -> UInt8 {
        let index = position + offset
        return index < limit ? bytes[index] : 0
    }

    private mutating func add(_ kind: NextflowToken.Kind, from start: Int, line: Int32) {
        remaining -= 1
        tokens.append(NextflowToken(kind: kind, line: line, start: Int32(start), stop: Int32(position)))
    }

    /// Reads to the end, or to the brace that closes a placeholder, which is left unread.
    private mutating func run(untilBrace: Bool) {
        var braces = 0
        while position < limit, remaining > 0 {
            let start = position
            let startLine = line
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\n"):
                position += 1
                add(.newline, from: start, line: line)
                line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), 0x0C:
                position += 1
            case UInt8(ascii: "\\") where at(1) == UInt8(ascii: "\n"):
                position += 2
                line += 1
            case UInt8(ascii: "\\") where at(1) == UInt8(ascii: "\r") && at(2) == UInt8(ascii: "\n"):
                position += 3
                line += 1
            case UInt8(ascii: "/") where at(1) == UInt8(ascii: "/"):
                skipLine()
            case UInt8(ascii: "/") where at(1) == UInt8(ascii: "*"):
                skipComment()
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                text(quote: byte)
            case UInt8(ascii: "/") where !followsValue:
                if !slashy() { symbol() }
            case UInt8(ascii: "$") where at(1) == UInt8(ascii: "/") && !followsValue:
                dollarSlashy()
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number()
            case _ where Self.isWord(byte):
                while position < limit, Self.isWord(bytes[position]) || Self.isDigit(bytes[position]) { position += 1 }
                add(.name(String(decoding: bytes[start..<position], as: UTF8.self)), from: start, line: startLine)
            case UInt8(ascii: "{") where untilBrace:
                braces += 1
                symbol()
            case UInt8(ascii: "}") where untilBrace:
                guard braces > 0 else {
                    add(.end, from: start, line: startLine)
                    return
                }
                braces -= 1
                symbol()
            default:
                symbol()
            }
        }
        add(.end, from: position, line: line)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
            || byte >= 0x80
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    /// Whether a slash here divides: after a value. Elsewhere it opens a text.
    private var followsValue: Bool {
        switch tokens.last?.kind {
        case .string, .template, .number: true
        case .name(let name): !["return", "in", "case", "assert", "else"].contains(name)
        case .symbol(let symbol): symbol == ")" || symbol == "]" || symbol == "}"
        case .newline, .end, nil: false
        }
    }

    private mutating func skipLine() {
        while position < limit, bytes[position] != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func skipComment() {
        position += 2
        while position < limit {
            if bytes[position] == UInt8(ascii: "*"), at(1) == UInt8(ascii: "/") {
                position += 2
                return
            }
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func number() {
        let start = position
        var hasFraction = false
        while position < limit {
            let byte = bytes[position]
            let isFraction = byte == UInt8(ascii: ".") && Self.isDigit(at(1)) && !hasFraction
            hasFraction = hasFraction || isFraction
            // `1e-3`; in `0x1e-3` the sign subtracts.
            let isExponent =
                (byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")) && Self.isDigit(at(1)) && position > start
                && bytes[position - 1] | 0x20 == UInt8(ascii: "e") && bytes[start + 1] | 0x20 != UInt8(ascii: "x")
            guard Self.isDigit(byte) || Self.isWord(byte) || isFraction || isExponent else { break }
            position += 1
        }
        add(.number(String(decoding: bytes[start..<position], as: UTF8.self)), from: start, line: line)
    }

    /// Longest first.
    private static let symbols: [[UInt8]] = [
        "<=>", "==~", "===", "!==", "...", "..<", "**=", ">>>", "?.", "?:", "*.", ".&", "==", "!=", "<=", ">=", "&&",
        "||", "=~", "->", "++", "--", "+=", "-=", "*=", "/=", "%=", "**", "..", "<<", ">>", "::", "?=",
    ].map { Array($0.utf8) }

    private mutating func symbol() {
        let start = position
        var length = 1
        // Most words are single brackets and commas.
        if !"(){}[],;:".utf8.contains(bytes[position]) || at(1) == UInt8(ascii: ":") {
            for candidate in Self.symbols where candidate[0] == bytes[position] {
                if position + candidate.count <= limit,
                    bytes[position..<position + candidate.count].elementsEqual(candidate)
                {
                    length = candidate.count
                    break
                }
            }
        }
        position += length
        add(.symbol(String(decoding: bytes[start..<position], as: UTF8.self)), from: start, line: line)
    }

    // MARK: Texts

    private mutating func text(quote: UInt8) {
        let isTriple = at(1) == quote && at(2) == quote
        let start = position
        let startLine = line
        position += isTriple ? 3 : 1
        var parts = Parts()
        while position < limit {
            let byte = bytes[position]
            if byte == quote, !isTriple || (at(1) == quote && at(2) == quote) {
                position += isTriple ? 3 : 1
                break
            }
            if byte == UInt8(ascii: "\n") {
                // A text on one line that is not closed: the line ends it, so that one fault stays one.
                if !isTriple { break }
                line += 1
            }
            if byte == UInt8(ascii: "\\") {
                escape(into: &parts)
            } else if byte == UInt8(ascii: "$"), quote == UInt8(ascii: "\""), placeholder(into: &parts) {
                continue
            } else {
                parts.text.append(byte)
                position += 1
            }
        }
        add(parts.kind, from: start, line: startLine)
    }

    /// A regular expression or path between slashes, on one line.
    private mutating func slashy() -> Bool {
        var stop = position + 1
        while stop < limit, bytes[stop] != UInt8(ascii: "/") {
            if bytes[stop] == UInt8(ascii: "\n") { return false }
            stop += bytes[stop] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard stop < limit, stop > position + 1 else { return false }
        let start = position
        let startLine = line
        position += 1
        var parts = Parts()
        while position < limit, bytes[position] != UInt8(ascii: "/") {
            if bytes[position] == UInt8(ascii: "\\"), at(1) == UInt8(ascii: "/") {
                parts.text.append(UInt8(ascii: "/"))
                position += 2
            } else if bytes[position] == UInt8(ascii: "$"), placeholder(into: &parts) {
                continue
            } else {
                if bytes[position] == UInt8(ascii: "\n") { line += 1 }
                parts.text.append(bytes[position])
                position += 1
            }
        }
        if position < limit { position += 1 }
        add(parts.kind, from: start, line: startLine)
        return true
    }

    private mutating func dollarSlashy() {
        let start = position
        let startLine = line
        position += 2
        var parts = Parts()
        while position < limit {
            if bytes[position] == UInt8(ascii: "/"), at(1) == UInt8(ascii: "$") {
                position += 2
                break
            }
            if bytes[position] == UInt8(ascii: "$"), at(1) == UInt8(ascii: "$") || at(1) == UInt8(ascii: "/") {
                parts.text.append(at(1))
                position += 2
            } else if bytes[position] == UInt8(ascii: "$"), placeholder(into: &parts) {
                continue
            } else {
                if bytes[position] == UInt8(ascii: "\n") { line += 1 }
                parts.text.append(bytes[position])
                position += 1
            }
        }
        add(parts.kind, from: start, line: startLine)
    }

    private struct Parts {
        var done: [NextflowTemplatePart] = []
        var text: [UInt8] = []

        mutating func endText() {
            if !text.isEmpty { done.append(.text(String(decoding: text, as: UTF8.self))) }
            text = []
        }

        var kind: NextflowToken.Kind {
            guard !done.isEmpty else { return .string(String(decoding: text, as: UTF8.self)) }
            var all = self
            all.endText()
            return .template(all.done)
        }
    }

    private mutating func escape(into parts: inout Parts) {
        let next = at(1)
        position += 2
        switch next {
        case UInt8(ascii: "n"): parts.text.append(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): parts.text.append(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): parts.text.append(UInt8(ascii: "\r"))
        case UInt8(ascii: "b"): parts.text.append(8)
        case UInt8(ascii: "f"): parts.text.append(0x0C)
        case UInt8(ascii: "\n"): line += 1
        case UInt8(ascii: "u"):
            var value: UInt32 = 0
            var digits = 0
            while digits < 4, let digit = Character(Unicode.Scalar(at(0))).hexDigitValue {
                value = value << 4 | UInt32(digit)
                digits += 1
                position += 1
            }
            if digits == 4, let scalar = Unicode.Scalar(value) { parts.text.append(contentsOf: String(scalar).utf8) }
        case 0: break
        default: parts.text.append(next)
        }
        position = min(position, limit)
    }

    /// `$name.member` or `${…}` at a dollar sign; false where it is plain text.
    private mutating func placeholder(into parts: inout Parts) -> Bool {
        guard nesting < Self.maximumNesting, remaining > 0 else { return false }
        if at(1) == UInt8(ascii: "{") {
            parts.endText()
            var inner = NextflowLexer(bytes: bytes, from: position + 2, to: limit, line: line, nesting: nesting + 1)
            inner.remaining = remaining
            inner.run(untilBrace: true)
            remaining = inner.remaining
            position = min(inner.position + 1, limit)
            line = inner.line
            parts.done.append(.placeholder(inner.tokens))
            return true
        }
        guard Self.isWord(at(1)), at(1) != UInt8(ascii: "$"), at(1) < 0x80 else { return false }
        parts.endText()
        var words: [NextflowToken] = []
        position += 1
        while true {
            let start = position
            while Self.isWord(at(0)) && at(0) != UInt8(ascii: "$") && at(0) < 0x80 || Self.isDigit(at(0)) {
                position += 1
            }
            let name = String(decoding: bytes[start..<position], as: UTF8.self)
            words.append(NextflowToken(kind: .name(name), line: line, start: Int32(start), stop: Int32(position)))
            let isMember =
                at(0) == UInt8(ascii: ".") && Self.isWord(at(1)) && at(1) != UInt8(ascii: "$") && at(1) < 0x80
            guard isMember else { break }
            words.append(
                NextflowToken(kind: .symbol("."), line: line, start: Int32(position), stop: Int32(position + 1))
            )
            position += 1
        }
        words.append(NextflowToken(kind: .end, line: line, start: Int32(position), stop: Int32(position)))
        remaining -= words.count
        parts.done.append(.placeholder(words))
        return true
    }
}
