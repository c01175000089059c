/// A token of a Nextflow script or configuration.
struct NextflowToken: Sendable {
    indirect enum Kind: Sendable {
        case word(String)
        case number(String)
        /// A string: texts and, in double quotes, expressions.
        case string([Part])
        case symbol(String)
        case newline
    }

    enum Part: Sendable {
        case text(String)
        case expression([NextflowToken])
    }

    var kind: Kind
    var line: Int

    func isSymbol(_ text: String) -> Bool { if case .symbol(text) = kind { true } else { false } }

    func isWord(_ text: String) -> Bool { if case .word(text) = kind { true } else { false } }

    var word: String? { if case .word(let text) = kind { text } else { nil } }

    var isNewline: Bool { if case .newline = kind { true } else { false } }

    /// The text of a string without expressions in it.
    var plainString: String? {
        guard case .string(let parts) = kind else { return nil }
        var text = ""
        for part in parts {
            guard case .text(let piece) = part else { return nil }
            text += piece
        }
        return text
    }
}

/// Cuts Groovy source into tokens. Lenient: what it does not know becomes a symbol; what is not closed ends with the
/// source. Nesting of expressions in strings is bounded.
struct NextflowLexer {
    private let bytes: [UInt8]
    private var index = 0
    private var line: Int
    private let depth: Int
    private static let deepest = 24
    private static let operators = [
        "<=>", "==~", "===", "!==", "**=", "...", "..<", "?.", "?:", "==", "!=", "<=", ">=", "&&", "||", "=~", "->",
        "++",
        "--", "+=", "-=", "*=", "/=", "..", "::", "*.", "<<", "**",
    ].map { Array($0.utf8) }

    init(_ bytes: [UInt8], line: Int = 1, depth: Int = 0) {
        self.bytes = bytes
        self.line = line
        self.depth = depth
    }

    static func tokens(_ bytes: [UInt8]) -> [NextflowToken] {
        var lexer = NextflowLexer(bytes)
        return lexer.all()
    }

    private func peek(_ ahead: Int = 0) -> UInt8 { index + ahead < bytes.count ? bytes[index + ahead] : 0 }

    private func at(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard index + wanted.count <= bytes.count else { return false }
        for offset in 0..<wanted.count where bytes[index + offset] != wanted[offset] { return false }
        return true
    }

    mutating func all() -> [NextflowToken] {
        var tokens: [NextflowToken] = []
        if at("#!") { skipLine() }
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\n"):
                tokens.append(NextflowToken(kind: .newline, line: line))
                line += 1
                index += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): index += 1
            case UInt8(ascii: "\\") where peek(1) == UInt8(ascii: "\n"):
                index += 2
                line += 1
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"): skipLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): skipComment()
            case UInt8(ascii: "'"), UInt8(ascii: "\""): tokens.append(string(byte))
            case UInt8(ascii: "/") where slashBeginsString(after: tokens.last): tokens.append(slashy())
            case UInt8(ascii: "$") where peek(1) == UInt8(ascii: "/"): tokens.append(dollarSlashy())
            case _ where Self.isWordStart(byte): tokens.append(word())
            case _ where (0x30...0x39).contains(byte): tokens.append(number())
            default: tokens.append(symbol())
            }
        }
        return tokens
    }

    private static func isWordStart(_ byte: UInt8) -> Bool {
        byte.isLetter || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$") || byte >= 0x80
    }

    private mutating func skipLine() {
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
    }

    private mutating func skipComment() {
        index += 2
        while index < bytes.count {
            if at("*/") {
                index += 2
                return
            }
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            index += 1
        }
    }

    private mutating func word() -> NextflowToken {
        let start = index
        while index < bytes.count, Self.isWordStart(bytes[index]) || (0x30...0x39).contains(bytes[index]) { index += 1 }
        return NextflowToken(kind: .word(String(decoding: bytes[start..<index], as: UTF8.self)), line: line)
    }

    private mutating func number() -> NextflowToken {
        let start = index
        while index < bytes.count, bytes[index].isNextflowWord || bytes[index] == UInt8(ascii: ".") {
            if bytes[index] == UInt8(ascii: "."), !(0x30...0x39).contains(peek(1)) { break }
            index += 1
        }
        return NextflowToken(kind: .number(String(decoding: bytes[start..<index], as: UTF8.self)), line: line)
    }

    private mutating func symbol() -> NextflowToken {
        for candidate in Self.operators where index + candidate.count <= bytes.count {
            if bytes[index..<(index + candidate.count)].elementsEqual(candidate) {
                index += candidate.count
                return NextflowToken(kind: .symbol(String(decoding: candidate, as: UTF8.self)), line: line)
            }
        }
        index += 1
        return NextflowToken(kind: .symbol(String(decoding: [bytes[index - 1]], as: UTF8.self)), line: line)
    }

    // MARK: Strings

    private mutating func string(_ quote: UInt8) -> NextflowToken {
        let start = line
        let isTriple = peek(1) == quote && peek(2) == quote
        index += isTriple ? 3 : 1
        let isInterpolated = quote == UInt8(ascii: "\"")
        var parts: [NextflowToken.Part] = []
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            if byte == quote, !isTriple || (peek(1) == quote && peek(2) == quote) {
                index += isTriple ? 3 : 1
                break
            }
            if byte == UInt8(ascii: "\n") {
                // A string of one line that is not closed ends there.
                if !isTriple { break }
                line += 1
            }
            if byte == UInt8(ascii: "\\") {
                escape(into: &text)
                continue
            }
            if isInterpolated, byte == UInt8(ascii: "$"), let tokens = interpolation() {
                if !text.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
                text = []
                parts.append(.expression(tokens))
                continue
            }
            text.append(byte)
            index += 1
        }
        if !text.isEmpty || parts.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
        return NextflowToken(kind: .string(parts), line: start)
    }

    private mutating func escape(into text: inout [UInt8]) {
        index += 1
        guard index < bytes.count else { return }
        switch bytes[index] {
        case UInt8(ascii: "n"): text.append(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): text.append(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): text.append(UInt8(ascii: "\r"))
        case UInt8(ascii: "\n"): line += 1
        case let other: text.append(other)
        }
        index += 1
    }

    /// `${ … }` or `$a.b.c` at the cursor; nil when the dollar is only a dollar.
    private mutating func interpolation() -> [NextflowToken]? {
        if peek(1) == UInt8(ascii: "{") {
            guard let end = closingBrace(from: index + 2) else { return nil }
            let inner = Array(bytes[(index + 2)..<end])
            var tokens: [NextflowToken] = []
            if depth < Self.deepest {
                var lexer = NextflowLexer(inner, line: line, depth: depth + 1)
                tokens = lexer.all()
            }
            line += inner.count(where: { $0 == UInt8(ascii: "\n") })
            index = end + 1
            return tokens
        }
        guard Self.isWordStart(peek(1)), peek(1) != UInt8(ascii: "$") else { return nil }
        let start = index + 1
        var end = start
        while end < bytes.count {
            if bytes[end].isNextflowWord {
                end += 1
            } else if bytes[end] == UInt8(ascii: "."), end + 1 < bytes.count, bytes[end + 1].isLetter {
                end += 1
            } else {
                break
            }
        }
        var lexer = NextflowLexer(Array(bytes[start..<end]), line: line, depth: Self.deepest)
        index = end
        return lexer.all()
    }

    /// The brace that ends an expression in a string; strings and braces inside are stepped over.
    private func closingBrace(from start: Int) -> Int? {
        var position = start
        var open = 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"): open += 1
            case UInt8(ascii: "}"):
                open -= 1
                if open == 0 { return position }
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                let quote = bytes[position]
                var next = position + 1
                while next < bytes.count, bytes[next] != quote {
                    if bytes[next] == UInt8(ascii: "\\") { next += 1 }
                    if quote == UInt8(ascii: "\""),
                        bytes[next < bytes.count ? next : bytes.count - 1] == UInt8(ascii: "$"),
                        next + 1 < bytes.count, bytes[next + 1] == UInt8(ascii: "{")
                    {
                        var nested = 1
                        next += 2
                        while next < bytes.count, nested > 0 {
                            if bytes[next] == UInt8(ascii: "{") { nested += 1 }
                            if bytes[next] == UInt8(ascii: "}") { nested -= 1 }
                            next += 1
                        }
                        continue
                    }
                    next += 1
                }
                position = next
            default: break
            }
            position += 1
        }
        return nil
    }

    /// A slash after a value divides; elsewhere it begins a string.
    private func slashBeginsString(after last: NextflowToken?) -> Bool {
        guard let last else { return true }
        switch last.kind {
        case .word(let word): return ["return", "in", "case"].contains(word)
        case .number, .string: return false
        case .symbol(let text): return ![")", "]", "}"].contains(text)
        case .newline: return true
        }
    }

    private mutating func slashy() -> NextflowToken {
        let start = line
        let from = index
        index += 1
        var text: [UInt8] = []
        while index < bytes.count, bytes[index] != UInt8(ascii: "/") {
            if bytes[index] == UInt8(ascii: "\n") {
                // Not a string after all.
                index = from + 1
                return NextflowToken(kind: .symbol("/"), line: start)
            }
            if bytes[index] == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "/") { index += 1 }
            text.append(bytes[index])
            index += 1
        }
        index += 1
        return NextflowToken(kind: .string([.text(String(decoding: text, as: UTF8.self))]), line: start)
    }

    private mutating func dollarSlashy() -> NextflowToken {
        let start = line
        index += 2
        var text: [UInt8] = []
        while index < bytes.count, !at("/$") {
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            text.append(bytes[index])
            index += 1
        }
        index += 2
        return NextflowToken(kind: .string([.text(String(decoding: text, as: UTF8.self))]), line: start)
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool { (0x61...0x7a).contains(self | 0x20) }

    /// A letter, a digit or `_`.
    var isNextflowWord: Bool { isLetter || (0x30...0x39).contains(self) || self == UInt8(ascii: "_") }
}
