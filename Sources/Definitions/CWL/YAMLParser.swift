/// Reads the first document of a YAML 1.2 text, JSON among them, with a line for every node.
///
/// Written for definitions: duplicate keys are tolerated, merge keys (`<<`) are honoured as the engines do, tags other
/// than `!!str` are ignored. Nesting, nodes and merged keys are bounded.
struct YAMLParser {
    static let maximumDepth = 100
    static let maximumNodes = 500_000

    let bytes: [UInt8]
    var position = 0
    var nodes: [YAMLDocument.Node] = []
    var anchors: [String: Int] = [:]
    var merged = 0
    private let lineStarts: [Int]

    init(_ text: [UInt8]) {
        var bytes = text
        if bytes.contains(0x0D) {
            // Line ends of Windows and of old Macs.
            bytes.removeAll(keepingCapacity: true)
            var previous: UInt8 = 0
            for byte in text {
                if byte == 0x0D {
                    bytes.append(0x0A)
                } else if byte != 0x0A || previous != 0x0D {
                    bytes.append(byte)
                }
                previous = byte
            }
        }
        // A byte order mark is no column of the first line.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        self.bytes = bytes
        var starts = [0]
        var offset = 0
        for byte in bytes {
            offset += 1
            if byte == 0x0A { starts.append(offset) }
        }
        lineStarts = starts
    }

    mutating func document() throws(YAMLFault) -> YAMLDocument {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw YAMLFault(line: 1, message: "the text is UTF-16; save it as UTF-8")
        }
        skipToToken()
        while peek == UInt8(ascii: "%"), column == 0 {
            skipLine()
            skipToToken()
        }
        if isAtMarker, peek == UInt8(ascii: "-") { position += 3 }
        let root = try blockNode(parent: -1, afterKey: false, depth: 0)
        skipToToken()
        if position < bytes.count, !isAtMarker {
            throw fault("the text goes on where the document should end; look at the indentation")
        }
        return YAMLDocument(nodes: nodes, root: root)
    }

    // MARK: Block structure

    /// The node that follows; an empty scalar where nothing is indented more than `parent`.
    ///
    /// - Parameter afterKey: It follows `key:`, so a block collection cannot begin on the same line, but a sequence may
    ///   stand at the key's own column.
    private mutating func blockNode(parent: Int, afterKey: Bool, depth: Int) throws(YAMLFault) -> Int {
        guard depth < Self.maximumDepth else { throw fault("nested deeper than \(Self.maximumDepth) levels") }
        let start = position
        let startLine = line
        skipToToken()
        var properties = Properties()
        var propertyCount = 0
        while true {
            let isNested =
                position < bytes.count && !isAtMarker
                && (line == startLine || column > parent || (afterKey && column == parent && isDash))
            if !isNested { return try scalar("", isPlain: !properties.isString, at: start, properties) }
            // `&a key: value` names the key, not the mapping.
            let isProperty = peek == UInt8(ascii: "&") || peek == UInt8(ascii: "!")
            guard isProperty, !((!afterKey || line != startLine) && isKeyAhead) else { break }
            propertyCount += 1
            // One anchor and one tag are what YAML knows; looking ahead past thousands would be quadratic.
            guard propertyCount <= 4 else { throw fault("more than one anchor and one tag for a value") }
            try property(into: &properties, inFlow: false)
            skipToToken()
        }
        if line != startLine { try refuseTab() }
        let mayNest = !afterKey || line != startLine
        let at = position
        switch bytes[position] {
        case UInt8(ascii: "-") where isDash:
            guard mayNest else { throw fault("a list cannot begin behind a key; put it on the next line") }
            return register(try blockSequence(column: column, depth: depth), properties)
        case UInt8(ascii: "?") where isIndicator(position):
            guard mayNest else { throw fault("a mapping cannot begin behind a key; put it on the next line") }
            return register(try blockMapping(column: column, depth: depth), properties)
        case UInt8(ascii: "|"), UInt8(ascii: ">"):
            let text = try blockScalar(parent: parent)
            return try scalar(text, isPlain: false, at: at, properties)
        default:
            if mayNest, isKeyAhead { return register(try blockMapping(column: column, depth: depth), properties) }
            return try leaf(parent: parent, properties: properties, depth: depth)
        }
    }

    /// A flow collection, alias or scalar that is no key.
    private mutating func leaf(parent: Int, properties: Properties, depth: Int) throws(YAMLFault) -> Int {
        let at = position
        switch bytes[position] {
        case UInt8(ascii: "["), UInt8(ascii: "{"):
            return register(try flowNode(depth: depth + 1), properties)
        case UInt8(ascii: "*"):
            return try alias(inFlow: false)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return try quoted(properties)
        case UInt8(ascii: "@"), UInt8(ascii: "`"), UInt8(ascii: "%"):
            throw fault("a value cannot begin with this character; put it in quotes")
        default:
            let text = plain(parent: parent)
            return try scalar(text, isPlain: !properties.isString, at: at, properties)
        }
    }

    private mutating func blockSequence(column: Int, depth: Int) throws(YAMLFault) -> Int {
        let first = line
        var elements: [Int] = []
        while true {
            skipToToken()
            guard position < bytes.count, self.column == column, isDash, !isAtMarker else { break }
            position += 1
            elements.append(try blockNode(parent: column, afterKey: false, depth: depth + 1))
        }
        return try add(.sequence(elements), line: first)
    }

    private mutating func blockMapping(column: Int, depth: Int) throws(YAMLFault) -> Int {
        let first = line
        var entries: [YAMLDocument.Entry] = []
        while true {
            skipToToken()
            let isFirst = entries.isEmpty
            guard position < bytes.count, !isAtMarker, isFirst || self.column == column else { break }
            if !isFirst { try refuseTab() }
            let key: Int
            if peek == UInt8(ascii: "?"), isIndicator(position) {
                position += 1
                key = try blockNode(parent: column, afterKey: false, depth: depth + 1)
                skipToToken()
                guard position < bytes.count, self.column == column, peek == UInt8(ascii: ":"), isIndicator(position)
                else {
                    entries.append(.init(key: key, value: try scalar("", isPlain: true, at: position, Properties())))
                    continue
                }
            } else {
                guard isKeyAhead else {
                    if isDash, !isFirst { break }
                    throw fault("expected `key:`; look at the indentation and at quotes")
                }
                key = try implicitKey(depth: depth)
                skipSpaces()
                guard peek == UInt8(ascii: ":") else { throw fault("expected `:` after a key") }
            }
            position += 1
            let value = try blockNode(parent: column, afterKey: true, depth: depth + 1)
            try append(.init(key: key, value: value), to: &entries)
        }
        return try add(.mapping(entries), line: first)
    }

    private mutating func implicitKey(depth: Int) throws(YAMLFault) -> Int {
        var properties = Properties()
        while peek == UInt8(ascii: "&") || peek == UInt8(ascii: "!") {
            try property(into: &properties, inFlow: false)
            skipSpaces()
        }
        let at = position
        switch peek {
        case UInt8(ascii: "["), UInt8(ascii: "{"): return register(try flowNode(depth: depth + 1), properties)
        case UInt8(ascii: "*"): return try alias(inFlow: false)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return try quoted(properties)
        default:
            var end = position
            while end < bytes.count, !(bytes[end] == UInt8(ascii: ":") && isIndicator(end)) { end += 1 }
            position = end
            while end > at, isSpace(bytes[end - 1]) { end -= 1 }
            return try scalar(text(at..<end), isPlain: true, at: at, properties)
        }
    }

    /// Whether `key:` stands here on one line.
    private var isKeyAhead: Bool {
        var index = position
        while index < bytes.count, bytes[index] == UInt8(ascii: "&") || bytes[index] == UInt8(ascii: "!") {
            while index < bytes.count, !isBlank(bytes[index]) { index += 1 }
            while index < bytes.count, isSpace(bytes[index]) { index += 1 }
        }
        guard index < bytes.count else { return false }
        switch bytes[index] {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "["), UInt8(ascii: "{"):
            guard let end = endOfItem(index) else { return false }
            index = end
        case UInt8(ascii: "*"):
            while index < bytes.count, !isBlank(bytes[index]) { index += 1 }
        default:
            while index < bytes.count, bytes[index] != 0x0A {
                if bytes[index] == UInt8(ascii: ":"), isIndicator(index) { return true }
                if bytes[index] == UInt8(ascii: "#"), index > 0, isSpace(bytes[index - 1]) { return false }
                index += 1
            }
            return false
        }
        while index < bytes.count, isSpace(bytes[index]) { index += 1 }
        return index < bytes.count && bytes[index] == UInt8(ascii: ":") && isIndicator(index)
    }

    /// Where a quoted scalar or flow collection ends, if it does on this line.
    private func endOfItem(_ start: Int) -> Int? {
        var index = start
        var open = 0
        while index < bytes.count, bytes[index] != 0x0A {
            switch bytes[index] {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                let quote = bytes[index]
                index += 1
                while index < bytes.count, bytes[index] != quote, bytes[index] != 0x0A {
                    index += quote == UInt8(ascii: "\"") && bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard index < bytes.count, bytes[index] == quote else { return nil }
                if quote == UInt8(ascii: "'"), index + 1 < bytes.count, bytes[index + 1] == quote, open == 0 {
                    // A doubled quote: go on inside.
                    index += 1
                    continue
                }
            case UInt8(ascii: "["), UInt8(ascii: "{"): open += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): open -= 1
            default: break
            }
            index += 1
            if open == 0 { return index }
        }
        return nil
    }

    // MARK: Reading on

    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The line of the position, from 0.
    var line: Int { lineIndex(of: position) }

    var column: Int { position - lineStarts[line] }

    func lineIndex(of offset: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low
    }

    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    func isBlank(_ byte: UInt8) -> Bool { isSpace(byte) || byte == 0x0A }

    /// Whether a blank or the end follows, as after `-`, `?` and `:` where they are indicators.
    func isIndicator(_ index: Int) -> Bool { index + 1 >= bytes.count || isBlank(bytes[index + 1]) }

    private var isDash: Bool { peek == UInt8(ascii: "-") && isIndicator(position) }

    /// `---` or `...` at the beginning of a line.
    var isAtMarker: Bool { isMarker(position) }

    func isMarker(_ index: Int) -> Bool {
        guard index + 3 <= bytes.count, index == 0 || bytes[index - 1] == 0x0A || (index == 3 && bytes[0] == 0xEF),
            bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "."),
            bytes[index] == bytes[index + 1], bytes[index] == bytes[index + 2]
        else { return false }
        return index + 3 == bytes.count || isBlank(bytes[index + 3])
    }

    mutating func skipSpaces() {
        while let byte = peek, isSpace(byte) { position += 1 }
    }

    mutating func skipLine() {
        while let byte = peek, byte != 0x0A { position += 1 }
    }

    /// Blanks, line ends and comments.
    mutating func skipToToken() {
        while let byte = peek {
            if isBlank(byte) {
                position += 1
            } else if byte == UInt8(ascii: "#"), position == 0 || isBlank(bytes[position - 1]) {
                skipLine()
            } else {
                return
            }
        }
    }

    private func refuseTab() throws(YAMLFault) {
        for index in lineStarts[line]..<position {
            guard bytes[index] != 0x09 else { throw fault("a tab in the indentation; use spaces") }
            if bytes[index] != 0x20 { return }
        }
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    func fault(_ message: String) -> YAMLFault { YAMLFault(line: line + 1, message: message) }
}
