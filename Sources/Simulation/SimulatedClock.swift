package import Foundation
import Names
package import Remotes
import Synchronization

/// Time that stands still while anything can run, and then jumps to the next moment somebody waits for.
package final class SimulatedClock: Sendable {
    private struct Sleeper: Sendable {
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct Alarm: Sendable {
        var at: Duration
        var id: Int

        static func < (left: Alarm, right: Alarm) -> Bool { (left.at, left.id) < (right.at, right.id) }
    }

    private struct State {
        var now = Duration.zero
        var nextID = 0
        var sleepers: [Int: Sleeper] = [:]
        /// A binary heap; those whose sleeper has gone are dropped when they come up.
        var alarms: [Alarm] = []
        var cancelled: Set<Int> = []

        mutating func push(_ alarm: Alarm) {
            alarms.append(alarm)
            var child = alarms.count - 1
            while child > 0 {
                let parent = (child - 1) / 2
                guard alarms[child] < alarms[parent] else { return }
                alarms.swapAt(child, parent)
                child = parent
            }
        }

        mutating func pop() {
            alarms.swapAt(0, alarms.count - 1)
            alarms.removeLast()
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < alarms.count && alarms[child] < alarms[least] {
                    least = child
                }
                guard least != parent else { return }
                alarms.swapAt(parent, least)
                parent = least
            }
        }
    }

    private let state = Mutex(State())
    private let trace: Trace
    /// The first moment, by a clock that is right.
    package static let start = Date(timeIntervalSince1970: 1_790_000_000)

    package init(trace: Trace) { self.trace = trace }

    package var elapsed: Duration { state.withLock { $0.now } }

    /// What a clock that is right shows.
    package var now: Date { Self.start.addingTimeInterval(elapsed.seconds) }

    /// Time as one process sees it.
    ///
    /// - Parameter ahead: how many seconds its wall clock is ahead of a clock that is right.
    package func timeline(
        ahead: @escaping @Sendable () -> TimeInterval = { 0 },
        random: @escaping @Sendable () -> Double
    ) -> Timeline {
        Timeline(
            elapsed: { self.elapsed },
            sleep: { try await self.sleep($0) },
            now: { self.now.addingTimeInterval(ahead()) },
            random: random
        )
    }

    /// - Throws: `CancellationError`.
    package func sleep(_ duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil || Task.isCancelled { return true }
                    state.sleepers[id] = Sleeper(continuation: continuation)
                    // No time at all is still a turn for everybody else.
                    state.push(Alarm(at: state.now + max(duration, .zero), id: id))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                if let sleeper = state.sleepers.removeValue(forKey: id) { return sleeper }
                state.cancelled.insert(id)
                return nil
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
        state.withLock { _ = $0.cancelled.remove(id) }
    }

    /// Jumps to the next moment somebody waits for, and wakes all who wait for it.
    ///
    /// - Returns: whether anybody does.
    func jump() -> Bool {
        let (woken, now) = state.withLock { state -> ([Sleeper], Duration) in
            var woken: [Sleeper] = []
            while let first = state.alarms.first, woken.isEmpty || first.at == state.now {
                state.pop()
                guard let sleeper = state.sleepers.removeValue(forKey: first.id) else { continue }
                state.now = max(state.now, first.at)
                woken.append(sleeper)
            }
            return (woken, state.now)
        }
        guard !woken.isEmpty else { return false }
        trace.jumped(to: now, waking: woken.count)
        for sleeper in woken { sleeper.continuation.resume() }
        return true
    }
}

/// A moment of a simulation, for people: `day 2 07:15:03.250`.
package struct Moment: Sendable, CustomStringConvertible {
    let elapsed: Duration

    package init(_ elapsed: Duration) { self.elapsed = elapsed }

    package var description: String {
        let (seconds, attoseconds) = elapsed.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let thousandths = String(1000 + milliseconds).dropFirst()
        return "day \(seconds / 86_400 + 1) \(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
            + ".\(thousandths)"
    }
}
