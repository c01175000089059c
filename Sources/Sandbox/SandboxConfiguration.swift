package import Foundation
package import Remotes

/// What a sandbox is made of when it starts.
package struct SandboxConfiguration: Sendable {
    /// Twelve digits.
    package var accountID: String
    package var region: String
    /// The long-lived key that signs requests; more may be added later.
    package var accessKeyID: String
    package var secretAccessKey: String
    /// The port of the AWS listener; 0 takes a free one.
    package var port: Int
    /// Upstream registries, by host name; each gets a port of its own.
    package var upstreams: [String: UpstreamSettings]
    /// How pulls through the cache behave.
    package var pullThrough: PullThroughSettings
    /// Seconds a presigned address holds.
    package var presignedLifetime: TimeInterval
    /// Time for signatures, expiry and delays.
    package var timeline: Timeline

    /// The registries every sandbox has unless told otherwise.
    package static let usualUpstreams: [String: UpstreamSettings] = [
        "registry-1.docker.io": UpstreamSettings(anonymousQuota: .init(limit: 100, window: 21600)),
        "quay.io": UpstreamSettings(),
        "public.ecr.aws": UpstreamSettings(),
        "ghcr.io": UpstreamSettings(),
        "community.wave.seqera.io": UpstreamSettings(),
    ]

    package init(
        accountID: String = "123456789012",
        region: String = "us-east-1",
        accessKeyID: String = "AKIASANDBOX000000001",
        secretAccessKey: String = "sandbox-secret-access-key-0123456789abcdef",
        port: Int = 0,
        upstreams: [String: UpstreamSettings] = usualUpstreams,
        pullThrough: PullThroughSettings = PullThroughSettings(),
        presignedLifetime: TimeInterval = 900,
        timeline: Timeline = .system
    ) {
        self.accountID = accountID
        self.region = region
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.port = port
        self.upstreams = upstreams
        self.pullThrough = pullThrough
        self.presignedLifetime = presignedLifetime
        self.timeline = timeline
    }

    /// The name ECR's registry would have: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    package var registryName: String { "\(accountID).dkr.ecr.\(region).amazonaws.com" }
}

/// A count of pulls allowed in a window.
package struct PullAllowance: Sendable, Hashable {
    package var limit: Int
    /// Seconds.
    package var window: TimeInterval

    package init(limit: Int, window: TimeInterval) {
        self.limit = limit
        self.window = window
    }
}

/// How an upstream registry treats its clients.
package struct UpstreamSettings: Sendable, Hashable {
    /// Whether requests need a token from the token endpoint (401 with a Bearer challenge otherwise).
    package var needsToken: Bool
    /// Whether the token endpoint gives tokens to clients without an account.
    package var isAnonymousAllowed: Bool
    /// Passwords by user name.
    package var accounts: [String: String]
    /// Manifest GETs of anonymous clients; HEAD is free. nil: not counted, no headers.
    package var anonymousQuota: PullAllowance?
    /// Manifest GETs of each account.
    package var accountQuota: PullAllowance?
    /// Seconds a token holds.
    package var tokenLifetime: TimeInterval
    /// Whether GET of a blob is answered with 307 to the storage host.
    package var redirectsBlobs: Bool
    /// Whether it tells what refers to a manifest (`/v2/NAME/referrers/DIGEST`).
    package var listsReferrers: Bool
    /// How many it tells on one page; nil: all.
    package var referrersPage: Int?

    package init(
        needsToken: Bool = true,
        isAnonymousAllowed: Bool = true,
        accounts: [String: String] = [:],
        anonymousQuota: PullAllowance? = nil,
        accountQuota: PullAllowance? = nil,
        tokenLifetime: TimeInterval = 300,
        redirectsBlobs: Bool = false,
        listsReferrers: Bool = true,
        referrersPage: Int? = nil
    ) {
        self.needsToken = needsToken
        self.isAnonymousAllowed = isAnonymousAllowed
        self.accounts = accounts
        self.anonymousQuota = anonymousQuota
        self.accountQuota = accountQuota
        self.tokenLifetime = tokenLifetime
        self.redirectsBlobs = redirectsBlobs
        self.listsReferrers = listsReferrers
        self.referrersPage = referrersPage
    }
}

/// When the layers of an image pulled through the cache are really in ECR.
package struct PullThroughSettings: Sendable, Hashable {
    /// Seconds after the manifest.
    package var layerDelay: TimeInterval
    /// How many more BatchCheckLayerAvailability calls for a layer still answer UNAVAILABLE.
    package var layerPolls: Int
    /// Layers come only when their blob is asked for.
    package var layersOnlyOnRequest: Bool
    /// Seconds after which a tag is looked up upstream again.
    package var refreshAfter: TimeInterval

    package init(
        layerDelay: TimeInterval = 0,
        layerPolls: Int = 1,
        layersOnlyOnRequest: Bool = false,
        refreshAfter: TimeInterval = 86400
    ) {
        self.layerDelay = layerDelay
        self.layerPolls = layerPolls
        self.layersOnlyOnRequest = layersOnlyOnRequest
        self.refreshAfter = refreshAfter
    }
}
