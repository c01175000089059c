import Foundation

extension WorldState {
    private func json(_ rule: ECRState.Rule) -> SandboxJSON {
        .compact([
            "ecrRepositoryPrefix": .string(rule.prefix),
            "upstreamRegistryUrl": .string(rule.upstreamURL),
            "upstreamRegistry": .string(rule.upstreamRegistry),
            "upstreamRepositoryPrefix": .string(rule.upstreamPrefix),
            "credentialArn": SandboxJSON.text(rule.credentialARN),
            "customRoleArn": SandboxJSON.text(rule.customRoleARN),
            "registryId": .string(accountID),
            "createdAt": .epoch(rule.createdAt),
            "updatedAt": .epoch(rule.createdAt),
        ])
    }

    /// The upstreams ECR knows, and whether a secret must come with them.
    private static func upstream(_ url: String) -> (registry: String, needsSecret: Bool)? {
        switch url {
        case "public.ecr.aws": ("ecr-public", false)
        case "quay.io": ("quay", false)
        case "registry.k8s.io": ("k8s", false)
        case "registry-1.docker.io": ("docker-hub", true)
        case "ghcr.io": ("github-container-registry", true)
        case "registry.gitlab.com": ("gitlab-container-registry", true)
        case "cgr.dev": ("chainguard", true)
        default:
            if url.hasSuffix(".azurecr.io") {
                ("azure-container-registry", true)
            } else if url.contains(".dkr.ecr.") {
                ("ecr", false)
            } else {
                nil
            }
        }
    }

    mutating func createRule(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let given = input["ecrRepositoryPrefix"]?.string else { throw AWSFailure.missing("ecrRepositoryPrefix") }
        guard let url = input["upstreamRegistryUrl"]?.string else { throw AWSFailure.missing("upstreamRegistryUrl") }
        let prefix = given.hasSuffix("/") ? String(given.dropLast()) : given
        guard prefix == "ROOT" || ECRName.isRepository(prefix), (2...30).contains(prefix.utf8.count) else {
            throw AWSFailure("InvalidParameterException", "Invalid parameter at 'ecrRepositoryPrefix'")
        }
        guard let upstream = Self.upstream(url) else {
            throw AWSFailure(
                "UnsupportedUpstreamRegistryException",
                "The upstream registry URL '\(url)' is not supported."
            )
        }
        let secret = input["credentialArn"]?.string
        if upstream.needsSecret, secret == nil {
            throw AWSFailure("InvalidParameterException", "The upstream registry '\(url)' needs a credentialArn.")
        }
        if let secret, !secret.contains(":secret:ecr-pullthroughcache/") {
            throw AWSFailure(
                "InvalidParameterException",
                "The credentialArn must name a secret whose name begins with ecr-pullthroughcache/"
            )
        }
        guard !ecr.rules.contains(where: { $0.prefix == prefix }) else {
            throw AWSFailure(
                "PullThroughCacheRuleAlreadyExistsException",
                "The pull through cache rule with ecr repository prefix '\(prefix)' already exists in the registry "
                    + "with id '\(accountID)'"
            )
        }
        guard ecr.rules.count < 50 else {
            throw AWSFailure("LimitExceededException", "A registry has at most 50 pull through cache rules.")
        }
        let rule = ECRState.Rule(
            prefix: prefix,
            upstreamURL: url,
            upstreamRegistry: upstream.registry,
            upstreamPrefix: input["upstreamRepositoryPrefix"]?.string ?? "ROOT",
            credentialARN: secret,
            customRoleARN: input["customRoleArn"]?.string,
            createdAt: now
        )
        ecr.rules.append(rule)
        ecr.rules.sort { $0.prefix < $1.prefix }
        return json(rule)
    }

    private func ruleIndex(_ prefix: String) throws -> Int {
        let name = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        guard let index = ecr.rules.firstIndex(where: { $0.prefix == name }) else {
            throw AWSFailure(
                "PullThroughCacheRuleNotFoundException",
                "The pull through cache rule with ecr repository prefix '\(name)' does not exist in the registry with "
                    + "id '\(accountID)'"
            )
        }
        return index
    }

    func describeRules(_ input: SandboxJSON) throws -> SandboxJSON {
        if let prefixes = input["ecrRepositoryPrefixes"]?.strings {
            guard prefixes.count <= 100 else {
                throw AWSFailure("InvalidParameterException", "At most 100 prefixes are allowed.")
            }
            return ["pullThroughCacheRules": .array(try prefixes.map { json(ecr.rules[try ruleIndex($0)]) })]
        }
        let page = try Page.cut(
            ecr.rules.map { json($0) },
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 1000,
            usual: 100
        )
        return .compact(["pullThroughCacheRules": .array(page.items), "nextToken": page.next])
    }

    mutating func deleteRule(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let prefix = input["ecrRepositoryPrefix"]?.string else { throw AWSFailure.missing("ecrRepositoryPrefix") }
        return json(ecr.rules.remove(at: try ruleIndex(prefix)))
    }

    func validateRule(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let prefix = input["ecrRepositoryPrefix"]?.string else { throw AWSFailure.missing("ecrRepositoryPrefix") }
        let rule = ecr.rules[try ruleIndex(prefix)]
        let isUp = upstreams[rule.upstreamURL]?.isDown == false
        let hasSecret = rule.credentialARN.map { arn in secrets.values.contains { $0.arn == arn } } ?? true
        return .compact([
            "ecrRepositoryPrefix": .string(rule.prefix),
            "registryId": .string(accountID),
            "upstreamRegistryUrl": .string(rule.upstreamURL),
            "credentialArn": SandboxJSON.text(rule.credentialARN),
            "isValid": .bool(isUp && hasSecret),
            "failure": isUp && hasSecret ? nil : .string(isUp ? "SecretNotFound" : "UpstreamUnavailable"),
        ])
    }

    // MARK: Repository creation templates

    mutating func createTemplate(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let prefix = input["prefix"]?.string else { throw AWSFailure.missing("prefix") }
        guard let uses = input["appliedFor"]?.strings, !uses.isEmpty else { throw AWSFailure.missing("appliedFor") }
        let known = ["REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH"]
        guard uses.allSatisfy(known.contains) else {
            throw AWSFailure("InvalidParameterException", "appliedFor must be of \(known).")
        }
        guard ecr.templates[prefix] == nil else {
            throw AWSFailure(
                "TemplateAlreadyExistsException",
                "A repository creation template with the prefix '\(prefix)' already exists."
            )
        }
        var template = input.object ?? [:]
        template["imageTagMutability"] = template["imageTagMutability"] ?? "MUTABLE"
        template["createdAt"] = .epoch(now)
        template["updatedAt"] = .epoch(now)
        ecr.templates[prefix] = .object(template)
        return ["registryId": .string(accountID), "repositoryCreationTemplate": .object(template)]
    }

    func describeTemplates(_ input: SandboxJSON) throws -> SandboxJSON {
        let prefixes = input["prefixes"]?.strings
        let all = ecr.templates.sorted { $0.key < $1.key }
            .filter { prefixes?.contains($0.key) ?? true }
            .map(\.value)
        let page = try Page.cut(
            all,
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 1000,
            usual: 100
        )
        return .compact([
            "registryId": .string(accountID),
            "repositoryCreationTemplates": .array(page.items),
            "nextToken": page.next,
        ])
    }

    mutating func updateTemplate(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let prefix = input["prefix"]?.string else { throw AWSFailure.missing("prefix") }
        guard case .object(let members)? = ecr.templates[prefix] else {
            throw AWSFailure("TemplateNotFoundException", "No template has the prefix '\(prefix)'.")
        }
        // What is not named stays.
        var template = members.merging(input.object ?? [:]) { $1 }
        template["updatedAt"] = .epoch(now)
        ecr.templates[prefix] = .object(template)
        return ["registryId": .string(accountID), "repositoryCreationTemplate": .object(template)]
    }

    mutating func deleteTemplate(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let prefix = input["prefix"]?.string else { throw AWSFailure.missing("prefix") }
        guard let template = ecr.templates.removeValue(forKey: prefix) else {
            throw AWSFailure("TemplateNotFoundException", "No template has the prefix '\(prefix)'.")
        }
        return ["registryId": .string(accountID), "repositoryCreationTemplate": template]
    }
}
