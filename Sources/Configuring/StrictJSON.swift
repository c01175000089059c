/// A JSON value that knows where it stood, so that a complaint about it can name line and column.
struct JSONNode: Sendable, Hashable {
    /// A key and its value; a key that occurs twice is kept twice.
    struct Member: Sendable, Hashable {
        var key: String
        var position: Position
        var value: JSONNode
    }

    /// A place in the file: both from 1, the column in characters.
    struct Position: Sendable, Hashable {
        var line: Int
        var column: Int
    }

    indirect enum Value: Sendable, Hashable {
        case null
        case bool(Bool)
        /// The number as written.
        case number(String)
        case string(String)
        case array([JSONNode])
        case object([Member])
    }

    var position: Position
    var value: Value

    var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    /// A number as written.
    var number: String? {
        if case .number(let text) = value { text } else { nil }
    }

    var bool: Bool? {
        if case .bool(let flag) = value { flag } else { nil }
    }

    /// What the value is, in words for an error.
    var kind: String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// As an error shows it: kinds for containers, the text itself (shortened) for the rest.
    var shown: String {
        switch value {
        case .bool(let value): "\(value)"
        case .number(let text): String(text.prefix(40))
        case .string(let text): "\"\(String(text.prefix(60)))\""
        case .null, .array, .object: kind
        }
    }
}

/// A parser for RFC 8259 JSON and nothing beyond it: no comments, no trailing commas, no byte order mark.
///
/// Own code because Foundation's decoder tells no position and takes the last of two equal keys in silence.
struct StrictJSON {
    /// The first syntax error; nothing after it can be trusted.
    struct SyntaxError: Error, Hashable {
        var position: JSONNode.Position
        var message: String
    }

    /// Far more than any configuration needs; bounds the recursion.
    private static let deepest = 64

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var lineStart = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Parses a whole document: one value with nothing but white space around it.
    static func parse(_ bytes: [UInt8]) throws(SyntaxError) -> JSONNode {
        var parser = StrictJSON(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw parser.error("the file begins with a byte order mark; save it as plain UTF-8")
        }
        if let bad = firstInvalidUTF8(bytes) {
            for position in 0..<bad where bytes[position] == UInt8(ascii: "\n") {
                parser.line += 1
                parser.lineStart = position + 1
            }
            parser.index = bad
            throw parser.error("the file is not valid UTF-8 here")
        }
        parser.skipSpace()
        if parser.index == bytes.count {
            throw parser.error("the file is empty; it must hold at least {\"version\": 1}")
        }
        let node = try parser.value(depth: 0)
        parser.skipSpace()
        if parser.index < bytes.count {
            throw parser.error("\(parser.found()) after the end of the document")
        }
        return node
    }

    private static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
        var decoder = UTF8()
        var input = bytes.makeIterator()
        var consumed = 0
        while true {
            switch decoder.decode(&input) {
            case .scalarValue(let scalar): consumed += UTF8.width(scalar)
            case .emptyInput: return nil
            case .error: return min(consumed, bytes.count)
            }
        }
    }

    private var position: JSONNode.Position {
        let before = String(decoding: bytes[lineStart..<min(index, bytes.count)], as: UTF8.self)
        return JSONNode.Position(line: line, column: before.count + 1)
    }

    private func error(_ message: String) -> SyntaxError {
        SyntaxError(position: position, message: message)
    }

    /// What stands at the current place, in words.
    private func found() -> String {
        guard index < bytes.count else { return "the end of the file" }
        guard let character = String(decoding: bytes[index..<min(index + 4, bytes.count)], as: UTF8.self).first
        else { return "an unreadable character" }
        if bytes[index] < 0x20 || bytes[index] == 0x7F { return "a control character" }
        return "'\(character)'"
    }

    /// Whether one of these stands at the current place.
    private func at(_ characters: Unicode.Scalar...) -> Bool {
        index < bytes.count && characters.contains { bytes[index] == UInt8(ascii: $0) }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard at(character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while at(" ", "\t", "\r", "\n") {
            index += 1
            guard bytes[index - 1] == UInt8(ascii: "\n") else { continue }
            line += 1
            lineStart = index
        }
    }

    private mutating func value(depth: Int) throws(SyntaxError) -> JSONNode {
        if depth > Self.deepest { throw error("nested deeper than \(Self.deepest) levels") }
        guard index < bytes.count else { throw error("the file ends where a value should stand") }
        let start = position
        if take("{") { return JSONNode(position: start, value: .object(try members(depth: depth))) }
        if take("[") { return JSONNode(position: start, value: .array(try elements(depth: depth))) }
        if take("\"") { return JSONNode(position: start, value: .string(try string())) }
        if at("-") || isDigit { return JSONNode(position: start, value: .number(try number())) }
        if at("/") { throw error("JSON has no comments; remove it") }
        if at("'") { throw error("strings stand in double quotes") }
        for (word, value) in [("null", JSONNode.Value.null), ("true", .bool(true)), ("false", .bool(false))]
        where bytes[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return JSONNode(position: start, value: value)
        }
        throw error("a value should stand here, not \(found())")
    }

    private mutating func members(depth: Int) throws(SyntaxError) -> [JSONNode.Member] {
        var members: [JSONNode.Member] = []
        skipSpace()
        if take("}") { return members }
        repeat {
            skipSpace()
            let start = position
            guard take("\"") else {
                if at("}") { throw error("a comma before '}' is not JSON; remove it") }
                throw error("a key in double quotes should stand here, not \(found())")
            }
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("':' should follow the key \"\(key)\", not \(found())") }
            skipSpace()
            members.append(JSONNode.Member(key: key, position: start, value: try value(depth: depth + 1)))
        } while try goesOn("}", of: "an object")
        return members
    }

    private mutating func elements(depth: Int) throws(SyntaxError) -> [JSONNode] {
        var elements: [JSONNode] = []
        skipSpace()
        if take("]") { return elements }
        repeat {
            skipSpace()
            if at("]") { throw error("a comma before ']' is not JSON; remove it") }
            elements.append(try value(depth: depth + 1))
        } while try goesOn("]", of: "an array")
        return elements
    }

    /// Takes what stands after a part: true for a comma, false for the end.
    private mutating func goesOn(_ end: Unicode.Scalar, of whole: String) throws(SyntaxError) -> Bool {
        skipSpace()
        if take(",") { return true }
        if take(end) { return false }
        if index < bytes.count { throw error("',' or '\(end)' should stand here, not \(found())") }
        throw error("the file ends inside \(whole); '\(end)' is missing")
    }

    private var isDigit: Bool { index < bytes.count && (0x30...0x39).contains(bytes[index]) }

    /// The number of digits taken.
    private mutating func digits() -> Int {
        let first = index
        while isDigit { index += 1 }
        return index - first
    }

    private mutating func number() throws(SyntaxError) -> String {
        let start = index
        _ = take("-")
        let isZero = at("0")
        let whole = digits()
        guard whole > 0 else { throw error("digits should stand here, not \(found())") }
        if isZero, whole > 1 { throw error("a number must not begin with 0") }
        if take("."), digits() == 0 { throw error("digits should follow the decimal point") }
        if at("e", "E") {
            index += 1
            if at("+", "-") { index += 1 }
            guard digits() > 0 else { throw error("digits should follow the exponent") }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// Reads from behind the first quote.
    private mutating func string() throws(SyntaxError) -> String {
        var text: [UInt8] = []
        while !take("\"") {
            guard index < bytes.count else { throw error("the file ends inside a string; '\"' is missing") }
            if bytes[index] < 0x20 {
                throw error("a line break or control character inside a string; write it as an escape (\\n)")
            }
            if take("\\") {
                text.append(contentsOf: String(try escape()).utf8)
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let escapes: [UInt8: Unicode.Scalar] = [
        UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/",
        UInt8(ascii: "b"): "\u{08}", UInt8(ascii: "f"): "\u{0C}", UInt8(ascii: "n"): "\n",
        UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]

    /// Reads from behind the backslash.
    private mutating func escape() throws(SyntaxError) -> Unicode.Scalar {
        guard index < bytes.count else { throw error("the file ends inside a string") }
        if let scalar = Self.escapes[bytes[index]] {
            index += 1
            return scalar
        }
        guard take("u") else { throw error("'\\' must not stand before \(found())") }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if (0xD800..<0xDC00).contains(first), bytes[index...].starts(with: "\\u".utf8) {
            index += 2
            let second = try hexadecimal()
            if (0xDC00..<0xE000).contains(second) {
                let joined = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
                if let scalar = Unicode.Scalar(joined) { return scalar }
            }
        }
        throw error("half of a surrogate pair stands alone")
    }

    /// Reads the four digits of `uXXXX`.
    private mutating func hexadecimal() throws(SyntaxError) -> UInt16 {
        guard index + 4 <= bytes.count, !at("+", "-"),
            let value = UInt16(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw error("four hexadecimal digits should follow \\u") }
        index += 4
        return value
    }
}
