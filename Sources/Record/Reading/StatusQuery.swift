import Foundation
import GRDB
import Model

/// The queries behind a report. Each reads by an index, and no more rows than live runs name or the extent shows.
struct StatusQuery {
    let database: Database
    let extent: StatusReport.Extent
    let now: Date
    let hosts: [HostRow]
    /// Registries of which nothing is asked now, and until when.
    let resting: [String: Date]

    init(database: Database, extent: StatusReport.Extent, now: Date) throws {
        self.database = database
        self.extent = extent
        self.now = now
        hosts = try HostRow.fetchAll(database, sql: "SELECT * FROM host ORDER BY host, credential")
        resting = hosts.reduce(into: [:]) { resting, row in
            let open = row.breaker == "open" ? row.breakerUntil : nil
            for until in [row.pausedUntil, open].compactMap(\.self) where until > now.milliseconds {
                resting[row.host] = max(resting[row.host] ?? .distantPast, Date(milliseconds: until))
            }
        }
    }

    /// Images by state, from the tally that triggers keep.
    func counts() throws -> StatusReport.Counts {
        var counts = StatusReport.Counts()
        for row in try Row.fetchAll(database, sql: "SELECT state, SUM(images) AS images FROM tally GROUP BY state") {
            let images: Int = row["images"]
            switch row["state"] as String {
            case "pending": counts.pending = images
            case "cloning": counts.cloning = images
            case "ready": counts.ready = images
            case "retrying": counts.retrying = images
            default: counts.blocked += images
            }
        }
        counts.unresolved =
            try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM unresolved WHERE endedAt IS NULL") ?? 0
        return counts
    }

    // MARK: Runs

    /// Live runs with the standing of their images; those that wait first, then by age.
    func runs(
        _ pace: StatusReport.Pace
    ) throws -> (
        part: StatusReport.Part<StatusReport.RunStatus>, counts: StatusReport.RunCounts,
        groups: StatusReport.Part<StatusReport.RunGroup>
    ) {
        let standings = try standings(
            demand: "demand.kind = 'run' AND demand.endedAt IS NULL",
            unresolved: "kind = 'run' AND endedAt IS NULL"
        )
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT key, id, name, status, workflowID, workflowType, versionName, createdAt, surveyedAt, trouble
                FROM run
                WHERE endedAt IS NULL ORDER BY createdAt DESC
                """
        )
        let all = rows.map { row in
            var run = Self.runStatus(row, standings[row["key"] as String])
            run.readyBy = run.standing.readyBy(pace, now: now)
            return run
        }
        let waiting = all.filter { !$0.standing.isReady }
        let sorted =
            waiting.filter(\.standing.isStuck) + waiting.filter { !$0.standing.isStuck }
            + all.filter(\.standing.isReady)
        let groups = StatusReport.RunGroup.groups(of: waiting)
        return (
            .init(total: all.count, shown: Array(sorted.prefix(extent.runs))), StatusReport.RunCounts(all),
            .init(total: groups.count, shown: Array(groups.prefix(extent.rows)))
        )
    }

    /// How fast images come.
    func pace(_ counts: StatusReport.Counts) throws -> StatusReport.Pace {
        let average = try Double.fetchOne(
            database,
            sql: """
                SELECT AVG(endedAt - startedAt) / 1000.0 FROM (SELECT startedAt, endedAt, result, route FROM attempt
                    ORDER BY id DESC LIMIT 200) WHERE result = 'ready' AND route <> 'present'
                """
        )
        let copies = try Row.fetchAll(database, sql: "SELECT bytesDone, bytesTotal, bytesPerSecond FROM progress")
        let left = copies.map { row -> Double? in
            guard let total: Int64 = row["bytesTotal"], let rate: Int64 = row["bytesPerSecond"], rate > 0 else {
                return nil
            }
            return Double(max(0, total - (row["bytesDone"] as Int64))) / Double(rate)
        }
        let isTold = copies.count >= counts.cloning && left.allSatisfy { $0 != nil }
        return StatusReport.Pace(
            secondsPerImage: average,
            parallel: counts.cloning,
            queued: counts.pending,
            // Without its own word, what is copied takes as long as the last ones did.
            copyingSeconds: isTold ? left.compactMap(\.self).max() : average
        )
    }

    static func runStatus(_ row: Row, _ standing: StatusReport.Standing?) -> StatusReport.RunStatus {
        var standing = standing ?? StatusReport.Standing()
        let isOurs = row["workflowType"] as String? != "READY2RUN"
        // With any trouble it is not known that nothing else is needed, whatever earlier runs were seen to use.
        let isUnread = isOurs && row["trouble"] as String? != nil
        standing.isUnknown = row["surveyedAt"] as Milliseconds? == nil || isUnread
        let version: String = row["versionName"]
        return StatusReport.RunStatus(
            id: row["id"],
            name: row["name"],
            status: row["status"],
            workflowID: row["workflowID"],
            workflowVersion: version.isEmpty ? nil : version,
            createdAt: (row["createdAt"] as Milliseconds?).map(Date.init(milliseconds:)),
            trouble: row["trouble"],
            standing: standing
        )
    }

    /// The standing of every subject that the conditions select, by its text.
    func standings(
        demand: String,
        unresolved: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> [String: StatusReport.Standing] {
        var standings: [String: StatusReport.Standing] = [:]
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT demand.subject, image.state, image.registry, image.failureClass, demand.comesByItself, COUNT(*) AS images,
                    MAX(image.dueAt) AS until
                FROM demand JOIN image ON image.id = demand.imageID
                WHERE \(demand) AND demand.certainty <> 'inactive' AND NOT (\(Self.isOutOfReach))
                GROUP BY demand.subject, image.state, image.registry, image.failureClass, demand.comesByItself
                """,
            arguments: arguments
        )
        while let row = try rows.next() {
            let images: Int = row["images"]
            let registry: String = row["registry"]
            standings[row["subject"], default: .init()].add(
                images,
                state: row["state"],
                registry: registry,
                reason: row["failureClass"],
                until: (row["until"] as Milliseconds?).map(Date.init(milliseconds:)),
                restsUntil: resting[registry],
                comesByItself: row["comesByItself"]
            )
        }
        let mentions = try Row.fetchAll(
            database,
            sql: "SELECT subject, COUNT(*) AS mentions FROM unresolved WHERE \(unresolved) GROUP BY subject",
            arguments: arguments
        )
        for row in mentions { standings[row["subject"], default: .init()].unresolved = row["mentions"] }
        return standings
    }

    /// An image that no mapping reaches may be cloned all the same (`clone.unmapped`): then it has a second row, with a
    /// place where whoever wants it cannot pull it. Only the first row, which is blocked, says how it stands for them.
    static let isOutOfReach = """
        image.destination <> '' AND EXISTS (SELECT 1 FROM image AS bare JOIN demand AS same ON same.imageID = bare.id
            WHERE bare.source = image.source AND bare.destination = '' AND same.kind = demand.kind
            AND same.subject = demand.subject AND (same.endedAt IS NULL) = (demand.endedAt IS NULL))
        """

    // MARK: Workflows

    /// Versions that runs would stand still of if they began now: an image that is certain to be used is blocked, or every
    /// image is.
    ///
    /// It grows with what is blocked, not with what is wanted.
    func stuckWorkflows() throws -> StatusReport.StuckWorkflows? {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT demand.subject, COUNT(DISTINCT image.id) AS images, MAX(demand.certainty = 'certain') AS isSure,
                    (SELECT COUNT(DISTINCT other.imageID) FROM demand AS other WHERE other.kind IN ('version', 'learned')
                        AND other.subject = demand.subject AND other.endedAt IS NULL
                        AND other.certainty <> 'inactive') AS total
                FROM image CROSS JOIN demand ON demand.imageID = image.id
                WHERE image.state = 'blocked' AND demand.kind IN ('version', 'learned') AND demand.endedAt IS NULL
                    AND demand.certainty <> 'inactive' AND NOT demand.comesByItself
                GROUP BY demand.subject ORDER BY demand.subject
                """
        )
        let stuck = rows.filter { row in (row["isSure"] as Bool) || (row["images"] as Int) >= (row["total"] as Int) }
        guard let first = stuck.first else { return nil }
        return StatusReport.StuckWorkflows(total: stuck.count, first: first["subject"], images: first["images"])
    }

    // MARK: Troubles

    /// What the daemon said of itself, with what single lists met on their way.
    func troubles() throws -> [StatusReport.Trouble] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT part, what, since FROM trouble
                UNION ALL SELECT name, trouble, startedAt FROM sweep WHERE trouble IS NOT NULL
                    AND name NOT IN (SELECT part FROM trouble)
                ORDER BY part
                """
        ).map { row in
            StatusReport.Trouble(
                part: row["part"],
                what: row["what"],
                since: (row["since"] as Milliseconds?).map(Date.init(milliseconds:))
            )
        }
    }

    /// How often each rule of policy decided, those that denied most first.
    func policy() throws -> [StatusReport.RuleHits] {
        try Row.fetchAll(
            database,
            sql: "SELECT * FROM ruleHit ORDER BY denied DESC, warned DESC, rule LIMIT \(extent.rows)"
        ).map { row in
            StatusReport.RuleHits(
                rule: row["rule"],
                allowed: row["allowed"],
                denied: row["denied"],
                warned: row["warned"],
                lastAt: Date(milliseconds: row["lastAt"])
            )
        }
    }

    // MARK: Images

    func copying() throws -> StatusReport.Part<StatusReport.ImageStatus> {
        let rows = try images(
            """
            SELECT * FROM image WHERE state = 'cloning' ORDER BY updatedAt LIMIT \(extent.rows)
            """
        )
        return .init(total: rows.count, shown: rows)
    }

    /// What is due next, the most urgent first.
    func waiting() throws -> StatusReport.Part<StatusReport.ImageStatus> {
        var rows = try liveImages(states: "'pending', 'retrying'")
        for state in ["pending", "retrying"] where rows.count < extent.rows {
            let more = try images(
                "SELECT * FROM image WHERE state = '\(state)' AND urgency < 4 ORDER BY dueAt LIMIT \(extent.rows)"
            )
            rows = Self.merged(rows, more, limit: extent.rows)
        }
        return .init(total: try total("'pending', 'retrying'"), shown: rows)
    }

    /// Those that live runs need first, then what was blocked last.
    func blocked() throws -> StatusReport.Part<StatusReport.ImageStatus> {
        var rows = try liveImages(states: "'blocked'")
        if rows.count < extent.rows {
            let more = try images(
                "SELECT * FROM image WHERE state = 'blocked' AND urgency < 4 ORDER BY updatedAt DESC LIMIT \(extent.rows)"
            )
            rows = Self.merged(rows, more, limit: extent.rows)
        }
        return .init(total: try total("'blocked'"), shown: rows)
    }

    func moved() throws -> StatusReport.Part<StatusReport.ImageStatus> {
        let shown = try images(
            """
            SELECT * FROM image WHERE movedDigest IS NOT NULL ORDER BY updatedAt DESC LIMIT \(extent.rows)
            """
        )
        let total = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM image WHERE movedDigest IS NOT NULL") ?? 0
        return .init(total: total, shown: shown)
    }

    private func total(_ states: String) throws -> Int {
        try Int.fetchOne(database, sql: "SELECT SUM(images) FROM tally WHERE state IN (\(states))") ?? 0
    }

    private func liveImages(states: String) throws -> [StatusReport.ImageStatus] {
        try images(
            """
            SELECT * FROM image WHERE state IN (\(states)) AND id IN (
                SELECT imageID FROM demand WHERE kind = 'run' AND endedAt IS NULL AND certainty <> 'inactive')
            ORDER BY dueAt, id LIMIT \(extent.rows)
            """
        )
    }

    private static func merged(
        _ first: [StatusReport.ImageStatus],
        _ second: [StatusReport.ImageStatus],
        limit: Int
    ) -> [StatusReport.ImageStatus] {
        let known = Set(first.map { [$0.source, $0.destination] })
        return Array((first + second.filter { !known.contains([$0.source, $0.destination]) }).prefix(limit))
    }

    /// Images of a query over `image`, with progress and who wants them.
    func images(_ sql: String, arguments: StatementArguments = StatementArguments()) throws
        -> [StatusReport.ImageStatus]
    {
        try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
            let id: Int64 = row["id"]
            var image = StatusReport.ImageStatus(row)
            if image.state == "pending" { image.registryRestsUntil = resting[image.registry] }
            if image.state == "cloning" {
                let statement = try database.cachedStatement(sql: "SELECT * FROM progress WHERE imageID = ?")
                image.progress = try Row.fetchOne(statement, arguments: [id]).map(StatusReport.Progress.init)
            }
            let statement = try database.cachedStatement(
                sql: """
                    SELECT kind, subject FROM demand WHERE imageID = ? AND endedAt IS NULL
                    ORDER BY kind = 'run' DESC, id LIMIT 5
                    """
            )
            image.wantedBy = try Row.fetchAll(statement, arguments: [id])
                .map { Self.subject(kind: $0["kind"], $0["subject"]) }
            return image
        }
    }

    /// `run 123`, `workflow 9/v2`, `request 7`.
    static func subject(kind: String, _ subject: String) -> String {
        switch kind {
        case "run": "run \(subject.prefix { $0 != "@" })"
        case "clone": "request \(subject)"
        default: "workflow \(subject)"
        }
    }

    func unresolved() throws -> StatusReport.Part<StatusReport.UnresolvedStatus> {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT * FROM unresolved WHERE endedAt IS NULL ORDER BY kind = 'run' DESC, id DESC LIMIT \(extent.rows)
                """
        )
        let total = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM unresolved WHERE endedAt IS NULL") ?? 0
        return .init(total: total, shown: rows.map(StatusReport.UnresolvedStatus.init))
    }

    /// What is listed again and again. A record that no daemon of this version has worked on does not say how often.
    func sweeps() throws -> [StatusReport.Sweep] {
        try Row.fetchAll(database, sql: "SELECT * FROM sweep ORDER BY name").compactMap { row in
            (row["period"] as Milliseconds?).map { period in
                StatusReport.Sweep(
                    name: row["name"],
                    every: Double(period) / 1000,
                    finishedAt: (row["finishedAt"] as Milliseconds?).map(Date.init(milliseconds:))
                )
            }
        }
    }

    func nextRetry() throws -> Date? {
        try Milliseconds.fetchOne(
            database,
            sql: "SELECT MIN(dueAt) FROM image WHERE state = 'retrying' AND dueAt > ?",
            arguments: [now.milliseconds]
        ).map(Date.init(milliseconds:))
    }
}

extension StatusReport.ImageStatus {
    init(_ row: Row) {
        self.init(
            source: row["source"],
            destination: row["destination"],
            registry: row["registry"],
            state: row["state"],
            route: row["route"],
            routeDetail: row["routeDetail"],
            reason: row["reason"],
            mend: row["mend"],
            failureClass: row["failureClass"],
            rule: row["rule"],
            digest: row["ecrDigest"],
            sourceDigest: row["sourceDigest"],
            movedDigest: row["movedDigest"],
            bytes: row["bytes"],
            access: row["access"],
            attempts: row["attempts"],
            dueAt: (row["dueAt"] as Milliseconds?).map(Date.init(milliseconds:)),
            readyAt: (row["readyAt"] as Milliseconds?).map(Date.init(milliseconds:)),
            verifiedAt: (row["verifiedAt"] as Milliseconds?).map(Date.init(milliseconds:)),
            updatedAt: Date(milliseconds: row["updatedAt"]),
            wantedBy: []
        )
    }
}

extension StatusReport.Progress {
    init(_ row: Row) {
        self.init(
            startedAt: Date(milliseconds: row["startedAt"]),
            updatedAt: Date(milliseconds: row["updatedAt"]),
            bytesDone: row["bytesDone"],
            bytesTotal: row["bytesTotal"],
            bytesPerSecond: row["bytesPerSecond"]
        )
    }
}

extension StatusReport.UnresolvedStatus {
    init(_ row: Row) {
        let kind: String = row["kind"]
        self.init(
            kind: kind,
            subject: StatusQuery.subject(kind: kind, row["subject"]),
            place: row["place"],
            expression: row["expression"],
            missing: row["missing"],
            tasks: strings(inJSON: row["tasks"])
        )
    }
}
