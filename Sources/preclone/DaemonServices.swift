import Configuring
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes
import ServiceLifecycle
import UnixSignals

/// Reads the configuration again at SIGHUP. A bad file changes nothing; it is logged and shown by `status`.
struct Reloader: Service {
    /// Caught from before the manager hears that the daemon is ready.
    let hangups: UnixSignalsSequence
    let path: String?
    let settings: Settings
    /// What the process was started with.
    let first: Configuration
    let ledger: Ledger
    let registries: RegistryClients
    let threshold: LogThreshold
    let notifier: SystemdNotifier
    let timeline: Timeline
    /// Whether the files that a configuration names can be used; throws what is wrong with them.
    let validate: @Sendable (Configuration) throws -> Void

    func run() async throws {
        // Signals from before they were caught were ignored; what they would have told is seen in the file.
        if (try? Configuration.load(path: path)) != first { reload() }
        for await _ in hangups.cancelOnGracefulShutdown() {
            notifier.reloading()
            reload()
            notifier.ready(status: nil)
        }
    }

    private func reload() {
        let fresh: Configuration
        do {
            fresh = try Configuration.load(path: path)
            try validate(fresh)
        } catch let error as ConfigurationError {
            let text = error.problems.map { "\($0)" }.joined(separator: "; ")
            return refuse("\(error.file): \(text)")
        } catch {
            return refuse("\(error)")
        }
        settings.replace(with: fresh)
        registries.forget()
        threshold.level = fresh.log.level.level
        do {
            try ledger.endCredentialPauses()
            try ledger.reconfigured(mark: settings.mark, now: timeline.now())
            try keep(fresh)
        } catch {
            // It holds all the same.
            Logger.current.error("A reload could not be recorded", metadata: ["error": "\(error)"])
        }
        Logger.current.notice("Configuration reloaded")
    }

    private func refuse(_ why: String) {
        Logger.current.error("The new configuration is not used", metadata: ["error": "\(why)"])
        try? ledger.configurationTrouble(why, now: timeline.now())
    }

    private func keep(_ fresh: Configuration) throws {
        let late = first.keysThatTakeARestart(in: fresh).joined(separator: ", ")
        let trouble = late.isEmpty ? nil : "\(late): restart preclone for it; all other keys hold"
        if let trouble { Logger.current.warning("A part of the configuration waits", metadata: ["hint": "\(trouble)"]) }
        var entry = AuditEntry(.configReloaded, caller: "daemon", at: timeline.now())
        entry.detail = [path ?? Configuration.defaultPath, trouble].compactMap(\.self).joined(separator: "; ")
        try ledger.audit(entry)
        try ledger.configurationTrouble(trouble, now: timeline.now())
    }
}

/// Tells the service manager that the daemon is ready, and from then on, in one line, how it goes.
struct Announcer: Service {
    let ledger: Ledger
    let notifier: SystemdNotifier
    let works: Works
    let region: String

    /// What a copy that is cut needs beyond the drain: to leave its upload and its row in order.
    private static let margin = Duration.seconds(25)

    func run() async throws {
        notifier.ready(status: "watching HealthOmics in \(region)")
        await cancelWhenGracefulShutdown { await announce() }
        let drain = works.settings.current.clone.drain
        notifier.stopping(
            status: "stopping; copies have \(DurationText.format(drain)) to finish",
            within: drain + Self.margin
        )
    }

    private func announce() async {
        var last = ""
        var identified = false
        var told: (head: String, at: Duration)?
        while !Task.isCancelled {
            // Where nobody who changes the record can change it.
            let now = works.timeline.elapsed()
            if told.map({ now - $0.at >= .seconds(3600) }) ?? true, let head = try? ledger.auditHead(),
                !head.isEmpty, head != told?.head
            {
                Logger.current.info("The audit's last row", metadata: ["audit.head": "\(head)"])
                told = (head, now)
            }
            if !identified, let home = try? await works.account.home() {
                try? ledger.identity(account: home.account, region: home.region)
                identified = true
            }
            let line = statusLine()
            if line != last {
                notifier.status(line)
                last = line
            }
            try? await works.timeline.sleep(.seconds(5))
        }
    }

    /// Such as `18 images ready, 1 copying; the last poll failed: …`; what is wrong with the record before all else.
    private func statusLine() -> String {
        if let trouble = works.troubles.now["record"] { return "cannot use the record: \(trouble)" }
        do {
            let counts = try ledger.counts()
            let words = [
                ("ready", "ready"), ("cloning", "copying"), ("pending", "queued"), ("retrying", "retrying"),
                ("blocked", "blocked"),
            ].compactMap { key, word in counts[key].flatMap { $0 > 0 ? ($0, word) : nil } }
            var parts = words.enumerated().map { position, entry in
                position == 0 ? "\(Phrase.count(entry.0, "image")) \(entry.1)" : "\(Phrase.grouped(entry.0)) \(entry.1)"
            }
            parts = [parts.isEmpty ? "watching HealthOmics in \(region)" : parts.joined(separator: ", ")]
            parts += try ledger.troubles()
            return parts.joined(separator: "; ")
        } catch {
            return "cannot use the record: \(error)"
        }
    }
}

/// Shows the metrics for as long as the daemon runs.
struct MetricsService: Service {
    let ledger: Ledger
    let requests: RequestMetrics
    let configuration: Configuration.Metrics
    let timeline: Timeline

    func run() async throws {
        // The group ends when a service does, so without metrics this one waits.
        let record = try RecordMetrics(RecordReader(ledger))
        // Figures and health need no lists.
        let report: @Sendable (Date) throws -> StatusReport = { now in
            try StatusReport.read(
                from: RecordReader(ledger),
                extent: .init(runs: 0, rows: 0),
                now: now,
                isAlive: { _ in true }
            )
        }
        let exporter = MetricsExporter(
            configuration,
            timeline: timeline,
            logger: Logger.current,
            text: {
                let now = timeline.now()
                let figures = try record.families(now: now) + record.families(of: report(now)) + requests.families
                return MetricFamily.text(figures)
            },
            health: { try report(timeline.now()).health }
        )
        await cancelWhenGracefulShutdown {
            await exporter.run()
            while !Task.isCancelled { try? await timeline.sleep(.seconds(3600)) }
        }
    }
}

/// Takes requests on the control socket for as long as the daemon runs.
struct ControlService: Service {
    let path: String
    /// Where the record is that the daemon was started with.
    let record: String
    let works: Works
    let region: String
    /// The loop that takes what is asked for.
    let requests: Bell
    let tools: RegistryTools

    func run() async throws {
        let desk = ControlDesk(
            ledger: works.ledger,
            settings: works.settings,
            region: region,
            now: works.timeline.now,
            asked: { requests.ring() },
            tools: { [tools] in try await tools.call($0, $1, caller: $2) }
        )
        let server = ControlServer(
            path: path,
            desk: desk,
            timeline: works.timeline,
            logger: Logger.current,
            session: { await talk(desk, $0, from: $1, $2, write: $3) }
        )
        await cancelWhenGracefulShutdown { await server.run() }
        // A service that ends would end them all.
        await cancelWhenGracefulShutdown { try? await works.timeline.sleep(.seconds(1_000_000_000)) }
    }
}

extension ControlService {
    /// Speaks the Model Context Protocol with a user at the other end of the socket: the tools of `preclone mcp`, but for what
    /// it reads on its own disk.
    private func talk(
        _ desk: ControlDesk,
        _ user: Caller,
        from first: LineSplitter.Line,
        _ rest: AsyncStream<LineSplitter.Line>,
        write: @escaping @Sendable (String) async throws -> Void
    ) async {
        let settings = works.settings
        let tools = ToolCatalogue.all.compactMap(\.overSocket)
        let runner = ToolRunner(
            configuration: { [record] in
                var configuration = settings.current
                // Another one takes a restart.
                configuration.record.path = record
                return configuration
            },
            side: .daemon,
            daemon: ControlClient { try await desk.answer(to: $0, from: user) },
            asker: .init(),
            permit: { try desk.check(user, mayRead: $0) },
            logger: Logger.current
        )
        let server = MCPServer(
            tools: tools,
            shown: { tools in tools.filter { settings.current.policy.lets(user, call: $0.name) } },
            resources: runner.resources(among: tools),
            output: MCPOutput(write),
            elapsed: works.timeline.elapsed,
            call: { await runner.call($0, $1, program: $2, $3) }
        )
        await server.run(from: first, rest)
    }
}

/// The log of a process.
enum ProcessLog {
    /// Sets the process's log up, once, and gives its logger.
    static func start(_ log: Configuration.Log, threshold: LogThreshold) -> Logger {
        let sink = LineLogSink.standard(
            log.format,
            journalStream: ProcessInfo.processInfo.environment["JOURNAL_STREAM"]
        )
        LoggingSystem.bootstrap { label in
            SinkLogHandler(label: label, sink: sink, threshold: threshold, now: { Date() })
        }
        return Logger(label: "preclone")
    }
}

extension Configuration.Log.Level {
    var level: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
