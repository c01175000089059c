package import Foundation

/// What preclone did in a time, as a value: the page of `preclone report` and its JSON show the same figures.
///
/// Absent keys mean that there is nothing to say. Times are seconds, amounts bytes.
package struct ActivityReport: Codable, Sendable, Equatable {
    package var schemaVersion = 1
    package var generatedAt: Date
    /// Where the time begins; it ends with `generatedAt`.
    package var since: Date
    package var version: String?
    package var account: String?
    package var region: String?
    /// As they stand now.
    package var images: StatusReport.Counts
    package var routes: [RouteShare] = []
    package var leadTimes = LeadTimes()
    package var storage = Storage()
    package var workflows = StatusReport.Part<WorkflowShare>()
    package var moved: [Day] = []
    package var coverage = StatusReport.Coverage()
    package var drift = StatusReport.Part<Drift>()
    package var quotas: [Quota] = []
    package var slowest: [Clone] = []
    package var blocked = StatusReport.Part<Blocked>()

    package init(generatedAt: Date, since: Date, images: StatusReport.Counts) {
        self.generatedAt = generatedAt
        self.since = since
        self.images = images
    }

    /// Ready images by the way they came.
    package struct RouteShare: Codable, Sendable, Equatable {
        /// `present` (it was there), `pullThrough`, `copy`, or `unknown`.
        package var route: String
        package var images: Int
        package var bytes: Int64

        package init(route: String, images: Int, bytes: Int64) {
            self.route = route
            self.images = images
            self.bytes = bytes
        }
    }

    /// How long before its run's first task an image was ready, for the finished runs whose tasks were looked at.
    package struct LeadTimes: Codable, Sendable, Equatable {
        package var runs = 0
        package var images = 0
        /// Ready only after the first task began.
        package var late = 0
        package var medianSeconds: Double?
        package var bins: [Bin] = []

        package struct Bin: Codable, Sendable, Equatable {
            /// At least; absent for those that were late.
            package var fromSeconds: Double?
            /// Less than; absent for the last.
            package var toSeconds: Double?
            package var images: Int
        }

        package init() {}

        /// Where a bin ends and the next begins.
        package static let bounds: [Double] = [0, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400]

        /// - Parameter leads: one for each run and image, in seconds; below zero where it was late.
        package init(runs: Int, leads: [Double]) {
            self.runs = runs
            images = leads.count
            late = leads.count { $0 < 0 }
            let sorted = leads.sorted()
            if !sorted.isEmpty { medianSeconds = sorted[sorted.count / 2] }
            guard !leads.isEmpty else { return }
            bins = zip([nil] + Self.bounds.map(Optional.some), Self.bounds.map(Optional.some) + [nil]).map { from, to in
                Bin(
                    fromSeconds: from,
                    toSeconds: to,
                    images: leads.count { $0 >= from ?? -.infinity && $0 < to ?? .infinity }
                )
            }
        }
    }

    /// What the ready images take in ECR, each repository's manifest counted once. Layers that images share are counted
    /// with each, so it is the most that ECR can bill for them.
    package struct Storage: Codable, Sendable, Equatable {
        package var images = 0
        package var bytes: Int64 = 0
        /// Absent where the price in this Region is not known.
        package var dollarsPerMonth: Double?
        package var price: StoragePrice?

        package init() {}

        package init(images: Int, bytes: Int64, region: String?) {
            self.images = images
            self.bytes = bytes
            price = StoragePrice(region: region)
            dollarsPerMonth = price?.monthly(bytes)
        }
    }

    /// The images of one workflow: what its versions want, and what its runs of the time wanted.
    package struct WorkflowShare: Codable, Sendable, Equatable {
        package var id: String
        package var name: String?
        package var runs: Int
        package var images: Int
        package var ready: Int
        package var bytes: Int64
        /// Of images that no other workflow wants.
        package var ownBytes: Int64

        package init(id: String, name: String?, runs: Int, images: Int, ready: Int, bytes: Int64, ownBytes: Int64) {
            self.id = id
            self.name = name
            self.runs = runs
            self.images = images
            self.ready = ready
            self.bytes = bytes
            self.ownBytes = ownBytes
        }
    }

    /// Bytes moved through this host on a day (UTC).
    package struct Day: Codable, Sendable, Equatable {
        /// `2026-11-30`.
        package var day: String
        package var bytes: Int64

        package init(day: String, bytes: Int64) {
            self.day = day
            self.bytes = bytes
        }
    }

    /// A tag that moved upstream.
    package struct Drift: Codable, Sendable, Equatable {
        package var source: String
        package var from: String?
        package var to: String
        package var seenAt: Date

        package init(source: String, from: String?, to: String, seenAt: Date) {
            self.source = source
            self.from = from
            self.to = to
            self.seenAt = seenAt
        }
    }

    /// Counted pulls of one registry by day.
    package struct Quota: Codable, Sendable, Equatable {
        package var registry: String
        package var hasCredential: Bool
        /// What the registry grants in its window; absent where it sets no limit.
        package var limit: Int?
        package var windowSeconds: Int?
        package var days: [Pulls]

        package struct Pulls: Codable, Sendable, Equatable {
            package var day: String
            package var pulls: Int

            package init(day: String, pulls: Int) {
                self.day = day
                self.pulls = pulls
            }
        }

        package init(registry: String, hasCredential: Bool, limit: Int?, windowSeconds: Int?, days: [Pulls]) {
            self.registry = registry
            self.hasCredential = hasCredential
            self.limit = limit
            self.windowSeconds = windowSeconds
            self.days = days
        }
    }

    /// A clone that ended with a ready image.
    package struct Clone: Codable, Sendable, Equatable {
        package var source: String
        package var route: String
        package var seconds: Double
        package var bytes: Int64
        package var endedAt: Date

        package init(source: String, route: String, seconds: Double, bytes: Int64, endedAt: Date) {
            self.source = source
            self.route = route
            self.seconds = seconds
            self.bytes = bytes
            self.endedAt = endedAt
        }
    }

    package struct Blocked: Codable, Sendable, Equatable {
        package var source: String
        package var reason: String?
        package var mend: String?
        package var wantedBy: [String]

        package init(source: String, reason: String?, mend: String?, wantedBy: [String]) {
            self.source = source
            self.reason = reason
            self.mend = mend
            self.wantedBy = wantedBy
        }
    }

    package func json() throws -> String { try ReportJSON.text(self) }
}
