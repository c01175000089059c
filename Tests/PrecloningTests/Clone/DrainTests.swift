import Foundation
import Logging
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Precloning

@Suite("Drain")
struct DrainTests {
    private func snapshot(total: Int64?, done: Int64, moved: Int64) -> TransferProgress.Snapshot {
        var snapshot = TransferProgress.Snapshot()
        snapshot.bytesTotal = total
        snapshot.bytesDone = done
        snapshot.bytesMoved = moved
        return snapshot
    }

    @Test("before the stop every copy goes on")
    func notBegun() {
        let huge = snapshot(total: 1 << 40, done: 0, moved: 0)
        #expect(Drain().allows(huge, since: .zero, at: .seconds(1)))
    }

    @Test(
        "after it a copy goes on that ends in time at the rate it had",
        arguments: [
            // 1 MB a second in 10 s; 60 s are left.
            (70_000_000, 10_000_000, 10_000_000, true), (71_000_000, 10_000_000, 10_000_000, false),
            // Most was there before: what is left counts.
            (1_000_000_000, 990_000_000, 10_000_000, true),
            // Nothing moved yet: the assumed rate.
            (600_000_000, 0, 0, true), (601_000_000, 0, 0, false), (5, 5, 0, true),
        ] as [(Int64, Int64, Int64, Bool)]
    )
    func begun(total: Int64, done: Int64, moved: Int64, goesOn: Bool) {
        let drain = Drain()
        drain.begin(until: .seconds(70))
        #expect(
            drain.allows(snapshot(total: total, done: done, moved: moved), since: .zero, at: .seconds(10)) == goesOn
        )
    }

    @Test("at its end nothing begins")
    func over() {
        let drain = Drain()
        drain.begin(until: .seconds(70))
        #expect(!drain.allows(snapshot(total: 100, done: 99, moved: 99), since: .zero, at: .seconds(71)))
        #expect(!drain.allows(snapshot(total: nil, done: 0, moved: 0), since: .zero, at: .seconds(71)))
    }
}

@Suite("Signs of life of loops that end or hang")
struct LoopLifeTests {
    private struct QuickLoop: WorkLoop {
        let name: String
        let bell = Bell()
        let passes = Counter()

        func pass() async throws -> Duration {
            passes.add()
            return .seconds(1)
        }
    }

    /// Waits for something that never comes, as a loop with a defect would.
    private struct HungLoop: WorkLoop {
        let name = "hung"
        let bell = Bell()
        let never = Bell()

        func pass() async throws -> Duration {
            while !Task.isCancelled { await never.wait(atMost: .seconds(86_400), on: .system) }
            throw CancellationError()
        }
    }

    private func runner(_ pulse: LoopPulse, _ clock: ManualClock) -> LoopRunner {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return LoopRunner(timeline: clock.timeline(), pulse: pulse, logger: logger)
    }

    @Test("a loop that hangs in its pass ends the sign of life, although another goes on and on")
    func hung() async {
        let clock = ManualClock()
        let told = Counter()
        let pulse = LoopPulse(watchdog: .seconds(60), timeline: clock.timeline()) { told.add() }
        let quick = QuickLoop(name: "quick")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner(pulse, clock).run(HungLoop()) }
            group.addTask { await runner(pulse, clock).run(quick) }
            var last = 0
            for second in 1...120 {
                await clock.waitForSleepers()
                clock.advance(by: .seconds(1))
                if second == 42 { last = told.value }
            }
            await clock.waitForSleepers()
            #expect(quick.passes.value > 100)
            #expect(last > 2)
            #expect(told.value == last, "nothing is told once the promise of two strides is broken")
            #expect(pulse.overdue == ["hung"])
            group.cancelAll()
        }
    }

    @Test("a loop that was cancelled for the drain is waited for no longer")
    func cancelled() async {
        let clock = ManualClock()
        let told = Counter()
        let pulse = LoopPulse(watchdog: .seconds(60), timeline: clock.timeline()) { told.add() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner(pulse, clock).run(QuickLoop(name: "quick")) }
            await clock.waitForSleepers()
            group.cancelAll()
        }
        for _ in 0..<10 {
            clock.advance(by: .seconds(30))
            let before = told.value
            pulse.beat("dispatcher")
            #expect(told.value == before + 1)
        }
    }

    @Test("with a short watchdog loops wait in shorter steps")
    func shortWatchdog() async {
        let clock = ManualClock()
        let pulse = LoopPulse(watchdog: .seconds(6), timeline: clock.timeline()) {}
        struct LongLoop: WorkLoop {
            let name = "long"
            let bell = Bell()
            func pass() async throws -> Duration { .seconds(3600) }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner(pulse, clock).run(LongLoop()) }
            await clock.waitForSleepers()
            group.cancelAll()
        }
        #expect(clock.requestedSleeps.first == .seconds(2))
    }
}
