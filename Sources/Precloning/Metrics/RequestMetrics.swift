package import Model
import Synchronization

/// Requests since the process started, by host and answer.
package final class RequestMetrics: Sendable {
    /// Names of hosts come from image names; beyond this many, further ones are counted as `other`.
    static let mostHosts = 100

    private struct Key: Hashable, Comparable {
        var host: String
        var answer: String

        static func < (left: Key, right: Key) -> Bool { (left.host, left.answer) < (right.host, right.answer) }
    }

    private struct State {
        var hosts: Set<String> = []
        var counts: [Key: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func count(host: String, answer: String) {
        state.withLock { state in
            let isKnown = state.hosts.contains(host)
            let host = isKnown || state.hosts.count < Self.mostHosts ? host : "other"
            state.hosts.insert(host)
            state.counts[Key(host: host, answer: answer), default: 0] += 1
        }
    }

    package var families: [MetricFamily] {
        var family = MetricFamily(
            "preclone_requests_total",
            .counter,
            help: "Requests sent, by host and by the status or the failure they met."
        )
        for (key, count) in state.withLock({ $0.counts }).sorted(by: { $0.key < $1.key }) {
            family.add(Double(count), ["host": key.host, "code": key.answer])
        }
        return [family]
    }
}
