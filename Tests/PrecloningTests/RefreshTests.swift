import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite struct RefreshTests {
    private let fixture: RecordFixture
    private let digest = "sha256:" + String(repeating: "a", count: 64)
    private let newer = "sha256:" + String(repeating: "b", count: 64)

    init() throws { fixture = try RecordFixture() }

    private func due(paused: Set<String> = []) throws -> [String] {
        try fixture.ledger.toRefresh(
            limit: 10,
            seenBefore: fixture.now.addingTimeInterval(-86_400),
            pausedRegistries: paused
        ).map(\.source)
    }

    private func ready(_ source: String, seen: Double, wanted: Bool = true) throws -> Int64 {
        let id = try fixture.image(source, destination: "d/\(source)")
        try fixture.execute(
            "UPDATE image SET upstreamSeenAt = ?, sourceDigest = ? WHERE id = ?",
            [fixture.at(seen), digest, id]
        )
        if wanted { try fixture.run("r\(id)", images: [id]) }
        return id
    }

    @Test func wantedTagsAreLookedAtTheLongestUnseenFirst() throws {
        _ = try ready("quay.io/a:1", seen: -90_000)
        _ = try ready("quay.io/a:2", seen: -190_000)
        _ = try ready("quay.io/a:fresh", seen: -80_000)
        _ = try ready("quay.io/a:unwanted", seen: -90_000, wanted: false)
        _ = try ready("quay.io/a@\(digest)", seen: -90_000)
        let blocked = try ready("quay.io/a:blocked", seen: -90_000)
        try fixture.execute("UPDATE image SET state = 'blocked' WHERE id = ?", [blocked])
        _ = try ready("ghcr.io/a:1", seen: -290_000)
        #expect(try due() == ["ghcr.io/a:1", "quay.io/a:2", "quay.io/a:1"])
        #expect(try due(paused: ["quay.io"]) == ["ghcr.io/a:1"])
    }

    @Test func aMovedTagIsMarkedOrFollowedAndAReturnedOneIsForgotten() throws {
        let id = try ready("quay.io/a:1", seen: -90_000)
        let ledger = fixture.ledger
        try ledger.sawUpstreamMoved(id, to: newer, follows: false, now: fixture.now)
        var image = try #require(try ledger.image(id: id))
        #expect(image.state == .ready && image.movedDigest == newer)
        #expect(try due().isEmpty)
        #expect(try fixture.report().moved.shown.first?.movedDigest == newer)
        try ledger.sawUpstreamUnchanged(id, digest: nil, now: fixture.now)
        #expect(try ledger.image(id: id)?.movedDigest == newer)
        try ledger.sawUpstreamUnchanged(id, digest: digest, now: fixture.now)
        #expect(try ledger.image(id: id)?.movedDigest == nil)

        try ledger.sawUpstreamMoved(id, to: newer, follows: true, now: fixture.now)
        image = try #require(try ledger.image(id: id))
        // What ECR holds stays whole while it is followed.
        #expect(image.state == .ready && image.dueAt == fixture.at(0))
    }
}
