package import Definitions
package import Model
import Names
import Remotes

/// The tools that ask something of the account, or change something in it, with the rights of whoever runs them.
package struct RegistryTools: Sendable {
    let desk: RegistryDesk
    let verbs: AccountVerbs

    package init(desk: RegistryDesk, verbs: AccountVerbs) {
        self.desk = desk
        self.verbs = verbs
    }

    /// Carries out a tool.
    ///
    /// - Throws: `ControlFault`: arguments that are wrong, or what kept it from being done.
    package func call(_ tool: AgentTool, _ members: [String: ParameterValue], caller: Caller) async throws -> ToolAnswer
    {
        let arguments = try NamedArguments(members, known: tool.parameters.map(\.name))
        do {
            switch tool.name {
            case "CheckContainerAvailability": return try await availability(arguments)
            case "ListECRRepositories": return try await repositories(arguments)
            case "ListPullThroughCacheRules": return try await rules(arguments)
            case "ValidateHealthOmicsECRConfig": return try await validation()
            case "GrantHealthOmicsRepositoryAccess": return try await grant(arguments, caller)
            case "CreateContainerRegistryMap": return try await registryMap(arguments)
            case "PlanImageClones": return try await planned(arguments)
            case "CreatePullThroughCacheForHealthOmics": return try await createRule(arguments, caller)
            case "ExplainImage": return try await explanation(arguments, caller)
            case "GetRunImageReadiness": return try await readiness(arguments)
            case "PrepareWorkflowImages": return try await preparation(arguments)
            default: throw ControlFault("there is no such tool here", at: tool.name)
            }
        } catch let error as AWSError {
            throw ControlFault(
                "AWS: \(error)",
                mend: "see `preclone check`",
                kind: error.isWorthRetrying ? .temporary : .failed
            )
        }
    }

    /// A repository's name, as ECR takes it.
    static func repositoryName(_ arguments: NamedArguments) throws(ControlFault) -> String {
        let name = try arguments.requiredString("repository_name")
        if let fault = ECRLocation.fault(inRepository: name) {
            throw ControlFault(
                fault,
                at: "repository_name",
                mend: "give the repository's name alone, such as quay/org/tool"
            )
        }
        return name
    }

    // MARK: What is there

    private func availability(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let name = try Self.repositoryName(arguments)
        let digest = try Self.digest(arguments)
        let tag = try arguments.string("image_tag") ?? "latest"
        let location = try await verbs.account.home()
            .location(name, tag: digest == nil ? tag : nil, digest: digest)
        return ToolAnswer(Self.json(try await desk.availability(of: location), of: location))
    }

    static func digest(_ arguments: NamedArguments) throws(ControlFault) -> Digest? {
        guard let text = try arguments.string("image_digest") else { return nil }
        do { return try Digest(text) } catch {
            throw ControlFault("this is no digest", at: "image_digest", mend: "give sha256: and 64 hexadecimal digits")
        }
    }

    private static func json(_ found: RegistryDesk.Availability, of location: ECRLocation) -> ParameterValue {
        let message =
            found.reason
            ?? (found.access.access == .accessible
                ? "\(location) is whole in ECR, and HealthOmics may pull it"
                : "\(location) is whole in ECR; HealthOmics' access: \(found.access.reason ?? "not known")")
        return .object([
            "available": .bool(found.isAvailable),
            "image": found.image.map { image in
                .object([
                    "repository_name": .text(location.repository), "image_tag": .text(image.tag),
                    "image_digest": .text(image.digest), "image_size_bytes": .integer(image.size),
                    "pushed_at": .moment(image.pushedAt), "exists": .bool(true),
                ])
            } ?? .null,
            "repository_exists": .bool(found.hasRepository), "is_pull_through_cache": .bool(found.rule != nil),
            "healthomics_accessible": .string(found.access.access.rawValue),
            "missing_permissions": .texts(found.access.missing), "message": .text(message),
            "ecr_uri": .text(location.description), "pull_through_initiated": .bool(false),
            "pull_through_initiation_message": .null,
        ])
    }

    private func repositories(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let token = try arguments.string("next_token", longest: 8192)
        let page: RegistryDesk.RepositoryPage
        do {
            page = try await desk.repositories(
                most: try arguments.integer("max_results", default: 100, in: 1...1000),
                after: token,
                accessibleOnly: try arguments.bool("filter_healthomics_accessible", default: false)
            )
        } catch is RegistryDesk.StrangeToken { throw Self.strangeToken }
        let list = page.repositories.map { repository in
            ParameterValue.object([
                "repository_name": .text(repository.name), "repository_arn": .text(repository.arn),
                "repository_uri": .text(repository.uri), "created_at": .moment(repository.createdAt),
                "healthomics_accessible": .string(repository.access.access.rawValue),
                "missing_permissions": .texts(repository.access.missing),
            ])
        }
        return ToolAnswer(
            .object([
                "repositories": .array(list), "next_token": .text(page.nextToken, longest: 8192),
                "total_count": .integer(list.count),
                "pagination": Self.pagination(list.count, page.nextToken),
            ])
        )
    }

    private static var strangeToken: ControlFault {
        ControlFault(
            "this token is of no page",
            at: "next_token",
            mend: "give the next_token of the page before, or none"
        )
    }

    private static func pagination(_ count: Int, _ next: String?) -> ParameterValue {
        var members: [String: ParameterValue] = [
            "isComplete": .bool(next == nil), "returnedCount": .integer(count),
            "instruction": .string(
                next == nil ? "This is everything." : "There is more: call again with next_token set to nextToken."
            ),
        ]
        if let next { members["nextToken"] = .text(next, longest: 8192) }
        return .object(members)
    }

    private func rules(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let most = try arguments.integer("max_results", default: 100, in: 1...1000)
        let token = try arguments.string("next_token")
        var all = try await known(verbs.rules()).rules[...]
        // By the prefix that the page before ended with: rules that come or go meanwhile move nothing.
        if let token {
            guard token.hasPrefix("after:") else { throw Self.strangeToken }
            all = all.drop { $0.prefix <= String(token.dropFirst(6)) }
        }
        let page = Array(all.prefix(most))
        let next = all.count > most ? page.last.map { "after:" + $0.prefix } : nil
        return ToolAnswer(
            .object([
                "rules": .array(page.map(Self.json)), "next_token": .text(next),
                "pagination": Self.pagination(page.count, next),
            ])
        )
    }

    /// - Throws: `ControlFault` where the rules may not be read: that is not to look as if there were none.
    func known(_ answer: RulesVerb.Answer) throws(ControlFault) -> RulesVerb.Answer {
        guard let trouble = answer.trouble else { return answer }
        throw ControlFault(trouble, mend: "let preclone do ecr:DescribePullThroughCacheRules", kind: .failed)
    }

    static func json(_ rule: RulesVerb.Standing) -> ParameterValue {
        .object([
            "ecr_repository_prefix": .text(rule.prefix), "upstream_registry_url": .text(rule.upstream ?? ""),
            "credential_arn": .text(rule.credential), "created_at": .moment(rule.createdAt),
            "updated_at": .moment(rule.updatedAt), "healthomics_usable": .bool(rule.isUsable ?? false),
            "registry_permission_granted": .bool(rule.registryAllows ?? false),
            "repository_template_exists": .bool(rule.hasTemplate ?? false),
            "repository_template_permission_granted": .bool(rule.templateAllows ?? false),
            "problems": .texts(rule.problems),
        ])
    }

    // MARK: The account as a whole

    private func validation() async throws -> ToolAnswer {
        let answer = try await desk.validation()
        return ToolAnswer(
            .object([
                "valid": .bool(answer.isValid), "pull_through_caches_checked": .integer(answer.rules),
                "repositories_checked": .integer(answer.repositories),
                "issues": .array(
                    answer.issues.map { issue in
                        .object([
                            "severity": .string(issue.severity.rawValue),
                            "component": .string(issue.component.rawValue),
                            "message": .text(issue.message), "remediation": .text(issue.remediation),
                        ])
                    }
                ),
            ])
        )
    }

    private func planned(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let run = try arguments.string("run_id")
        let workflow = try arguments.string("workflow_id")
        if run != nil, workflow != nil {
            throw ControlFault("only one of both", at: "workflow_id", mend: "give run_id or workflow_id")
        }
        let answer = try await Self.asked { try await verbs.plan(run: run, workflow: workflow) }
        return ToolAnswer(try ParameterValue(encoding: answer).printable)
    }

    // MARK: Changes

    private func grant(_ arguments: NamedArguments, _ caller: Caller) async throws -> ToolAnswer {
        let name = try Self.repositoryName(arguments)
        guard let line = try await verbs.grant([name], by: caller).repositories.first else {
            throw ControlFault("nothing was done", at: "repository_name", kind: .failed)
        }
        let isChanged = line.requestID != nil || line.outcome == .granted
        let access = line.access ?? .unknown
        let message =
            switch line.outcome {
            case .granted: "a statement was added to the policy of \(name); HealthOmics may pull from it"
            case .alreadyGranted: "HealthOmics may pull from \(name) already"
            case .refused, .wouldBeGranted: "HealthOmics may not pull from \(name): \(line.reason ?? "not known")"
            }
        return ToolAnswer(
            .object([
                "success": .bool(access == .accessible), "repository_name": .text(name),
                "policy_updated": .bool(isChanged && line.before != nil),
                "policy_created": .bool(isChanged && line.before == nil),
                "previous_healthomics_accessible": .string((isChanged ? .notAccessible : access).rawValue),
                "current_healthomics_accessible": .string(access.rawValue), "message": .text(message),
            ]),
            isError: access != .accessible
        )
    }
}
