import Foundation
package import Remotes

/// The growing wait of a service that fails again and again. systemd's `RestartSteps=` does the same from version 254 on and
/// is unknown to Debian 12.
///
/// A file in the runtime directory counts the starts that no end in good order has followed. systemd keeps that directory
/// while it restarts the unit, and removes it when somebody stops the unit.
package struct RestartBackOff: Sendable {
    /// What `RestartSec=` of the unit waits by itself.
    private static let base = 5
    private static let ceiling = 300
    /// Whoever has run for this long has not failed at its start.
    private static let goodRun: TimeInterval = 600

    private let path: String?
    private let timeline: Timeline

    /// - Parameter environment: `RUNTIME_DIRECTORY` is read from it; without it nothing is counted and nothing waits.
    package init(environment: [String: String], timeline: Timeline) {
        path = environment["RUNTIME_DIRECTORY"].map { "\($0)/failed-starts" }
        self.timeline = timeline
    }

    /// How many starts in a row have failed; forgotten with the asking, so that whoever ends the wait and starts the
    /// service again does not wait once more.
    package func takeFailures() -> Int {
        guard let path, let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
        try? FileManager.default.removeItem(atPath: path)
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let count = Int(words[0]), let begun = TimeInterval(words[1]), count > 0 else {
            return 0
        }
        return timeline.now().timeIntervalSince1970 - begun < Self.goodRun ? min(count, 1000) : 1
    }

    /// A start begins, the one after so many failures.
    package func begins(after failures: Int) {
        guard let path else { return }
        let text = "\(failures + 1) \(Int64(timeline.now().timeIntervalSince1970))\n"
        try? Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// The service has ended in good order.
    package func ended() {
        if let path { try? FileManager.default.removeItem(atPath: path) }
    }

    /// How long to wait beyond the unit's own wait: nothing after the first failure, in all five minutes at most.
    package static func delay(after failures: Int) -> Duration {
        guard failures > 1 else { return .zero }
        return .seconds(min(base << min(failures - 1, 10), ceiling) - base)
    }
}
