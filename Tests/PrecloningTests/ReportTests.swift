import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// `preclone report`: its figures, and the page that shows them.
@Suite("The report")
struct ReportTests {
    private let fixture: RecordFixture

    init() throws {
        fixture = try RecordFixture()
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        let first = try fixture.image("quay.io/org/a:1", destination: "\(host)/quay/org/a:1")
        let twin = try fixture.image("quay.io/org/a:one", destination: "\(host)/quay/org/a:one")
        let late = try fixture.image("docker.io/org/<b>&\"c\":2", destination: "\(host)/docker/b:2")
        try fixture.image(
            "ghcr.io/org/gone:1",
            state: "blocked",
            destination: "\(host)/ghcr/gone:1",
            reason: "ghcr.io says it is not there <script>alert(1)</script>",
            mend: "check the name"
        )
        try fixture.execute(
            "UPDATE image SET route = 'copy', bytes = 3000000000, ecrDigest = 'sha256:aa', readyAt = ? WHERE id IN (?, ?)",
            [fixture.at(-9000), first, twin]
        )
        try fixture.execute(
            "UPDATE image SET route = 'pullThrough', bytes = 500, ecrDigest = 'sha256:bb', readyAt = ? WHERE id = ?",
            [fixture.at(-100), late]
        )
        try fixture.run("1234567", images: [first, late], status: "COMPLETED", ended: true)
        try fixture.execute("UPDATE run SET firstTaskAt = ?", [fixture.at(-800)])
        try fixture.version("9", images: [first, twin])
        for (image, from, to) in [(first, -9100.0, -9000.0), (late, -900, -100)] {
            try fixture.execute(
                """
                INSERT INTO attempt (imageID, startedAt, endedAt, route, result, bytes) VALUES (?, ?, ?, 'copy', 'ready', 7)
                """,
                [image, fixture.at(from), fixture.at(to)]
            )
        }
        try fixture.execute("INSERT INTO bytesMoved (day, bytes) VALUES ('2026-09-20', 12345), ('2000-01-01', 1)")
        try fixture.execute("INSERT INTO host (host, countedLimit, countedWindow) VALUES ('docker.io', 100, 21600)")
        try fixture.execute(
            "INSERT INTO pull (host, at, state) VALUES ('docker.io', ?, 'committed'), ('docker.io', ?, 'committed')",
            [fixture.at(-200), fixture.at(-100)]
        )
        try fixture.execute(
            "INSERT INTO coverage (workflowID, versionName, runKey, predicted, used, missed, at) VALUES ('9', '', 'r', 2, 3, ?, ?)",
            [#"["quay.io/org/surprise:1"]"#, fixture.at(-50)]
        )
        for (digest, note, at) in [("sha256:old", nil, -500.0), ("sha256:new", "moved", -400)]
            as [(String, String?, Double)]
        {
            try fixture.execute(
                "INSERT INTO digest (source, location, digest, firstSeenAt, lastSeenAt, note) VALUES ('quay.io/org/a:1', 'upstream', ?, ?, ?, ?)",
                [digest, fixture.at(at), fixture.at(at), note]
            )
        }
    }

    private func report(days: Double = 30) throws -> ActivityReport {
        try ActivityReport.read(
            from: fixture.reader,
            since: fixture.now.addingTimeInterval(-days * 86_400),
            now: fixture.now
        )
    }

    @Test("what the record holds is counted once, and only of the time")
    func figures() throws {
        let report = try report()
        #expect(report.images.ready == 3)
        #expect(report.storage.images == 2, "two tags of one manifest in one repository")
        #expect(report.storage.bytes == 3_000_000_500)
        #expect(report.leadTimes.runs == 1)
        #expect(report.leadTimes.images == 2)
        #expect(report.leadTimes.late == 1)
        #expect(report.leadTimes.bins.map(\.images) == [1, 0, 0, 0, 1, 0, 0, 0])
        #expect(report.routes.map(\.route) == ["copy", "pullThrough"])
        #expect(report.moved.map(\.day) == ["2026-09-20"])
        #expect(report.quotas.first?.limit == 100)
        #expect(report.quotas.first?.days.first?.pulls == 2)
        #expect(report.coverage.foretold == 2)
        #expect(report.coverage.missed == ["quay.io/org/surprise:1"])
        #expect(report.drift.shown.first?.from == "sha256:old")
        #expect(report.slowest.first?.seconds == 800)
        #expect(report.workflows.shown.first?.ready == 3)
        #expect(report.blocked.shown.first?.mend == "check the name")
        let short = try self.report(days: 0.0001)
        #expect(short.leadTimes.images == 0 && short.moved.isEmpty && short.drift.total == 0 && short.quotas.isEmpty)
    }

    @Test("every figure of the page is the document's")
    func sameFigures() throws {
        let report = try report()
        let html = ReportPage(report).html
        let document = try JSONSerialization.jsonObject(with: Data(try report.json().utf8))
        let figures = html.matches(of: #/<data value="([^"]*)" data-path="([^"]*)">/#)
        #expect(figures.count > 30)
        for figure in figures {
            var value: Any? = document
            for step in figure.2.split(separator: ".") {
                value = Int(step).flatMap { (value as? [Any])?[$0] } ?? (value as? [String: Any])?[String(step)]
            }
            let number = try #require(value as? NSNumber, "\(figure.2) is not in the document")
            #expect(Double(figure.1) == number.doubleValue, "\(figure.2)")
        }
    }

    @Test("text from outside is text, and the page asks nothing of any place")
    func selfContained() throws {
        let html = ReportPage(try report()).html
        #expect(!html.contains("<script"))
        #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
        #expect(html.contains("docker.io/org/&lt;b&gt;&amp;&quot;c&quot;:2"))
        for reference in ["http://", "https://", "src=", "href=", "url(", "@import"] {
            #expect(!html.contains(reference))
        }
    }

    @Test("many images and long names stay under 300 KB")
    func size() throws {
        let name = String(repeating: "long-name/", count: 300)
        for index in 0..<300 {
            let image = try fixture.image(
                "quay.io/\(name)\(index):1",
                state: "blocked",
                destination: "x/\(index)",
                reason: name + name,
                mend: name
            )
            try fixture.run("\(2_000_000 + index)", images: [image])
            try fixture.execute("UPDATE run SET workflowID = ? WHERE id = ?", ["\(index)", "\(2_000_000 + index)"])
        }
        #expect(ReportPage(try report()).html.utf8.count < 300_000)
    }

    @Test("a record in which nothing happened has a page too")
    func empty() throws {
        let report = try ActivityReport.read(from: RecordReader(Ledger()), since: .distantPast, now: fixture.now)
        let html = ReportPage(report).html
        #expect(html.contains("0</data></b>images ready"))
        #expect(report.leadTimes.bins.isEmpty)
    }

    @Test("dollars are told where the price is known, and nowhere else")
    func price() {
        #expect(ActivityReport.Storage(images: 1, bytes: 107_374_182_400, region: "eu-central-1").dollarsPerMonth == 10)
        #expect(ActivityReport.Storage(images: 1, bytes: 1, region: "cn-north-1").dollarsPerMonth == nil)
        #expect(ActivityReport.Storage(images: 1, bytes: 1, region: nil).price == nil)
        #expect(Phrase.dollars(1234.5) == "$1,234.50")
        #expect(Phrase.dollars(0.001) == "under $0.01")
    }
}
