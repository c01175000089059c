import CConcurrencyHooks
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs every job of the process on the thread that calls `run`: of those that are runnable, the one that chance picks.
/// When none is, the clock jumps to the next moment somebody waits for.
///
/// It stands at the runtime's own seams, so that tasks without a parent, actors and continuations come here as well as
/// child tasks do. There is one for the whole process.
package enum SeededExecutor {
    private struct State: Sendable {
        var jobs: [UInt] = []
        var chance = Chance(seed: 0)
        var isInstalled = false
        /// The thread that everything runs on.
        var home = pthread_self()
        var trouble: ExecutorTrouble?
    }

    private static let state = Mutex(State())

    /// So many jobs may run without time passing; more is a loop that never waits.
    private static let mostJobsAtOneMoment = 4_000_000

    /// Runs `body` and every task that comes of it, until `body` has returned.
    ///
    /// - Throws: what `body` throws; `ExecutorTrouble` where nobody can go on, or where something waits for the machine's
    ///   clock or comes from another thread, both of which no seed decides.
    package static func run<Value: Sendable>(
        seed: UInt64,
        clock: SimulatedClock,
        trace: Trace,
        _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        state.withLock { state in
            state.jobs = []
            state.chance = Chance(seed: seed, "executor")
            state.trouble = nil
            state.home = pthread_self()
            if !state.isInstalled {
                state.isInstalled = true
                concurrency_hooks_install({ SeededExecutor.take($0) }, { SeededExecutor.refuse($0) })
            }
        }
        let result = Mutex<Result<Value, any Error>?>(nil)
        // The root of everything that runs; it ends before this function returns.
        Task {
            let end: Result<Value, any Error>
            do { end = .success(try await body()) } catch { end = .failure(error) }
            result.withLock { $0 = end }
        }
        var atThisMoment = 0
        while true {
            if let (job, choice) = pick() {
                trace.picked(choice)
                concurrency_hooks_run(UnsafeMutableRawPointer(bitPattern: job))
                atThisMoment += 1
                guard atThisMoment < mostJobsAtOneMoment else { throw ExecutorTrouble.endless(at: clock.elapsed) }
                if let trouble = state.withLock({ $0.trouble }) { throw trouble }
                continue
            }
            if let end = result.withLock({ $0 }) { return try end.get() }
            guard clock.jump() else { throw ExecutorTrouble.stuck(at: clock.elapsed) }
            atThisMoment = 0
        }
    }

    private static func pick() -> (job: UInt, choice: Int)? {
        state.withLock { state in
            guard !state.jobs.isEmpty else { return nil }
            let choice = state.chance.below(state.jobs.count)
            return (state.jobs.swapRemove(at: choice), choice)
        }
    }

    private static func take(_ job: UnsafeMutableRawPointer?) {
        guard let job else { return }
        let word = UInt(bitPattern: job)
        state.withLock { state in
            state.jobs.append(word)
            if pthread_equal(state.home, pthread_self()) == 0 { state.trouble = .otherThread }
        }
    }

    private static func refuse(_ job: UnsafeMutableRawPointer?) {
        state.withLock { $0.trouble = .machineClock }
        take(job)
    }
}

/// Why a simulation cannot go on.
package enum ExecutorTrouble: Error, Sendable, CustomStringConvertible {
    case stuck(at: Duration)
    case endless(at: Duration)
    case machineClock
    case otherThread

    package var description: String {
        switch self {
        case .stuck(let at): "at \(Moment(at)) nothing can run and nobody waits for a time: something waits for ever"
        case .endless(let at): "at \(Moment(at)) work goes on without end and without waiting"
        case .machineClock: "something sleeps by the machine's clock, not by its timeline"
        case .otherThread: "a job came from another thread, in an order that no seed decides"
        }
    }
}
