import Foundation

extension WorldState {
    private func json(_ repository: ECRState.Repository) -> SandboxJSON {
        .compact([
            "repositoryArn": .string(repositoryARN(repository.name)),
            "registryId": .string(accountID),
            "repositoryName": .string(repository.name),
            "repositoryUri": .string("\(configuration.registryName)/\(repository.name)"),
            "createdAt": .epoch(repository.createdAt),
            "imageTagMutability": .string(repository.mutability),
            "imageTagMutabilityExclusionFilters": repository.exclusions.isEmpty ? nil : .array(repository.exclusions),
            "imageScanningConfiguration": ["scanOnPush": .bool(repository.scanOnPush)],
            "encryptionConfiguration": repository.encryption,
        ])
    }

    mutating func createRepository(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let name = input["repositoryName"]?.string else { throw AWSFailure.missing("repositoryName") }
        guard ECRName.isRepository(name) else {
            throw AWSFailure(
                "InvalidParameterException",
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
                    + "'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''"
            )
        }
        guard ecr.repositories[name] == nil else {
            throw AWSFailure(
                "RepositoryAlreadyExistsException",
                "The repository with name '\(name)' already exists in the registry with id '\(accountID)'"
            )
        }
        var repository = ECRState.Repository(name: name, createdAt: now)
        repository.mutability = try Self.mutability(input) ?? "MUTABLE"
        repository.exclusions = input["imageTagMutabilityExclusionFilters"]?.array ?? []
        guard repository.exclusions.count <= 5 else {
            throw AWSFailure("InvalidParameterException", "At most 5 exclusion filters are allowed.")
        }
        repository.scanOnPush = input["imageScanningConfiguration"]?["scanOnPush"]?.bool ?? false
        repository.encryption = input["encryptionConfiguration"] ?? repository.encryption
        repository.resourceTags = ResourceTags.read(input["tags"])
        ecr.repositories[name] = repository
        return ["repository": json(repository)]
    }

    private static func mutability(_ input: SandboxJSON) throws -> String? {
        guard let value = input["imageTagMutability"]?.string else { return nil }
        let known = ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"]
        guard known.contains(value) else {
            throw AWSFailure("InvalidParameterException", "imageTagMutability must be one of \(known).")
        }
        return value
    }

    func describeRepositories(_ input: SandboxJSON) throws -> SandboxJSON {
        if let names = input["repositoryNames"]?.strings {
            guard names.count <= 100 else {
                throw AWSFailure("InvalidParameterException", "At most 100 repository names are allowed.")
            }
            return [
                "repositories": .array(
                    try names.map { name in
                        guard let repository = ecr.repositories[name] else { throw repositoryMissing(name) }
                        return json(repository)
                    }
                )
            ]
        }
        let all = ecr.repositories.values.sorted { $0.name < $1.name }.map { json($0) }
        let page = try Page.cut(
            all,
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 1000,
            usual: 100
        )
        return .compact(["repositories": .array(page.items), "nextToken": page.next])
    }

    mutating func deleteRepository(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        guard repository.images.isEmpty || input["force"]?.bool == true else {
            throw AWSFailure(
                "RepositoryNotEmptyException",
                "The repository with name '\(repository.name)' in registry with id '\(accountID)' cannot be deleted "
                    + "because it still contains images"
            )
        }
        ecr.repositories[repository.name] = nil
        return ["repository": json(repository)]
    }

    mutating func putMutability(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        guard let value = try Self.mutability(input) else { throw AWSFailure.missing("imageTagMutability") }
        ecr.repositories[repository.name]?.mutability = value
        ecr.repositories[repository.name]?.exclusions = input["imageTagMutabilityExclusionFilters"]?.array ?? []
        return [
            "registryId": .string(accountID), "repositoryName": .string(repository.name),
            "imageTagMutability": .string(value),
        ]
    }

    // MARK: Policies

    mutating func setRepositoryPolicy(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        let text = try Self.policyText(input)
        ecr.repositories[repository.name]?.policy = text
        return policy(repository.name, text)
    }

    mutating func repositoryPolicy(_ input: SandboxJSON, deleting: Bool) throws -> SandboxJSON {
        let repository = try repository(input)
        guard let text = repository.policy else {
            throw AWSFailure(
                "RepositoryPolicyNotFoundException",
                "Repository policy does not exist for the repository with name '\(repository.name)' in the registry "
                    + "with id '\(accountID)'"
            )
        }
        if deleting { ecr.repositories[repository.name]?.policy = nil }
        return policy(repository.name, text)
    }

    private func policy(_ name: String, _ text: String) -> SandboxJSON {
        ["registryId": .string(accountID), "repositoryName": .string(name), "policyText": .string(text)]
    }

    /// A policy must be a JSON object with statements that have an effect, a principal and actions.
    private static func policyText(_ input: SandboxJSON) throws -> String {
        guard let text = input["policyText"]?.string else { throw AWSFailure.missing("policyText") }
        guard text.utf8.count <= 10240 else {
            throw AWSFailure("InvalidParameterException", "The policy is longer than 10240 characters.")
        }
        let invalid = AWSFailure(
            "InvalidParameterException",
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
        )
        guard let policy = try? SandboxJSON(json: Data(text.utf8)), let statement = policy["Statement"] else {
            throw invalid
        }
        for entry in statement.array ?? [statement] {
            guard ["Allow", "Deny"].contains(entry["Effect"]?.string ?? ""),
                entry["Action"] != nil || entry["NotAction"] != nil,
                entry["Principal"] != nil || entry["NotPrincipal"] != nil
            else { throw invalid }
        }
        return text
    }

    mutating func putRegistryPolicy(_ input: SandboxJSON) throws -> SandboxJSON {
        let text = try Self.policyText(input)
        ecr.registryPolicy = text
        return ["registryId": .string(accountID), "policyText": .string(text)]
    }

    mutating func registryPolicy(deleting: Bool) throws -> SandboxJSON {
        guard let text = ecr.registryPolicy else {
            throw AWSFailure(
                "RegistryPolicyNotFoundException",
                "Registry policy does not exist in the registry with id '\(accountID)'"
            )
        }
        if deleting { ecr.registryPolicy = nil }
        return ["registryId": .string(accountID), "policyText": .string(text)]
    }

    // MARK: Tags and settings

    private func repositoryName(arn: SandboxJSON?) throws -> String {
        guard let arn = arn?.string else { throw AWSFailure.missing("resourceArn") }
        let prefix = repositoryARN("")
        guard arn.hasPrefix(prefix) else {
            throw AWSFailure("InvalidParameterException", "Invalid parameter at 'resourceArn': \(arn)")
        }
        let name = String(arn.dropFirst(prefix.count))
        guard ecr.repositories[name] != nil else { throw repositoryMissing(name) }
        return name
    }

    mutating func tagResource(_ input: SandboxJSON, adding: Bool) throws -> SandboxJSON {
        let name = try repositoryName(arn: input["resourceArn"])
        if adding {
            let tags = ResourceTags.read(input["tags"])
            ecr.repositories[name]?.resourceTags.merge(tags) { _, new in new }
            guard (ecr.repositories[name]?.resourceTags.count ?? 0) <= 50 else {
                throw AWSFailure("TooManyTagsException", "A repository has at most 50 tags.")
            }
        } else {
            for key in input["tagKeys"]?.strings ?? [] { ecr.repositories[name]?.resourceTags[key] = nil }
        }
        return [:]
    }

    func listTags(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repositoryName(arn: input["resourceArn"])
        return ["tags": ResourceTags.write(ecr.repositories[name]?.resourceTags ?? [:])]
    }

    func accountSetting(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let name = input["name"]?.string else { throw AWSFailure.missing("name") }
        guard let value = ecr.settings[name] else {
            throw AWSFailure("InvalidParameterException", "Unknown account setting: \(name)")
        }
        return ["name": .string(name), "value": .string(value)]
    }

    mutating func putAccountSetting(_ input: SandboxJSON) throws -> SandboxJSON {
        _ = try accountSetting(input)
        guard let name = input["name"]?.string, let value = input["value"]?.string else {
            throw AWSFailure.missing("value")
        }
        ecr.settings[name] = value
        return ["name": .string(name), "value": .string(value)]
    }
}
