package import Foundation
package import Remotes
import Synchronization

/// How layers that are too large to risk in one PUT get into an ECR.
package struct LayerParts: Sendable {
    /// Layers above this many bytes go in parts.
    package var threshold: Int64
    /// The part API of a location's registry; nil where it has none that we reach.
    package var store: @Sendable (ECRLocation) -> (any LayerPartStore)?

    package init(threshold: Int64 = 5 << 30, store: @escaping @Sendable (ECRLocation) -> (any LayerPartStore)?) {
        self.threshold = threshold
        self.store = store
    }
}

/// The clients of every registry that is talked to, one each for the life of the process, so that tokens, limits and
/// connections are shared by all workers.
package final class RegistryClients: Sendable {
    private let clients = Mutex([String: RegistryClient]())
    private let settings: Settings
    private let transport: @Sendable (_ registry: String) throws -> any HTTPTransport
    private let ecr: ECRCredentials
    private let upstream: any RegistryCredentialSource
    private let pacer: any RequestPacer
    let budget: (any PullBudget)?
    let parts: LayerParts?
    let journal: (any UploadJournal)?
    /// One for all images, so that a shared layer is moved once.
    let share: LayerShare
    private let ledger: Ledger
    let timeline: Timeline

    /// - Parameters:
    ///   - transport: what reaches a registry, with the certificate authorities that hold for it.
    ///   - ecr: tokens for every private ECR of the Region.
    ///   - upstream: credentials of all other registries.
    ///   - parts: how very large layers go to ECR; nil: like all others.
    package init(
        settings: Settings,
        transport: @escaping @Sendable (_ registry: String) throws -> any HTTPTransport,
        ecr: ECRCredentials,
        upstream: any RegistryCredentialSource,
        pacer: any RequestPacer,
        budget: (any PullBudget)?,
        parts: LayerParts?,
        journal: (any UploadJournal)?,
        ledger: Ledger,
        timeline: Timeline
    ) {
        self.settings = settings
        self.transport = transport
        self.ecr = ecr
        self.upstream = upstream
        self.pacer = pacer
        self.budget = budget
        self.parts = parts
        self.journal = journal
        share = LayerShare(
            slots: HostSlots { host in
                max(1, settings.current.registries.settings(for: host).concurrentRequests)
            }
        )
        self.ledger = ledger
        self.timeline = timeline
    }

    /// The client of a registry, by its canonical name.
    package func client(for registry: String) async throws -> RegistryClient {
        if let known = clients.withLock({ $0[registry] }) { return known }
        let isECR = (try? ImageReference("\(registry)/x/y")).flatMap(ECRLocation.init) != nil
        let chosen = settings.current.registries.settings(for: registry)
        let override = isECR ? try await ecr.endpoint(of: registry) ?? chosen.endpoint : chosen.endpoint
        let request = settings.current.retry.request
        let made = RegistryClient(
            endpoint: try RegistryEndpoint(registry: registry, override: override, insecure: chosen.insecure),
            transport: try transport(registry),
            credentials: isECR ? ecr : upstream,
            pacer: pacer,
            timeline: timeline,
            retry: RequestRetry(
                base: request.base,
                ceiling: request.ceiling,
                attempts: request.attempts,
                maximumRetryAfter: request.maxRetryAfter
            ),
            patience: Patience(idle: settings.current.clone.stallTimeout)
        )
        return clients.withLock { clients in
            if let raced = clients[registry] { return raced }
            clients[registry] = made
            return made
        }
    }

    func hosts() throws -> [HostRow] { try ledger.hosts() }

    /// After a reload: settings of registries may be others.
    package func forget() { clients.withLock { $0 = [:] } }

    /// Until when nothing is asked of a registry, and why.
    package func pause(of registry: String) async -> (Date, why: String)? {
        let now = timeline.now()
        guard let rows = try? ledger.hosts() else { return nil }
        for row in rows where row.host == registry {
            if let until = row.pausedUntil.map(Date.init(milliseconds:)), until > now {
                return (until, row.pauseReason ?? "\(registry) asked to be left alone")
            }
            if row.breaker == "open", let until = row.breakerUntil.map(Date.init(milliseconds:)), until > now {
                return (until, "\(registry) failed \(row.failures) times in a row")
            }
        }
        return nil
    }
}

/// Tokens for private ECRs: one for all registries of the Region, for twelve hours, asked for again an hour before its
/// end or when a registry refuses it.
package actor ECRCredentials: RegistryCredentialSource {
    private static let refreshAhead: TimeInterval = 3600

    private let client: ECRClient
    private let home: @Sendable () async throws -> HomeRegistry
    private let now: @Sendable () -> Date
    /// Told when a new token ends.
    private let renewed: @Sendable (Date) -> Void
    private var held: ECRAuthorization?
    private var fetching: [CheckedContinuation<Void, Never>]?

    package init(
        client: ECRClient,
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
        let token = try await authorization().token
        guard let data = Data(base64Encoded: token), let colon = data.firstIndex(of: UInt8(ascii: ":")) else {
            throw RegistryError(.brokenAnswer, host: registry, detail: "ECR gave a token that is not user:password")
        }
        return .basic(
            user: String(decoding: data[..<colon], as: UTF8.self),
            password: String(decoding: data[data.index(after: colon)...], as: UTF8.self)
        )
    }

    package func invalidate(_ credential: RegistryCredential, for registry: String) async { held = nil }

    /// Where the own registry is really reached, when ECR says another place than its name (an endpoint override).
    ///
    /// - Throws: `AWSError` while it cannot be asked: a client made without the answer would go astray for good.
    package func endpoint(of registry: String) async throws -> String? {
        guard try await home().registry == registry else { return nil }
        let endpoint = try await authorization().proxyEndpoint
        return endpoint == "https://\(registry)" ? nil : endpoint
    }

    private func authorization() async throws -> ECRAuthorization {
        while fetching != nil {
            await withCheckedContinuation { fetching?.append($0) }
        }
        if let held, held.expires.timeIntervalSince(now()) > Self.refreshAhead { return held }
        fetching = []
        defer {
            let waiters = fetching ?? []
            fetching = nil
            for waiter in waiters { waiter.resume() }
        }
        do {
            let fresh = try await client.getAuthorizationToken()
            held = fresh
            renewed(fresh.expires)
            return fresh
        } catch {
            // A failed refresh is not the end of a token that still holds.
            if let held, held.expires > now() { return held }
            throw error
        }
    }
}

extension RegistryClients {
    /// Registries of which nothing is asked now.
    package func paused() async -> Set<String> {
        let now = timeline.now().milliseconds
        let rows = (try? hosts()) ?? []
        return Set(
            rows.filter { ($0.pausedUntil ?? 0) > now || ($0.breaker == "open" && ($0.breakerUntil ?? 0) > now) }
                .map(\.host)
        )
    }
}
