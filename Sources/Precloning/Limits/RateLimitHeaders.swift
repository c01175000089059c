package import Foundation
package import Model
package import NIOHTTP1

extension RateLimitHeaders {
    /// Nil unless it is told what remains: an answer without that was not counted.
    package init?(_ headers: HTTPHeaders, now: Date) {
        guard let left = Self.items(headers, "ratelimit-remaining").first else { return nil }
        let policies = Self.items(headers, "ratelimit-limit")
        let limit = policies.first?.number
        // The number in force may stand alone, before the policies it comes from.
        let window =
            policies.first?.window ?? policies.first { $0.number == limit && $0.window != nil }?.window
            ?? policies.compactMap(\.window).first ?? left.window ?? Self.reset(headers, now: now)
        self.init(
            limit: limit,
            remaining: limit.map { min(left.number, $0) } ?? left.number,
            window: window.map { .seconds($0) }
        )
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
