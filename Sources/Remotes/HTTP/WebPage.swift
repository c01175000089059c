import Foundation

/// A web page where an answer of an interface should be: of a proxy, a portal, a host under maintenance.
enum WebPage {
    /// Whether a `Content-Type` says so.
    static func isNamed(by contentType: String?) -> Bool {
        guard let type = contentType?.prefix(while: { $0 != ";" }).trimmingCharacters(in: .whitespaces).lowercased()
        else { return false }
        return type == "text/html" || type == "application/xhtml+xml"
    }

    /// Whether the bytes begin as one.
    static func isMeant(by bytes: some Collection<UInt8>) -> Bool {
        let start = bytes.prefix(512).drop { $0 <= 0x20 || [0xef, 0xbb, 0xbf].contains($0) }
        let text = String(decoding: start, as: UTF8.self).lowercased()
        return text.hasPrefix("<!doctype html") || text.hasPrefix("<html")
            || (text.hasPrefix("<?xml") && text.contains("<html"))
    }

    /// A sentence about it, with its title where it has one.
    static func words(_ bytes: some Collection<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(16_384), as: UTF8.self)
        var title = ""
        if let open = text.range(of: "<title", options: .caseInsensitive),
            let start = text[open.upperBound...].firstIndex(of: ">"),
            let end = text.range(of: "</title", options: .caseInsensitive, range: start..<text.endIndex)
        {
            title = text[text.index(after: start)..<end.lowerBound]
                .split { $0.isWhitespace || $0.unicodeScalars.allSatisfy { $0.value < 0x20 || $0.value == 0x7f } }
                .joined(separator: " ")
        }
        return "a web page answered in its place" + (title.isEmpty ? "" : ", titled “\(title.prefix(120))”")
    }
}
