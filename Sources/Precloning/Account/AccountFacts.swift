package import Foundation
import Logging
package import Model
package import Names
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
    private var identity: STSClient.Identity?
    private var settings: (at: Date, policy: String?, templates: [RepositoryCreationTemplate])?
    private var credentialFaults: [String: (at: Date, fault: String?)] = [:]
    private var rules: (at: Date, rules: [PullThroughCacheRule])?
    /// Why the rules are not known, when they are not permitted to be read.
    package private(set) var rulesTrouble: String?
    /// Why the registry's settings are not known, when they are not permitted to be read.
    package private(set) var settingsTrouble: String?

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
        HomeRegistry(account: try await caller().account, region: region, suffix: suffix)
    }

    /// In whose account HealthOmics runs, for the conditions of policies.
    package func policyCircumstances() async throws -> PolicyCircumstances {
        PolicyCircumstances(
            account: try await caller().account,
            region: region,
            partition: AWSPartition(region: region)
        )
    }

    private func caller() async throws -> STSClient.Identity {
        if let identity { return identity }
        let found = try await sts.getCallerIdentity()
        identity = found
        return found
    }

    /// The pull-through cache rules, at most five minutes old. Without the permission to read them there are none, and
    /// images are copied; any other failure is thrown, so that an outage never looks like "no rules".
    package func pullThroughRules() async throws -> [PullThroughCacheRule] {
        let at = now()
        if let rules, at.timeIntervalSince(rules.at) < Self.freshFor, at >= rules.at { return rules.rules }
        return try await freshRules().map(\.rule)
    }

    /// The rules as they are now, with their dates; none, and `rulesTrouble`, without the permission to read them.
    package func freshRules() async throws -> [DatedRule] {
        var found: [DatedRule] = []
        do {
            found = try await ecr.describeDatedRules()
            rulesTrouble = nil
        } catch let error as AWSError where error.isAccessDenied || error.isUnknownOperation {
            rulesTrouble = "\(error)"
        }
        rules = (now(), found.map(\.rule))
        return found
    }

    /// What the registry's settings say of a rule, at most five minutes old.
    ///
    /// - Throws: `AWSError` while ECR does not answer. What may not be read is taken for absent.
    package func verdict(on rule: PullThroughCacheRule) async throws -> PullThroughVerdict {
        let caller = try await caller()
        let (policy, templates) = try await registrySettings()
        let partition = caller.arn.split(separator: ":").dropFirst().first ?? "aws"
        return try PullThroughVerdict(
            prefix: rule.ecrRepositoryPrefix,
            registry: "arn:\(partition):ecr:\(region):\(caller.account)",
            registryPolicy: policy,
            templates: templates,
            caller: caller.arn,
            credentialFault: try await credentialFault(of: rule)
        )
    }

    /// Why a rule cannot serve, as far as that is known before it is tried; nil when nothing is known to be in the way.
    /// It is advice: where it cannot be had, the rule is tried.
    ///
    /// - Parameter makesRepository: the repository does not exist yet, and ECR would make it.
    package func fault(of rule: PullThroughCacheRule, makesRepository: Bool) async -> String? {
        do {
            let verdict = try await verdict(on: rule)
            return verdict.obstacle ?? (makesRepository ? verdict.obstacleToNew : nil)
        } catch {
            Logger.current.info(
                "Nothing is known of a pull-through cache rule beforehand",
                metadata: ["rule": "\(rule.ecrRepositoryPrefix)", "error": "\(error)"]
            )
            return nil
        }
    }

    /// Reads the registry's policy and creation templates as they are now; `settingsTrouble` says what may not be read.
    @discardableResult
    package func freshRegistrySettings() async throws -> (policy: String?, templates: [RepositoryCreationTemplate]) {
        let policy = try await Self.unlessDenied { try await ecr.getRegistryPolicy() }
        let templates = try await Self.unlessDenied { try await ecr.describeRepositoryCreationTemplates() }
        settings = (now(), policy ?? nil, templates ?? [])
        let unread = [
            policy == nil ? "the registry's policy" : nil, templates == nil ? "the repository creation templates" : nil,
        ].compactMap(\.self)
        settingsTrouble = unread.isEmpty ? nil : "reading \(unread.joined(separator: " and ")) is not permitted"
        return (policy ?? nil, templates ?? [])
    }

    private func registrySettings() async throws -> (policy: String?, templates: [RepositoryCreationTemplate]) {
        let at = now()
        if let settings, at.timeIntervalSince(settings.at) < Self.freshFor, at >= settings.at {
            return (settings.policy, settings.templates)
        }
        return try await freshRegistrySettings()
    }

    /// Only a rule with a secret or a role has something that can be wrong in it while its upstream is well.
    private func credentialFault(of rule: PullThroughCacheRule) async throws -> String? {
        guard rule.credentialArn != nil || rule.customRoleArn != nil else { return nil }
        let at = now()
        if let known = credentialFaults[rule.ecrRepositoryPrefix], at.timeIntervalSince(known.at) < Self.freshFor,
            at >= known.at
        {
            return known.fault
        }
        let answer = try await Self.unlessDenied {
            try await ecr.validatePullThroughCacheRule(prefix: rule.ecrRepositoryPrefix)
        }
        let fault = answer.flatMap { answer in
            answer.isValid ? nil : "ECR says of its credential: \(answer.failure ?? "not valid")"
        }
        credentialFaults[rule.ecrRepositoryPrefix] = (at, fault)
        return fault
    }

    private static func unlessDenied<Value: Sendable>(_ call: () async throws -> Value) async throws -> Value? {
        do {
            return try await call()
        } catch let error as AWSError where error.isAccessDenied || error.isUnknownOperation {
            return nil
        }
    }

    /// Everything that pull-through caches depend on, as it is now: for changes, which are built upon nothing older.
    ///
    /// - Throws: `AWSError`, also where something may not be read.
    package func setup() async throws -> RegistrySetup {
        let caller = try await caller()
        let partition = caller.arn.split(separator: ":").dropFirst().first ?? "aws"
        return RegistrySetup(
            arn: "arn:\(partition):ecr:\(region):\(caller.account)",
            rules: try await ecr.describePullThroughCacheRules(),
            policy: try await ecr.getRegistryPolicy(),
            templates: try await ecr.describeRepositoryCreationTemplates()
        )
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
