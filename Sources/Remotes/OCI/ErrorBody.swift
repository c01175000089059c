import Foundation

/// The body of a registry's error answer (OCI distribution specification, "Error Codes"), or what came instead.
struct ErrorBody: Hashable, Sendable {
    var codes: [String] = []
    /// At most 400 characters without control characters.
    var message = ""
    /// It is a web page: what answered is no registry.
    var isPage = false

    /// More than this is not looked at.
    static let maximumBytes = 65_536

    init() {}

    /// Reads as much as can be made out; never fails.
    init(bytes: [UInt8], contentType: String? = nil) {
        struct Raw: Decodable {
            struct Entry: Decodable {
                var code: String?
                var message: String?
            }
            var errors: [Entry]?
            var message: String?
            var details: String?
        }
        let bytes = bytes.prefix(Self.maximumBytes)
        if WebPage.isNamed(by: contentType) || WebPage.isMeant(by: bytes) {
            isPage = true
            message = WebPage.words(bytes)
        } else if let raw = try? JSONDecoder().decode(Raw.self, from: Data(bytes)) {
            let entries = raw.errors ?? []
            codes = entries.compactMap(\.code).prefix(4).map { Self.plain($0, limit: 60) }
            message = Self.plain(
                entries.compactMap(\.message).first ?? raw.message ?? raw.details ?? "",
                limit: 400
            )
        } else if bytes.first == UInt8(ascii: "<") {
            // S3 and its kin: `<Error><Code>ExpiredToken</Code><Message>…`.
            guard let error = XMLText.error(in: Data(bytes)) else { return }
            codes = [Self.plain(error.code, limit: 60)]
            message = Self.plain("\(error.code): \(error.message)", limit: 400)
        } else {
            message = Self.plain(String(decoding: bytes.prefix(400), as: UTF8.self), limit: 400)
        }
    }

    /// Whether it says anything at all.
    var hasWords: Bool { !codes.isEmpty || !message.isEmpty }

    func mentions(_ word: String) -> Bool { message.lowercased().contains(word) }

    private static func plain(_ text: String, limit: Int) -> String {
        String(
            text.unicodeScalars.lazy.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }.prefix(limit)
        ).trimmingCharacters(in: .whitespaces)
    }
}
