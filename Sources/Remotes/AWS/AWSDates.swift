package import Foundation

/// Timestamps of AWS bodies. The services' models name one form for each; whoever speaks for AWS may send another of
/// them, so all three are read everywhere: ISO 8601, seconds since 1970, and the date of HTTP headers.
package enum AWSDates {
    /// A time as text; nil for anything else. Without a zone it is in UTC, as all times of AWS are.
    package static func date(_ text: String) -> Date? {
        let text = text.trimmingCharacters(in: .whitespaces)
        return iso8601(text) ?? epoch(text) ?? HTTPDate.parse(text)
    }

    package static let decode: @Sendable (any Decoder) throws -> Date = { decoder in
        let container = try decoder.singleValueContainer()
        if let seconds = try? container.decode(Double.self) { return date(secondsOrMilliseconds: seconds) }
        let text = try container.decode(String.self)
        if let parsed = AWSDates.date(text) { return parsed }
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "`\(text)` is no time that AWS writes")
    }

    private static func epoch(_ text: String) -> Date? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }) else { return nil }
        return Double(text).map(date(secondsOrMilliseconds:))
    }

    /// Seconds, unless that were later than the year 5000: then milliseconds.
    private static func date(secondsOrMilliseconds value: Double) -> Date {
        Date(timeIntervalSince1970: value > 1e11 ? value / 1000 : value)
    }

    /// `2026-09-21T14:13:20.123456+02:00`: `T` or a blank between; fraction and zone may be missing; `Z`, `UTC`, `+hhmm`.
    private static func iso8601(_ text: String) -> Date? {
        var rest = Substring(text)
        func number(_ digits: Int) -> Int? {
            let part = rest.prefix(digits)
            guard part.utf8.count == digits, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int(part)
        }
        func skip(_ marks: String) -> Bool {
            guard let first = rest.first, marks.contains(first) else { return false }
            rest.removeFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2), skip("Tt "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction = 0.0
        if skip(".,") {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard !digits.isEmpty, let value = Double("0.\(digits)") else { return nil }
            fraction = value
            rest = rest.dropFirst(digits.count)
        }
        var offset = 0
        switch rest.uppercased() {
        case "", "Z", "UTC", " UTC", "GMT": break
        default:
            let isWest = rest.first == "-"
            guard skip("+-"), let hours = number(2) else { return nil }
            _ = skip(":")
            let minutes = rest.isEmpty ? 0 : number(2)
            guard let minutes, rest.isEmpty, hours < 24, minutes < 60 else { return nil }
            offset = (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
        }
        let day0 = HTTPDate.utc(
            year: year,
            month: month,
            day: day,
            seconds: hour * 3600 + minute * 60 + second - offset
        )
        return day0.addingTimeInterval(fraction)
    }
}
