package import Foundation
import GRDB

/// The one row that the working process keeps about itself.
package struct DaemonRow: Codable, Sendable, Equatable, FetchableRecord {
    package var pid: Int32
    package var version: String
    /// `run`, `once` or `clone`.
    package var mode: String
    package var startedAt: Milliseconds
    package var beatAt: Milliseconds
    package var stoppedAt: Milliseconds?
    package var account: String?
    package var region: String?
    package var lastPollAt: Milliseconds?
    package var lastPollTrouble: String?
    package var lastEventAt: Milliseconds?
    package var eventTrouble: String?
    package var configTrouble: String?
    package var configTroubleAt: Milliseconds?
    package var tokenExpiresAt: Milliseconds?

    /// What is wrong with the daemon's own work, in words.
    var troubles: [String] {
        [
            lastPollTrouble.map { "the last poll failed: \($0)" },
            configTrouble.map { "the changed configuration is not in force: \($0)" },
            eventTrouble.map { "events do not arrive: \($0)" },
        ].compactMap(\.self)
    }
}

/// Whether the process that works on the record lives, as told apart by its heartbeat and by the process itself.
package enum DaemonLife: String, Codable, Sendable, Hashable {
    /// Gives signs of life.
    case running
    /// The process is there and has given no sign of life for too long.
    case stuck
    /// Ended in good order.
    case stopped
    /// The process is gone and said nothing: killed, crashed, or the machine went down.
    case dead
    /// No process ever worked on this record.
    case never

    /// Loops beat every few seconds; systemd's watchdog restarts a daemon that is silent for longer than this.
    package static let patience: Duration = .seconds(120)

    /// - Parameter isAlive: whether the process holds the record.
    package init(_ row: DaemonRow?, isAlive: Bool, now: Date) {
        guard let row else {
            self = .never
            return
        }
        if row.stoppedAt != nil {
            self = .stopped
        } else if !isAlive {
            self = .dead
        } else {
            // A beat from the future is a clock that was set back, not silence.
            self = now.milliseconds - row.beatAt > Self.patience.milliseconds ? .stuck : .running
        }
    }
}

/// One word of health and why; the first line of `status`.
package struct Health: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        /// Works, and something is being done or waited for.
        case healthy
        /// Works, and there is nothing to do.
        case idle
        /// Works, but a person should look.
        case degraded
        /// Lives, but does not work.
        case stuck
        /// Is not there.
        case notRunning
    }

    package var state: State
    /// Why, in words; the first is the most important.
    package var reasons: [String]

    /// The exit code of `status`: 0 healthy, 3 not running, 4 degraded.
    package var exitCode: Int32 {
        switch state {
        case .healthy, .idle: 0
        case .notRunning: 3
        case .degraded, .stuck: 4
        }
    }
}
