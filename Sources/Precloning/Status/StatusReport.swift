package import Foundation

/// What is going on, as a value: the same value is printed as a table and as JSON.
///
/// Absent keys mean that there is nothing to say. Fields may be added; none changes its meaning without a new
/// `schemaVersion`.
package struct StatusReport: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var generatedAt: Date
    package var health: Health
    package var daemon: Daemon
    package var images: Counts
    /// Set when one run, workflow or image was asked for.
    package var focus: Focus?
    /// Live runs, those that wait first.
    package var runs: Part<RunStatus>
    package var copying: Part<ImageStatus>
    package var waiting: Part<ImageStatus>
    package var blocked: Part<ImageStatus>
    package var unresolved: Part<UnresolvedStatus>
    /// Ready images whose tag has moved upstream.
    package var moved: Part<ImageStatus>
    package var registries: [RegistryStatus]
    /// When the next image that waits is tried again.
    package var nextRetryAt: Date?

    /// As much of a list as is shown, and how long it is.
    package struct Part<Element: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
        package var total: Int
        package var shown: [Element]

        package init(total: Int = 0, shown: [Element] = []) {
            self.total = max(total, shown.count)
            self.shown = shown
        }
    }

    /// The process that works on the record.
    package struct Daemon: Codable, Sendable, Equatable {
        package var life: DaemonLife
        package var pid: Int32?
        package var mode: String?
        package var version: String?
        package var account: String?
        package var region: String?
        package var startedAt: Date?
        package var beatAt: Date?
        package var stoppedAt: Date?
        package var lastPollAt: Date?
        package var lastPollTrouble: String?
        package var lastEventAt: Date?
        package var eventTrouble: String?
        package var configurationTrouble: String?
        package var configurationTroubleAt: Date?
        /// What is listed again and again, and how often; none before it was once.
        package var sweeps: [Sweep]?
    }

    /// A list that is gone through again and again.
    package struct Sweep: Codable, Sendable, Equatable {
        /// `runs` (live ones), `allRuns`, `workflows`, or `versions`, of which each workflow has its turn.
        package var name: String
        /// Seconds from one to the next, as planned now.
        package var every: Double
        package var finishedAt: Date?
    }

    /// Images by state; `unresolved` counts mentions whose image is not known.
    package struct Counts: Codable, Sendable, Equatable {
        package var pending = 0
        package var cloning = 0
        package var ready = 0
        package var retrying = 0
        package var blocked = 0
        package var unresolved = 0

        package var total: Int { pending + cloning + ready + retrying + blocked }
    }

    /// The answer for the one thing that was asked for.
    package struct Focus: Codable, Sendable, Equatable {
        /// `run`, `workflow` or `image`.
        package var kind: String
        package var subject: String
        /// "18 of 19 images ready; 1 waits for Docker Hub until 14:05". Times in it are UTC.
        package var sentence: String
        package var isReady: Bool
        package var images: [ImageStatus]
        package var unresolved: [UnresolvedStatus]
        /// The last attempts, newest first; for an image only.
        package var attempts: [AttemptStatus]
        /// For a workflow only.
        package var coverage: Coverage?
    }

    /// One live run.
    package struct RunStatus: Codable, Sendable, Equatable {
        package var id: String
        package var name: String?
        package var status: String
        package var workflowID: String?
        package var workflowVersion: String?
        package var createdAt: Date?
        /// Why its images are not known, or not all.
        package var trouble: String?
        package var standing: Standing
    }

    /// How far the images of a run or a version are.
    package struct Standing: Codable, Sendable, Equatable {
        package var ready = 0
        package var total = 0
        package var copying = 0
        package var queued = 0
        package var blocked = 0
        package var unresolved = 0
        /// Images that wait for a time, by what they wait for.
        package var waits: [Wait] = []
        /// The definition was not read yet, or cannot be read.
        package var isUnknown = false

        package var isReady: Bool { !isUnknown && ready == total && unresolved == 0 }

        /// Needs a person before the run can go on.
        package var isStuck: Bool { blocked > 0 || unresolved > 0 }
    }

    package struct Wait: Codable, Sendable, Equatable {
        package var registry: String
        /// The failure class of what it waits for: `quota`, `unreachable` …; absent for a plain wait.
        package var reason: String?
        package var images: Int
        package var until: Date?
    }

    /// One image.
    package struct ImageStatus: Codable, Sendable, Equatable {
        package var source: String
        package var destination: String
        package var registry: String
        package var state: String
        package var route: String?
        package var routeDetail: String?
        package var reason: String?
        package var mend: String?
        package var failureClass: String?
        package var rule: String?
        package var digest: String?
        package var sourceDigest: String?
        package var movedDigest: String?
        package var bytes: Int64?
        package var access: String
        package var attempts: Int
        package var dueAt: Date?
        package var readyAt: Date?
        package var verifiedAt: Date?
        package var updatedAt: Date
        package var progress: Progress?
        /// Who wants it: `run 123`, `workflow 9/v2`; at most five.
        package var wantedBy: [String]
        /// For a run: how sure it is that it is used.
        package var certainty: String?
        /// Queued, and nothing is asked of its registry before then.
        package var registryRestsUntil: Date?
    }

    package struct Progress: Codable, Sendable, Equatable {
        package var startedAt: Date
        package var updatedAt: Date
        package var bytesDone: Int64
        package var bytesTotal: Int64?
        package var bytesPerSecond: Int64?
    }

    package struct UnresolvedStatus: Codable, Sendable, Equatable {
        /// `run`, `version` …
        package var kind: String
        package var subject: String
        package var place: String
        package var expression: String
        package var missing: String
        package var tasks: [String]
    }

    package struct AttemptStatus: Codable, Sendable, Equatable {
        package var startedAt: Date
        package var endedAt: Date
        package var route: String
        package var result: String
        package var failureClass: String?
        package var message: String?
        package var host: String?
        package var status: Int?
        package var requestID: String?
        package var bytes: Int64
    }

    /// How a registry stands with us.
    package struct RegistryStatus: Codable, Sendable, Equatable {
        package var registry: String
        /// A name for who asks, never a secret; absent: anonymous.
        package var credential: String?
        package var limit: Int?
        package var left: Int?
        package var windowSeconds: Int?
        /// When the count is full again, as far as is known.
        package var resetsAt: Date?
        package var pausedUntil: Date?
        package var pauseReason: String?
        /// `open` or `halfOpen`: it failed for everything and is given a rest.
        package var breaker: String?
        package var breakerUntil: Date?
        /// Images that wait for this registry.
        package var waiting: Int
        /// Live runs that wait for it; at most five ids.
        package var waitingRuns: [String]
    }
}

extension StatusReport {
    /// Stable JSON: sorted keys, ISO 8601 in UTC.
    package func json() throws -> String { try ReportJSON.text(self) }

    /// The exit code of `status`: of the thing asked for, else of the daemon.
    package var exitCode: Int32 {
        if let focus { return focus.isReady ? 0 : 4 }
        return health.exitCode
    }
}

/// How reports are written as JSON.
package enum ReportJSON {
    package static func text(_ value: some Encodable, pretty: Bool = true) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        encoder.dateEncodingStrategy = .iso8601
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
