import Configuring
import Foundation
import Logging
import Names
import Precloning
import Remotes
import Sandbox

/// One simulation: a world, a daemon in it, and a story.
package struct Simulation: Sendable {
    package var story: Story
    /// How long nothing goes wrong at the end; then all that can be ready must be. Zero: the story ends at its end.
    package var bound: Duration

    package init(_ story: Story, bound: Duration) {
        self.story = story
        self.bound = bound
    }

    /// What came of it.
    package struct Result: Sendable {
        /// The same for the same story.
        package var trace: UInt64
        /// Things that happened, and jobs that were picked.
        package var events: Int
        package var picks: Int
        package var requests: Int
        /// Questions of `preclone ready`, and how many of them were told ready.
        package var gates = 0
        package var gatesOpen = 0
        /// Days that passed, those of the calm end among them.
        package var days: Double
        package var violations: [Violation]
    }

    /// - Parameters:
    ///   - folder: for the files of the daemon; emptied by whoever gives it.
    ///   - tell: gets a line for everything that happens.
    /// - Throws: what stopped it.
    package func run(folder: String, tell: (@Sendable (String) -> Void)? = nil) throws -> Result {
        let trace = Trace(tell: tell)
        let clock = SimulatedClock(trace: trace)
        let (story, bound) = (story, bound)
        let inspector: Inspector
        do {
            inspector = try SeededExecutor.run(seed: story.seed, clock: clock, trace: trace) {
                try await Self.play(story, bound, clock, trace, folder: folder)
            }
        } catch let trouble as ExecutorTrouble {
            let violation = Violation(
                invariant: .itGoesOn,
                at: clock.elapsed,
                detail: "\(trouble)",
                subject: "daemon"
            )
            return Result(
                trace: trace.hash,
                events: trace.events,
                picks: trace.picks,
                requests: 0,
                days: clock.elapsed.seconds / 86_400,
                violations: [violation]
            )
        }
        return Result(
            trace: trace.hash,
            events: trace.events,
            picks: trace.picks,
            requests: inspector.requests,
            gates: inspector.gates.asked,
            gatesOpen: inspector.gates.open,
            days: clock.elapsed.seconds / 86_400,
            violations: inspector.found
        )
    }

    private static func play(
        _ story: Story,
        _ bound: Duration,
        _ clock: SimulatedClock,
        _ trace: Trace,
        folder: String
    ) async throws -> Inspector {
        let sandbox = Sandbox.withoutSockets(SandboxConfiguration(timeline: clock.timeline(random: { 0.5 })))
        // As at the real one: a blob is behind an address that runs out.
        sandbox.change("quay.io") { $0.redirectsBlobs = true }
        let world = try SimulatedWorld(
            sandbox: sandbox,
            clock: clock,
            weather: Weather(seed: story.seed),
            trace: trace
        )
        var configuration = Configuration()
        var denied: String?
        for choice in story.choices {
            choice.apply(to: &configuration)
            if case .deny(let registry) = choice { denied = registry }
        }
        let inspector = Inspector(world: world, denied: denied)
        let host = try DaemonHost(
            world: world,
            configuration: configuration,
            chance: SharedChance(Chance(seed: story.seed, "daemon")),
            folder: folder,
            logger: Logger(label: "daemon") { _ in SwiftLogNoOpLogHandler() },
            observe: { inspector.saw($0) }
        )
        let people = People(
            world: world,
            host: host,
            inspector: inspector,
            chance: SharedChance(Chance(seed: story.seed, "people")),
            folder: folder
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            group.addTask {
                while true {
                    try await clock.sleep(Inspector.interval)
                    try inspector.look(host.record, host.configuration, isRunning: host.daemon != nil)
                }
            }
            for step in story.steps {
                let left = Duration.milliseconds(Int64(step.at * 1000)) - clock.elapsed
                if left > .zero { try await clock.sleep(left) }
                trace.add("\(step)")
                if case .question(let question) = step.event { group.addTask { try await people.ask(question) } }
                try carryOut(step.event, world, host, inspector)
            }
            let rest = Duration.milliseconds(Int64(86_400_000 * story.days)) - clock.elapsed
            if rest > .zero { try await clock.sleep(rest) }
            if bound > .zero {
                trace.add("\(Moment(clock.elapsed)) from now on nothing goes wrong")
                world.calm()
                try host.setDiskFull(false)
                let quiet = min(bound / 2, .seconds(3_600))
                try await clock.sleep(bound - quiet)
                inspector.quietBegins()
                try await clock.sleep(quiet)
                inspector.quietEnds(after: quiet)
                try inspector.look(host.record, host.configuration, isRunning: true)
                try inspector.finish(host.record, bound: bound)
            }
            inspector.ended(host.troubles)
            group.cancelAll()
            do { while try await group.next() != nil {} } catch is CancellationError {}
        }
        host.remove()
        return inspector
    }

    private static func carryOut(_ event: Event, _ world: SimulatedWorld, _ host: DaemonHost, _ inspector: Inspector)
        throws
    {
        world.carryOut(event)
        switch event {
        case .ask(let image, let user): try host.ask(image, user: user)
        case .reload(let change):
            if case .deny(let registry) = change { inspector.denies(registry) }
            try host.change(change)
        case .retry: try host.retry()
        case .kill(let point):
            try host.kill(point)
            try inspector.checkRecord(host.record)
        case .stop: host.stop()
        case .diskFull(let isFull): try host.setDiskFull(isFull)
        default: break
        }
    }
}
