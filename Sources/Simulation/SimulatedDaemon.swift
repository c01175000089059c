package import Configuring
import Foundation
import Logging
import Model
package import Precloning
package import Record
package import Remotes
import Sandbox
import ServiceLifecycleTestKit
import Synchronization

/// The daemon as the program composes it, on a simulated clock and network. The only file that knows how it is put
/// together.
package final class SimulatedDaemon: Sendable {
    package let settings: Settings
    package let ledger: Ledger
    package let life: ProcessLife
    package let works: Works
    private let timeline: Timeline
    private let logger: Logger
    private let running = Mutex<Daemon?>(nil)

    /// Where the process is.
    package struct Surroundings: Sendable {
        var sandbox: Sandbox
        var clock: SimulatedClock
        var weather: Weather
        var trace: Trace
        /// How many seconds its clock is ahead.
        var ahead: @Sendable () -> TimeInterval
        var random: @Sendable () -> Double
        /// Where definitions are kept.
        var folder: String
        var logger: Logger
        var seen: @Sendable (SeenRequest) -> Void
    }

    /// - Throws: what the record throws.
    package init(_ configuration: Configuration, on ledger: Ledger, in surroundings: Surroundings) throws {
        let settings = Settings(configuration)
        let life = ProcessLife()
        let clock = surroundings.clock
        let base = clock.timeline(ahead: surroundings.ahead, random: surroundings.random)
        let timeline = Timeline(
            elapsed: base.elapsed,
            sleep: { duration in
                try life.check()
                try await base.sleep(duration)
                try life.check()
            },
            now: base.now,
            random: base.random
        )
        self.settings = settings
        self.ledger = ledger
        self.life = life
        self.timeline = timeline
        logger = surroundings.logger
        let transport = CountingTransport(
            SimulatedNetwork(
                sandbox: surroundings.sandbox,
                clock: clock,
                weather: surroundings.weather,
                trace: surroundings.trace,
                life: life,
                seen: surroundings.seen
            ),
            count: { _, _ in LoopPulse.progress() }
        )
        works = try Self.parts(
            settings,
            ledger,
            timeline,
            transport,
            addresses: surroundings.sandbox.addresses,
            folder: surroundings.folder
        ).works
    }

    /// The working parts of a process, and its way to ECR.
    static func parts(
        _ settings: Settings,
        _ ledger: Ledger,
        _ timeline: Timeline,
        _ transport: any HTTPTransport,
        addresses: SandboxAddresses,
        folder: String
    ) throws -> (works: Works, ecr: ECRClient) {
        let aws = AWSSettings(region: addresses.region)
        let calls = AWSCallState(
            limit: { settings.current.aws.callsPerSecond(of: $1, $0) },
            concurrent: { settings.current.aws.concurrentCalls }
        )
        let credentials = AWSCredentials(
            accessKeyID: addresses.accessKeyID,
            secretAccessKey: addresses.secretAccessKey,
            provider: "simulation"
        )
        @Sendable func client(_ service: AWSSettings.Service) -> AWSClient {
            AWSClient(
                endpoint: .init(
                    service: service.rawValue,
                    signingName: service.rawValue,
                    url: aws.endpoint(of: service)
                ),
                region: aws.signingRegion(of: service),
                transport: transport,
                credentials: { _ in credentials },
                timeline: timeline,
                skew: calls.skew,
                quota: calls.quota(of: service.rawValue),
                pacer: calls.pacer(of: service.rawValue)
            )
        }
        let healthOmics = HealthOmicsClient(client: client(.omics), transport: transport)
        let ecr = ECRClient(client: client(.ecr))
        let now = timeline.now
        let account = AccountFacts(
            sts: STSClient(client: client(.sts)),
            ecr: ecr,
            region: aws.region,
            suffix: aws.registrySuffix,
            now: now
        )
        let credential: @Sendable (String) -> String = { host in
            settings.current.registries.settings(for: host).credentials?.name ?? ""
        }
        let limits = try HostLimits(
            record: ledger,
            timeline: timeline,
            limit: { kind, host in HostLimit(kind, host: host, in: settings.current) },
            credential: credential
        )
        let registries = RegistryClients(
            settings: settings,
            transport: { _ in transport },
            ecr: ECRCredentials(client: { _ in ecr }, home: { try await account.home() }, now: now) {
                try? ledger.tokenExpires($0)
            },
            upstream: WatchedCredentials(AnonymousCredentials(), timeline: timeline) {
                limits.credentialsRefused(host: $0)
            },
            pacer: limits,
            budget: LedgerPullBudget(
                ledger: ledger,
                timeline: timeline,
                quota: { settings.current.registries.settings(for: $0).quota },
                credential: credential
            ),
            parts: LayerParts { ECRLayerParts(ecr: ecr, registryID: $0.account, host: $0.registry) },
            journal: LedgerUploadJournal(ledger: ledger, timeline: timeline),
            manifests: LedgerManifests(ledger: ledger, timeline: timeline),
            record: ledger,
            timeline: timeline
        )
        let cloner = Cloner(
            account: account,
            view: ECRView(
                ecr: ecr,
                circumstances: account.policyCircumstances,
                manifests: LedgerManifests(ledger: ledger, timeline: timeline),
                elapsed: timeline.elapsed
            ) { location, descriptor in
                try await registries.client(for: location.registry).readBlob(location.repository, descriptor)
            },
            preparation: RepositoryPreparation(ecr: ecr, circumstances: account.policyCircumstances),
            registries: registries,
            pullThrough: PullThroughTrigger(registries: registries, timeline: timeline),
            record: ledger,
            settings: settings,
            policy: PolicyGate(settings: settings, record: ledger, now: now),
            timeline: timeline
        )
        let surveyor = Surveyor(
            memory: ledger,
            healthOmics: healthOmics,
            account: account,
            definitions: DefinitionStore(memory: ledger, folder: folder, healthOmics: healthOmics, now: now),
            now: now
        )
        let works = Works(
            ledger: ledger,
            settings: settings,
            timeline: timeline,
            healthOmics: healthOmics,
            account: account,
            registries: registries,
            cloner: cloner,
            surveyor: surveyor,
            events: {
                settings.current.watch.events.queueUrl.map { SQSClient(client: client(.sqs), queueURL: $0) }
            },
            // Whoever writes into the record rings here; so idle loops need not look every second of a simulated year.
            pace: RecordPace(requests: .seconds(120), idle: .seconds(120), others: .seconds(120))
        )
        return (works, ecr)
    }

    /// Runs as `preclone run` does, until `stop` is rung (the daemon drains) or the process is killed.
    package func run(until stop: Signal) async throws {
        let ledger = ledger
        let timeline = timeline
        try ledger.workerStarted(
            WorkerIdentity(pid: 1, version: Version.current, mode: "run"),
            now: timeline.now()
        )
        let pulse = LoopPulse(watchdog: .seconds(360), timeline: timeline) { _ = try? ledger.beat(now: timeline.now()) }
        let daemon = works.daemon(pulse: pulse, logger: logger)
        running.withLock { $0 = daemon }
        try await withLogger(logger) { _ in
            try await testGracefulShutdown { shutdown in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    group.addTask {
                        try await daemon.run()
                        return true
                    }
                    group.addTask {
                        await stop.wait()
                        shutdown.triggerGracefulShutdown()
                        return false
                    }
                    while let isOver = try await group.next() {
                        if isOver { break }
                    }
                    group.cancelAll()
                }
            }
        }
    }

    /// What answers at its control socket.
    var desk: ControlDesk {
        ControlDesk(
            ledger: ledger,
            settings: settings,
            region: SimulatedWorld.region,
            now: timeline.now,
            asked: { [weak self] in self?.ring() },
            tools: { tool, _, _ in throw ControlFault("no \(tool.name) here", kind: .failed) }
        )
    }

    /// Others have written into the record.
    package func ring() {
        guard let daemon = running.withLock({ $0 }) else { return }
        for loop in daemon.loops where loop.name == "requests" { loop.bell.ring() }
        daemon.dispatcher.bell.ring()
    }

    /// As SIGHUP does with a file that is good.
    package func reload(_ configuration: Configuration) throws {
        settings.replace(with: configuration)
        works.registries.forget()
        try ledger.endCredentialPauses()
        try ledger.reconfigured(mark: settings.mark, now: timeline.now())
        var entry = AuditEntry(.configReloaded, caller: "daemon", at: timeline.now())
        entry.detail = "simulation"
        try ledger.audit(entry)
        try ledger.configurationTrouble(nil, now: timeline.now())
    }
}
