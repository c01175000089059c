package import Configuring
import Foundation
package import Remotes

/// The credentials that the configuration names for each registry, found where it says they are.
///
/// Looked up when first needed and kept until the registry refuses them or the configuration names others.
package actor ConfiguredCredentials: RegistryCredentialSource {
    /// Where files are: `LoadCredential=registries:…` gives the service each file as `registries_NAME`, see
    /// systemd.exec(5); from the command line the folder itself is read.
    package struct Places: Sendable {
        package var serviceDirectory: String?
        package var folder = "/etc/preclone/credentials"

        package init(serviceDirectory: String?) { self.serviceDirectory = serviceDirectory }
    }

    private let source: @Sendable (_ registry: String) -> CredentialSource?
    private let environment: [String: String]
    private let places: Places
    private let helper: CredentialHelper
    private let secret: @Sendable (_ arn: String) async throws -> String
    private let ecrPublic: any RegistryCredentialSource
    private var held: [String: (source: CredentialSource, credential: RegistryCredential)] = [:]
    private var loading: [String: Signal] = [:]

    /// - Parameters:
    ///   - source: what the configuration in force says for a registry; asked each time.
    ///   - secret: reads a secret of Secrets Manager.
    ///   - ecrPublic: logins for ECR Public, which it keeps by itself.
    package init(
        environment: [String: String],
        places: Places,
        helper: CredentialHelper,
        secret: @escaping @Sendable (_ arn: String) async throws -> String,
        ecrPublic: any RegistryCredentialSource = AnonymousCredentials(),
        source: @escaping @Sendable (_ registry: String) -> CredentialSource?
    ) {
        self.source = source
        self.environment = environment
        self.places = places
        self.helper = helper
        self.secret = secret
        self.ecrPublic = ecrPublic
    }

    package func credential(for registry: String) async throws -> RegistryCredential {
        guard let source = source(registry) else { return .anonymous }
        if source == .ecrPublic { return try await ecrPublicCredential(registry) }
        // Whoever comes while they are being looked up waits for them.
        while let running = loading[registry] {
            await running.wait()
            try Task.checkCancellation()
        }
        if let held = held[registry], held.source == source { return held.credential }
        let done = Signal()
        loading[registry] = done
        defer {
            loading[registry] = nil
            done.set()
        }
        let credential = try await load(source, registry)
        held[registry] = (source, credential)
        return credential
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async {
        if held[registry]?.credential == credential { held[registry] = nil }
        if source(registry) == .ecrPublic { await ecrPublic.invalidate(credential, for: registry) }
    }

    private func ecrPublicCredential(_ registry: String) async throws -> RegistryCredential {
        do {
            return try await ecrPublic.credential(for: registry)
        } catch let error as AWSError {
            throw RegistryError(.noCredentials, host: registry, detail: "ECR Public gives no login: \(error)")
        }
    }

    private func load(_ source: CredentialSource, _ registry: String) async throws -> RegistryCredential {
        switch source {
        case .file(let name):
            return try file(name, registry)
        case .environment(let user, let password):
            guard let name = environment[user], let word = environment[password], !name.isEmpty, !word.isEmpty else {
                throw RegistryError(
                    .noCredentials,
                    host: registry,
                    detail: "its credentials should be in \(user) and \(password), which are not both set; "
                        + "set them in /etc/preclone/environment"
                )
            }
            return .basic(user: name, password: word)
        case .secret(let arn):
            do {
                return try RegistryCredential(secret: try await secret(arn), registry: registry)
            } catch let error as AWSError {
                throw RegistryError(.noCredentials, host: registry, detail: "its secret cannot be read: \(error)")
            }
        case .helper(let name):
            // Docker Hub's name among helpers is an address of old.
            let server = registry == "docker.io" ? "https://index.docker.io/v1/" : registry
            guard let found = try await helper.credential(helper: name, server: server, registry: registry) else {
                throw RegistryError(
                    .noCredentials,
                    host: registry,
                    detail: "docker-credential-\(name) knows no credentials for it; log in with it first"
                )
            }
            return found
        case .ecrPublic:
            return try await ecrPublicCredential(registry)
        }
    }

    private func file(_ name: String, _ registry: String) throws -> RegistryCredential {
        let service = places.serviceDirectory.map { ($0, "registries_" + name) }
        let candidates = [service, (places.folder, name)].compactMap(\.self)
        for (directory, name) in candidates
        where FileManager.default.isReadableFile(atPath: directory + "/" + name) {
            return try RegistryCredential(file: name, directory: directory, registry: registry)
        }
        throw RegistryError(
            .noCredentials,
            host: registry,
            detail: "its credential file \(places.folder)/\(name) is not there or may not be read; "
                + "write USER:PASSWORD into it, and restart the service, which reads it at its start"
        )
    }
}
