package import struct Foundation.Date

/// Dates of HTTP headers (RFC 9110 section 5.6.7), told by the civil calendar alone: no locale or calendar of the machine
/// matters.
package enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms that have to be read too; nil for anything else.
    package static func parse(_ text: String) -> Date? {
        let parts = text.split(whereSeparator: { " ,-".contains($0) }).map(String.init)
        // `Sunday, 06-Nov-94 08:49:37 GMT` and IMF-fixdate have the same order; asctime has its own.
        if parts.count == 6, parts[5] == "GMT" {
            return date(day: parts[1], month: parts[2], year: parts[3], time: parts[4])
        }
        return parts.count == 5 ? date(day: parts[2], month: parts[1], year: parts[4], time: parts[3]) : nil
    }

    private static func date(day: String, month: String, year: String, time: String) -> Date? {
        guard let day = Int(day), (1...31).contains(day), let month = months.firstIndex(of: month),
            var year = Int(year), (0...9999).contains(year)
        else { return nil }
        if year < 100 { year += year < 70 ? 2000 : 1900 }
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return utc(year: year, month: month + 1, day: day, seconds: hour * 3600 + minute * 60 + second)
    }

    /// A moment by its calendar's date and the seconds of its day, in UTC.
    static func utc(year: Int, month: Int, day: Int, seconds: Int) -> Date {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted >= 0 ? shifted / 400 : (shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Date(timeIntervalSince1970: Double(days * 86_400 + seconds))
    }
}
