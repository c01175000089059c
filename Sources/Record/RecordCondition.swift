package import Foundation
import Model

/// What can be seen of a record from outside, also where it can be neither read nor written.
package enum RecordCondition {
    /// What is wrong with it, the plainest first: what its files and disk show, and what the process that works on it says.
    package static func troubles(of path: String) -> [String] {
        [
            RecordFiles.hindrance(path),
            RecordLock.trouble(record: path).map { "the record cannot be used: \($0)" },
        ].compactMap(\.self)
    }

    /// Whether somebody works on a record that is not there any more.
    package static func isGone(_ path: String) -> String? {
        guard RecordReader.isMissing(path), let holder = RecordLock.holder(record: path) else { return nil }
        return
            "the record at \(path) was removed while \(holder) works on it; it notices and ends, and begins a new one "
            + "when it is started again"
    }

    /// What a person who waits for the process that works on a record should be told; nil: that it works.
    package static func worry(of path: String, _ reader: RecordReader, now: Date) -> String? {
        if let gone = isGone(path) { return gone }
        let troubles = troubles(of: path)
        if !troubles.isEmpty { return troubles.joined(separator: "; ") }
        guard let row = try? reader.worker() else { return nil }
        if let silence = row.silence(now: now) {
            return "process \(row.pid), which would do it, has given no sign of life for \(Phrase.length(silence))"
        }
        if DaemonLife(row, isAlive: true, now: now) == .stuck {
            return "process \(row.pid), which would do it, gives no sign of life"
        }
        return nil
    }
}
