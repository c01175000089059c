package import Foundation

/// The one row that the working process keeps about itself.
package struct DaemonRow: Codable, Sendable, Equatable {
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
    /// When the process said last that it lives; nil for one that only beats.
    package var aliveAt: Milliseconds?

    /// How often the process says that it lives.
    package static let lifeSign: Duration = .seconds(5)

    package init(
        pid: Int32,
        version: String,
        mode: String,
        startedAt: Milliseconds,
        beatAt: Milliseconds,
        stoppedAt: Milliseconds? = nil,
        account: String? = nil,
        region: String? = nil,
        lastPollAt: Milliseconds? = nil,
        lastPollTrouble: String? = nil,
        lastEventAt: Milliseconds? = nil,
        eventTrouble: String? = nil,
        configTrouble: String? = nil,
        configTroubleAt: Milliseconds? = nil,
        tokenExpiresAt: Milliseconds? = nil,
        aliveAt: Milliseconds? = nil
    ) {
        self.pid = pid
        self.version = version
        self.mode = mode
        self.startedAt = startedAt
        self.beatAt = beatAt
        self.stoppedAt = stoppedAt
        self.account = account
        self.region = region
        self.lastPollAt = lastPollAt
        self.lastPollTrouble = lastPollTrouble
        self.lastEventAt = lastEventAt
        self.eventTrouble = eventTrouble
        self.configTrouble = configTrouble
        self.configTroubleAt = configTroubleAt
        self.tokenExpiresAt = tokenExpiresAt
        self.aliveAt = aliveAt
    }

    /// For how long a process that is there has said nothing, where that is more than three of its signs; nil: it speaks.
    package func silence(now: Date) -> TimeInterval? {
        // A sign from the future is a clock that was set back, not silence.
        guard stoppedAt == nil, let aliveAt else { return nil }
        let silent = now.milliseconds - aliveAt
        return silent > 3 * Self.lifeSign.milliseconds ? Double(silent) / 1000 : nil
    }

    /// What is wrong with the daemon's own work, in words.
    package var troubles: [String] {
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
            let silent = max(now.milliseconds - row.beatAt, Milliseconds((row.silence(now: now) ?? 0) * 1000))
            self = silent > Self.patience.milliseconds ? .stuck : .running
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

    package init(state: State, reasons: [String]) {
        self.state = state
        self.reasons = reasons
    }

    /// The exit code of `status`: 0 healthy, 3 not running, 4 degraded.
    package var exitCode: Int32 {
        switch state {
        case .healthy, .idle: 0
        case .notRunning: 3
        case .degraded, .stuck: 4
        }
    }
}
