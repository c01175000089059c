import Foundation

/// The body of a registry's error answer (OCI distribution specification, "Error Codes"), or what came instead.
struct ErrorBody: Hashable, Sendable {
    var codes: [String] = []
    /// At most 400 characters without control characters.
    var message = ""

    init() {}

    /// Reads as much as can be made out; never fails.
    init(bytes: [UInt8]) {
        struct Raw: Decodable {
            struct Entry: Decodable {
                var code: String?
                var message: String?
            }
            var errors: [Entry]?
            var message: String?
            var details: String?
        }
        if let raw = try? JSONDecoder().decode(Raw.self, from: Data(bytes)) {
            let entries = raw.errors ?? []
            codes = entries.compactMap(\.code).prefix(4).map { Self.plain($0, limit: 60) }
            message = Self.plain(
                entries.compactMap(\.message).first ?? raw.message ?? raw.details ?? "",
                limit: 400
            )
        } else if !bytes.isEmpty, bytes.first != UInt8(ascii: "<") {
            message = Self.plain(String(decoding: bytes.prefix(400), as: UTF8.self), limit: 400)
        }
    }

    func mentions(_ word: String) -> Bool { message.lowercased().contains(word) }

    private static func plain(_ text: String, limit: Int) -> String {
        String(
            text.unicodeScalars.lazy.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }.prefix(limit)
        ).trimmingCharacters(in: .whitespaces)
    }
}
