import Foundation
import Names
import Precloning
import Remotes

/// Copies a list of images with one set of clients, and shows how it goes.
struct CopySession: Sendable {
    struct Job: Sendable {
        var source: ImageReference
        var destination: ImageReference
    }

    struct Failure: Sendable {
        var message: String
        var hint: String?
        var isTemporary: Bool
    }

    struct Result: Sendable {
        var job: Job
        var failure: Failure?
    }

    private let registries: any CopyRoutes
    private let platforms: [Platform]?
    private let bringsReferrers: Bool

    init(registries: any CopyRoutes, platforms: [Platform]?, bringsReferrers: Bool = false) {
        self.registries = registries
        self.platforms = platforms
        self.bringsReferrers = bringsReferrers
    }

    /// Copies every image; a failure of one does not end the others.
    func run(_ jobs: [Job], atOnce: Int) async -> [Result] {
        let display = CopyDisplay(jobs.map { "\($0.destination)" })
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await display.run() }
            let results = await copyAll(jobs, atOnce: atOnce, display: display)
            group.cancelAll()
            await group.waitForAll()
            display.finish()
            return results
        }
    }

    private func copyAll(_ jobs: [Job], atOnce: Int, display: CopyDisplay) async -> [Result] {
        await withTaskGroup(of: (Int, Result).self) { group in
            var next = 0
            var results: [Int: Result] = [:]
            func add() {
                guard next < jobs.count else { return }
                let index = next
                next += 1
                group.addTask { (index, await copy(jobs[index], index: index, display: display)) }
            }
            for _ in 0..<atOnce { add() }
            while let (index, result) = await group.next() {
                results[index] = result
                add()
            }
            return jobs.indices.compactMap { results[$0] }
        }
    }

    private func copy(_ job: Job, index: Int, display: CopyDisplay) async -> Result {
        let progress = TransferProgress()
        display.begin(index, progress)
        do {
            var copy = try await registries.imageCopy(
                from: job.source,
                to: job.destination,
                platforms: platforms,
                progress: progress
            )
            copy.bringsReferrers = bringsReferrers
            copy.asksForMovesFrom = ImageCopy.sizeWorthAsking
            let outcome = try await copy.run()
            display.end(index, .copied(outcome))
            // The image is there; that what was asked for with it is not, is said by its line and by the exit code.
            let failure = outcome.referrers?.failure.map(Failure.init)
            return Result(job: job, failure: failure)
        } catch {
            let failure = Failure(error)
            display.end(index, .failed(failure))
            return Result(job: job, failure: failure)
        }
    }
}

extension CopySession.Failure {
    fileprivate init(_ error: any Error) {
        switch error {
        case let error as RegistryError:
            self.init(message: error.description, hint: error.mend, isTemporary: error.isWorthRetrying)
        case is CancellationError:
            self.init(message: "interrupted", hint: nil, isTemporary: true)
        default:
            self.init(message: "\(error)", hint: nil, isTemporary: false)
        }
    }
}

/// What images are copied with: clients of both sides, and what all copies share.
protocol CopyRoutes: Sendable {
    func imageCopy(
        from source: ImageReference,
        to destination: ImageReference,
        platforms: [Platform]?,
        progress: TransferProgress
    ) async throws -> ImageCopy
}

/// Under a configuration: the daemon's clients, with their limits, quotas and credentials.
extension RegistryClients: CopyRoutes {}

/// The first source that knows a registry counts.
struct CredentialsInOrder: RegistryCredentialSource {
    private let sources: [any RegistryCredentialSource]

    init(_ sources: [any RegistryCredentialSource]) { self.sources = sources }

    func credential(for registry: String) async throws -> RegistryCredential {
        for source in sources {
            let credential = try await source.credential(for: registry)
            if !credential.isAnonymous { return credential }
        }
        return .anonymous
    }

    func invalidate(_ credential: RegistryCredential, for registry: String) async {
        for source in sources { await source.invalidate(credential, for: registry) }
    }
}

/// Without a configuration: one client for each registry, made when first needed.
actor CopyRegistries: CopyRoutes {
    private let transport: LiveTransport
    private let credentials: any RegistryCredentialSource
    private let plainHTTP: Bool
    private var clients: [String: RegistryClient] = [:]
    private let share = LayerShare(slots: NamedSlots(6))

    init(transport: LiveTransport, credentials: any RegistryCredentialSource, plainHTTP: Bool) {
        self.transport = transport
        self.credentials = credentials
        self.plainHTTP = plainHTTP
    }

    func imageCopy(
        from source: ImageReference,
        to destination: ImageReference,
        platforms: [Platform]?,
        progress: TransferProgress
    ) throws -> ImageCopy {
        ImageCopy(
            source: .init(
                client: try client(for: source.registry),
                repository: source.repository,
                reference: source.digest.map(ManifestReference.digest) ?? .tag(source.tag ?? "latest")
            ),
            destination: .init(
                client: try client(for: destination.registry),
                repository: destination.repository,
                tag: destination.tag
            ),
            platforms: platforms,
            share: share,
            progress: progress
        )
    }

    private func client(for registry: String) throws -> RegistryClient {
        if let client = clients[registry] { return client }
        let endpoint = try RegistryEndpoint(registry: registry, insecure: plainHTTP && registry.contains(":"))
        // Whoever typed the name wants to go there; where it leads from there is judged.
        let client = RegistryClient(
            endpoint: endpoint,
            transport: transport.trusting([endpoint.origin]),
            credentials: credentials
        )
        clients[registry] = client
        return client
    }
}
