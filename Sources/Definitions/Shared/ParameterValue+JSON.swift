extension ParameterValue {
    /// Reads JSON (RFC 8259) strictly; of a key that occurs twice the last value holds, as in the engines.
    ///
    /// No bytes at all, or white space alone, mean an empty object: an empty parameters file is no parameters.
    ///
    /// - Throws: `DefinitionError` with line and column of the first fault, or for nesting above 200 levels.
    package init(json bytes: [UInt8]) throws(DefinitionError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }
}

/// A recursive descent over bytes; depth is bounded, so the stack is.
private struct JSONParser {
    private static let maximumDepth = 200

    private let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func document() throws(DefinitionError) -> ParameterValue {
        skipSpace()
        if position == bytes.count { return .object([:]) }
        let value = try value(depth: 0)
        skipSpace()
        if position < bytes.count { throw fault("text after the end of the value") }
        return value
    }

    private mutating func value(depth: Int) throws(DefinitionError) -> ParameterValue {
        guard depth < Self.maximumDepth else { throw fault("nested deeper than \(Self.maximumDepth) levels") }
        guard let byte = peek else { throw fault("the text ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw fault("a value cannot begin with \(name(of: byte))")
        }
    }

    private mutating func object(depth: Int) throws(DefinitionError) -> ParameterValue {
        position += 1
        var members: [String: ParameterValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fault("expected `:` after key \"\(key.prefix(80))\"") }
            skipSpace()
            members[key] = try value(depth: depth + 1)
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw fault("expected `,` or `}` after a member") }
        }
    }

    private mutating func array(depth: Int) throws(DefinitionError) -> ParameterValue {
        position += 1
        var elements: [ParameterValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw fault("expected `,` or `]` after an element") }
        }
    }

    private mutating func word(_ text: String, _ value: ParameterValue) throws(DefinitionError) -> ParameterValue {
        guard bytes[position...].starts(with: text.utf8) else { throw fault("expected `\(text)`") }
        position += text.utf8.count
        return value
    }

    private mutating func number() throws(DefinitionError) -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        if let byte = peek, byte == UInt8(ascii: ".") || byte.isASCIIWord {
            throw fault("this is not a JSON number")
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(DefinitionError) {
        let start = position
        while let byte = peek, byte.isASCIIDigit { position += 1 }
        if position == start { throw fault("expected a digit") }
    }

    private mutating func string() throws(DefinitionError) -> String {
        let opening = position
        position += 1
        var text: [UInt8] = []
        var start = position
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                text += bytes[start..<position]
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    position = opening
                    throw fault("the string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                text += bytes[start..<position]
                position += 1
                try escape(into: &text)
                start = position
            case 0..<0x20:
                throw fault("a control character inside a string must be escaped")
            default:
                position += 1
            }
        }
        position = opening
        throw fault("the string does not end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(DefinitionError) {
        guard let byte = peek else { throw fault("the text ends inside an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if 0xD800..<0xDC00 ~= code, take(UInt8(ascii: "\\")) {
                guard take(UInt8(ascii: "u")) else { throw fault("half of a surrogate pair") }
                let low = try hexadecimal()
                guard 0xDC00..<0xE000 ~= low else { throw fault("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("half of a surrogate pair") }
            text += Array(String(Character(scalar)).utf8)
        default:
            position -= 1
            throw fault("unknown escape: backslash and \(name(of: byte))")
        }
    }

    private mutating func hexadecimal() throws(DefinitionError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = byte.hexadecimalDigit else {
                throw fault("expected four hexadecimal digits after `\\u`")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func name(of byte: UInt8) -> String {
        0x20..<0x7F ~= byte ? "`\(Character(Unicode.Scalar(byte)))`" : "byte \(byte)"
    }

    private func fault(_ what: String) -> DefinitionError {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return DefinitionError("JSON, line \(line), column \(column): \(what)")
    }
}

extension UInt8 {
    fileprivate var isASCIIDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }

    fileprivate var isASCIILetter: Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20 }

    /// A letter, digit or underscore.
    fileprivate var isASCIIWord: Bool { isASCIIDigit || isASCIILetter || self == UInt8(ascii: "_") }

    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
