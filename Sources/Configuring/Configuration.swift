package import Model
import Names

package import enum Definitions.Certainty

/// Everything an operator may set, as `config/preclone.schema.json` explains it key by key.
///
/// A value, read once and replaced as a whole on reload. Every part has defaults, so `Configuration()` is what an
/// absent file means.
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

    package init() {}

    /// What holds where nothing is configured.
    package static var defaults: Configuration { Configuration() }

    /// Where the file is looked for when none is named; missing there, the defaults hold.
    package static let defaultPath = "/etc/preclone/config.json"

    /// `aws`: who we are and how much of the account's API quotas we may use.
    package struct AWS: Sendable, Hashable {
        /// Nil: AWS_REGION, AWS_DEFAULT_REGION, the profile, instance metadata.
        package var region: String?
        /// Nil: AWS_PROFILE, else `default`.
        package var profile: String?
        /// The share of each published API quota that we use, above 0 and at most 1.
        package var quotaShare = 0.2
        /// Calls a second of single operations, by `SERVICE:Operation`; they overrule `quotaShare`.
        package var callsPerSecond: [String: Double] = [:]
        /// Calls of one operation at one time.
        package var concurrentCalls = PublishedQuota.concurrentCalls

        /// Calls a second that we allow ourselves of an operation.
        package func callsPerSecond(of operation: String, _ service: String) -> Double {
            callsPerSecond["\(service):\(operation)"]
                ?? PublishedQuota.callsPerSecond(service, operation) * quotaShare
        }
    }

    /// `network`: how the outside is reached.
    package struct Network: Sendable, Hashable {
        /// `http://HOST:PORT`; nil: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
        package var proxy: String?
        /// PEM certificates trusted beside the system's own.
        package var caFile: String?
        /// Host names (globs) that may resolve to private addresses.
        package var trustedHosts: [Glob] = []
        /// Networks in CIDR notation that may be connected to although they are private.
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
            /// Globs over a workflow's name and its id.
            package var include: [Glob] = [Glob("*")].compactMap(\.self)
            package var exclude: [Glob] = []
            /// Images of workflows without a run in this time are left alone.
            package var usedWithin: Duration = .seconds(30 * 86_400)
        }

        /// `watch.events`: the queue that EventBridge fills.
        package struct Events: Sendable, Hashable {
            /// The URL of an SQS queue; nil: polling alone.
            package var queueUrl: String?
        }
    }

    /// `clone`: what is cloned, where to and how.
    package struct Clone: Sendable, Hashable {
        /// Images at work at one time.
        package var concurrency = 4
        /// Platforms as `os/architecture`; `["all"]` keeps the whole index.
        package var platforms = ["linux/amd64"]
        /// The repository for images that no map and no pull-through rule places.
        package var destination = "{registryAlias}/{repository}"
        package var certainty: [Certainty] = [.certain, .alternative]
        package var unmapped = Unmapped.report
        package var onTagMove = TagMove.report
        package var refreshTagsEvery: Duration = .seconds(86_400)
        /// A peer that sends no byte for this long counts as cut off.
        package var stallTimeout: Duration = .seconds(60)
        /// How long running clones may go on after a request to stop.
        package var drain: Duration = .seconds(60)
        /// Above this many bytes in a day an image waits, unless a run needs it now; nil: no limit.
        package var maxBytesPerDay: ByteCount?
        package var repository = Repository()

        /// What to do with an image that its workflow's registry map does not reach.
        package enum Unmapped: String, Sendable, CaseIterable { case report, clone }

        /// What to do when an upstream tag has moved since it was cloned.
        package enum TagMove: String, Sendable, CaseIterable { case report, clone, keep }

        /// `clone.repository`: how repositories are created.
        package struct Repository: Sendable, Hashable {
            package var mutability = Mutability.mutable
            /// Tag filters exempt from `mutability`; at most five, as ECR allows.
            package var mutabilityExclusions: [String] = []
            /// A KMS key's ARN, id or alias; nil: AES-256 with ECR's own key.
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
            /// Counting the first.
            package var attempts = 5
            /// A longer wait than this parks the image instead of a worker.
            package var maxRetryAfter: Duration = .seconds(60)
        }

        /// Of an image, kept in the record.
        package struct Image: Sendable, Hashable {
            package var base: Duration = .seconds(30)
            package var ceiling: Duration = .seconds(3600)
            package var attempts = 12
            /// After this time in all the image is blocked.
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

    /// `metrics`: figures for Prometheus; off by default.
    package struct Metrics: Sendable, Hashable {
        /// `HOST:PORT` to listen on.
        package var listen: String?
        /// A file ending in `.prom` for node_exporter's textfile collector.
        package var textFile: String?
    }
}
