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
    /// - Parameter isAlive: whether the process with this id still works on the record.
    /// - Throws: `LedgerError` for what was asked for and is not in the record, and for the record itself.
    package static func read(
        from reader: RecordReader,
        filter: Filter? = nil,
        extent: Extent = Extent(),
        now: Date,
        isAlive: @Sendable (Int32) -> Bool
    ) throws -> StatusReport {
        try reader.read { database in
            let row = try DaemonRow.fetchOne(database, sql: "SELECT * FROM daemon")
            let life = DaemonLife(row, isAlive: row.map { isAlive($0.pid) } ?? false, now: now)
            let query = try StatusQuery(database: database, extent: extent, now: now)
            let runs = try query.runs()
            var report = StatusReport(
                generatedAt: now,
                health: Health(state: .idle, reasons: []),
                daemon: Daemon(row, life: life),
                images: try query.counts(),
                runs: runs,
                copying: try query.copying(),
                waiting: try query.waiting(),
                blocked: try query.blocked(),
                unresolved: try query.unresolved(),
                moved: try query.moved(),
                registries: try query.registries(runs: runs.shown),
                nextRetryAt: try query.nextRetry()
            )
            report.daemon.sweeps = try query.sweeps()
            report.health = report.judged(row)
            if let filter { report.focus = try query.focus(filter) }
            return report
        }
    }

    // MARK: Health

    private func judged(_ row: DaemonRow?) -> Health {
        switch daemon.life {
        case .never: return Health(state: .notRunning, reasons: ["no daemon has worked on this record yet"])
        case .stopped where daemon.mode == "clone" || daemon.mode == "once":
            return Health(state: .notRunning, reasons: ["the last worker, `preclone \(command)`, has ended"])
        case .stopped: return Health(state: .notRunning, reasons: ["the daemon was stopped"])
        case .dead:
            return Health(
                state: .notRunning,
                reasons: [
                    "process \(daemon.pid ?? 0) is gone without a word: killed, crashed, or the machine went down"
                ]
            )
        case .stuck:
            return Health(
                state: .stuck,
                reasons: ["process \(daemon.pid ?? 0) is there but gives no sign of life"]
            )
        case .running: break
        }
        let troubles = troubles(row)
        if !troubles.isEmpty { return Health(state: .degraded, reasons: troubles) }
        if daemon.mode == "clone" {
            return Health(state: .notRunning, reasons: ["only a `preclone clone` is at work"])
        }
        let reasons = work
        return Health(state: reasons.isEmpty ? .idle : .healthy, reasons: reasons.isEmpty ? ["nothing to do"] : reasons)
    }

    private var command: String { daemon.mode == "once" ? "run --once" : daemon.mode ?? "run" }

    /// What a person should look at while the daemon runs.
    private func troubles(_ row: DaemonRow?) -> [String] {
        var reasons: [String] = []
        let stuckRuns = runs.shown.filter(\.standing.isStuck)
        if !stuckRuns.isEmpty {
            // Runs share images; no more of them can be in the way than are blocked at all.
            let images = min(self.images.blocked, stuckRuns.reduce(0) { $0 + $1.standing.blocked })
            let mentions = stuckRuns.reduce(0) { $0 + $1.standing.unresolved }
            let what = [
                images > 0 ? Phrase.count(images, "blocked image") : nil,
                mentions > 0 ? Phrase.count(mentions, "unresolved mention") : nil,
            ].compactMap(\.self).joined(separator: " and ")
            reasons.append("\(Phrase.count(stuckRuns.count, "live run")) cannot go on: \(what)")
        }
        let unread = runs.shown.filter { $0.standing.isUnknown && $0.trouble != nil }
        if let trouble = unread.first?.trouble {
            reasons.append("the images of \(Phrase.count(unread.count, "live run")) are not known: \(trouble)")
        }
        reasons += row?.troubles ?? []
        for registry in registries where registry.isResting(at: generatedAt) {
            reasons.append("\(Phrase.registry(registry.registry)) fails for everything")
        }
        return reasons
    }

    /// What is being done or waited for.
    private var work: [String] {
        var reasons: [String] = []
        let waitingRuns = runs.shown.filter { !$0.standing.isReady }
        if !waitingRuns.isEmpty {
            reasons.append(
                "\(Phrase.count(waitingRuns.count, "run")) wait\(waitingRuns.count == 1 ? "s" : "") for images"
            )
        }
        if images.cloning > 0 { reasons.append("\(Phrase.count(images.cloning, "image")) being cloned") }
        let queued = images.pending + images.retrying
        if queued > 0 { reasons.append("\(Phrase.count(queued, "image")) queued") }
        return reasons
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
        stoppedAt = row.stoppedAt.map(Date.init(milliseconds:))
        lastPollAt = row.lastPollAt.map(Date.init(milliseconds:))
        lastPollTrouble = row.lastPollTrouble
        lastEventAt = row.lastEventAt.map(Date.init(milliseconds:))
        eventTrouble = row.eventTrouble
        configurationTrouble = row.configTrouble
        configurationTroubleAt = row.configTroubleAt.map(Date.init(milliseconds:))
    }
}
