/// One token of a WDL text. A string is a run of tokens: `stringStart`, then `text` and placeholders, then `stringEnd`.
struct WDLToken {
    enum Kind: UInt8 {
        case name, integer, float, punctuation
        case stringStart, text, stringEnd
        /// `~{` or `${` inside a string, and the brace that ends it.
        case placeholderStart, placeholderEnd
        /// The whole body of a `command`, unread.
        case command
        case end
    }

    var kind: Kind
    /// For punctuation: the character, or a code of `WDLSign` for a sign of two.
    var sign: UInt8
    /// Whether it is the first token of its line.
    var startsLine: Bool
    var start: Int32
    var end: Int32
    /// From 1.
    var line: Int32
}

/// Punctuation of two characters, in codes that no single character has.
enum WDLSign {
    static let and: UInt8 = 0x80
    static let or: UInt8 = 0x81
    static let equal: UInt8 = 0x82
    static let notEqual: UInt8 = 0x83
    static let lessOrEqual: UInt8 = 0x84
    static let greaterOrEqual: UInt8 = 0x85
    static let power: UInt8 = 0x86
}

/// Something wrong in a text, with its line.
struct WDLFault: Error {
    var line: Int
    var message: String
}

extension UInt8 {
    var isWDLNameStart: Bool {
        (0x61...0x7A).contains(self) || (0x41...0x5A).contains(self) || self == UInt8(ascii: "_")
    }
    var isWDLDigit: Bool { (0x30...0x39).contains(self) }
    var isWDLName: Bool { isWDLNameStart || isWDLDigit }
    var isWDLSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D || self == 0x0C }
}
