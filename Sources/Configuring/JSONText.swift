/// A JSON document whose keys keep their order, for people to read.
enum JSONText: Sendable, Hashable {
    struct Member: Sendable, Hashable {
        var key: String
        var value: JSONText
    }

    case null
    case bool(Bool)
    /// The number as it is written.
    case number(String)
    case string(String)
    case array([JSONText])
    case object([Member])

    /// An object with more keys at its end; anything else as it is.
    func adding(_ more: JSONText) -> JSONText {
        guard case .object(let members) = self, case .object(let others) = more else { return self }
        return .object(members + others)
    }

    /// Two spaces a level; what has no parts of parts stands on one line, if it fits into 120 characters.
    ///
    /// - Parameter indent: of the line that the value begins in.
    /// - Parameter taken: characters of the line before the value.
    func text(indent: Int = 0, taken: Int = 0) -> String {
        let line = oneLine
        if parts.isEmpty || (parts.allSatisfy(\.isFlat) && taken + line.count < 120) { return line }
        let margin = "\n" + String(repeating: " ", count: indent + 2)
        let close = "\n" + String(repeating: " ", count: indent)
        guard case .object(let members) = self else {
            let lines = parts.map { margin + $0.text(indent: indent + 2, taken: indent + 2) }
            return "[" + lines.joined(separator: ",") + close + "]"
        }
        let lines = members.map { member in
            let key = Self.quote(member.key) + ": "
            return margin + key + member.value.text(indent: indent + 2, taken: indent + 2 + key.count)
        }
        return "{" + lines.joined(separator: ",") + close + "}"
    }

    private var parts: [JSONText] {
        switch self {
        case .array(let elements): elements
        case .object(let members): members.map(\.value)
        default: []
        }
    }

    private var isFlat: Bool {
        if case .object = self { parts.isEmpty } else { parts.allSatisfy(\.parts.isEmpty) }
    }

    private var oneLine: String {
        switch self {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .number(let text): text
        case .string(let text): Self.quote(text)
        case .array(let elements): "[" + elements.map(\.oneLine).joined(separator: ", ") + "]"
        case .object(let members):
            members.isEmpty
                ? "{}"
                : "{ " + members.map { Self.quote($0.key) + ": " + $0.value.oneLine }.joined(separator: ", ") + " }"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// Fragments of a schema are written as literals.
extension JSONText: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    init(stringLiteral text: String) { self = .string(text) }
    init(integerLiteral number: Int) { self = .number(String(number)) }
    init(booleanLiteral flag: Bool) { self = .bool(flag) }
}

extension JSONText: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    init(arrayLiteral elements: JSONText...) { self = .array(elements) }
    init(dictionaryLiteral members: (String, JSONText)...) {
        self = .object(members.map { Member(key: $0.0, value: $0.1) })
    }
}
