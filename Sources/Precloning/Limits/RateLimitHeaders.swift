package import NIOHTTP1

/// What a registry's headers say of its pull limit: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`.
///
/// Source: Docker's documentation of pull usage; the form is that of draft-ietf-httpapi-ratelimit-headers-03.
package struct RateLimitHeaders: Sendable, Hashable {
    package var limit: Int
    package var remaining: Int
    package var window: Duration

    /// Nil unless limit, remaining and window are all told: an answer without them was not counted.
    package init?(_ headers: HTTPHeaders) {
        guard let limit = Self.field(headers.first(name: "ratelimit-limit")),
            let remaining = Self.field(headers.first(name: "ratelimit-remaining")),
            let window = limit.window ?? remaining.window
        else { return nil }
        self.limit = limit.number
        self.remaining = min(remaining.number, limit.number)
        self.window = .seconds(window)
    }

    /// A number, and the window in seconds where there is one.
    private static func field(_ text: String?) -> (number: Int, window: Int?)? {
        guard let text else { return nil }
        // A list of policies may follow the number; the first is the one in force.
        let parts = text.prefix { $0 != "," }.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
        guard let first = parts.first, let number = Int(first), (0...1_000_000_000).contains(number) else { return nil }
        let window = parts.dropFirst().first { $0.hasPrefix("w=") }.flatMap { Int($0.dropFirst(2)) }
        guard let window else { return (number, nil) }
        return (1...31 * 86_400).contains(window) ? (number, window) : (number, nil)
    }
}
