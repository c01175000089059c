import Foundation
import GRDB
import Synchronization
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite("Status as text")
struct StatusTextTests {
    @Test("wide characters and marks are counted as the terminal shows them")
    func widths() {
        #expect(DisplayWidth.of("abc") == 3)
        #expect(DisplayWidth.of("工作流") == 6)
        #expect(DisplayWidth.of("e\u{301}") == 1)
        #expect(DisplayWidth.of("🧬🇨🇭") == 4)
        #expect(DisplayWidth.cut("工作流程", to: 5, .end) == "工作…")
        #expect(DisplayWidth.cut("工作流程", to: 8, .end) == "工作流程")
        #expect(DisplayWidth.cut("quay.io/a/b:1", to: 9, .middle) == "quay…/b:1")
    }

    @Test("words are kept whole, longer ones are broken, and nothing is lost")
    func wrapping() {
        #expect(DisplayWidth.wrapped("one two three", to: 7) == ["one two", "three"])
        #expect(DisplayWidth.wrapped("a 0123456789 b", to: 4) == ["a", "0123", "4567", "89 b"])
        #expect(DisplayWidth.wrapped("工作流 工作", to: 5) == ["工作", "流", "工作"])
        #expect(DisplayWidth.wrapped("工", to: 1) == ["工"])
        #expect(DisplayWidth.wrapped("", to: 5) == [""])
    }

    private static let outside = [
        "工作流程 " + String(repeating: "很长的名字", count: 20), String(repeating: "x", count: 300),
        "\u{202E}gnp.exe \u{200F}\u{2066}" + String(repeating: "שלום ", count: 30),
        String(repeating: "e\u{301}🧬", count: 60), "a\u{1B}]0;title\u{07}b\u{9B}2Jc\u{AD}\u{200B}\r\nstopped: forged",
    ]

    @Test("no line is wider than the terminal, whatever names and reasons hold", arguments: outside, [20, 60, 80, 120])
    func width(text: String, width: Int) throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let id = try fixture.image(
            "quay.io/\(text)",
            state: "blocked",
            reason: text,
            mend: text,
            failureClass: "policy"
        )
        try fixture.run("1", images: [id])
        try fixture.execute("UPDATE run SET name = ?, trouble = ?", [text, text])
        try fixture.execute("UPDATE image SET rule = ?", [text])
        try fixture.execute(
            """
            INSERT INTO unresolved (kind, subject, place, expression, missing, tasks, createdAt)
            VALUES ('run', '1@1', ?, ?, ?, '[]', 1)
            """,
            [text, text, text]
        )
        for filter in [nil, StatusReport.Filter.run(id: "1")] {
            let lines = StatusText(try fixture.report(filter), style: TextStyle(width: width)).lines
            for line in lines {
                #expect(DisplayWidth.of(line) <= width, "\(line)")
                #expect(!line.unicodeScalars.contains(where: PrintableText.isControl), "\(line)")
                #expect(!line.hasPrefix("stopped: forged"))
            }
        }
    }

    @Test("why it is degraded and what to do are never cut")
    func nothingCut() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let why = "the registry said that " + (0..<40).map { "word\($0)" }.joined(separator: " ")
        try fixture.execute("UPDATE daemon SET lastPollTrouble = ?", [why])
        try fixture.image("quay.io/a:1", state: "blocked", reason: why, mend: why)
        let text = fixture.text(try fixture.report(), width: 60)
        let words = text.split(whereSeparator: \.isWhitespace)
        #expect(words.filter { $0 == "word39" }.count == 3)
        #expect(text.hasPrefix("degraded: the last poll failed: "))
    }

    @Test("an image's times are those of the reader's place")
    func zone() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.image("quay.io/a:1", state: "retrying", reason: "down", due: 600)
        let report = try fixture.report(.image("quay.io/a:1"))
        #expect(report.focus?.sentence == "tried again at 14:23: down")
        let zone = try #require(TimeZone(secondsFromGMT: 7200))
        #expect(StatusText(report, style: TextStyle(zone: zone)).lines.contains("  tried again at 16:23: down"))
    }

    @Test("what waited until a moment that is past is queued")
    func pastWait() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let waits = try fixture.image("docker.io/a/b:1", state: "retrying", failureClass: "quota", due: -600)
        let queued = try fixture.image("docker.io/a/b:2", state: "pending", due: -600)
        try fixture.run("1", images: [waits, queued])
        #expect(try fixture.report(.run(id: "1")).focus?.sentence == "0 of 2 images ready; 2 are queued")
        #expect(
            try fixture.report(.image("docker.io/a/b:1")).focus?.sentence == "queued to be tried again"
        )
    }

    @Test("the rule that let an image pass is not told as the reason that it is blocked")
    func rule() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        for (name, failure) in [("a", "notFound"), ("b", "policy")] {
            try fixture.image("quay.io/\(name):1", state: "blocked", reason: "why \(name)", failureClass: failure)
        }
        try fixture.execute("UPDATE image SET rule = 'usual'")
        let lines = StatusText(try fixture.report(), style: TextStyle()).lines
        #expect(lines.contains("    why a"))
        #expect(lines.contains("    why b (rule usual)"))
    }
}

@Suite("The lock of a record")
struct RecordLockTests {
    private func withPath(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.appendingPathComponent("record.sqlite").path)
    }

    @Test("one holder at a time, whose name others are told")
    func exclusive() throws {
        try withPath { path in
            #expect(RecordLock.holder(record: path) == nil)
            #expect(RecordLock.isHeld(record: path, by: getpid()) == nil)
            let first = try RecordLock(record: path, holder: "preclone run")
            #expect(RecordLock.holder(record: path)?.hasPrefix("preclone run, process ") == true)
            #expect(RecordLock.isHeld(record: path, by: getpid()) == true)
            #expect(RecordLock.isHeld(record: path, by: getpid() + 1) == false, "somebody else holds it")
            #expect(throws: RecordLock.Held.self) { try RecordLock(record: path, holder: "another") }
            first.release()
            #expect(RecordLock.holder(record: path) == nil)
            #expect(RecordLock.isHeld(record: path, by: getpid()) == false)
            try RecordLock(record: path, holder: "another").release()
        }
    }

    @Test("whoever looks keeps no worker out")
    func looking() throws {
        try withPath { path in
            try RecordLock(record: path, holder: "the first").release()
            let stop = Mutex(false)
            let looker = Thread {
                while !stop.withLock({ $0 }) { _ = RecordLock.holder(record: path) }
            }
            looker.start()
            defer { stop.withLock { $0 = true } }
            for _ in 0..<2000 { try RecordLock(record: path, holder: "a worker").release() }
        }
    }
}
