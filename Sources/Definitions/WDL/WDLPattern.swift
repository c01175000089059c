/// A regular expression of `sub`, `find` and `matches`: the part of POSIX and Perl syntax that WDL texts use, run by
/// simulating all threads at once, so that no pattern takes more than text times program.
struct WDLPattern {
    private static let maximumProgram = 4000
    private static let maximumWork = 4_000_000

    private enum Step {
        case byte(UInt8)
        case set(ByteSet)
        case start, end, wordEdge(Bool)
        case split(Int, Int)
        case jump(Int)
        case save(Int)
        case match
    }

    private struct ByteSet {
        var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        mutating func insert(_ byte: UInt8) {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: bits.0 |= bit
            case 1: bits.1 |= bit
            case 2: bits.2 |= bit
            default: bits.3 |= bit
            }
        }

        mutating func formUnion(_ other: ByteSet) {
            bits = (bits.0 | other.bits.0, bits.1 | other.bits.1, bits.2 | other.bits.2, bits.3 | other.bits.3)
        }

        var inverted: ByteSet { ByteSet(bits: (~bits.0, ~bits.1, ~bits.2, ~bits.3)) }

        func contains(_ byte: UInt8) -> Bool {
            let word =
                switch byte >> 6 {
                case 0: bits.0
                case 1: bits.1
                case 2: bits.2
                default: bits.3
                }
            return word >> UInt64(byte & 63) & 1 == 1
        }
    }

    private indirect enum Node {
        case empty
        case step(Step)
        case sequence([Node])
        case either([Node])
        case group(Node, Int)
        case repeated(Node, from: Int, to: Int?, isLazy: Bool)
    }

    private var program: [Step] = []
    private var groups = 1

    /// - Returns: nil for a pattern that is too large or not understood (back references, look-around).
    init?(_ pattern: String) {
        var parser = Parser(bytes: Array(pattern.utf8))
        guard parser.bytes.count <= 1000, let node = parser.alternatives(depth: 0), parser.isAtEnd else { return nil }
        groups = parser.groups
        program.append(.save(0))
        emit(node)
        program += [.save(1), .match]
        guard program.count <= Self.maximumProgram else { return nil }
    }

    // MARK: Compiling

    private mutating func emit(_ node: Node) {
        guard program.count <= Self.maximumProgram else { return }
        switch node {
        case .empty: break
        case .step(let step): program.append(step)
        case .sequence(let nodes): for node in nodes { emit(node) }
        case .group(let inner, let number):
            program.append(.save(2 * number))
            emit(inner)
            program.append(.save(2 * number + 1))
        case .either(let nodes):
            var jumps: [Int] = []
            for (index, node) in nodes.enumerated() {
                let split = program.count
                if index + 1 < nodes.count { program.append(.split(split + 1, 0)) }
                emit(node)
                guard index + 1 < nodes.count, program.count <= Self.maximumProgram else { continue }
                jumps.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            for jump in jumps { program[jump] = .jump(program.count) }
        case .repeated(let inner, let from, let to, let isLazy):
            for _ in 0..<from { emit(inner) }
            if let to {
                var splits: [Int] = []
                for _ in from..<max(from, to) where program.count <= Self.maximumProgram {
                    splits.append(program.count)
                    program.append(.jump(0))
                    emit(inner)
                }
                for split in splits {
                    program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
                }
            } else {
                let split = program.count
                program.append(.jump(0))
                emit(inner)
                program.append(.jump(split))
                program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
            }
        }
    }

    // MARK: Matching

    struct Match {
        /// Start and end of the match and of each group; -1 where a group took no part.
        var slots: [Int]

        func range(_ group: Int) -> Range<Int>? {
            guard slots.indices.contains(2 * group + 1), slots[2 * group] >= 0, slots[2 * group + 1] >= slots[2 * group]
            else { return nil }
            return slots[2 * group]..<slots[2 * group + 1]
        }
    }

    struct Search {
        /// nil where nothing matches.
        var range: Range<Int>?
    }

    /// - Returns: nil where the work is too much.
    func firstMatch(in text: [UInt8]) -> Search? {
        var work = Self.maximumWork
        let match = match(text, from: 0, &work)
        return work > 0 ? Search(range: match?.range(0)) : nil
    }

    /// All matches replaced, `$1` and `\1` being groups.
    ///
    /// - Returns: nil where the work is too much.
    func replacing(in text: [UInt8], with replacement: [UInt8]) -> [UInt8]? {
        var work = Self.maximumWork
        var result: [UInt8] = []
        var position = 0
        while position <= text.count {
            guard let match = match(text, from: position, &work), let range = match.range(0) else { break }
            result += text[position..<range.lowerBound]
            insert(replacement, match, text, into: &result)
            guard result.count <= WDLEvaluator.maximumText else { return nil }
            position = range.upperBound
            if range.isEmpty {
                if position < text.count { result.append(text[position]) }
                position += 1
            }
        }
        if position < text.count { result += text[position...] }
        return work > 0 ? result : nil
    }

    private func insert(_ replacement: [UInt8], _ match: Match, _ text: [UInt8], into result: inout [UInt8]) {
        var index = 0
        while index < replacement.count {
            let byte = replacement[index]
            let next = index + 1 < replacement.count ? replacement[index + 1] : 0
            if byte == UInt8(ascii: "$") || byte == UInt8(ascii: "\\"), next.isWDLDigit, Int(next - 0x30) < groups {
                if let range = match.range(Int(next - 0x30)) { result += text[range] }
                index += 2
            } else if byte == UInt8(ascii: "\\"), next != 0 {
                result.append(next)
                index += 2
            } else {
                result.append(byte)
                index += 1
            }
        }
    }

    private struct Threads {
        var steps: [Int] = []
        var slots: [[Int]] = []
        var marks: [Bool]
    }

    private func match(_ text: [UInt8], from start: Int, _ work: inout Int) -> Match? {
        var current = Threads(marks: Array(repeating: false, count: program.count))
        var found: Match?
        var position = start
        while position <= text.count, work > 0 {
            if found == nil { add(0, Array(repeating: -1, count: 2 * groups), at: position, text, &current, &work) }
            if current.steps.isEmpty { break }
            var next = Threads(marks: Array(repeating: false, count: program.count))
            for (step, slots) in zip(current.steps, current.slots) {
                work -= 1
                switch program[step] {
                case .byte(let byte) where position < text.count && text[position] == byte:
                    add(step + 1, slots, at: position + 1, text, &next, &work)
                case .set(let set) where position < text.count && set.contains(text[position]):
                    add(step + 1, slots, at: position + 1, text, &next, &work)
                case .match:
                    found = Match(slots: slots)
                default: continue
                }
                if case .match = program[step] { break }
            }
            current = next
            position += 1
        }
        return found
    }

    /// Follows jumps to the steps that read a byte or match, in order of preference.
    private func add(
        _ step: Int,
        _ slots: [Int],
        at position: Int,
        _ text: [UInt8],
        _ threads: inout Threads,
        _ work: inout Int
    ) {
        var stack = [(step, slots)]
        while let (step, slots) = stack.popLast() {
            work -= 1
            guard work > 0, !threads.marks[step] else { continue }
            threads.marks[step] = true
            switch program[step] {
            case .jump(let target): stack.append((target, slots))
            case .split(let first, let second):
                stack.append((second, slots))
                stack.append((first, slots))
            case .save(let slot):
                var saved = slots
                saved[slot] = position
                stack.append((step + 1, saved))
            case .start: if position == 0 { stack.append((step + 1, slots)) }
            case .end: if position == text.count { stack.append((step + 1, slots)) }
            case .wordEdge(let wanted):
                let before = position > 0 && text[position - 1].isWDLName
                let after = position < text.count && text[position].isWDLName
                if (before != after) == wanted { stack.append((step + 1, slots)) }
            case .byte, .set, .match:
                threads.steps.append(step)
                threads.slots.append(slots)
            }
        }
    }

    // MARK: Parsing

    private struct Parser {
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
