import Model
import Names
import Remotes

extension RegistryDesk {
    /// What keeps HealthOmics from pulling, over the whole account.
    package struct Validation: Sendable, Hashable {
        package struct Issue: Sendable, Hashable {
            package enum Severity: String, Sendable { case error, warning, info }

            package enum Component: String, Sendable {
                case pullThroughCache = "pull_through_cache"
                case registryPolicy = "registry_policy"
                case template = "repository_template"
                case repository
            }

            package var severity: Severity
            package var component: Component
            package var message: String
            package var remediation: String
        }

        package var issues: [Issue] = []
        package var rules = 0
        package var repositories = 0

        /// There is nothing wrong, as far as all of it could be looked at.
        package var isValid: Bool { issues.allSatisfy { $0.severity != .error } }
    }

    /// Repositories that are told one by one.
    private static let mostNamed = 50

    /// Looks at every rule and every repository.
    ///
    /// - Throws: `AWSError` while AWS does not answer.
    package func validation() async throws -> Validation {
        var answer = Validation()
        let listed = try await RulesVerb.list(account)
        let rules = listed.rules
        answer.rules = rules.count
        if let trouble = listed.trouble {
            answer.issues.append(
                .init(
                    severity: .error,
                    component: .pullThroughCache,
                    message: trouble,
                    remediation: "let preclone read them: ecr:DescribePullThroughCacheRules"
                )
            )
        }
        if rules.isEmpty, listed.trouble == nil {
            answer.issues.append(
                .init(
                    severity: .info,
                    component: .pullThroughCache,
                    message: "there are no pull-through cache rules; every image is copied",
                    remediation: "nothing need be done; a rule lets ECR keep images fresh by itself"
                )
            )
        }
        for standing in rules { answer.issues += Self.issues(of: standing) }
        var token: String?
        var shut: [Repository] = []
        repeat {
            let page = try await repositories(most: 1000, after: token, accessibleOnly: false)
            answer.repositories += page.repositories.count
            shut += page.repositories.filter { $0.access.access != .accessible }
            token = page.nextToken
        } while token != nil
        for repository in shut.prefix(Self.mostNamed) {
            answer.issues.append(
                .init(
                    severity: .warning,
                    component: .repository,
                    message: "HealthOmics may not pull from \(repository.name): "
                        + (repository.access.reason ?? "it is not known whether it may"),
                    remediation: "if a workflow needs it, GrantHealthOmicsRepositoryAccess adds the statement"
                )
            )
        }
        if shut.count > Self.mostNamed {
            answer.issues.append(
                .init(
                    severity: .warning,
                    component: .repository,
                    message:
                        "HealthOmics may not pull from \(Phrase.grouped(shut.count - Self.mostNamed)) others either",
                    remediation: "see ListECRRepositories"
                )
            )
        }
        return answer
    }

    private static func issues(of rule: RulesVerb.Standing) -> [Validation.Issue] {
        guard rule.isUsable != nil else {
            return [
                .init(
                    severity: .error,
                    component: .registryPolicy,
                    message: "rule `\(rule.prefix)` \(rule.problems.joined(separator: "; "))",
                    remediation: "let preclone read it: ecr:GetRegistryPolicy, ecr:DescribeRepositoryCreationTemplates"
                )
            ]
        }
        return rule.problems.map { problem in
            .init(
                severity: .error,
                component: problem.hasPrefix("the registry's policy") ? .registryPolicy : .template,
                message: "rule `\(rule.prefix)`: \(problem)",
                remediation: rule.registryAllows == true
                    ? "give the creation template of `\(rule.prefix)` a repository policy that lets HealthOmics pull"
                    : "let omics.amazonaws.com create and import below `\(rule.prefix)/` in the registry's policy"
            )
        }
    }
}
