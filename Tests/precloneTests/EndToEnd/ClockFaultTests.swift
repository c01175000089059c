import Foundation
import Logging
import Precloning
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import preclone

/// The daemon in this process, on a clock that the test moves: hours pass in seconds.
@Suite("Faults that last")
struct ClockFaultTests {
    /// Parts of a daemon that runs while a test's body does.
    private struct Running: Sendable {
        let world: RunningSandbox
        let clock: ManualClock
        let settings: Settings
        let registries: RegistryClients

        /// Lets time pass until something holds.
        func pass(
            _ what: String,
            step: Duration = .seconds(2),
            within limit: Duration,
            until condition: () throws -> Bool
        ) async throws {
            let end = clock.elapsed + limit
            while try !condition() {
                guard clock.elapsed < end else {
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
    }

    private func withDaemon(
        keys: [String: SandboxJSON] = [:],
        _ body: @Sendable @escaping (Running) async throws -> Void
    ) async throws {
        // The sandbox goes by the machine's clock, so the daemon's runs ahead of it as well, and learns that it does.
        let clock = ManualClock(start: Date())
        try await RunningSandbox.with(keys: keys) { world in
            var environment = world.sandbox.addresses.environment
            environment["HOME"] = world.folder.path
            let composition = try Composition(
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
            let running = Running(
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

    @Test("a registry that is down for an hour is asked seldom, and its images come when it is back")
    func registryDown() async throws {
        try await withDaemon { running in
            let world = running.world
            let (away, there) = ("quay.io/org/away:1", "docker.io/library/there:1")
            try world.put(away)
            try world.put(there)
            world.sandbox.setDown(true, registry: "quay.io")
            try world.startRun("both", of: [away, there])
            try await running.pass("the other registry's image", within: .seconds(600)) {
                try running.states([there: "ready", away: "retrying"])
            }
            try await running.pass(.seconds(3600))
            let state = try world.states()[away]
            #expect(state == "retrying" || state == "cloning")
            let asked = world.sandbox.requests.entries.filter { $0.call.registry == "quay.io" }.count
            #expect(asked < 100, "\(asked) requests to a registry that is down")
            world.sandbox.setDown(false, registry: "quay.io")
            try await running.pass("the image", within: .seconds(3600)) { try running.states([away: "ready"]) }
            try world.expectOnce([away, there])
        }
    }

    @Test("a registry whose name cannot be resolved holds up no other, and comes when it can")
    func nameResolution() async throws {
        try await withDaemon(keys: ["registries": ["quay.io": ["endpoint": "https://registry.invalid"]]]) { running in
            let world = running.world
            let (away, there) = ("quay.io/org/away:1", "docker.io/library/there:1")
            try world.put(away)
            try world.put(there)
            try world.startRun("both", of: [away, there])
            try await running.pass("the other registry's image", within: .seconds(3600)) {
                try running.states([there: "ready", away: "retrying"])
            }
            let said = try world.rows("SELECT message FROM attempts WHERE source = '\(away)'").compactMap {
                $0["message"]
            }
            #expect(said.contains { $0.contains("registry.invalid:443: the name cannot be resolved") }, "\(said)")
            try world.configure([:])
            running.settings.replace(with: try Configuration.load(path: world.config))
            running.registries.forget()
            try await running.pass("the image", within: .seconds(3600)) { try running.states([away: "ready"]) }
            try world.expectOnce([away, there])
        }
    }

    @Test("the clock jumps by a day, forward and back", arguments: [86_400.0, -86_400])
    func clock(jump: TimeInterval) async throws {
        try await withDaemon { running in
            let world = running.world
            let (first, second, waiting) = ("quay.io/org/first:1", "quay.io/org/second:1", "docker.io/library/late:1")
            for image in [first, second, waiting] { try world.put(image) }
            world.sandbox.setDown(true, registry: "registry-1.docker.io")
            try world.startRun("before", of: [first, waiting])
            try await running.pass("the first image", within: .seconds(600)) {
                try running.states([first: "ready", waiting: "retrying"])
            }
            running.clock.shiftWallClock(by: jump)
            try world.startRun("after", of: [first, second])
            try await running.pass("the second image", within: .seconds(1800)) { try running.states([second: "ready"]) }
            // What waited a minute before the jump waits no day after it.
            world.sandbox.setDown(false, registry: "registry-1.docker.io")
            try await running.pass("the image that waited", within: .seconds(3600)) {
                try running.states([waiting: "ready"])
            }
            running.clock.shiftWallClock(by: -jump)
            let third = "quay.io/org/third:1"
            try world.put(third)
            try world.startRun("again", of: [third])
            try await running.pass("the third image", within: .seconds(1800)) { try running.states([third: "ready"]) }
            #expect(try running.states([first: "ready", second: "ready", waiting: "ready"]))
            try world.expectOnce([first, second, third, waiting])
        }
    }
}
