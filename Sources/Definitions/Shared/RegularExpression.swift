/// A regular expression of a definition: the part of POSIX, Perl and Java syntax that WDL's functions, Nextflow's
/// selectors and Groovy's texts use, run by simulating all threads at once, so that no pattern takes more than text times
/// program.
struct RegularExpression {
    private static let maximumProgram = 4000
    private static let maximumWork = 4_000_000

    enum Step {
        case byte(UInt8)
        case set(ByteSet)
        case start, end, wordEdge(Bool)
        case split(Int, Int)
        case jump(Int)
        case save(Int)
        case match
    }

    struct ByteSet {
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

    indirect enum Node {
        case empty
        case step(Step)
        case sequence([Node])
        case either([Node])
        case group(Node, Int)
        case repeated(Node, from: Int, to: Int?, isLazy: Bool)
    }

    private var program: [Step] = []
    private var groups = 1
    /// Nodes written out; repeats of nothing cost as well.
    private var written = 0

    /// - Returns: nil for a pattern that is too large or not understood (back references, look-around).
    init?(_ pattern: String) {
        var parser = Parser(bytes: Array(pattern.utf8))
        guard parser.bytes.count <= 1000, let node = parser.alternatives(depth: 0), parser.isAtEnd else { return nil }
        groups = parser.groups
        program.append(.save(0))
        emit(node)
        program += [.save(1), .match]
        guard program.count <= Self.maximumProgram, written <= 5 * Self.maximumProgram else { return nil }
    }

    // MARK: Compiling

    private mutating func emit(_ node: Node) {
        written += 1
        guard program.count <= Self.maximumProgram, written <= 5 * Self.maximumProgram else { return }
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

    /// Whether the whole of a text matches. No groups are kept, so nothing is allocated on the way.
    ///
    /// - Returns: nil where the work is too much.
    func matchesWhole(_ text: [UInt8]) -> Bool? {
        var work = Self.maximumWork
        var (current, next, stack): ([Int], [Int], [Int]) = ([], [], [])
        var lastSeen = Array(repeating: -1, count: program.count)
        reach(0, at: 0, text, &current, &stack, &lastSeen, &work)
        for position in text.indices {
            next.removeAll(keepingCapacity: true)
            for step in current {
                let isHit =
                    switch program[step] {
                    case .byte(let byte): text[position] == byte
                    case .set(let set): set.contains(text[position])
                    default: false
                    }
                if isHit { reach(step + 1, at: position + 1, text, &next, &stack, &lastSeen, &work) }
            }
            swap(&current, &next)
            guard work > 0 else { return nil }
            if current.isEmpty { return false }
        }
        return current.contains { if case .match = program[$0] { true } else { false } }
    }

    /// Follows jumps to the steps that read a byte or match; each is reached once at a position.
    private func reach(
        _ step: Int,
        at position: Int,
        _ text: [UInt8],
        _ steps: inout [Int],
        _ stack: inout [Int],
        _ lastSeen: inout [Int],
        _ work: inout Int
    ) {
        stack.append(step)
        while let step = stack.popLast() {
            work -= 1
            guard lastSeen[step] != position else { continue }
            lastSeen[step] = position
            switch program[step] {
            case .jump(let target): stack.append(target)
            case .split(let first, let second): stack += [second, first]
            case .byte, .set, .match: steps.append(step)
            default: if passes(program[step], at: position, text) { stack.append(step + 1) }
            }
        }
    }

    /// Whether a step that reads nothing lets a thread through.
    private func passes(_ step: Step, at position: Int, _ text: [UInt8]) -> Bool {
        switch step {
        case .start: return position == 0
        case .end: return position == text.count
        case .wordEdge(let wanted):
            let before = position > 0 && text[position - 1].isWDLName
            let after = position < text.count && text[position].isWDLName
            return (before != after) == wanted
        default: return true
        }
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
            work -= program.count / 16
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
            case .start, .end, .wordEdge:
                if passes(program[step], at: position, text) { stack.append((step + 1, slots)) }
            case .byte, .set, .match:
                threads.steps.append(step)
                threads.slots.append(slots)
            }
        }
    }
}
