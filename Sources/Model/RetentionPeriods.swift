/// How long rows are kept.
package struct RetentionPeriods: Sendable, Hashable {
    /// Attempts, digests that a newer one has replaced, and demands that have ended.
    package var attempts: Duration
    /// Events, runs that have ended, and requests that are done.
    package var events: Duration
    package var audit: Duration

    package init(attempts: Duration, events: Duration, audit: Duration) {
        self.attempts = attempts
        self.events = events
        self.audit = audit
    }
}
