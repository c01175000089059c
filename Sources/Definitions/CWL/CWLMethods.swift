/// The methods of strings and lists that images are built with.
enum CWLMethods {
    /// nil where the method is not one of them, or its arguments are unusual.
    static func call(_ base: ParameterValue, _ name: String, _ arguments: [ParameterValue]) -> ParameterValue? {
        switch base {
        case .string(let text): string(text, name, arguments)
        case .array(let elements): list(elements, name, arguments)
        case .number, .bool: name == "toString" && arguments.isEmpty ? base.scriptText.map(ParameterValue.string) : nil
        case .null, .object: nil
        }
    }

    private static func string(_ text: String, _ name: String, _ arguments: [ParameterValue]) -> ParameterValue? {
        let texts = arguments.compactMap { if case .string(let text) = $0 { text } else { nil } }
        switch (name, arguments.count) {
        case ("toString", 0): return .string(text)
        case ("trim", 0): return .string(trimmed(text))
        case ("toLowerCase", 0): return .string(text.lowercased())
        case ("toUpperCase", 0): return .string(text.uppercased())
        default: break
        }
        guard texts.count == arguments.count, let first = texts.first else { return nil }
        switch (name, texts.count) {
        case ("concat", _):
            let joined = texts.joined()
            return text.utf8.count + joined.utf8.count < 10_000 ? .string(text + joined) : nil
        case ("startsWith", 1): return .bool(text.hasPrefix(first))
        case ("endsWith", 1): return .bool(text.hasSuffix(first))
        case ("includes", 1): return .bool(text.contains(first))
        case ("replace", 2):
            // `$` in the replacement has a meaning of its own.
            guard !texts[1].contains("$") else { return nil }
            guard let range = text.firstRange(of: first) else { return .string(text) }
            var replaced = text
            replaced.replaceSubrange(range, with: texts[1])
            return .string(replaced)
        case ("split", 1):
            guard !first.isEmpty else { return nil }
            return .array(text.split(separator: first, omittingEmptySubsequences: false).map { .string(String($0)) })
        default: return nil
        }
    }

    private static func list(_ elements: [ParameterValue], _ name: String, _ arguments: [ParameterValue])
        -> ParameterValue?
    {
        switch (name, arguments.first) {
        case ("join", .string(let separator)):
            let texts = elements.compactMap { $0 == .null ? nil : $0.scriptText }
            guard texts.count == elements.count, texts.reduce(0, { $0 + $1.utf8.count + separator.utf8.count }) < 10_000
            else {
                return nil
            }
            return .string(texts.joined(separator: separator))
        case ("includes", .some(let value)) where value.scriptText != nil: return .bool(elements.contains(value))
        case ("indexOf", .some(let value)) where value.scriptText != nil:
            return .number(String(elements.firstIndex(of: value) ?? -1))
        default: return nil
        }
    }

    /// Without blanks and line ends around it.
    static func trimmed(_ text: String) -> String {
        var bytes = Array(text.utf8)[...]
        while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
