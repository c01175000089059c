package import Foundation
import GRDB
package import Model

extension ActivityReport {
    /// Reads the report in one transaction.
    ///
    /// - Parameters:
    ///   - since: where it begins; older rows may be gone (`record.keepAttempts`, `keepEvents`).
    ///   - limit: rows of each list.
    /// - Throws: `LedgerError` for the record.
    package static func read(
        from reader: RecordReader,
        since: Date,
        limit: Int = 50,
        now: Date
    ) throws -> ActivityReport {
        try reader.read { database in
            let status = try StatusQuery(database: database, extent: .init(rows: limit), now: now)
            let query = ActivityQuery(database: database, since: since, limit: limit)
            var report = ActivityReport(generatedAt: now, since: since, images: try status.counts())
            if let daemon = try DaemonRow.fetchOne(database, sql: "SELECT * FROM daemon") {
                report.version = daemon.version
                report.account = daemon.account
                report.region = daemon.region
            }
            report.routes = try query.routes()
            report.leadTimes = try query.leadTimes()
            report.storage = try .counted(in: database, region: report.region)
            report.workflows = try query.workflows()
            report.moved = try query.moved()
            report.coverage = try query.coverage()
            report.drift = try query.drift()
            report.quotas = try query.quotas(status.hosts)
            report.slowest = try query.slowest()
            let blocked = try status.blocked()
            report.blocked = .init(
                total: blocked.total,
                shown: blocked.shown.map {
                    Blocked(source: $0.source, reason: $0.reason, mend: $0.mend, wantedBy: $0.wantedBy)
                }
            )
            return report
        }
    }
}

private struct ActivityQuery {
    let database: Database
    let since: Date
    let limit: Int

    private var from: StatementArguments { ["since": since.milliseconds] }

    private func rows(_ sql: String) throws -> [Row] {
        try Row.fetchAll(database, sql: sql, arguments: sql.contains(":since") ? from : [])
    }

    func routes() throws -> [ActivityReport.RouteShare] {
        try rows(
            """
            SELECT COALESCE(route, 'unknown') AS way, COUNT(*) AS images, COALESCE(SUM(bytes), 0) AS bytes FROM image
            WHERE state = 'ready' AND urgency < 4 GROUP BY way ORDER BY images DESC, way
            """
        ).map { .init(route: $0["way"], images: $0["images"], bytes: $0["bytes"]) }
    }

    /// The ready attempt that a run's first task found, or else the one that came too late for it.
    func leadTimes() throws -> ActivityReport.LeadTimes {
        let found = try rows(
            """
            SELECT run.key, (run.firstTaskAt - COALESCE(
                (SELECT MAX(endedAt) FROM attempt WHERE imageID = image.id AND result = 'ready'
                    AND endedAt <= run.firstTaskAt),
                (SELECT MIN(endedAt) FROM attempt WHERE imageID = image.id AND result = 'ready'
                    AND endedAt > run.firstTaskAt),
                image.readyAt)) / 1000.0 AS lead
            FROM run JOIN demand ON demand.kind = 'run' AND demand.subject = run.key JOIN image ON image.id = demand.imageID
            WHERE run.firstTaskAt >= :since AND demand.certainty <> 'inactive' AND image.readyAt IS NOT NULL
            """
        )
        return .init(runs: Set(found.map { $0["key"] as String }).count, leads: found.map { $0["lead"] })
    }

    func workflows() throws -> StatusReport.Part<ActivityReport.WorkflowShare> {
        let found = try rows(
            """
            WITH want AS (
                SELECT CASE WHEN instr(subject, '/') > 0 THEN substr(subject, 1, instr(subject, '/') - 1) ELSE subject END
                    AS workflow, imageID FROM demand
                WHERE kind IN ('version', 'learned') AND endedAt IS NULL AND certainty <> 'inactive'
                UNION SELECT run.workflowID, imageID FROM demand JOIN run ON run.key = demand.subject
                WHERE kind = 'run' AND certainty <> 'inactive' AND run.createdAt >= :since AND run.workflowID IS NOT NULL),
            share AS (
                SELECT workflow, image.state AS state, COALESCE(image.bytes, 0) AS bytes,
                    COUNT(*) OVER (PARTITION BY imageID) AS sharers
                FROM want JOIN image ON image.id = want.imageID)
            SELECT share.workflow, workflow.name,
                (SELECT COUNT(*) FROM run WHERE workflowID = share.workflow AND createdAt >= :since) AS runs,
                COUNT(*) AS images, SUM(state = 'ready') AS ready,
                SUM(CASE WHEN state = 'ready' THEN bytes ELSE 0 END) AS bytes,
                SUM(CASE WHEN state = 'ready' AND sharers = 1 THEN bytes ELSE 0 END) AS ownBytes
            FROM share LEFT JOIN workflow ON workflow.id = share.workflow
            GROUP BY share.workflow ORDER BY bytes DESC, share.workflow
            """
        ).map { row in
            ActivityReport.WorkflowShare(
                id: row["workflow"],
                name: row["name"],
                runs: row["runs"],
                images: row["images"],
                ready: row["ready"],
                bytes: row["bytes"],
                ownBytes: row["ownBytes"]
            )
        }
        return .init(total: found.count, shown: Array(found.prefix(limit)))
    }

    func moved() throws -> [ActivityReport.Day] {
        try rows(
            """
            SELECT day, bytes FROM bytesMoved WHERE day >= strftime('%Y-%m-%d', :since / 1000, 'unixepoch') ORDER BY day
            """
        ).map { .init(day: $0["day"], bytes: $0["bytes"]) }
    }

    func coverage() throws -> StatusReport.Coverage {
        var coverage = StatusReport.Coverage()
        for row in try rows("SELECT used, missed, at FROM coverage WHERE at >= :since ORDER BY at") {
            coverage.add(row)
        }
        return coverage
    }

    func drift() throws -> StatusReport.Part<ActivityReport.Drift> {
        let found = try rows(
            """
            SELECT source, digest, firstSeenAt, (SELECT digest FROM digest AS former WHERE former.source = digest.source
                AND former.location = digest.location AND former.id < digest.id ORDER BY former.id DESC LIMIT 1) AS former
            FROM digest WHERE location = 'upstream' AND note = 'moved' AND firstSeenAt >= :since
            ORDER BY firstSeenAt DESC, id DESC
            """
        ).map { row in
            ActivityReport.Drift(
                source: row["source"],
                from: row["former"],
                to: row["digest"],
                seenAt: Date(milliseconds: row["firstSeenAt"])
            )
        }
        return .init(total: found.count, shown: Array(found.prefix(limit)))
    }

    func quotas(_ hosts: [HostRow]) throws -> [ActivityReport.Quota] {
        let found = try rows(
            """
            SELECT host, credential, strftime('%Y-%m-%d', at / 1000, 'unixepoch') AS day, COUNT(*) AS pulls FROM pull
            WHERE at >= :since GROUP BY host, credential, day ORDER BY host, credential, day
            """
        )
        var quotas: [ActivityReport.Quota] = []
        var last: [String] = []
        for row in found {
            let (host, credential): (String, String) = (row["host"], row["credential"])
            if last != [host, credential] {
                last = [host, credential]
                let known = hosts.first { $0.host == host && $0.credential == credential }
                quotas.append(
                    .init(
                        registry: host,
                        hasCredential: !credential.isEmpty,
                        limit: known?.quotaLimit ?? known?.countedLimit,
                        windowSeconds: known?.quotaLimit == nil ? known?.countedWindow : known?.quotaWindow,
                        days: []
                    )
                )
            }
            quotas[quotas.count - 1].days.append(.init(day: row["day"], pulls: row["pulls"]))
        }
        return Array(quotas.prefix(limit))
    }

    func slowest() throws -> [ActivityReport.Clone] {
        try rows(
            """
            SELECT image.source, attempt.route, (endedAt - startedAt) / 1000.0 AS seconds, attempt.bytes, endedAt
            FROM attempt JOIN image ON image.id = attempt.imageID
            WHERE result = 'ready' AND attempt.route <> 'present' AND endedAt >= :since
            ORDER BY endedAt - startedAt DESC, attempt.id LIMIT 10
            """
        ).map { row in
            .init(
                source: row["source"],
                route: row["route"],
                seconds: row["seconds"],
                bytes: row["bytes"],
                endedAt: Date(milliseconds: row["endedAt"])
            )
        }
    }
}
