package import Remotes

/// The same credential for every registry.
package struct FixedCredential: RegistryCredentialSource {
    private let value: RegistryCredential
    package init(_ value: RegistryCredential) { self.value = value }
    package func credential(for registry: String) async throws -> RegistryCredential { value }
}
