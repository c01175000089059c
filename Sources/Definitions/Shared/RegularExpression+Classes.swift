extension RegularExpression.Parser {
    typealias CharacterSet = RegularExpression.CharacterSet
    typealias Node = RegularExpression.Node
    typealias Step = RegularExpression.Step

    static func digit(_ scalar: Unicode.Scalar, _ radix: UInt32) -> Int? {
        guard scalar.isASCII else { return nil }
        return Int(String(scalar), radix: Int(radix))
    }

    // MARK: Escapes

    /// What a backslash outside of brackets means.
    mutating func escape() -> Node? {
        guard let scalar = next() else { return nil }
        if let rule = CharacterSet.Rule(escape: scalar) { return .step(.set(CharacterSet(rule))) }
        switch scalar {
        case "A": return .step(.assertion(.textStart))
        case "z": return .step(.assertion(.textEnd))
        case "Z": return .step(.assertion(.end(isMultiline: false, isUnix: flags.isUnix)))
        case "b", "B":
            // What is a letter beyond ASCII has changed between versions of Java; `\b{g}` is something else.
            if position < scalars.count, scalars[position] == "{" { return nil }
            needsASCII = true
            return .step(.assertion(.wordEdge(scalar == "b")))
        case "R":
            let ends = CharacterSet(.ranges([0x0A...0x0D, 0x85...0x85, 0x2028...0x2029]))
            return .either([.sequence([.step(.scalar(0x0D)), .step(.scalar(0x0A))]), .step(.set(ends))])
        case "p", "P": return property(isInverted: scalar == "P").map { .step(.set(CharacterSet($0))) }
        case "k":
            guard next() == "<", let name = name(), let number = groupNames[name] else { return nil }
            return backReference(number)
        case "1"..."9": return reference(Int(scalar.value - 0x30))
        default: return character(scalar).map { .step(literal($0)) }
        }
    }

    /// - Returns: nil for a group that is not closed yet.
    private func backReference(_ number: Int) -> Node? {
        closedGroups.contains(number) ? .step(.backReference(number, ignoresCase: flags.ignoresCase)) : nil
    }

    /// More digits belong to it while there is such a group.
    private mutating func reference(_ first: Int) -> Node? {
        var number = first
        while let scalar = peek(), let digit = Self.digit(scalar, 10), number * 10 + digit < groups {
            number = number * 10 + digit
            position += 1
        }
        return backReference(number)
    }

    /// The character that is written with a backslash; nil for letters without a meaning.
    private mutating func character(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "a": return 0x07
        case "e": return 0x1B
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "c": return next().map { $0.value ^ 64 }
        case "0": return octal()
        case "x":
            guard position < scalars.count, scalars[position] == "{" else { return hexadecimal(2) }
            position += 1
            var value: UInt32 = 0
            var count = 0
            while let scalar = next(), scalar != "}" {
                guard let digit = Self.digit(scalar, 16), count < 6 else { return nil }
                value = value * 16 + UInt32(digit)
                count += 1
            }
            return scalars[position - 1] == "}" && count > 0 && value <= 0x10FFFF ? value : nil
        case "u":
            guard let high = hexadecimal(4) else { return nil }
            // Two of them may stand for one character.
            guard 0xD800..<0xDC00 ~= high, position + 1 < scalars.count, scalars[position] == "\\",
                scalars[position + 1] == "u"
            else { return high }
            let start = position
            position += 2
            guard let low = hexadecimal(4), 0xDC00..<0xE000 ~= low else {
                position = start
                return high
            }
            return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
        default:
            return CharacterSet.isLetter(scalar.value) || ("0"..."9").contains(scalar) ? nil : scalar.value
        }
    }

    private mutating func hexadecimal(_ count: Int) -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = next().flatMap({ Self.digit($0, 16) }) else { return nil }
            value = value * 16 + UInt32(digit)
        }
        return value
    }

    /// `\0n`, `\0nn`, `\0mnn` with `m` up to 3.
    private mutating func octal() -> UInt32? {
        guard var value = next().flatMap({ Self.digit($0, 8) }) else { return nil }
        let most = value <= 3 ? 2 : 1
        for _ in 0..<most {
            guard position < scalars.count, let digit = Self.digit(scalars[position], 8) else { break }
            value = value * 8 + digit
            position += 1
        }
        return UInt32(value)
    }

    /// What stands behind `\p`.
    private mutating func property(isInverted: Bool) -> CharacterSet.Rule? {
        guard let first = next() else { return nil }
        var name = String(first)
        if first == "{" {
            name = ""
            while let scalar = next(), scalar != "}" { name.unicodeScalars.append(scalar) }
            guard scalars[position - 1] == "}" else { return nil }
        }
        // Whether a class of one case holds both with `(?i)` has changed between versions of Java.
        let isOfOneCase = ["Lower", "Upper", "Lu", "Ll", "Lt", "LC"].contains { name == $0 || name == "Is" + $0 }
        let isCased = isOfOneCase || name.hasSuffix("ercase") || name.hasSuffix("erCase")
        guard !(flags.ignoresCase && isCased), let rule = CharacterSet.Rule(property: name) else { return nil }
        return isInverted ? .not(rule) : rule
    }

    // MARK: Brackets

    /// A class in brackets, behind the opening one.
    ///
    /// - Parameter consumes: Whether the closing bracket belongs to it; else it is left for the class around it.
    mutating func classRule(consumes: Bool, depth: Int) -> CharacterSet.Rule? {
        guard depth < 20 else { return nil }
        if dialect == .wdl { return plainClassRule() }
        var rule: CharacterSet.Rule?
        var isInverted = false
        func add(_ more: CharacterSet.Rule) { rule = rule.map { $0.union(more) } ?? more }
        if consumes, peek() == "^" {
            position += 1
            isInverted = true
        }
        while let scalar = peek() {
            switch scalar {
            case "[":
                position += 1
                guard let inner = classRule(consumes: true, depth: depth + 1) else { return nil }
                add(inner)
                continue
            case "&" where position + 1 < scalars.count && scalars[position + 1] == "&":
                position += 2
                var right: CharacterSet.Rule?
                while let scalar = peek(), scalar != "]", scalar != "&" {
                    let isBracket = scalar == "["
                    if isBracket { position += 1 }
                    guard let next = classRule(consumes: isBracket, depth: depth + 1) else { return nil }
                    right = right.map { $0.union(next) } ?? next
                }
                // `[a&&&&b]` and other oddities, of which versions of Java make different things.
                guard let right, let left = rule, peek() == "]" else { return nil }
                rule = .both(left, right)
                continue
            case "]" where rule != nil:
                if consumes { position += 1 }
                return rule.map { isInverted ? .not($0) : $0 }
            default: break
            }
            guard let range = range() else { return nil }
            add(range)
        }
        return nil
    }

    /// A class as POSIX writes it: brackets within it are for `[:alpha:]` alone.
    private mutating func plainClassRule() -> CharacterSet.Rule? {
        var rule: CharacterSet.Rule?
        let isInverted = take("^")
        while let scalar = peek() {
            var next: CharacterSet.Rule?
            if scalar == "]", let rule {
                position += 1
                return isInverted ? .not(rule) : rule
            }
            if scalar == "[" {
                // Alone in brackets, engines take it for different things.
                guard position + 1 < scalars.count, scalars[position + 1] == ":" else { return nil }
                position += 2
                var name = ""
                while let scalar = self.next(), scalar != ":" { name.unicodeScalars.append(scalar) }
                guard self.next() == "]" else { return nil }
                next = CharacterSet.Rule(posix: name)
            } else if scalar == "&", position + 1 < scalars.count, scalars[position + 1] == "&" {
                return nil
            } else {
                next = range()
            }
            guard let next else { return nil }
            rule = rule.map { $0.union(next) } ?? next
        }
        return nil
    }

    /// A character, a class with a backslash, or two characters with a dash between.
    private mutating func range() -> CharacterSet.Rule? {
        guard let scalar = next() else { return nil }
        var low = scalar.value
        if scalar == "\\" {
            guard let escaped = next() else { return nil }
            if escaped == "p" || escaped == "P" { return property(isInverted: escaped == "P") }
            if let rule = CharacterSet.Rule(escape: escaped) { return rule }
            guard let known = character(escaped) else { return nil }
            low = known
        }
        guard peek() == "-", position + 1 < scalars.count, scalars[position + 1] != "]", scalars[position + 1] != "["
        else { return cased([low...low]) }
        position += 1
        guard let end = peek() else { return nil }
        position += 1
        var high = end.value
        if end == "\\" {
            guard let escaped = next(), let known = character(escaped) else { return nil }
            high = known
        }
        return low <= high ? cased([low...high]) : nil
    }

    private func cased(_ ranges: [ClosedRange<UInt32>]) -> CharacterSet.Rule {
        guard flags.ignoresCase, let range = ranges.first else { return .ranges(ranges) }
        var all = ranges
        for letter in UInt32(0x41)...0x5A {
            if range.contains(letter) { all.append((letter | 0x20)...(letter | 0x20)) }
            if range.contains(letter | 0x20) { all.append(letter...letter) }
        }
        return .ranges(all)
    }
}
