extension ParameterValue {
    /// The value as JSON, indented by two spaces, keys sorted; control characters are escaped, so that it is safe on a
    /// terminal.
    package var text: String {
        var bytes: [UInt8] = []
        write(into: &bytes, indentation: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value as JSON on one line, keys sorted; control characters are escaped as in `text`.
    package var line: String {
        var bytes: [UInt8] = []
        writeLine(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func writeLine(into bytes: inout [UInt8]) {
        switch self {
        case .null, .bool, .number, .string: write(into: &bytes, indentation: 0)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.writeLine(into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(member.key, into: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.writeLine(into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private func write(into bytes: inout [UInt8], indentation: Int) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .number(let text): bytes += text.utf8
        case .string(let text): Self.write(text, into: &bytes)
        case .array(let elements):
            Self.write(elements, between: ("[", "]"), into: &bytes, indentation) { element, bytes in
                element.write(into: &bytes, indentation: indentation + 2)
            }
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            Self.write(sorted, between: ("{", "}"), into: &bytes, indentation) { member, bytes in
                Self.write(member.key, into: &bytes)
                bytes += ": ".utf8
                member.value.write(into: &bytes, indentation: indentation + 2)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element],
        between brackets: (String, String),
        into bytes: inout [UInt8],
        _ indentation: Int,
        element write: (Element, inout [UInt8]) -> Void
    ) {
        bytes += brackets.0.utf8
        for (index, element) in elements.enumerated() {
            bytes += (index > 0 ? ",\n" : "\n").utf8
            bytes += [UInt8](repeating: 0x20, count: indentation + 2)
            write(element, &bytes)
        }
        if !elements.isEmpty {
            bytes.append(0x0A)
            bytes += [UInt8](repeating: 0x20, count: indentation)
        }
        bytes += brackets.1.utf8
    }

    private static func write(_ text: String, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: bytes += "\\\"".utf8
            case 0x5C: bytes += "\\\\".utf8
            case 0x0A: bytes += "\\n".utf8
            case 0x09: bytes += "\\t".utf8
            case 0..<0x20, 0x7F..<0xA0, 0x200B..<0x2010, 0x2028..<0x202F, 0x2060..<0x2070, 0xFEFF:
                let digits = String(scalar.value, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes += Array(String(scalar).utf8)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
