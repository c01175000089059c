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
}
