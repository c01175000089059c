/// What a definition writes as an image, looked at only so far that placeholders and sentences do not pass as images.
package enum ImageText {
    /// Whether the text has the shape of an image reference: `[host[:port]/]path[:tag][@digest]`, with the alphabet of
    /// the OCI distribution specification.
    package static func isReference(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        guard !bytes.isEmpty, bytes.count <= 512 else { return false }
        if let at = bytes.lastIndex(of: UInt8(ascii: "@")) {
            guard isDigest(bytes[(at + 1)...]) else { return false }
            bytes = bytes[..<at]
        }
        let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > slash ?? -1 {
            guard isTag(bytes[(colon + 1)...]) else { return false }
            bytes = bytes[..<colon]
        }
        var parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if parts.count > 1, isHost(parts[0]) { parts.removeFirst() }
        return parts.allSatisfy(isPathPart)
    }

    private static func isHost(_ part: ArraySlice<UInt8>) -> Bool {
        let isNamed = part.contains(UInt8(ascii: ".")) || part.contains(UInt8(ascii: ":"))
        guard isNamed || part.elementsEqual("localhost".utf8) else { return false }
        let pieces = part.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard pieces.count <= 2, pieces.count < 2 || (!pieces[1].isEmpty && pieces[1].allSatisfy(isDigit)) else {
            return false
        }
        return !pieces[0].isEmpty
            && pieces[0].allSatisfy {
                isDigit($0) || isLetter($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
            }
    }

    /// Lower-case letters and digits, with single separators `.`, `_`, `__` or dashes between.
    private static func isPathPart(_ part: ArraySlice<UInt8>) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || (isLetter(byte) && byte & 0x20 != 0) }
        guard let first = part.first, let last = part.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        var separators: [UInt8] = []
        for byte in part {
            if isAlphanumeric(byte) {
                let isFine =
                    separators.count <= 1 || separators.elementsEqual("__".utf8)
                    || separators.allSatisfy { $0 == UInt8(ascii: "-") }
                guard isFine else { return false }
                separators = []
            } else if byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") {
                separators.append(byte)
            } else {
                return false
            }
        }
        return true
    }

    private static func isTag(_ tag: ArraySlice<UInt8>) -> Bool {
        func isWord(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") }
        guard let first = tag.first, tag.count <= 128, isWord(first) else { return false }
        return tag.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isDigest(_ digest: ArraySlice<UInt8>) -> Bool {
        let parts = digest.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count >= 32, !parts[0].isEmpty else { return false }
        return parts[0].allSatisfy { isDigit($0) || isLetter($0) || [0x2B, 0x2E, 0x5F, 0x2D].contains($0) }
            && parts[1].allSatisfy { isDigit($0) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 }
}
