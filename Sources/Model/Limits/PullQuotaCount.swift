package import Foundation
import Names

/// How many pulls are left at one registry for one credential, from what the registry said last and what we counted
/// ourselves. Pure.
package struct PullQuotaCount: Sendable, Hashable {
    /// What the registry's own headers said: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`.
    package struct Header: Sendable, Hashable {
        package var limit: Int
        package var remaining: Int
        package var window: Duration
        package var seenAt: Date

        package init(limit: Int, remaining: Int, window: Duration, seenAt: Date) {
            self.limit = limit
            self.remaining = remaining
            self.window = window
            self.seenAt = seenAt
        }
    }

    /// A pull of ours; a reserved one may be counted by the registry already or not.
    package struct Pull: Sendable, Hashable {
        package var at: Date
        package var isCommitted: Bool

        package init(at: Date, isCommitted: Bool) {
            self.at = at
            self.isCommitted = isCommitted
        }
    }

    /// As configured; nil: no limit is known but what headers say.
    package var quota: PullQuota?
    package var header: Header?
    /// Oldest first; older ones than the window are left out or ignored.
    package var pulls: [Pull]

    package init(quota: PullQuota?, header: Header? = nil, pulls: [Pull]) {
        self.quota = quota
        self.header = header
        self.pulls = pulls
    }

    /// When the registry was asked last, as far as the count tells.
    package var lastAt: Date? { [header?.seenAt, pulls.last?.at].compactMap(\.self).max() }

    /// Where the count stands.
    package struct Standing: Sendable, Hashable {
        package var limit: Int
        package var left: Int
        package var window: Duration
        /// When all of it is free again, if nothing more is pulled.
        package var resetsAt: Date?
    }

    /// The registry's word within its window, else our own count; nil where nobody counts.
    package func standing(now: Date) -> Standing? {
        if let header, isFresh(header, now: now) {
            // A reserved pull is not in the registry's count as far as we know, however old it is.
            let since = pulls.count { $0.at > header.seenAt || (!$0.isCommitted && isWithin($0, header.window, now)) }
            return Standing(
                limit: header.limit,
                left: max(0, header.remaining - since),
                window: header.window,
                resetsAt: header.remaining < max(1, header.limit) || since > 0
                    ? max(header.seenAt, pulls.last?.at ?? header.seenAt).addingTimeInterval(header.window.seconds)
                    : nil
            )
        }
        guard let quota else { return nil }
        let counted = pulls.filter { isWithin($0, quota.per, now) }
        return Standing(
            limit: quota.pulls,
            left: max(0, quota.pulls - counted.count),
            window: quota.per,
            resetsAt: counted.last.map { min($0.at, now).addingTimeInterval(quota.per.seconds) }
        )
    }

    /// Whether one more pull may be made for an image of this urgency.
    ///
    /// The last `keep` pulls are for images that a live run waits for. Above them, people's requests go first, then new
    /// versions (a tenth of the limit stays), then refreshes (a quarter stays).
    ///
    /// - Parameter urgency: 0 a live run, 1 a person, 2 a new version, 3 a refresh.
    /// - Returns: nil when it may; else when to ask again.
    package func wait(urgency: Int, now: Date) -> Date? {
        guard let standing = standing(now: now) else { return nil }
        let floor = floor(urgency: urgency, limit: standing.limit)
        if standing.left > floor { return nil }
        if let header, isFresh(header, now: now) {
            let end = header.seenAt.addingTimeInterval(header.window.seconds)
            // Registries free pulls in the course of the window and say so only when asked. An image that a run waits
            // for may ask now and then; the others look again, and hear of it from requests that are not counted.
            let look = header.seenAt.addingTimeInterval(Self.probeInterval.seconds)
            if urgency == 0 {
                let lastTry = pulls.last.map { $0.at.addingTimeInterval(Self.probeInterval.seconds) } ?? look
                let next = max(look, lastTry)
                return next <= now ? nil : min(end, next)
            }
            return min(end, now.addingTimeInterval(Self.lookInterval.seconds))
        }
        guard let quota else { return nil }
        let counted = pulls.filter { isWithin($0, quota.per, now) }
        // As many of the oldest must leave the window as are missing above the floor.
        let missing = floor + 1 - (quota.pulls - counted.count)
        guard missing >= 1, missing <= counted.count else { return now.addingTimeInterval(quota.per.seconds) }
        return min(counted[missing - 1].at, now).addingTimeInterval(quota.per.seconds)
    }

    private static let probeInterval = Duration.seconds(900)
    private static let lookInterval = Duration.seconds(3600)

    private func floor(urgency: Int, limit: Int) -> Int {
        let keep = min(quota?.keep ?? limit / 10, limit)
        switch urgency {
        case ...0: return 0
        case 1: return keep
        case 2: return min(limit, keep + limit / 10)
        default: return min(limit, keep + limit / 4)
        }
    }

    private func isFresh(_ header: Header, now: Date) -> Bool {
        // From the future: the clock was set back. What it said still holds, for one window from now at most.
        now.timeIntervalSince(header.seenAt) < header.window.seconds
    }

    private func isWithin(_ pull: Pull, _ window: Duration, _ now: Date) -> Bool {
        now.timeIntervalSince(pull.at) < window.seconds
    }
}
