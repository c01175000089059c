/// A number of bytes, written in the configuration with a unit: `"512KiB"`, `"10MB"`, `"2GiB"`.
package struct ByteCount: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Never negative.
    package let bytes: Int64

    package init(_ bytes: Int64) { self.bytes = max(0, bytes) }

    /// Reads digits (with at most one decimal point) and a unit: `B`, `kB`, `MB`, `GB`, `TB` by 1000, `KiB`, `MiB`,
    /// `GiB`, `TiB` by 1024; nil for anything else, a missing unit too.
    package init?(parsing text: String) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = String(text.dropFirst(number.count))
        guard let factor = Self.units.first(where: { $0.name == unit || (unit == "KB" && $0.name == "kB") })?.factor,
            let first = number.first, first != ".", number.last != ".", let value = Double(number),
            value * Double(factor) < 9e18
        else { return nil }
        if let whole = Int64(number) {
            bytes = whole * factor
        } else {
            bytes = Int64((value * Double(factor)).rounded())
        }
    }

    /// Largest first, so that `description` takes the largest that divides.
    private static let units: [(name: String, factor: Int64)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000),
        ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1000), ("B", 1),
    ]

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    /// As the configuration would write it, exactly: `2GiB`, `1500kB`.
    package var description: String {
        guard bytes > 0, let unit = Self.units.first(where: { bytes % $0.factor == 0 }) else { return "\(bytes)B" }
        return "\(bytes / unit.factor)\(unit.name)"
    }
}

/// Durations as the configuration writes them: `"500ms"`, `"30s"`, `"10m"`, `"24h"`, `"3d"`, and in a row `"1h30m"`.
package enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Nil for anything but whole numbers with units, the larger unit first, up to 1000 years.
    package static func parse(_ text: String) -> Duration? {
        var rest = text[...]
        var total: Int64 = 0
        var last = -1
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !("0"..."9").contains($0) }
            rest = rest.dropFirst(name.count)
            guard let number = Int64(digits), let index = units.firstIndex(where: { $0.name == name }), index > last
            else { return nil }
            last = index
            let (product, overflow) = number.multipliedReportingOverflow(by: units[index].milliseconds)
            guard !overflow, product <= 365_000 * 86_400_000 else { return nil }
            total += product
        }
        guard last >= 0, total <= 365_000 * 86_400_000 else { return nil }
        return .milliseconds(total)
    }

    /// The shortest text that reads back as the same duration (to the millisecond): `24h` stays `24h`, `90s` is `90s`.
    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        // A day is written in hours, as operators do; two and more in days.
        for unit in units where milliseconds % unit.milliseconds == 0 {
            if unit.name == "d", milliseconds == unit.milliseconds { continue }
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}

/// A glob over a whole text: `*` is any run of characters, `/` too, `?` is one character; all else is itself.
package struct Glob: Sendable, Hashable, CustomStringConvertible {
    package let pattern: String

    /// Covers every text.
    package static let any = Glob(known: "*")

    private init(known pattern: String) { self.pattern = pattern }

    /// Nil for an empty pattern, white space or control characters, which never match a name.
    package init?(_ pattern: String) {
        guard !pattern.isEmpty, pattern.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else {
            return nil
        }
        self.pattern = pattern
    }

    /// The same for texts of words with single spaces between them, such as `user ann`.
    package init?(words pattern: String) {
        let words = pattern.split(separator: " ", omittingEmptySubsequences: false)
        guard words.allSatisfy({ Glob(String($0)) != nil }) else { return nil }
        self.pattern = pattern
    }

    /// Whether the pattern covers the whole text. Time is at most the product of both lengths.
    package func matches(_ text: String) -> Bool {
        let pattern = Array(self.pattern.utf8)
        let text = Array(text.utf8)
        var patternIndex = 0
        var textIndex = 0
        var star: Int?
        var mark = 0
        while textIndex < text.count {
            if patternIndex < pattern.count, pattern[patternIndex] == UInt8(ascii: "*") {
                star = patternIndex
                mark = textIndex
                patternIndex += 1
            } else if patternIndex < pattern.count,
                pattern[patternIndex] == text[textIndex] || pattern[patternIndex] == UInt8(ascii: "?")
            {
                patternIndex += 1
                textIndex += 1
            } else if let star {
                patternIndex = star + 1
                mark += 1
                textIndex = mark
            } else {
                return false
            }
        }
        return pattern[patternIndex...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    package var description: String { pattern }
}
