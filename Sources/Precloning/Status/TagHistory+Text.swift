package import Foundation
package import Model

extension TagHistory {
    /// The story as a person reads it, newest first.
    package func lines(now: Date, style: TextStyle) -> [String] {
        var lines = [style.tinted(style.fitted(reference), .bold)]
        if entries.isEmpty { lines.append("  nothing was seen of it yet") }
        for entry in entries {
            let stamp = Phrase.stamp(entry.firstSeenAt, zone: style.zone)
            lines += style.wrapped("\(stamp)  \(entry.sentence)", indent: 2)
            lines.append("    " + style.fitted("last seen \(Phrase.age(entry.lastSeenAt, now: now))", indent: 4))
            if entry.runsTotal > 0 {
                let more = entry.runsTotal > entry.runs.count ? " …" : ""
                lines += style.wrapped(
                    "used by \(Phrase.count(entry.runsTotal, "run")): \(entry.runs.joined(separator: ", "))\(more)",
                    indent: 4
                )
            }
        }
        return lines
    }
}

extension TagHistory.Entry {
    var sentence: String {
        let digest = Phrase.short(digest)
        let was = previousDigest.map { ", was \(Phrase.short($0))" } ?? ""
        if location == "upstream" {
            if note == "gone" { return "gone upstream\(was)" }
            let left = note.flatMap { $0 == "moved" ? nil : " (\($0))" } ?? ""
            return (previousDigest == nil ? "upstream is at \(digest)" : "upstream moved to \(digest)\(was)") + left
        }
        switch note {
        case "cloned": return "cloned to \(location) as \(digest)\(was)"
        case "gone": return "gone from \(location)\(was)"
        case let note?: return "\(location) at \(digest), \(note)\(was)"
        case nil: return "\(location) had \(digest)\(was)"
        }
    }
}
