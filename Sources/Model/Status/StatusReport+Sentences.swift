package import Foundation

extension StatusReport.ImageStatus {
    /// Where one image stands, in a sentence.
    package func sentence(now: Date, zone: TimeZone) -> String {
        let why = reason.map { ": \($0)" } ?? ""
        switch state {
        case "ready": return "ready since \(Phrase.clock(readyAt ?? updatedAt, now: now, zone: zone))"
        case "retrying":
            guard let due = dueAt, due > now else { return "queued to be tried again\(why)" }
            return "tried again at \(Phrase.clock(due, now: now, zone: zone))\(why)"
        case "cloning": return "being cloned"
        default: return state + why
        }
    }
}

extension StatusReport.Wait {
    /// One wait for each registry and reason, until the last of them is over.
    package static func grouped(_ waits: [StatusReport.Wait]) -> [StatusReport.Wait] {
        var groups: [[String?]: StatusReport.Wait] = [:]
        for wait in waits {
            if var group = groups[[wait.registry, wait.reason]] {
                group.images += wait.images
                group.until = [group.until, wait.until].compactMap(\.self).max()
                groups[[wait.registry, wait.reason]] = group
            } else {
                groups[[wait.registry, wait.reason]] = wait
            }
        }
        return groups.values.sorted { ($0.registry, $0.reason ?? "") < ($1.registry, $1.reason ?? "") }
    }
}
