import Configuring
import Foundation
import Model
import Names
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Precloning

/// With `clone.referrers: all`, signatures and attestations arrive in ECR with their image.
@Suite("Signatures and attestations in ECR")
struct ReferrerCloneTests {
    private func withBench(
        referrers: Configuring.Configuration.Clone.Referrers = .all,
        platforms: [String] = ["linux/amd64"],
        _ body: @escaping @Sendable (CloneBench) async throws -> Void
    ) async throws {
        try await withSandbox { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            var configuration = bench.settings.current
            configuration.clone.referrers = referrers
            configuration.clone.platforms = platforms
            bench.settings.replace(with: configuration)
            try await body(bench)
            try await bench.transport.shutdown()
        }
    }

    @discardableResult
    private func sign(_ bench: CloneBench, _ digest: String?, _ form: ReferrerForm, _ name: String) throws -> String {
        try bench.sandbox.putReferrer(
            to: try #require(digest),
            form,
            registry: "quay.io",
            repository: "org/\(name)"
        )
    }

    private func tag(_ digest: String?, _ end: String) -> String {
        (digest ?? "").replacing(":", with: "-") + "." + end
    }

    @Test("an image's own come by tag and by subject; without the key, and without any, nothing is asked")
    func own() async throws {
        try await withBench { bench in
            let image = try bench.publish("tool")
            try sign(bench, image.root, .tag("sig"), "tool")
            let named = [try sign(bench, image.root, .bundle, "tool"), try sign(bench, image.root, .notation, "tool")]
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let (outcome, after) = try await bench.attempt(row)
            #expect(after.state == .ready)
            #expect(outcome.note == "with 3 signatures or attestations")
            #expect(after.reason == outcome.note)
            let tags = try #require(bench.sandbox.privateTags("quay/org/tool"))
            #expect(Set(tags.keys) == ["1", tag(image.root, "sig")])
            #expect(bench.sandbox.privateReferrers(to: image.root, repository: "quay/org/tool") == named.sorted())
            // What ECR's own interface says.
            let answer = try bench.sandbox.ecr(
                "ListImageReferrers",
                ["repositoryName": "quay/org/tool", "subjectId": ["imageDigest": .string(image.root)]]
            )
            #expect(answer["referrers"]?.array?.count == 2)
        }
        try await withBench(referrers: .none) { bench in
            try sign(bench, try bench.publish("tool").root, .bundle, "tool")
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            #expect(try await bench.attempt(row).0.note == nil)
            #expect(bench.sandbox.requests.counts["registry:quay.io/ListReferrers"] == nil)
            #expect(bench.sandbox.requests.counts["registry:quay.io/ListTags"] == nil)
        }
    }

    @Test("of a signed index of which one platform is copied, the child's come and the others are said to stay")
    func leftBehind() async throws {
        try await withBench { bench in
            let index = try bench.publish("tool", platforms: ["linux/amd64", "linux/arm64"])
            let child = index.digest(for: "linux/amd64")
            try sign(bench, index.root, .tag("sig"), "tool")
            try sign(bench, index.root, .notation, "tool")
            let own = try sign(bench, child, .bundle, "tool")
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let planned = await bench.cloner.plan(row)
            #expect(planned.why?.contains("2 signatures or attestations of its index would stay behind") == true)
            let (outcome, after) = try await bench.attempt(row)
            #expect(after.ecrDigest == child)
            let note = try #require(outcome.note)
            #expect(note.contains("with 1 signature or attestation;"))
            #expect(note.contains("2 signatures or attestations of its index stayed behind"))
            #expect(note.contains("clone.platforms"))
            #expect(bench.sandbox.privateReferrers(to: child ?? "", repository: "quay/org/tool") == [own])
            // It is said as long as it is so.
            #expect(try await bench.attempt(row).1.reason?.contains("stayed behind") == true)
        }
    }

    @Test("of an index that is taken whole, all come")
    func whole() async throws {
        try await withBench(platforms: ["all"]) { bench in
            let index = try bench.publish("tool", platforms: ["linux/amd64", "linux/arm64"])
            let arm = index.digest(for: "linux/arm64")
            let named = try sign(bench, index.root, .notation, "tool")
            try sign(bench, arm, .tag("att"), "tool")
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let (outcome, _) = try await bench.attempt(row)
            #expect(outcome.note == "with 2 signatures or attestations")
            #expect(bench.sandbox.privateReferrers(to: index.root, repository: "quay/org/tool") == [named])
            #expect(bench.sandbox.privateTags("quay/org/tool")?[tag(arm, "att")] != nil)
        }
    }

    @Test("what ECR pulls through a rule, and what is there already, gets its own too")
    func pulledThrough() async throws {
        try await withBench { bench in
            try bench.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io", "upstreamRegistry": "quay"]
            )
            let image = try bench.publish("tool")
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            #expect(try await bench.attempt(row).1.state == .ready)
            // It was signed later.
            let named = try sign(bench, image.root, .bundle, "tool")
            let (outcome, _) = try await bench.attempt(row)
            #expect(outcome.route == "present")
            #expect(bench.sandbox.privateReferrers(to: image.root, repository: "quay/org/tool") == [named])
        }
    }

    @Test("what cannot be had now keeps no run waiting, and comes later by itself")
    func later() async throws {
        try await withBench { bench in
            let image = try bench.publish("tool")
            let named = try sign(bench, image.root, .bundle, "tool")
            bench.sandbox.add(Fault(.error, operation: "ListReferrers", registry: "quay.io", times: 5, status: 503))
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let (_, first) = try await bench.attempt(row)
            #expect(first.state == .ready)
            #expect(first.reason?.contains("it is tried again") == true)
            _ = try bench.wanted("quay.io/org/tool:1", at: bench.location("quay/org/tool", "1"), by: "r@1")
            let (_, again) = try await bench.attempt(row)
            #expect(again.state == .ready)
            #expect(again.dueAt == nil)
            #expect(bench.sandbox.privateReferrers(to: image.root, repository: "quay/org/tool") == [named])
        }
    }

    @Test("registries without the request: the tag that stands for the image lists them")
    func withoutTheRequest() async throws {
        try await withBench { bench in
            bench.sandbox.change("quay.io") { $0.listsReferrers = false }
            let image = try bench.publish("tool")
            let named = try sign(bench, image.root, .listedSubject("application/x.sbom"), "tool")
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let (outcome, _) = try await bench.attempt(row)
            #expect(outcome.note == "with 1 signature or attestation")
            #expect(bench.sandbox.privateReferrers(to: image.root, repository: "quay/org/tool") == [named])
            // ECR knows subjects: it needs no list.
            #expect(bench.sandbox.privateTags("quay/org/tool")?.count == 1)
        }
    }
}
