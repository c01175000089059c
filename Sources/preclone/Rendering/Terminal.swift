import Foundation
import Precloning

#if canImport(Glibc)
import Glibc
import Model
#endif

/// What is known of the place that output goes to.
struct Terminal: Sendable, Hashable {
    /// Nil where output is not a terminal: nothing is cut then.
    var width: Int?
    /// Lines; nil where output is not a terminal.
    var height: Int?
    /// Colour is wanted and understood; it never is the only sign of anything.
    var hasColour: Bool

    init(width: Int?, height: Int? = nil, hasColour: Bool) {
        self.width = width
        self.height = height
        self.hasColour = hasColour
    }

    /// Standard output, or another descriptor, as it is, with `NO_COLOR` (no-color.org), `TERM` and `COLUMNS` obeyed.
    static func current(
        of descriptor: Int32 = STDOUT_FILENO,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Terminal {
        guard isatty(descriptor) == 1 else { return Terminal(width: nil, hasColour: false) }
        var size = winsize()
        let known = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let width = environment["COLUMNS"].flatMap(Int.init) ?? (known ? Int(size.ws_col) : 80)
        let plain = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return Terminal(
            width: max(width, 20),
            height: known && size.ws_row > 0 ? Int(size.ws_row) : 24,
            hasColour: !plain && environment["TERM"] != "dumb"
        )
    }

    /// The lines as one screen that replaces the last one. It is written over, not cleared first, and so does not flicker;
    /// what the screen has no room for is counted, since lines beyond it would push the first ones out.
    static func screen(_ lines: [String], height: Int) -> String {
        var shown = lines
        if lines.count > max(2, height - 1) {
            let room = max(1, height - 2)
            shown = Array(lines.prefix(room)) + ["… \(Phrase.count(lines.count - room, "more line"))"]
        }
        return "\u{1B}[H" + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }

    /// A line on standard output.
    static func print(_ text: String) throws(StandardStream.WriteFailure) { try write(text + "\n") }

    /// Text on standard output as it is.
    static func write(_ text: String) throws(StandardStream.WriteFailure) { try StandardStream.output.write(text) }

    /// Whether standard error is a person's terminal, where a line may be drawn again.
    static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

    /// That terminal; nil where there is none.
    static var interactive: Terminal? { isInteractive ? current(of: STDERR_FILENO) : nil }

    /// A line for people on standard error that the next one replaces; of a terminal's width, since a longer one would not
    /// be replaced whole. An empty one takes it away.
    static func status(_ text: String) {
        let width = interactive?.width ?? 80
        remark("\r\u{1B}[K" + DisplayWidth.cut(PrintableText.stripped(text), to: width - 1, .middle))
    }

    /// A remark for people, on standard error.
    static func note(_ text: String) {
        remark("note: \(PrintableText.stripped(text))\n")
    }

    /// An error for people, one line, and what to do about it on a second.
    static func complain(_ message: String, hint: String? = nil) {
        let lines = message.split(separator: "\n", omittingEmptySubsequences: true)
        var text = lines.map { "error: \(PrintableText.stripped(String($0)))\n" }.joined()
        if let hint { text += "hint: \(PrintableText.stripped(hint))\n" }
        remark(text)
    }

    /// On standard error; where that takes nothing, there is nobody left to tell, and the exit code says how it ended.
    static func remark(_ text: String) { try? StandardStream.error.write(text) }
}

/// The meaning of a piece of text, which a terminal may show by colour.
enum Tone: Sendable, Hashable {
    case plain, good, warning, bad, dim, heading

    fileprivate var code: String? {
        switch self {
        case .plain: nil
        case .good: "32"
        case .warning: "33"
        case .bad: "31"
        case .dim: "2"
        case .heading: "1"
        }
    }
}

/// Text from anywhere, made safe to print when it is made.
struct StyledText: Sendable, Hashable, ExpressibleByStringInterpolation {
    let text: String
    let tone: Tone

    init(_ text: String, _ tone: Tone = .plain) {
        self.text = PrintableText.stripped(text)
        self.tone = tone
    }

    init(stringLiteral value: String) { self.init(value) }

    func rendered(for terminal: Terminal) -> String {
        guard terminal.hasColour, let code = tone.code, !text.isEmpty else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
