import Foundation
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

/// What the limiter promises, over many seeded histories on a clock that moves in random steps.
@Suite struct LimitPropertyTests {
    /// What one task's gate asked of the clock: the exact moment at which it was let through.
    private final class Stamp: Sendable {
        private struct State {
            var at = Duration.zero
            var slept = Duration.zero
        }

        private let state = Mutex(State())

        @TaskLocal static var current: Stamp?

        /// The last look at the clock, and the sleep that followed it.
        var start: Duration { state.withLock { $0.at + $0.slept } }
        var at: Duration { state.withLock { $0.at } }

        func looked(_ at: Duration) { state.withLock { ($0.at, $0.slept) = (at, .zero) } }
        func sleeps(_ duration: Duration) { state.withLock { $0.slept = duration } }
    }

    private static func stamped(_ clock: ManualClock) -> Timeline {
        Timeline(
            elapsed: {
                let now = clock.elapsed
                Stamp.current?.looked(now)
                return now
            },
            sleep: { duration in
                Stamp.current?.sleeps(duration)
                try await clock.sleep(for: duration)
            },
            now: { clock.now },
            random: { 0.5 }
        )
    }

    /// Moves the clock in random steps until all tasks are over, cancelling some of them on the way.
    ///
    /// - Returns: whether they ended of their own.
    private static func drive(
        _ tasks: [Task<Void, any Error>],
        _ clock: ManualClock,
        _ generator: inout SplitMix,
        step: Double,
        cancelling: Int,
        finished: Counter
    ) async -> Bool {
        var left = cancelling
        for _ in 0..<200_000 {
            if finished.value == tasks.count { return true }
            if left > 0, generator.next() % 8 == 0 {
                tasks[Int(generator.next() % UInt64(tasks.count))].cancel()
                left -= 1
            }
            clock.advance(by: .nanoseconds(Int64(Double(generator.next() % 1000) / 1000 * step * 1e9)))
            for _ in 0..<(generator.next() % 4) { await Task.yield() }
        }
        tasks.forEach { $0.cancel() }
        return false
    }

    struct Limits: Sendable, CustomTestStringConvertible {
        var rate: Double
        var places: Int
        var seed: UInt64

        var testDescription: String { "\(rate)/s, \(places) at once, seed \(seed)" }
    }

    static let limits = (0..<12).map { seed in
        Limits(rate: [0.2, 0.7, 1, 3.3, 10, 50][seed % 6], places: [1, 2, 3, 7][seed % 4], seed: UInt64(seed))
    }

    @Test(arguments: limits)
    func neitherRateNorPlacesAreExceededAndNobodyWaitsForEver(limits: Limits) async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: Self.stamped(clock))
        let limit = HostLimit(
            requestsPerSecond: limits.rate,
            concurrentRequests: limits.places,
            bytesPerSecond: nil,
            longestWait: .seconds(60)
        )
        var generator = SplitMix(seed: limits.seed)
        let granted = Collected<Duration>()
        let together = Collected<Int>()
        let finished = Counter()
        let tasks = (0..<120).map { _ in
            let arrival = Double(generator.next() % 1000) / 1000 * 40 / limits.rate
            let work = Double(generator.next() % 1000) / 1000 * 3 / limits.rate
            return Task {
                defer { finished.add() }
                let stamp = Stamp()
                try await Stamp.$current.withValue(stamp) {
                    try await clock.sleep(for: .seconds(arrival))
                    try await gate.acquire(limit)
                }
                granted.add(stamp.at)
                together.add(gate.inFlight)
                // Some are cancelled while their request is out.
                try? await clock.sleep(for: .seconds(work))
                gate.answered()
                gate.release(wasCancelled: Task.isCancelled)
            }
        }
        let ended = await Self.drive(
            tasks,
            clock,
            &generator,
            step: 1 / limits.rate,
            cancelling: 40,
            finished: finished
        )
        #expect(ended, "\(finished.value) of \(tasks.count) came through")
        let times = granted.all.sorted()
        let window = RequestWindow(rate: limits.rate)
        #expect(times.count >= 80)
        for index in times.indices.dropFirst(window.burst) {
            #expect(times[index] - times[index - window.burst] >= window.span)
        }
        #expect(together.all.allSatisfy { $0 <= limits.places })
        // Every place is free again.
        #expect(gate.inFlight == 0 && gate.waiting == 0)
        let patient = HostLimit(
            requestsPerSecond: 10_000,
            concurrentRequests: limits.places,
            bytesPerSecond: nil,
            longestWait: .seconds(60)
        )
        clock.advance(by: .seconds(1000))
        for _ in 0..<limits.places { try await gate.acquire(patient) }
        #expect(gate.inFlight == limits.places)
    }

    @Test(arguments: UInt64(0)..<8)
    func whoComesFirstGoesFirstAlsoWhenOthersLeave(seed: UInt64) async throws {
        let gate = HostGate(timeline: ManualClock().timeline())
        let limit = HostLimit(
            requestsPerSecond: 10_000,
            concurrentRequests: 1,
            bytesPerSecond: nil,
            longestWait: .seconds(60)
        )
        var generator = SplitMix(seed: seed)
        try await gate.acquire(limit)
        let order = Collected<Int>()
        var tasks: [(number: Int, task: Task<Void, any Error>)] = []
        var gone: Set<Int> = []
        for number in 0..<40 {
            let before = gate.waiting
            tasks.append(
                (
                    number,
                    Task {
                        try await gate.acquire(limit)
                        order.add(number)
                        gate.answered()
                        gate.release(wasCancelled: false)
                    }
                )
            )
            // The first has the turn and waits for the place; the others wait for their turn.
            while gate.waiting == before { await Task.yield() }
            guard number > 2, generator.next() % 3 == 0 else { continue }
            let leaver = Int(generator.next() % UInt64(number))
            guard gone.insert(leaver).inserted else { continue }
            tasks[leaver].task.cancel()
            _ = await tasks[leaver].task.result
        }
        #expect(gate.waiting == 40 - gone.count)
        gate.answered()
        gate.release(wasCancelled: false)
        for (_, task) in tasks { _ = await task.result }
        #expect(order.all == (0..<40).filter { !gone.contains($0) })
    }

    @Test(arguments: UInt64(0)..<6)
    func bytesKeepTheirRateInAnyWindow(seed: UInt64) async throws {
        let clock = ManualClock()
        let gate = HostGate(timeline: Self.stamped(clock))
        let rate: Int64 = 1_000_000
        let limit = HostLimit(
            requestsPerSecond: 1,
            concurrentRequests: 1,
            bytesPerSecond: rate,
            longestWait: .seconds(60)
        )
        var generator = SplitMix(seed: seed)
        let passed = Collected<(start: Duration, bytes: Int)>()
        let finished = Counter()
        let tasks = (0..<10).map { _ in
            let chunks = (0..<30).map { _ in Int(generator.next() % 200_000) + 1 }
            return Task {
                defer { finished.add() }
                for bytes in chunks {
                    let stamp = Stamp()
                    try await Stamp.$current.withValue(stamp) { try await gate.pass(bytes: bytes, limit: limit) }
                    passed.add((stamp.start, bytes))
                }
            }
        }
        let ended = await Self.drive(tasks, clock, &generator, step: 0.2, cancelling: 3, finished: finished)
        #expect(ended)
        let all = passed.all.sorted { $0.start < $1.start }
        #expect(all.count > 150)
        // Between the beginnings of any two pieces no more passed than the rate allows, so in no window either.
        var bytes = 0
        for index in all.indices.dropLast() {
            bytes += all[index].bytes
            let allowed = Double(rate) * (all[index + 1].start - all[0].start).seconds
            #expect(Double(bytes) <= allowed + 1)
        }
        for index in all.indices.dropLast() {
            let gap = (all[index + 1].start - all[index].start).seconds
            #expect(Double(all[index].bytes) / Double(rate) <= gap + 1e-6)
        }
    }

    // MARK: Quotas

    /// A registry that counts manifests in a sliding window, and requests to it whose answers cross on the way.
    private struct CountingRegistry {
        struct Flight {
            var pull: PullReservation?
            var remaining: Int?
            var answersAt: Duration
            var arrivesAt: Duration
        }

        let limit: Int
        let window: Duration
        var counted: [Duration] = []
        var refused = 0

        func used(_ now: Duration) -> Int { counted.count { now - $0 < window } }
    }

    @Test(arguments: UInt64(0)..<4)
    func aRegistryNeverCountsMoreThanItAllowsThoughAnswersCross(seed: UInt64) async throws {
        let clock = ManualClock()
        let ledger = try Ledger()
        // Our own figure is wrong: the registry's word is what holds.
        let configured = PullQuota(pulls: 100, per: .seconds(3600), keep: 0)
        let credential = "file hub"
        var registry = CountingRegistry(limit: 12, window: .seconds(3600))
        var flights: [CountingRegistry.Flight] = []
        var generator = SplitMix(seed: seed)
        var isKnown = false
        func seconds(_ most: UInt64) -> Duration { .milliseconds(Int64(generator.next() % (most * 1000))) }

        for _ in 0..<1000 {
            clock.advance(by: generator.next() % 40 == 0 ? seconds(2400) : seconds(3))
            let now = clock.elapsed
            // What arrives at the registry now.
            for index in flights.indices where flights[index].remaining == nil && flights[index].arrivesAt <= now {
                if flights[index].pull != nil {
                    if registry.used(now) >= registry.limit {
                        registry.refused += 1
                    } else {
                        registry.counted.append(now)
                    }
                }
                flights[index].remaining = registry.limit - registry.used(now)
            }
            // What comes back, in the order of its luck.
            for flight in flights where flight.remaining != nil && flight.answersAt <= now {
                guard let remaining = flight.remaining else { continue }
                try ledger.sawQuota(
                    host: "docker.io",
                    credential: credential,
                    RateLimitHeaders(limit: registry.limit, remaining: remaining, window: registry.window),
                    now: clock.now
                )
                isKnown = true
                if let pull = flight.pull { try ledger.commit(pull) }
            }
            flights.removeAll { $0.remaining != nil && $0.answersAt <= now }
            // A crash: what was out has no answer for us, and the registry may count it still.
            if generator.next() % 200 == 0 {
                for flight in flights where flight.pull != nil && flight.remaining == nil && generator.next() % 2 == 0 {
                    if registry.used(now) < registry.limit {
                        registry.counted.append(now)
                    } else {
                        registry.refused += 1
                    }
                }
                flights = []
            }
            guard flights.count < 6 else { continue }
            let arrives = now + seconds(10)
            var flight = CountingRegistry.Flight(answersAt: arrives + seconds(10), arrivesAt: arrives)
            // Where nothing is known yet, one looks first.
            if isKnown, generator.next() % 3 > 0 {
                guard
                    case .reserved(let pull) = try ledger.reservePull(
                        host: "docker.io",
                        credential: credential,
                        quota: configured,
                        urgency: 2,
                        now: clock.now
                    )
                else { continue }
                flight.pull = pull
            }
            flights.append(flight)
        }
        #expect(registry.refused == 0, "\(registry.refused) pulls came that the registry had to refuse")
        #expect(registry.counted.count > 30)
    }
}
