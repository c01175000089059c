import Foundation
import Logging
import Model
package import NIOHTTP1
import Names
package import Remotes
import Synchronization

/// How fast and how much every host is asked, for all workers of the process that holds the record.
///
/// Rates and places are kept in memory; pauses, breakers and quotas in the record, so that a restart forgets nothing.
package final class HostLimits: RequestPacer {
    private let gates = Mutex([String: HostGate]())
    /// Through which gates requests went that are not over: a reload may lead the next ones through others.
    private let passed = Mutex([Passage: [HostGate]]())
    private let record: any HostRecord
    private let timeline: Timeline
    private let limit: @Sendable (RequestKind, String) -> HostLimit
    private let credential: @Sendable (String) -> String

    private struct Passage: Hashable {
        var kind: RequestKind
        var host: String
    }

    /// - Parameters:
    ///   - limit: the limits of a host as configured now, by its canonical name. Where they are per kind of request,
    ///     each kind is paced by itself.
    ///   - credential: a name for who asks a host; empty for anonymous. Never a secret.
    /// - Throws: what the record throws; its pauses and breakers are taken over.
    package init(
        record: any HostRecord,
        timeline: Timeline,
        limit: @escaping @Sendable (RequestKind, String) -> HostLimit,
        credential: @escaping @Sendable (String) -> String = { _ in "" }
    ) throws {
        self.record = record
        self.timeline = timeline
        self.limit = limit
        self.credential = credential
        for row in try record.hosts() where row.breaker != "closed" || row.credential == credential(row.host) {
            // All gates of a host: which of them it was is not recorded.
            for kind in RequestKind.allCases { restore(row, gate(row.host, kind)) }
        }
    }

    private func restore(_ row: HostRow, _ gate: HostGate) {
        if let until = row.pausedUntil.map(Date.init(milliseconds:)) {
            // Further away than any pause we make: the clock was set back.
            let latest = timeline.now().addingTimeInterval(Self.longestPause.seconds)
            gate.pause(until: min(until, latest), reason: row.pauseReason)
        }
        if row.breaker != "closed" {
            _ = gate.breaker {
                $0 = CircuitBreaker(openUntil: row.breakerUntil.map(Date.init(milliseconds:)), trips: row.failures)
            }
        }
    }

    private func gate(_ host: String, _ kind: RequestKind? = nil) -> HostGate {
        // Other credentials have no pause of these.
        let asker = "\(host) \(credential(host))"
        let name = kind.map { limit($0, host).isPerKind ? "\(asker) \($0.rawValue)" : asker } ?? asker
        return gates.withLock { gates in
            if let gate = gates[name] { return gate }
            let gate = HostGate(timeline: timeline)
            gates[name] = gate
            return gate
        }
    }

    // MARK: RequestPacer

    package func acquire(_ kind: RequestKind, host: String) async throws {
        let limit = limit(kind, host)
        let gate = gate(host, kind)
        adoptEndOfPause(host, gate)
        do {
            try await gate.acquire(limit)
        } catch let refusal as HostGate.Refusal {
            throw error(refusal, host: host, limit: limit)
        }
        passed.withLock { $0[Passage(kind: kind, host: host), default: []].append(gate) }
    }

    /// The gate of a request that is over; which of several like it is all the same.
    private func leave(_ kind: RequestKind, _ host: String) -> HostGate {
        let passage = Passage(kind: kind, host: host)
        let gate = passed.withLock { passed -> HostGate? in
            let gate = passed[passage]?.popLast()
            if passed[passage]?.isEmpty == true { passed[passage] = nil }
            return gate
        }
        return gate ?? self.gate(host, kind)
    }

    package func release(_ kind: RequestKind, host: String) async {
        let gate = leave(kind, host)
        if kind == .token {
            // Token endpoints are mostly other hosts: one that answers does not say that the registry would.
            gate.answered()
            _ = gate.breaker { $0.abandoned() }
        }
        if gate.release(wasCancelled: Task.isCancelled) { failed(host, gate) }
    }

    package func pass(bytes: Int, host: String) async throws {
        try await gate(host).pass(bytes: bytes, limit: limit(.blob, host))
    }

    package func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {
        let gate = gate(host, kind)
        // What answers a token request is counted when it is over, and is a word about the registry only when it
        // complains: without tokens the registry is of no use.
        if kind == .token, status != 429, status < 500 { return }
        if kind != .token { gate.answered() }
        if kind == .manifestGet || kind == .manifestHead,
            let said = RateLimitHeaders(headers, now: timeline.now())
        {
            keep {
                try record.sawQuota(host: host, credential: credential(host), said, now: timeline.now())
            }
        }
        let retryAfter = headers.first(name: "retry-after").flatMap { RetryAfter.parse($0, now: timeline.now()) }
        switch status {
        case 429: throttled(host, gate, retryAfter)
        case 500... where limit(kind, host).isPerKind && (kind == .manifestGet || kind == .manifestHead):
            // Below a pull-through prefix ECR answers so for an upstream that fails; ECR itself is well.
            _ = gate.breaker { $0.abandoned() }
        case 500...:
            if status == 503, let retryAfter {
                pause(host, gate, for: retryAfter, reason: "it is overloaded and named the time")
            }
            failed(host, gate)
        default:
            gate.notThrottled()
            succeeded(host, gate)
        }
    }

    // MARK: Pauses

    /// The record decides: `preclone retry` ends there what a person need not wait for.
    private func adoptEndOfPause(_ host: String, _ gate: HostGate) {
        let isPaused = gate.pause.map { $0.until > timeline.now() } ?? false
        guard isPaused || gate.isBroken, let rows = try? record.hosts().filter({ $0.host == host }) else { return }
        if isPaused, !rows.contains(where: { $0.pausedUntil != nil }) { gate.pause(until: nil, reason: nil) }
        if gate.isBroken, !rows.contains(where: { $0.breaker != "closed" }) { _ = gate.breaker { $0.succeeded() } }
    }

    /// A host refused our credentials: it alone is left alone until somebody mends them.
    package func credentialsRefused(host: String) {
        let until = timeline.now().addingTimeInterval(Self.credentialRest)
        let reason =
            "\(HostRow.credentialPause): correct registries.\(host).credentials and reload, then `preclone retry --all`"
        gate(host).pause(until: until, reason: reason)
        keep {
            try record.pause(
                host: host,
                credential: credential(host),
                until: until,
                reason: reason,
                now: timeline.now()
            )
        }
        Logger.current.error(
            "A registry refuses our credentials",
            metadata: ["registry.host": "\(host)", "hint": "\(reason)"]
        )
    }

    /// A try every hour costs little and ends the pause of a registry that was wrong about us.
    private static let credentialRest: TimeInterval = 3600

    private func throttled(_ host: String, _ gate: HostGate, _ retryAfter: Duration?) {
        let times = gate.throttled()
        if let retryAfter {
            pause(host, gate, for: retryAfter, reason: "it asked for less and named the time")
            return
        }
        // No time named: 5 s, 10 s … 5 min, so that recovery is slower than slow-down.
        let rest = min(300, 5 * (1 << min(times - 1, 6)))
        pause(host, gate, for: .seconds(rest), reason: "it asked for less")
    }

    /// Who asks for more is asked once a day: that costs nobody anything, and ends a mistake.
    private static let longestPause = Duration.seconds(86_400)

    private func pause(_ host: String, _ gate: HostGate, for duration: Duration, reason: String) {
        let duration = min(duration, Self.longestPause)
        let until = timeline.now().addingTimeInterval(duration.seconds)
        // The longest word counts: a second answer must not shorten what the first asked for.
        if let pause = gate.pause, pause.until >= until { return }
        gate.pause(until: until, reason: reason)
        keep {
            try record.pause(
                host: host,
                credential: credential(host),
                until: until,
                reason: reason,
                now: timeline.now()
            )
        }
        Logger.current.info(
            "A registry asked for less",
            metadata: ["registry.host": "\(host)", "retry.delay": "\(duration.seconds)s"]
        )
    }

    // MARK: The breaker

    /// A host did not answer, or answered that it is broken.
    private func failed(_ host: String, _ gate: HostGate) {
        let now = timeline.now()
        let random = timeline.random()
        if let changed = gate.breaker({ $0.failed(now: now, random: random) }) {
            keep(changed, host: host)
            Logger.current.warning(
                "A registry fails for everything and is left alone for a while",
                metadata: ["registry.host": "\(host)", "failures": "\(changed.trips)"]
            )
        }
    }

    private func succeeded(_ host: String, _ gate: HostGate) {
        if let changed = gate.breaker({ $0.succeeded() }) {
            keep(changed, host: host)
            Logger.current.notice("A registry answers again", metadata: ["registry.host": "\(host)"])
        }
    }

    private func keep(_ breaker: CircuitBreaker, host: String) {
        let (state, until): (String, Date?) =
            switch breaker.state {
            case .closed: ("closed", nil)
            case .open(let until): ("open", until)
            case .halfOpen: ("halfOpen", nil)
            }
        keep { try record.breaker(host: host, state: state, until: until, failures: breaker.trips) }
    }

    /// Limits go on without the record; what it could not keep is only forgotten by a restart.
    private func keep(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            Logger.current.warning("The limits of a host could not be recorded", metadata: ["error": "\(error)"])
        }
    }

    private func error(_ refusal: HostGate.Refusal, host: String, limit: HostLimit) -> RegistryError {
        // Never so short that a worker would wait for it: a host that is left alone holds up nobody.
        let wait = max(refusal.until.timeIntervalSince(timeline.now()), limit.longestWait.seconds + 1)
        let (kind, detail): (RegistryError.Kind, String) =
            switch refusal.cause {
            case .paused(let reason) where reason.hasPrefix(HostRow.credentialPause): (.noCredentials, reason)
            case .paused(let reason): (.throttled, "nothing is asked of it: \(reason)")
            case .broken: (.unreachable, "it failed for everything and is left alone for a while")
            }
        var error = RegistryError(
            kind,
            host: host,
            retryAfter: .milliseconds(Int64((wait * 1000).rounded(.up))),
            detail: detail
        )
        error.isHeldBack = true
        return error
    }
}
