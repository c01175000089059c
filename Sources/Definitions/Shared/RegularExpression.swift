/// A regular expression of a definition: what `java.util.regex` (17) does with it, as Nextflow's selectors and Groovy's
/// texts ask for, in bounded time.
///
/// Nothing is guessed: a pattern that is too large, that Java refuses, or that holds something not known here has no
/// value, and a text that takes too much work, or whose answer depends on the version of Java, has no answer.
struct RegularExpression {
    enum Dialect {
        case java
        /// WDL's `sub` and its kin (WDL 1.2, "sub": POSIX Extended Regular Expressions): brackets know `[:alpha:]`, not
        /// Java's sets of sets; all else is what the engines take, which run Java's or Python's.
        case wdl
    }

    /// What a step looks at without reading.
    enum Assertion {
        case textStart, textEnd, wordEdge(Bool)
        /// `^` of several lines.
        case lineStart(isUnix: Bool)
        /// `$` and `\Z`, which also hold before the last line end.
        case end(isMultiline: Bool, isUnix: Bool)
    }

    enum Step {
        case scalar(UInt32)
        case set(CharacterSet)
        case assertion(Assertion)
        /// Goes on at the first, then at the second.
        case split(Int, Int)
        case jump(Int)
        /// Keeps the position in a register.
        case mark(Int)
        /// Ends a group that began at the position in a register.
        case capture(Int, from: Int)
        /// Leaves a loop whose last pass, begun at the position in a register, read nothing.
        case leaveIfEmpty(Int, to: Int)
        case backReference(Int, ignoresCase: Bool)
        /// The steps up to `match` hold ahead (or do not); the program goes on at `end`.
        case ahead(isWanted: Bool, end: Int)
        /// They lead from up to so many characters before to here (or do not).
        case behind(isWanted: Bool, lengths: ClosedRange<Int>, end: Int)
        /// They are passed once, in the first way that they can.
        case atomic(end: Int)
        case match
    }

    private static let maximumProgram = 4000
    static let maximumPattern = 1000
    static let maximumGroups = 100

    private(set) var program: [Step] = []
    let groups: Int
    let groupNames: [String: Int]
    /// Registers behind those of the groups.
    private(set) var registers: Int
    /// Whether only ASCII text has one answer.
    let needsASCII: Bool
    /// Whether what a thread read before can decide how it goes on.
    private(set) var hasBackReferences = false
    /// Groups that in Java may keep what a way that failed put into them, or that it leaves out of account.
    let unsureGroups: Set<Int>
    let dialect: Dialect
    /// Nodes written out; repeats of nothing cost as well.
    private var written = 0

    /// - Returns: nil for a pattern that is too large, wrong, or not understood.
    init?(_ pattern: String, dialect: Dialect = .java) {
        guard pattern.utf8.count <= Self.maximumPattern else { return nil }
        var parser = Parser(pattern, dialect: dialect)
        guard let node = parser.alternatives(depth: 0), parser.isAtEnd, parser.groups <= Self.maximumGroups else {
            return nil
        }
        groups = parser.groups
        groupNames = parser.groupNames
        registers = 2 * parser.groups
        needsASCII = parser.needsASCII
        self.dialect = dialect
        var unsure: Set<Int> = []
        node.collect(unsureGroups: &unsure, isOnEveryWay: true, isUnsure: false)
        unsureGroups = unsure
        let isWhole = emit(.group(node, 0))
        program.append(.match)
        guard isWhole, program.count <= Self.maximumProgram, written <= 5 * Self.maximumProgram else { return nil }
    }

    // MARK: Compiling

    private mutating func newRegister() -> Int {
        registers += 1
        return registers - 1
    }

    /// - Returns: false for what cannot be carried out.
    private mutating func emit(_ node: Node) -> Bool {
        written += 1
        guard program.count <= Self.maximumProgram, written <= 5 * Self.maximumProgram else { return false }
        switch node {
        case .empty: return true
        case .step(let step):
            if case .backReference(let number, _) = step {
                guard !unsureGroups.contains(number) else { return false }
                hasBackReferences = true
            }
            program.append(step)
            return true
        case .sequence(let nodes):
            for node in nodes where !emit(node) { return false }
            return true
        case .group(let inner, let number):
            let start = newRegister()
            program.append(.mark(start))
            guard emit(inner) else { return false }
            program.append(.capture(number, from: start))
            return true
        case .either(let nodes): return emit(either: nodes)
        case .look(let inner, let isAhead, let isWanted):
            let place = program.count
            program.append(.jump(0))
            guard emit(inner) else { return false }
            program.append(.match)
            if isAhead {
                program[place] = .ahead(isWanted: isWanted, end: program.count)
            } else {
                // Java refuses what has no greatest length.
                let lengths = inner.lengths
                guard let most = lengths.most, most <= 1000 else { return false }
                program[place] = .behind(isWanted: isWanted, lengths: lengths.least...most, end: program.count)
            }
            return true
        case .atomic(let inner):
            let place = program.count
            program.append(.jump(0))
            guard emit(inner) else { return false }
            program.append(.match)
            program[place] = .atomic(end: program.count)
            return true
        case .repeated(let inner, let from, let to, let kind):
            guard kind == .possessive else { return emit(inner, from, to, isLazy: kind == .lazy) }
            // Java takes each pass of a possessive repeat for good, and then all of them.
            return emit(.atomic(.repeated(.atomic(inner), from: from, to: to, .greedy)))
        }
    }

    private mutating func emit(either nodes: [Node]) -> Bool {
        var jumps: [Int] = []
        for (index, node) in nodes.enumerated() {
            let split = program.count
            let isLast = index + 1 == nodes.count
            if !isLast { program.append(.split(split + 1, 0)) }
            guard emit(node) else { return false }
            guard !isLast else { break }
            jumps.append(program.count)
            program.append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
        return true
    }

    private mutating func emit(_ inner: Node, _ from: Int, _ to: Int?, isLazy: Bool) -> Bool {
        func split(_ inside: Int, _ outside: Int) -> Step {
            isLazy ? .split(outside, inside) : .split(inside, outside)
        }
        for _ in 0..<from { guard emit(inner) else { return false } }
        if let to {
            var splits: [Int] = []
            for _ in from..<max(from, to) {
                splits.append(program.count)
                program.append(.jump(0))
                guard emit(inner) else { return false }
            }
            for place in splits { program[place] = split(place + 1, program.count) }
            return true
        }
        let start = program.count
        program.append(.jump(0))
        let mayBeEmpty = inner.lengths.least == 0
        let register = mayBeEmpty ? newRegister() : 0
        if mayBeEmpty { program.append(.mark(register)) }
        guard emit(inner) else { return false }
        if mayBeEmpty { program.append(.leaveIfEmpty(register, to: program.count + 2)) }
        program.append(.jump(start))
        program[start] = split(start + 1, program.count)
        return true
    }

    // MARK: Answers

    /// What all searches of one kind may take together.
    static let maximumWork = 1_000_000

    /// Whether the whole of a text matches.
    ///
    /// - Parameter work: Steps that may still be taken.
    /// - Returns: nil where it is not known.
    func matchesWhole(_ text: String, work: inout Int) -> Bool? {
        guard var matcher = Matcher(self, text, work: work) else { return nil }
        let isHit = matcher.match(at: 0, endingAt: matcher.text.count)
        work = matcher.work
        return work > 0 ? isHit : nil
    }

    func matchesWhole(_ text: String) -> Bool? {
        var work = Self.maximumWork
        return matchesWhole(text, work: &work)
    }

    /// The first part of a text that matches.
    ///
    /// - Returns: nil where it is not known; a search without a match where there is none.
    func firstMatch(in text: String) -> Search? {
        guard var matcher = Matcher(self, text, work: Self.maximumWork) else { return nil }
        let range = matcher.find(from: 0)
        return matcher.work > 0 ? Search(match: range.map(matcher.text(of:))) : nil
    }

    struct Search {
        /// nil where nothing matches.
        var match: String?
    }

    /// All matches replaced, or the first one.
    ///
    /// In the replacement `$1` is a group, in WDL also `\1`; in Java `${name}` is one too and a backslash takes the next
    /// character as it is.
    ///
    /// - Returns: nil where it is not known, or longer than `maximum` bytes.
    func replacing(in text: String, with replacement: String, onlyFirst: Bool = false, maximum: Int) -> String? {
        guard var matcher = Matcher(self, text, work: Self.maximumWork),
            let pieces = Replacement(replacement, self)
        else { return nil }
        var result = String.UnicodeScalarView()
        var size = 0
        var position = 0
        func add(_ part: String) {
            size += part.utf8.count
            if size <= maximum { result.append(contentsOf: part.unicodeScalars) }
        }
        var start = 0
        while start <= matcher.text.count, let range = matcher.find(from: start) {
            add(matcher.text(of: position..<range.lowerBound))
            for piece in pieces.pieces {
                switch piece {
                case .text(let text): add(text)
                case .group(let number): add(matcher.group(number).map(matcher.text(of:)) ?? "")
                }
            }
            guard size <= maximum else { return nil }
            position = range.upperBound
            start = range.isEmpty ? position + 1 : position
            if onlyFirst { break }
        }
        add(matcher.text(of: min(position, matcher.text.count)..<matcher.text.count))
        return matcher.work > 0 && size <= maximum ? String(result) : nil
    }

    /// The parts of a text between matches, as Java's `String.split` gives them: no empty ones at the end, and none
    /// before a match of nothing at the beginning.
    ///
    /// - Returns: nil where they are not known, or more than `maximum`.
    func splitting(_ text: String, maximum: Int) -> [String]? {
        guard var matcher = Matcher(self, text, work: Self.maximumWork) else { return nil }
        var parts: [String] = []
        var position = 0
        var start = 0
        while start <= matcher.text.count, let range = matcher.find(from: start) {
            start = range.isEmpty ? range.upperBound + 1 : range.upperBound
            if range.upperBound == 0 { continue }
            parts.append(matcher.text(of: position..<range.lowerBound))
            guard parts.count <= maximum else { return nil }
            position = range.upperBound
        }
        guard matcher.work > 0 else { return nil }
        if position == 0 { return [text] }
        parts.append(matcher.text(of: position..<matcher.text.count))
        while let last = parts.last, last.isEmpty { parts.removeLast() }
        return parts
    }
}

extension RegularExpression {
    /// What is put in the place of a match.
    private struct Replacement {
        enum Piece {
            case text(String)
            case group(Int)
        }

        var pieces: [Piece] = []

        /// - Returns: nil for a text that Java refuses.
        init?(_ written: String, _ expression: RegularExpression) {
            let scalars = Array(written.unicodeScalars)
            func digit(_ index: Int) -> Int? {
                index < scalars.count && ("0"..."9").contains(scalars[index]) ? Int(scalars[index].value - 0x30) : nil
            }
            let isJava = expression.dialect == .java
            var text = String.UnicodeScalarView()
            func add(_ group: Int) {
                pieces += [.text(String(text)), .group(group)]
                text = String.UnicodeScalarView()
            }
            var index = 0
            while index < scalars.count {
                let scalar = scalars[index]
                index += 1
                guard scalar == "$" || scalar == "\\" else {
                    text.append(scalar)
                    continue
                }
                if var number = digit(index), scalar == "$" || !isJava {
                    guard number < expression.groups else {
                        if isJava { return nil }
                        text.append(scalar)
                        continue
                    }
                    index += 1
                    // More digits while there is such a group.
                    while let next = digit(index), number * 10 + next < expression.groups {
                        number = number * 10 + next
                        index += 1
                    }
                    add(number)
                } else if scalar == "\\" {
                    guard index < scalars.count else { return nil }
                    text.append(scalars[index])
                    index += 1
                } else if isJava {
                    guard index < scalars.count, scalars[index] == "{", let end = scalars[index...].firstIndex(of: "}"),
                        let number = expression.groupNames[String(String.UnicodeScalarView(scalars[index + 1..<end]))]
                    else { return nil }
                    index = end + 1
                    add(number)
                } else {
                    text.append(scalar)
                }
            }
            pieces.append(.text(String(text)))
            let isSure = pieces.allSatisfy { piece in
                if case .group(let number) = piece { !expression.unsureGroups.contains(number) } else { true }
            }
            guard isSure else { return nil }
        }
    }
}
