import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes
import ServiceLifecycle
import UnixSignals

/// `preclone run`: the daemon.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Watch HealthOmics and clone what its runs will need, until stopped.",
        discussion: """
            With --once: does all that is due, waits for its clones, and exits: 0 all ready, 4 some are not or are \
            not known, 75 some wait. A second process on the same record exits with 75 and names the first.
            """
    )

    @OptionGroup var configurationFile: ConfigurationOptions

    @Flag(help: "Do all that is due, wait for its clones, and exit.")
    var once = false

    func run() async throws {
        // Until it is trapped, the signal to reload would end the process.
        if !once { signal(SIGHUP, SIG_IGN) }
        let configuration = try configurationFile.load()
        let threshold = LogThreshold(configuration.log.level.level)
        let logger = ProcessLog.start(configuration.log, threshold: threshold)
        let backOff = RestartBackOff(environment: ProcessInfo.processInfo.environment, timeline: .system)
        if !once { try await Self.waitAfterFailures(backOff, logger) }
        try Self.makeFolder(configuration.record.path)
        let lock: RecordLock
        do {
            lock = try RecordLock(
                record: configuration.record.path,
                holder: once ? "preclone run --once" : "preclone run"
            )
        } catch let held as RecordLock.Held {
            throw CommandFailure(held.description, hint: "stop it, or name another record.path", ending: .temporary)
        }
        defer { lock.release() }
        let ledger = try Ledger(path: configuration.record.path)
        try await Composition.with(configuration) { composition in
            let works = try composition.works(on: ledger)
            try ledger.workerStarted(
                WorkerIdentity(
                    pid: ProcessInfo.processInfo.processIdentifier,
                    version: Version.current,
                    mode: once ? "once" : "run"
                ),
                now: composition.timeline.now()
            )
            try await withLogger(logger) { _ in
                if once {
                    try await runOnce(works, composition, logger)
                } else {
                    try await serve(works, composition, threshold, logger, lock)
                }
            }
        }
        if !once { backOff.ended() }
    }

    /// Lets a service that fails again and again wait longer each time; the manager hears of it.
    private static func waitAfterFailures(_ backOff: RestartBackOff, _ logger: Logger) async throws {
        let failures = backOff.takeFailures()
        var left = RestartBackOff.delay(after: failures)
        if left > .zero {
            logger.warning(
                "The service keeps failing; the next try waits",
                metadata: ["failures": "\(failures)", "retry.delay": "\(left)"]
            )
        }
        let notifier = SystemdNotifier(environment: ProcessInfo.processInfo.environment)
        while left > .zero {
            notifier.starting(
                status: "failed \(failures) times in a row; tries again in \(left.components.seconds) s",
                within: .seconds(60)
            )
            let slice = min(left, .seconds(5))
            try await Timeline.system.sleep(slice)
            left -= slice
        }
        backOff.begins(after: failures)
    }

    static func makeFolder(_ path: String) throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o2750]
            )
        } catch {
            throw CommandFailure(
                "\(folder): the record's folder cannot be made: \(error.localizedDescription)",
                hint: "name another record.path, or make it for user preclone"
            )
        }
    }

    private func runOnce(_ works: Works, _ composition: Composition, _ logger: Logger) async throws {
        let (ledger, timeline) = (works.ledger, composition.timeline)
        // Nobody watches, but `status` is to see that it lives.
        let pulse = LoopPulse(watchdog: nil, timeline: timeline) { _ = try? ledger.beat(now: timeline.now()) }
        try await works.daemon(pulse: pulse, logger: logger).runOnce()
        let counts = try works.ledger.counts()
        logger.notice(
            "Done",
            metadata: Dictionary(uniqueKeysWithValues: counts.map { ("images.\($0.key)", "\($0.value)") })
        )
        if counts["retrying", default: 0] + counts["pending", default: 0] > 0 { throw Ending.temporary.code }
        let runs = try StatusReport.read(
            from: RecordReader(works.ledger),
            now: composition.timeline.now(),
            isAlive: { _ in true }
        ).runs
        // Those that are not ready come first.
        let isShort = runs.shown.first.map { !$0.standing.isReady } ?? false
        let unread = try works.ledger.unread()
        for one in unread.prefix(20) {
            logger.warning(
                "What it needs is not known",
                metadata: ["subject": "\(one.subject)", "error": "\(one.trouble)"]
            )
        }
        if isShort || !unread.isEmpty || counts["blocked", default: 0] > 0 { throw Ending.someNotReady.code }
    }

    private func serve(
        _ works: Works,
        _ composition: Composition,
        _ threshold: LogThreshold,
        _ logger: Logger,
        _ lock: RecordLock
    ) async throws {
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let notifier = SystemdNotifier(environment: composition.environment)
        let ledger = works.ledger
        let timeline = composition.timeline
        let pulse = LoopPulse(watchdog: notifier.watchdog ?? .seconds(30), timeline: timeline) {
            if let back = try? ledger.beat(now: timeline.now()) {
                logger.warning("The clock was set back", metadata: ["by": "\(back)"])
            }
            notifier.alive()
        }
        let daemon = works.daemon(pulse: pulse, logger: logger, record: { lock.say($0) })
        let reloader = Reloader(
            hangups: hangups,
            path: configurationFile.path,
            settings: composition.settings,
            first: composition.settings.current,
            ledger: ledger,
            registries: works.registries,
            threshold: threshold,
            notifier: notifier,
            timeline: timeline,
            validate: { try composition.checkFiles(of: $0) }
        )
        let announcer = Announcer(
            ledger: ledger,
            notifier: notifier,
            works: works,
            region: composition.aws.region
        )
        let record = composition.settings.current.record.path
        let verbs = composition.verbs(
            works.account,
            known: { RecordReader(ledger) },
            audit: { try ledger.audit($0) }
        )
        let control = ControlService(
            path: ControlSocket.path(record: record),
            record: record,
            works: works,
            region: composition.aws.region,
            requests: daemon.requests,
            tools: composition.registryTools(works, verbs)
        )
        let metrics = MetricsService(
            ledger: ledger,
            requests: composition.requests,
            configuration: composition.settings.current.metrics,
            timeline: timeline
        )
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: reloader), .init(service: announcer), .init(service: metrics),
                    .init(service: control),
                    .init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                cancellationSignals: [.sigquit],
                // It writes whole services into its lines; what matters of them is said here.
                logger: Logger(label: "services") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        logger.notice(
            "Started",
            metadata: ["version": "\(Version.current)", "region": "\(composition.aws.region)"]
        )
        do {
            try await group.run()
        } catch is CancellationError {
            logger.warning("The drain was cut short; what was cut goes on at the next start")
        }
        try? ledger.workerStopped(now: timeline.now())
        logger.notice("Stopped")
    }
}
