import Foundation
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

    private let clients: CopyRegistries
    private let platforms: [Platform]?
    private let share: LayerShare

    init(
        transport: LiveTransport,
        credentials: any RegistryCredentialSource,
        plainHTTP: Bool,
        platforms: [Platform]?
    ) {
        clients = CopyRegistries(transport: transport, credentials: credentials, plainHTTP: plainHTTP)
        self.platforms = platforms
        share = LayerShare(slots: HostSlots(6))
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
            let source = try await clients.client(for: job.source.registry)
            let destination = try await clients.client(for: job.destination.registry)
            let outcome = try await ImageCopy(
                source: .init(
                    client: source,
                    repository: job.source.repository,
                    reference: job.source.digest.map(ManifestReference.digest) ?? .tag(job.source.tag ?? "latest")
                ),
                destination: .init(
                    client: destination,
                    repository: job.destination.repository,
                    tag: job.destination.tag
                ),
                platforms: platforms,
                share: share,
                progress: progress
            ).run()
            display.end(index, .copied(outcome))
            return Result(job: job, failure: nil)
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

/// One client for each registry, made when first needed.
actor CopyRegistries {
    private let transport: LiveTransport
    private let credentials: any RegistryCredentialSource
    private let plainHTTP: Bool
    private var clients: [String: RegistryClient] = [:]

    init(transport: LiveTransport, credentials: any RegistryCredentialSource, plainHTTP: Bool) {
        self.transport = transport
        self.credentials = credentials
        self.plainHTTP = plainHTTP
    }

    func client(for registry: String) throws -> RegistryClient {
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
