/// Never more than a rate allows, in any window: what a host counts, counted here as it would.
///
/// A rate of 5 a second lets five requests through at once and then none until the first of them is a second old; a
/// rate of 0.5 lets one through every two seconds. A token bucket would let up to twice that through in a window that
/// begins at the right moment. Pure: the caller brings the time and does the waiting.
package struct RequestWindow: Sendable, Hashable {
    /// Requests a second; may be a fraction.
    package var rate: Double {
        didSet { if rate != oldValue { trim() } }
    }
    /// When the last requests were let through, oldest first; at most `burst`.
    private var granted: [Duration] = []

    package init(rate: Double) { self.rate = rate }

    /// Requests in one `span`.
    package var burst: Int { max(1, Int(min(rate, 10_000).rounded(.down))) }

    /// The window: `burst` divided by the rate.
    package var span: Duration { .nanoseconds(Int64((Double(burst) / max(rate, 1e-6) * 1e9).rounded(.up))) }

    /// How long until one more may pass; zero when it may now.
    package func wait(at now: Duration) -> Duration {
        guard granted.count >= burst, let first = granted.first else { return .zero }
        return max(.zero, first + span - now)
    }

    /// One passes now.
    package mutating func grant(at now: Duration) {
        granted.append(now)
        trim()
    }

    private mutating func trim() {
        if granted.count > burst { granted.removeFirst(granted.count - burst) }
    }
}
