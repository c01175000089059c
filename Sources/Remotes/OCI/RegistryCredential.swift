/// What a registry is shown. Never printed.
package enum RegistryCredential: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    case anonymous
    /// A user and a password, an access token in its place, or what ECR gives for twelve hours.
    case basic(user: String, password: String)
    /// A refresh token for the OAuth 2 form of the token endpoint (docker's `identitytoken`).
    case identityToken(String)
    /// A token that goes to the registry as it is (docker's `registrytoken`).
    case bearer(String)

    package var isAnonymous: Bool { self == .anonymous }

    package var description: String { isAnonymous ? "anonymous" : "<redacted>" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where credentials come from: files, helpers, Secrets Manager, ECR.
package protocol RegistryCredentialSource: Sendable {
    /// The credential for a registry as named in references; `anonymous` when there is none.
    ///
    /// - Throws: `RegistryError` when there should be one but it cannot be had.
    func credential(for registry: String) async throws -> RegistryCredential

    /// The registry refused this credential or called it expired: the next call must not return it from a cache.
    func invalidate(_ credential: RegistryCredential, for registry: String) async
}

extension RegistryCredentialSource {
    package func invalidate(_ credential: RegistryCredential, for registry: String) async {}
}

/// No credentials for anybody.
package struct AnonymousCredentials: RegistryCredentialSource {
    package init() {}
    package func credential(for registry: String) async throws -> RegistryCredential { .anonymous }
}
