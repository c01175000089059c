package import Foundation

extension StatusReport {
    /// So soon after a start it is not told as a fault that nobody has answered yet.
    private static let grace: TimeInterval = 15

    /// The first line, from what the rest of the report says.
    ///
    /// - Parameters:
    ///   - condition: what can be seen of the record from outside.
    ///   - workflows: those that no run could go on with.
    package func judged(_ row: DaemonRow?, condition: [String], workflows: StuckWorkflows?) -> Health {
        let now = generatedAt
        switch daemon.life {
        case .never: return Health(state: .notRunning, reasons: condition + ["no daemon has worked on this record yet"])
        case .stopped where daemon.mode == "clone" || daemon.mode == "once":
            return Health(
                state: .notRunning,
                reasons: condition + ["the last worker, `preclone \(command)`, has ended"]
            )
        case .stopped: return Health(state: .notRunning, reasons: condition + ["the daemon was stopped"])
        case .dead:
            return Health(
                state: .notRunning,
                reasons: condition + [
                    "process \(daemon.pid ?? 0) is gone without a word: killed, crashed, or the machine went down"
                ]
            )
        case .stuck:
            return Health(
                state: .stuck,
                reasons: condition + ["process \(daemon.pid ?? 0) is there but gives no sign of life"]
            )
        case .running: break
        }
        let silence = row?.silence(now: now).map {
            "process \(daemon.pid ?? 0) is there but has given no sign of life for \(Phrase.length($0))"
        }
        let troubles =
            condition + [silence].compactMap(\.self) + serviceTroubles(row) + runTroubles(workflows: workflows)
        if !troubles.isEmpty { return Health(state: .degraded, reasons: troubles) }
        if daemon.mode == "clone" {
            return Health(state: .notRunning, reasons: ["only a `preclone clone` is at work"])
        }
        var reasons = work
        if let row, !hasPolled(row) {
            reasons.insert("starting: HealthOmics has not answered yet, which runs wait is not known", at: 0)
        }
        return Health(state: reasons.isEmpty ? .idle : .healthy, reasons: reasons.isEmpty ? ["nothing to do"] : reasons)
    }

    private var command: String { daemon.mode == "once" ? "run --once" : daemon.mode ?? "run" }

    /// Whether the process has seen the runs since it began.
    private func hasPolled(_ row: DaemonRow) -> Bool { row.lastPollAt.map { $0 >= row.startedAt } ?? false }

    /// What keeps the daemon from its work.
    private func serviceTroubles(_ row: DaemonRow?) -> [String] {
        var reasons: [String] = []
        let told = daemon.troubles ?? []
        // Who refuses credentials, or does not answer, is why loops fail.
        let causes = told.filter { $0.isCause }
        reasons += causes.map(\.sentence)
        if let row {
            reasons += row.troubles
            if let silence = pollSilence(row), row.lastPollTrouble == nil { reasons.append(silence) }
        }
        // What was told already is not told again for each loop that it kept from its work.
        for trouble in told where !trouble.isCause && !(trouble.part == "runs" && row?.lastPollTrouble != nil) {
            if causes.contains(where: { trouble.what.contains($0.what) }) { continue }
            if trouble.part == "events", row?.eventTrouble != nil { continue }
            reasons.append(trouble.sentence)
        }
        for registry in registries where registry.isResting(at: generatedAt) {
            reasons.append("\(Phrase.registry(registry.registry)) fails for everything")
        }
        return reasons
    }

    /// That the runs were not listed for longer than they should be.
    private func pollSilence(_ row: DaemonRow) -> String? {
        guard row.mode != "clone" else { return nil }
        guard let last = row.lastPollAt, hasPolled(row) else {
            let since = generatedAt.timeIntervalSince(Date(milliseconds: row.startedAt))
            guard since > Self.grace else { return nil }
            return
                "HealthOmics has not answered since the start \(Phrase.length(since)) ago: which runs wait is not known"
        }
        guard let every = daemon.sweeps?.first(where: { $0.name == "runs" })?.every else { return nil }
        let since = generatedAt.timeIntervalSince(Date(milliseconds: last))
        guard since > 2 * every + 30 else { return nil }
        return "HealthOmics has not answered for \(Phrase.length(since)): which runs wait now is not known"
    }

    /// What a person should look at for runs and workflows.
    private func runTroubles(workflows: StuckWorkflows?) -> [String] {
        var reasons: [String] = []
        let counts = runCounts ?? RunCounts(runs.shown)
        if counts.blocked > 0 {
            // Runs share images; no more of them can be in the way than are blocked at all.
            let images = min(self.images.blocked, counts.blockedImages)
            let what = [
                images > 0 ? Phrase.count(images, "blocked image") : nil,
                counts.unresolvedMentions > 0 ? Phrase.count(counts.unresolvedMentions, "unresolved mention") : nil,
            ].compactMap(\.self).joined(separator: " and ")
            reasons.append("\(Phrase.count(counts.blocked, "live run")) cannot go on: \(what)")
        }
        if counts.unread > 0, let trouble = counts.unreadBecause {
            reasons.append("the images of \(Phrase.count(counts.unread, "live run")) are not known: \(trouble)")
        }
        if let workflows { reasons.append(workflows.sentence) }
        return reasons
    }

    /// What is being done or waited for.
    private var work: [String] {
        var reasons: [String] = []
        let waiting = (runCounts ?? RunCounts(runs.shown)).waiting
        if waiting > 0 {
            reasons.append("\(Phrase.count(waiting, "run")) wait\(waiting == 1 ? "s" : "") for images")
        }
        if images.cloning > 0 { reasons.append("\(Phrase.count(images.cloning, "image")) being cloned") }
        let queued = images.pending + images.retrying
        if queued > 0 { reasons.append("\(Phrase.count(queued, "image")) queued") }
        // Why it goes slowly: whoever asked for less.
        for registry in registries where queued > 0 && registry.pausedUntil.map({ $0 > generatedAt }) ?? false {
            let why = registry.pauseReason ?? "it asked to be left alone"
            reasons.append("\(Phrase.registry(registry.registry)) is not asked now: \(why)")
        }
        return reasons
    }
}

extension StatusReport {
    /// Live runs by how they stand, all of them, however many are shown.
    package struct RunCounts: Codable, Sendable, Equatable {
        package var live = 0
        /// All images are ready.
        package var ready = 0
        /// Not all are.
        package var waiting = 0
        /// Of those that wait: a person is needed.
        package var blocked = 0
        /// Of those that wait: their images are not known, for a reason.
        package var unread = 0
        package var unreadBecause: String?
        /// Summed over the runs, which share images.
        package var blockedImages = 0
        package var unresolvedMentions = 0

        package init(_ runs: [RunStatus]) {
            live = runs.count
            for run in runs {
                if run.standing.isReady { ready += 1 } else { waiting += 1 }
                if run.standing.isStuck {
                    blocked += 1
                    blockedImages += run.standing.blocked
                    unresolvedMentions += run.standing.unresolved
                }
                if run.standing.isUnknown, let trouble = run.trouble {
                    unread += 1
                    unreadBecause = unreadBecause ?? trouble
                }
            }
        }
    }

    /// Versions that a run could not go on with if it began now.
    package struct StuckWorkflows: Sendable, Equatable {
        package var total: Int
        package var first: String
        /// Blocked images of the first.
        package var images: Int

        package init(total: Int, first: String, images: Int) {
            self.total = total
            self.first = first
            self.images = images
        }

        /// "runs of workflow 7654321 could not go on: 3 blocked images".
        package var sentence: String {
            let blocked = Phrase.count(images, "blocked image")
            if total == 1 { return "runs of workflow \(first) could not go on: \(blocked)" }
            return
                "runs of \(Phrase.count(total, "workflow version")) could not go on: workflow \(first) with \(blocked) …"
        }
    }

    /// What keeps a part of the daemon from its work.
    package struct Trouble: Codable, Sendable, Equatable {
        /// A loop, a list, `credentials`, `record`, or a service.
        package var part: String
        package var what: String
        package var since: Date?

        package init(part: String, what: String, since: Date? = nil) {
            self.part = part
            self.what = what
            self.since = since
        }

        /// What loops depend on, other than a loop.
        var isCause: Bool { Self.subjects[part] == nil }

        private static let subjects = [
            "runs": "runs are not listed", "allRuns": "all runs are not listed",
            "workflows": "workflows are not listed",
            "versions": "versions are not listed", "definitions": "definitions are not read",
            "surveys": "the images of runs are not worked out", "verifier": "ready images are not looked at again",
            "learner": "finished runs are not learned from", "requests": "requests of people are not taken",
            "refresh": "moved tags are not looked for", "retention": "old rows are not deleted",
            "events": "events are not read",
        ]

        private static let services = ["ecr": "ECR", "omics": "HealthOmics", "sts": "STS", "sqs": "SQS"]

        /// "workflows are not listed: access denied".
        package var sentence: String {
            if let subject = Self.subjects[part] { return "\(subject): \(what)" }
            switch part {
            case "credentials": return "AWS credentials: \(what)"
            case "record": return "the record: \(what)"
            case "loops": return what
            default: return "\(Self.services[part] ?? part) \(what)"
            }
        }
    }
}
