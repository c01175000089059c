package import Foundation
import Model
import Remotes

extension RegistryDesk {
    /// A repository of the account.
    package struct Repository: Sendable, Hashable {
        package var name: String
        package var arn: String
        package var uri: String
        package var createdAt: Date?
        package var access: Access
    }

    /// Repositories, and where the next ones begin.
    package struct RepositoryPage: Sendable, Hashable {
        package var repositories: [Repository]
        package var nextToken: String?
    }

    /// A token that is not one of ours.
    package struct StrangeToken: Error, Sendable {}

    /// The account's repositories with what HealthOmics may do, a page at a time.
    ///
    /// - Parameters:
    ///   - most: 1 to 1000; a page is shorter only at the end.
    ///   - token: of the page before.
    ///   - accessibleOnly: those that HealthOmics can pull from; what is left out does not count.
    /// - Throws: `StrangeToken`; `AWSError` of ECR.
    package func repositories(most: Int, after token: String?, accessibleOnly: Bool) async throws -> RepositoryPage {
        var position = try token.map(PagePosition.init(encoded:)) ?? PagePosition()
        var found: [Repository] = []
        while true {
            let page = try await ecr.repositories(maxResults: most, nextToken: position.token)
            let rest = Array(page.repositories.dropFirst(position.skipped))
            var taken = 0
            for start in stride(from: 0, to: rest.count, by: Self.readers) where found.count < most {
                let part = Array(rest[start..<min(start + Self.readers, rest.count)])
                for repository in try await described(part) where found.count < most {
                    taken += 1
                    if !accessibleOnly || repository.access.access == .accessible { found.append(repository) }
                }
            }
            if taken < rest.count {
                position.skipped += taken
                return RepositoryPage(repositories: found, nextToken: position.encoded)
            }
            guard let next = page.nextToken else { return RepositoryPage(repositories: found) }
            position = PagePosition(token: next)
            if found.count >= most { return RepositoryPage(repositories: found, nextToken: position.encoded) }
        }
    }

    private func described(_ repositories: [ECRRepository]) async throws -> [Repository] {
        let home = try await account.home()
        return try await withThrowingTaskGroup(of: (Int, Repository).self) { group in
            for (index, repository) in repositories.enumerated() {
                guard let name = repository.repositoryName else { continue }
                group.addTask {
                    let location = home.location(name, account: repository.registryId, tag: nil, digest: nil)
                    return (
                        index,
                        Repository(
                            name: name,
                            arn: repository.repositoryArn ?? location.repositoryARN,
                            uri: repository.repositoryUri ?? location.description,
                            createdAt: repository.createdAt,
                            access: try await access(to: location)
                        )
                    )
                }
            }
            var all: [(Int, Repository)] = []
            for try await one in group { all.append(one) }
            return all.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// A place between two of ECR's pages, or in the middle of one.
    private struct PagePosition: Codable {
        /// ECR's own.
        var token: String?
        /// How many of that page were given already.
        var skipped = 0

        init(token: String? = nil) { self.token = token }

        /// Of `encoded`.
        init(encoded text: String) throws(StrangeToken) {
            guard let data = Data(base64Encoded: text), let found = try? JSONDecoder().decode(Self.self, from: data),
                found.skipped >= 0
            else { throw StrangeToken() }
            self = found
        }

        var encoded: String? { (try? JSONEncoder().encode(self))?.base64EncodedString() }
    }
}
