import Foundation
import Model
import Names
import Precloning
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

/// One image from its row to an outcome, against a sandbox.
@Suite struct ClonerTests {
    private func withBench(
        pullThrough: PullThroughSettings = PullThroughSettings(layerPolls: 1),
        _ body: @escaping @Sendable (CloneBench) async throws -> Void
    ) async throws {
        try await withSandbox(SandboxConfiguration(pullThrough: pullThrough)) { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            try await body(bench)
            try await bench.transport.shutdown()
        }
    }

    private func ready(_ outcome: CloneOutcome) throws -> ECRHolding {
        guard case .ready(let holding) = outcome.end else {
            Issue.record("it ended with \(outcome.end)")
            throw CancellationError()
        }
        return holding
    }

    private func failed(_ outcome: CloneOutcome) throws -> CloneFailure {
        guard case .failed(let failure) = outcome.end else {
            Issue.record("it ended with \(outcome.end)")
            throw CancellationError()
        }
        return failure
    }

    // MARK: Platforms

    @Test(arguments: ["linux/amd64", "linux/arm64"], [true, false])
    func aSingleManifestIsToldByItsConfiguration(_ platform: String, _ isPulledThrough: Bool) async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let image = try sandbox.putImage(
                ImageRecipe("tool", platforms: [platform]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            if isPulledThrough {
                try sandbox.ecr(
                    "CreatePullThroughCacheRule",
                    ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
                )
            }
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("quay/org/tool", "1"))
            let outcome = await bench.cloner.clone(row)
            #expect(outcome.route == (isPulledThrough ? "pullThrough" : "copy"))
            if platform == "linux/amd64" {
                let held = try ready(outcome)
                #expect(held.digest?.description == image.root)
                #expect(held.platformDigest == held.digest)
            } else {
                let failure = try failed(outcome)
                #expect(failure.failureClass == .platform)
                #expect(failure.message.contains("linux/arm64"))
            }
        }
    }

    @Test func theConfigurationIsReadOnce() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let image = try sandbox.putPrivateImage(ImageRecipe("tool"), repository: "org/tool", tags: ["1"])
            var row = try bench.image("quay.io/org/tool:1", to: bench.location("org/tool", "1"))
            _ = try ready(await bench.cloner.clone(row))
            let reads = sandbox.requests.counts["registry:ecr/GetBlob"]
            #expect(reads != nil)
            for _ in 0..<2 { _ = try ready(await bench.cloner.clone(row)) }
            // After a restart the record knows.
            row.platformDigest = image.root
            let again = try CloneBench(sandbox, ledger: bench.ledger)
            _ = try ready(await again.cloner.clone(row))
            #expect(sandbox.requests.counts["registry:ecr/GetBlob"] == reads)
            try await again.transport.shutdown()
        }
    }

    // MARK: What is there already

    @Test func anImageThatIsThereAsksNothingOfItsSource() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            try sandbox.putImage(ImageRecipe("tool"), registry: "quay.io", repository: "org/tool", tags: ["1"])
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("org/tool", "1"))
            #expect(try await bench.attempt(row).0.route == "copy")
            sandbox.forgetRequests()
            let outcome = try await bench.attempt(row).0
            #expect(outcome.route == "present")
            #expect(!sandbox.requests.counts.keys.contains { $0.hasPrefix("registry:quay.io") })
        }
    }

    @Test func knownStateCostsOneHeadAtTheSourceAndNothingAtTheDestination() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let image = try sandbox.putImage(
                ImageRecipe("tool", platforms: ["linux/amd64", "linux/arm64"]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            try sandbox.ecr("CreateRepository", ["repositoryName": "org/tool"])
            let first = try await bench.copy("quay.io/org/tool:1", to: "org/tool", platforms: [.linuxAMD64])
            sandbox.forgetRequests()
            let reference = try ImageReference("quay.io/org/tool:1")
            let outcome = try await bench.registries.copy(
                from: reference,
                to: bench.location("org/tool", "1"),
                platforms: [.linuxAMD64],
                standing: .whole(first.destinationDigest),
                knownChildren: [first.sourceDigest: first.destinationDigest],
                needsCreated: false,
                factsKnown: { _ in },
                beforeFirstBlob: {},
                progress: { _ in }
            )
            #expect(outcome.wasPresent)
            #expect(outcome.sourceDigest.description == image.root)
            #expect(outcome.platformDigest == first.destinationDigest)
            #expect(
                sandbox.requests.counts.filter { $0.key.hasPrefix("registry:") } == ["registry:quay.io/HeadManifest": 1]
            )
        }
    }

    @Test(arguments: [true, false])
    func anImageThatLostALayerIsMadeWhole(_ isPinned: Bool) async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let image = try sandbox.putImage(
                ImageRecipe("tool", layers: [.init("one"), .init("two")]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            let source = "quay.io/org/tool:1" + (isPinned ? "@\(image.root)" : "")
            let row = try bench.image(source, to: bench.location("org/tool", "1"))
            _ = try ready(await bench.cloner.clone(row))
            let lost = try #require(image.blobSizes.max { $0.value < $1.value }?.key)
            sandbox.dropLayer(lost, repository: "org/tool")
            #expect(!sandbox.isWhole("org/tool", "1"))
            let outcome = await bench.cloner.clone(row)
            #expect(outcome.route == "copy")
            _ = try ready(outcome)
            #expect(sandbox.isWhole("org/tool", "1"))
        }
    }

    // MARK: Immutable tags

    @Test func anImmutableTagWithAnotherDigestIsAConflictThatNamesBoth() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let wanted = try sandbox.putImage(
                ImageRecipe("new"),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            try sandbox.ecr(
                "CreateRepository",
                ["repositoryName": "org/tool", "imageTagMutability": "IMMUTABLE"]
            )
            let there = try sandbox.putPrivateImage(ImageRecipe("old"), repository: "org/tool", tags: ["1"])
            let row = try bench.image("quay.io/org/tool:1@\(wanted.root)", to: bench.location("org/tool", "1"))
            let failure = try failed(await bench.cloner.clone(row))
            #expect(failure.failureClass == .conflict)
            #expect(failure.failureClass.isPermanent)
            for digest in [wanted.root, there.root] { #expect(failure.message.contains(digest)) }
        }
    }

    @Test func anImmutableTagWithTheSameDigestIsReady() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            let image = try sandbox.putImage(
                ImageRecipe("tool"),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            try sandbox.ecr(
                "CreateRepository",
                ["repositoryName": "org/tool", "imageTagMutability": "IMMUTABLE"]
            )
            try sandbox.putPrivateImage(ImageRecipe("tool"), repository: "org/tool", tags: ["1"])
            let row = try bench.image("quay.io/org/tool:1@\(image.root)", to: bench.location("org/tool", "1"))
            #expect(try ready(await bench.cloner.clone(row)).digest?.description == image.root)
            // And where it is damaged besides.
            let lost = try #require(image.blobSizes.keys.min())
            sandbox.dropLayer(lost, repository: "org/tool")
            #expect(try ready(await bench.cloner.clone(row)).digest?.description == image.root)
        }
    }

    // MARK: Tokens

    @Test func ecrsTokenThatEndsInTheMiddleIsAskedForAgain() async throws {
        try await withBench { bench in
            let sandbox = bench.sandbox
            try sandbox.putImage(
                ImageRecipe("tool", layers: [.init("one", size: 200_000), .init("two")]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1"]
            )
            sandbox.add(
                Fault(.expiredToken, service: "registry", operation: "FinishUpload", registry: "ecr", times: 1)
            )
            sandbox.add(Fault(.expiredToken, service: "registry", operation: "PutManifest", registry: "ecr", times: 1))
            let row = try bench.image("quay.io/org/tool:1", to: bench.location("org/tool", "1"))
            _ = try ready(await bench.cloner.clone(row))
            #expect(sandbox.isWhole("org/tool", "1"))
            #expect((sandbox.requests.counts["ecr/GetAuthorizationToken"] ?? 0) > 1)
        }
    }
}
