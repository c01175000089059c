import Configuring
import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// Notices: each change told of once, in the transaction in which it happens.
@Suite("Notices")
struct NoticeTests {
    private let fixture: RecordFixture
    private var ledger: Ledger { fixture.ledger }

    init() throws {
        fixture = try RecordFixture()
        try ledger.notify(of: NoticeKind.allCases, to: [.webhook])
    }

    private func notices() throws -> [String] {
        try ledger.database.read {
            try String.fetchAll($0, sql: "SELECT kind || ' ' || subject FROM notice ORDER BY id")
        }
    }

    private func tell(_ event: ImageEvent, _ image: Int64, after seconds: Double = 0) throws {
        try ledger.tell(event, of: image, now: fixture.now.addingTimeInterval(seconds))
    }

    private let refusal = AttemptEnd.refused(
        Refusal(.notFound, reason: "not there", mend: "check the name"),
        isHeld: false
    )

    @Test("a blocked image that a live run needs is told of once, however often it is looked at again")
    func blocked() throws {
        let image = try fixture.image("quay.io/a/b:1", state: "pending", due: 0, urgency: 0)
        try fixture.run("1234567", images: [image])
        for round in 0..<3 {
            try tell(.taken, image, after: Double(round * 100))
            try tell(.ended(refusal, mark: "m"), image, after: Double(round * 100 + 1))
        }
        #expect(try notices() == ["blocked quay.io/a/b:1"])
        let text = try ledger.database.read { try String.fetchOne($0, sql: "SELECT text FROM notice") }
        #expect(text == "quay.io/a/b:1, which run 1234567 needs, is blocked: not there; mend: check the name")
        // It came, went, and is blocked once more: that is news.
        try tell(.taken, image, after: 400)
        try tell(.ended(.ready(note: nil), mark: "m"), image, after: 401)
        try tell(.lost(reason: "gone"), image, after: 402)
        try tell(.taken, image, after: 500)
        try tell(.ended(refusal, mark: "m"), image, after: 501)
        #expect(try notices().filter { $0.hasPrefix("blocked") }.count == 2)
    }

    @Test("an image that only a version wants is nobody's emergency, until a run needs it")
    func version() throws {
        let image = try fixture.image("quay.io/a/b:1", state: "pending", due: 0, urgency: 2)
        try fixture.version("9", images: [image])
        try tell(.taken, image)
        try tell(.ended(refusal, mark: "m"), image)
        #expect(try notices().isEmpty)
        try fixture.run("1234567", images: [image])
        try tell(.wanted(isNew: true), image)
        if try ledger.database.read({ try String.fetchOne($0, sql: "SELECT state FROM image") }) != "blocked" {
            try tell(.taken, image, after: 10)
            try tell(.ended(refusal, mark: "m"), image, after: 11)
        }
        #expect(try notices() == ["blocked quay.io/a/b:1"])
    }

    @Test("a run is told of when the last of its images came, and again only after one was gone")
    func ready() throws {
        let first = try fixture.image("quay.io/a/b:1", state: "pending", due: 0, urgency: 0)
        let second = try fixture.image("quay.io/a/c:1", state: "pending", due: 0, urgency: 0)
        try fixture.run("1234567", images: [first, second])
        func clone(_ image: Int64, _ at: Double) throws {
            try tell(.taken, image, after: at)
            try tell(.ended(.ready(note: nil), mark: "m"), image, after: at)
        }
        try clone(first, 1)
        #expect(try notices().isEmpty)
        try clone(second, 2)
        #expect(try notices() == ["ready 1234567"])
        try tell(.found, first, after: 3)
        #expect(try notices().count == 1)
        try tell(.lost(reason: "gone"), first, after: 4)
        try clone(first, 500)
        #expect(try notices() == ["ready 1234567", "ready 1234567"])
    }

    @Test("a moved tag is told of once for each digest, where somebody uses it")
    func moved() throws {
        let used = try fixture.image("quay.io/a/b:1")
        let unused = try fixture.image("quay.io/a/c:1", destination: "elsewhere:1")
        try fixture.version("9", images: [used])
        for _ in 0..<2 {
            try tell(.tagMoved(to: "sha256:b", follows: false), used)
            try tell(.tagMoved(to: "sha256:b", follows: false), unused)
        }
        try tell(.tagUnmoved, used)
        try tell(.tagMoved(to: "sha256:b", follows: false), used)
        #expect(try notices() == ["moved quay.io/a/b:1"])
        try tell(.tagMoved(to: "sha256:c", follows: false), used)
        #expect(try notices().count == 2)
    }

    @Test("a registry that refuses our credentials is told of once; the daemon when it becomes degraded")
    func refusedAndDegraded() throws {
        for _ in 0..<2 {
            try ledger.pause(
                host: "ghcr.io",
                until: fixture.now,
                reason: "\(HostRow.credentialPause): correct them",
                now: fixture.now
            )
            try ledger.noteHealth(Health(state: .degraded, reasons: ["disk full"]), now: fixture.now)
        }
        try ledger.noteHealth(Health(state: .healthy, reasons: []), now: fixture.now)
        try ledger.noteHealth(Health(state: .stuck, reasons: ["x"]), now: fixture.now)
        #expect(try notices() == ["refused ghcr.io", "degraded daemon", "degraded daemon"])
    }

    @Test("nothing is written while nobody is told, and what is not chosen is not")
    func off() throws {
        try ledger.notify(of: NoticeKind.allCases, to: [])
        let image = try fixture.image("quay.io/a/b:1", state: "pending", due: 0, urgency: 0)
        try fixture.run("1234567", images: [image])
        try tell(.taken, image)
        try tell(.ended(refusal, mark: "m"), image)
        try ledger.notify(of: [.ready], to: [.webhook])
        try tell(.taken, image, after: 10)
        try tell(.ended(refusal, mark: "m"), image, after: 11)
        #expect(try notices().isEmpty)
    }

    // MARK: Sending

    private func degrade(_ times: Int) throws {
        for time in 0..<times {
            try ledger.noteHealth(Health(state: .degraded, reasons: ["\(time)"]), now: fixture.now)
            try ledger.noteHealth(Health(state: .healthy, reasons: []), now: fixture.now)
        }
    }

    @Test("what was begun to be sent comes again as it was, with its id, until it is taken")
    func again() throws {
        try degrade(2)
        let first = try #require(try ledger.nextMessage(for: .webhook, perHour: 20, now: fixture.now))
        // The process was killed before it knew whether the message had arrived.
        #expect(try ledger.nextMessage(for: .webhook, perHour: 20, now: fixture.now) == first)
        #expect(first.text == "preclone is degraded: 0")
        // The receiver is down for a day.
        var now = fixture.now
        var tries = 0
        while now < fixture.now.addingTimeInterval(86_400) {
            let message = try #require(try ledger.nextMessage(for: .webhook, perHour: 20, now: now))
            #expect(message == first)
            let pause = try ledger.undelivered(message, to: .webhook, now: now)
            #expect(try ledger.nextMessage(for: .webhook, perHour: 20, now: now) == nil)
            now += Double(pause.components.seconds)
            tries += 1
        }
        #expect(tries < 400)
        try ledger.delivered(first, to: .webhook, now: now)
        let second = try #require(try ledger.nextMessage(for: .webhook, perHour: 20, now: now))
        #expect(second.id != first.id && second.text == "preclone is degraded: 1")
        try ledger.delivered(second, to: .webhook, now: now)
        #expect(try ledger.nextMessage(for: .webhook, perHour: 20, now: now) == nil)
    }

    @Test("beyond so many an hour the last message gathers the rest, and nothing is lost")
    func gathered() throws {
        try degrade(150)
        var told: [String] = []
        var now = fixture.now
        var messages: [NoticeMessage] = []
        while let message = try ledger.nextMessage(for: .webhook, perHour: 3, now: now) {
            messages.append(message)
            told += message.notices.map(\.text)
            try ledger.delivered(message, to: .webhook, now: now)
        }
        #expect(messages.map(\.total) == [1, 1, 148])
        #expect(messages[2].notices.count == NoticeMessage.mostNotices)
        #expect(messages[2].text == "148 notices of preclone: 148 degraded")
        #expect(try messages[2].json().utf8.count < 200_000)
        try degrade(1)
        #expect(try ledger.nextMessage(for: .webhook, perHour: 3, now: now) == nil)
        now += 3601
        #expect(try ledger.nextMessage(for: .webhook, perHour: 3, now: now)?.total == 1)
        #expect(Set(messages.map(\.id)).count == 3)
    }

    @Test("each target has its own outbox; one that is set later hears nothing of before")
    func targets() throws {
        try degrade(1)
        try ledger.notify(of: NoticeKind.allCases, to: [.webhook, .sns])
        #expect(try ledger.nextMessage(for: .sns, perHour: 20, now: fixture.now) == nil)
        #expect(try ledger.nextMessage(for: .webhook, perHour: 20, now: fixture.now) != nil)
        try degrade(1)
        #expect(try ledger.nextMessage(for: .sns, perHour: 20, now: fixture.now)?.total == 1)
    }

    @Test("the names in a message are pinned")
    func names() throws {
        let notice = Notice(kind: .ready, subject: "1", text: "t", at: fixture.now)
        let message = NoticeMessage(id: "i", account: "a", region: "r", notices: [notice])
        #expect(
            try DocumentNamesTests.names(message.json()) == [
                "schemaVersion", "id", "account", "region", "text", "total", "notices", "notices[].kind",
                "notices[].subject", "notices[].text", "notices[].at",
            ]
        )
    }
}
