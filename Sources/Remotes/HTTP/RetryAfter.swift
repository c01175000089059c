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
        guard let date = date(value) else { return nil }
        let seconds = date.timeIntervalSince(now)
        guard seconds > 0 else { return .zero }
        return .seconds(min(Int64(seconds.rounded(.up)), limit))
    }

    private static let limit: Int64 = 366 * 86_400

    /// An HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms that RFC 9110 obliges us to read.
    package static func date(_ text: String) -> Date? {
        let parts = text.split(whereSeparator: { " ,-".contains($0) }).map(String.init)
        // `Sunday, 06-Nov-94 08:49:37 GMT` and IMF-fixdate have the same order; asctime has its own.
        if parts.count == 6, parts[5] == "GMT" {
            return date(day: parts[1], month: parts[2], year: parts[3], time: parts[4])
        }
        if parts.count == 5 {
            return date(day: parts[2], month: parts[1], year: parts[4], time: parts[3])
        }
        return nil
    }

    private static func date(day: String, month: String, year: String, time: String) -> Date? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard let day = Int(day), (1...31).contains(day), let month = months.firstIndex(of: month),
            var year = Int(year), (0...9999).contains(year)
        else { return nil }
        if year < 100 { year += year < 70 ? 2000 : 1900 }
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        // Days from the civil calendar, so that no locale or calendar of the machine matters.
        let shifted = month + 1 <= 2 ? year - 1 : year
        let era = shifted >= 0 ? shifted / 400 : (shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 1) + (month + 1 > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Date(timeIntervalSince1970: Double(days * 86_400 + hour * 3600 + minute * 60 + second))
    }
}
