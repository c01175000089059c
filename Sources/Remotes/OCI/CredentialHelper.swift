import Foundation

/// Runs docker's credential helpers: a program `docker-credential-NAME` that is given a server's name on standard input
/// and answers in JSON on standard output. No shell is involved, and nothing secret is on a command line.
package struct CredentialHelper: Sendable {
    private let searchPath: [String]
    private let timeline: Timeline
    private let timeout: Duration

    package init(
        searchPath: String? = ProcessInfo.processInfo.environment["PATH"],
        timeline: Timeline = .system,
        timeout: Duration = .seconds(30)
    ) {
        self.searchPath = (searchPath ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
        self.timeline = timeline
        self.timeout = timeout
    }

    /// Asks a helper; nil when it has nothing for the server.
    ///
    /// - Throws: `RegistryError` when the helper is missing, fails or answers nonsense.
    package func credential(helper: String, server: String, registry: String) async throws -> RegistryCredential? {
        func fail(_ detail: String) -> RegistryError {
            RegistryError(
                .noCredentials,
                host: registry,
                detail: "the credential helper \(helper.prefix(80)) \(detail)"
            )
        }
        guard !helper.isEmpty, helper.utf8.count <= 100,
            helper.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f })
        else { throw fail("has no usable name") }
        let program = "docker-credential-\(helper)"
        guard let path = ChildProgram.find(program, on: searchPath.filter { $0.hasPrefix("/") }) else {
            throw fail("is not on PATH: \(program)")
        }
        let child = ChildProgram(path: path, arguments: ["get"], input: server + "\n")
        let status: Int32
        let output: Data
        switch try await child.run(atMost: timeout, on: timeline) {
        case .ended(let ended, let written): (status, output) = (ended, written)
        case .cannotStart: throw fail("cannot be started")
        case .tooLate: throw fail("did not answer within \(timeout)")
        }
        struct Answer: Decodable {
            var user: String?
            var secret: String?
            enum CodingKeys: String, CodingKey {
                case user = "Username"
                case secret = "Secret"
            }
        }
        guard status == 0 else {
            let text = String(decoding: output.prefix(200), as: UTF8.self)
            if text.lowercased().contains("not found") { return nil }
            throw fail("ended with \(status)")
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: output), let user = answer.user,
            let secret = answer.secret
        else { throw fail("did not answer with Username and Secret") }
        if secret.isEmpty { return nil }
        return user == "<token>" ? .identityToken(secret) : .basic(user: user, password: secret)
    }
}
