import Synchronization

/// What keeps the daemon from what it depends on, as it is now: told by whoever meets it, on whatever task, and written
/// into the record by `HealthLoop`.
package final class Troubles: Sendable {
    private struct Entry {
        var what: String
        var until: Duration?
        var isWritten = false
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Over, but still in the record.
        var ended: Set<String> = []

        /// - Returns: whether there was one.
        mutating func end(_ part: String) -> Bool {
            guard let old = entries.removeValue(forKey: part) else { return false }
            if old.isWritten { ended.insert(part) }
            return true
        }
    }

    private let state = Mutex(State())
    /// Rung when there is something to write.
    package let bell = Bell()

    package init() {}

    /// - Parameters:
    ///   - part: a loop's name, `credentials`, `record`, or a service.
    ///   - what: nil: none any more.
    ///   - until: when it is taken for over, in the timeline's elapsed time, if it is not told again; nil: never.
    package func tell(_ part: String, _ what: String?, until: Duration? = nil) {
        let isNews = state.withLock { state in
            guard let what else { return state.end(part) }
            state.ended.remove(part)
            guard state.entries[part]?.what != what else {
                state.entries[part]?.until = until
                return false
            }
            state.entries[part] = Entry(what: what, until: until)
            return true
        }
        if isNews { bell.ring() }
    }

    /// All that there is now, by part.
    package var now: [String: String] { state.withLock { $0.entries.mapValues(\.what) } }

    /// Hands over what the record does not have yet; what `write` throws for is handed over again.
    func write(elapsed: Duration, _ write: (_ part: String, _ what: String?) throws -> Void) rethrows {
        let (fresh, ended) = state.withLock { state in
            for (part, entry) in state.entries where entry.until.map({ $0 < elapsed }) ?? false { _ = state.end(part) }
            return (state.entries.filter { !$0.value.isWritten }.mapValues(\.what), state.ended)
        }
        for (part, what) in fresh.sorted(by: { $0.key < $1.key }) {
            try write(part, what)
            state.withLock { state in
                if state.entries[part]?.what == what {
                    state.entries[part]?.isWritten = true
                } else if state.entries[part] == nil {
                    state.ended.insert(part)
                }
            }
        }
        for part in ended.sorted() {
            try write(part, nil)
            state.withLock { _ = $0.ended.remove(part) }
        }
    }
}
