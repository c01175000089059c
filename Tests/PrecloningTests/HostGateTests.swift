import Foundation
import NIOHTTP1
import Names
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Model
@testable import Precloning

@Suite struct RequestWindowTests {
    @Test(arguments: [0.05, 0.5, 1, 1.7, 2.5, 5, 20, 333.3])
    func neverMoreThanTheRateInAnyWindow(rate: Double) {
        var generator = SplitMix(seed: UInt64(rate * 1000))
        var window = RequestWindow(rate: rate)
        var now = Duration.zero
        var granted: [Duration] = []
        for _ in 0..<2000 {
            // Idle times between none and several windows, so that bursts build up and drain.
            now += .nanoseconds(Int64(Double(generator.next() % 1_000_000) / 1e6 * 3e9 / rate))
            let wait = window.wait(at: now)
            #expect(wait <= window.span)
            now += wait
            #expect(window.wait(at: now) == .zero)
            window.grant(at: now)
            granted.append(now)
        }
        for index in granted.indices.dropFirst(window.burst) {
            #expect(granted[index] - granted[index - window.burst] >= window.span)
        }
        // `burst` in one span is the rate, not less.
        #expect(abs(Double(window.burst) / window.span.seconds - rate) < 1e-6 * rate)
    }

    @Test func aChangedRateHoldsAtOnce() {
        var window = RequestWindow(rate: 10)
        for _ in 0..<10 { window.grant(at: .zero) }
        window.rate = 1
        #expect(window.wait(at: .zero) == .seconds(1))
        window.rate = 100
        #expect(window.wait(at: .zero) == .zero)
    }
}

@Suite struct CircuitBreakerTests {
    private let start = Date(timeIntervalSince1970: 1_790_000_000)

    @Test func opensAfterFailuresInARowAndProbesOnce() {
        var breaker = CircuitBreaker()
        for _ in 0..<4 { breaker.failed(now: start, random: 1) }
        breaker.succeeded()
        for _ in 0..<4 { breaker.failed(now: start, random: 1) }
        #expect(breaker.admit(now: start) == .pass)
        breaker.failed(now: start, random: 1)
        #expect(breaker.admit(now: start) == .refused(until: start.addingTimeInterval(30)))
        let later = start.addingTimeInterval(30)
        #expect(breaker.admit(now: later) == .pass)
        #expect(breaker.admit(now: later) == .refused(until: later.addingTimeInterval(30)))
        breaker.abandoned()
        #expect(breaker.admit(now: later) == .pass)
        breaker.succeeded()
        #expect(breaker.admit(now: later) == .pass && breaker.admit(now: later) == .pass)
    }

    @Test func restsGrowToACeiling() {
        var breaker = CircuitBreaker()
        var now = start
        var rests: [TimeInterval] = []
        for _ in 0..<5 { breaker.failed(now: now, random: 1) }
        for _ in 0..<7 {
            guard case .refused(let until) = breaker.admit(now: now) else { break }
            rests.append(until.timeIntervalSince(now))
            now = until
            #expect(breaker.admit(now: now) == .pass)
            breaker.failed(now: now, random: 1)
        }
        #expect(rests == [30, 60, 120, 240, 480, 900, 900])
    }

    @Test func aClockThatWasSetBackDoesNotKeepItOpen() {
        var breaker = CircuitBreaker(openUntil: start.addingTimeInterval(86_400), trips: 3)
        #expect(breaker.admit(now: start) == .pass)
    }
}

@Suite struct HostGateTests {
    private func limit(rate: Double = 10_000, places: Int = 10_000, bytes: Int64? = nil) -> HostLimit {
        HostLimit(requestsPerSecond: rate, concurrentRequests: places, bytesPerSecond: bytes, longestWait: .seconds(60))
    }

    @Test(arguments: [(5.0, 47), (2.5, 21), (0.5, 6), (1, 9)])
    func manyWorkersKeepTheRateAndNoneStarves(rate: Double, workers: Int) async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        let times = Collected<Duration>()
        let limit = limit(rate: rate)
        let window = RequestWindow(rate: rate)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    try await gate.acquire(limit)
                    times.add(clock.elapsed)
                    gate.release(wasCancelled: false)
                }
            }
            for _ in 1..<((workers + window.burst - 1) / window.burst) { await clock.advanceToNextDeadline() }
            try await group.waitForAll()
        }
        let granted = times.all.sorted()
        #expect(granted.count == workers)
        for index in granted.indices.dropFirst(window.burst) {
            #expect(granted[index] - granted[index - window.burst] >= window.span)
        }
    }

    @Test func whatNoRateHoldsBackGoesPastWhoWaitsForItsTime() async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        try await gate.acquire(limit(rate: 0.1, places: 3))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await gate.acquire(self.limit(rate: 0.1, places: 3)) }
            while gate.waiting == 0 { await Task.yield() }
            // Two places are left, and no clock moves.
            try await gate.acquire(limit(rate: .infinity, places: 3))
            try await gate.acquire(limit(rate: .infinity, places: 3))
            #expect(gate.inFlight == 3)
            for _ in 0..<3 { gate.release(wasCancelled: false) }
            while gate.waiting > 0 {
                clock.advance(by: .seconds(1))
                await Task.yield()
            }
            try await group.waitForAll()
        }
        #expect(gate.inFlight == 1)
    }

    @Test func neverMoreAtOnceThanThereArePlaces() async throws {
        let gate = HostGate(timeline: ManualClock().timeline())
        let seen = Collected<Int>()
        let limit = limit(places: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await gate.acquire(limit)
                    seen.add(gate.inFlight)
                    await Task.yield()
                    gate.answered()
                    gate.release(wasCancelled: false)
                }
            }
            try await group.waitForAll()
        }
        #expect(seen.all.count == 200 && seen.all.allSatisfy { (1...3).contains($0) })
        #expect(gate.inFlight == 0)
    }

    @Test func cancelledWaitersLoseNothing() async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        let limit = limit(places: 2)
        try await gate.acquire(limit)
        try await gate.acquire(limit)
        let waiters = (0..<40).map { _ in Task { try await gate.acquire(limit) } }
        for index in stride(from: 0, to: 40, by: 2) { waiters[index].cancel() }
        for index in stride(from: 0, to: 40, by: 2) {
            await #expect(throws: CancellationError.self) { try await waiters[index].value }
        }
        #expect(gate.inFlight == 2)
        gate.release(wasCancelled: false)
        gate.release(wasCancelled: false)
        // Places are handed on one after the other; each waiter that was not cancelled gets one.
        for _ in 0..<20 { await Self.oneMore(gate) }
        for index in stride(from: 1, to: 40, by: 2) { try await waiters[index].value }
        #expect(gate.inFlight == 0)
        try await gate.acquire(limit)
        try await gate.acquire(limit)
        #expect(gate.inFlight == 2)
    }

    /// Waits until somebody has a place, and frees it.
    private static func oneMore(_ gate: HostGate) async {
        while gate.inFlight == 0 { await Task.yield() }
        gate.answered()
        gate.release(wasCancelled: false)
    }

    @Test func cancellationAtAnyMomentLosesNothing() async throws {
        let gate = HostGate(timeline: ManualClock().timeline())
        let limit = limit(places: 4)
        var generator = SplitMix(seed: 99)
        let tasks = (0..<400).map { _ in
            let yields = Int(generator.next() % 7)
            return Task {
                for _ in 0..<yields { await Task.yield() }
                try await gate.acquire(limit)
                for _ in 0..<yields { await Task.yield() }
                gate.answered()
                gate.release(wasCancelled: Task.isCancelled)
            }
        }
        for task in tasks {
            if generator.next() % 2 == 0 { task.cancel() }
            if generator.next() % 3 == 0 { await Task.yield() }
        }
        for task in tasks { _ = await task.result }
        #expect(gate.inFlight == 0)
        for _ in 0..<4 { try await gate.acquire(limit) }
        #expect(gate.inFlight == 4)
    }

    @Test func aWaiterThatIsCancelledWhileItSleepsPassesItsTurnOn() async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        let limit = limit(rate: 1)
        try await gate.acquire(limit)
        let first = Task { try await gate.acquire(limit) }
        await clock.waitForSleepers()
        let second = Task { try await gate.acquire(limit) }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        await clock.advanceToNextDeadline()
        try await second.value
        #expect(clock.elapsed == .seconds(1))
    }

    @Test func shortPausesAreWaitedForAndLongOnesAnswered() async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        gate.pause(until: clock.now.addingTimeInterval(61), reason: "r")
        await #expect(throws: HostGate.Refusal(cause: .paused("r"), until: clock.now.addingTimeInterval(61))) {
            try await gate.acquire(limit())
        }
        #expect(gate.inFlight == 0)
        gate.pause(until: clock.now.addingTimeInterval(60), reason: "r")
        let waiter = Task { try await gate.acquire(self.limit()) }
        #expect(await clock.advanceToNextDeadline() == .seconds(60))
        try await waiter.value
    }

    @Test func bytesTakeTheirTime() async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: clock.timeline())
        let limit = limit(bytes: 1000)
        try await gate.pass(bytes: 500, limit: limit)
        let second = Task { try await gate.pass(bytes: 1000, limit: limit) }
        #expect(await clock.advanceToNextDeadline() == .milliseconds(500))
        try await second.value
        let third = Task { try await gate.pass(bytes: 1, limit: limit) }
        #expect(await clock.advanceToNextDeadline() == .seconds(1))
        try await third.value
    }

    @Test func aRequestWithoutAnswerIsNoticed() async throws {
        let gate = HostGate(timeline: ManualClock().timeline())
        try await gate.acquire(limit())
        gate.answered()
        #expect(!gate.release(wasCancelled: false))
        try await gate.acquire(limit())
        #expect(gate.release(wasCancelled: false))
        try await gate.acquire(limit())
        #expect(!gate.release(wasCancelled: true))
        // Two at once, one of them answered: noticed at the latest when both are over.
        try await gate.acquire(limit())
        try await gate.acquire(limit())
        gate.answered()
        let noticed = [gate.release(wasCancelled: false), gate.release(wasCancelled: false)]
        #expect(noticed.count { $0 } == 1)
    }
}

/// What concurrent tasks report.
final class Collected<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { values.withLock { $0 } }

    func add(_ value: Value) { values.withLock { $0.append(value) } }
}
