import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record
@testable import Remotes

@Suite("Unused images")
struct UnusedTests {
    private let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    private let day = 86_400.0

    @Test("an image is unused when no run used it, nobody asked for it, and nothing wants it")
    func candidates() throws {
        let fixture = try RecordFixture()
        func ready(_ name: String, days: Double) throws -> Int64 {
            let id = try fixture.image("quay.io/\(name)", destination: "\(host)/\(name)")
            try fixture.execute(
                "UPDATE image SET readyAt = ?, ecrDigest = ? WHERE id = ?",
                [fixture.at(-days * day), "sha256:\(name)", id]
            )
            return id
        }
        let wanted = try ready("wanted:1", days: 200)
        try fixture.version("9", images: [wanted])
        let used = try ready("used:1", days: 200)
        try fixture.run("1", images: [used], status: "COMPLETED", ended: true)
        let asked = try ready("asked:1", days: 200)
        try fixture.execute(
            """
            INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt, endedAt)
            VALUES (?, 'clone', '1', 'certain', 'm', '[]', '[]', ?, ?)
            """,
            [asked, fixture.at(-3 * day), fixture.at(-2 * day)]
        )
        _ = try ready("fresh:1", days: 3)
        let old = try ready("old:1", days: 200)
        try fixture.run("2", images: [old], status: "COMPLETED", ended: true)
        try fixture.execute("UPDATE demand SET endedAt = ? WHERE imageID = ?", [fixture.at(-100 * day), old])
        let found = try fixture.reader.unused(since: fixture.now.addingTimeInterval(-90 * day))
        #expect(found.images.map(\.destination) == ["\(host)/old:1"])
        #expect(found.images.first?.tag == "1")
        #expect(found.images.first?.lastRunAt == fixture.now.addingTimeInterval(-100 * day))
        #expect(found.needed["\(host)/wanted"] == ["sha256:wanted:1"])
    }

    /// What ECR's lifecycle rules would delete, written from its user guide and from nothing of ours: digests that have a tag
    /// which a rule names, pushed more than its days ago; those that a held index names stay.
    private func expired(_ policy: String, _ images: [ImageDetail], now: Date) throws -> Set<String> {
        struct Policy: Decodable {
            struct Rule: Decodable {
                struct Selection: Decodable {
                    var tagStatus: String
                    var tagPatternList: [String]
                    var countType: String
                    var countNumber: Double
                }
                var selection: Selection
            }
            var rules: [Rule]
        }
        let rules = try JSONDecoder().decode(Policy.self, from: Data(policy.utf8)).rules
        #expect(rules.count <= 50)
        return Set(
            images.filter { image in
                rules.contains { rule in
                    rule.selection.tagPatternList.allSatisfy { image.imageTags?.contains($0) ?? false }
                        && rule.selection.countType == "sinceImagePushed"
                        && image.imagePushedAt.map { now.timeIntervalSince($0) > rule.selection.countNumber * day }
                            ?? false
                }
            }.compactMap(\.imageDigest)
        )
    }

    @Test("no policy lets go of what somebody wants, whatever a repository holds", arguments: 0..<300)
    func policies(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let now = Date(timeIntervalSince1970: 1_790_000_000)
        let since = now.addingTimeInterval(-90 * day)
        var images: [ImageDetail] = []
        var unused: [(tag: String, digest: String?)] = []
        var needed: Set<String> = []
        var wantedTags: Set<String> = []
        for index in 0..<Int.random(in: 1...90, using: &random) {
            let digest = "sha256:\(index)"
            let tags = (0..<Int.random(in: 0...3, using: &random)).map { "\(index)-\($0)" }
            var detail = ImageDetail()
            detail.imageDigest = digest
            detail.imageTags = tags
            detail.imagePushedAt = now.addingTimeInterval(-Double.random(in: 0...200, using: &random) * day)
            images.append(detail)
            for tag in tags {
                if Bool.random(using: &random) {
                    // The record may be behind what ECR holds.
                    unused.append((tag, Int.random(in: 0...9, using: &random) == 0 ? "sha256:other" : digest))
                } else {
                    // Of a lock, of somebody else, or wanted.
                    wantedTags.insert(tag)
                }
            }
            if Int.random(in: 0...3, using: &random) == 0 { needed.insert(digest) }
        }
        let proposal = LifecycleProposal(unused: unused, held: images, needed: needed, since: since, now: now)
        #expect(proposal.tags.count + proposal.kept.count == unused.count)
        guard let text = proposal.text else {
            #expect(proposal.tags.isEmpty)
            return
        }
        let gone = try expired(text, images, now: now)
        #expect(gone.isDisjoint(with: needed))
        for image in images where gone.contains(image.imageDigest ?? "") {
            #expect(wantedTags.isDisjoint(with: image.imageTags ?? []))
        }
        // What it says it lets go of, it does.
        let told = Set(
            images.filter { !Set($0.imageTags ?? []).isDisjoint(with: proposal.tags) }.compactMap(\.imageDigest)
        )
        #expect(gone == told)
    }
}
