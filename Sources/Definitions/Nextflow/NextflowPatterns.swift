/// The regular expressions of selectors and conditions. Most are plain names with `|` and `.*`, which are matched here;
/// the rest goes to Swift's own engine, compiled once each.
final class NextflowPatterns {
    private var compiled: [String: Regex<AnyRegexOutput>?] = [:]
    private var simple: [String: [[[UInt8]]]?] = [:]
    private static let longest = 2000

    /// Whether a pattern matches; nil when it cannot be read.
    func matches(_ pattern: String, _ text: String, whole: Bool) -> Bool? {
        guard pattern.utf8.count <= Self.longest, text.utf8.count <= Self.longest else { return nil }
        if whole, let alternatives = pieces(of: pattern) {
            let bytes = Array(text.utf8)
            return alternatives.contains { Self.matches($0, bytes) }
        }
        guard let expression = expression(pattern) else { return nil }
        return whole ? text.wholeMatch(of: expression) != nil : text.firstMatch(of: expression) != nil
    }

    private func expression(_ pattern: String) -> Regex<AnyRegexOutput>? {
        if let known = compiled[pattern] { return known }
        let made = try? Regex(pattern)
        compiled[pattern] = .some(made)
        return made
    }

    /// The alternatives of a simple pattern, each as the pieces between its `.*`; nil for any other.
    private func pieces(of pattern: String) -> [[[UInt8]]]? {
        if let known = simple[pattern] { return known }
        let isSimple = pattern.replacing(".*", with: "").utf8.allSatisfy {
            $0.isNextflowWord || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "|")
        }
        let made: [[[UInt8]]]? =
            isSimple
            ? pattern.split(separator: "|", omittingEmptySubsequences: false).map { alternative in
                alternative.split(separator: ".*", omittingEmptySubsequences: false).map { Array($0.utf8) }
            } : nil
        simple[pattern] = .some(made)
        return made
    }

    /// Pieces with anything between them, the first at the start and the last at the end.
    private static func matches(_ pieces: [[UInt8]], _ text: [UInt8]) -> Bool {
        guard let first = pieces.first, let last = pieces.last, text.starts(with: first) else { return false }
        if pieces.count == 1 { return text.count == first.count }
        var from = first.count
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let found = find(piece, in: text, from: from) else { return false }
            from = found + piece.count
        }
        return text.count - last.count >= from && text.suffix(last.count).elementsEqual(last)
    }

    private static func find(_ piece: [UInt8], in text: [UInt8], from start: Int) -> Int? {
        var index = start
        while index + piece.count <= text.count {
            if text[index..<(index + piece.count)].elementsEqual(piece) { return index }
            index += 1
        }
        return nil
    }
}
