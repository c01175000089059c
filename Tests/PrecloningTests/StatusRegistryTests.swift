import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// What `status` says of registries of which several credentials were used.
@Suite struct StatusRegistryTests {
    @Test func aRegistryIsToldOncePerCredentialThatAsksIt() throws {
        let fixture = try RecordFixture()
        try fixture.image("docker.io/a/b:1", state: "retrying", failureClass: "quota", due: 60)
        func saw(_ credential: String, _ remaining: Int, _ at: TimeInterval) throws {
            let now = fixture.now.addingTimeInterval(at)
            try fixture.ledger.sawQuota(
                host: "docker.io",
                credential: credential,
                RateLimitHeaders(limit: credential.isEmpty ? 100 : 200, remaining: remaining, window: .seconds(21_600)),
                now: now
            )
        }
        try fixture.ledger.pause(
            host: "docker.io",
            until: fixture.now.addingTimeInterval(30),
            reason: "it asked for less",
            now: fixture.now
        )
        try saw("file old", 200, -90)
        try saw("", 99, -120)
        try saw("file hub", 37, -60)
        let told = try fixture.report().registries
        // What was used up last comes first, with what holds for the host; a credential with all its pulls is not told.
        #expect(told.map(\.credential) == ["file hub", nil])
        #expect(told.map(\.left) == [37, 99])
        #expect(told.map(\.waiting) == [1, 0])
        #expect(told.map { $0.pausedUntil == nil } == [false, true])
    }

    @Test func whoAskedForLessIsInTheFirstLineWhileImagesWait() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let image = try fixture.image("quay.io/a:1", state: "retrying", due: 60)
        try fixture.run("77", images: [image])
        let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
        let until = fixture.now.addingTimeInterval(60)
        try fixture.ledger.pause(host: ecr, until: until, reason: "ECR throttles PutImage", now: .distantPast)
        let report = try fixture.report()
        #expect(report.health.reasons.contains { $0.hasSuffix("ECR throttles PutImage") }, "\(report.health.reasons)")
        #expect(fixture.text(report).prefix { $0 != "\n" }.contains("ECR throttles PutImage"))
        // Nothing waits: it keeps nobody from anything.
        try fixture.execute("UPDATE image SET state = 'ready', dueAt = NULL WHERE id = ?", [image])
        #expect(try !fixture.report().health.reasons.contains { $0.contains("throttles") })
    }

    @Test func whatIsQueuedForARestingRegistryWaitsForIt() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        let ids = try ["a", "b"].map {
            try fixture.image("quay.io/\($0):1", state: "pending", destination: $0, due: -5)
        }
        let other = try fixture.image("ghcr.io/c:1", state: "pending", destination: "c", due: -5)
        try fixture.run("77", images: ids + [other])
        #expect(try fixture.report().registries.isEmpty)
        let until = fixture.now.addingTimeInterval(600)
        try fixture.ledger.breaker(host: "quay.io", state: "open", until: until, failures: 3)
        let report = try fixture.report()
        let told = try #require(report.registries.first)
        #expect(told.waiting == 2 && told.waitingRuns == ["77"])
        #expect(told.sentence(now: fixture.now, zone: .gmt).hasSuffix("2 images wait (run 77)"))
        #expect(report.health.state == .degraded)
        let run = try #require(report.runs.shown.first?.standing)
        #expect(run.queued == 1 && run.waits.map(\.registry) == ["quay.io"] && run.waits.first?.until == until)
        let focus = try #require(try fixture.report(.run(id: "77")).focus)
        #expect(focus.sentence == "0 of 3 images ready; 1 is queued; 2 wait for Quay until 14:23", "\(focus.sentence)")
        #expect(focus.standing?.sentence(now: fixture.now, zone: .gmt) == focus.sentence)
        let text = fixture.text(report)
        #expect(text.contains("queued; Quay is asked again"), "\(text)")
    }

    @Test func aRestThatIsOverIsNoTrouble() throws {
        let fixture = try RecordFixture()
        try fixture.daemon()
        try fixture.image("quay.io/a:1", state: "pending", due: 60)
        // Nobody had a reason to ask it since.
        let until = fixture.now.addingTimeInterval(-600)
        try fixture.ledger.breaker(host: "quay.io", state: "open", until: until, failures: 3)
        let report = try fixture.report()
        #expect(report.health.state == .healthy, "\(report.health)")
        let sentence = try #require(report.registries.first).sentence(now: fixture.now, zone: .gmt)
        #expect(sentence.contains("tried again with one request"), "\(sentence)")
    }
}
