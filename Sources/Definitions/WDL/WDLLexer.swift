/// Cuts a WDL text of any version into tokens. It never fails: what it cannot read becomes a fault and is passed over.
struct WDLLexer {
    /// Strings inside placeholders inside strings …: deeper is read as plain text.
    private static let maximumNesting = 16
    private static let maximumFaults = 20

    let bytes: [UInt8]
    var position = 0
    var line: Int32 = 1
    private var startsLine = true
    /// Set when a command was looked through to the end of the file for nothing: once is enough.
    var endsAtFirstBrace = false
    /// Bytes looked at behind braces in commands.
    var lookedAhead = 0
    private(set) var tokens: [WDLToken] = []
    private(set) var faults: [WDLFault] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tokens.reserveCapacity(bytes.count / 8)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// Reads the whole text; the last token is `end`.
    ///
    /// - Returns: Whether it has no more tokens than that.
    mutating func read(atMost limit: Int) -> Bool {
        while position < bytes.count {
            next(nesting: 0)
            if tokens.count > limit { return false }
        }
        append(.end, from: bytes.count)
        return true
    }

    private func byte(_ offset: Int = 0) -> UInt8 {
        let index = position + offset
        return index < bytes.count ? bytes[index] : 0
    }

    mutating func append(_ kind: WDLToken.Kind, from start: Int, sign: UInt8 = 0, line: Int32? = nil) {
        tokens.append(
            WDLToken(
                kind: kind,
                sign: sign,
                startsLine: startsLine,
                start: Int32(clamping: start),
                end: Int32(clamping: position),
                line: line ?? self.line
            )
        )
        startsLine = false
    }

    mutating func fault(_ message: String) {
        if faults.count < Self.maximumFaults { faults.append(WDLFault(line: Int(line), message: message)) }
    }

    private mutating func next(nesting: Int) {
        let byte = byte()
        let start = position
        if byte == 0x0A {
            line &+= 1
            startsLine = true
            position += 1
        } else if byte.isWDLSpace {
            position += 1
        } else if byte == UInt8(ascii: "#") {
            while position < bytes.count, bytes[position] != 0x0A { position += 1 }
        } else if byte.isWDLNameStart {
            while self.byte().isWDLName { position += 1 }
            append(.name, from: start)
            if nesting == 0 { command(after: start) }
        } else if byte.isWDLDigit || (byte == UInt8(ascii: ".") && self.byte(1).isWDLDigit && !followsOperand) {
            number()
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            string(quote: byte, nesting: nesting)
        } else if isTripleAngle(UInt8(ascii: "<")) {
            multilineString(nesting: nesting)
        } else {
            punctuation(byte)
        }
    }

    /// Whether a point here is a member access.
    private var followsOperand: Bool {
        guard let last = tokens.last, Int(last.end) == position else { return false }
        return last.kind == .name || last.sign == UInt8(ascii: ")") || last.sign == UInt8(ascii: "]")
    }

    private func isTripleAngle(_ angle: UInt8) -> Bool {
        byte() == angle && byte(1) == angle && byte(2) == angle
    }

    private mutating func number() {
        let start = position
        var isFloat = false
        if byte() == UInt8(ascii: "0"), byte(1) | 0x20 == UInt8(ascii: "x") {
            position += 2
            while byte().isWDLName { position += 1 }
        } else {
            while byte().isWDLDigit { position += 1 }
            if byte() == UInt8(ascii: "."), byte(1) != UInt8(ascii: "."), !byte(1).isWDLNameStart {
                isFloat = true
                position += 1
                while byte().isWDLDigit { position += 1 }
            }
            let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
            if byte() | 0x20 == UInt8(ascii: "e"), byte(sign ? 2 : 1).isWDLDigit {
                isFloat = true
                position += sign ? 2 : 1
                while byte().isWDLDigit { position += 1 }
            }
        }
        append(isFloat ? .float : .integer, from: start)
    }

    private mutating func punctuation(_ byte: UInt8) {
        let start = position
        let second = self.byte(1)
        var sign = byte
        switch (byte, second) {
        case (UInt8(ascii: "&"), UInt8(ascii: "&")): sign = WDLSign.and
        case (UInt8(ascii: "|"), UInt8(ascii: "|")): sign = WDLSign.or
        case (UInt8(ascii: "="), UInt8(ascii: "=")): sign = WDLSign.equal
        case (UInt8(ascii: "!"), UInt8(ascii: "=")): sign = WDLSign.notEqual
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): sign = WDLSign.lessOrEqual
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): sign = WDLSign.greaterOrEqual
        case (UInt8(ascii: "*"), UInt8(ascii: "*")): sign = WDLSign.power
        default: break
        }
        position += sign == byte ? 1 : 2
        if byte >= 0x80 || byte < 0x20 {
            fault("a byte that no WDL text holds outside strings and comments")
        } else {
            append(.punctuation, from: start, sign: sign)
        }
    }

    // MARK: Strings

    private mutating func string(quote: UInt8, nesting: Int) {
        append(.stringStart, from: position)
        position += 1
        var start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == quote {
                if position > start { append(.text, from: start) }
                append(.stringEnd, from: position, sign: quote)
                position += 1
                return
            }
            if byte == 0x0A { break }
            if byte == UInt8(ascii: "\\") {
                position += self.byte(1) == 0x0A ? 1 : 2
            } else if isPlaceholder, nesting < Self.maximumNesting {
                if position > start { append(.text, from: start) }
                placeholder(nesting: nesting)
                start = position
            } else {
                position += 1
            }
        }
        position = min(position, bytes.count)
        fault("a string does not end on its line")
        if position > start { append(.text, from: start) }
        append(.stringEnd, from: position, sign: quote)
    }

    /// `<<< … >>>` of WDL 1.2; common indentation is taken off by the parser.
    private mutating func multilineString(nesting: Int) {
        append(.stringStart, from: position, sign: UInt8(ascii: "<"))
        position += 3
        var start = position
        while position < bytes.count, !isTripleAngle(UInt8(ascii: ">")) {
            if bytes[position] == 0x0A {
                line &+= 1
                position += 1
            } else if bytes[position] == UInt8(ascii: "\\") {
                position += byte(1) == 0x0A ? 1 : 2
            } else if isPlaceholder, byte() == UInt8(ascii: "~"), nesting < Self.maximumNesting {
                if position > start { append(.text, from: start) }
                placeholder(nesting: nesting)
                start = position
            } else {
                position += 1
            }
        }
        position = min(position, bytes.count)
        if position > start { append(.text, from: start) }
        append(.stringEnd, from: position, sign: UInt8(ascii: ">"))
        if position == bytes.count { fault("a string in `<<<` does not end") } else { position += 3 }
    }

    private var isPlaceholder: Bool {
        (byte() == UInt8(ascii: "~") || byte() == UInt8(ascii: "$")) && byte(1) == UInt8(ascii: "{")
    }

    private mutating func placeholder(nesting: Int) {
        append(.placeholderStart, from: position)
        position += 2
        var depth = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "}") {
                if depth == 0 {
                    append(.placeholderEnd, from: position)
                    position += 1
                    return
                }
                depth -= 1
            } else if byte == UInt8(ascii: "{") {
                depth += 1
            }
            next(nesting: nesting + 1)
        }
        fault("a placeholder does not end")
        append(.placeholderEnd, from: position)
    }
}
