package import Foundation
package import Model
import Names
package import Remotes

/// Tokens for private ECRs: one for all registries of a Region, for twelve hours, asked for again an hour before its end
/// or when a registry refuses it.
package actor ECRCredentials: RegistryCredentialSource {
    private static let refreshAhead: TimeInterval = 3600
    /// How long a token is used of which the end is unknown, or past already when it is given.
    private static let undated: TimeInterval = 900
    /// No token holds longer, whatever our clock makes of its end. Source: ECR API reference, GetAuthorizationToken.
    private static let lifetime: TimeInterval = 43_200

    private struct Held {
        var authorization: ECRAuthorization
        /// When another is asked for.
        var until: Date
        var end: Date
    }

    private let client: @Sendable (_ region: String) -> ECRClient
    private let home: @Sendable () async throws -> HomeRegistry
    private let now: @Sendable () -> Date
    /// Told when a new token ends.
    private let renewed: @Sendable (Date) -> Void
    private var held: [String: Held] = [:]
    private var fetching: [String: Signal] = [:]

    /// - Parameter client: the API of a Region; a token opens the registries of its own Region alone.
    package init(
        client: @escaping @Sendable (_ region: String) -> ECRClient,
        home: @escaping @Sendable () async throws -> HomeRegistry,
        now: @escaping @Sendable () -> Date,
        renewed: @escaping @Sendable (Date) -> Void = { _ in }
    ) {
        self.client = client
        self.home = home
        self.now = now
        self.renewed = renewed
    }

    package func credential(for registry: String) async throws -> RegistryCredential {
        let authorization = try await authorization(try await region(of: registry))
        guard let credential = RegistryCredential(basicToken: authorization.token) else {
            throw RegistryError(.brokenAnswer, host: registry, detail: "ECR gave a token that is not user:password")
        }
        return credential
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async {
        held = held.filter { RegistryCredential(basicToken: $0.value.authorization.token) != credential }
    }

    /// Where the own registry is really reached, when ECR says another place than its name (an endpoint override).
    ///
    /// - Throws: `AWSError` while it cannot be asked: a client made without the answer would go astray for good.
    package func endpoint(of registry: String) async throws -> String? {
        let home = try await home()
        guard home.registry == registry else { return nil }
        guard var endpoint = try await authorization(home.region).proxyEndpoint else { return nil }
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        return endpoint.isEmpty || endpoint == "https://\(registry)" ? nil : endpoint
    }

    private func region(of registry: String) async throws -> String {
        if let location = (try? ImageReference("\(registry)/x/y")).flatMap(ECRLocation.init) { return location.region }
        return try await home().region
    }

    private func authorization(_ region: String) async throws -> ECRAuthorization {
        while let running = fetching[region] {
            await running.wait()
            try Task.checkCancellation()
        }
        if let held = held[region], now() < held.until { return held.authorization }
        let done = Signal()
        fetching[region] = done
        defer {
            fetching[region] = nil
            done.set()
        }
        do {
            let fresh = try await client(region).getAuthorizationToken()
            let at = now()
            var end = fresh.expires ?? at
            // A clock that is behind makes it longer than it is.
            end = min(end, at.addingTimeInterval(Self.lifetime))
            if end <= at { end = at.addingTimeInterval(Self.undated) }
            // A token for less than four hours is renewed at three quarters of its time.
            let ahead = min(Self.refreshAhead, end.timeIntervalSince(at) / 4)
            held[region] = Held(authorization: fresh, until: end.addingTimeInterval(-ahead), end: end)
            renewed(end)
            return fresh
        } catch {
            // A failed refresh is not the end of a token that still holds.
            if let held = held[region], held.end > now() { return held.authorization }
            throw error
        }
    }
}
