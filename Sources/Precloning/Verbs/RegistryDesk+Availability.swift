package import Foundation
package import Model
package import Names
import Remotes

extension RegistryDesk {
    /// Whether an image of the account's ECR can be used by a run.
    package struct Availability: Sendable, Hashable {
        /// All of it is there, and it can be pulled.
        package var isAvailable: Bool
        package var hasRepository: Bool
        /// The tag or digest is there, whole or not.
        package var image: Image?
        /// The rule below whose prefix the repository lies.
        package var rule: PullThroughCacheRule?
        package var access: Access
        /// Why it is not available, or what else is to be known.
        package var reason: String?

        package struct Image: Sendable, Hashable {
            package var digest: String
            package var tag: String?
            package var size: Int64?
            package var pushedAt: Date?
        }
    }

    /// Looks at one image: tag or digest, every layer of it, and the repository's policy. Nothing is pulled.
    ///
    /// - Throws: `AWSError` while AWS does not answer.
    package func availability(of location: ECRLocation) async throws -> Availability {
        let rules = try await account.pullThroughRules()
        let rule = rules.filter { $0.covers(location.repository) }.max {
            $0.ecrRepositoryPrefix.count < $1.ecrRepositoryPrefix.count
        }
        let holding = try await view.look(at: location)
        var answer = Availability(
            isAvailable: holding.isComplete,
            hasRepository: holding.presence != .noRepository,
            rule: rule,
            access: Access(access: .unknown, missing: [], reason: "the repository does not exist"),
            reason: nil
        )
        guard answer.hasRepository else {
            answer.reason = "the repository \(location.repository) does not exist"
            return answer
        }
        answer.access = try await access(to: location)
        switch holding.presence {
        case .noRepository, .noImage: answer.reason = "the repository has no such image"
        case .archived: answer.reason = "the image lies in archive storage and cannot be pulled"
        case .held where holding.platformDigest == nil:
            let has = holding.platforms.map(\.description).sorted().joined(separator: ", ")
            answer.reason =
                "the image has no linux/amd64\(has.isEmpty ? "" : " (it has \(has))"), all that HealthOmics runs"
        case .held where !holding.missingBlobs.isEmpty:
            answer.reason = "\(Phrase.count(holding.missingBlobs.count, "part")) of the image are not in ECR yet"
        case .held: break
        }
        let ids = [
            ImageIdentifier(
                imageDigest: location.digest?.description,
                imageTag: location.digest == nil ? location.tag : nil
            )
        ]
        let detail = try? await ecr.describeImages(
            repositoryName: location.repository,
            registryId: location.account,
            imageIds: ids
        ).first
        if holding.presence == .held || holding.presence == .archived, let detail, let digest = detail.imageDigest {
            answer.image = Availability.Image(
                digest: digest,
                tag: location.tag ?? detail.imageTags?.first,
                size: detail.imageSizeInBytes,
                pushedAt: detail.imagePushedAt
            )
        }
        return answer
    }
}

extension PullThroughCacheRule {
    /// Whether a repository lies below the rule's prefix.
    func covers(_ repository: String) -> Bool {
        ecrRepositoryPrefix == "ROOT" || repository.hasPrefix(ecrRepositoryPrefix + "/")
    }
}
