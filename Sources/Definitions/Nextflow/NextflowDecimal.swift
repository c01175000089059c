/// A number that is not an integer of 64 bits: Groovy's `BigDecimal` with its digits as written, a large `BigInteger`,
/// or a floating-point number.
struct NextflowDecimal {
    /// What `toString()` prints; nil where that is not known exactly.
    let text: String?
    let value: Double

    /// A number whose text is not known, such as a quotient.
    init(_ value: Double) {
        self.value = value
        text = nil
    }

    /// `1.10`, `-2.5e3`: `new BigDecimal(…)` keeps its scale, and so does what it prints.
    init?(digits written: String) {
        var mantissa = Substring(written)
        let isNegative = mantissa.hasPrefix("-")
        if isNegative || mantissa.hasPrefix("+") { mantissa.removeFirst() }
        var exponent = 0
        if let mark = mantissa.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            let power = mantissa[mantissa.index(after: mark)...]
            guard power.utf8.count < 7, let number = Int(power) else { return nil }
            exponent = number
            mantissa = mantissa[..<mark]
        }
        let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let value = Double(written), value.isFinite else { return nil }
        let fraction = parts.count == 2 ? parts[1] : ""
        let all = parts[0].utf8 + Array(fraction.utf8)
        guard !all.isEmpty, all.count < 1000, all.allSatisfy({ 48...57 ~= $0 }) else { return nil }
        let digits = Array(all.drop { $0 == 48 })
        self.value = value
        text = Self.text(digits.isEmpty ? [48] : digits, scale: fraction.utf8.count - exponent, isNegative)
    }

    /// `BigDecimal.toString()` of an unscaled value and its scale.
    private static func text(_ digits: [UInt8], scale: Int, _ isNegative: Bool) -> String {
        let isZero = digits == [48]
        let sign = isNegative && !isZero ? "-" : ""
        let all = String(decoding: digits, as: UTF8.self)
        if scale == 0 { return sign + all }
        let power = digits.count - 1 - scale
        if scale > 0, power >= -6 {
            let padded = [UInt8](repeating: 48, count: max(0, scale + 1 - digits.count)) + digits
            let whole = String(decoding: padded.dropLast(scale), as: UTF8.self)
            return sign + whole + "." + String(decoding: padded.suffix(scale), as: UTF8.self)
        }
        let rest = all.dropFirst()
        let shown = all.prefix(1) + (rest.isEmpty ? "" : "." + rest)
        return sign + shown + (power == 0 ? "" : "E\(power > 0 ? "+" : "")\(power)")
    }

    /// `1.5d`, `2f`: Java prints these plainly between a thousandth and ten million.
    init?(floating written: Substring, isSingle: Bool) {
        guard let value = isSingle ? Float(written).map(Double.init) : Double(written), value.isFinite else {
            return nil
        }
        self.value = value
        let isPlain = value == 0 || (1e-3..<1e7).contains(abs(value))
        text = isPlain ? (isSingle ? "\(Float(value))" : "\(value)") : nil
    }

    var negated: NextflowDecimal { NextflowDecimal(value: -value, text: text.flatMap(Self.negated)) }

    private init(value: Double, text: String?) {
        self.value = value
        self.text = text
    }

    private static func negated(_ text: String) -> String? {
        guard text.utf8.contains(where: { 49...57 ~= $0 }) else { return text }
        return text.hasPrefix("-") ? String(text.dropFirst()) : "-" + text
    }
}

extension NextflowValue {
    /// A number's text in source, as Groovy reads it: octal after a zero, `0x`, `0b`, `_` between digits, suffixes.
    static func number(_ text: String) -> Kind {
        let digits = text.filter { $0 != "_" }
        let unsuffixed = digits.last.map { "lLgGiI".contains($0) } == true ? digits.dropLast() : digits[...]
        let bytes = unsuffixed.utf8
        for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2)] where unsuffixed.hasPrefix(prefix) {
            return Int(unsuffixed.dropFirst(2), radix: radix).map { .integer($0) } ?? notNumber(text)
        }
        if bytes.allSatisfy({ 48...57 ~= $0 }), !bytes.isEmpty {
            if bytes.count > 1, bytes.first == 48 {
                return Int(unsuffixed, radix: 8).map { .integer($0) } ?? notNumber(text)
            }
            if let value = Int(unsuffixed) { return .integer(value) }
            return NextflowDecimal(digits: String(unsuffixed)).map { .decimal($0) } ?? notNumber(text)
        }
        if let last = digits.last, "dDfF".contains(last) {
            let isSingle = last == "f" || last == "F"
            return NextflowDecimal(floating: digits.dropLast(), isSingle: isSingle).map { .decimal($0) }
                ?? notNumber(text)
        }
        return NextflowDecimal(digits: String(unsuffixed)).map { .decimal($0) } ?? notNumber(text)
    }

    /// A number's text in a parameters file, as Groovy's `JsonSlurper` reads it: an integer, or a decimal as written.
    static func number(json text: String) -> Kind {
        if let value = Int(text) { return .integer(value) }
        return NextflowDecimal(digits: text).map { .decimal($0) } ?? notNumber(text)
    }

    private static func notNumber(_ text: String) -> Kind {
        .unknown(["`\(text.prefix(60))` is no number that is known"])
    }
}
