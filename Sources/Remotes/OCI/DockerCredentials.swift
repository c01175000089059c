import Foundation
import Names

/// Credentials from docker's `config.json` (or podman's `auth.json`): `credHelpers`, `credsStore` and `auths`, in this
/// order, as docker itself asks them.
package actor DockerCredentials: RegistryCredentialSource {
    private struct File: Decodable {
        struct Entry: Decodable {
            var auth: String?
            var username: String?
            var password: String?
            var identitytoken: String?
            var registrytoken: String?
        }
        var auths: [String: Entry]?
        var credsStore: String?
        var credHelpers: [String: String]?
    }

    private let path: String
    private let file: File
    private let helpers: CredentialHelper
    private let timeline: Timeline
    /// What helpers said, or the file where they knew nothing.
    private var cache: [String: (credential: RegistryCredential, at: Duration)] = [:]
    private var asking: [String: Signal] = [:]

    /// What a helper said is asked for again after this time.
    private static let helperLifetime = Duration.seconds(600)

    /// Reads the file.
    ///
    /// - Throws: `RegistryError` when it is there and cannot be understood.
    package init(
        path: String,
        helpers: CredentialHelper = CredentialHelper(),
        timeline: Timeline = .system
    ) throws(RegistryError) {
        self.path = path
        self.helpers = helpers
        self.timeline = timeline
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            let data = try handle.read(upToCount: 4 << 20) ?? Data()
            file = try JSONDecoder().decode(File.self, from: data)
        } catch is DecodingError {
            throw RegistryError(.noCredentials, host: path, detail: "it is not a docker config.json")
        } catch {
            throw RegistryError(.noCredentials, host: path, detail: "the credentials file cannot be read")
        }
    }

    /// Where docker and podman look, first to last; the first that is there counts.
    package static func defaultPath(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        var candidates: [String] = []
        if let folder = environment["DOCKER_CONFIG"] { candidates.append(folder + "/config.json") }
        if let file = environment["REGISTRY_AUTH_FILE"] { candidates.append(file) }
        if let folder = environment["XDG_RUNTIME_DIR"] { candidates.append(folder + "/containers/auth.json") }
        if let home = environment["HOME"] { candidates.append(home + "/.docker/config.json") }
        return candidates.first { FileManager.default.isReadableFile(atPath: $0) }
    }

    package func credential(for registry: String) async throws -> RegistryCredential {
        let names = Self.names(of: registry)
        let helper = names.lazy.compactMap { self.file.credHelpers?[$0] }.first
        guard let helper = helper ?? file.credsStore, !helper.isEmpty else { return try written(names, registry) }
        // Whoever comes while a helper is being asked waits for what it says.
        while let running = asking[registry] {
            await running.wait()
            try Task.checkCancellation()
        }
        if let known = cache[registry], timeline.elapsed() - known.at < Self.helperLifetime { return known.credential }
        let done = Signal()
        asking[registry] = done
        defer {
            asking[registry] = nil
            done.set()
        }
        for name in names {
            if let found = try await helpers.credential(helper: helper, server: name, registry: registry) {
                cache[registry] = (found, timeline.elapsed())
                return found
            }
        }
        let found = try written(names, registry)
        cache[registry] = (found, timeline.elapsed())
        return found
    }

    private func written(_ names: [String], _ registry: String) throws -> RegistryCredential {
        for name in names {
            if let entry = file.auths?[name] { return try credential(of: entry, registry: registry) }
        }
        return .anonymous
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async {
        cache[registry] = nil
    }

    /// The keys under which tools have kept a registry over the years.
    private static func names(of registry: String) -> [String] {
        let hosts =
            registry == ImageReference.dockerHub
            ? ["docker.io", "index.docker.io", "registry-1.docker.io"] : [registry]
        let plain = hosts.flatMap { [$0, "https://\($0)", "https://\($0)/v1/", "https://\($0)/v2/", "http://\($0)"] }
        return registry == ImageReference.dockerHub ? ["https://index.docker.io/v1/"] + plain : plain
    }

    private func credential(of entry: File.Entry, registry: String) throws -> RegistryCredential {
        if let token = entry.identitytoken, !token.isEmpty { return .identityToken(token) }
        if let token = entry.registrytoken, !token.isEmpty {
            guard HeaderText.isToken(token) else {
                throw RegistryError(
                    .noCredentials,
                    host: registry,
                    detail: "`registrytoken` in \(path) has a character that no token has"
                )
            }
            return .bearer(token)
        }
        if let user = entry.username, let password = entry.password { return .basic(user: user, password: password) }
        guard let auth = entry.auth, !auth.isEmpty else { return .anonymous }
        guard let data = Data(base64Encoded: auth) else {
            throw RegistryError(.noCredentials, host: registry, detail: "`auth` in \(path) is not base64")
        }
        // Docker pads the password with NUL bytes.
        let text = String(decoding: data.prefix { $0 != 0 }, as: UTF8.self)
        guard let colon = text.firstIndex(of: ":") else {
            throw RegistryError(.noCredentials, host: registry, detail: "`auth` in \(path) is not user:password")
        }
        return .basic(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
    }
}
