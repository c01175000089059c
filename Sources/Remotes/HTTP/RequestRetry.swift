/// The short retry of one request; the long one, of an image, is the ledger's.
package struct RequestRetry: Sendable, Hashable {
    /// The first wait, doubled with every further attempt.
    package var base: Duration
    /// No wait of our own choosing is longer.
    package var ceiling: Duration
    /// Attempts in all, the first one included; at least 1.
    package var attempts: Int
    /// A longer wait asked for by the host parks the image instead of holding a worker.
    package var maximumRetryAfter: Duration

    package init(
        base: Duration = .milliseconds(500),
        ceiling: Duration = .seconds(20),
        attempts: Int = 5,
        maximumRetryAfter: Duration = .seconds(60)
    ) {
        self.base = base
        self.ceiling = ceiling
        self.attempts = max(1, attempts)
        self.maximumRetryAfter = maximumRetryAfter
    }

    /// How long to wait after an attempt that failed and is worth another; nil when it was the last, or when the wait
    /// asked for is too long to hold a worker.
    ///
    /// - Parameters:
    ///   - attempt: its number, from 1.
    ///   - asked: what the other side asked us to wait.
    ///   - attempts: how many there may be; nil: as many as this rule says.
    package func wait(after attempt: Int, asked: Duration?, of attempts: Int? = nil, random: Double) -> Duration? {
        guard attempt < (attempts ?? self.attempts), (asked ?? .zero) <= maximumRetryAfter else { return nil }
        if let asked, asked > .zero { return asked }
        return delay(after: attempt, random: random)
    }

    /// How long to wait after the attempt with this number (from 1): between half and all of the doubled base, so that
    /// clients that failed together do not come back together.
    package func delay(after attempt: Int, random: Double) -> Duration {
        let factor = 1 << min(max(attempt - 1, 0), 20)
        let full = min(base * factor, ceiling)
        return full * (0.5 + 0.5 * min(max(random, 0), 1))
    }

    /// Runs something until it succeeds, fails for good, or was tried often enough.
    ///
    /// - Parameters:
    ///   - attempts: how often in all; nil: as often as this rule says.
    ///   - translate: the failure that decisions are made by; nil for one that is not ours to repeat.
    ///   - isWorthIt: whether a failure of the attempt with this number is worth another.
    /// - Throws: what `translate` made of the last failure, or that failure; `CancellationError`.
    func repeating<Value>(
        on timeline: Timeline,
        atMost attempts: Int? = nil,
        translate: (any Error) -> RegistryError?,
        isWorthIt: (RegistryError, Int) -> Bool,
        _ body: () async throws -> Value
    ) async throws -> Value {
        var attempt = 1
        while true {
            try Task.checkCancellation()
            do {
                return try await body()
            } catch {
                guard let failure = translate(error) else { throw error }
                guard isWorthIt(failure, attempt),
                    let wait = wait(
                        after: attempt,
                        asked: failure.retryAfter,
                        of: attempts,
                        random: timeline.random()
                    )
                else { throw failure }
                if failure.kind == .throttled, WaitAllowance.current?.take(wait, at: timeline.elapsed()) == false {
                    throw failure
                }
                try await timeline.sleep(wait)
                attempt += 1
            }
        }
    }
}
