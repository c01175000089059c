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
    /// All live runs, also those that are not shown.
    package var runCounts: RunCounts?
    /// Those of the live runs that are not ready, by workflow: the blocked ones first, then the many.
    package var runGroups: Part<RunGroup>?
    package var copying: Part<ImageStatus>
    package var waiting: Part<ImageStatus>
    package var blocked: Part<ImageStatus>
    package var unresolved: Part<UnresolvedStatus>
    /// Ready images whose tag has moved upstream.
    package var moved: Part<ImageStatus>
    package var registries: [RegistryStatus]
    /// When the next image that waits is tried again.
    package var nextRetryAt: Date?
    /// What the ready images take in ECR, as it was counted within the last hour.
    package var storage: ActivityReport.Storage?
    /// What rules of policy decided so far; absent before the first decision.
    package var policy: [RuleHits]?

    package init(
        schemaVersion: Int = 1,
        generatedAt: Date,
        health: Health,
        daemon: Daemon,
        images: Counts,
        focus: Focus? = nil,
        runs: Part<RunStatus>,
        copying: Part<ImageStatus>,
        waiting: Part<ImageStatus>,
        blocked: Part<ImageStatus>,
        unresolved: Part<UnresolvedStatus>,
        moved: Part<ImageStatus>,
        registries: [RegistryStatus],
        nextRetryAt: Date? = nil
    ) {
        self.schemaVersion = schemaVersion
        self.generatedAt = generatedAt
        self.health = health
        self.daemon = daemon
        self.images = images
        self.focus = focus
        self.runs = runs
        self.copying = copying
        self.waiting = waiting
        self.blocked = blocked
        self.unresolved = unresolved
        self.moved = moved
        self.registries = registries
        self.nextRetryAt = nextRetryAt
    }

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
        /// When the process said last that it lives, whatever its loops do.
        package var aliveAt: Date?
        /// What keeps it from its work.
        package var troubles: [Trouble]?

        package init(
            life: DaemonLife,
            pid: Int32? = nil,
            mode: String? = nil,
            version: String? = nil,
            account: String? = nil,
            region: String? = nil,
            startedAt: Date? = nil,
            beatAt: Date? = nil,
            stoppedAt: Date? = nil,
            lastPollAt: Date? = nil,
            lastPollTrouble: String? = nil,
            lastEventAt: Date? = nil,
            eventTrouble: String? = nil,
            configurationTrouble: String? = nil,
            configurationTroubleAt: Date? = nil,
            sweeps: [Sweep]? = nil
        ) {
            self.life = life
            self.pid = pid
            self.mode = mode
            self.version = version
            self.account = account
            self.region = region
            self.startedAt = startedAt
            self.beatAt = beatAt
            self.stoppedAt = stoppedAt
            self.lastPollAt = lastPollAt
            self.lastPollTrouble = lastPollTrouble
            self.lastEventAt = lastEventAt
            self.eventTrouble = eventTrouble
            self.configurationTrouble = configurationTrouble
            self.configurationTroubleAt = configurationTroubleAt
            self.sweeps = sweeps
        }
    }

    /// A list that is gone through again and again.
    package struct Sweep: Codable, Sendable, Equatable {
        /// `runs` (live ones), `allRuns`, `workflows`, or `versions`, of which each workflow has its turn.
        package var name: String
        /// Seconds from one to the next, as planned now.
        package var every: Double
        package var finishedAt: Date?

        package init(name: String, every: Double, finishedAt: Date? = nil) {
            self.name = name
            self.every = every
            self.finishedAt = finishedAt
        }
    }

    /// How often a rule of policy decided: attempts to clone, and calls of tools.
    package struct RuleHits: Codable, Sendable, Equatable {
        /// Its name; `default`, `private registries` and `agents` are not the operator's.
        package var rule: String
        package var allowed: Int
        package var denied: Int
        /// What a rule that only warns would have denied.
        package var warned: Int
        package var lastAt: Date

        package init(rule: String, allowed: Int, denied: Int, warned: Int, lastAt: Date) {
            self.rule = rule
            self.allowed = allowed
            self.denied = denied
            self.warned = warned
            self.lastAt = lastAt
        }
    }

    /// Images by state; `unresolved` counts mentions whose image is not known.
    package struct Counts: Codable, Sendable, Equatable {
        package var pending = 0
        package var cloning = 0
        package var ready = 0
        package var retrying = 0
        package var blocked = 0
        package var unresolved = 0

        package init(
            pending: Int = 0,
            cloning: Int = 0,
            ready: Int = 0,
            retrying: Int = 0,
            blocked: Int = 0,
            unresolved: Int = 0
        ) {
            self.pending = pending
            self.cloning = cloning
            self.ready = ready
            self.retrying = retrying
            self.blocked = blocked
            self.unresolved = unresolved
        }

        package var total: Int { pending + cloning + ready + retrying + blocked }
    }

    /// The answer for the one thing that was asked for.
    package struct Focus: Codable, Sendable, Equatable {
        /// `run`, `workflow` or `image`.
        package var kind: String
        package var subject: String
        /// "18 of 19 images ready; 1 waits for Docker Hub until 14:05". Times in it are UTC.
        package var sentence: String
        /// For a live run, as in its row.
        package var readyBy: Date?
        package var isReady: Bool
        package var images: [ImageStatus]
        package var unresolved: [UnresolvedStatus]
        /// The last attempts, newest first; for an image only.
        package var attempts: [AttemptStatus]
        /// For a workflow only.
        package var coverage: Coverage?

        package init(
            kind: String,
            subject: String,
            sentence: String,
            isReady: Bool,
            images: [ImageStatus],
            unresolved: [UnresolvedStatus],
            attempts: [AttemptStatus],
            coverage: Coverage? = nil
        ) {
            self.kind = kind
            self.subject = subject
            self.sentence = sentence
            self.isReady = isReady
            self.images = images
            self.unresolved = unresolved
            self.attempts = attempts
            self.coverage = coverage
        }
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
        /// When its images will be there, by the pace of the last clones; absent where nothing tells.
        package var readyBy: Date?

        package init(
            id: String,
            name: String? = nil,
            status: String,
            workflowID: String? = nil,
            workflowVersion: String? = nil,
            createdAt: Date? = nil,
            trouble: String? = nil,
            standing: Standing
        ) {
            self.id = id
            self.name = name
            self.status = status
            self.workflowID = workflowID
            self.workflowVersion = workflowVersion
            self.createdAt = createdAt
            self.trouble = trouble
            self.standing = standing
        }
    }

    /// How far the images of a run or a version are.
    package struct Standing: Codable, Sendable, Equatable {
        package var ready = 0
        package var total = 0
        package var copying = 0
        package var queued = 0
        package var blocked = 0
        /// Blocked here, and copied by HealthOmics itself when a task asks for them.
        package var late = 0
        package var unresolved = 0
        /// Images that wait for a time, by what they wait for.
        package var waits: [Wait] = []
        /// The definition was not read yet, or cannot be read.
        package var isUnknown = false

        package init(
            ready: Int = 0,
            total: Int = 0,
            copying: Int = 0,
            queued: Int = 0,
            blocked: Int = 0,
            unresolved: Int = 0,
            waits: [Wait] = [],
            isUnknown: Bool = false
        ) {
            self.ready = ready
            self.total = total
            self.copying = copying
            self.queued = queued
            self.blocked = blocked
            self.unresolved = unresolved
            self.waits = waits
            self.isUnknown = isUnknown
        }

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

        package init(registry: String, reason: String? = nil, images: Int, until: Date? = nil) {
            self.registry = registry
            self.reason = reason
            self.images = images
            self.until = until
        }
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
        /// For a run or a workflow: how many tasks end one after the other before the first that uses it begins.
        package var depth: Int?
        /// True for an image that HealthOmics copies itself when a task asks for it, late.
        package var comesByItself: Bool?
        /// Queued, and nothing is asked of its registry before then.
        package var registryRestsUntil: Date?
        /// True for an image that is cloned although no mapping leads there: whoever wants it cannot pull it from this place.
        package var isOutOfReach: Bool?

        package init(
            source: String,
            destination: String,
            registry: String,
            state: String,
            route: String? = nil,
            routeDetail: String? = nil,
            reason: String? = nil,
            mend: String? = nil,
            failureClass: String? = nil,
            rule: String? = nil,
            digest: String? = nil,
            sourceDigest: String? = nil,
            movedDigest: String? = nil,
            bytes: Int64? = nil,
            access: String,
            attempts: Int,
            dueAt: Date? = nil,
            readyAt: Date? = nil,
            verifiedAt: Date? = nil,
            updatedAt: Date,
            progress: Progress? = nil,
            wantedBy: [String],
            certainty: String? = nil,
            registryRestsUntil: Date? = nil
        ) {
            self.source = source
            self.destination = destination
            self.registry = registry
            self.state = state
            self.route = route
            self.routeDetail = routeDetail
            self.reason = reason
            self.mend = mend
            self.failureClass = failureClass
            self.rule = rule
            self.digest = digest
            self.sourceDigest = sourceDigest
            self.movedDigest = movedDigest
            self.bytes = bytes
            self.access = access
            self.attempts = attempts
            self.dueAt = dueAt
            self.readyAt = readyAt
            self.verifiedAt = verifiedAt
            self.updatedAt = updatedAt
            self.progress = progress
            self.wantedBy = wantedBy
            self.certainty = certainty
            self.registryRestsUntil = registryRestsUntil
        }
    }

    package struct Progress: Codable, Sendable, Equatable {
        package var startedAt: Date
        package var updatedAt: Date
        package var bytesDone: Int64
        package var bytesTotal: Int64?
        package var bytesPerSecond: Int64?

        package init(
            startedAt: Date,
            updatedAt: Date,
            bytesDone: Int64,
            bytesTotal: Int64? = nil,
            bytesPerSecond: Int64? = nil
        ) {
            self.startedAt = startedAt
            self.updatedAt = updatedAt
            self.bytesDone = bytesDone
            self.bytesTotal = bytesTotal
            self.bytesPerSecond = bytesPerSecond
        }
    }

    package struct UnresolvedStatus: Codable, Sendable, Equatable {
        /// `run`, `version` …
        package var kind: String
        package var subject: String
        package var place: String
        package var expression: String
        package var missing: String
        package var tasks: [String]

        package init(
            kind: String,
            subject: String,
            place: String,
            expression: String,
            missing: String,
            tasks: [String]
        ) {
            self.kind = kind
            self.subject = subject
            self.place = place
            self.expression = expression
            self.missing = missing
            self.tasks = tasks
        }
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

        package init(
            startedAt: Date,
            endedAt: Date,
            route: String,
            result: String,
            failureClass: String? = nil,
            message: String? = nil,
            host: String? = nil,
            status: Int? = nil,
            requestID: String? = nil,
            bytes: Int64
        ) {
            self.startedAt = startedAt
            self.endedAt = endedAt
            self.route = route
            self.result = result
            self.failureClass = failureClass
            self.message = message
            self.host = host
            self.status = status
            self.requestID = requestID
            self.bytes = bytes
        }
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

        package init(
            registry: String,
            credential: String? = nil,
            limit: Int? = nil,
            left: Int? = nil,
            windowSeconds: Int? = nil,
            resetsAt: Date? = nil,
            pausedUntil: Date? = nil,
            pauseReason: String? = nil,
            breaker: String? = nil,
            breakerUntil: Date? = nil,
            waiting: Int,
            waitingRuns: [String]
        ) {
            self.registry = registry
            self.credential = credential
            self.limit = limit
            self.left = left
            self.windowSeconds = windowSeconds
            self.resetsAt = resetsAt
            self.pausedUntil = pausedUntil
            self.pauseReason = pauseReason
            self.breaker = breaker
            self.breakerUntil = breakerUntil
            self.waiting = waiting
            self.waitingRuns = waitingRuns
        }
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

extension StatusReport.RegistryStatus {
    /// Whether it failed for everything and is given a rest that is not over.
    package func isResting(at now: Date) -> Bool { breaker == "open" && (breakerUntil ?? now) > now }
}
