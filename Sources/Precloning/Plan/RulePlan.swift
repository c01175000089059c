import Foundation
package import Names
package import Remotes

/// One upstream that HealthOmics is to reach through the cache.
package struct RuleWish: Sendable, Hashable {
    package var registry: String
    package var prefix: String
    package var secret: String?

    /// - Parameter prefix: nil: the alias that destinations use.
    package init(_ registry: String, prefix: String? = nil, secret: String? = nil) {
        self.registry = registry
        self.prefix = prefix ?? Planner.alias(of: registry)
        self.secret = secret
    }
}

/// A change that lets HealthOmics use the pull-through cache.
package enum RuleChange: Sendable, Hashable {
    case createRule(PullThroughCacheRule)
    /// The whole policy, before and after.
    case setRegistryPolicy(before: String?, after: String)
    case createTemplate(RepositoryCreationTemplate)
    case updateTemplate(before: RepositoryCreationTemplate, after: RepositoryCreationTemplate)
}

/// The narrowest change that makes upstreams usable by HealthOmics through the cache. Pure.
package struct RulePlan: Sendable, Hashable {
    package var changes: [RuleChange] = []
    /// What cannot be done for a person, each with its mend.
    package var refusals: [String] = []
    package var notes: [String] = []

    /// - Throws: `AWSError` where a policy that is there cannot be read: nothing is built upon it.
    package init(_ wishes: [RuleWish], in setup: RegistrySetup) throws {
        var after = setup
        var prefixes: [String] = []
        for wish in wishes {
            guard let upstream = PullThroughUpstream(wish.registry) else {
                refusals.append(
                    "\(wish.registry): HealthOmics uses no pull-through cache of it; preclone copies its images instead"
                )
                continue
            }
            if let rule = after.rules.first(where: { Self.serves($0, wish.registry) }) {
                notes.append("\(wish.registry): rule `\(rule.ecrRepositoryPrefix)` is there")
                prefixes.append(rule.ecrRepositoryPrefix)
                continue
            }
            if let rule = after.rules.first(where: { $0.ecrRepositoryPrefix == wish.prefix }) {
                refusals.append(
                    "\(wish.registry): prefix `\(wish.prefix)` has a rule for \(rule.upstreamRegistryUrl ?? "-"); "
                        + "name another: \(wish.registry)=PREFIX"
                )
                continue
            }
            if let fault = Self.fault(inPrefix: wish.prefix) {
                refusals.append(
                    "\(wish.registry): prefix `\(wish.prefix)`: \(fault); name another: \(wish.registry)=PREFIX"
                )
                continue
            }
            if upstream.needsSecret, wish.secret == nil {
                refusals.append(
                    "\(wish.registry): ECR takes no rule without a secret (a name beginning ecr-pullthroughcache/, with "
                        + "username and accessToken); name it: --secret \(wish.registry)=ARN"
                )
                continue
            }
            var rule = PullThroughCacheRule(
                ecrRepositoryPrefix: wish.prefix,
                upstreamRegistryUrl: Planner.upstreamName(of: wish.registry),
                credentialArn: wish.secret
            )
            rule.upstreamRegistry = upstream.kind
            changes.append(.createRule(rule))
            after.rules.append(rule)
            prefixes.append(wish.prefix)
        }
        try allow(prefixes, &after)
        try template(prefixes, &after)
        for prefix in prefixes {
            // What is still in the way is somebody's decision: a Deny, a condition.
            let verdict = try after.verdict(on: prefix)
            refusals += verdict.problems.map { "rule `\(prefix)`: \($0)" }
        }
    }

    private static func serves(_ rule: PullThroughCacheRule, _ registry: String) -> Bool {
        guard let url = rule.upstreamRegistryUrl else { return false }
        return Planner.canonicalRegistry(url) == registry && Planner.upstreamPrefix(of: rule).isEmpty
    }

    /// Source: `PullThroughCacheRuleRepositoryPrefix` of the ECR API.
    private static func fault(inPrefix prefix: String) -> String? {
        guard (2...30).contains(prefix.utf8.count) else { return "a prefix has 2 to 30 characters" }
        return ImageReference.isRepository(prefix) ? nil : "lower-case letters, digits, . _ - and / are allowed"
    }

    // MARK: The registry's policy

    private mutating func allow(_ prefixes: [String], _ setup: inout RegistrySetup) throws {
        let policy = try setup.policy.map { try RepositoryPolicy(json: $0) } ?? RepositoryPolicy()
        let lacking = try prefixes.filter { prefix in
            try !setup.verdict(on: prefix).registryAllows && (try setup.verdict(on: prefix).canBeAllowed)
        }
        guard !lacking.isEmpty else { return }
        let resources = lacking.map { prefix in
            prefix == "ROOT" ? "\(setup.arn):repository/*" : "\(setup.arn):repository/\(prefix)/*"
        }
        let granted = policy.grantingPullThrough(on: resources).json
        changes.append(.setRegistryPolicy(before: setup.policy, after: granted))
        setup.policy = granted
    }

    // MARK: Creation templates

    private mutating func template(_ prefixes: [String], _ setup: inout RegistrySetup) throws {
        for prefix in prefixes where try !setup.verdict(on: prefix).templateAllows {
            guard let old = setup.templates.first(where: { $0.prefix == prefix || $0.prefix == "\(prefix)/" }) else {
                if let wider = try setup.verdict(on: prefix).template {
                    notes.append(
                        "rule `\(prefix)`: the creation template `\(wider)` covers it and stays as it is; a narrower one is made, "
                            + "which does not take over its other settings"
                    )
                }
                let new = RepositoryCreationTemplate(
                    prefix: prefix,
                    repositoryPolicy: RepositoryPolicy().grantingHealthOmics().json,
                    appliedFor: ["PULL_THROUGH_CACHE"]
                )
                changes.append(.createTemplate(new))
                setup.templates.append(new)
                continue
            }
            let policy = try old.repositoryPolicy.map { try RepositoryPolicy(json: $0) } ?? RepositoryPolicy()
            let verdict = policy.healthOmicsVerdict(in: setup.circumstances)
            // Against a Deny or a condition nothing is added.
            guard verdict.isAccessible || verdict.canBeGranted else { continue }
            var new = old
            if !verdict.isAccessible { new.repositoryPolicy = policy.grantingHealthOmics().json }
            new.appliedFor = Array(Set((old.appliedFor ?? []) + ["PULL_THROUGH_CACHE"])).sorted()
            changes.append(.updateTemplate(before: old, after: new))
            setup.templates.removeAll { $0.prefix == old.prefix }
            setup.templates.append(new)
        }
    }
}

extension RegistrySetup {
    fileprivate var circumstances: PolicyCircumstances {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5 else { return PolicyCircumstances() }
        return PolicyCircumstances(account: parts[4], region: parts[3], partition: AWSPartition(region: parts[3]))
    }
}
