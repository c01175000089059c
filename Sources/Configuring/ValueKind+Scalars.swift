import Model

extension ValueKind where Value == Duration {
    static func duration(_ low: Duration, _ high: Duration) -> ValueKind {
        let bounds = "rom \(DurationText.format(low)) to \(DurationText.format(high))"
        return text("a duration such as \"30s\" f\(bounds)", .reference("duration"), "F\(bounds).", DurationText.format)
        {
            DurationText.parse($0).flatMap { (low...high).contains($0) ? $0 : nil }
        }
    }
}

extension ValueKind where Value == ByteCount {
    static func size(_ example: String, atLeast least: ByteCount? = nil) -> ValueKind {
        let bound = least.map { " of at least \($0)," } ?? ""
        let note = least.map { "At least \($0)." }
        return text("a size\(bound) such as \"\(example)\"", .reference("size"), note, \.description) {
            ByteCount(parsing: $0).flatMap { $0 < least ?? $0 ? nil : $0 }
        }
    }
}

extension ValueKind where Value == Glob {
    static func glob(_ expected: String = "a pattern such as \"team-*\"") -> ValueKind {
        text(expected, .reference("glob"), nil, \.pattern) { Glob($0) }
    }
}

extension ValueKind where Value: RawRepresentable & CaseIterable & Equatable, Value.RawValue == String {
    static var choice: ValueKind { choice(of: Array(Value.allCases)) }

    static func choice(of values: [Value]) -> ValueKind {
        let names = values.map { "\"\($0.rawValue)\"" }
        let expected = names.count == 2 ? names.joined(separator: " or ") : "one of \(names.joined(separator: ", "))"
        return text(expected, ["enum": .array(values.map { .string($0.rawValue) })], nil, \.rawValue) { text in
            values.first { $0.rawValue == text }
        }
    }
}

extension ValueKind {
    /// What stands in the file as a string.
    static func text(
        _ expected: String,
        _ schema: JSONText,
        _ note: String?,
        _ write: @escaping @Sendable (Value) -> String,
        _ parse: @escaping @Sendable (String) -> Value?
    ) -> ValueKind {
        ValueKind(expected, schema, note: note, write: { .string(write($0)) }, parse: { $0.string.flatMap(parse) })
    }
}

extension ValueKind where Value == String {
    /// Text that is not empty and has no control characters.
    ///
    /// - Parameter pattern: Must be found in it; the schema says so too.
    /// - Parameter holds: What a pattern cannot say.
    static func text(
        _ expected: String,
        _ pattern: Pattern? = nil,
        where holds: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> ValueKind {
        let limit: JSONText = pattern.map { ["pattern": .string($0.text)] } ?? ["minLength": 1]
        return text(expected, (["type": "string"] as JSONText).adding(limit), nil, \.self) { text in
            let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
            return isPlain && pattern?.isFound(in: text) != false && holds(text) ? text : nil
        }
    }

    /// A path from the root, without `..`.
    static func absolutePath(_ expected: String = "an absolute path", _ pattern: Pattern = "^/") -> ValueKind {
        text(expected, pattern) { !$0.split(separator: "/").contains("..") }
    }
}

/// A regular expression in what JSON Schema (ECMA 262) and Swift have in common.
struct Pattern: Sendable, ExpressibleByStringInterpolation {
    let text: String

    init(stringLiteral text: String) { self.text = text }

    /// Never where the pattern is none, which any test of its key would show.
    func isFound(in text: String) -> Bool { (try? Regex(self.text)).map { text.contains($0) } ?? false }
}

extension ValueKind where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> ValueKind {
        let (low, high) = (JSONText.number("\(range.lowerBound)"), JSONText.number("\(range.upperBound)"))
        return ValueKind(
            "a whole number from \(range.lowerBound) to \(range.upperBound)",
            ["type": "integer", "minimum": low, "maximum": high],
            write: { .number("\($0)") },
            parse: { $0.number.flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil } }
        )
    }
}

extension ValueKind where Value == Double {
    /// Above zero; fractions too, whole ones written without a point.
    static func number(atMost high: Int) -> ValueKind {
        ValueKind(
            "a number above 0, at most \(high)",
            ["type": "number", "exclusiveMinimum": 0, "maximum": .number("\(high)")],
            write: { .number(Int(exactly: $0)?.description ?? $0.description) },
            parse: { $0.number.flatMap { Double($0) }.flatMap { $0 > 0 && $0 <= Double(high) ? $0 : nil } }
        )
    }
}

extension ValueKind where Value == Bool {
    static var flag: ValueKind { ValueKind("true or false", ["type": "boolean"], write: JSONText.bool, parse: \.bool) }
}

extension ValueKind where Value == JSONText {
    /// One value and no other.
    static func constant(_ value: JSONText) -> ValueKind {
        ValueKind(value.text(), ["const": value], write: \.self, parse: { $0.shown == value.text() ? value : nil })
    }
}

extension ValueKind where Value == [Glob] {
    /// One pattern or several, of which one must match.
    static var patterns: ValueKind { patterns("a pattern or an array of patterns", "glob") { Glob($0) } }

    /// The same over who asks: words with single spaces between them.
    static var callers: ValueKind {
        patterns("a pattern such as \"user ann\" or \"agent *\", or an array of them", "callerGlob") { Glob(words: $0) }
    }

    private static func patterns(
        _ expected: String,
        _ definition: String,
        _ glob: @escaping @Sendable (String) -> Glob?
    ) -> ValueKind {
        let several: JSONText = ["type": "array", "items": .reference(definition), "minItems": 1]
        return ValueKind(
            expected,
            ["anyOf": [.reference(definition), several]],
            write: { .array($0.map { .string($0.pattern) }) },
            parse: { node in
                if let glob = node.string.flatMap(glob) { return [glob] }
                guard case .array(let elements) = node.value, !elements.isEmpty else { return nil }
                let globs = elements.compactMap { $0.string.flatMap(glob) }
                return globs.count == elements.count ? globs : nil
            }
        )
    }
}

extension JSONText {
    /// What several keys refer to.
    static let definitions: JSONText = [
        "duration": [
            "description": "Whole numbers with the units d, h, m, s, ms, the larger first: 30s, 1h30m, 3d.",
            "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2,
        ],
        "size": [
            "description": "A number with a unit: B, kB, MB, GB, TB (by 1000), KiB, MiB, GiB, TiB (by 1024).",
            "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        ],
        "glob": ["description": "A pattern over the whole text.", "type": "string", "pattern": "^[^\\s]+$"],
        "callerGlob": [
            "description": "A pattern over the whole text: words with single spaces between them.", "type": "string",
            "pattern": "^[^\\s]+( [^\\s]+)*$",
        ],
    ]
}

extension Duration {
    static func hours(_ hours: Int) -> Duration { .seconds(hours * 3600) }
    static func days(_ days: Int) -> Duration { .hours(days * 24) }
    static func years(_ years: Int) -> Duration { .days(years * 366) }
}
