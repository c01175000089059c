import Foundation
import Logging
package import Model
import Names
package import Remotes

/// What is asked of the account's own ECR: what it holds, its pull-through cache rules, and who may read it.
package struct RegistryDesk: Sendable {
    /// How many repositories' policies are read at one time.
    static let readers = 8

    let ecr: ECRClient
    let account: AccountFacts
    let view: ECRView

    package init(ecr: ECRClient, account: AccountFacts, view: ECRView) {
        self.ecr = ecr
        self.account = account
        self.view = view
    }

    /// What a repository's policy lets HealthOmics do.
    package struct Access: Sendable, Hashable {
        package var access: HealthOmicsAccess
        /// The actions of a pull that it may not do.
        package var missing: [String]
        /// Why, or under which condition.
        package var reason: String?
    }

    /// Reads a repository's policy for HealthOmics.
    ///
    /// - Throws: `AWSError` while ECR does not answer; what may not be read is `unknown`.
    package func access(to location: ECRLocation) async throws -> Access {
        let text: String?
        do {
            text = try await ecr.getRepositoryPolicy(
                repositoryName: location.repository,
                registryId: location.account
            )
        } catch let error as AWSError where error.isAccessDenied {
            return Access(access: .unknown, missing: [], reason: "reading the repository's policy is not permitted")
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return Access(access: .unknown, missing: [], reason: "the repository does not exist")
        }
        let policy: RepositoryPolicy
        do {
            policy = try text.map(RepositoryPolicy.init(json:)) ?? RepositoryPolicy()
        } catch let error as AWSError {
            return Access(access: .unknown, missing: [], reason: error.message)
        }
        let circumstances = try await account.policyCircumstances()
        let verdict = policy.healthOmicsVerdict(repository: location.repositoryARN, in: circumstances)
        return Access(
            access: verdict.isAccessible ? .accessible : .notAccessible,
            missing: policy.missingActions(repository: location.repositoryARN, in: circumstances),
            reason: verdict.reason
        )
    }
}
