package import Foundation

/// The `Retry-After` header (RFC 9110 section 10.2.3): seconds, or a date.
package enum RetryAfter {
    /// How long to wait from `now` on; nil when the value is neither form. Never negative, at most a year.
    package static func parse(_ text: String, now: Date) -> Duration? {
        let value = text.trimmingCharacters(in: .whitespaces)
        if !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let seconds = Int64(value) else { return .seconds(limit) }
            return .seconds(min(seconds, limit))
        }
        guard let date = HTTPDate.parse(value) else { return nil }
        let seconds = date.timeIntervalSince(now)
        guard seconds > 0 else { return .zero }
        return .seconds(min(Int64(seconds.rounded(.up)), limit))
    }

    private static let limit: Int64 = 366 * 86_400
}
