import Foundation

/// A row of `host`: how a registry stands with us, for one credential.
package struct HostRow: Codable, Sendable, Equatable {
    /// How the reason of a pause begins that a person ends: with other credentials, or with `preclone retry`.
    package static let credentialPause = "credentials refused"

    /// The registry's canonical name, `docker.io` for Docker Hub.
    package var host: String
    /// A name for who asks; empty for anonymous.
    package var credential: String
    package var quotaLimit: Int?
    package var quotaRemaining: Int?
    /// Seconds.
    package var quotaWindow: Int?
    package var quotaSeenAt: Milliseconds?
    package var countedLimit: Int?
    /// Seconds.
    package var countedWindow: Int?
    package var pausedUntil: Milliseconds?
    package var pauseReason: String?
    /// `closed`, `open` or `halfOpen`.
    package var breaker: String
    package var breakerUntil: Milliseconds?
    package var failures: Int

    /// What the registry's headers said last.
    package var header: PullQuotaCount.Header? {
        guard let quotaLimit, let quotaRemaining, let quotaWindow, let quotaSeenAt else { return nil }
        return PullQuotaCount.Header(
            limit: quotaLimit,
            remaining: quotaRemaining,
            window: .seconds(quotaWindow),
            seenAt: Date(milliseconds: quotaSeenAt)
        )
    }
}
