import Names
import Remotes
import Synchronization

/// The time that is left to running copies once the daemon is told to stop.
///
/// A copy asks before each blob and each part: one that will end in time goes on, a longer one stops there, where nothing
/// of it is lost.
package final class Drain: Sendable {
    /// What a copy is taken to move in a second before it has moved anything.
    static let assumedBytesPerSecond = 10_000_000.0

    private let end = Mutex<Duration?>(nil)

    package init() {}

    /// The daemon stops: copies have until then, as `Timeline.elapsed` counts.
    func begin(until end: Duration) { self.end.withLock { $0 = end } }

    /// Whether a copy may begin its next blob or part.
    ///
    /// - Parameters:
    ///   - snapshot: how far it is.
    ///   - started: when it began.
    func allows(_ snapshot: TransferProgress.Snapshot, since started: Duration, at now: Duration) -> Bool {
        guard let end = end.withLock({ $0 }) else { return true }
        guard let total = snapshot.bytesTotal else { return now < end }
        let seconds = (now - started).seconds
        let rate =
            seconds > 0 && snapshot.bytesMoved > 0
            ? Double(snapshot.bytesMoved) / seconds : Self.assumedBytesPerSecond
        return Double(max(0, total - snapshot.bytesDone)) / rate <= (end - now).seconds
    }
}
