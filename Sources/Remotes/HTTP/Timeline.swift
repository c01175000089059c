package import struct Foundation.Date

/// Time and chance, passed in: what passes, what sleeps, what the wall clock says, and a number from 0 up to 1.
///
/// The program makes one in its composition; tests make one from a manual clock.
package struct Timeline: Sendable {
    /// Time since a fixed moment, monotonic, not affected by changes of the wall clock.
    package let elapsed: @Sendable () -> Duration
    /// Suspends; throws `CancellationError` when the task is cancelled.
    package let sleep: @Sendable (Duration) async throws -> Void
    /// The wall clock, for signatures and rows.
    package let now: @Sendable () -> Date
    /// Uniform in `0..<1`, for jitter.
    package let random: @Sendable () -> Double

    package init(
        elapsed: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        now: @escaping @Sendable () -> Date,
        random: @escaping @Sendable () -> Double
    ) {
        self.elapsed = elapsed
        self.sleep = sleep
        self.now = now
        self.random = random
    }

    /// A timeline over any clock.
    package init<C: Clock>(
        clock: C,
        now: @escaping @Sendable () -> Date,
        random: @escaping @Sendable () -> Double
    ) where C.Duration == Duration {
        let start = clock.now
        self.init(
            elapsed: { start.duration(to: clock.now) },
            sleep: { try await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) },
            now: now,
            random: random
        )
    }

    /// The machine's own clocks and generator.
    package static var system: Timeline {
        Timeline(clock: ContinuousClock(), now: { Date() }, random: { Double.random(in: 0..<1) })
    }
}
