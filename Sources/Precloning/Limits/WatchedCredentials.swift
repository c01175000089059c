package import Remotes
import Synchronization

/// Credentials whose refusals are watched: a registry that refuses the same ones twice is left alone, and it alone, until
/// somebody mends them. Once may be a secret that was just rotated.
package final class WatchedCredentials: RegistryCredentialSource {
    private struct RefusedCredential {
        var credential: RegistryCredential
        var at: Duration
    }

    /// Two refusals further apart are two events.
    private static let memory = Duration.seconds(600)

    private let source: any RegistryCredentialSource
    private let timeline: Timeline
    private let refused: @Sendable (String) -> Void
    private let last = Mutex([String: RefusedCredential]())

    /// - Parameter refused: told the registry whose credentials do not hold.
    package init(
        _ source: any RegistryCredentialSource,
        timeline: Timeline,
        refused: @escaping @Sendable (String) -> Void
    ) {
        self.source = source
        self.timeline = timeline
        self.refused = refused
    }

    package func credential(for registry: String) async throws -> RegistryCredential {
        try await source.credential(for: registry)
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async {
        await source.invalidate(credential, for: registry)
        guard !credential.isAnonymous else { return }
        let now = timeline.elapsed()
        let isSecond = last.withLock { last in
            let before = last[registry]
            last[registry] = RefusedCredential(credential: credential, at: now)
            guard let before, before.credential == credential else { return false }
            return now - before.at < Self.memory
        }
        if isSecond { refused(registry) }
    }
}
