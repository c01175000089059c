package import Foundation

/// Gives a host up for a while when it fails for everything, and tries it again with a single request. Pure.
///
/// Rests: 30 s, 1 min, 2 min, 4 min, 8 min, then 15 min each, of which between half and all.
package struct CircuitBreaker: Sendable, Hashable {
    package enum State: Sendable, Hashable {
        case closed
        case open(until: Date)
        /// One request at a time may find out whether the host is back.
        case halfOpen(isProbing: Bool)
    }

    package enum Admission: Sendable, Hashable {
        case pass
        case refused(until: Date)
    }

    package private(set) var state = State.closed
    /// Failures in a row while closed.
    package private(set) var failures = 0
    /// How often it opened without a success between.
    package private(set) var trips = 0

    /// So many failures in a row open it.
    package static let threshold = 5
    private static let firstRest: TimeInterval = 30
    private static let longestRest: TimeInterval = 900
    /// While another request probes.
    private static let probePatience: TimeInterval = 30

    package init() {}

    /// As it was kept in the record: a restart does not forget that a host is down.
    package init(openUntil: Date?, trips: Int) {
        guard let openUntil else { return }
        state = .open(until: openUntil)
        self.trips = max(1, trips)
    }

    /// Whether a request may be sent. A `pass` of a breaker that is not closed is the probe.
    package mutating func admit(now: Date) -> Admission {
        switch state {
        case .closed: return .pass
        case .open(let until):
            // A rest longer than any we give comes from a clock that was set back.
            if until > now, until.timeIntervalSince(now) <= Self.longestRest { return .refused(until: until) }
            state = .halfOpen(isProbing: true)
            return .pass
        case .halfOpen(false):
            state = .halfOpen(isProbing: true)
            return .pass
        case .halfOpen(true): return .refused(until: now.addingTimeInterval(Self.probePatience))
        }
    }

    /// The host answered.
    package mutating func succeeded() {
        state = .closed
        failures = 0
        trips = 0
    }

    /// No answer, or one that says that the host is broken.
    ///
    /// - Parameter random: from 0 up to 1.
    package mutating func failed(now: Date, random: Double) {
        switch state {
        case .closed:
            failures += 1
            if failures >= Self.threshold { open(now: now, random: random) }
        case .halfOpen: open(now: now, random: random)
        // Requests that were sent before it opened say nothing new.
        case .open: break
        }
    }

    /// The probe ended without an answer of either kind: it was cancelled.
    package mutating func abandoned() {
        if case .halfOpen = state { state = .halfOpen(isProbing: false) }
    }

    private mutating func open(now: Date, random: Double) {
        trips += 1
        failures = 0
        let rest = min(Self.longestRest, Self.firstRest * Double(1 << min(trips - 1, 10)))
        state = .open(until: now.addingTimeInterval(rest * (0.5 + 0.5 * min(max(random, 0), 1))))
    }
}
