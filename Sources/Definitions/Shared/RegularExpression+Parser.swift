extension RegularExpression {
    /// Reads a pattern; nil for what is not understood.
    struct Parser {
        let bytes: [UInt8]
        var position = 0
        var groups = 1

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard peek == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func alternatives(depth: Int) -> Node? {
            guard depth < 40 else { return nil }
            var nodes: [Node] = []
            repeat {
                var sequence: [Node] = []
                while let byte = peek, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
                    guard let atom = atom(depth: depth), let node = repeated(atom) else { return nil }
                    sequence.append(node)
                }
                nodes.append(.sequence(sequence))
            } while take("|")
            return nodes.count == 1 ? nodes[0] : .either(nodes)
        }

        private mutating func repeated(_ atom: Node) -> Node? {
            var node = atom
            while let byte = peek {
                var bounds: (Int, Int?)
                switch byte {
                case UInt8(ascii: "*"): bounds = (0, nil)
                case UInt8(ascii: "+"): bounds = (1, nil)
                case UInt8(ascii: "?"): bounds = (0, 1)
                case UInt8(ascii: "{"):
                    guard let counted = counts() else { return node }
                    bounds = counted
                    position -= 1
                default: return node
                }
                position += 1
                let isLazy = take("?")
                guard bounds.0 <= 200, (bounds.1 ?? 0) <= 200 else { return nil }
                // A repeat of a repeat is how programs explode; one level of it is enough.
                if case .repeated = node { return nil }
                node = .repeated(node, from: bounds.0, to: bounds.1, isLazy: isLazy)
            }
            return node
        }

        /// `{2}`, `{2,}`, `{2,5}`; anything else is a brace. Leaves the position behind the closing brace.
        private mutating func counts() -> (Int, Int?)? {
            let rest = bytes[(position + 1)...]
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")), end - position < 12 else { return nil }
            let parts = rest[..<end].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard let from = parts.first.flatMap({ Int($0) }), from >= 0, parts.count <= 2 else { return nil }
            var to: Int? = from
            if parts.count == 2 {
                to = Int(parts[1])
                if to == nil, !parts[1].isEmpty { return nil }
            }
            position = end + 1
            return (from, to)
        }

        private mutating func atom(depth: Int) -> Node? {
            guard let byte = peek else { return nil }
            position += 1
            switch byte {
            case UInt8(ascii: "("):
                var number: Int?
                if take("?") {
                    guard take(":") else { return nil }
                } else {
                    guard groups < 20 else { return nil }
                    number = groups
                    groups += 1
                }
                guard let inner = alternatives(depth: depth + 1), take(")") else { return nil }
                return number.map { .group(inner, $0) } ?? inner
            case UInt8(ascii: "["): return set().map { .step(.set($0)) }
            case UInt8(ascii: "."):
                var newline = ByteSet()
                newline.insert(0x0A)
                return .step(.set(newline.inverted))
            case UInt8(ascii: "^"): return .step(.start)
            case UInt8(ascii: "$"): return .step(.end)
            case UInt8(ascii: "\\"): return escape()
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): return nil
            default: return .step(.byte(byte))
            }
        }

        private mutating func escape() -> Node? {
            guard let byte = peek else { return nil }
            position += 1
            if let known = Self.named(byte) { return .step(.set(known)) }
            switch byte {
            case UInt8(ascii: "b"): return .step(.wordEdge(true))
            case UInt8(ascii: "B"): return .step(.wordEdge(false))
            case UInt8(ascii: "n"): return .step(.byte(0x0A))
            case UInt8(ascii: "t"): return .step(.byte(0x09))
            case UInt8(ascii: "r"): return .step(.byte(0x0D))
            default: return byte.isWDLName ? nil : .step(.byte(byte))
            }
        }

        private static func named(_ byte: UInt8) -> ByteSet? {
            var set = ByteSet()
            switch byte | 0x20 {
            case UInt8(ascii: "d"): for digit in UInt8(0x30)...0x39 { set.insert(digit) }
            case UInt8(ascii: "w"): for byte in UInt8(0)...0x7F where byte.isWDLName { set.insert(byte) }
            case UInt8(ascii: "s"): for byte: UInt8 in [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D] { set.insert(byte) }
            default: return nil
            }
            return byte & 0x20 == 0 ? set.inverted : set
        }

        private mutating func set() -> ByteSet? {
            var set = ByteSet()
            let isInverted = take("^")
            var isFirst = true
            while let byte = peek, byte != UInt8(ascii: "]") || isFirst {
                isFirst = false
                position += 1
                if byte == UInt8(ascii: "["), peek == UInt8(ascii: ":") {
                    guard let named = posixClass() else { return nil }
                    set.formUnion(named)
                    continue
                }
                var low = byte
                if byte == UInt8(ascii: "\\"), let escaped = peek {
                    position += 1
                    if let named = Self.named(escaped) {
                        set.formUnion(named)
                        continue
                    }
                    low = escaped == UInt8(ascii: "n") ? 0x0A : escaped == UInt8(ascii: "t") ? 0x09 : escaped
                }
                guard peek == UInt8(ascii: "-"), position + 1 < bytes.count, bytes[position + 1] != UInt8(ascii: "]")
                else {
                    set.insert(low)
                    continue
                }
                let high = bytes[position + 1]
                position += 2
                guard low <= high else { return nil }
                for byte in low...high { set.insert(byte) }
            }
            guard take("]") else { return nil }
            return isInverted ? set.inverted : set
        }

        private mutating func posixClass() -> ByteSet? {
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "]")), end - position > 2 else { return nil }
            let name = String(decoding: bytes[(position + 1)..<(end - 1)], as: UTF8.self)
            position = end + 1
            var set = ByteSet()
            for byte in UInt8(0)...0x7F {
                let isLower = (0x61...0x7A).contains(byte)
                let isUpper = (0x41...0x5A).contains(byte)
                let belongs =
                    switch name {
                    case "digit": byte.isWDLDigit
                    case "alpha": isLower || isUpper
                    case "alnum": isLower || isUpper || byte.isWDLDigit
                    case "lower": isLower
                    case "upper": isUpper
                    case "space": byte.isWDLSpace || byte == 0x0B
                    case "punct": byte > 0x20 && byte < 0x7F && !isLower && !isUpper && !byte.isWDLDigit
                    default: false
                    }
                if belongs { set.insert(byte) }
            }
            return set
        }
    }
}
