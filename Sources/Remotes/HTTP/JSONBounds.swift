/// What a JSON text costs before it is decoded: a decoder makes tens to hundreds of bytes of each `{}`, so that a text of
/// a few megabytes could take hundreds.
enum JSONBounds {
    /// Values that an answer may have: several times what the largest real ones have.
    static let maximumValues = 100_000
    /// How deep it may be.
    static let maximumDepth = 128

    /// Whether a text keeps within bounds; whether it is JSON at all is for the decoder to say.
    static func holds(_ bytes: some Sequence<UInt8>, values limit: Int = maximumValues) -> Bool {
        var values = 1
        var depth = 0
        var isString = false
        var isEscaped = false
        for byte in bytes {
            if isString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5c {
                    isEscaped = true
                } else if byte == 0x22 {
                    isString = false
                }
                continue
            }
            switch byte {
            case 0x22: isString = true
            case 0x2c, 0x3a: values += 1
            case 0x5b, 0x7b:
                values += 1
                depth += 1
            case 0x5d, 0x7d: depth -= 1
            default: continue
            }
            if values > limit || depth > maximumDepth { return false }
        }
        return true
    }
}
