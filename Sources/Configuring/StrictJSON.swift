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
        if parser.index == bytes.count { throw parser.error("the file is empty; it must hold at least {}") }
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

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                index += 1
            case UInt8(ascii: "\n"):
                index += 1
                line += 1
                lineStart = index
            default:
                return
            }
        }
    }

    private mutating func value(depth: Int) throws(SyntaxError) -> JSONNode {
        if depth > Self.deepest { throw error("nested deeper than \(Self.deepest) levels") }
        guard index < bytes.count else { throw error("the file ends where a value should stand") }
        let start = position
        switch bytes[index] {
        case UInt8(ascii: "{"):
            return JSONNode(position: start, value: .object(try members(depth: depth)))
        case UInt8(ascii: "["):
            return JSONNode(position: start, value: .array(try elements(depth: depth)))
        case UInt8(ascii: "\""):
            return JSONNode(position: start, value: .string(try string()))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return JSONNode(position: start, value: .number(try number()))
        case UInt8(ascii: "/"):
            throw error("JSON has no comments; remove it")
        case UInt8(ascii: "'"):
            throw error("strings stand in double quotes")
        default:
            for (word, value) in [("null", JSONNode.Value.null), ("true", .bool(true)), ("false", .bool(false))]
            where bytes[index...].starts(with: word.utf8) {
                index += word.utf8.count
                return JSONNode(position: start, value: value)
            }
            throw error("a value should stand here, not \(found())")
        }
    }

    private mutating func members(depth: Int) throws(SyntaxError) -> [JSONNode.Member] {
        index += 1
        var members: [JSONNode.Member] = []
        skipSpace()
        if index < bytes.count, bytes[index] == UInt8(ascii: "}") {
            index += 1
            return members
        }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                if index < bytes.count, bytes[index] == UInt8(ascii: "}") {
                    throw error("a comma before '}' is not JSON; remove it")
                }
                throw error("a key in double quotes should stand here, not \(found())")
            }
            let keyPosition = position
            let key = try string()
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else {
                throw error("':' should follow the key \"\(key)\", not \(found())")
            }
            index += 1
            skipSpace()
            members.append(JSONNode.Member(key: key, position: keyPosition, value: try value(depth: depth + 1)))
            skipSpace()
            guard index < bytes.count else { throw error("the file ends inside an object; '}' is missing") }
            switch bytes[index] {
            case UInt8(ascii: ","):
                index += 1
            case UInt8(ascii: "}"):
                index += 1
                return members
            default:
                throw error("',' or '}' should stand here, not \(found())")
            }
        }
    }

    private mutating func elements(depth: Int) throws(SyntaxError) -> [JSONNode] {
        index += 1
        var elements: [JSONNode] = []
        skipSpace()
        if index < bytes.count, bytes[index] == UInt8(ascii: "]") {
            index += 1
            return elements
        }
        while true {
            skipSpace()
            if index < bytes.count, bytes[index] == UInt8(ascii: "]") {
                throw error("a comma before ']' is not JSON; remove it")
            }
            elements.append(try value(depth: depth + 1))
            skipSpace()
            guard index < bytes.count else { throw error("the file ends inside an array; ']' is missing") }
            switch bytes[index] {
            case UInt8(ascii: ","):
                index += 1
            case UInt8(ascii: "]"):
                index += 1
                return elements
            default:
                throw error("',' or ']' should stand here, not \(found())")
            }
        }
    }

    private mutating func number() throws(SyntaxError) -> String {
        let start = index
        func digits(_ parser: inout StrictJSON) -> Int {
            let first = parser.index
            while parser.index < parser.bytes.count,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(parser.bytes[parser.index])
            {
                parser.index += 1
            }
            return parser.index - first
        }
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let leading = index
        guard digits(&self) > 0 else { throw error("digits should stand here, not \(found())") }
        if bytes[leading] == UInt8(ascii: "0"), index - leading > 1 {
            throw error("a number must not begin with 0")
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            guard digits(&self) > 0 else { throw error("digits should follow the decimal point") }
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: "e") || bytes[index] == UInt8(ascii: "E") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            guard digits(&self) > 0 else { throw error("digits should follow the exponent") }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func string() throws(SyntaxError) -> String {
        index += 1
        var text: [UInt8] = []
        while true {
            guard index < bytes.count else { throw error("the file ends inside a string; '\"' is missing") }
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text.append(contentsOf: String(try escape()).utf8)
            case 0..<0x20:
                throw error("a line break or control character inside a string; write it as an escape (\\n)")
            default:
                text.append(byte)
                index += 1
            }
        }
    }

    private mutating func escape() throws(SyntaxError) -> Unicode.Scalar {
        index += 1
        guard index < bytes.count else { throw error("the file ends inside a string") }
        let plain: [UInt8: Unicode.Scalar] = [
            UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/",
            UInt8(ascii: "b"): "\u{08}", UInt8(ascii: "f"): "\u{0C}", UInt8(ascii: "n"): "\n",
            UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
        ]
        if let scalar = plain[bytes[index]] {
            index += 1
            return scalar
        }
        guard bytes[index] == UInt8(ascii: "u") else { throw error("'\\' must not stand before \(found())") }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if (0xD800..<0xDC00).contains(first), index + 1 < bytes.count,
            bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
        {
            index += 1
            let second = try hexadecimal()
            let joined = 0x10000 + ((UInt32(first) - 0xD800) << 10) + (UInt32(second) &- 0xDC00)
            if (0xDC00..<0xE000).contains(second), let scalar = Unicode.Scalar(joined) { return scalar }
        }
        throw error("half of a surrogate pair stands alone")
    }

    /// Reads `uXXXX`.
    private mutating func hexadecimal() throws(SyntaxError) -> UInt16 {
        index += 1
        guard index + 4 <= bytes.count,
            let value = UInt16(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16),
            bytes[index] != UInt8(ascii: "+"), bytes[index] != UInt8(ascii: "-")
        else { throw error("four hexadecimal digits should follow \\u") }
        index += 4
        return value
    }
}
