import Configuring
import Foundation
import GRDB
import Model
import Names
import Record
import Remotes
import Sandbox
import Testing

@testable import Precloning

/// What the tests of cloning have in common: the stages that a process makes of one record, against a sandbox.
struct CloneBench {
    let sandbox: Sandbox
    let ledger: Ledger
    let transport: LiveTransport
    let timeline: Timeline
    let settings: Settings
    let ecr: ECRClient
    let registries: RegistryClients
    let cloner: Cloner

    /// Waits are short here: what is tested is what happens after them.
    static let hasty = Timeline(
        elapsed: Timeline.system.elapsed,
        sleep: { try await Timeline.system.sleep(min($0, .milliseconds(10))) },
        now: { Date() },
        random: { 0 }
    )

    /// - Parameter partThreshold: layers above this many bytes go to ECR in parts.
    init(
        _ sandbox: Sandbox,
        ledger: Ledger,
        partThreshold: Int64 = 5 << 30,
        timeline: Timeline = Self.hasty
    ) throws {
        self.sandbox = sandbox
        self.ledger = ledger
        self.timeline = timeline
        let addresses = sandbox.addresses
        let transport = try LiveTransport()
        self.transport = transport
        var configuration = Configuration.defaults
        for (host, address) in addresses.registries {
            let name = host == "registry-1.docker.io" ? "docker.io" : host
            configuration.registries.hosts[name, default: .init()].endpoint = address
        }
        let settings = Settings(configuration)
        self.settings = settings
        let ecr = ECRClient(client: sandbox.awsClient("ecr", transport: transport, timeline: timeline))
        self.ecr = ecr
        let home = HomeRegistry(
            account: addresses.accountID,
            region: addresses.region,
            suffix: sandbox.registrySuffix
        )
        let registries = RegistryClients(
            settings: settings,
            transport: { _ in transport },
            ecr: ECRCredentials(client: { _ in ecr }, home: { home }, now: timeline.now),
            upstream: AnonymousCredentials(),
            pacer: UnpacedRequests(),
            budget: nil,
            parts: LayerParts(threshold: partThreshold) { location in
                ECRLayerParts(ecr: ecr, registryID: location.account, host: location.registry)
            },
            journal: LedgerUploadJournal(ledger: ledger, timeline: timeline),
            manifests: LedgerManifests(ledger: ledger, timeline: timeline),
            record: ledger,
            timeline: timeline
        )
        self.registries = registries
        cloner = Cloner(
            account: AccountFacts(
                sts: STSClient(client: sandbox.awsClient("sts", transport: transport, timeline: timeline)),
                ecr: ecr,
                region: home.region,
                suffix: home.suffix,
                now: timeline.now
            ),
            view: ECRView(
                ecr: ecr,
                manifests: LedgerManifests(ledger: ledger, timeline: timeline),
                elapsed: timeline.elapsed
            ) { location, descriptor in
                try await registries.client(for: location.registry).readBlob(location.repository, descriptor)
            },
            preparation: RepositoryPreparation(ecr: ecr),
            registries: registries,
            pullThrough: PullThroughTrigger(registries: registries, timeline: timeline),
            record: ledger,
            settings: settings,
            policy: PolicyGate(settings: settings, record: ledger, now: timeline.now),
            timeline: timeline
        )
    }

    /// A row for an image, as if it had been demanded.
    func image(_ source: String, to location: ECRLocation) throws -> ImageRecord {
        let id = try ledger.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO image (source, destination, registry, state, urgency, createdAt, updatedAt)
                    VALUES (?, ?, ?, 'cloning', 1, 0, 0)
                    """,
                arguments: [source, location.description, try ImageReference(source).registry]
            )
            return database.lastInsertedRowID
        }
        return try #require(try ledger.image(id: id))
    }

    /// A row that a live run wants.
    func wanted(_ source: String, at location: ECRLocation, by run: String) throws -> ImageRecord {
        let reference = try ImageReference(source)
        let demand = PlannedDemand(
            source: reference.description,
            destination: location.description,
            registry: reference.registry,
            mention: source,
            certainty: "certain"
        )
        let ids = try ledger.want(.run(key: run), [demand], now: timeline.now())
        return try #require(try ids.first.flatMap { try ledger.image(id: $0) })
    }

    /// One attempt, recorded as the daemon does it, and where the image stands then.
    func attempt(_ image: ImageRecord, caller: String = "daemon") async throws -> (CloneOutcome, ImageRecord) {
        let now = try #require(try ledger.image(id: image.id))
        let outcome = await cloner.clone(now, caller: caller)
        try record(now, outcome)
        return (outcome, try #require(try ledger.image(id: image.id)))
    }

    private func record(_ image: ImageRecord, _ outcome: CloneOutcome) throws {
        let recorder = OutcomeRecorder(ledger: ledger, timeline: timeline, settings: settings)
        try recorder.record(image, outcome, mark: settings.mark)
    }

    /// Somebody else pushes an image.
    @discardableResult
    func push(_ name: String, to repository: String, tag: String = "1") throws -> MadeImage {
        try sandbox.putPrivateImage(ImageRecipe(name), repository: repository, tags: [tag])
    }

    /// Puts an image upstream: `quay.io/org/NAME:TAG`.
    @discardableResult
    func publish(_ name: String, as repository: String? = nil, platforms: [String] = ["linux/amd64"]) throws
        -> MadeImage
    {
        try sandbox.putImage(
            ImageRecipe(name, platforms: platforms),
            registry: "quay.io",
            repository: repository ?? "org/\(name)",
            tags: ["1"]
        )
    }

    func location(_ repository: String, _ tag: String) -> ECRLocation {
        ECRLocation(
            account: sandbox.addresses.accountID,
            region: sandbox.addresses.region,
            suffix: sandbox.registrySuffix,
            repository: repository,
            tag: tag,
            digest: nil
        )
    }

    /// Copies an image of an upstream registry into a repository that is there.
    @discardableResult
    func copy(_ source: String, to repository: String, platforms: [Platform]? = nil) async throws -> ImageCopy.Outcome {
        let reference = try ImageReference(source)
        return try await registries.copy(
            from: reference,
            to: location(repository, reference.tag ?? "latest"),
            platforms: platforms,
            needsCreated: false,
            factsKnown: { _ in },
            beforeFirstBlob: {},
            progress: { _ in }
        )
    }

    /// The uploads that the record would go on with.
    func uploadsNoted() throws -> Int {
        try ledger.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM upload") ?? 0 }
    }
}
