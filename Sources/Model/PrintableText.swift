/// Text that is safe to print although it came from outside.
package enum PrintableText {
    /// Characters that steer a terminal, end a line, turn the direction of writing, or are not seen at all.
    package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: true
        default: false
        }
    }

    /// The text with each such character replaced, by U+FFFD if nothing else is given.
    package static func stripped(_ text: String, by replacement: Unicode.Scalar = "\u{FFFD}") -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var clean = String.UnicodeScalarView()
        clean.append(contentsOf: text.unicodeScalars.map { isControl($0) ? replacement : $0 })
        return String(clean)
    }
}
