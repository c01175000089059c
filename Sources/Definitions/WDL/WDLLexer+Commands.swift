/// The bodies of commands: shell text, passed over as one token.
extension WDLLexer {
    /// After the word `command`: its whole body, as one token.
    mutating func command(after start: Int) {
        guard position - start == 7, bytes[start..<position].elementsEqual("command".utf8) else { return }
        var body = position
        while body < bytes.count, bytes[body].isWDLSpace { body += 1 }
        guard body < bytes.count else { return }
        if bytes[body] == UInt8(ascii: "{") {
            endCommand(at: endOfBraces(from: body + 1), start: body)
        } else if bytes[body...].starts(with: [0x3C, 0x3C, 0x3C]) {
            // `\>>>` is the text `>>>`.
            var end = body + 3
            while end < bytes.count {
                if bytes[end...].starts(with: [0x3E, 0x3E, 0x3E]), bytes[end - 1] != UInt8(ascii: "\\") { break }
                end += 1
            }
            endCommand(at: end < bytes.count ? end + 3 : nil, start: body)
        }
    }

    private mutating func endCommand(at end: Int?, start: Int) {
        let first = line
        if end == nil { fault("a command does not end") }
        let end = end ?? bytes.count
        for index in position..<end where bytes[index] == 0x0A { line &+= 1 }
        position = end
        append(.command, from: start, line: first)
    }

    /// Where `command { … }` ends: by the specification at the first brace outside placeholders; but shell text has
    /// braces too, so the first one behind which a task goes on.
    private mutating func endOfBraces(from start: Int) -> Int? {
        var index = start
        var first: Int?
        var depth = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            if (byte == UInt8(ascii: "$") || byte == UInt8(ascii: "~")) && next == UInt8(ascii: "{") {
                depth += 1
                index += 1
            } else if depth > 0, byte == UInt8(ascii: "{") {
                depth += 1
            } else if depth > 0, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                index = endOfQuotes(from: index) ?? index
            } else if byte == UInt8(ascii: "}") {
                if depth > 0 {
                    depth -= 1
                } else {
                    if first == nil { first = index + 1 }
                    if endsAtFirstBrace || taskGoesOn(from: index + 1) { return index + 1 }
                    // A brace in a comment behind a brace, and so on: the same text may be looked through again and again.
                    endsAtFirstBrace = lookedAhead > 4 * bytes.count
                }
            }
            index += 1
        }
        endsAtFirstBrace = true
        return first
    }

    /// The quote that ends the string at `start`, on the same line.
    private func endOfQuotes(from start: Int) -> Int? {
        var index = start + 1
        while index < bytes.count, bytes[index] != 0x0A {
            if bytes[index] == bytes[start] { return index }
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    private static let sections = ["runtime", "output", "meta", "parameter_meta", "requirements", "hints", "input"]
    private static let types = [
        "String", "File", "Int", "Float", "Boolean", "Array", "Map", "Pair", "Object", "Directory",
    ]

    /// Whether what stands here continues a task: its end, a section, or a declaration.
    private mutating func taskGoesOn(from start: Int) -> Bool {
        let index = passed(from: start) { $0.isWDLSpace }
        lookedAhead += index - start
        guard index < bytes.count, bytes[index] != UInt8(ascii: "}") else { return true }
        let end = passed(from: index) { $0.isWDLName }
        let word = bytes[index..<end]
        if Self.sections.contains(where: { word.elementsEqual($0.utf8) }) {
            let brace = passed(from: end) { $0.isWDLSpace }
            return brace < bytes.count && bytes[brace] == UInt8(ascii: "{")
        }
        guard let first = word.first, first.isWDLNameStart else { return false }
        return declares(behind: end, type: word)
    }

    /// Whether a type, whose first word is given, is followed by a name. A word that is no type of the language declares
    /// only with ` = `: other words are shell text.
    private func declares(behind start: Int, type word: ArraySlice<UInt8>) -> Bool {
        var end = start
        var open = 0
        while end < bytes.count {
            let byte = bytes[end]
            if byte == UInt8(ascii: "[") { open += 1 }
            if byte == UInt8(ascii: "]") { open -= 1 }
            let isQuantifier = byte == UInt8(ascii: "?") || byte == UInt8(ascii: "+")
            let isInside = open > 0 && (byte.isWDLName || byte == UInt8(ascii: ",") || byte == 0x20)
            guard byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") || isQuantifier || isInside else { break }
            end += 1
        }
        let name = passed(from: end) { $0 == 0x20 || $0 == 0x09 }
        let behind = passed(from: name) { $0.isWDLName }
        guard open == 0, name > start, behind > name, bytes[name].isWDLNameStart else { return false }
        let sign = passed(from: behind) { $0 == 0x20 || $0 == 0x09 }
        let isBound = sign < bytes.count && bytes[sign] == UInt8(ascii: "=")
        if Self.types.contains(where: { word.elementsEqual($0.utf8) }) {
            return isBound || sign == bytes.count || bytes[sign] == 0x0A || bytes[sign] == 0x0D
        }
        return isBound && sign > behind
    }

    /// The first byte from `start` on that is not of a kind, behind comments where line ends are of that kind.
    private func passed(from start: Int, _ isPassed: (UInt8) -> Bool) -> Int {
        var index = start
        while index < bytes.count {
            if isPassed(bytes[index]) {
                index += 1
            } else if bytes[index] == UInt8(ascii: "#"), isPassed(0x0A) {
                while index < bytes.count, bytes[index] != 0x0A { index += 1 }
            } else {
                break
            }
        }
        return index
    }
}
