package import Model
import Names

package import enum Definitions.Certainty

/// Everything an operator may set: the values and their defaults. What each means, its unit, its bounds and what nil
/// stands for is said once, beside its key in `keys`, where the schema takes it from.
///
/// Read once and replaced as a whole on reload. Every part has defaults, so `Configuration()` is what an absent file means.
package struct Configuration: Sendable, Hashable {
    package var aws = AWS()
    package var network = Network()
    package var watch = Watch()
    package var clone = Clone()
    package var registries = Registries()
    package var retry = Retry()
    package var policy = Policy()
    package var record = Record()
    package var log = Log()
    package var metrics = Metrics()
    package var notify = Notify()

    package init() {}

    /// What holds where nothing is configured.
    package static var defaults: Configuration { Configuration() }

    /// Where the file is looked for when none is named; missing there, the defaults hold.
    package static let defaultPath = "/etc/preclone/config.json"

    /// `aws`: who we are and how much of the account's API quotas we may use.
    package struct AWS: Sendable, Hashable {
        package var region: String?
        package var profile: String?
        package var quotaShare = 0.2
        package var callsPerSecond: [String: Double] = [:]
        package var concurrentCalls = PublishedQuota.concurrentCalls

        /// Calls a second that we allow ourselves of an operation.
        package func callsPerSecond(of operation: String, _ service: String) -> Double {
            callsPerSecond["\(service):\(operation)"]
                ?? PublishedQuota.callsPerSecond(service, operation) * quotaShare
        }
    }

    /// `network`: how the outside is reached.
    package struct Network: Sendable, Hashable {
        package var proxy: String?
        package var caFile: String?
        package var trustedHosts: [Glob] = []
        package var trustedNetworks: [String] = []
    }

    /// `watch`: how new work is noticed.
    package struct Watch: Sendable, Hashable {
        package var pollInterval: Duration = .seconds(30)
        package var workflowInterval: Duration = .seconds(600)
        package var runSweepInterval: Duration = .seconds(3600)
        package var versionCallsPerMinute = 30
        package var verifyCallsPerMinute = 30
        package var tasksPerRun = 50
        package var workflows = Workflows()
        package var events = Events()

        /// `watch.workflows`: which workflows count.
        package struct Workflows: Sendable, Hashable {
            package var include: [Glob] = [.any]
            package var exclude: [Glob] = []
            package var usedWithin: Duration = .seconds(30 * 86_400)
        }

        /// `watch.events`: the queue that EventBridge fills.
        package struct Events: Sendable, Hashable {
            package var queueUrl: String?
        }
    }

    /// `clone`: what is cloned, where to and how.
    package struct Clone: Sendable, Hashable {
        package var concurrency = 4
        package var platforms = ["linux/amd64"]
        /// The repository for images that no map and no pull-through rule places.
        package var destination = "{registryAlias}/{repository}"
        package var certainty: [Certainty] = [.certain, .alternative]
        package var unmapped = Unmapped.report
        package var onTagMove = TagMove.report
        package var refreshTagsEvery: Duration = .seconds(86_400)
        package var referrers = Referrers.none
        package var stallTimeout: Duration = .seconds(60)
        package var drain: Duration = .seconds(60)
        package var maxBytesPerDay: ByteCount?
        package var repository = Repository()

        /// What to do with an image that its workflow's registry map does not reach.
        package enum Unmapped: String, Sendable, CaseIterable { case report, clone }

        /// What to do when an upstream tag has moved since it was cloned.
        package enum TagMove: String, Sendable, CaseIterable { case report, clone, keep }

        /// Whether signatures, SBOMs and attestations come with an image.
        package enum Referrers: String, Sendable, CaseIterable { case none, all }

        /// `clone.repository`: how repositories are created.
        package struct Repository: Sendable, Hashable {
            package var mutability = Mutability.mutable
            package var mutabilityExclusions: [String] = []
            package var kmsKey: String?
            package var tags = ["created-by": "preclone"]

            package init() {}

            package enum Mutability: String, Sendable, CaseIterable {
                case mutable = "MUTABLE"
                case immutable = "IMMUTABLE"
            }
        }
    }

    /// `retry`: the two levels of trying again.
    package struct Retry: Sendable, Hashable {
        package var request = Request()
        package var image = Image()

        /// Within one request; short.
        package struct Request: Sendable, Hashable {
            package var base: Duration = .milliseconds(500)
            package var ceiling: Duration = .seconds(20)
            package var attempts = 5
            package var maxRetryAfter: Duration = .seconds(60)
        }

        /// Of an image, kept in the record.
        package struct Image: Sendable, Hashable {
            package var base: Duration = .seconds(30)
            package var ceiling: Duration = .seconds(3600)
            package var attempts = 12
            package var total: Duration = .seconds(3 * 86_400)
        }
    }

    /// `record`: where the record is and how long its rows are kept.
    package struct Record: Sendable, Hashable {
        package var path = "/var/lib/preclone/record.sqlite"
        package var keepAttempts: Duration = .seconds(90 * 86_400)
        package var keepEvents: Duration = .seconds(90 * 86_400)
        package var keepAudit: Duration = .seconds(400 * 86_400)
    }

    /// `log`: how much is said, and in which form.
    package struct Log: Sendable, Hashable {
        package var level = Level.info
        package var format = Format.auto

        /// swift-log's levels.
        package enum Level: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        /// `auto`: the journal's own protocol under systemd, text elsewhere.
        package enum Format: String, Sendable, CaseIterable { case auto, text, json, journal }
    }

    /// `notify`: who is told of what; off by default.
    package struct Notify: Sendable, Hashable {
        package var sns: String?
        package var eventBus: String?
        package var webhook: String?
        package var on = NoticeKind.allCases
        package var perHour = 20

        /// Those that are set.
        package var targets: [NoticeTarget] {
            [(sns, NoticeTarget.sns), (eventBus, .eventBus), (webhook, .webhook)].compactMap { $0 == nil ? nil : $1 }
        }
    }

    /// `metrics`: figures for Prometheus; off by default.
    package struct Metrics: Sendable, Hashable {
        package var listen: String?
        package var textFile: String?
    }
}
