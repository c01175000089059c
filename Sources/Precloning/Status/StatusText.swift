package import Foundation
package import Model

/// How text for people is laid out.
package struct TextStyle: Sendable, Hashable {
    /// Columns of the terminal; nil where there is none: lines are as long as they need to be.
    package var width: Int?
    /// Colour is never the only sign of anything.
    package var colour: Bool
    package var zone: TimeZone

    package init(width: Int? = nil, colour: Bool = false, zone: TimeZone = .gmt) {
        self.width = width.map { max(20, $0) }
        self.colour = colour
        self.zone = zone
    }

    enum Tint: String { case red = "31", green = "32", yellow = "33", bold = "1", dim = "2" }

    func tinted(_ text: String, _ tint: Tint) -> String {
        colour && !text.isEmpty ? "\u{1B}[\(tint.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Text from outside on one line, cut to the width that is left after an indent.
    func fitted(_ text: String, indent: Int = 0) -> String {
        let plain = Phrase.plain(text)
        guard let width else { return plain }
        return DisplayWidth.cut(plain, to: max(1, width - indent), .end)
    }

    /// The name of an image or a place on one line: where there is no room for all of it, its end stays.
    func named(_ text: String, indent: Int = 0) -> String {
        let plain = Phrase.plain(text)
        guard let width else { return plain }
        return DisplayWidth.cut(plain, to: max(1, width - indent), .start)
    }

    /// Text from outside, whole words on lines of the terminal's width: what a person has to know is never cut.
    func wrapped(_ text: String, indent: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        let plain = Phrase.plain(text)
        guard let width else { return [margin + plain] }
        return DisplayWidth.wrapped(plain, to: max(1, width - indent)).map { margin + $0 }
    }
}

/// A report as people read it.
package struct StatusText: Sendable {
    let report: StatusReport
    let style: TextStyle
    /// Every run and image that the report has, and not what a first screen has room for.
    let isWhole: Bool

    package init(_ report: StatusReport, style: TextStyle, isWhole: Bool = false) {
        self.report = report
        self.style = style
        self.isWhole = isWhole
    }

    private var now: Date { report.generatedAt }

    /// The lines, without a line break at the end.
    package var lines: [String] {
        var lines = headline
        if let focus = report.focus {
            lines += self.focus(focus)
        } else {
            lines += overview
        }
        return lines
    }

    package var text: String { lines.joined(separator: "\n") + "\n" }

    // MARK: Sections

    /// One word, and why; on as many lines as that takes.
    private var headline: [String] {
        let (word, tint): (String, TextStyle.Tint) =
            switch report.health.state {
            case .healthy: ("healthy", .green)
            case .idle: ("idle", .green)
            case .degraded: ("degraded", .yellow)
            case .stuck: ("stuck", .red)
            case .notRunning: (report.daemon.life == .dead ? "dead" : "stopped", .red)
            }
        var reasons = report.health.reasons
        if let extra = lastSign { reasons[0] += extra }
        // Set in, so that no text from outside begins a line of ours.
        var lines = style.wrapped("\(word): " + reasons.joined(separator: "; "), indent: 2)
        if let first = lines.first { lines[0] = String(first.dropFirst(2)) }
        lines[0] = style.tinted(word, tint) + lines[0].dropFirst(word.count)
        return lines
    }

    /// When a daemon that does not run gave its last sign.
    private var lastSign: String? {
        switch report.health.state {
        case .stuck, .notRunning:
            let when = report.daemon.stoppedAt ?? report.daemon.beatAt
            return when.map { " (last sign of life \(Phrase.age($0, now: now)))" }
        default: return nil
        }
    }

    private var overview: [String] {
        var lines = style.wrapped(counts, indent: 0)
        lines += runs
        lines += section("Copying", report.copying, limit: 15, copyLines)
        lines += section("Waiting", report.waiting, limit: 8, waitLines)
        lines += blocked
        lines += section("Unresolved", report.unresolved, limit: 8, unresolvedLines)
        lines += section("Moved upstream, left alone (clone.onTagMove)", report.moved, limit: 8, movedLines)
        lines += policyLines
        lines += registryLines
        lines.append("")
        lines += style.wrapped(footer, indent: 0)
        lines += sweeps
        return lines
    }

    /// The operator's rules, and all else that ever denied.
    private var policyLines: [String] {
        let hits = (report.policy ?? []).filter { $0.rule != "default" || $0.denied > 0 }
        return section("Policy", .init(total: hits.count, shown: hits), limit: 8) { hit in
            let counts = [(hit.denied, "denied"), (hit.warned, "would have denied"), (hit.allowed, "allowed")]
                .filter { $0.0 > 0 }.map { "\($0.1) \(Phrase.grouped($0.0))" }.joined(separator: ", ")
            return style.wrapped("\(hit.rule): \(counts) (last \(Phrase.age(hit.lastAt, now: now)))", indent: 2)
        }
    }

    private func section<Element>(
        _ title: String,
        _ part: StatusReport.Part<Element>,
        limit: Int,
        _ render: (Element) -> [String]
    ) -> [String] {
        guard !part.shown.isEmpty else { return [] }
        var lines = ["", style.tinted(style.fitted("\(title) (\(Phrase.grouped(part.total)))"), .bold)]
        let limit = isWhole ? Int.max : limit
        for element in part.shown.prefix(limit) { lines += render(element) }
        return lines + more(part.total - min(limit, part.shown.count))
    }

    private func more(_ rest: Int) -> [String] {
        rest > 0 ? style.wrapped("… and \(Phrase.grouped(rest)) more (--all shows them)", indent: 2) : []
    }

    /// Each run, or where there are many the workflows whose runs wait; the others are counted.
    private var runs: [String] {
        let limit = 15
        guard !isWhole, report.runs.total > limit, let groups = report.runGroups else {
            return section("Runs", report.runs, limit: limit, runLines)
        }
        let ready = report.runs.total - groups.shown.reduce(0) { $0 + $1.runs }
        let title =
            "Runs (\(Phrase.grouped(report.runs.total)); \(Phrase.grouped(report.runCounts?.ready ?? ready)) ready)"
        var lines = ["", style.tinted(style.fitted(title), .bold)]
        for group in groups.shown.prefix(limit) { lines += groupLines(group) }
        return lines + more(groups.total - min(limit, groups.shown.count))
    }

    private func groupLines(_ group: StatusReport.RunGroup) -> [String] {
        let stuck = group.blocked > 0 ? ", \(Phrase.grouped(group.blocked)) of them BLOCKED" : ""
        let workflow = group.workflowID.map { "workflow \($0)" } ?? "no workflow known"
        let waits = group.runs == 1 ? "1 run waits" : "\(Phrase.grouped(group.runs)) runs wait"
        let due = ready(by: group.readyBy).map { "; \($0)" } ?? ""
        var lines = ["  " + style.fitted("\(workflow): \(waits)\(stuck)\(due)", indent: 2)]
        let first = group.first
        let words = first.trouble ?? first.standing.sentence(now: now, zone: style.zone)
        lines += style.wrapped("run \(first.id): \(words)", indent: 4)
        return lines
    }

    /// When images will be there, by the pace of the last ones.
    private func ready(by time: Date?) -> String? {
        time.map { "ready about \(Phrase.clock($0, now: now, zone: style.zone)), \(Phrase.time(until: $0, now: now))" }
    }

    private var counts: String {
        let counts = report.images
        let parts = [
            (counts.ready, "ready"), (counts.cloning, "cloning"), (counts.pending, "pending"),
            (counts.retrying, "retrying"), (counts.blocked, "blocked"), (counts.unresolved, "unresolved"),
        ].filter { $0.0 > 0 }.map { "\(Phrase.grouped($0.0)) \($0.1)" }
        return "images: " + (parts.isEmpty ? "-" : parts.joined(separator: ", "))
    }

    private func runLines(_ run: StatusReport.RunStatus) -> [String] {
        let mark = run.standing.isReady ? "ready" : run.standing.isStuck ? "BLOCKED" : "waits"
        let name = run.name.map { " \($0)" } ?? ""
        var lines = [
            "  " + style.fitted("\(run.id)\(name) (\(run.status.lowercased())): \(mark)", indent: 2)
        ]
        let due = ready(by: run.readyBy).map { "; \($0)" } ?? ""
        lines += style.wrapped(run.standing.sentence(now: now, zone: style.zone) + due, indent: 4)
        if let trouble = run.trouble { lines += style.wrapped(trouble, indent: 4) }
        return lines
    }

    private func copyLines(_ image: StatusReport.ImageStatus) -> [String] {
        var lines = ["  " + style.named(image.source, indent: 2)]
        guard let progress = image.progress else {
            return lines + ["    " + style.fitted("begun \(Phrase.age(image.updatedAt, now: now))", indent: 4)]
        }
        var text = ""
        if let total = progress.bytesTotal, total > 0 {
            let share = min(1, max(0, Double(progress.bytesDone) / Double(total)))
            let filled = Int((share * 20).rounded(.down))
            text = "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled) + "] "
            text += "\(Int((share * 100).rounded(.down))) % of \(Phrase.bytes(total))"
        } else {
            text = Phrase.bytes(progress.bytesDone)
        }
        if let rate = progress.bytesPerSecond {
            text += ", \(Phrase.bytes(rate))/s"
            if let total = progress.bytesTotal, rate > 0, total > progress.bytesDone {
                text += ", \(Phrase.length(Double(total - progress.bytesDone) / Double(rate))) left"
            }
        }
        lines.append("    " + style.fitted(text, indent: 4))
        return lines
    }

    private func waitLines(_ image: StatusReport.ImageStatus) -> [String] {
        ["  " + style.named(image.source, indent: 2)] + style.wrapped(waiting(image), indent: 4)
    }

    private func waiting(_ image: StatusReport.ImageStatus) -> String {
        var text = image.state == "pending" ? "queued" : "tried again \(Phrase.time(until: image.dueAt, now: now))"
        if let until = image.registryRestsUntil {
            text = "queued; \(Phrase.registry(image.registry)) is asked again \(Phrase.time(until: until, now: now))"
        }
        if let reason = image.reason { text += ": \(reason)" }
        return text
    }

    /// Those that one mend would help are told as one.
    private var blocked: [String] {
        var groups: [[StatusReport.ImageStatus]] = []
        var places: [String: Int] = [:]
        for image in report.blocked.shown {
            let key = "\(image.failureClass ?? "")\n\(image.mend ?? "")\n\(image.registry)"
            if let place = places[key] {
                groups[place].append(image)
            } else {
                places[key] = groups.count
                groups.append([image])
            }
        }
        guard !groups.isEmpty else { return [] }
        let title = "Blocked (\(Phrase.grouped(report.blocked.total)))"
        var lines = ["", style.tinted(style.fitted(title), .bold)]
        let shown = isWhole ? groups[...] : groups.prefix(Self.mostCauses)
        for group in shown {
            lines += blockedLines(group[0])
            guard group.count > 1 else { continue }
            lines += style.wrapped(
                "likewise \(Phrase.count(group.count - 1, "more image")) of \(Phrase.registry(group[0].registry)):",
                indent: 4
            )
            let named = isWhole ? group.dropFirst() : group.dropFirst().prefix(3)
            lines += named.map { "      " + style.named($0.source, indent: 6) }
            if group.count > named.count + 1 { lines.append("      …") }
        }
        return lines + more(report.blocked.total - shown.reduce(0) { $0 + $1.count })
    }

    private static let mostCauses = 8

    private func blockedLines(_ image: StatusReport.ImageStatus) -> [String] {
        var lines = named(image)
        // Every image has the rule that let it pass; here only the one that did not matters.
        let rule = image.failureClass == "policy" ? image.rule.map { " (rule \($0))" } ?? "" : ""
        lines += style.wrapped((image.reason ?? "no reason is recorded") + rule, indent: 4)
        if let mend = image.mend { lines += style.wrapped("mend: " + mend, indent: 4) }
        return lines
    }

    /// Its name, and who wants it: on the same line where both have room.
    private func named(_ image: StatusReport.ImageStatus) -> [String] {
        let wanted = image.wantedBy.isEmpty ? "" : "(\(image.wantedBy.joined(separator: ", ")))"
        let whole = "\(image.source) \(wanted)"
        if wanted.isEmpty || style.width.map({ DisplayWidth.of(whole) + 2 <= $0 }) ?? true {
            return ["  " + style.named(wanted.isEmpty ? image.source : whole, indent: 2)]
        }
        return ["  " + style.named(image.source, indent: 2)] + style.wrapped(wanted, indent: 4)
    }

    private func unresolvedLines(_ mention: StatusReport.UnresolvedStatus) -> [String] {
        ["  " + style.fitted("\(mention.subject), \(mention.place): \(mention.expression)", indent: 2)]
            + style.wrapped(mention.missing, indent: 4)
    }

    private func movedLines(_ image: StatusReport.ImageStatus) -> [String] {
        let from = Phrase.short(image.sourceDigest ?? image.digest)
        return [
            "  " + style.named(image.source, indent: 2),
            "    " + style.fitted("from \(from) to \(Phrase.short(image.movedDigest))", indent: 4),
        ]
    }

    private var registryLines: [String] {
        let told = report.registries.filter {
            $0.limit != nil || $0.pausedUntil != nil || $0.breaker != nil || $0.waiting > 0
        }
        guard !told.isEmpty else { return [] }
        return ["", style.tinted("Registries", .bold)]
            + told.flatMap { style.wrapped($0.sentence(now: now, zone: style.zone), indent: 2) }
    }

    private var footer: String {
        let daemon = report.daemon
        let whose = [daemon.version.map { "preclone \($0)" }, daemon.account.map { "account \($0)" }, daemon.region]
        let parts =
            whose.compactMap(\.self) + [
                "last poll \(Phrase.age(daemon.lastPollAt, now: now))",
                "last event \(Phrase.age(daemon.lastEventAt, now: now))",
                "next retry \(Phrase.time(until: report.nextRetryAt, now: now))",
            ]
        return (parts + [storage].compactMap(\.self)).joined(separator: ", ")
    }

    private var storage: String? {
        guard let storage = report.storage, storage.bytes > 0 else { return nil }
        let dollars = storage.dollarsPerMonth.map { ", \(Phrase.dollars($0)) a month" } ?? ""
        return "in ECR at most \(Phrase.bytes(storage.bytes))\(dollars)"
    }

    /// How often is looked, each list by itself.
    private var sweeps: [String] {
        let names = ["runs": "live runs", "allRuns": "all runs", "workflows": "workflows", "versions": "all versions"]
        let parts = (report.daemon.sweeps ?? []).compactMap { sweep in
            names[sweep.name].map { "\($0) every \(Phrase.length(sweep.every))" }
        }
        return parts.isEmpty ? [] : style.wrapped("listed: " + parts.joined(separator: ", "), indent: 0)
    }

    // MARK: One thing

    private func focus(_ focus: StatusReport.Focus) -> [String] {
        // The sentence of the report speaks UTC; on a terminal the times are local.
        var sentence = focus.sentence
        if focus.kind == "image", focus.images.count == 1 {
            sentence = focus.images[0].sentence(now: now, zone: style.zone)
        } else if style.zone != .gmt, let standing = focus.standing {
            sentence = sentence.replacing(
                standing.sentence(now: now, zone: .gmt),
                with: standing.sentence(now: now, zone: style.zone)
            )
        }
        var lines = ["", style.tinted(style.fitted("\(focus.kind) \(focus.subject)"), .bold)]
        lines += style.wrapped(sentence + (ready(by: focus.readyBy).map { "; \($0)" } ?? ""), indent: 2)
        if let coverage = focus.coverage { lines += style.wrapped("coverage: " + coverage.sentence, indent: 2) }
        for image in focus.images {
            lines.append("")
            let certainty = image.certainty.flatMap { $0 == "certain" ? nil : ", \($0)" } ?? ""
            let state = "  \(image.state)\(certainty)  "
            lines.append(state + style.named(image.source, indent: DisplayWidth.of(state)))
            if image.isOutOfReach == true {
                lines += style.wrapped(
                    "cloned where no mapping leads: it cannot be pulled from there by this name",
                    indent: 4
                )
            }
            if image.comesByItself == true, image.state != "ready" {
                lines += style.wrapped(
                    "HealthOmics copies it itself when a task asks for it: late, not never",
                    indent: 4
                )
            }
            if !image.destination.isEmpty {
                let route = [image.route, image.routeDetail].compactMap(\.self).joined(separator: " ")
                let by = route.isEmpty ? "" : " (\(route))"
                lines.append("    -> " + style.named(image.destination, indent: 7 + DisplayWidth.of(by)) + by)
            }
            if image.state == "ready" {
                lines += style.wrapped(readyText(image), indent: 4)
            } else {
                lines += detail(image)
            }
        }
        for mention in focus.unresolved {
            lines.append("")
            lines.append("  " + style.fitted("unresolved  \(mention.place): \(mention.expression)", indent: 2))
            lines += style.wrapped(mention.missing, indent: 4)
        }
        lines += attempts(focus.attempts)
        return lines
    }

    private func readyText(_ image: StatusReport.ImageStatus) -> String {
        var text = "\(Phrase.short(image.digest)), \(Phrase.bytes(image.bytes))"
        text += ", looked at \(Phrase.age(image.verifiedAt, now: now))"
        if image.access != "accessible" { text += ", HealthOmics access \(image.access.replacing("_", with: " "))" }
        if image.routeDetail != nil, !image.source.contains("@") { text += ", ECR refreshes the tag by itself" }
        if let moved = image.movedDigest { text += ", the tag has moved upstream to \(Phrase.short(moved))" }
        if let reason = image.reason { text += "; \(reason)" }
        return text
    }

    private func detail(_ image: StatusReport.ImageStatus) -> [String] {
        switch image.state {
        case "cloning": Array(copyLines(image).dropFirst())
        case "blocked": Array(blockedLines(image).dropFirst())
        default: style.wrapped(waiting(image), indent: 4)
        }
    }

    private func attempts(_ attempts: [StatusReport.AttemptStatus]) -> [String] {
        guard !attempts.isEmpty else { return [] }
        return ["", style.tinted("Attempts", .bold)]
            + attempts.map { attempt in
                var text = "\(Phrase.stamp(attempt.endedAt, zone: style.zone))  \(attempt.route)  \(attempt.result)"
                if attempt.bytes > 0 { text += "  \(Phrase.bytes(attempt.bytes))" }
                if let message = attempt.message { text += "  \(message)" }
                // Set in, so that the times stand out.
                let lines = style.wrapped(text, indent: 4)
                return lines.isEmpty ? "" : (["  " + lines[0].dropFirst(4)] + lines.dropFirst()).joined(separator: "\n")
            }
    }
}

extension StatusReport.Focus {
    /// The standing of what was asked for, counted again from its images.
    var standing: StatusReport.Standing? {
        guard kind != "image" || images.count > 1 else { return nil }
        var standing = StatusReport.Standing()
        for image in images where image.counts { standing.add(image) }
        standing.unresolved = unresolved.count
        standing.waits = StatusReport.Wait.grouped(standing.waits)
        return standing
    }
}

extension StatusReport.RegistryStatus {
    /// `Docker Hub: 37 of 100 pulls left, all back by 16:30; 3 images wait (run 1234567)`.
    package func sentence(now: Date, zone: TimeZone) -> String {
        var parts: [String] = []
        if let limit, let left {
            var text = limit > 0 ? "\(left) of \(limit) pulls left" : "no pulls left"
            if let resetsAt, left < limit || limit == 0 {
                text += ", all back by \(Phrase.clock(resetsAt, now: now, zone: zone))"
            }
            parts.append(text)
        }
        if let pausedUntil {
            parts.append(
                "not asked until \(Phrase.clock(pausedUntil, now: now, zone: zone))"
                    + (pauseReason.map { ": \($0)" } ?? "")
            )
        }
        if breaker != nil {
            let until = breakerUntil.map { " until \(Phrase.clock($0, now: now, zone: zone))" } ?? ""
            parts.append(
                isResting(at: now) ? "fails for everything, left alone\(until)" : "failed, tried again with one request"
            )
        }
        if waiting > 0 {
            let runs = waitingRuns.isEmpty ? "" : " (run \(waitingRuns.joined(separator: ", ")))"
            parts.append("\(Phrase.count(waiting, "image")) wait\(waiting == 1 ? "s" : "")\(runs)")
        }
        let who = credential.map { " as \($0)" } ?? ""
        return "\(Phrase.registry(registry))\(who): " + (parts.isEmpty ? "-" : parts.joined(separator: "; "))
    }
}
