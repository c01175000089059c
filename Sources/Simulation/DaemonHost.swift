import Configuring
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes
import Synchronization

/// The machine of the daemon: starts it, stops it, kills it, and starts it again on the record that was left.
final class DaemonHost: Sendable {
    private struct State {
        var daemon: SimulatedDaemon?
        var stop = Signal()
        var killed = Signal()
        var configuration: Configuration
        var record: Ledger
        var recordNumber = 0
        var old: [(record: Ledger, path: String)] = []
        var commitsLeft: Int?
        var requestsLeft: Int?
        var generation = 0
        var requests: [SeenRequest] = []
        var troubles: [String] = []
    }

    private let state: Mutex<State>
    private let world: SimulatedWorld
    private let chance: SharedChance
    private let folder: String
    private let logger: Logger
    private let observe: @Sendable (SeenRequest) -> Void

    init(
        world: SimulatedWorld,
        configuration: Configuration,
        chance: SharedChance,
        folder: String,
        logger: Logger,
        observe: @escaping @Sendable (SeenRequest) -> Void
    ) throws {
        self.world = world
        self.chance = chance
        self.folder = folder
        self.logger = logger
        self.observe = observe
        state = Mutex(State(configuration: configuration, record: try Ledger(path: Self.path(0))))
    }

    /// Relative: the program is in a folder of its own.
    private static func path(_ number: Int) -> String { "record-\(number).sqlite" }

    /// The record as it is now.
    var record: Ledger { state.withLock { $0.record } }
    var configuration: Configuration { state.withLock { $0.configuration } }
    var daemon: SimulatedDaemon? { state.withLock { $0.daemon } }
    /// What ended a process by itself: no daemon does that.
    var troubles: [String] { state.withLock { $0.troubles } }

    /// Keeps a daemon running until the task is cancelled.
    func run() async throws {
        while !Task.isCancelled {
            let (stop, killed) = (Signal(), Signal())
            let daemon = try start(stop, killed)
            await withTaskGroup(of: Bool.self) { group in
                group.addTask { [self] in
                    do {
                        try await daemon.run(until: stop)
                    } catch {
                        if !daemon.life.isDead, !Task.isCancelled {
                            state.withLock { $0.troubles.append("the daemon ended by itself: \(error)") }
                        }
                    }
                    return true
                }
                group.addTask {
                    await killed.wait()
                    return false
                }
                _ = await group.next()
                group.cancelAll()
            }
            let old = state.withLock { state in
                state.daemon = nil
                defer { state.old = [] }
                return state.old
            }
            for (record, path) in old { record.discard(path) }
            // The service manager's own pause.
            try await world.clock.sleep(.seconds(5))
        }
    }

    private func start(_ stop: Signal, _ killed: Signal) throws -> SimulatedDaemon {
        let (record, configuration) = state.withLock { state in
            state.stop = stop
            state.killed = killed
            state.generation += 1
            return (state.record, state.configuration)
        }
        record.watchCommits { [weak self] in self?.committed($0) }
        let world = world
        let chance = chance
        let daemon = try SimulatedDaemon(
            configuration,
            on: record,
            in: SimulatedDaemon.Surroundings(
                sandbox: world.sandbox,
                clock: world.clock,
                weather: world.weather,
                trace: world.trace,
                ahead: { world.ahead },
                random: { chance.unit() },
                folder: folder,
                logger: logger,
                seen: { [weak self] in self?.saw($0) }
            )
        )
        state.withLock { $0.daemon = daemon }
        world.trace.add("\(Moment(world.clock.elapsed)) the daemon starts")
        return daemon
    }

    /// The machine is switched off.
    func remove() {
        let (record, number) = state.withLock { ($0.record, $0.recordNumber) }
        record.discard(Self.path(number))
    }

    // MARK: Its end

    /// Asks it to end, as a service manager does for a restart.
    func stop() { state.withLock { $0.stop }.set() }

    func kill(_ point: KillPoint) throws {
        switch point {
        case .now: try die { try $0.left(in: $1) }
        case .commits(let count): state.withLock { $0.commitsLeft = count }
        case .requests(let count): state.withLock { $0.requestsLeft = count }
        }
    }

    /// The process is gone at once: what it has in memory is lost, what it committed is there.
    private func die(_ copy: (Ledger, String) throws -> Ledger) rethrows {
        let (daemon, record, number) = state.withLock { ($0.daemon, $0.record, $0.recordNumber) }
        guard let daemon, !daemon.life.isDead else { return }
        daemon.life.end()
        let left = try copy(record, Self.path(number + 1))
        let killed = state.withLock { state in
            state.old.append((record, Self.path(number)))
            state.record = left
            state.recordNumber = number + 1
            state.commitsLeft = nil
            state.requestsLeft = nil
            return state.killed
        }
        world.killed()
        world.trace.add("\(Moment(world.clock.elapsed)) the daemon dies")
        killed.set()
    }

    private func committed(_ left: (String) throws -> Ledger) {
        let isTime = state.withLock { state in
            guard let left = state.commitsLeft else { return false }
            state.commitsLeft = left - 1
            return left <= 1
        }
        if isTime { try? die { try left($1) } }
    }

    private func saw(_ request: SeenRequest) {
        observe(request)
        let isTime = state.withLock { state in
            guard let left = state.requestsLeft else { return false }
            state.requestsLeft = left - 1
            return left <= 1
        }
        if isTime { try? die { try $0.left(in: $1) } }
    }

    // MARK: What people do to it

    static func user(_ name: String) -> Caller { Caller(userID: name == "ann" ? 1001 : 1002, userName: name) }

    func ask(_ image: String, user: String) throws {
        let record = record
        let ids = try record.request(
            [image],
            options: CloneOptions(),
            caller: Self.user(user),
            now: world.clock.now.addingTimeInterval(world.ahead)
        )
        for id in ids { world.noteAsked(id, image: image) }
        daemon?.ring()
    }

    func retry() throws {
        _ = try record.retry(
            nil,
            caller: Caller(userID: 1000, userName: "ann"),
            now: world.clock.now.addingTimeInterval(world.ahead)
        )
        daemon?.ring()
    }

    func change(_ change: ConfigurationChange, reloading: Bool = true) throws {
        let (daemon, configuration) = state.withLock { state in
            change.apply(to: &state.configuration)
            return (state.daemon, state.configuration)
        }
        if reloading, let daemon, !daemon.life.isDead { try daemon.reload(configuration) }
    }

    func setDiskFull(_ isFull: Bool) throws { try record.setFull(isFull) }
}

extension ConfigurationChange {
    func apply(to configuration: inout Configuration) {
        switch self {
        case .concurrency(let number): configuration.clone.concurrency = number
        case .pollInterval(let seconds): configuration.watch.pollInterval = .seconds(seconds)
        case .clonesUnmapped(let clones): configuration.clone.unmapped = clones ? .clone : .report
        case .onTagMove(let word):
            configuration.clone.onTagMove = Configuration.Clone.TagMove(rawValue: word) ?? .report
        case .deny(let registry):
            configuration.policy.rules.removeAll { $0.match.caller.isEmpty }
            if let registry, let glob = Glob(registry) {
                var rule = Configuration.Policy.Rule(name: "no \(registry)", action: .deny)
                rule.match.registry = [glob]
                configuration.policy.rules.insert(rule, at: 0)
            }
        case .agents(let perHour):
            configuration.policy.rules.removeAll { !$0.match.caller.isEmpty }
            guard let all = Glob("*"), let agents = Glob("agent *"), let tag = Glob("1.2") else { break }
            configuration.policy.agents = [.init(name: all, users: [all], tools: [all])]
            guard let perHour else { break }
            var never = Configuration.Policy.Rule(name: "agents: no 1.2", action: .deny)
            never.match.caller = [agents]
            never.match.tag = .matching([tag])
            var seldom = Configuration.Policy.Rule(name: "agents: seldom", action: .allow)
            seldom.match.caller = [agents]
            seldom.rate = PolicyRate(max: perHour, window: .seconds(3_600))
            configuration.policy.rules += [never, seldom]
        case .bytesPerDay(let bytes): configuration.clone.maxBytesPerDay = bytes.map { ByteCount(Int64($0)) }
        case .exclude(let workflow):
            configuration.watch.workflows.exclude = [workflow.flatMap { Glob($0) }].compactMap(\.self)
        }
    }
}
