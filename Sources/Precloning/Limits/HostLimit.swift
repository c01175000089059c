package import Configuring
import Model
package import Remotes

/// What a host's limits are now; asked for at every request, so that a reload holds at once.
package struct HostLimit: Sendable, Hashable {
    /// Infinite: as many as have a place.
    package var requestsPerSecond: Double
    package var concurrentRequests: Int
    /// Nil: no limit.
    package var bytesPerSecond: Int64?
    /// A longer wait is answered, not waited for.
    package var longestWait: Duration
    /// Each kind of request is counted by itself.
    package var isPerKind = false

    package init(requestsPerSecond: Double, concurrentRequests: Int, bytesPerSecond: Int64?, longestWait: Duration) {
        self.requestsPerSecond = requestsPerSecond
        self.concurrentRequests = max(1, concurrentRequests)
        self.bytesPerSecond = bytesPerSecond
        self.longestWait = longestWait
    }

    /// The limits of a registry by the configuration. What registries count by time are manifests and tokens; blobs go by
    /// places, and by what the registry says when it has enough. A private ECR is paced by what its API allows per action, of which
    /// `aws.quotaShare` is ours, unless the configuration has an entry for it.
    package init(_ kind: RequestKind, host: String, in configuration: Configuration) {
        let settings = configuration.registries.settings(for: host)
        self.init(
            requestsPerSecond: kind == .blob || kind == .upload ? .infinity : settings.requestsPerSecond,
            concurrentRequests: settings.concurrentRequests,
            bytesPerSecond: settings.bytesPerSecond?.bytes,
            longestWait: configuration.retry.request.maxRetryAfter
        )
        let isECR = host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
        guard isECR, configuration.registries.hosts[host] == nil else { return }
        isPerKind = true
        requestsPerSecond = Self.ecrRate(kind) * configuration.aws.quotaShare
        concurrentRequests = 64
    }

    /// Requests a second that ECR allows an account in a Region by default.
    ///
    /// Source: Amazon ECR endpoints and quotas. A manifest request is BatchGetImage, a PUT of one PutImage; a blob is
    /// asked for by BatchCheckLayerAvailability and GetDownloadUrlForLayer; an upload is one InitiateLayerUpload, one
    /// CompleteLayerUpload (100 a second each) and a part or more.
    private static func ecrRate(_ kind: RequestKind) -> Double {
        switch kind {
        case .manifestHead, .manifestGet: 2000
        case .manifestPut: 10
        case .blob: 1000
        case .upload: 200
        case .token: 500
        }
    }
}
