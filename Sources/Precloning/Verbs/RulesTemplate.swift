import Foundation
import Names
package import Remotes

/// What upstreams need, as a CloudFormation template in JSON.
///
/// Source: CloudFormation's resource types AWS::ECR::PullThroughCacheRule, AWS::ECR::RegistryPolicy and
/// AWS::ECR::RepositoryCreationTemplate.
package struct RulesTemplate: Sendable {
    /// The template, keys sorted.
    package private(set) var text = ""
    package var refusals: [String] = []
    package var notes: [String] = []

    private static let repositories = "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository"

    /// - Parameters:
    ///   - wishes: with prefixes; a secret becomes a parameter of the template, with the one given as its default.
    ///   - setup: what the account has already, which is left out; nil where it was not asked.
    package init(_ wishes: [RuleWish], in setup: RegistrySetup?) throws {
        var resources: [String: JSONValue] = [:]
        var parameters: [String: JSONValue] = [:]
        var prefixes: [String] = []
        for wish in wishes {
            guard let upstream = PullThroughUpstream(wish.registry) else {
                refusals.append(
                    "\(wish.registry): HealthOmics uses no pull-through cache of it; preclone copies its images instead"
                )
                continue
            }
            let name = Self.name(wish.registry)
            let known = setup?.rules.first { rule in
                rule.upstreamRegistryUrl.map(Planner.canonicalRegistry) == wish.registry
                    && Planner.upstreamPrefix(of: rule).isEmpty
            }
            if let known { notes.append("\(wish.registry): rule `\(known.ecrRepositoryPrefix)` is there") }
            let prefix = known?.ecrRepositoryPrefix ?? wish.prefix
            if known == nil {
                var properties: [String: JSONValue] = [
                    "EcrRepositoryPrefix": .string(prefix),
                    "UpstreamRegistryUrl": .string(Planner.upstreamName(of: wish.registry)),
                    "UpstreamRegistry": .string(upstream.kind),
                ]
                if upstream.needsSecret {
                    var parameter: [String: JSONValue] = [
                        "Type": .string("String"),
                        "Description": .string(
                            "ARN of the secret with username and accessToken for \(wish.registry); its name begins with "
                                + "ecr-pullthroughcache/"
                        ),
                    ]
                    if let secret = wish.secret { parameter["Default"] = .string(secret) }
                    parameters["\(name)Secret"] = .object(parameter)
                    properties["CredentialArn"] = .object(["Ref": .string("\(name)Secret")])
                }
                resources["\(name)Rule"] = Self.resource("AWS::ECR::PullThroughCacheRule", properties)
            }
            let verdict = try setup?.verdict(on: prefix)
            if verdict?.registryAllows != true { prefixes.append(prefix) }
            if verdict?.templateAllows != true {
                if let setup, setup.templates.contains(where: { $0.prefix == prefix }) {
                    refusals.append(
                        "rule `\(prefix)`: a creation template is there that does not let HealthOmics read; CloudFormation cannot "
                            + "change it: preclone rules --create \(wish.registry)"
                    )
                } else {
                    resources["\(name)Template"] = Self.resource(
                        "AWS::ECR::RepositoryCreationTemplate",
                        [
                            "Prefix": .string(prefix),
                            "AppliedFor": .array([.string("PULL_THROUGH_CACHE")]),
                            // Immutable tags would keep ECR from refreshing them.
                            "ImageTagMutability": .string("MUTABLE"),
                            "RepositoryPolicy": .string(RepositoryPolicy().grantingHealthOmics().json),
                        ]
                    )
                }
            }
        }
        allow(prefixes, setup, &resources)
        var template: [String: JSONValue] = [
            "AWSTemplateFormatVersion": .string("2010-09-09"),
            "Description": .string(
                "Lets AWS HealthOmics pull container images through Amazon ECR's pull-through cache"
            ),
            "Resources": .object(resources),
        ]
        if !parameters.isEmpty { template["Parameters"] = .object(parameters) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        text = String(decoding: try encoder.encode(JSONValue.object(template)), as: UTF8.self)
    }

    /// A registry has one policy, and CloudFormation makes it only where there is none.
    private mutating func allow(
        _ prefixes: [String],
        _ setup: RegistrySetup?,
        _ resources: inout [String: JSONValue]
    ) {
        guard !prefixes.isEmpty else { return }
        guard setup?.policy == nil else {
            refusals.append(
                "the registry has a policy, and CloudFormation cannot add to it; `preclone rules --create` adds the statement"
            )
            return
        }
        let arns = prefixes.sorted().map { prefix in
            JSONValue.object([
                "Fn::Sub": .string(prefix == "ROOT" ? "\(Self.repositories)/*" : "\(Self.repositories)/\(prefix)/*")
            ])
        }
        let statement: [String: JSONValue] = [
            "Sid": .string(RepositoryPolicy.pullThroughSid),
            "Effect": .string("Allow"),
            "Principal": .object(["Service": .string(RepositoryPolicy.principal)]),
            "Action": .array(PullThroughVerdict.actions.map(JSONValue.string)),
            "Resource": .array(arns),
        ]
        resources["RegistryPolicy"] = Self.resource(
            "AWS::ECR::RegistryPolicy",
            [
                "PolicyText": .object([
                    "Version": .string("2012-10-17"), "Statement": .array([.object(statement)]),
                ])
            ]
        )
    }

    private static func resource(_ type: String, _ properties: [String: JSONValue]) -> JSONValue {
        .object(["Type": .string(type), "Properties": .object(properties)])
    }

    /// `quay.io` as a logical id: `QuayIo`.
    private static func name(_ registry: String) -> String {
        registry.split { !$0.isLetter && !$0.isNumber }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
