extension YAMLParser {
    // MARK: Plain scalars

    /// A plain scalar outside brackets: this line and those below that are indented more than `parent`.
    mutating func plain(parent: Int) -> String {
        var result: [UInt8] = []
        var emptyLines = 0
        var isFirst = true
        while true {
            let start = position
            var end = position
            var isComment = false
            while let byte = peek, byte != 0x0A {
                if byte == UInt8(ascii: "#"), position > start, isSpace(bytes[position - 1]) {
                    isComment = true
                    break
                }
                position += 1
                if !isSpace(byte) { end = position }
            }
            fold(into: &result, emptyLines: emptyLines, isFirst: isFirst)
            result += bytes[start..<end]
            isFirst = false
            let after = position
            if isComment { break }
            emptyLines = skipLineEnds()
            guard position < bytes.count, column > parent, !isAtMarker, peek != UInt8(ascii: "#") else {
                position = after
                break
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A plain scalar inside brackets; lines are folded whatever their indentation.
    mutating func flowPlain() -> String {
        var result: [UInt8] = []
        var emptyLines = 0
        var isFirst = true
        while true {
            let start = position
            var end = position
            while let byte = peek, byte != 0x0A, !isFlowIndicator(byte) {
                if byte == UInt8(ascii: ":") {
                    if isIndicator(position) || isFlowIndicator(bytes[position + 1]) { break }
                } else if byte == UInt8(ascii: "#"), position > start, isSpace(bytes[position - 1]) {
                    break
                }
                position += 1
                if !isSpace(byte) { end = position }
            }
            fold(into: &result, emptyLines: emptyLines, isFirst: isFirst)
            result += bytes[start..<end]
            isFirst = false
            guard peek == 0x0A else { break }
            emptyLines = skipLineEnds()
            guard let byte = peek, !isFlowIndicator(byte), byte != UInt8(ascii: "#"),
                !(byte == UInt8(ascii: ":") && isIndicator(position))
            else { break }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Passes a line end, empty lines and the next indentation; gives the number of empty lines.
    private mutating func skipLineEnds() -> Int {
        var ends = 0
        while let byte = peek, isBlank(byte) {
            if byte == 0x0A { ends += 1 }
            position += 1
        }
        return max(0, ends - 1)
    }

    /// One line end is a space, more are one less.
    private func fold(into result: inout [UInt8], emptyLines: Int, isFirst: Bool) {
        if isFirst { return }
        if emptyLines == 0 {
            result.append(0x20)
        } else {
            result += repeatElement(0x0A, count: emptyLines)
        }
    }

    // MARK: Quoted scalars

    /// A node in quotes of either kind, whose opening one is next.
    mutating func quoted(_ properties: Properties) throws(YAMLFault) -> Int {
        let at = position
        let text = peek == UInt8(ascii: "\"") ? try doubleQuoted() : try singleQuoted()
        return try scalar(text, isPlain: false, at: at, properties)
    }

    mutating func singleQuoted() throws(YAMLFault) -> String {
        let opening = fault("a `'` is not closed")
        position += 1
        var result: [UInt8] = []
        while let byte = peek {
            position += 1
            if byte == UInt8(ascii: "'") {
                guard peek == UInt8(ascii: "'") else { return String(decoding: result, as: UTF8.self) }
                position += 1
                result.append(byte)
            } else if byte == 0x0A {
                foldQuoted(into: &result, keeping: 0)
            } else {
                result.append(byte)
            }
        }
        throw opening
    }

    mutating func doubleQuoted() throws(YAMLFault) -> String {
        let opening = fault("a `\"` is not closed")
        position += 1
        var result: [UInt8] = []
        // Escaped blanks at a line's end stay.
        var kept = 0
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try escape(into: &result)
                kept = result.count
            case 0x0A: foldQuoted(into: &result, keeping: kept)
            default: result.append(byte)
            }
        }
        throw opening
    }

    /// After a line end inside quotes.
    private mutating func foldQuoted(into result: inout [UInt8], keeping kept: Int) {
        while result.count > kept, let last = result.last, isSpace(last) { result.removeLast() }
        position -= 1
        fold(into: &result, emptyLines: skipLineEnds(), isFirst: false)
    }

    private mutating func escape(into result: inout [UInt8]) throws(YAMLFault) {
        guard let byte = peek else { throw fault("the text ends inside an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "0"): result.append(0)
        case UInt8(ascii: "a"): result.append(7)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "t"), 0x09: result.append(9)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "v"): result.append(11)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "e"): result.append(27)
        case UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "\\"): result.append(byte)
        case UInt8(ascii: "N"): result += [0xC2, 0x85]
        case UInt8(ascii: "_"): result += [0xC2, 0xA0]
        case UInt8(ascii: "L"): result += [0xE2, 0x80, 0xA8]
        case UInt8(ascii: "P"): result += [0xE2, 0x80, 0xA9]
        case UInt8(ascii: "x"): try codePoint(digits: 2, into: &result)
        case UInt8(ascii: "u"): try codePoint(digits: 4, into: &result)
        case UInt8(ascii: "U"): try codePoint(digits: 8, into: &result)
        case 0x0A:
            // The line end is escaped: no space.
            position -= 1
            result += repeatElement(0x0A, count: skipLineEnds())
        default: throw fault("unknown escape in a quoted string; write `\\\\` for a backslash")
        }
    }

    private mutating func codePoint(digits: Int, into result: inout [UInt8]) throws(YAMLFault) {
        func number(_ start: Int) -> UInt32? {
            guard start + digits <= bytes.count else { return nil }
            return UInt32(text(start..<start + digits), radix: 16)
        }
        guard var code = number(position) else { throw fault("expected \(digits) hexadecimal digits in an escape") }
        position += digits
        // JSON writes what lies beyond 16 bits as a surrogate pair.
        if 0xD800..<0xDC00 ~= code, digits == 4, position + 6 <= bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u"), let low = number(position + 2), 0xDC00..<0xE000 ~= low
        {
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            position += 6
        }
        result += Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
    }

    // MARK: Block scalars

    /// `|` and `>` with their header.
    mutating func blockScalar(parent: Int) throws(YAMLFault) -> String {
        let isFolded = peek == UInt8(ascii: ">")
        position += 1
        var chomping: UInt8?
        var indentation: Int?
        while let byte = peek, !isBlank(byte) {
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"), chomping == nil {
                chomping = byte
            } else if UInt8(ascii: "1")...UInt8(ascii: "9") ~= byte, indentation == nil {
                indentation = max(0, parent) + Int(byte - UInt8(ascii: "0"))
            } else {
                throw fault("unexpected text after `|` or `>`; the block begins on the next line")
            }
            position += 1
        }
        skipSpaces()
        if peek == UInt8(ascii: "#") { skipLine() }
        guard peek == nil || peek == 0x0A else {
            throw fault("unexpected text after `|` or `>`; the block begins on the next line")
        }
        position = min(position + 1, bytes.count)

        let lines = blockLines(parent: parent, indentation: indentation)
        var result: [UInt8] = []
        var emptyLines = 0
        var wasMoreIndented = false
        var isFirst = true
        for range in lines {
            guard !range.isEmpty else {
                emptyLines += 1
                continue
            }
            let isMoreIndented = isSpace(bytes[range.lowerBound])
            if isFirst {
                result += repeatElement(0x0A, count: emptyLines)
            } else if isFolded, !isMoreIndented, !wasMoreIndented {
                fold(into: &result, emptyLines: emptyLines, isFirst: false)
            } else {
                result += repeatElement(0x0A, count: emptyLines + 1)
            }
            result += bytes[range]
            emptyLines = 0
            isFirst = false
            wasMoreIndented = isMoreIndented
        }
        // A last line that the text's end cuts off has no line end to keep.
        let isCut = position == bytes.count && bytes.last != 0x0A && lines.last?.isEmpty == false
        switch chomping {
        case _ where isCut: break
        case UInt8(ascii: "-"): break
        case UInt8(ascii: "+"): result += repeatElement(0x0A, count: emptyLines + (isFirst ? 0 : 1))
        default: if !isFirst { result.append(0x0A) }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The lines of a block scalar without their indentation; empty ranges for empty lines.
    private mutating func blockLines(parent: Int, indentation given: Int?) -> [Range<Int>] {
        var indentation = given
        var lines: [Range<Int>] = []
        while position < bytes.count {
            let start = position
            var text = start
            while text < bytes.count, bytes[text] == 0x20, indentation.map({ text - start < $0 }) ?? true { text += 1 }
            var end = text
            while end < bytes.count, bytes[end] != 0x0A { end += 1 }
            let isEmpty = text == end
            if !isEmpty {
                let width = text - start
                if indentation == nil {
                    guard width > parent else { break }
                    indentation = width
                }
                if width < (indentation ?? 0) || isMarker(start) {
                    // Less indented: the block is over. A line of blanks alone would have been empty.
                    break
                }
            }
            lines.append(isEmpty ? end..<end : text..<end)
            position = min(end + 1, bytes.count)
        }
        return lines
    }
}
