package import Foundation
package import Remotes

/// What the account's ECR says of itself: who it belongs to and which pull-through cache rules it has. Asked again every
/// few minutes, since operators change rules while the daemon runs.
package actor AccountFacts {
    private static let freshFor: TimeInterval = 300

    private let sts: STSClient
    private let ecr: ECRClient
    private let region: String
    private let suffix: String
    private let now: @Sendable () -> Date
    private var account: String?
    private var rules: (at: Date, rules: [PullThroughCacheRule])?
    /// Why the rules are not known, when they are not permitted to be read.
    package private(set) var rulesTrouble: String?

    /// - Parameter suffix: `dkr.ecr.REGION.SUFFIX` of the partition.
    package init(
        sts: STSClient,
        ecr: ECRClient,
        region: String,
        suffix: String,
        now: @escaping @Sendable () -> Date
    ) {
        self.sts = sts
        self.ecr = ecr
        self.region = region
        self.suffix = suffix
        self.now = now
    }

    /// The account's own registry. Throws `AWSError` while STS does not answer.
    package func home() async throws -> HomeRegistry {
        if let account { return HomeRegistry(account: account, region: region, suffix: suffix) }
        let identity = try await sts.getCallerIdentity()
        account = identity.account
        return HomeRegistry(account: identity.account, region: region, suffix: suffix)
    }

    /// The pull-through cache rules, at most five minutes old. Without the permission to read them there are none, and
    /// images are copied; any other failure is thrown, so that an outage never looks like "no rules".
    package func pullThroughRules() async throws -> [PullThroughCacheRule] {
        let at = now()
        if let rules, at.timeIntervalSince(rules.at) < Self.freshFor, at >= rules.at { return rules.rules }
        do {
            let found = try await ecr.describePullThroughCacheRules()
            rules = (at, found)
            rulesTrouble = nil
            return found
        } catch let error as AWSError where error.isAccessDenied {
            rules = (at, [])
            rulesTrouble = "\(error)"
            return []
        }
    }

    /// What placing an image depends on, with the two choices of the configuration.
    package func placement(template: String, clonesUnmapped: Bool) async throws -> PlacementRules {
        PlacementRules(
            home: try await home(),
            pullThrough: try await pullThroughRules(),
            template: template,
            clonesUnmapped: clonesUnmapped
        )
    }
}
