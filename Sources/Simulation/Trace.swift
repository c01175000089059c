import Synchronization

/// Everything that happens in a simulation, drawn together to one number as it happens: two runs that differ in anything
/// differ in it from there on. On demand each line is told to somebody too.
package final class Trace: Sendable {
    private struct State {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var events = 0
        var picks = 0

        /// FNV-1a, a word at a time.
        mutating func mix(_ word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01B3 }
    }

    private let state = Mutex(State())
    private let tell: (@Sendable (String) -> Void)?

    /// - Parameter tell: gets a line for each thing that happens; nil: only the number is kept.
    package init(tell: (@Sendable (String) -> Void)? = nil) { self.tell = tell }

    package var hash: UInt64 { state.withLock { $0.hash } }
    package var events: Int { state.withLock { $0.events } }
    package var picks: Int { state.withLock { $0.picks } }

    /// Something happened that a person would understand.
    package func add(_ line: @autoclosure () -> String) {
        let line = line()
        state.withLock { state in
            state.events += 1
            for byte in line.utf8 { state.mix(UInt64(byte)) }
        }
        tell?(line)
    }

    func picked(_ choice: Int) {
        state.withLock { state in
            state.picks += 1
            state.mix(UInt64(choice))
        }
    }

    func jumped(to moment: Duration, waking sleepers: Int) {
        let (seconds, attoseconds) = moment.components
        state.withLock { state in
            state.mix(UInt64(bitPattern: seconds))
            state.mix(UInt64(bitPattern: attoseconds))
            state.mix(UInt64(sleepers))
        }
    }
}
