import Configuring
import Foundation
import Model
import Record
import Remotes
import Sandbox
import Synchronization

import class GRDB.Row

/// What is said of runs, of the daemon and to people.
extension Inspector {
    /// - Throws: what the record throws.
    func checkRuns(_ record: Ledger, _ images: [ImageRecord], _ configuration: Configuration, isRunning: Bool) throws {
        guard isRunning else { return }
        let now = world.clock.elapsed
        let calm = world.calmFor ?? .zero
        let byID = Dictionary(uniqueKeysWithValues: images.map { ($0.id, $0) })
        for (name, run) in world.liveRuns where now - run.startedAt > .seconds(2_400) {
            for need in run.images { checkHealthy(need, of: name, images, configuration) }
            // Long enough for a poll that failed and its pauses.
            guard calm > .seconds(3_600) else { continue }
            for id in run.ids {
                let rows = try record.database.read {
                    try Row.fetchAll(
                        $0,
                        sql: "SELECT key, endedAt FROM run WHERE id = ? ORDER BY createdAt DESC LIMIT 1",
                        arguments: [id]
                    )
                }
                guard let known = rows.first else {
                    report(
                        .everyNeedHasAStanding,
                        name,
                        "run \(name) (\(id)) is not known after \(now - run.startedAt)"
                    )
                    continue
                }
                if known["endedAt"] as Int64? != nil {
                    report(.everyNeedHasAStanding, name, "run \(name) (\(id)) is live, and the record says it ended")
                    continue
                }
                let wanted = try record.database.read {
                    try Int64.fetchAll(
                        $0,
                        sql: "SELECT imageID FROM demand WHERE kind = 'run' AND subject = ? AND endedAt IS NULL",
                        arguments: [known["key"] as String]
                    )
                }.compactMap { byID[$0] }
                for need in run.images { checkStanding(need, of: name, among: wanted) }
            }
        }
    }

    private func checkStanding(_ need: SimulatedWorld.Need, of run: String, among wanted: [ImageRecord]) {
        let rows = wanted.filter { $0.source == need.reference }
        guard !rows.isEmpty else {
            return report(.everyNeedHasAStanding, run, "run \(run) needs \(need.reference), and nothing is said of it")
        }
        for row in rows {
            switch row.state {
            case .ready, .cloning: break
            case .pending, .retrying:
                if row.dueAt == nil {
                    report(.everyNeedHasAStanding, run, "\(row.source) is \(row.state.rawValue) without a time")
                }
            case .blocked:
                if (row.reason ?? "").isEmpty || (row.mend ?? "").isEmpty {
                    report(.everyNeedHasAStanding, run, "\(row.source) is blocked without a reason and a mend")
                }
            }
        }
    }

    private func checkHealthy(
        _ need: SimulatedWorld.Need,
        of run: String,
        _ images: [ImageRecord],
        _ configuration: Configuration
    ) {
        let half = Duration.seconds(2_400)
        let registry = Self.registry(of: need.reference)
        // A quota or a budget may make anything wait.
        guard let place = need.place, registry != "registry-1.docker.io", configuration.clone.maxBytesPerDay == nil,
            registry != denied, world.canBeReady(need.reference), let healthy = world.healthyFor(registry),
            healthy > half,
            let push = world.builds(of: need.reference).last?.at, world.clock.elapsed - push > half,
            world.clock.elapsed - (world.lastTouched[place.repository] ?? .zero) > half
        else { return }
        let row = images.first { $0.source == need.reference && Self.place($0.destination) == place }
        guard let row, row.state != .ready else { return }
        report(
            .healthyHostsGoOn,
            need.reference,
            "run \(run) needs \(need.reference), which is there since \(Moment(push)); it is \(row.state.rawValue): "
                + "\(row.reason ?? "no reason")"
        )
    }

    /// The host that requests for a reference go to.
    static func registry(of reference: String) -> String {
        let host = String(reference.prefix { $0 != "/" })
        return host == "docker.io" ? "registry-1.docker.io" : host
    }

    // MARK: What `status` says

    /// - Throws: what the record throws.
    func checkStatus(_ record: Ledger, isRunning: Bool) throws {
        let now = world.clock.elapsed
        let wall = world.clock.now.addingTimeInterval(world.ahead)
        let full = state.withLock { state in
            state.diskFullSince = world.isDiskFull ? state.diskFullSince ?? now : nil
            return state.diskFullSince
        }
        guard isRunning else { return }
        let report = try StatusReport.read(from: RecordReader(record), now: wall, isAlive: { _ in true })
        if let full, now - full > .seconds(900), report.health.exitCode == 0 {
            self.report(
                .statusTellsTheTruth,
                "daemon",
                "the disk is full since \(Moment(full)); status: \(report.health)"
            )
        }
        let live = Dictionary(
            world.liveRuns.flatMap { name, run in run.ids.map { ($0, (name: name, run: run)) } },
            uniquingKeysWith: { first, _ in first }
        )
        let touched = world.lastTouched
        for shown in report.runs.shown where shown.standing.isReady {
            guard let (name, run) = live[shown.id] else { continue }
            for need in run.images {
                guard let place = need.place else {
                    self.report(
                        .statusTellsTheTruth,
                        name,
                        "run \(name) is said to be ready, but its map does not reach \(need.reference)"
                    )
                    continue
                }
                if now - (touched[place.repository] ?? .zero) < Self.interval + .seconds(900) { continue }
                guard let holding = world.sandbox.holding(place.repository, place.tag), holding.isActive,
                    holding.platformDigest != nil, holding.missing.isEmpty
                else {
                    self.report(
                        .statusTellsTheTruth,
                        name,
                        "run \(name) is said to be ready, but \(place.repository):\(place.tag) is not"
                    )
                    continue
                }
            }
        }
    }

    // MARK: What people are told

    /// - Throws: what the record throws.
    func checkAnswers(_ record: Ledger) throws {
        for asked in world.asked where !state.withLock({ $0.answered.contains(asked.request) }) {
            guard let request = try record.request(id: asked.request), request.state == "done",
                let result = request.result.flatMap({ try? CloneResult(json: $0) })
            else { continue }
            state.withLock { _ = $0.answered.insert(asked.request) }
            let builds = world.builds(of: asked.image)
            let wasThere = (builds.last?.at).map { $0 < asked.at - .seconds(5) } ?? false
            if result.state == .blocked, result.message.contains("is not there") || result.message.contains("404"),
                wasThere,
                world.wasThere(asked.image, since: asked.at)
            {
                report(
                    .answersAreNew,
                    asked.image,
                    "asked at \(Moment(asked.at)), when it was there: \(result.message)"
                )
            }
            guard result.state == .ready, let place = result.ecrURI.flatMap(Self.place) else { continue }
            if world.clock.elapsed - (world.lastTouched[place.repository] ?? .zero) < Self.interval + Self.slack {
                continue
            }
            let holding = world.sandbox.holding(place.repository, place.tag)
            if holding?.missing.isEmpty != true {
                report(
                    .answersAreNew,
                    asked.image,
                    "said to be ready at \(place.repository):\(place.tag), which it is not"
                )
            }
        }
    }

    // MARK: At the end, when nothing has gone wrong for long

    /// - Throws: what the record throws.
    func finish(_ record: Ledger, bound: Duration) throws {
        let images = try record.database.read { try ImageRecord.fetchAll($0) }
        for (name, run) in world.liveRuns {
            for need in run.images { checkGotReady(need, "run \(name)", images, bound) }
        }
        for (label, _, needs) in world.versionNeeds {
            for need in needs { checkGotReady(need, "workflow \(label)", images, bound) }
        }
        for asked in world.asked {
            guard let request = try record.request(id: asked.request) else {
                report(.recordSurvives, asked.image, "request \(asked.request) for \(asked.image) is gone")
                continue
            }
            if request.state != "done" {
                report(
                    .answersAreNew,
                    asked.image,
                    "request \(asked.request) for \(asked.image) has no answer after \(bound) of calm"
                )
            }
        }
        try checkAudit(record)
    }

    private func checkGotReady(
        _ need: SimulatedWorld.Need,
        _ who: String,
        _ images: [ImageRecord],
        _ bound: Duration
    ) {
        guard world.canBeReady(need.reference), let place = need.place, Self.registry(of: need.reference) != denied
        else {
            return
        }
        let row = images.first { $0.source == need.reference && Self.place($0.destination) == place }
        if row?.state != .ready {
            let what = row.map { "\($0.state.rawValue): \($0.reason ?? "no reason")" } ?? "not known"
            report(
                .everythingGetsReady,
                need.reference,
                "\(who) needs \(need.reference); after \(bound) of calm it is \(what)"
            )
        } else if let row, let wrong = wrong(with: row, at: place) {
            report(.readyIsReady, need.reference, "\(need.reference) is said to be ready, but \(wrong)")
        }
    }

    private func checkAudit(_ record: Ledger) throws {
        let rows = try record.database.read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM audit WHERE action = 'repositoryCreated'") ?? 0
        }
        let made = state.withLock { $0.repositoriesMade }
        let lost = world.kills + world.lostAnswers
        if rows > made || made - rows > lost {
            report(
                .auditIsTheWorlds,
                "repositories",
                "\(made) repositories were made by us, the audit has \(rows); at most \(lost) answers were lost"
            )
        }
    }

    /// What a crash left.
    ///
    /// - Throws: what the record throws.
    func checkRecord(_ record: Ledger) throws {
        let verdict = try record.database.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        if verdict != ["ok"] { report(.recordSurvives, "record", "integrity_check: \(verdict.prefix(3))") }
        for view in ["images", "digests", "attempts", "demands", "runs", "events", "audit"] {
            _ = try record.database.read { try Row.fetchOne($0, sql: "SELECT * FROM \(view)") }
        }
        let kept = try record.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM request") ?? 0 }
        let asked = world.asked.count
        if kept < asked { report(.recordSurvives, "record", "\(asked) requests were made, \(kept) are left") }
    }
}
