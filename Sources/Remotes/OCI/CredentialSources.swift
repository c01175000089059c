package import Foundation

/// A credential that something else hands out for a while, such as ECR's authorization token or a secret of Secrets
/// Manager. Loaded when first needed, again shortly before it ends, and once for everybody who asks meanwhile.
package actor LoadedCredential: RegistryCredentialSource {
    package struct Loaded: Sendable {
        package var credential: RegistryCredential
        /// nil: kept until the registry refuses it.
        package var expires: Date?

        package init(credential: RegistryCredential, expires: Date? = nil) {
            self.credential = credential
            self.expires = expires
        }
    }

    private let load: @Sendable () async throws -> Loaded
    private let timeline: Timeline
    private var current: Loaded?
    private var loading: Signal?
    private var refused: (credential: RegistryCredential, at: Duration)?

    package init(timeline: Timeline = .system, load: @escaping @Sendable () async throws -> Loaded) {
        self.timeline = timeline
        self.load = load
    }

    package func credential(for registry: String) async throws -> RegistryCredential {
        while true {
            try Task.checkCancellation()
            // A minute is kept in reserve.
            if let current, current.expires.map({ $0 > timeline.now().addingTimeInterval(60) }) ?? true {
                return current.credential
            }
            if let loading {
                await loading.wait()
                continue
            }
            let done = Signal()
            loading = done
            defer {
                loading = nil
                done.set()
            }
            let loaded = try await load()
            current = loaded
            return loaded.credential
        }
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async {
        guard current?.credential == credential else { return }
        // A credential that is refused again as soon as it was loaded is not loaded over and over.
        if let refused, refused.credential == credential, timeline.elapsed() - refused.at < .seconds(60) { return }
        refused = (credential, timeline.elapsed())
        current = nil
    }
}

extension RegistryCredential {
    /// The largest secret that is read, in bytes.
    package static let maximumSecretBytes = 65_536

    /// Reads a secret as people keep it: `{"username": …, "accessToken": …}` (the form of pull-through cache rules),
    /// `{"username": …, "password": …}`, or `user:password` on one line.
    ///
    /// - Parameter registry: for the message of the error, which never shows the secret.
    package init(secret: String, registry: String) throws(RegistryError) {
        struct Shape: Decodable {
            var username: String?
            var accessToken: String?
            var password: String?
        }
        func fail(_ detail: String) -> RegistryError {
            RegistryError(.noCredentials, host: registry, detail: detail)
        }
        guard secret.utf8.count <= Self.maximumSecretBytes else { throw fail("its secret is too large") }
        let text = secret.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.hasPrefix("{") {
            guard let shape = try? JSONDecoder().decode(Shape.self, from: Data(text.utf8)) else {
                throw fail("its secret is not JSON with texts in it")
            }
            guard let user = shape.username, let password = shape.accessToken ?? shape.password else {
                throw fail("its secret has no `username` with an `accessToken` or a `password`")
            }
            self = .basic(user: user, password: password)
            return
        }
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex,
            !text.contains(where: \.isNewline)
        else { throw fail("its secret is neither JSON nor user:password on one line") }
        self = .basic(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
    }

    /// Reads a credential from a file below systemd's credentials directory (`LoadCredential=`).
    ///
    /// - Parameter directory: `$CREDENTIALS_DIRECTORY`; nil when the service has none.
    package init(file name: String, directory: String?, registry: String) throws(RegistryError) {
        func fail(_ detail: String) -> RegistryError {
            RegistryError(.noCredentials, host: registry, detail: detail)
        }
        guard let directory else {
            throw fail(
                "its credential file `\(name)` needs LoadCredential= in the unit; CREDENTIALS_DIRECTORY is not set"
            )
        }
        guard !name.isEmpty, name != ".", name != "..", !name.contains("/"), !name.contains("\0") else {
            throw fail("its credential file must be the name of a file in the credentials directory")
        }
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory + "/" + name))
            defer { try? handle.close() }
            data = try handle.read(upToCount: Self.maximumSecretBytes + 1) ?? Data()
        } catch {
            throw fail("its credential file \(directory)/\(name) cannot be read")
        }
        try self.init(secret: String(decoding: data, as: UTF8.self), registry: registry)
    }
}
