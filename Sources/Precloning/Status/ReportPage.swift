import Foundation
package import Model

/// A report as one page of HTML: it asks nothing of any place, needs no script, and is read in light and dark.
///
/// Each figure is an element `data` with the figure as `value`, and the path to it in the JSON as `data-path`.
package struct ReportPage: Sendable {
    let report: ActivityReport

    package init(_ report: ActivityReport) { self.report = report }

    package var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>preclone report</title>
        <style>
        \(Self.style)
        </style>
        </head>
        <body>
        <header>
        <h1>preclone report</h1>
        <p class="quiet">\(period)</p>
        </header>
        <main>
        \(tiles)
        \(leadTimes)
        \(storage)
        \(workflows)
        <div class="grid">
        \(routes)
        \(coverage)
        </div>
        \(moved)
        \(quotas)
        \(blocked)
        \(slowest)
        \(drift)
        </main>
        </body>
        </html>

        """
    }

    // MARK: Sections

    private var period: String {
        let whose = [report.account.map { "account \($0)" }, report.region, report.version.map { "preclone \($0)" }]
        let parts = ["\(Self.stamp(report.since)) to \(Self.stamp(report.generatedAt)) UTC"] + whose.compactMap(\.self)
        return parts.map(Self.text).joined(separator: " · ")
    }

    private var tiles: String {
        let counts = report.images
        func tile(_ tone: String, _ name: String, _ value: Int, _ words: String) -> String {
            "<div class=\"tile \(value > 0 ? tone : "")\"><b>\(figure("images.\(name)", value))</b>\(words)</div>"
        }
        return "<div class=\"tiles\">"
            + [
                tile("good", "ready", counts.ready, "images ready"), tile("wait", "cloning", counts.cloning, "cloning"),
                tile("wait", "pending", counts.pending, "pending"),
                tile("wait", "retrying", counts.retrying, "retrying"),
                tile("bad", "blocked", counts.blocked, "blocked"),
                tile("bad", "unresolved", counts.unresolved, "unresolved mentions"),
            ].joined() + "</div>"
    }

    private var leadTimes: String {
        let lead = report.leadTimes
        guard lead.images > 0 else {
            return section("Ready before the first task", "<p>No finished run's tasks were looked at in this time.</p>")
        }
        let most = lead.bins.map(\.images).max() ?? 0
        var body = "<p>\(figure("leadTimes.images", lead.images)) images of \(figure("leadTimes.runs", lead.runs)) "
        body += "finished runs: how long each was ready before the run's first task. "
        body += "\(figure("leadTimes.late", lead.late)) came late"
        if let median = lead.medianSeconds {
            body += "; half of them at least \(seconds("leadTimes.medianSeconds", median))"
        }
        body += ".</p>"
        for (index, bin) in lead.bins.enumerated() {
            body += row(
                Self.name(of: bin),
                share: most == 0 ? 0 : Double(bin.images) / Double(most),
                value: figure("leadTimes.bins.\(index).images", bin.images),
                isLate: bin.fromSeconds == nil
            )
        }
        return section("Ready before the first task", body)
    }

    private static func name(of bin: ActivityReport.LeadTimes.Bin) -> String {
        guard let from = bin.fromSeconds else { return "late" }
        guard let to = bin.toSeconds else { return "\(Phrase.length(from)) and more" }
        return from == 0 ? "under \(Phrase.length(to))" : "\(Phrase.length(from)) to \(Phrase.length(to))"
    }

    private var storage: String {
        let storage = report.storage
        var body = "<p>\(figure("storage.images", storage.images)) manifests of ready images take at most "
        body += bytes("storage.bytes", storage.bytes)
        if let dollars = storage.dollarsPerMonth, let price = storage.price {
            body +=
                ", <data value=\"\(dollars)\" data-path=\"storage.dollarsPerMonth\">\(Phrase.dollars(dollars))</data>"
            body +=
                " a month at <data value=\"\(price.dollarsPerGiBMonth)\" data-path=\"storage.price.dollarsPerGiBMonth\">"
            body += "\(Phrase.dollars(price.dollarsPerGiBMonth))</data> a GiB (\(Self.text(price.asOf)))"
        } else {
            body += "; what ECR asks for that in this Region is not known"
        }
        return section("Storage", body + ". Layers that images share are billed once in a repository.</p>")
    }

    private var workflows: String {
        let part = report.workflows
        guard !part.shown.isEmpty else { return "" }
        let rows = part.shown.enumerated().map { index, share in
            let path = "workflows.shown.\(index)"
            let name = share.name.map { " \($0)" } ?? ""
            return [
                Self.text(Self.bounded(share.id + name)), figure("\(path).runs", share.runs),
                "\(figure("\(path).ready", share.ready)) of \(figure("\(path).images", share.images))",
                bytes("\(path).bytes", share.bytes), bytes("\(path).ownBytes", share.ownBytes),
            ]
        }
        return section(
            "Workflows",
            table(["workflow", "runs", "images ready", "bytes", "of its own"], numbers: 1..<5, rows)
                + more(part.total, "workflows.total", shown: rows.count)
        )
    }

    private var routes: String {
        guard !report.routes.isEmpty else { return "" }
        let most = report.routes.map(\.images).max() ?? 1
        let words = [
            "present": "was there", "pullThrough": "pull-through cache", "copy": "copied", "unknown": "not known",
        ]
        let rows = report.routes.enumerated().map { index, route in
            row(
                words[route.route] ?? route.route,
                share: Double(route.images) / Double(max(1, most)),
                value:
                    "\(figure("routes.\(index).images", route.images)), \(bytes("routes.\(index).bytes", route.bytes))"
            )
        }
        return section("How ready images came", rows.joined())
    }

    private var coverage: String {
        let coverage = report.coverage
        guard coverage.runs > 0 else {
            return section("Foretold", "<p>No finished run was compared with what was foretold in this time.</p>")
        }
        var body = "<p>\(figure("coverage.runs", coverage.runs)) finished runs used "
        body +=
            "\(figure("coverage.used", coverage.used)) images, \(figure("coverage.foretold", coverage.foretold)) foretold.</p>"
        body += row(
            "foretold",
            share: Double(coverage.foretold) / Double(max(1, coverage.used)),
            value: Self.percent(coverage.foretold, of: coverage.used)
        )
        if !coverage.missed.isEmpty {
            body += "<p>Not foretold, wanted from now on:</p><ul>"
            body += coverage.missed.prefix(20).map { "<li><code>\(Self.text(Self.bounded($0)))</code></li>" }.joined()
            body += "</ul>"
        }
        return section("Foretold", body)
    }

    private var moved: String {
        guard !report.moved.isEmpty else { return "" }
        let days = report.moved.enumerated().map { index, day in
            Column(day: day.day, value: Double(day.bytes), figure: bytes("moved.\(index).bytes", day.bytes))
        }
        return section("Moved through this host", chart(days, label: "bytes moved by day"))
    }

    private var quotas: String {
        report.quotas.enumerated().map { place, quota in
            let days = quota.days.enumerated().map { index, day in
                Column(
                    day: day.day,
                    value: Double(day.pulls),
                    figure: figure("quotas.\(place).days.\(index).pulls", day.pulls)
                )
            }
            var words = quota.hasCredential ? "With credentials. " : ""
            if let limit = quota.limit {
                words += "The registry grants \(figure("quotas.\(place).limit", limit)) pulls"
                words += quota.windowSeconds.map { " in \(seconds("quotas.\(place).windowSeconds", Double($0)))" } ?? ""
                words += "."
            }
            return section(
                "Pulls of \(Phrase.registry(quota.registry))",
                (words.isEmpty ? "" : "<p>\(words)</p>") + chart(days, label: "pulls by day")
            )
        }.joined(separator: "\n")
    }

    private var blocked: String {
        let part = report.blocked
        guard part.total > 0 else { return "" }
        let rows = part.shown.map { image in
            let wanted =
                image.wantedBy.isEmpty
                ? "" : "<br><span class=\"quiet\">\(Self.text(image.wantedBy.joined(separator: ", ")))</span>"
            return [
                "<code>\(Self.text(Self.bounded(image.source)))</code>\(wanted)",
                Self.text(Self.bounded(image.reason ?? "no reason is recorded")),
                Self.text(Self.bounded(image.mend ?? "-")),
            ]
        }
        return section(
            "Blocked",
            table(["image", "why", "mend"], numbers: 0..<0, sentences: 1..<3, rows)
                + more(part.total, "blocked.total", shown: rows.count)
        )
    }

    private var slowest: String {
        guard !report.slowest.isEmpty else { return "" }
        let rows = report.slowest.enumerated().map { index, clone in
            [
                "<code>\(Self.text(Self.bounded(clone.source)))</code>", Self.text(clone.route),
                seconds("slowest.\(index).seconds", clone.seconds), bytes("slowest.\(index).bytes", clone.bytes),
                Self.text(Self.stamp(clone.endedAt)),
            ]
        }
        return section("Slowest clones", table(["image", "route", "took", "moved", "ended"], numbers: 2..<5, rows))
    }

    private var drift: String {
        let part = report.drift
        guard part.total > 0 else { return "" }
        let rows = part.shown.map { drift in
            [
                "<code>\(Self.text(Self.bounded(drift.source)))</code>",
                "<code>\(Self.text(Phrase.short(drift.from)))</code>",
                "<code>\(Self.text(Phrase.short(drift.to)))</code>", Self.text(Self.stamp(drift.seenAt)),
            ]
        }
        return section(
            "Tags that moved upstream",
            table(["image", "from", "to", "seen"], numbers: 0..<0, rows)
                + more(part.total, "drift.total", shown: rows.count)
        )
    }
}
