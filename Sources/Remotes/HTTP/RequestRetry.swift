/// A failure that says whether the other side asked for less, and for how long.
protocol RepeatableFailure: Error {
    /// How long it asked us to wait.
    var retryAfter: Duration? { get }
    var isThrottled: Bool { get }
}

extension RegistryError: RepeatableFailure {
    var isThrottled: Bool { kind == .throttled }
}

extension AWSError: RepeatableFailure {
    var isThrottled: Bool { kind == .throttled }
}

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
    /// The part of a wait that is not left to chance, from 0 to 1.
    var certain = 0.5

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

    /// How long to wait after the attempt with this number (from 1): a part of the doubled base by chance, so that clients
    /// that failed together do not come back together.
    package func delay(after attempt: Int, random: Double) -> Duration {
        let factor = 1 << min(max(attempt - 1, 0), 20)
        let full = min(base * factor, ceiling)
        return full * (certain + (1 - certain) * min(max(random, 0), 1))
    }

    /// Waits before another attempt: at least as long as the other side asks for.
    ///
    /// - Parameters:
    ///   - attempt: the number of the one that failed, from 1.
    ///   - attempts: how many there may be; nil: as many as this rule says.
    ///   - isWorthIt: asked where another attempt is allowed.
    /// - Throws: the failure, where it was the last attempt, or is not worth another, or the wait would be too long to
    ///   hold a worker; `CancellationError`.
    func pause<Failure: RepeatableFailure>(
        after failure: Failure,
        attempt: Int,
        of attempts: Int? = nil,
        on timeline: Timeline,
        isWorthIt: (Failure, Int) -> Bool
    ) async throws {
        let asked = failure.retryAfter ?? .zero
        guard attempt < (attempts ?? self.attempts), asked <= maximumRetryAfter, isWorthIt(failure, attempt) else {
            throw failure
        }
        let wait = asked > .zero ? asked : delay(after: attempt, random: timeline.random())
        if failure.isThrottled, WaitAllowance.current?.take(wait, at: timeline.elapsed()) == false { throw failure }
        try await timeline.sleep(wait)
    }

    /// Runs something until it succeeds, fails for good, or was tried often enough.
    ///
    /// - Parameters:
    ///   - attempts: how often in all; nil: as often as this rule says.
    ///   - translate: the failure that decisions are made by; nil for one that is not ours to repeat.
    ///   - isWorthIt: whether a failure of the attempt with this number is worth another.
    /// - Throws: what `translate` made of the last failure, or that failure; `CancellationError`.
    func repeating<Value, Failure: RepeatableFailure>(
        on timeline: Timeline,
        atMost attempts: Int? = nil,
        translate: (any Error) -> Failure?,
        isWorthIt: (Failure, Int) -> Bool,
        _ body: () async throws -> Value
    ) async throws -> Value {
        var attempt = 1
        while true {
            try Task.checkCancellation()
            do {
                return try await body()
            } catch {
                guard let failure = translate(error) else { throw error }
                try await pause(after: failure, attempt: attempt, of: attempts, on: timeline, isWorthIt: isWorthIt)
                attempt += 1
            }
        }
    }
}
