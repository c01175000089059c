import Foundation
import Precloning
import Sandbox
import Testing

/// Upstream's tag moves after it was cloned.
@Suite("Tags that move")
struct MovedTagTests {
    private static let image = "quay.io/org/tool:1"
    private static let repository = "quay/org/tool"

    /// Lets a tag move that a live run uses, and be looked at.
    private func move(
        _ choice: String,
        _ body: @Sendable @escaping (SteppedDaemon, _ old: String, _ new: String, _ run: String) async throws -> Void
    ) async throws {
        let keys: [String: SandboxJSON] = ["clone": ["onTagMove": .string(choice), "refreshTagsEvery": "1h"]]
        try await SteppedDaemon.with(keys: keys) { running in
            let world = running.world
            let old = try world.put(Self.image)
            let run = try world.startRun("one", of: [Self.image])
            try await running.pass("the image", within: .seconds(600)) { try running.states([Self.image: "ready"]) }
            let pulls = world.count("GetManifest", registry: "quay.io")
            let new = try world.put(Self.image, size: 8192)
            #expect(old.root != new.root)
            try await running.pass("the move", within: .seconds(7200)) {
                try !world.rows("SELECT 1 FROM audit WHERE action = 'upstreamTagMoved'").isEmpty
            }
            let looks = world.count("GetManifest", registry: "quay.io") - pulls
            #expect(looks <= (choice == "report" ? 0 : 1), "a look at a tag is no pull")
            let row = try #require(try world.rows("SELECT * FROM audit WHERE action = 'upstreamTagMoved'").first)
            #expect(row["before"] == old.root)
            #expect(row["after"] == new.root)
            #expect(row["caller"] == "daemon")
            try await body(running, old.root, new.root, run)
        }
    }

    /// The story, as `preclone history` tells it.
    private func story(_ world: RunningSandbox) async throws -> String {
        let answer = try await world.run("history", Self.image)
        #expect(answer.code == 0, "\(answer.standardError)")
        return answer.standardOutput
    }

    @Test("report leaves ECR as it is: the image stays ready, marked moved")
    func report() async throws {
        try await move("report") { running, old, new, run in
            let world = running.world
            try await running.pass(.seconds(7200))
            #expect(world.sandbox.privateTags(Self.repository) == ["1": old])
            let row = try #require(try world.rows("SELECT state, moved_digest, ecr_digest FROM images").first)
            #expect(row == ["state": "ready", "moved_digest": new, "ecr_digest": old])
            #expect(try world.rows("SELECT 1 FROM audit WHERE action = 'upstreamTagMoved'").count == 1)
            #expect(try world.rows("SELECT 1 FROM audit WHERE action = 'tagMoved'").isEmpty, "ECR's tag did not move")
            let story = try await story(world)
            for word in [String(old.dropFirst(7).prefix(12)), String(new.dropFirst(7).prefix(12)), run, "moved"] {
                #expect(story.contains(word), "\(word) in \(story)")
            }
            let status = try await world.run("status")
            #expect(status.standardOutput.contains("Moved upstream"), "\(status.standardOutput)")
        }
    }

    @Test("where looking by HEAD is refused, a GET tells", arguments: [403, 405])
    func headIsRefused(_ status: Int) async throws {
        let keys: [String: SandboxJSON] = ["clone": ["refreshTagsEvery": "1h"]]
        try await SteppedDaemon.with(keys: keys) { running in
            let world = running.world
            world.sandbox.add(Fault(.error, operation: "HeadManifest", registry: "quay.io", status: status))
            try world.put(Self.image)
            _ = try world.startRun("one", of: [Self.image])
            try await running.pass("the image", within: .seconds(600)) { try running.states([Self.image: "ready"]) }
            let new = try world.put(Self.image, size: 8192)
            try await running.pass("the move", within: .seconds(7200)) {
                try world.rows("SELECT moved_digest FROM images").first?["moved_digest"] == new.root
            }
        }
    }

    @Test("clone lets the tag take the new digest, and history keeps both and who used the old one")
    func clone() async throws {
        try await move("clone") { running, old, new, run in
            let world = running.world
            try await running.pass("the new digest", within: .seconds(3600)) {
                try running.states([Self.image: "ready"]) && world.sandbox.privateTags(Self.repository)?["1"] == new
            }
            #expect(world.sandbox.privateTags(Self.repository) == ["1": new])
            #expect(try world.rows("SELECT moved_digest FROM images").first?["moved_digest"] == nil)
            let pushed = try world.rows(
                "SELECT before, after FROM audit WHERE action = 'imagePushed' ORDER BY id"
            )
            #expect(pushed.map { $0["before"] } == [nil, old])
            #expect(pushed.map { $0["after"] } == [old, new])
            let moved = try world.rows("SELECT * FROM audit WHERE action = 'tagMoved'")
            #expect(moved.map { $0["before"] } == [old] && moved.map { $0["after"] } == [new])
            let story = try await story(world)
            #expect(story.contains(run), "\(story)")
        }
    }

    @Test("keep does the same, and the old digest stays under a tag of its own")
    func keep() async throws {
        try await move("keep") { running, old, new, _ in
            let world = running.world
            try await running.pass("the new digest", within: .seconds(3600)) {
                try running.states([Self.image: "ready"]) && world.sandbox.privateTags(Self.repository)?["1"] == new
            }
            let kept = "1-preclone-\(old.dropFirst(7).prefix(12))"
            #expect(world.sandbox.privateTags(Self.repository) == ["1": new, kept: old])
            #expect(world.sandbox.isWhole(Self.repository, kept))
            #expect(try await story(world).contains(kept))
        }
    }

    @Test(
        "below a pull-through prefix ECR refreshes by itself, however the image came there",
        arguments: ["clone", "keep"]
    )
    func belowAPrefix(choice: String) async throws {
        let keys: [String: SandboxJSON] = ["clone": ["onTagMove": .string(choice), "refreshTagsEvery": "1h"]]
        try await SteppedDaemon.with(keys: keys) { running in
            let world = running.world
            try world.addRule()
            let old = try world.put(Self.image)
            try world.startRun("one", of: [Self.image])
            try await running.pass("the image", within: .seconds(600)) { try running.states([Self.image: "ready"]) }
            // That ECR fetched it because of us is in the audit like a push.
            let imported = try #require(try world.rows("SELECT * FROM audit WHERE action = 'imageImported'").first)
            #expect(imported["after"] == old.root && imported["before"] == nil)
            #expect(imported["detail"] == "ECR fetched it by pull-through cache rule quay, and made the repository")
            // As if it had been found there at the first look.
            try world.change("UPDATE image SET route = 'present'")
            let looks = world.count("HeadManifest", registry: "quay.io")
            try world.put(Self.image, size: 8192)
            try await running.pass(.seconds(3 * 3600))
            #expect(world.count("HeadManifest", registry: "quay.io") == looks)
            #expect(try world.rows("SELECT 1 FROM audit WHERE action LIKE '%agMoved'").isEmpty)
            let row = try #require(try world.rows("SELECT state, moved_digest FROM images").first)
            #expect(row == ["state": "ready"])
            let status = try await world.run("status", "--image", Self.image)
            #expect(status.standardOutput.contains("ECR refreshes the tag by itself"), "\(status.standardOutput)")
        }
    }
}
