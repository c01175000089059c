package import Foundation
import Model

/// A moment in the past as people give it on a command line.
package enum PastMoment {
    /// Reads a date (its beginning in the zone), an ISO 8601 time with its offset (with a fraction too, as the record's
    /// views write it), or how long ago; nil for others.
    package static func parse(_ text: String, now: Date, zone: TimeZone) -> Date? {
        if let ago = DurationText.parse(text) {
            return now.addingTimeInterval(-Double(ago.milliseconds) / 1000)
        }
        for style in [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)] {
            if let time = try? Date(text, strategy: style) { return time }
        }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2])
        else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let wanted = DateComponents(year: year, month: month, day: day)
        guard let date = calendar.date(from: wanted),
            calendar.dateComponents([.year, .month, .day], from: date) == wanted
        else { return nil }
        return date
    }
}
