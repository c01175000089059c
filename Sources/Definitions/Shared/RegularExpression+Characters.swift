extension RegularExpression {
    /// A set of characters: a bit for each of ASCII, a rule for the others.
    struct CharacterSet: Sendable {
        indirect enum Rule: Sendable {
            case ranges([ClosedRange<UInt32>])
            case categories(Set<Unicode.GeneralCategory>)
            case letters, lowercase, uppercase, spaces
            case either(Rule, Rule)
            case both(Rule, Rule)
            case not(Rule)

            func contains(_ scalar: UInt32) -> Bool {
                switch self {
                case .ranges(let ranges): ranges.contains { $0.contains(scalar) }
                case .categories(let all):
                    Unicode.Scalar(scalar).map { all.contains($0.properties.generalCategory) } ?? false
                case .letters: Unicode.Scalar(scalar)?.properties.isAlphabetic ?? false
                case .lowercase: Unicode.Scalar(scalar)?.properties.isLowercase ?? false
                case .uppercase: Unicode.Scalar(scalar)?.properties.isUppercase ?? false
                case .spaces: Unicode.Scalar(scalar)?.properties.isWhitespace ?? false
                case .either(let one, let two): one.contains(scalar) || two.contains(scalar)
                case .both(let one, let two): one.contains(scalar) && two.contains(scalar)
                case .not(let rule): !rule.contains(scalar)
                }
            }

            func union(_ other: Rule) -> Rule {
                if case .ranges(let one) = self, case .ranges(let two) = other { return .ranges(one + two) }
                return .either(self, other)
            }

            static func scalars(_ text: String) -> Rule { .ranges(text.unicodeScalars.map { $0.value...$0.value }) }
        }

        private var low: UInt64 = 0
        private var high: UInt64 = 0
        private let rule: Rule

        init(_ rule: Rule) {
            self.rule = rule
            for scalar in UInt32(0)..<64 where rule.contains(scalar) { low |= 1 << UInt64(scalar) }
            for scalar in UInt32(64)..<128 where rule.contains(scalar) { high |= 1 << UInt64(scalar - 64) }
        }

        func contains(_ scalar: UInt32) -> Bool {
            if scalar < 64 { return low >> UInt64(scalar) & 1 == 1 }
            if scalar < 128 { return high >> UInt64(scalar - 64) & 1 == 1 }
            return rule.contains(scalar)
        }

        /// A letter, digit or underscore of ASCII.
        static func isWord(_ scalar: UInt32) -> Bool {
            scalar == 0x5F || 0x30...0x39 ~= scalar || isLetter(scalar)
        }

        static func isLetter(_ scalar: UInt32) -> Bool { 0x61...0x7A ~= scalar | 0x20 && scalar < 0x80 }

        /// The other case of a letter of ASCII; anything else is its own.
        static func otherCase(_ scalar: UInt32) -> UInt32 { isLetter(scalar) ? scalar ^ 0x20 : scalar }
    }
}

extension RegularExpression.CharacterSet.Rule {
    static let digits = Self.ranges([0x30...0x39])
    static let words = Self.ranges([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let blanks = Self.ranges([0x09...0x0D, 0x20...0x20])
    private static let horizontalBlanks = Self.ranges([
        0x09...0x09, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x180E...0x180E, 0x2000...0x200A, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000,
    ])
    private static let verticalBlanks = Self.ranges([0x0A...0x0D, 0x85...0x85, 0x2028...0x2029])

    /// `\d` and its kin.
    init?(escape: Unicode.Scalar) {
        let lower: Self? =
            switch escape {
            case "d", "D": .digits
            case "w", "W": .words
            case "s", "S": .blanks
            case "h", "H": .horizontalBlanks
            case "v", "V": .verticalBlanks
            default: nil
            }
        guard let lower else { return nil }
        self = escape.value & 0x20 == 0 ? .not(lower) : lower
    }

    /// The classes of POSIX, which are ASCII alone, by their names in lower case.
    init?(posix name: String) {
        switch name {
        case "lower": self = .ranges([0x61...0x7A])
        case "upper": self = .ranges([0x41...0x5A])
        case "ascii": self = .ranges([0...0x7F])
        case "alpha": self = .ranges([0x41...0x5A, 0x61...0x7A])
        case "digit": self = .digits
        case "alnum": self = .ranges([0x30...0x39, 0x41...0x5A, 0x61...0x7A])
        case "punct": self = .ranges([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])
        case "graph": self = .ranges([0x21...0x7E])
        case "print": self = .ranges([0x20...0x7E])
        case "blank": self = .ranges([0x09...0x09, 0x20...0x20])
        case "cntrl": self = .ranges([0...0x1F, 0x7F...0x7F])
        case "xdigit": self = .ranges([0x30...0x39, 0x41...0x46, 0x61...0x66])
        case "space": self = .blanks
        default: return nil
        }
    }

    /// `\p{name}` of Java: POSIX names, general categories, the properties that Unicode has for letters.
    ///
    /// - Returns: nil for blocks, scripts and what else is not known here.
    init?(property name: String) {
        if let first = name.unicodeScalars.first, ("A"..."Z").contains(first), name != "ASCII",
            name == name.prefix(1) + name.dropFirst().lowercased() || name == "XDigit",
            let posix = Self(posix: name.lowercased())
        {
            // `Cntrl` and the others are written in just this way.
            self = posix
            return
        }
        switch name {
        case "ASCII": self = .ranges([0...0x7F])
        case "IsAlphabetic": self = .letters
        case "IsLowercase", "javaLowerCase": self = .lowercase
        case "IsUppercase", "javaUpperCase": self = .uppercase
        case "IsWhite_Space": self = .spaces
        case "IsDigit", "javaDigit": self = .categories([.decimalNumber])
        case "IsLetter", "javaLetter": self = .categories(Self.letterCategories)
        case "javaLetterOrDigit": self = .categories(Self.letterCategories.union([.decimalNumber]))
        default:
            let short = name.hasPrefix("Is") ? String(name.dropFirst(2)) : name
            if let categories = Self.categories(short) { self = .categories(categories) } else { return nil }
        }
    }

    private static let letterCategories: Set<Unicode.GeneralCategory> = [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    ]

    private static func categories(_ name: String) -> Set<Unicode.GeneralCategory>? {
        switch name {
        case "L": letterCategories
        case "Lu": [.uppercaseLetter]
        case "Ll": [.lowercaseLetter]
        case "Lt": [.titlecaseLetter]
        case "Lm": [.modifierLetter]
        case "Lo": [.otherLetter]
        case "LC": [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter]
        case "N": [.decimalNumber, .letterNumber, .otherNumber]
        case "Nd": [.decimalNumber]
        case "Nl": [.letterNumber]
        case "No": [.otherNumber]
        case "P":
            [
                .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
                .finalPunctuation, .otherPunctuation,
            ]
        case "Pc": [.connectorPunctuation]
        case "Pd": [.dashPunctuation]
        case "Ps": [.openPunctuation]
        case "Pe": [.closePunctuation]
        case "Po": [.otherPunctuation]
        case "S": [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]
        case "Sm": [.mathSymbol]
        case "Sc": [.currencySymbol]
        case "Sk": [.modifierSymbol]
        case "Z": [.spaceSeparator, .lineSeparator, .paragraphSeparator]
        case "Zs": [.spaceSeparator]
        case "M": [.nonspacingMark, .spacingMark, .enclosingMark]
        case "Cc": [.control]
        default: nil
        }
    }
}
