package import Configuring
import Foundation
import Logging
package import Model
package import Remotes

/// How repositories are made: `clone.repository`.
package typealias RepositorySettings = Configuration.Clone.Repository

/// Reads policies of repositories.
package enum PolicyReading {
    /// What is known of HealthOmics' requests.
    package typealias Circumstances = @Sendable () async throws -> PolicyCircumstances

    /// What a repository's policy says for HealthOmics.
    static func verdict(
        _ policy: RepositoryPolicy,
        on location: ECRLocation,
        _ circumstances: Circumstances
    ) async throws -> RepositoryPolicy.Verdict {
        policy.healthOmicsVerdict(repository: location.repositoryARN, in: try await circumstances())
    }
}

/// Makes a repository ready for an image before its first byte: there, tagged as ours, readable by HealthOmics.
package struct RepositoryPreparation: Sendable {
    /// What was done to AWS, for the audit.
    package struct Change: Sendable, Hashable {
        package var action: AuditEntry.Action
        package var before: String?
        package var after: String?
        package var requestID: String?
    }

    let ecr: ECRClient
    private let circumstances: PolicyReading.Circumstances

    /// - Parameter circumstances: in whose account HealthOmics reads.
    package init(
        ecr: ECRClient,
        circumstances: @escaping PolicyReading.Circumstances = { PolicyCircumstances() }
    ) {
        self.ecr = ecr
        self.circumstances = circumstances
    }

    /// Creates the repository unless it is there. A lost race counts as there.
    ///
    /// It is described first, so that a role without `ecr:CreateRepository` works on repositories that exist.
    ///
    /// - Returns: what was changed; nil when nothing was.
    package func create(_ location: ECRLocation, settings: RepositorySettings) async throws -> Change? {
        if try await exists(location) { return nil }
        do {
            let created = try await ecr.createRepository(
                CreateRepositoryRequest(
                    repositoryName: location.repository,
                    imageTagMutability: settings.mutability.rawValue,
                    mutabilityExclusions: settings.mutabilityExclusions,
                    kmsKey: settings.kmsKey,
                    tags: settings.tags
                )
            )
            return Change(
                action: .repositoryCreated,
                before: nil,
                after: created.repository.repositoryArn ?? location.repository,
                requestID: created.requestID
            )
        } catch let error as AWSError where error.code == "RepositoryAlreadyExistsException" {
            return nil
        }
    }

    private func exists(_ location: ECRLocation) async throws -> Bool {
        do {
            return try await !ecr.describeRepositories(repositoryNames: [location.repository]).isEmpty
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return false
        }
    }

    /// Adds our statement to the repository's policy where HealthOmics cannot read it yet. Statements of others are not
    /// touched; what one of them forbids is reported and not overruled.
    ///
    /// - Returns: whether HealthOmics may read it now, why not if not, and what was changed.
    package func grant(
        _ location: ECRLocation
    ) async throws -> (access: HealthOmicsAccess, reason: String?, change: Change?) {
        let text: String?
        do {
            text = try await ecr.getRepositoryPolicy(
                repositoryName: location.repository,
                registryId: location.account
            )
        } catch let error as AWSError where error.isAccessDenied {
            return (.unknown, "reading the repository's policy is not permitted: \(error)", nil)
        }
        let policy = try text.map(RepositoryPolicy.init(json:)) ?? RepositoryPolicy()
        let verdict = try await PolicyReading.verdict(policy, on: location, circumstances)
        if verdict.isAccessible { return (.accessible, verdict.reason, nil) }
        guard verdict.canBeGranted else { return (.notAccessible, verdict.reason, nil) }
        let granted = policy.grantingHealthOmics()
        let requestID: String?
        do {
            requestID = try await ecr.setRepositoryPolicy(
                repositoryName: location.repository,
                registryId: location.account,
                policyText: granted.json
            )
        } catch let error as AWSError where error.isAccessDenied {
            let reason = verdict.reason.map { "\($0); " } ?? ""
            return (.notAccessible, "\(reason)adding a statement is not permitted: \(error)", nil)
        }
        // Read again: another writer may have come between.
        let after = try await ecr.getRepositoryPolicy(
            repositoryName: location.repository,
            registryId: location.account
        )
        let held = try after.map(RepositoryPolicy.init(json:)) ?? RepositoryPolicy()
        let change = Change(action: .policyChanged, before: text, after: after, requestID: requestID)
        let now = try await PolicyReading.verdict(held, on: location, circumstances)
        return (now.isAccessible ? .accessible : .notAccessible, now.reason, change)
    }

    /// What `grant` would do, without doing it.
    package struct Proposal: Sendable {
        package var before: String?
        package var after: String
        package var verdict: RepositoryPolicy.Verdict
    }

    /// - Throws: `AWSError`, also where the policy may not be read, or is none.
    package func proposal(for location: ECRLocation) async throws -> Proposal {
        let text = try await ecr.getRepositoryPolicy(
            repositoryName: location.repository,
            registryId: location.account
        )
        let policy = try text.map(RepositoryPolicy.init(json:)) ?? RepositoryPolicy()
        return Proposal(
            before: text,
            after: policy.grantingHealthOmics().json,
            verdict: try await PolicyReading.verdict(policy, on: location, circumstances)
        )
    }

    /// Removes a repository of ours that holds nothing. Never forced: ECR refuses when there is
    /// an image in it.
    package func removeIfEmpty(_ location: ECRLocation) async -> Change? {
        do {
            return Change(
                action: .repositoryDeleted,
                before: location.repository,
                after: nil,
                requestID: try await ecr.deleteRepository(repositoryName: location.repository)
            )
        } catch {
            Logger.current.info(
                "A repository of ours stays",
                metadata: ["ecr.repository": "\(location.repository)", "error": "\(error)"]
            )
            return nil
        }
    }
}
