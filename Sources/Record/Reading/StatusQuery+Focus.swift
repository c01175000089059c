import Foundation
import GRDB
import Model
import Names

extension StatusQuery {
    /// One run, workflow or image in full.
    ///
    /// - Throws: `LedgerError` when the record does not know it.
    func focus(_ filter: StatusReport.Filter, _ pace: StatusReport.Pace) throws -> StatusReport.Focus {
        switch filter {
        case .run(let id): try focus(run: id, pace)
        case .workflow(let text): try focus(workflow: text)
        case .image(let text): try focus(image: text)
        }
    }

    private func focus(run text: String, _ pace: StatusReport.Pace) throws -> StatusReport.Focus {
        // Ids are used again after deletion: the newest is meant.
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT * FROM run WHERE id = :text OR key = :text OR uuid = :text OR name = :text
                ORDER BY id <> :text, endedAt IS NOT NULL, createdAt DESC LIMIT 1
                """,
            arguments: ["text": text]
        )
        guard let row else {
            throw LedgerError(
                "run \(text) is not in the record: the daemon has not seen it yet, or it belongs to another Region"
            )
        }
        let key: String = row["key"]
        let isLive = row["endedAt"] as Milliseconds? == nil
        let live = isLive ? " AND endedAt IS NULL" : ""
        let standings = try standings(
            demand: "demand.kind = 'run' AND demand.subject = ?" + (isLive ? " AND demand.endedAt IS NULL" : ""),
            unresolved: "kind = 'run' AND subject = ?\(live)",
            arguments: [key]
        )
        let run = Self.runStatus(row, standings[key])
        var sentence = run.standing.sentence(now: now, zone: .gmt)
        if !isLive { sentence = "ended (\(run.status)); \(sentence)" }
        if let trouble = run.trouble { sentence += "; \(trouble)" }
        var focus = StatusReport.Focus(
            kind: "run",
            subject: run.id,
            sentence: sentence,
            isReady: run.standing.isReady,
            images: try focusImages(kinds: ["run"], subject: key, isLive: isLive),
            unresolved: try focusUnresolved(kinds: ["run"], subject: key, isLive: isLive),
            attempts: []
        )
        if isLive { focus.readyBy = run.standing.readyBy(pace, now: now) }
        return focus
    }

    private func focus(workflow text: String) throws -> StatusReport.Focus {
        let id = String(text.prefix { $0 != "/" })
        let isKnown = try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM workflow WHERE id = :id) OR EXISTS (SELECT 1 FROM version
                    WHERE workflowID = :id) OR EXISTS (SELECT 1 FROM demand WHERE kind = 'version' AND subject = :text)
                """,
            arguments: ["id": id, "text": text]
        )
        guard isKnown == true else {
            throw LedgerError(
                "workflow \(text) is not in the record: the daemon has not seen it, or watch.workflows leaves it out"
            )
        }
        // `9` means all its versions: `9/` is below every one of them, and `90` above.
        let standings = try standings(
            demand: """
                demand.kind IN ('version', 'learned') AND demand.endedAt IS NULL
                AND demand.subject >= :text AND demand.subject < :text || '0'
                AND (demand.subject = :text OR demand.subject > :text || '/')
                """,
            unresolved: """
                kind = 'version' AND endedAt IS NULL
                AND subject >= :text AND subject < :text || '0' AND (subject = :text OR subject > :text || '/')
                """,
            arguments: ["text": text]
        )
        var total = StatusReport.Standing()
        let images = try focusImages(kinds: ["version", "learned"], subject: text, isLive: true)
        let unresolved = try focusUnresolved(kinds: ["version"], subject: text, isLive: true)
        // An image that several versions need is counted once.
        for image in images where image.counts {
            total.add(image)
        }
        total.waits = StatusReport.Wait.grouped(total.waits)
        total.unresolved = unresolved.count
        let unread = try unreadVersions(text)
        total.isUnknown = !unread.isEmpty || standings.isEmpty && images.isEmpty && unresolved.isEmpty
        var sentence = total.sentence(now: now, zone: .gmt)
        if let trouble = unread.lazy.compactMap(\.self).first {
            sentence += "; \(trouble)"
        } else if total.isUnknown, let why = try whyUnread(id) {
            sentence += "; \(why)"
        }
        return StatusReport.Focus(
            kind: "workflow",
            subject: text,
            sentence: sentence,
            isReady: total.isReady,
            images: images,
            unresolved: unresolved,
            attempts: [],
            coverage: try coverage(workflow: text)
        )
    }

    /// Why nobody looks at a workflow ahead of its runs; nil where somebody will.
    private func whyUnread(_ id: String) throws -> String? {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT isExcluded, COALESCE(createdAt, firstSeenAt) < (SELECT CAST(value AS INTEGER) FROM setting
                    WHERE key = 'firstStart') AS isOlder, lastRunAt FROM workflow WHERE id = ?
                """,
            arguments: [id]
        )
        guard let row else { return nil }
        let mend = "`preclone ready --workflow \(id)` brings them"
        if row["isExcluded"] == true {
            return "watch.workflows leaves it out: nothing is cloned ahead of its runs; \(mend)"
        }
        guard row["isOlder"] == true else { return nil }
        return
            "it was there before preclone began, and no run of it was seen within watch.workflows.usedWithin: nothing is "
            + "cloned ahead of its runs; \(mend)"
    }

    /// The troubles of a workflow's active versions that were not read as they are now, nil where only nobody did yet.
    private func unreadVersions(_ text: String) throws -> [String?] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT trouble FROM version WHERE workflowID = :id AND :text IN (workflowID, workflowID || '/' || name)
                AND status = 'ACTIVE' AND (trouble IS NOT NULL OR surveyedDigest IS NOT COALESCE(digest, '?')) ORDER BY trouble IS NULL, name
                """,
            arguments: ["text": text, "id": String(text.prefix { $0 != "/" })]
        ).map { $0["trouble"] }
    }

    private func focus(image text: String) throws -> StatusReport.Focus {
        let canonical = (try? ImageReference(text))?.description ?? text
        let images = try images(
            """
            SELECT * FROM image WHERE source = :text OR source = :canonical
            OR destination = :text OR destination = :canonical ORDER BY source, destination
            """,
            arguments: ["text": text, "canonical": canonical]
        )
        guard !images.isEmpty else {
            throw LedgerError("\(canonical) is not in the record: no run or workflow that preclone saw needs it")
        }
        var standing = StatusReport.Standing()
        for image in images { standing.add(image) }
        standing.waits = StatusReport.Wait.grouped(standing.waits)
        return StatusReport.Focus(
            kind: "image",
            subject: canonical,
            sentence: images.count == 1
                ? images[0].sentence(now: now, zone: .gmt) : standing.sentence(now: now, zone: .gmt),
            isReady: standing.isReady,
            images: images,
            unresolved: [],
            attempts: try attempts(source: canonical, or: text)
        )
    }

    // MARK: Parts

    private func focusImages(kinds: [String], subject: String, isLive: Bool) throws -> [StatusReport.ImageStatus] {
        var uses: [Int64: (certainty: String, depth: Int)] = [:]
        var selfCopied: Set<Int64> = []
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT imageID, certainty, depth, comesByItself FROM demand WHERE kind IN (\(Self.quoted(kinds)))
                AND subject >= :text AND subject < :text || '0' AND (subject = :text OR kind <> 'run' AND subject > :text || '/')
                \(isLive ? "AND endedAt IS NULL" : "")
                """,
            arguments: ["text": subject]
        )
        for row in rows {
            let id: Int64 = row["imageID"]
            let certainty: String = row["certainty"]
            let known = uses[id]
            if row["comesByItself"] { selfCopied.insert(id) }
            // The strongest certainty of its uses holds, and the earliest use.
            let isStronger = known == nil || certainty == "certain" || known?.certainty == "inactive"
            uses[id] = (
                isStronger ? certainty : known?.certainty ?? certainty, min(known?.depth ?? .max, row["depth"])
            )
        }
        var all: [StatusReport.ImageStatus] = []
        for (id, use) in uses {
            for var image in try images("SELECT * FROM image WHERE id = ?", arguments: [id]) {
                image.certainty = use.certainty
                image.depth = use.depth
                image.comesByItself = selfCopied.contains(id) ? true : nil
                all.append(image)
            }
        }
        // An image that no mapping reaches says so; a second place that it is cloned to is no help to whoever wants it.
        let unreachable = Set(all.filter { $0.destination.isEmpty }.map(\.source))
        for index in all.indices where !all[index].destination.isEmpty && unreachable.contains(all[index].source) {
            all[index].isOutOfReach = true
        }
        // Those that need a person or wait first; of each state, as the dispatcher takes them.
        let order = ["blocked": 0, "retrying": 1, "cloning": 2, "pending": 3, "ready": 4]
        return all.sorted { left, right in
            func key(_ image: StatusReport.ImageStatus) -> (Int, Int, Int) {
                (order[image.state] ?? 5, image.certainty == "certain" ? 0 : 1, image.depth ?? 0)
            }
            return key(left) == key(right)
                ? (left.source, left.destination) < (right.source, right.destination) : key(left) < key(right)
        }
    }

    private func focusUnresolved(kinds: [String], subject: String, isLive: Bool) throws
        -> [StatusReport.UnresolvedStatus]
    {
        try Row.fetchAll(
            database,
            sql: """
                SELECT * FROM unresolved WHERE kind IN (\(Self.quoted(kinds)))
                AND subject >= :text AND subject < :text || '0' AND (subject = :text OR kind <> 'run' AND subject > :text || '/')
                \(isLive ? "AND endedAt IS NULL" : "") ORDER BY place, expression
                """,
            arguments: ["text": subject]
        ).map(StatusReport.UnresolvedStatus.init)
    }

    private func attempts(source: String, or text: String) throws -> [StatusReport.AttemptStatus] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT attempt.* FROM image CROSS JOIN attempt ON attempt.imageID = image.id
                WHERE image.source IN (:source, :text) OR image.destination IN (:source, :text)
                ORDER BY attempt.id DESC LIMIT 10
                """,
            arguments: ["source": source, "text": text]
        ).map { row in
            StatusReport.AttemptStatus(
                startedAt: Date(milliseconds: row["startedAt"]),
                endedAt: Date(milliseconds: row["endedAt"]),
                route: row["route"],
                result: row["result"],
                failureClass: row["failureClass"],
                message: row["message"],
                host: row["host"],
                status: row["status"],
                requestID: row["requestID"],
                bytes: row["bytes"]
            )
        }
    }

    private static func quoted(_ words: [String]) -> String { words.map { "'\($0)'" }.joined(separator: ", ") }

    // MARK: Registries

    /// - Parameter runs: the live runs, of which those that wait for a registry are named.
    func registries(runs: [StatusReport.RunStatus]) throws -> [StatusReport.RegistryStatus] {
        let counts = try Row.fetchAll(
            database,
            sql: "SELECT registry, state, images FROM tally WHERE state IN ('retrying', 'pending') AND images > 0"
        )
        let waiting = counts.reduce(into: [String: Int]()) { waiting, row in
            let registry: String = row["registry"]
            // What is queued waits for the registry only while nothing is asked of it.
            if row["state"] == "pending", resting[registry] == nil { return }
            waiting[registry, default: 0] += row["images"] as Int
        }
        var waitingRuns: [String: [String]] = [:]
        for run in runs {
            for registry in Set(run.standing.waits.map(\.registry)) {
                waitingRuns[registry, default: []].append(run.id)
            }
        }
        return try Dictionary(grouping: hosts, by: \.host).sorted { $0.key < $1.key }.flatMap { host, rows in
            try registry(host, rows, waiting: waiting[host] ?? 0, runs: Array((waitingRuns[host] ?? []).prefix(5)))
        }
    }

    /// A registry counts per credential; pauses, rests and who waits are the host's. Told first: the credential that asked
    /// last, with what holds for the host; then others of which pulls are still counted.
    private func registry(
        _ host: String,
        _ rows: [HostRow],
        waiting: Int,
        runs: [String]
    ) throws -> [StatusReport.RegistryStatus] {
        var counts = try rows.map { row in (row: row, count: try row.quotaCount(in: database, now: now)) }
        counts.sort { ($0.count.lastAt ?? .distantPast) > ($1.count.lastAt ?? .distantPast) }
        // Without any count the row is there for its pause alone, and nobody asked under a name.
        if let first = counts.firstIndex(where: { $0.count.standing(now: now) != nil }), first > 0 {
            counts.insert(counts.remove(at: first), at: 0)
        }
        let paused = rows.filter { ($0.pausedUntil ?? 0) > now.milliseconds }
            .max { ($0.pausedUntil ?? 0) < ($1.pausedUntil ?? 0) }
        let resting = rows.first { $0.breaker != "closed" }
        return counts.enumerated().compactMap { position, entry in
            let standing = entry.count.standing(now: now)
            if position > 0, standing.map({ $0.left == $0.limit }) ?? true { return nil }
            let isFirst = position == 0
            return StatusReport.RegistryStatus(
                registry: host,
                credential: entry.row.credential.isEmpty ? nil : entry.row.credential,
                limit: standing?.limit,
                left: standing?.left,
                windowSeconds: standing.map { Int($0.window.seconds) },
                resetsAt: standing?.resetsAt,
                pausedUntil: isFirst ? paused?.pausedUntil.map(Date.init(milliseconds:)) : nil,
                pauseReason: isFirst ? paused?.pauseReason : nil,
                breaker: isFirst ? resting?.breaker : nil,
                breakerUntil: isFirst ? resting?.breakerUntil.map(Date.init(milliseconds:)) : nil,
                waiting: isFirst ? waiting : 0,
                waitingRuns: isFirst ? runs : []
            )
        }
    }
}
