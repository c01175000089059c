import Names
import Synchronization

/// Keeps the calls of each operation below what we allow ourselves of it: a share of its published quota, which others in
/// the account need too, or what the operator set; and few at one time.
package final class CallPacer: Sendable {
    private let limit: @Sendable (String) -> Double
    private let paces = Mutex<[String: CallPace]>([:])
    private let adaptive = Mutex(AdaptiveRate())
    private let slots: NamedSlots

    /// - Parameters:
    ///   - limit: calls a second of an operation, above 0.
    ///   - concurrent: calls of an operation at one time.
    ///
    /// Both are asked at each call, so that a reload holds at once.
    package init(
        limit: @escaping @Sendable (_ operation: String) -> Double,
        concurrent: @escaping @Sendable () -> Int = { PublishedQuota.concurrentCalls }
    ) {
        self.limit = limit
        slots = NamedSlots { _ in concurrent() }
    }

    /// Runs a call when fewer than allowed of its operation are under way.
    package func withSlot<Value: Sendable>(_ operation: String, _ call: () async throws -> Value) async throws -> Value
    {
        try await slots.with([operation], call)
    }

    /// How long to wait before the call may be sent; the place in the line is taken.
    package func reserve(_ operation: String, mode: RetryMode, at now: Duration) -> Duration {
        let own = withPace(operation) { $0.reserve(at: now) }
        guard mode == .adaptive else { return own }
        return max(own, adaptive.withLock { $0.reserve(at: now) })
    }

    /// Tells how the call ended.
    package func observe(_ operation: String, isThrottled: Bool, at now: Duration) {
        withPace(operation) { isThrottled ? $0.slowDown(at: now) : $0.recover(at: now) }
        adaptive.withLock { $0.observe(isThrottled: isThrottled, at: now) }
    }

    /// Calls a second that the operation gets now.
    package func rate(of operation: String) -> Double { withPace(operation) { $0.rate } }

    /// Whether the operation is called less often since it was throttled.
    package func isSlowed(_ operation: String) -> Bool {
        withPace(operation) { $0.rate < $0.target } || adaptive.withLock { $0.rate != nil }
    }

    /// A call whose place was taken is not made after all.
    package func giveBack(_ operation: String) { withPace(operation) { $0.giveBack() } }

    private func withPace<Value: Sendable>(_ operation: String, _ body: (inout CallPace) -> Value) -> Value {
        paces.withLock { paces in
            let target = max(limit(operation), 0.001)
            var pace = paces[operation] ?? CallPace(target: target)
            pace.aim(at: target)
            let value = body(&pace)
            paces[operation] = pace
            return value
        }
    }
}

/// The pace of one operation: a bucket that holds one second's calls, slowed by throttling, recovering slowly.
package struct CallPace: Sendable, Hashable {
    /// Calls a second when nothing hinders.
    package private(set) var target: Double
    /// Calls a second now.
    package private(set) var rate: Double
    private var tokens: Double
    private var filled: Duration = .zero
    private var slowed: Duration?
    private var recovered: Duration = .zero

    package init(target: Double) {
        self.target = target
        rate = target
        tokens = max(target, 1)
    }

    /// Another target, by a reload: the pace changes in proportion, what is owed stays owed.
    package mutating func aim(at target: Double) {
        guard target != self.target else { return }
        rate *= target / self.target
        tokens = min(tokens, max(rate, 1))
        self.target = target
    }

    /// How long the call has to wait. Tokens may be owed: then later calls wait for their turn as well.
    package mutating func reserve(at now: Duration) -> Duration {
        fill(at: now)
        tokens -= 1
        return tokens >= 0 ? .zero : .milliseconds(Int64((-tokens / rate * 1000).rounded(.up)))
    }

    package mutating func giveBack() { tokens = min(tokens + 1, max(rate, 1)) }

    /// Half the pace, not below a twentieth of the target; one burst of throttled answers counts once a second.
    package mutating func slowDown(at now: Duration) {
        fill(at: now)
        if let slowed, now - slowed < .seconds(1) { return }
        slowed = now
        recovered = now
        rate = max(rate / 2, target / 20)
        tokens = min(tokens, 0)
    }

    /// A twentieth of the target back for each ten seconds without throttling.
    package mutating func recover(at now: Duration) {
        fill(at: now)
        guard rate < target else { return }
        let steps = ((now - recovered).seconds / 10).rounded(.down)
        guard steps >= 1 else { return }
        recovered = now
        rate = min(target, rate + steps * target / 20)
    }

    private mutating func fill(at now: Duration) {
        if now > filled { tokens = min(max(rate, 1), tokens + (now - filled).seconds * rate) }
        filled = max(filled, now)
    }
}

/// The client-side rate of the SDKs' adaptive mode: unlimited until the service throttles, then below what it let
/// through, growing again along a cubic curve.
///
/// Source: AWS SDKs and Tools reference, retry behavior; the constants are those of the SDKs: 0.7, 0.4, 0.5 calls a second.
package struct AdaptiveRate: Sendable, Hashable {
    private static let beta = 0.7
    private static let scale = 0.4
    private static let least = 0.5
    private static let smoothing = 0.8

    /// Calls a second; nil until the service throttled once.
    package private(set) var rate: Double?
    private var tokens = 0.0
    private var filled: Duration = .zero
    private var measured = 0.0
    private var bucket = 0.0
    private var sent = 0.0
    private var lastMaximum = 0.0
    private var lastThrottled: Duration = .zero

    package init() {}

    package mutating func reserve(at now: Duration) -> Duration {
        guard let rate else { return .zero }
        if now > filled { tokens = min(max(rate, 1), tokens + (now - filled).seconds * rate) }
        filled = max(filled, now)
        tokens -= 1
        return tokens >= 0 ? .zero : .milliseconds(Int64((-tokens / rate * 1000).rounded(.up)))
    }

    package mutating func observe(isThrottled: Bool, at now: Duration) {
        measure(at: now)
        let next: Double
        if isThrottled {
            let base = rate.map { min(measured, $0) } ?? measured
            lastMaximum = base
            lastThrottled = now
            if rate == nil { filled = now }
            next = base * Self.beta
        } else {
            guard rate != nil else { return }
            let window = (lastMaximum * (1 - Self.beta) / Self.scale).cubeRoot
            let distance = (now - lastThrottled).seconds - window
            next = Self.scale * distance * distance * distance + lastMaximum
        }
        rate = max(min(next, max(2 * measured, Self.least)), Self.least)
    }

    /// Calls a second over half-second buckets, smoothed.
    private mutating func measure(at now: Duration) {
        let current = (now.seconds * 2).rounded(.down) / 2
        sent += 1
        guard current > bucket else { return }
        measured = sent / (current - bucket) * Self.smoothing + measured * (1 - Self.smoothing)
        sent = 0
        bucket = current
    }
}

extension Double {
    /// By Newton's steps: enough for a rate, and no C library is needed.
    fileprivate var cubeRoot: Double {
        guard self > 0 else { return 0 }
        var root = max(self, 1) / 3
        for _ in 0..<60 { root -= (root * root * root - self) / (3 * root * root) }
        return root
    }
}
