/// A word of Nextflow's Groovy.
struct NextflowToken: Sendable {
    enum Kind: Sendable {
        case name(String)
        /// Text without interpolation.
        case string(String)
        /// Text with `$name` or `${…}` in it.
        case template([NextflowTemplatePart])
        case number(String)
        case symbol(String)
        case newline
        case end
    }

    var kind: Kind
    /// From 1.
    var line: Int32
    /// Bytes of the source it takes.
    var start: Int32
    var stop: Int32

    func isSymbol(_ text: String) -> Bool { if case .symbol(let own) = kind { own == text } else { false } }

    func isName(_ text: String) -> Bool { if case .name(let own) = kind { own == text } else { false } }

    var name: String? { if case .name(let text) = kind { text } else { nil } }

    var symbol: String? { if case .symbol(let text) = kind { text } else { nil } }

    var isNewline: Bool { if case .newline = kind { true } else { false } }

    var isEnd: Bool { if case .end = kind { true } else { false } }
}

/// A piece of an interpolated text.
enum NextflowTemplatePart: Sendable {
    case text(String)
    /// The words of one placeholder, closed by `end`.
    case placeholder([NextflowToken])
}
