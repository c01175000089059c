package import Foundation
package import Model

/// What limits remember of hosts over a restart: pauses, breakers, and what registries said of their quotas.
package protocol HostRecord: Sendable {
    func hosts() throws -> [HostRow]
    /// A host asks for less; nil: it may be asked again.
    func pause(host: String, credential: String, until: Date?, reason: String?, now: Date) throws
    func breaker(host: String, state: String, until: Date?, failures: Int) throws
    /// A host's own word about what is left of its quota.
    func sawQuota(host: String, credential: String, _ said: RateLimitHeaders, now: Date) throws
}
