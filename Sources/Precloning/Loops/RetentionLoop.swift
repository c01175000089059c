package import Configuring
import Logging
package import Model
package import Record
package import Remotes

/// Deletes what is older than the configuration keeps, a little at a time: nobody waits for it. Then counts what is kept in ECR.
package struct RetentionLoop: WorkLoop {
    package let name = "retention"
    package let bell = Bell()

    private static let interval = Duration.seconds(3600)
    private static let breath = Duration.milliseconds(200)

    let ledger: Ledger
    let timeline: Timeline
    let keep: @Sendable () -> RetentionPeriods

    package init(ledger: Ledger, timeline: Timeline, keep: @escaping @Sendable () -> RetentionPeriods) {
        self.ledger = ledger
        self.timeline = timeline
        self.keep = keep
    }

    /// One batch of each table, or some freed pages; the rest after a breath.
    package func pass() async throws -> Duration {
        if try ledger.prune(keep(), now: timeline.now()) { return Self.breath }
        if try ledger.vacuum() { return Self.breath }
        try ledger.noteStorage()
        return Self.interval
    }
}

extension RetentionPeriods {
    /// As `record` of the configuration says.
    package init(_ record: Configuration.Record) {
        self.init(attempts: record.keepAttempts, events: record.keepEvents, audit: record.keepAudit)
    }
}
