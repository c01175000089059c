import Configuring
import Foundation
import Logging
import Names
import Precloning
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import preclone

/// The daemon in this process while a test's body runs, on a clock that the test moves: hours pass in seconds.
struct SteppedDaemon: Sendable {
    let world: RunningSandbox
    let clock: ManualClock
    let settings: Settings
    let registries: RegistryClients

    /// Requests take real time: on a busy machine the limit of the stepped time is over before they had any.
    private static let patience = Duration.seconds(30)

    /// Lets time pass until something holds, at least for as long as a busy machine may need.
    func pass(
        _ what: String,
        step: Duration = .seconds(2),
        within limit: Duration,
        until condition: () throws -> Bool
    ) async throws {
        let end = clock.elapsed + limit
        let realEnd = ContinuousClock.now + Self.patience
        while try !condition() {
            guard clock.elapsed < end || ContinuousClock.now < realEnd else {
                let images = try world.rows("SELECT source, state, reason FROM images")
                throw NeverCame("\(what) never came; the record has \(images)")
            }
            try await tick(step)
        }
    }

    /// Lets a time pass.
    func pass(_ duration: Duration, step: Duration = .seconds(10)) async throws {
        let end = clock.elapsed + duration
        while clock.elapsed < end { try await tick(step) }
    }

    /// A step of the clock, and a moment for those who were woken: their requests take real time.
    private func tick(_ step: Duration) async throws {
        clock.advance(by: step)
        try await ContinuousClock().sleep(for: .milliseconds(10))
    }

    func states(_ expected: [String: String]) throws -> Bool {
        let states = try world.states()
        return expected.allSatisfy { states[$0.key] == $0.value }
    }

    /// Runs a daemon against a sandbox of its own for as long as `body` takes.
    static func with(
        _ settings: SandboxConfiguration = SandboxConfiguration(),
        keys: [String: SandboxJSON] = [:],
        _ body: @Sendable @escaping (SteppedDaemon) async throws -> Void
    ) async throws {
        // The sandbox goes by the machine's clock, so the daemon's runs ahead of it as well, and learns that it does.
        let clock = ManualClock(start: Date())
        try await RunningSandbox.with(settings, keys: keys) { world in
            var environment = world.sandbox.addresses.environment
            environment["HOME"] = world.folder.path
            let composition = try await Composition(
                try Configuration.load(path: world.config),
                environment: environment,
                timeline: clock.timeline()
            )
            try RunCommand.makeFolder(world.record)
            let ledger = try Ledger(path: world.record)
            let works = try composition.works(on: ledger)
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            try ledger.workerStarted(WorkerIdentity(pid: 1, version: "0", mode: "run"), now: clock.now)
            let pulse = LoopPulse(watchdog: .seconds(60), timeline: composition.timeline) {
                _ = try? ledger.beat(now: clock.now)
            }
            let running = SteppedDaemon(
                world: world,
                clock: clock,
                settings: composition.settings,
                registries: works.registries
            )
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await works.daemon(pulse: pulse, logger: logger).run() }
                    try await body(running)
                    group.cancelAll()
                }
            } catch is CancellationError {
                // The daemon's way to end here.
            }
            await composition.shutdown()
        }
    }
}
