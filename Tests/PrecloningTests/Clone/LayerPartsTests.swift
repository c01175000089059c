import Foundation
import Model
import Names
import Precloning
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

/// Layers that go to ECR in parts, against the sandbox's ECR; with a threshold that small layers pass.
@Suite struct LayerPartsTests {
    private static let size: Int64 = 22 << 20 | 12_345

    /// A sandbox with an image of one large and one small layer at quay.io, and a repository for it.
    private func withImage(
        _ body: @escaping @Sendable (Sandbox, MadeImage) async throws -> Void
    ) async throws {
        try await withSandbox { sandbox in
            let image = try sandbox.putImage(
                ImageRecipe("large", layers: [.init("large", size: Self.size), .init("small", size: 5_000)]),
                registry: "quay.io",
                repository: "org/large",
                tags: ["1"]
            )
            try sandbox.ecr("CreateRepository", ["repositoryName": "org/large"])
            try await body(sandbox, image)
        }
    }

    @Test func movesALargeLayerInPartsAndTheRestByPut() async throws {
        try await withImage { sandbox, image in
            let bench = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            let outcome = try await bench.copy("quay.io/org/large:1", to: "org/large")
            #expect(outcome.destinationDigest.description == image.root)
            #expect(sandbox.isWhole("org/large", "1"))
            let counts = sandbox.requests.counts
            #expect(counts["ecr/InitiateLayerUpload"] == 1)
            #expect(counts["ecr/UploadLayerPart"] == 3)
            #expect(counts["ecr/CompleteLayerUpload"] == 1)
            #expect(counts["ecr/BatchCheckLayerAvailability"] == 2, "before all, and after the parts")
            #expect(counts["registry:ecr/HeadBlob"] == nil)
            #expect(counts["registry:ecr/FinishUpload"] == 2, "the small layer and the configuration")
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
            #expect(outcome.transfer.bytesMoved == outcome.transfer.bytesTotal)
            #expect(try bench.uploadsNoted() == 0)
            try await bench.transport.shutdown()
        }
    }

    @Test func aRestartedProcessGoesOnWithTheParts() async throws {
        try await withImage { sandbox, image in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let path = folder.appendingPathComponent("record.sqlite").path
            sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "UploadLayerPart",
                    times: 1,
                    after: 2,
                    status: 400,
                    code: "KmsException"
                )
            )
            let first = try CloneBench(sandbox, ledger: try Ledger(path: path), partThreshold: 1 << 20)
            await #expect {
                try await first.copy("quay.io/org/large:1", to: "org/large")
            } throws: { error in
                (error as? RegistryError)?.codes == ["KmsException"]
            }
            #expect(try first.uploadsNoted() == 1)
            try await first.transport.shutdown()

            sandbox.forgetRequests()
            let second = try CloneBench(sandbox, ledger: try Ledger(path: path), partThreshold: 1 << 20)
            let outcome = try await second.copy("quay.io/org/large:1", to: "org/large")
            #expect(outcome.destinationDigest.description == image.root)
            #expect(sandbox.isWhole("org/large", "1"))
            #expect(sandbox.requests.counts["ecr/InitiateLayerUpload"] == nil)
            #expect(sandbox.requests.counts["ecr/UploadLayerPart"] == 1, "two of three parts were there")
            #expect(outcome.transfer.bytesMoved < Self.size - 20 << 20 + 100_000)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
            #expect(try second.uploadsNoted() == 0)
            try await second.transport.shutdown()
        }
    }

    @Test func ofARepositoryThatIsMadeNothingIsAskedAndOfAnotherAllAtOnce() async throws {
        try await withSandbox { sandbox in
            func put(_ tag: String, _ layers: [String]) throws {
                let recipe = ImageRecipe("many-\(tag)", layers: layers.map { .init($0, size: 5_000) })
                _ = try sandbox.putImage(recipe, registry: "quay.io", repository: "org/many", tags: [tag])
            }
            try put("1", (1...6).map { "layer \($0)" })
            try put("2", (1...9).map { "layer \($0)" })
            // Each is another process: what one has seen the other does not know.
            for (tag, sent, asked) in [("1", 7, nil), ("2", 4, 1)] as [(String, Int, Int?)] {
                let bench = try CloneBench(sandbox, ledger: try Ledger())
                sandbox.forgetRequests()
                if tag == "1" {
                    let image = try bench.image("quay.io/org/many:1", to: bench.location("org/many", "1"))
                    #expect(try await bench.attempt(image).1.state == .ready)
                } else {
                    try await bench.copy("quay.io/org/many:2", to: "org/many")
                    #expect(sandbox.requests.counts["ecr/BatchCheckLayerAvailability"] == asked)
                }
                #expect(sandbox.isWhole("org/many", tag))
                #expect(sandbox.requests.counts["registry:ecr/HeadBlob"] == nil)
                #expect(sandbox.requests.counts["registry:ecr/FinishUpload"] == sent)
                try await bench.transport.shutdown()
            }
        }
    }

    @Test func asksWhereToGoOnWhenAnAnswerIsLost() async throws {
        try await withImage { sandbox, _ in
            // The part arrives, its answer does not; sent again it is refused with what ECR has.
            sandbox.add(Fault(.cut, service: "ecr", operation: "UploadLayerPart", times: 1, after: 1, bytes: 4))
            let bench = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            let outcome = try await bench.copy("quay.io/org/large:1", to: "org/large")
            #expect(sandbox.isWhole("org/large", "1"))
            #expect(sandbox.requests.counts["ecr/InitiateLayerUpload"] == 1)
            #expect(sandbox.requests.counts["ecr/UploadLayerPart"] == 4)
            #expect(outcome.transfer.restarted == 1)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
            try await bench.transport.shutdown()
        }
    }

    @Test func beginsAnewWhenTheUploadIsUnknown() async throws {
        try await withImage { sandbox, _ in
            sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "UploadLayerPart",
                    times: 1,
                    after: 1,
                    status: 400,
                    code: "UploadNotFoundException"
                )
            )
            let bench = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            _ = try await bench.copy("quay.io/org/large:1", to: "org/large")
            #expect(sandbox.isWhole("org/large", "1"))
            #expect(sandbox.requests.counts["ecr/InitiateLayerUpload"] == 2)
            try await bench.transport.shutdown()
        }
    }

    @Test func throwsAwayWhatHasAnotherDigest() async throws {
        try await withImage { sandbox, _ in
            sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "CompleteLayerUpload",
                    times: 1,
                    status: 400,
                    code: "InvalidLayerException"
                )
            )
            let bench = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            let outcome = try await bench.copy("quay.io/org/large:1", to: "org/large")
            #expect(sandbox.isWhole("org/large", "1"))
            #expect(sandbox.requests.counts["ecr/InitiateLayerUpload"] == 2)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)

            try sandbox.ecr("CreateRepository", ["repositoryName": "org/again"])
            sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "CompleteLayerUpload",
                    status: 400,
                    code: "InvalidLayerException"
                )
            )
            let other = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            await #expect {
                try await other.copy("quay.io/org/large:1", to: "org/again")
            } throws: { ($0 as? RegistryError)?.kind == .digestMismatch }
            #expect(try other.uploadsNoted() == 0, "the next attempt begins with nothing")
            try await bench.transport.shutdown()
            try await other.transport.shutdown()
        }
    }

    @Test func throttledPartsAreSentAgain() async throws {
        try await withImage { sandbox, _ in
            sandbox.add(Fault(.throttle, service: "ecr", operation: "UploadLayerPart", times: 2))
            let bench = try CloneBench(sandbox, ledger: try Ledger(), partThreshold: 1 << 20)
            let outcome = try await bench.copy("quay.io/org/large:1", to: "org/large")
            #expect(sandbox.isWhole("org/large", "1"))
            #expect(outcome.transfer.restarted == 0)
            try await bench.transport.shutdown()
        }
    }
}
