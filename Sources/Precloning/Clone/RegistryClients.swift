import Configuring
package import Foundation
package import Model
import Names
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
    let settings: Settings
    private let transport: @Sendable (RegistryEndpoint) throws -> any HTTPTransport
    private let ecr: ECRCredentials
    private let upstream: any RegistryCredentialSource
    private let pacer: any RequestPacer
    let budget: (any PullBudget)?
    let parts: LayerParts?
    let journal: (any UploadJournal)?
    let manifests: (any ManifestStore)?
    /// One for all images, so that a shared layer is moved once.
    let share: LayerShare
    private let record: any HostRecord
    let timeline: Timeline

    /// - Parameters:
    ///   - transport: what reaches a registry, with the addresses and certificate authorities that hold for it.
    ///   - ecr: tokens for every private ECR of the Region.
    ///   - upstream: credentials of all other registries.
    ///   - parts: how very large layers go to ECR; nil: like all others.
    ///   - manifests: those that were read before; nil: each is asked for again.
    package init(
        settings: Settings,
        transport: @escaping @Sendable (RegistryEndpoint) throws -> any HTTPTransport,
        ecr: ECRCredentials,
        upstream: any RegistryCredentialSource,
        pacer: any RequestPacer,
        budget: (any PullBudget)?,
        parts: LayerParts?,
        journal: (any UploadJournal)?,
        manifests: (any ManifestStore)? = nil,
        record: any HostRecord,
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
        self.manifests = manifests
        share = LayerShare(
            slots: NamedSlots { host in
                max(1, settings.current.registries.settings(for: host).concurrentRequests)
            }
        )
        self.record = record
        self.timeline = timeline
    }

    /// The client of a registry, by its canonical name.
    package func client(for registry: String) async throws -> RegistryClient {
        if let known = clients.withLock({ $0[registry] }) { return known }
        let isECR = (try? ImageReference("\(registry)/x/y")).flatMap(ECRLocation.init) != nil
        let chosen = settings.current.registries.settings(for: registry)
        let override = isECR ? try await ecr.endpoint(of: registry) ?? chosen.endpoint : chosen.endpoint
        let request = settings.current.retry.request
        let endpoint = try RegistryEndpoint(
            registry: registry,
            override: override,
            insecure: chosen.insecure,
            tokenRealm: chosen.tokenRealm
        )
        let made = RegistryClient(
            endpoint: endpoint,
            transport: try transport(endpoint),
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

    func hosts() throws -> [HostRow] { try record.hosts() }

    /// Whether a row is about the credentials that are in use now: those of before may have been told to wait.
    func isOurs(_ row: HostRow) -> Bool {
        row.credential == settings.current.registries.settings(for: row.host).credentials?.name ?? ""
    }

    /// After a reload: settings of registries may be others.
    package func forget() { clients.withLock { $0 = [:] } }

    /// Until when nothing is asked of a registry, and why.
    package func pause(of registry: String) async -> (Date, why: String)? {
        let now = timeline.now()
        guard let rows = try? record.hosts() else { return nil }
        for row in rows where row.host == registry {
            if let until = row.pausedUntil.map(Date.init(milliseconds:)), until > now, isOurs(row) {
                return (until, row.pauseReason ?? "\(registry) asked to be left alone")
            }
            if row.breaker == "open", let until = row.breakerUntil.map(Date.init(milliseconds:)), until > now {
                return (until, "\(registry) failed \(row.failures) times in a row")
            }
        }
        return nil
    }
}

extension RegistryClients {
    /// Registries of which nothing is asked now.
    package func paused() async -> Set<String> {
        let now = timeline.now().milliseconds
        let rows = (try? hosts()) ?? []
        return Set(
            rows.filter {
                ($0.pausedUntil ?? 0) > now && isOurs($0) || ($0.breaker == "open" && ($0.breakerUntil ?? 0) > now)
            }
            .map(\.host)
        )
    }
}
