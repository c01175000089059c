import Names
import Synchronization

/// How a client repeats calls. Source: AWS SDKs and Tools reference, "Retry behavior".
package enum RetryMode: String, Sendable, Hashable {
    /// Full jitter, and a quota of retries for all calls of a service.
    case standard
    /// Standard, and the rate of all calls follows what the service lets through.
    case adaptive
}

/// The retries that one service may still have: a service that fails everybody is not asked five times by each.
///
/// Source: the SDKs' standard mode: 500 in the bucket, 5 for a retry, 10 after a timeout, given back on success.
package final class RetryQuota: Sendable {
    package static let capacity = 500
    private let left: Mutex<Int>

    package init(capacity: Int = RetryQuota.capacity) { left = Mutex(capacity) }

    package var remaining: Int { left.withLock { $0 } }

    /// Takes the cost of one retry; nil when the bucket has less.
    package func take(afterTimeout: Bool) -> Int? {
        let cost = afterTimeout ? 10 : 5
        return left.withLock { left in
            guard left >= cost else { return nil }
            left -= cost
            return cost
        }
    }

    /// A call succeeded: its last retry's cost comes back, or one when it needed none.
    package func give(back cost: Int?) {
        left.withLock { $0 = min(Self.capacity, $0 + (cost ?? 1)) }
    }
}

/// What the clients of one process have learnt and spent, by service: clients are values and come and go, this stays.
package final class AWSCallState: Sendable {
    package let skew = ClockSkew()
    private let limit: @Sendable (String, String) -> Double
    private let concurrent: @Sendable () -> Int
    private let quotas = Mutex<[String: RetryQuota]>([:])
    private let pacers = Mutex<[String: CallPacer]>([:])

    /// - Parameters:
    ///   - limit: calls a second of an operation; asked at each call.
    ///   - concurrent: calls of one operation at one time; asked at each call.
    package init(
        limit: @escaping @Sendable (_ service: String, _ operation: String) -> Double = {
            PublishedQuota.callsPerSecond($0, $1) * 0.2
        },
        concurrent: @escaping @Sendable () -> Int = { PublishedQuota.concurrentCalls }
    ) {
        self.limit = limit
        self.concurrent = concurrent
    }

    package func quota(of service: String) -> RetryQuota {
        quotas.withLock { quotas in
            let quota = quotas[service] ?? RetryQuota()
            quotas[service] = quota
            return quota
        }
    }

    package func pacer(of service: String) -> CallPacer {
        pacers.withLock { pacers in
            let pacer = pacers[service] ?? CallPacer(limit: { [limit] in limit(service, $0) }, concurrent: concurrent)
            pacers[service] = pacer
            return pacer
        }
    }
}
