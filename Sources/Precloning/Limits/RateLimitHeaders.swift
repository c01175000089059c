package import Foundation
package import NIOHTTP1

/// What a registry's headers say of its pull limit: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`.
///
/// Source: Docker's documentation of pull usage; the form is that of draft-ietf-httpapi-ratelimit-headers-03, which also
/// knows `ratelimit-limit: 100, 100;w=21600` and `ratelimit-reset`.
package struct RateLimitHeaders: Sendable, Hashable {
    /// Nil where only what remains is told.
    package var limit: Int?
    package var remaining: Int
    /// Nil where none is told.
    package var window: Duration?

    package init(limit: Int?, remaining: Int, window: Duration?) {
        self.limit = limit
        self.remaining = remaining
        self.window = window
    }

    /// Nil unless it is told what remains: an answer without that was not counted.
    package init?(_ headers: HTTPHeaders, now: Date) {
        guard let left = Self.items(headers, "ratelimit-remaining").first else { return nil }
        let policies = Self.items(headers, "ratelimit-limit")
        let limit = policies.first?.number
        self.limit = limit
        remaining = limit.map { min(left.number, $0) } ?? left.number
        // The number in force may stand alone, before the policies it comes from.
        let window =
            policies.first?.window ?? policies.first { $0.number == limit && $0.window != nil }?.window
            ?? policies.compactMap(\.window).first ?? left.window ?? Self.reset(headers, now: now)
        self.window = window.map { .seconds($0) }
    }

    /// The items of a list: a number, and the window in seconds where there is one.
    private static func items(_ headers: HTTPHeaders, _ name: String) -> [(number: Int, window: Int?)] {
        headers[name].flatMap { $0.split(separator: ",") }.compactMap { item in
            let parts = item.split(separator: ";").map {
                $0.filter { !" \t\"".contains($0) }.lowercased()
            }
            guard let first = parts.first, let number = Int(first), (0...1_000_000_000).contains(number) else {
                return nil
            }
            let window = parts.dropFirst().first { $0.hasPrefix("w=") }.flatMap { Int($0.dropFirst(2)) }
            return (number, window.flatMap { windows.contains($0) ? $0 : nil })
        }
    }

    /// Seconds until all is free again: the count holds for no longer. Some send the moment instead.
    private static func reset(_ headers: HTTPHeaders, now: Date) -> Int? {
        guard let first = headers.first(name: "ratelimit-reset")?.prefix(while: { $0 != "," && $0 != ";" }),
            let number = Int(first.filter { $0 != " " })
        else { return nil }
        let seconds = number > 1_000_000_000 ? number - Int(now.timeIntervalSince1970) : number
        return windows.contains(seconds) ? seconds : nil
    }

    private static let windows = 1...31 * 86_400
}
