import Foundation

/// Amounts as people say them.
enum Words {
    /// `1.2 GB`, by thousands as registries count; `-` for nothing known.
    static func bytes(_ bytes: Int64?) -> String {
        guard let bytes else { return "-" }
        var value = Double(bytes)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 999.5 { return unit == "B" ? "\(bytes) B" : "\(short(value)) \(unit)" }
            value /= 1000
        }
        return "\(short(value)) TB"
    }

    /// `12 MB/s`.
    static func rate(_ bytesPerSecond: Double?) -> String {
        guard let bytesPerSecond, bytesPerSecond.isFinite, bytesPerSecond >= 0, bytesPerSecond < 9e18 else {
            return "-"
        }
        return bytes(Int64(bytesPerSecond)) + "/s"
    }

    /// `now`, `40 s`, `12 min`, `3 h 20 min`, `5 d`; two units where the first is small.
    static func span(_ duration: Duration?) -> String {
        guard let seconds = duration?.components.seconds else { return "-" }
        switch seconds {
        case ..<1: return "now"
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min"
        case ..<36_000 where seconds % 3600 >= 60: return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }

    /// `12 min ago`; a moment in the future is `in 12 min`.
    static func age(of moment: Date?, now: Date) -> String {
        guard let moment else { return "-" }
        let seconds = now.timeIntervalSince(moment)
        guard seconds.isFinite, abs(seconds) < 9e15 else { return "-" }
        if abs(seconds) < 1 { return "now" }
        let words = span(.seconds(abs(seconds)))
        return seconds > 0 ? "\(words) ago" : "in \(words)"
    }

    /// The hour in UTC: `14:05`, with the day where it is another: `24 Nov 14:05`.
    static func clock(_ moment: Date, now: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        var style = Date.VerbatimFormatStyle(
            format: "\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits)",
            locale: Locale(identifier: "en_US_POSIX"),
            timeZone: .gmt,
            calendar: calendar
        )
        if calendar.isDate(moment, inSameDayAs: now) { return moment.formatted(style) }
        style = Date.VerbatimFormatStyle(
            format: """
                \(day: .defaultDigits) \(month: .abbreviated) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits)
                """,
            locale: Locale(identifier: "en_US_POSIX"),
            timeZone: .gmt,
            calendar: calendar
        )
        return moment.formatted(style)
    }

    /// `[#####-----]  50 %`, or dashes alone when the total is not known.
    static func bar(done: Int64, total: Int64?, width: Int = 20) -> String {
        guard let total, total > 0 else { return "[" + String(repeating: "-", count: width) + "]    ?" }
        let share = min(1, max(0, Double(done) / Double(total)))
        let full = Int(share * Double(width))
        let percent = String(Int(share * 100))
        return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: width - full) + "] "
            + String(repeating: " ", count: 3 - percent.count) + percent + " %"
    }

    /// `1 image`, `2 images`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    private static func short(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return value < 9.95 && tenths % 10 != 0 ? "\(tenths / 10).\(tenths % 10)" : "\(Int(value.rounded()))"
    }
}
