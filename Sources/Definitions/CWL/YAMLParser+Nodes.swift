extension YAMLParser {
    /// Anchor and tag in front of a node.
    struct Properties {
        var anchor: String?
        /// `!!str` or `!`: not a number, truth value or null however it looks.
        var isString = false
    }

    mutating func property(into properties: inout Properties, inFlow: Bool) throws(YAMLFault) {
        let isAnchor = peek == UInt8(ascii: "&")
        let name = word(inFlow: inFlow)
        if isAnchor {
            guard !name.isEmpty else { throw fault("an anchor without a name") }
            properties.anchor = name
        } else {
            properties.isString = properties.isString || name.isEmpty || name == "!str"
        }
    }

    mutating func alias(inFlow: Bool) throws(YAMLFault) -> Int {
        let name = word(inFlow: inFlow)
        guard let node = anchors[name] else { throw fault("alias `*\(name.prefix(80))` has no anchor before it") }
        return node
    }

    /// What follows an indicator up to a blank, or a bracket in a flow collection.
    private mutating func word(inFlow: Bool) -> String {
        let start = position + 1
        position = min(start, bytes.count)
        while let byte = peek, !isBlank(byte), !(inFlow && isFlowIndicator(byte)) { position += 1 }
        return text(start..<max(start, position))
    }

    mutating func scalar(
        _ text: String,
        isPlain: Bool,
        at offset: Int,
        _ properties: Properties
    ) throws(YAMLFault) -> Int {
        let isPlain = isPlain && !properties.isString
        return register(try add(.scalar(text, isPlain: isPlain), line: lineIndex(of: offset)), properties)
    }

    mutating func register(_ node: Int, _ properties: Properties) -> Int {
        if let anchor = properties.anchor { anchors[anchor] = node }
        return node
    }

    /// - Parameter line: From 0.
    mutating func add(_ kind: YAMLDocument.Kind, line: Int) throws(YAMLFault) -> Int {
        guard nodes.count < Self.maximumNodes else { throw fault("more than \(Self.maximumNodes) values") }
        nodes.append(.init(kind: kind, line: line + 1))
        return nodes.count - 1
    }

    /// Adds an entry; a merge key (YAML 1.1, which the CWL tools honour) adds those entries that are not there yet.
    mutating func append(_ entry: YAMLDocument.Entry, to entries: inout [YAMLDocument.Entry]) throws(YAMLFault) {
        guard case .scalar("<<", isPlain: true) = nodes[entry.key].kind else {
            entries.append(entry)
            return
        }
        var sources = [entry.value]
        if case .sequence(let elements) = nodes[entry.value].kind { sources = elements }
        var fromMerge: [YAMLDocument.Entry] = []
        for source in sources.reversed() {
            guard case .mapping(let more) = nodes[source].kind else { continue }
            merged += more.count
            guard merged < Self.maximumNodes else { throw fault("merge keys add up to too many entries") }
            fromMerge += more
        }
        // In front: of equal keys the last one holds, and the mapping's own come before merged ones.
        entries.insert(contentsOf: fromMerge, at: 0)
    }

    // MARK: Flow collections

    func isFlowIndicator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"): true
        default: false
        }
    }

    mutating func flowNode(depth: Int) throws(YAMLFault) -> Int {
        guard depth < Self.maximumDepth else { throw fault("nested deeper than \(Self.maximumDepth) levels") }
        skipToToken()
        var properties = Properties()
        while peek == UInt8(ascii: "&") || peek == UInt8(ascii: "!") {
            try property(into: &properties, inFlow: true)
            skipToToken()
        }
        let at = position
        guard let byte = peek else { throw fault("a bracket is not closed") }
        switch byte {
        case UInt8(ascii: "["): return register(try flowSequence(depth: depth), properties)
        case UInt8(ascii: "{"): return register(try flowMapping(depth: depth), properties)
        case UInt8(ascii: "*"): return try alias(inFlow: true)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return try quoted(properties)
        default:
            let text = flowPlain()
            return try scalar(text, isPlain: true, at: at, properties)
        }
    }

    private mutating func flowSequence(depth: Int) throws(YAMLFault) -> Int {
        let first = line
        position += 1
        var elements: [Int] = []
        while true {
            skipToToken()
            if take(UInt8(ascii: "]")) { return try add(.sequence(elements), line: first) }
            if peek == UInt8(ascii: "?"), isIndicator(position) { position += 1 }
            var element = try flowNode(depth: depth + 1)
            skipToToken()
            if take(UInt8(ascii: ":")) {
                // `[a: b]` is a list of one mapping.
                let value = try flowValue(depth: depth)
                element = try add(.mapping([.init(key: element, value: value)]), line: line)
                skipToToken()
            }
            elements.append(element)
            if !take(UInt8(ascii: ",")), peek != UInt8(ascii: "]") {
                throw fault(peek == nil ? "a `[` is not closed" : "expected `,` or `]`")
            }
        }
    }

    private mutating func flowMapping(depth: Int) throws(YAMLFault) -> Int {
        let first = line
        position += 1
        var entries: [YAMLDocument.Entry] = []
        while true {
            skipToToken()
            if take(UInt8(ascii: "}")) { return try add(.mapping(entries), line: first) }
            if peek == UInt8(ascii: "?"), isIndicator(position) { position += 1 }
            let key = try flowNode(depth: depth + 1)
            skipToToken()
            let value: Int
            if take(UInt8(ascii: ":")) {
                value = try flowValue(depth: depth)
            } else {
                value = try scalar("", isPlain: true, at: position, Properties())
            }
            try append(.init(key: key, value: value), to: &entries)
            skipToToken()
            if !take(UInt8(ascii: ",")), peek != UInt8(ascii: "}") {
                throw fault(peek == nil ? "a `{` is not closed" : "expected `,` or `}`")
            }
        }
    }

    private mutating func flowValue(depth: Int) throws(YAMLFault) -> Int {
        skipToToken()
        if peek == UInt8(ascii: ",") || peek == UInt8(ascii: "}") || peek == UInt8(ascii: "]") {
            return try scalar("", isPlain: true, at: position, Properties())
        }
        return try flowNode(depth: depth + 1)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }
}
