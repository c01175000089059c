package import Model
import Names
import Remotes

/// `preclone grant`: lets HealthOmics read repositories. One statement is added; those of others are not touched, and what
/// one of them forbids or limits is said and not overruled.
package enum GrantVerb {
    package enum Outcome: String, Codable, Sendable {
        /// HealthOmics may read it already.
        case alreadyGranted
        /// The statement was added, and HealthOmics may read it now.
        case granted
        /// It would be added.
        case wouldBeGranted
        /// Adding a statement does not help, or was not possible.
        case refused
    }

    package struct Line: Codable, Sendable, Hashable {
        package var repository: String
        package var outcome: Outcome
        package var reason: String?
        /// The whole policy, as it was and as it is or would be.
        package var before: String?
        package var after: String?
        package var requestID: String?
        /// Whether HealthOmics may read it now; nil where there is no such repository.
        package var access: HealthOmicsAccess?
    }

    package struct Answer: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var registry: String
        package var repositories: [Line]
    }

    /// - Parameters:
    ///   - names: repositories of the account by name, URI or ARN.
    ///   - audit: told of each change that was made.
    /// - Throws: `AWSError` while AWS does not answer.
    package static func grant(
        _ names: [String],
        _ account: AccountFacts,
        _ preparation: RepositoryPreparation,
        isDryRun: Bool,
        audit: (Line) throws -> Void = { _ in }
    ) async throws -> Answer {
        let home = try await account.home()
        var lines: [Line] = []
        for name in names {
            let line = try await line(name, home, preparation, isDryRun: isDryRun)
            if line.outcome == .granted || line.requestID != nil { try audit(line) }
            lines.append(line)
        }
        return Answer(registry: home.registry, repositories: lines)
    }

    private static func line(
        _ name: String,
        _ home: HomeRegistry,
        _ preparation: RepositoryPreparation,
        isDryRun: Bool
    ) async throws -> Line {
        func refused(_ reason: String) -> Line { Line(repository: name, outcome: .refused, reason: reason) }
        guard let location = location(of: name, home) else {
            return refused("it is no repository of \(home.registry): name one of this account and Region")
        }
        var line = Line(repository: location.repository, outcome: .refused)
        do {
            let proposal = try await preparation.proposal(for: location)
            line.before = proposal.before
            line.reason = proposal.verdict.reason
            line.access = proposal.verdict.isAccessible ? .accessible : .notAccessible
            guard !proposal.verdict.isAccessible else {
                line.outcome = .alreadyGranted
                line.after = proposal.before
                return line
            }
            guard proposal.verdict.canBeGranted else { return line }
            line.after = proposal.after
            guard !isDryRun else {
                line.outcome = .wouldBeGranted
                return line
            }
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
            return refused("there is no such repository in \(home.registry)")
        } catch let error as AWSError where error.code == "BrokenPolicy" {
            return refused(error.message)
        }
        let granted = try await preparation.grant(location)
        line.after = granted.change?.after ?? line.after
        line.reason = granted.reason
        line.requestID = granted.change?.requestID
        line.access = granted.access
        line.outcome = granted.access == .accessible ? .granted : .refused
        return line
    }

    /// Of this account and Region; nil for any other.
    private static func location(of name: String, _ home: HomeRegistry) -> ECRLocation? {
        if name.hasPrefix("arn:") {
            let parts = name.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 6, parts[2] == "ecr", parts[3] == home.region, parts[4] == home.account,
                parts[5].hasPrefix("repository/")
            else { return nil }
            return location(of: String(parts[5].dropFirst("repository/".count)), home)
        }
        if let reference = try? ImageReference(name), let location = ECRLocation(reference) {
            return location.account == home.account && location.region == home.region ? location : nil
        }
        guard ECRLocation.fault(inRepository: name) == nil else { return nil }
        return home.location(name, tag: nil, digest: nil)
    }
}
