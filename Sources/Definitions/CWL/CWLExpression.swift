/// The part of JavaScript that decides images: literals, references, operators, `?:`, simple methods, and bodies of
/// `var`, `if` and `return`.
indirect enum CWLExpression: Sendable {
    case literal(ParameterValue)
    case name(String)
    case member(CWLExpression, CWLExpression)
    case call(CWLExpression, String, [CWLExpression])
    case unary(Operator, CWLExpression)
    case binary(Operator, CWLExpression, CWLExpression)
    case conditional(CWLExpression, CWLExpression, CWLExpression)
    case array([CWLExpression])
    case object([Member])

    /// `key: value` of an object.
    struct Member: Sendable {
        var key: String
        var value: CWLExpression
    }

    enum Operator: String, Sendable {
        case or = "||"
        case and = "&&"
        case coalesce = "??"
        case equal = "=="
        case notEqual = "!="
        case same = "==="
        case notSame = "!=="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case plus = "+"
        case minus = "-"
        case times = "*"
        case over = "/"
        case modulo = "%"
        case not = "!"
        case typeOf = "typeof"

        var precedence: Int {
            switch self {
            case .coalesce, .or: 1
            case .and: 2
            case .equal, .notEqual, .same, .notSame: 3
            case .less, .lessOrEqual, .greater, .greaterOrEqual: 4
            case .plus, .minus: 5
            case .times, .over, .modulo: 6
            case .not, .typeOf: 7
            }
        }
    }
}

/// A statement of a `${…}` body.
indirect enum CWLStatement: Sendable {
    case declare(String, CWLExpression?)
    case evaluate(CWLExpression)
    case `if`(CWLExpression, [CWLStatement], [CWLStatement])
    case `return`(CWLExpression?)
}

/// Reads an expression; what it does not know makes the whole thing unread, never half read.
struct CWLExpressionParser {
    /// The text is JavaScript beyond what is read here, or none at all.
    struct Unread: Error {}

    private static let maximumDepth = 60

    private enum Token: Equatable {
        case name(String)
        case number(String)
        case string(String)
        case symbol(String)
        case end
    }

    private var tokens: [Token] = []
    private var position = 0

    init(_ bytes: ArraySlice<UInt8>) throws(Unread) { tokens = try Self.tokens(of: bytes) }

    mutating func expression() throws(Unread) -> CWLExpression {
        let expression = try conditional(depth: 0)
        guard peek == .end else { throw Unread() }
        return expression
    }

    mutating func body() throws(Unread) -> [CWLStatement] {
        var statements: [CWLStatement] = []
        while peek != .end { try statement(into: &statements, depth: 0) }
        return statements
    }

    // MARK: Statements

    private mutating func statement(into list: inout [CWLStatement], depth: Int) throws(Unread) {
        guard depth < Self.maximumDepth else { throw Unread() }
        if take(";") { return }
        if take("{") {
            while !take("}") {
                guard peek != .end else { throw Unread() }
                try statement(into: &list, depth: depth + 1)
            }
            return
        }
        guard case .name(let word) = peek else { throw Unread() }
        switch word {
        case "return":
            position += 1
            let isEmpty = peek == .symbol(";") || peek == .symbol("}") || peek == .end
            list.append(.return(isEmpty ? nil : try conditional(depth: depth + 1)))
        case "if":
            position += 1
            guard take("(") else { throw Unread() }
            let condition = try conditional(depth: depth + 1)
            guard take(")") else { throw Unread() }
            var then: [CWLStatement] = []
            var otherwise: [CWLStatement] = []
            try statement(into: &then, depth: depth + 1)
            if peek == .name("else") {
                position += 1
                try statement(into: &otherwise, depth: depth + 1)
            }
            list.append(.if(condition, then, otherwise))
            return
        case "var", "let", "const":
            position += 1
            repeat {
                guard case .name(let name) = peek else { throw Unread() }
                position += 1
                list.append(.declare(name, take("=") ? try conditional(depth: depth + 1) : nil))
            } while take(",")
        case "for", "while", "do", "switch", "function", "try", "throw":
            throw Unread()
        default:
            if case .symbol("=") = token(1) {
                position += 2
                list.append(.declare(word, try conditional(depth: depth + 1)))
            } else if case .symbol("+=") = token(1) {
                position += 2
                let right = try conditional(depth: depth + 1)
                list.append(.declare(word, .binary(.plus, .name(word), right)))
            } else {
                list.append(.evaluate(try conditional(depth: depth + 1)))
            }
        }
        guard take(";") || peek == .symbol("}") || peek == .end || startsStatement else { throw Unread() }
    }

    /// JavaScript lets a line end stand for `;`.
    private var startsStatement: Bool {
        if case .name = peek { true } else { false }
    }

    // MARK: Expressions

    private mutating func conditional(depth: Int) throws(Unread) -> CWLExpression {
        guard depth < Self.maximumDepth else { throw Unread() }
        let condition = try binary(above: 0, depth: depth + 1)
        guard take("?") else { return condition }
        let then = try conditional(depth: depth + 1)
        guard take(":") else { throw Unread() }
        return .conditional(condition, then, try conditional(depth: depth + 1))
    }

    private mutating func binary(above precedence: Int, depth: Int) throws(Unread) -> CWLExpression {
        guard depth < Self.maximumDepth else { throw Unread() }
        var left = try unary(depth: depth + 1)
        var length = 0
        while case .symbol(let symbol) = peek, let sign = CWLExpression.Operator(rawValue: symbol), sign != .not,
            sign.precedence > precedence
        {
            length += 1
            guard length < 200 else { throw Unread() }
            position += 1
            left = .binary(sign, left, try binary(above: sign.precedence, depth: depth + 1))
        }
        return left
    }

    private mutating func unary(depth: Int) throws(Unread) -> CWLExpression {
        guard depth < Self.maximumDepth else { throw Unread() }
        if take("!") { return .unary(.not, try unary(depth: depth + 1)) }
        if take("-") { return .unary(.minus, try unary(depth: depth + 1)) }
        if take("+") { return .unary(.plus, try unary(depth: depth + 1)) }
        if peek == .name("typeof") {
            position += 1
            return .unary(.typeOf, try unary(depth: depth + 1))
        }
        return try postfix(depth: depth + 1)
    }

    private mutating func postfix(depth: Int) throws(Unread) -> CWLExpression {
        var expression = try primary(depth: depth + 1)
        var length = 0
        while true {
            length += 1
            guard length < Self.maximumDepth else { throw Unread() }
            if take(".") {
                guard case .name(let name) = peek else { throw Unread() }
                position += 1
                if take("(") {
                    expression = .call(expression, name, try list(until: ")", depth: depth + 1))
                } else {
                    expression = .member(expression, .literal(.string(name)))
                }
            } else if take("[") {
                let index = try conditional(depth: depth + 1)
                guard take("]") else { throw Unread() }
                expression = .member(expression, index)
            } else {
                return expression
            }
        }
    }

    private mutating func primary(depth: Int) throws(Unread) -> CWLExpression {
        let token = peek
        position += 1
        switch token {
        case .number(let text): return .literal(.number(text))
        case .string(let text): return .literal(.string(text))
        case .name("true"): return .literal(.bool(true))
        case .name("false"): return .literal(.bool(false))
        case .name("null"), .name("undefined"): return .literal(.null)
        case .name("String") where peek == .symbol("("):
            position += 1
            let arguments = try list(until: ")", depth: depth + 1)
            guard arguments.count == 1 else { throw Unread() }
            return .binary(.plus, .literal(.string("")), arguments[0])
        case .name("function"), .name("new"): throw Unread()
        case .name(let name):
            guard peek != .symbol("("), peek != .symbol("=>") else { throw Unread() }
            return .name(name)
        case .symbol("("):
            let inner = try conditional(depth: depth + 1)
            guard take(")") else { throw Unread() }
            return inner
        case .symbol("["): return .array(try list(until: "]", depth: depth + 1))
        case .symbol("{"): return .object(try members(depth: depth + 1))
        default: throw Unread()
        }
    }

    private mutating func members(depth: Int) throws(Unread) -> [CWLExpression.Member] {
        var members: [CWLExpression.Member] = []
        while !take("}") {
            let key: String
            switch peek {
            case .name(let name): key = name
            case .string(let text), .number(let text): key = text
            default: throw Unread()
            }
            position += 1
            guard take(":") else { throw Unread() }
            members.append(.init(key: key, value: try conditional(depth: depth + 1)))
            guard take(",") || peek == .symbol("}") else { throw Unread() }
        }
        return members
    }

    private mutating func list(until end: String, depth: Int) throws(Unread) -> [CWLExpression] {
        var elements: [CWLExpression] = []
        if take(end) { return elements }
        while true {
            elements.append(try conditional(depth: depth + 1))
            if take(end) { return elements }
            guard take(",") else { throw Unread() }
            if take(end) { return elements }
        }
    }

    // MARK: Tokens

    private var peek: Token { token(0) }

    private func token(_ ahead: Int) -> Token {
        position + ahead < tokens.count ? tokens[position + ahead] : .end
    }

    private mutating func take(_ symbol: String) -> Bool {
        guard peek == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    private static let symbols = [
        "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "??", "+=", "=>", "<", ">", "+", "-", "*", "/", "%", "!", "?",
        ":",
        "(", ")", "[", "]", "{", "}", ".", ",", ";", "=",
    ].map { (text: $0, bytes: Array($0.utf8)) }

    private static func tokens(of bytes: ArraySlice<UInt8>) throws(Unread) -> [Token] {
        var tokens: [Token] = []
        var index = bytes.startIndex
        let end = bytes.endIndex
        func isWord(_ byte: UInt8) -> Bool {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || isDigit(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "$") || byte >= 0x80
        }
        func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
        while index < end {
            let byte = bytes[index]
            let start = index
            if byte <= 0x20 {
                index += 1
            } else if byte == UInt8(ascii: "/"), index + 1 < end, bytes[index + 1] == UInt8(ascii: "/") {
                while index < end, bytes[index] != 0x0A { index += 1 }
            } else if byte == UInt8(ascii: "/"), index + 1 < end, bytes[index + 1] == UInt8(ascii: "*") {
                index += 2
                while index + 1 < end, !(bytes[index] == UInt8(ascii: "*") && bytes[index + 1] == UInt8(ascii: "/")) {
                    index += 1
                }
                index = min(index + 2, end)
            } else if isDigit(byte) {
                while index < end, isWord(bytes[index]) || bytes[index] == UInt8(ascii: ".") { index += 1 }
                let text = String(decoding: bytes[start..<index], as: UTF8.self)
                // `010` is eight or ten, as the engine is strict or not.
                let isOctal = text.utf8.count > 1 && byte == UInt8(ascii: "0") && isDigit(bytes[start + 1])
                guard !isOctal, let number = Double(text).flatMap(JavaScriptNumber.text) else { throw Unread() }
                tokens.append(.number(number))
            } else if isWord(byte) {
                while index < end, isWord(bytes[index]) { index += 1 }
                tokens.append(.name(String(decoding: bytes[start..<index], as: UTF8.self)))
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                tokens.append(.string(try string(bytes, &index)))
            } else if let symbol = symbols.first(where: { bytes[index...].starts(with: $0.bytes) }) {
                tokens.append(.symbol(symbol.text))
                index += symbol.bytes.count
            } else {
                throw Unread()
            }
            guard tokens.count < 2_000 else { throw Unread() }
        }
        return tokens
    }

    private static func string(_ bytes: ArraySlice<UInt8>, _ index: inout Int) throws(Unread) -> String {
        let quote = bytes[index]
        var text: [UInt8] = []
        index += 1
        while index < bytes.endIndex, bytes[index] != 0x0A {
            let byte = bytes[index]
            index += 1
            if byte == quote { return String(decoding: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard index < bytes.endIndex else { throw Unread() }
            switch bytes[index] {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "/"): text.append(bytes[index])
            default: throw Unread()
            }
            index += 1
        }
        throw Unread()
    }
}
