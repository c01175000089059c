/// How many columns of a terminal a text takes.
package enum DisplayWidth {
    /// How a text loses characters where there is no room for all of them.
    package enum Cut: Sendable {
        /// It keeps its width.
        case never
        /// The end goes: sentences.
        case end
        /// The middle goes: references and URIs, whose both ends matter.
        case middle
        /// The beginning goes: names of images, of which the end says most.
        case start
    }

    package static func of(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + width($1) }
    }

    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F1E6...0x1F1FF, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return 1
        }
    }

    /// The text in at most so many columns, with `…` where something is left out.
    package static func cut(_ text: String, to width: Int, _ cut: Cut) -> String {
        guard cut != .never, of(text) > width, width > 0 else { return text }
        let characters = Array(text)
        if cut == .start { return "…" + String(take(characters.reversed()[...], width - 1).reversed()) }
        let front = cut == .end ? width - 1 : (width - 1) / 2
        let head = String(take(characters[...], front))
        if cut == .end { return head + "…" }
        let tail = take(characters.reversed()[...], width - 1 - of(head))
        return head + "…" + String(tail.reversed())
    }

    /// Whole words on lines of at most so many columns; a word that is longer is broken.
    package static func wrapped(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            var rest = Array(word)[...]
            if !line.isEmpty, of(line) + 1 + of(String(rest)) > width {
                lines.append(line)
                line = ""
            }
            while of(String(rest)) > width {
                let head = take(rest, max(1, width))
                // A character that is wider than the line stands alone.
                let taken = head.isEmpty ? rest.prefix(1) : head
                lines.append(String(taken))
                rest = rest.dropFirst(taken.count)
            }
            line += line.isEmpty ? String(rest) : " " + String(rest)
        }
        return lines + (line.isEmpty && !lines.isEmpty ? [] : [line])
    }

    private static func take(_ characters: ArraySlice<Character>, _ width: Int) -> ArraySlice<Character> {
        var left = width
        return characters.prefix { character in
            left -= Self.width(character)
            return left >= 0
        }
    }
}
