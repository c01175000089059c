package import Foundation
import GRDB
package import Model

extension StatusReport {
    /// What is asked for.
    package enum Filter: Sendable, Hashable {
        case run(id: String)
        /// `ID` or `ID/VERSION`.
        case workflow(String)
        /// A reference as people write it, or an ECR URI.
        case image(String)
    }

    /// How much of each list is shown.
    package struct Extent: Sendable {
        package var runs = 1000
        package var rows = 50

        package init(runs: Int = 1000, rows: Int = 50) {
            self.runs = runs
            self.rows = rows
        }
    }

    /// Reads the report in one transaction. What it costs grows with live runs and what is shown, not with the record.
    ///
    /// - Parameters:
    ///   - condition: what can be seen of the record from outside; it stands before all else.
    ///   - isAlive: whether the process with this id still works on the record.
    /// - Throws: `LedgerError` for what was asked for and is not in the record, and for the record itself.
    package static func read(
        from reader: RecordReader,
        filter: Filter? = nil,
        extent: Extent = Extent(),
        now: Date,
        condition: [String] = [],
        isAlive: @Sendable (Int32) -> Bool
    ) throws -> StatusReport {
        try reader.read { database in
            let row = try DaemonRow.fetchOne(database, sql: "SELECT * FROM daemon")
            let life = DaemonLife(row, isAlive: row.map { isAlive($0.pid) } ?? false, now: now)
            let query = try StatusQuery(database: database, extent: extent, now: now)
            let images = try query.counts()
            let pace = try query.pace(images)
            let (runs, counts, groups) = try query.runs(pace)
            var report = StatusReport(
                generatedAt: now,
                health: Health(state: .idle, reasons: []),
                daemon: Daemon(row, life: life),
                images: images,
                runs: runs,
                copying: try query.copying(),
                waiting: try query.waiting(),
                blocked: try query.blocked(),
                unresolved: try query.unresolved(),
                moved: try query.moved(),
                registries: try query.registries(runs: runs.shown),
                nextRetryAt: try query.nextRetry()
            )
            report.storage = try .noted(in: database, region: report.daemon.region)
            report.runCounts = counts
            report.runGroups = groups.total > 0 ? groups : nil
            let policy = try query.policy()
            report.policy = policy.isEmpty ? nil : policy
            report.daemon.sweeps = try query.sweeps()
            let troubles = try query.troubles()
            report.daemon.troubles = troubles.isEmpty ? nil : troubles
            report.health = report.judged(row, condition: condition, workflows: try query.stuckWorkflows())
            if let filter { report.focus = try query.focus(filter, pace) }
            return report
        }
    }
}

extension StatusReport.Daemon {
    init(_ row: DaemonRow?, life: DaemonLife) {
        self.init(life: life)
        guard let row else { return }
        pid = row.pid
        mode = row.mode
        version = row.version
        account = row.account
        region = row.region
        startedAt = Date(milliseconds: row.startedAt)
        beatAt = Date(milliseconds: row.beatAt)
        aliveAt = row.aliveAt.map(Date.init(milliseconds:))
        stoppedAt = row.stoppedAt.map(Date.init(milliseconds:))
        lastPollAt = row.lastPollAt.map(Date.init(milliseconds:))
        lastPollTrouble = row.lastPollTrouble
        lastEventAt = row.lastEventAt.map(Date.init(milliseconds:))
        eventTrouble = row.eventTrouble
        configurationTrouble = row.configTrouble
        configurationTroubleAt = row.configTroubleAt.map(Date.init(milliseconds:))
    }
}
