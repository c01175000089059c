package import Foundation

/// Numbers, times and names as people read them.
package enum Phrase {
    /// `1 image`, `3 images`.
    package static func count(_ number: Int, _ noun: String) -> String {
        "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    /// `12,345`.
    package static func grouped(_ number: Int) -> String {
        var digits = Array(String(number.magnitude))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(",", at: index)
            index -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    /// A length of time by its largest unit, and the next one below ten: `45 s`, `3 min`, `2 h 5 min`, `4 d`.
    package static func length(_ seconds: TimeInterval) -> String {
        let whole = Int(min(max(0, seconds.rounded()), 1e12))
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min"
        case ..<36_000 where whole % 3600 >= 60: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        case ..<86_400: return "\(whole / 3600) h"
        default: return "\(whole / 86_400) d"
        }
    }

    /// `3 min ago`, `just now`; `-` for nothing.
    package static func age(_ date: Date?, now: Date) -> String {
        guard let date else { return "-" }
        let seconds = now.timeIntervalSince(date)
        return seconds < 1 ? "just now" : "\(length(seconds)) ago"
    }

    /// `in 3 min`, `now`; `-` for nothing.
    package static func time(until date: Date?, now: Date) -> String {
        guard let date else { return "-" }
        let seconds = date.timeIntervalSince(now)
        return seconds < 1 ? "now" : "in \(length(seconds))"
    }

    /// Decimal units, as registries and ECR count: `999 B`, `1.2 GB`.
    package static func bytes(_ bytes: Int64?) -> String {
        guard let bytes else { return "-" }
        var value = Double(bytes)
        var unit = "B"
        for next in ["kB", "MB", "GB", "TB", "PB"] where value >= 999.5 {
            value /= 1000
            unit = next
        }
        if unit == "B" { return "\(bytes) B" }
        return value < 9.95 ? "\(tenths(value)) \(unit)" : "\(Int(value.rounded())) \(unit)"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// Registries by the names that people know them by.
    package static func registry(_ host: String) -> String {
        switch host {
        case "docker.io": "Docker Hub"
        case "quay.io": "Quay"
        case "public.ecr.aws": "ECR Public"
        case "ghcr.io": "GitHub"
        default: host
        }
    }

    /// The time of day, with the date where it is another day: `14:05`, `24 Nov 09:30`.
    package static func clock(_ date: Date, now: Date, zone: TimeZone) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: date)
        let today = calendar.dateComponents([.year, .month, .day], from: now)
        let time = "\(padded(parts.hour)):\(padded(parts.minute))"
        if parts.year == today.year, parts.month == today.month, parts.day == today.day { return time }
        let day = "\(parts.day ?? 0) \(months[max(0, min(11, (parts.month ?? 1) - 1))])"
        return parts.year == today.year ? "\(day) \(time)" : "\(day) \(parts.year ?? 0) \(time)"
    }

    /// Date and time to the minute, for lists that go back: `2026-11-23 14:05`.
    package static func stamp(_ date: Date, zone: TimeZone) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: date)
        return "\(parts.year ?? 0)-\(padded(parts.month))-\(padded(parts.day)) "
            + "\(padded(parts.hour)):\(padded(parts.minute))"
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func padded(_ number: Int?) -> String {
        let number = number ?? 0
        return number < 10 ? "0\(number)" : "\(number)"
    }

    /// Text from outside without anything that moves a cursor or turns the direction of writing.
    package static func plain(_ text: String) -> String { PrintableText.stripped(text, by: " ") }

    /// A digest short enough to compare by eye: `sha256:0123456789ab`.
    package static func short(_ digest: String?) -> String {
        guard let digest else { return "-" }
        guard let colon = digest.firstIndex(of: ":") else { return String(digest.prefix(12)) }
        return "\(digest[...colon])\(digest[digest.index(after: colon)...].prefix(12))"
    }
}

extension StatusReport.Standing {
    /// "18 of 19 images ready; 1 waits for Docker Hub until 14:05".
    package func sentence(now: Date, zone: TimeZone) -> String {
        if isUnknown { return "its images are not worked out yet" }
        if total == 0 && unresolved == 0 { return "no images needed" }
        var parts = ["\(ready) of \(Phrase.count(total, "image")) ready"]
        func are(_ number: Int) -> String { number == 1 ? "is" : "are" }
        if copying > 0 { parts.append("\(copying) \(are(copying)) being copied") }
        // What waited until a moment that is past only waits for its turn, or for the daemon.
        let isOver: (StatusReport.Wait) -> Bool = { wait in wait.until.map { $0 <= now } ?? false }
        let queued = queued + waits.filter(isOver).reduce(0) { $0 + $1.images }
        if queued > 0 { parts.append("\(queued) \(are(queued)) queued") }
        for wait in waits.filter({ !isOver($0) }).sorted(by: {
            ($0.registry, $0.reason ?? "") < ($1.registry, $1.reason ?? "")
        }) {
            let until = wait.until.map { " \(Phrase.clock($0, now: now, zone: zone))" }
            switch wait.reason {
            case "quota", "throttled", "unreachable", nil:
                parts.append(
                    "\(wait.images) wait\(wait.images == 1 ? "s" : "") for \(Phrase.registry(wait.registry))"
                        + (until.map { " until\($0)" } ?? "")
                )
            default:
                parts.append("\(wait.images) \(are(wait.images)) tried again" + (until.map { " at\($0)" } ?? ""))
            }
        }
        if blocked > 0 { parts.append("\(blocked) \(are(blocked)) blocked") }
        if late > 0 {
            let them = late == 1 ? "it" : "them"
            parts.append("\(late) \(are(late)) blocked here, and HealthOmics copies \(them) itself, late")
        }
        if unresolved > 0 { parts.append("\(Phrase.count(unresolved, "image")) could not be resolved") }
        return parts.joined(separator: "; ")
    }
}
