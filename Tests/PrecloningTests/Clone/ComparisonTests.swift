import Configuring
import Foundation
import GRDB
import Model
import Names
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Precloning

/// What ECR holds is compared with what the source names before an image is called ready.
@Suite("What is held, beside what was asked for")
struct ComparisonTests {
    private func withBench(_ body: @escaping @Sendable (CloneBench) async throws -> Void) async throws {
        try await withSandbox { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            try await body(bench)
            try await bench.transport.shutdown()
        }
    }

    private func onTagMove(_ choice: Configuring.Configuration.Clone.TagMove, _ bench: CloneBench) {
        var configuration = bench.settings.current
        configuration.clone.onTagMove = choice
        bench.settings.replace(with: configuration)
    }

    /// A request with an explicit target, as the desk takes it.
    private func ask(_ source: String, for location: ECRLocation, _ bench: CloneBench) throws -> ImageRecord {
        let options = CloneOptions(targetRepository: location.repository, targetTag: location.tag)
        let request = try bench.ledger.request(
            [source],
            options: options,
            caller: Caller(userID: 1, userName: "ann"),
            now: Date()
        )[0]
        let demand = PlannedDemand(
            source: source,
            destination: location.description,
            registry: try ImageReference(source).registry,
            mention: source,
            certainty: "certain"
        )
        let id = try #require(
            try bench.ledger.want(.clone(request: String(request)), [demand], now: Date()).first
        )
        return try #require(try bench.ledger.image(id: id))
    }

    private func conflict(_ outcome: CloneOutcome) -> String? {
        guard case .refused(let refusal) = outcome.end, refusal.failureClass == .conflict else {
            Issue.record("it ended with \(outcome.end)")
            return nil
        }
        return refusal.reason + "; " + refusal.mend
    }

    // MARK: The same image

    @Test("found there and the same, whole or its platform's child: ready, with the digest that was compared")
    func same() async throws {
        try await withBench { bench in
            let whole = try bench.publish("whole", platforms: ["linux/amd64", "linux/arm64"])
            let child = try bench.publish("child", platforms: ["linux/amd64", "linux/arm64"])
            try bench.sandbox.putPrivateImage(
                ImageRecipe("whole", platforms: ["linux/amd64", "linux/arm64"]),
                repository: "org/whole",
                tags: ["1"]
            )
            try bench.sandbox.ecr("CreateRepository", ["repositoryName": "org/child"])
            try await bench.copy("quay.io/org/child:1", to: "org/child", platforms: [.linuxAMD64])
            for (name, image) in [("whole", whole), ("child", child)] {
                let row = try bench.wanted("quay.io/org/\(name):1", at: bench.location("org/\(name)", "1"), by: name)
                let (outcome, after) = try await bench.attempt(row)
                #expect(outcome.route == "present")
                #expect(after.state == .ready)
                #expect(after.sourceDigest == image.root)
                #expect(after.movedDigest == nil)
            }
        }
    }

    @Test("compared once, it is not asked about again, also when its registry is away")
    func comparedOnce() async throws {
        try await withBench { bench in
            try bench.publish("a")
            try bench.push("a", to: "approved/a")
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("approved/a", "1"), by: "r")
            #expect(try await bench.attempt(row).1.state == .ready)
            bench.sandbox.setDown(true, registry: "quay.io")
            bench.sandbox.forgetRequests()
            let (outcome, after) = try await bench.attempt(row)
            #expect(outcome.route == "present" && after.state == .ready)
            #expect(!bench.sandbox.requests.counts.keys.contains { $0.hasPrefix("registry:quay.io") })
        }
    }

    // MARK: Another image

    @Test("another image where a run's belongs, put there by nobody known: left and said, or replaced")
    func another() async throws {
        for choice in [Configuring.Configuration.Clone.TagMove.report, .clone] {
            try await withBench { bench in
                onTagMove(choice, bench)
                let asked = try bench.publish("b")
                let there = try bench.push("a", to: "approved/b")
                let row = try bench.wanted("quay.io/org/b:1", at: bench.location("approved/b", "1"), by: "r")
                let (outcome, after) = try await bench.attempt(row)
                #expect(after.state == .ready)
                if choice == .report {
                    #expect(bench.sandbox.privateTags("approved/b") == ["1": there.root])
                    #expect(after.sourceDigest == nil, "what is held is not what the source names")
                    #expect(after.movedDigest == asked.root)
                    let said = try #require(after.reason)
                    #expect(said.contains(there.root) && said.contains(asked.root), "\(said)")
                } else {
                    #expect(outcome.route == "copy")
                    #expect(bench.sandbox.privateTags("approved/b") == ["1": asked.root])
                    #expect(after.sourceDigest == asked.root && after.movedDigest == nil)
                }
            }
        }
    }

    @Test("what the verifier finds replaced by somebody is compared again")
    func replaced() async throws {
        try await withBench { bench in
            let asked = try bench.publish("b")
            let row = try bench.wanted("quay.io/org/b:1", at: bench.location("approved/b", "1"), by: "r")
            #expect(try await bench.attempt(row).1.sourceDigest == asked.root)
            let other = try bench.push("a", to: "approved/b")
            let image = try #require(try bench.ledger.image(id: row.id))
            guard case .changed? = await bench.cloner.verify([image]).first else {
                Issue.record("it was not seen")
                return
            }
            let (_, after) = try await bench.attempt(row)
            #expect(after.ecrDigest == other.root)
            #expect(after.sourceDigest == nil && after.movedDigest == asked.root)
        }
    }

    @Test("a person's place that holds another image is a conflict, with both digests, and stays as it is")
    func explicit() async throws {
        for choice in [Configuring.Configuration.Clone.TagMove.report, .clone] {
            try await withBench { bench in
                onTagMove(choice, bench)
                let a = try bench.publish("a")
                let b = try bench.publish("b")
                let place = bench.location("prod/api", "latest")
                let first = try ask("quay.io/org/a:1", for: place, bench)
                #expect(try await bench.attempt(first, caller: "user ann").1.state == .ready)
                let second = try ask("quay.io/org/b:1", for: place, bench)
                let (outcome, after) = try await bench.attempt(second, caller: "user ann")
                let said = try #require(conflict(outcome))
                for word in [a.root, b.root, "quay.io/org/a:1", "--target-tag"] {
                    #expect(said.contains(word), "\(said)")
                }
                #expect(after.state == .blocked && after.sourceDigest == nil)
                #expect(bench.sandbox.privateTags("prod/api") == ["latest": a.root])
                // The one that is there still is.
                #expect(try await bench.attempt(first, caller: "user ann").1.state == .ready)
                // Pinned to its digest it is no other image.
                let pinned = try ask("quay.io/org/b:1@\(b.root)", for: place, bench)
                #expect(conflict(try await bench.attempt(pinned, caller: "user ann").0)?.contains(a.root) == true)
                #expect(bench.sandbox.privateTags("prod/api") == ["latest": a.root])
            }
        }
    }

    @Test("a person who asks again is told that the tag has moved since")
    func askedAgain() async throws {
        try await withBench { bench in
            let old = try bench.publish("a")
            let row = try ask("quay.io/org/a:1", for: bench.location("prod/api", "1"), bench)
            #expect(try await bench.attempt(row, caller: "user ann").1.sourceDigest == old.root)
            let new = try bench.publish("a2", as: "org/a")
            let (outcome, after) = try await bench.attempt(row, caller: "user ann")
            #expect(outcome.route == "present" && after.state == .ready)
            #expect(after.sourceDigest == old.root && after.movedDigest == new.root)
        }
    }

    // MARK: Two sources, one place

    @Test("of two sources that are mapped to one place the one that is held is ready, the other names both")
    func twoSources() async throws {
        for choice in [Configuring.Configuration.Clone.TagMove.report, .clone] {
            try await withBench { bench in
                onTagMove(choice, bench)
                let a = try bench.publish("a")
                let b = try bench.publish("b")
                let place = bench.location("approved/tool", "1")
                let first = try bench.wanted("quay.io/org/a:1", at: place, by: "r1")
                let second = try bench.wanted("quay.io/org/b:1", at: place, by: "r2")
                for _ in 0..<2 {
                    #expect(try await bench.attempt(first).1.state == .ready)
                    let (outcome, after) = try await bench.attempt(second)
                    let said = try #require(conflict(outcome))
                    for word in [a.root, b.root, "quay.io/org/a:1", "quay.io/org/b:1"] { #expect(said.contains(word)) }
                    #expect(after.state == .blocked)
                }
                #expect(bench.sandbox.privateTags("approved/tool") == ["1": a.root])
            }
        }
    }

    @Test("two at one time: one is brought, the other waits for its turn and then sees it")
    func atOneTime() async throws {
        try await withBench { bench in
            try bench.publish("a")
            try bench.publish("b")
            let place = bench.location("approved/tool", "1")
            let rows = [
                try bench.wanted("quay.io/org/a:1", at: place, by: "r1"),
                try bench.wanted("quay.io/org/b:1", at: place, by: "r2"),
            ]
            let ends = try await withThrowingTaskGroup(of: CloneOutcome.self) { group in
                for row in rows { group.addTask { try await bench.attempt(row).0 } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(ends.filter { if case .ready = $0.end { true } else { false } }.count == 1)
            #expect(bench.sandbox.requests.counts["registry:ecr/PutManifest"] == 1)
            var standings: [ImageState] = []
            for row in rows { standings.append(try await bench.attempt(row).1.state) }
            #expect(Set(standings) == [.ready, .blocked])
        }
    }

    @Test("two names of one image share its place")
    func sameImage() async throws {
        try await withBench { bench in
            try bench.publish("a")
            try bench.publish("a", as: "mirror/a")
            let place = bench.location("approved/tool", "1")
            for (index, source) in ["quay.io/org/a:1", "quay.io/mirror/a:1"].enumerated() {
                let row = try bench.wanted(source, at: place, by: "r\(index)")
                #expect(try await bench.attempt(row).1.state == .ready)
            }
        }
    }

    // MARK: What is not known

    @Test("never compared and its registry away: not ready; nothing is written down that nobody knows")
    func unknown() async throws {
        try await withBench { bench in
            let there = try bench.push("a", to: "approved/a")
            try bench.publish("a")
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("approved/a", "1"), by: "r")
            bench.sandbox.setDown(true, registry: "quay.io")
            let (outcome, after) = try await bench.attempt(row)
            guard case .failed(let failure) = outcome.end else {
                Issue.record("\(outcome.end)")
                return
            }
            #expect(!failure.isPermanent && failure.belongsToHost)
            #expect(failure.message.contains(there.root))
            #expect(after.state == .retrying && after.sourceDigest == nil)
            bench.sandbox.setDown(false, registry: "quay.io")
            #expect(try await bench.attempt(row).1.state == .ready)
        }
    }

    @Test("below a pull-through rule's prefix it is ECR that fetches: what it holds counts where we cannot ask")
    func belowRule() async throws {
        try await withBench { bench in
            try bench.publish("a")
            try bench.push("a", to: "quay/org/a")
            try bench.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("quay/org/a", "1"), by: "r")
            bench.sandbox.setDown(true, registry: "quay.io")
            let (outcome, after) = try await bench.attempt(row)
            #expect(outcome.route == "present" && after.state == .ready && after.sourceDigest == nil)
        }
    }

    @Test("its registry rests: it waits until then")
    func resting() async throws {
        try await withBench { bench in
            try bench.push("a", to: "approved/a")
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("approved/a", "1"), by: "r")
            let until = Date(milliseconds: Date().addingTimeInterval(3600).milliseconds)
            try bench.ledger.pause(host: "quay.io", until: until, reason: "it said so", now: .distantPast)
            let (outcome, _) = try await bench.attempt(row)
            guard case .later(until, let why) = outcome.end else {
                Issue.record("\(outcome.end)")
                return
            }
            #expect(why.contains("it said so") && why.contains("approved/a"))
        }
    }

    @Test("upstream has no such image: what ECR holds is all there is")
    func gone() async throws {
        try await withBench { bench in
            try bench.push("a", to: "approved/a")
            try bench.publish("other")
            let row = try bench.wanted("quay.io/org/other:gone", at: bench.location("approved/a", "1"), by: "r")
            let (_, after) = try await bench.attempt(row)
            #expect(after.state == .ready && after.sourceDigest == nil)
            #expect(after.reason?.contains("not there any more") == true)
        }
    }

    @Test("an image that only ECR knows is asked about nowhere")
    func privateOnly() async throws {
        try await withBench { bench in
            try bench.push("a", to: "team/a")
            let place = bench.location("team/a", "1")
            let row = try bench.wanted(place.description, at: place, by: "r")
            let (outcome, after) = try await bench.attempt(row)
            #expect(outcome.route == "present" && after.state == .ready && after.sourceDigest == nil)
        }
    }

    // MARK: Records of before

    @Test("a refresh that sees the tag of an image that was never compared compares it")
    func refresh() async throws {
        try await withBench { bench in
            let asked = try bench.publish("b")
            try bench.publish("same")
            let sources = ["quay.io/org/b:1", "quay.io/org/same:1"]
            let there = [try bench.push("a", to: "x/b"), try bench.push("same", to: "x/same")]
            let rows = [
                try bench.wanted(sources[0], at: bench.location("x/b", "1"), by: "r"),
                try bench.wanted(sources[1], at: bench.location("x/same", "1"), by: "s"),
            ]
            for (row, image) in zip(rows, there) {
                try await bench.ledger.database.write {
                    try $0.execute(
                        sql:
                            "UPDATE image SET state = 'ready', readyAt = 1, ecrDigest = ?, platformDigest = ? WHERE id = ?",
                        arguments: [image.root, image.root, row.id]
                    )
                }
            }
            let refresh = RefreshLoop(
                ledger: bench.ledger,
                registries: bench.registries,
                settings: bench.settings,
                timeline: bench.timeline,
                isBelowRule: { _ in false },
                holds: { await bench.cloner.holds($1, $0, $2) },
                reopened: {}
            )
            _ = try await refresh.pass()
            let same = try #require(try bench.ledger.image(id: rows[1].id))
            #expect(same.state == .ready && same.sourceDigest == there[1].root)
            let other = try #require(try bench.ledger.image(id: rows[0].id))
            #expect(other.sourceDigest == nil, "upstream's digest is not the source of what ECR holds")
            let (_, after) = try await bench.attempt(other)
            #expect(after.state == .ready && after.movedDigest == asked.root && after.sourceDigest == nil)
            _ = try await refresh.pass()
            #expect(try bench.ledger.image(id: rows[0].id) == after, "and once said it stays so")
        }
    }
}
