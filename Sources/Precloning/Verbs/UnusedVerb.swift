package import Foundation
package import Model
package import Record
package import Remotes

/// `preclone unused`: what no run used and nothing wants. It proposes, and applies nothing.
package enum UnusedVerb {
    /// - Parameters:
    ///   - candidates: what the record says.
    ///   - keptFor: how far back the record knows of runs (`record.keepAttempts`).
    ///   - account: whose registry is asked about; nil where AWS is not to be asked.
    package static func answer(
        _ candidates: UnusedCandidates,
        since: Date,
        keptFor: Duration,
        account: AccountFacts?,
        ecr: ECRClient?,
        now: Date
    ) async throws -> UnusedImages {
        var answer = UnusedImages(
            generatedAt: now,
            since: since,
            images: candidates.images,
            region: candidates.region
        )
        if now.timeIntervalSince(since) > Double(keptFor.milliseconds) / 1000 {
            answer.notes.append(
                "the record keeps what ended runs wanted for \(Phrase.length(Double(keptFor.milliseconds) / 1000)) (record.keepAttempts): "
                    + "an older run may have used what is listed"
            )
        }
        guard !answer.images.isEmpty else { return answer }
        guard let account, let ecr else {
            answer.notes.append("ECR was not asked, so no lifecycle policy is proposed")
            return answer
        }
        let home: HomeRegistry
        do {
            home = try await account.home()
        } catch let error where !(error is CancellationError) {
            answer.notes.append("ECR can't be asked, so no lifecycle policy is proposed: \(error)")
            return answer
        }
        let repositories = Dictionary(grouping: answer.images.indices) { answer.images[$0].repository }
        for (repository, indices) in repositories.sorted(by: { $0.key < $1.key }) {
            guard repository.hasPrefix(home.registry + "/") else {
                for index in indices { answer.images[index].keptBecause = "it lies in another registry" }
                continue
            }
            let name = String(repository.dropFirst(home.registry.count + 1))
            try await propose(name, in: repository, indices, candidates.needed[repository] ?? [], ecr, &answer)
        }
        return answer
    }

    private static func propose(
        _ name: String,
        in repository: String,
        _ indices: [Int],
        _ needed: Set<String>,
        _ ecr: ECRClient,
        _ answer: inout UnusedImages
    ) async throws {
        let digests = Set(indices.compactMap { answer.images[$0].digest }).sorted()
        let held: [ImageDetail]
        do {
            held = try await ecr.heldImages(repositoryName: name, digests: digests)
        } catch let error as AWSError {
            for index in indices { answer.images[index].keptBecause = "ECR does not tell of it: \(error.message)" }
            return
        }
        let unused = indices.compactMap { index in
            answer.images[index].tag.map { (tag: $0, digest: answer.images[index].digest) }
        }
        let proposal = LifecycleProposal(
            unused: unused,
            held: held,
            needed: needed,
            since: answer.since,
            now: answer.generatedAt
        )
        for index in indices {
            guard let tag = answer.images[index].tag else {
                answer.images[index].keptBecause = "it has no tag that a rule could name"
                continue
            }
            answer.images[index].keptBecause = proposal.kept[tag]
        }
        guard let text = proposal.text else { return }
        let policy = ShellText.quoted(text)
        answer.policies.append(
            .init(
                repository: repository,
                tags: proposal.tags,
                text: text,
                commands: [
                    "aws ecr get-lifecycle-policy --repository-name \(ShellText.quoted(name))",
                    "aws ecr start-lifecycle-policy-preview --repository-name \(ShellText.quoted(name)) "
                        + "--lifecycle-policy-text \(policy)",
                    "aws ecr put-lifecycle-policy --repository-name \(ShellText.quoted(name)) --lifecycle-policy-text \(policy)",
                ]
            )
        )
    }
}

extension ECRClient {
    /// What the repository holds of these digests; those it does not hold are left out, each alone.
    ///
    /// DescribeImages answers for all of its images or for none: where one is gone, halves are asked about.
    func heldImages(repositoryName: String, digests: [String]) async throws -> [ImageDetail] {
        guard !digests.isEmpty else { return [] }
        do {
            return try await describeImages(
                repositoryName: repositoryName,
                imageIds: digests.map { ImageIdentifier(imageDigest: $0) }
            )
        } catch let error as AWSError where error.isNotFound {
            guard digests.count > 1, error.code != "RepositoryNotFoundException" else { return [] }
            let half = digests.count / 2
            return try await heldImages(repositoryName: repositoryName, digests: Array(digests[..<half]))
                + heldImages(repositoryName: repositoryName, digests: Array(digests[half...]))
        }
    }
}
