import Foundation

/// A pull-through cache rule of the account.
package struct PullThroughCacheRule: Codable, Sendable, Hashable {
    package var ecrRepositoryPrefix: String
    package var upstreamRegistryUrl: String?
    package var upstreamRegistry: String?
    package var upstreamRepositoryPrefix: String?
    package var credentialArn: String?
    package var customRoleArn: String?

    package init(
        ecrRepositoryPrefix: String,
        upstreamRegistryUrl: String?,
        upstreamRepositoryPrefix: String? = nil,
        credentialArn: String? = nil
    ) {
        self.ecrRepositoryPrefix = ecrRepositoryPrefix
        self.upstreamRegistryUrl = upstreamRegistryUrl
        self.upstreamRepositoryPrefix = upstreamRepositoryPrefix
        self.credentialArn = credentialArn
    }
}
