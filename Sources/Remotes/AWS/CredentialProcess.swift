package import Foundation
import Names

/// Runs the program that a profile's `credential_process` names: no shell, nothing on standard input, its complaints
/// left unread because they may hold secrets.
package struct CredentialProcess: Sendable {
    private let searchPath: [String]
    private let timeline: Timeline
    private let timeout: Duration

    /// - Parameter searchPath: the value of PATH.
    package init(searchPath: String?, timeline: Timeline, timeout: Duration = .seconds(60)) {
        self.searchPath = (searchPath ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
        self.timeline = timeline
        self.timeout = timeout
    }

    /// What the program wrote to standard output.
    ///
    /// - Throws: `AWSError` when it is missing, fails, or takes longer than the timeout.
    package func run(_ words: [String]) async throws -> Data {
        guard let name = words.first else { throw failure("the command", "is empty") }
        guard let path = ChildProgram.find(name, on: searchPath) else {
            throw failure(name, "is not a program that can be found")
        }
        let program = ChildProgram(path: path, arguments: Array(words.dropFirst()))
        switch try await program.run(atMost: timeout, on: timeline) {
        case .ended(0, let output): return output
        case .ended(let status, _): throw failure(name, "ended with \(status)")
        case .cannotStart: throw failure(name, "cannot be started")
        case .tooLate: throw failure(name, "did not end within \(Int(timeout.seconds)) s")
        }
    }

    private func failure(_ name: String, _ message: String) -> AWSError {
        AWSError(
            operation: "credential_process",
            code: "ProcessFailed",
            message: "`\(name)` \(message)",
            kind: .noCredentials
        )
    }
}
