extension RegularExpression {
    indirect enum Node {
        enum Repeat { case greedy, lazy, possessive }

        case empty
        case step(Step)
        case sequence([Node])
        case either([Node])
        case group(Node, Int)
        case repeated(Node, from: Int, to: Int?, Repeat)
        case look(Node, isAhead: Bool, isWanted: Bool)
        case atomic(Node)

        /// The least and the greatest number of characters that it reads; none where there is no greatest.
        var lengths: (least: Int, most: Int?) {
            switch self {
            case .empty, .look: return (0, 0)
            case .step(let step):
                switch step {
                case .scalar, .set: return (1, 1)
                case .backReference: return (0, nil)
                default: return (0, 0)
                }
            case .sequence(let nodes):
                return nodes.reduce((0, 0)) { sum, node in
                    let next = node.lengths
                    return (sum.0 + next.least, sum.1.flatMap { sum in next.most.map { sum + $0 } })
                }
            case .either(let nodes):
                let all = nodes.map(\.lengths)
                let most = all.allSatisfy { $0.most != nil } ? all.compactMap(\.most).max() : nil
                return (all.map(\.least).min() ?? 0, most)
            case .group(let node, _), .atomic(let node): return node.lengths
            case .repeated(let node, let from, let to, _):
                let one = node.lengths
                let most = to.flatMap { to in one.most.map { $0 * to } }
                return (one.least * from, one.most == 0 ? 0 : most)
            }
        }

        /// The groups of which it is not sure what they hold. Java takes nothing back of what the groups in a look
        /// around, an atomic group or a possessive repeat got on a way that failed, and passes of nothing are its own.
        func collect(unsureGroups groups: inout Set<Int>, isOnEveryWay: Bool, isUnsure: Bool) {
            switch self {
            case .empty, .step: return
            case .sequence(let nodes):
                for node in nodes {
                    node.collect(unsureGroups: &groups, isOnEveryWay: isOnEveryWay, isUnsure: isUnsure)
                }
            case .either(let nodes):
                for node in nodes { node.collect(unsureGroups: &groups, isOnEveryWay: false, isUnsure: isUnsure) }
            case .group(let node, let number):
                if isUnsure { groups.insert(number) }
                node.collect(unsureGroups: &groups, isOnEveryWay: isOnEveryWay, isUnsure: isUnsure)
            case .repeated(let node, _, let to, let kind):
                let isOdd = kind == .possessive || to == 0 || node.lengths.least == 0
                node.collect(unsureGroups: &groups, isOnEveryWay: false, isUnsure: isUnsure || isOdd)
            case .look(let node, _, let isWanted):
                let isOdd = !isWanted || !isOnEveryWay
                node.collect(unsureGroups: &groups, isOnEveryWay: isOnEveryWay, isUnsure: isUnsure || isOdd)
            case .atomic(let node):
                let isOdd = isUnsure || !isOnEveryWay
                node.collect(unsureGroups: &groups, isOnEveryWay: isOnEveryWay, isUnsure: isOdd)
            }
        }
    }

    /// Reads a pattern as `java.util.regex.Pattern` does; nil for what Java refuses or what is not known here.
    struct Parser {
        struct Flags {
            var ignoresCase = false
            var isMultiline = false
            var dotIsAll = false
            var isUnix = false
            var isCommented = false
        }

        let scalars: [Unicode.Scalar]
        let dialect: Dialect
        var position = 0
        var groups = 1
        var groupNames: [String: Int] = [:]
        private(set) var closedGroups: Set<Int> = []
        var flags = Flags()
        var needsASCII = false
        private let isASCII: Bool

        init(_ pattern: String, dialect: Dialect) {
            scalars = Self.unquoted(Array(pattern.unicodeScalars))
            self.dialect = dialect
            isASCII = pattern.utf8.allSatisfy { $0 < 0x80 }
        }

        /// `\Q…\E` with an escape before each of its characters, wherever it stands.
        private static func unquoted(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
            var result: [Unicode.Scalar] = []
            var isQuoted = false
            var isFirst = false
            var index = 0
            while index < scalars.count {
                let scalar = scalars[index]
                let next = index + 1 < scalars.count ? scalars[index + 1] : nil
                index += 1
                if scalar == "\\", next == (isQuoted ? "E" : "Q") {
                    isQuoted.toggle()
                    isFirst = isQuoted
                    index += 1
                } else if isQuoted {
                    // A digit must not become a part of what is before.
                    if isFirst, ("0"..."9").contains(scalar) {
                        result += ["\\", "x", "3"]
                    } else if scalar.isASCII, !CharacterSet.isLetter(scalar.value), !("0"..."9").contains(scalar) {
                        result.append("\\")
                    }
                    isFirst = false
                    result.append(scalar)
                } else {
                    result.append(scalar)
                    if scalar == "\\", let next {
                        result.append(next)
                        index += 1
                    }
                }
            }
            return result
        }

        // MARK: Reading on

        var isAtEnd: Bool { position >= scalars.count }

        /// The next character, behind blanks and comments where the flags allow for them.
        mutating func peek() -> Unicode.Scalar? {
            while flags.isCommented, position < scalars.count {
                if CharacterSet.Rule.blanks.contains(scalars[position].value) {
                    position += 1
                } else if scalars[position] == "#" {
                    while position < scalars.count, scalars[position] != "\n", scalars[position] != "\r" {
                        position += 1
                    }
                } else {
                    break
                }
            }
            return position < scalars.count ? scalars[position] : nil
        }

        /// The next character whatever the flags.
        mutating func next() -> Unicode.Scalar? {
            guard position < scalars.count else { return nil }
            position += 1
            return scalars[position - 1]
        }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard peek() == scalar else { return false }
            position += 1
            return true
        }

        // MARK: Structure

        mutating func alternatives(depth: Int) -> Node? {
            guard depth < 40 else { return nil }
            var nodes: [Node] = []
            repeat {
                var sequence: [Node] = []
                while let scalar = peek(), scalar != "|", scalar != ")" {
                    guard let atom = atom(depth: depth) else { return nil }
                    // Flags alone are nothing that could be repeated.
                    if case .empty = atom { continue }
                    guard let node = repeated(atom) else { return nil }
                    sequence.append(node)
                }
                nodes.append(.sequence(sequence))
            } while take("|")
            return nodes.count == 1 ? nodes[0] : .either(nodes)
        }

        private mutating func repeated(_ atom: Node) -> Node? {
            guard let sign = peek() else { return atom }
            var bounds: (Int, Int?)
            switch sign {
            case "*": bounds = (0, nil)
            case "+": bounds = (1, nil)
            case "?": bounds = (0, 1)
            case "{":
                guard let counted = counts() else { return nil }
                bounds = counted
            default: return atom
            }
            if sign != "{" { position += 1 }
            var kind = Node.Repeat.greedy
            if take("?") { kind = .lazy } else if take("+") { kind = .possessive }
            guard bounds.0 <= 1000, (bounds.1 ?? 0) <= 1000 else { return nil }
            return .repeated(atom, from: bounds.0, to: bounds.1, kind)
        }

        /// `{2}`, `{2,}`, `{2,5}`; nothing else can follow an opening brace.
        private mutating func counts() -> (Int, Int?)? {
            position += 1
            func number() -> Int? {
                var value: Int?
                while let digit = position < scalars.count ? Self.digit(scalars[position], 10) : nil {
                    value = min((value ?? 0) * 10 + digit, 1_000_000)
                    position += 1
                }
                return value
            }
            guard let from = number() else { return nil }
            var to: Int? = from
            if position < scalars.count, scalars[position] == "," {
                position += 1
                to = number()
            }
            guard next() == "}", to.map({ $0 >= from }) ?? true else { return nil }
            return (from, to)
        }

        private mutating func atom(depth: Int) -> Node? {
            guard let scalar = peek() else { return nil }
            // Java repeats nothing here, as in `a{2}{3}`.
            if scalar == "{" { return .sequence([]) }
            position += 1
            switch scalar {
            case "(": return group(depth: depth)
            case "[": return classRule(consumes: true, depth: 0).map { .step(.set(CharacterSet($0))) }
            case ".": return .step(.set(CharacterSet(dot)))
            case "^": return .step(.assertion(flags.isMultiline ? .lineStart(isUnix: flags.isUnix) : .textStart))
            case "$": return .step(.assertion(.end(isMultiline: flags.isMultiline, isUnix: flags.isUnix)))
            case "\\": return escape()
            case "*", "+", "?": return nil
            default: return .step(literal(scalar.value))
            }
        }

        private var dot: CharacterSet.Rule {
            if flags.dotIsAll { return .not(.ranges([])) }
            return .not(
                .ranges(flags.isUnix ? [0x0A...0x0A] : [0x0A...0x0A, 0x0D...0x0D, 0x85...0x85, 0x2028...0x2029])
            )
        }

        func literal(_ scalar: UInt32) -> Step {
            let other = CharacterSet.otherCase(scalar)
            guard flags.ignoresCase, other != scalar else { return .scalar(scalar) }
            return .set(CharacterSet(.ranges([scalar...scalar, other...other])))
        }

        // MARK: Groups

        private mutating func group(depth: Int) -> Node? {
            let outside = flags
            guard take("?") else {
                let number = groups
                groups += 1
                return captured(number, depth, outside)
            }
            guard let kind = next() else { return nil }
            switch kind {
            case ":": return inner(depth, outside).map { .sequence([$0]) }
            case "=", "!": return inner(depth, outside).map { .look($0, isAhead: true, isWanted: kind == "=") }
            case ">": return inner(depth, outside).map { .atomic($0) }
            case "<":
                guard let mark = next() else { return nil }
                if mark == "=" || mark == "!" {
                    return inner(depth, outside).map { .look($0, isAhead: false, isWanted: mark == "=") }
                }
                position -= 1
                guard let name = name(), groupNames[name] == nil else { return nil }
                let number = groups
                groupNames[name] = number
                groups += 1
                return captured(number, depth, outside)
            default:
                position -= 1
                guard readFlags(), let end = next() else { return nil }
                if end == ":" { return inner(depth, outside).map { .sequence([$0]) } }
                // `(?i)` holds to the end of the group that it is in.
                return end == ")" ? .empty : nil
            }
        }

        private mutating func captured(_ number: Int, _ depth: Int, _ outside: Flags) -> Node? {
            guard let node = inner(depth, outside) else { return nil }
            closedGroups.insert(number)
            return .group(node, number)
        }

        /// What is in a group, to its bracket; behind it the flags are those before it.
        private mutating func inner(_ depth: Int, _ outside: Flags) -> Node? {
            guard let node = alternatives(depth: depth + 1), take(")") else { return nil }
            flags = outside
            return node
        }

        private mutating func readFlags() -> Bool {
            var isOn = true
            while position < scalars.count {
                switch scalars[position] {
                case "i": flags.ignoresCase = isOn
                case "m": flags.isMultiline = isOn
                case "s": flags.dotIsAll = isOn
                case "d": flags.isUnix = isOn
                case "x": flags.isCommented = isOn
                case "u":
                    // Cases of other letters than ASCII's; where there are none it changes nothing.
                    guard isASCII else { return false }
                    needsASCII = true
                case "-":
                    guard isOn else { return false }
                    isOn = false
                case ")", ":": return true
                default: return false
                }
                position += 1
            }
            return false
        }

        /// A group's name, behind its `<`, with the `>`.
        mutating func name() -> String? {
            var name = ""
            while let scalar = next(), scalar != ">" {
                let isDigit = ("0"..."9").contains(scalar)
                guard CharacterSet.isLetter(scalar.value) || (isDigit && !name.isEmpty) else { return nil }
                name.unicodeScalars.append(scalar)
            }
            return name.isEmpty || scalars[position - 1] != ">" ? nil : name
        }
    }
}
