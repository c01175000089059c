import Foundation
import Precloning
import Record
import Remotes
import Sandbox
import TestSupport
import Testing

/// Layers that several images share, copied into the sandbox's ECR at one time.
@Suite("Shared layers in ECR")
struct SharedLayersTests {
    @Test("each byte comes from upstream once, whether the account mounts or not", arguments: [false, true])
    func once(_ mounts: Bool) async throws {
        try await withSandbox { sandbox in
            if mounts { try sandbox.ecr("PutAccountSetting", ["name": "BLOB_MOUNTING", "value": "ENABLED"]) }
            for number in 1...4 {
                try sandbox.putImage(
                    ImageRecipe(
                        "tool\(number)",
                        layers: [.init("base", size: 3 << 20), .init("own\(number)", size: 40_000)]
                    ),
                    registry: "quay.io",
                    repository: "org/tool\(number)",
                    tags: ["1"]
                )
                try sandbox.ecr("CreateRepository", ["repositoryName": .string("org/tool\(number)")])
            }
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            let moved = try await withThrowingTaskGroup(of: TransferProgress.Snapshot.self) { group in
                for number in 1...4 {
                    group.addTask {
                        try await bench.copy("quay.io/org/tool\(number):1", to: "org/tool\(number)").transfer
                    }
                }
                return try await group.reduce(into: [TransferProgress.Snapshot]()) { $0.append($1) }
            }
            for number in 1...4 { #expect(sandbox.isWhole("org/tool\(number)", "1")) }
            #expect(moved.map(\.bytesMoved).reduce(0, +) < 4 << 20)
            let shared = moved.map { mounts ? $0.bytesMounted : $0.bytesReread }
            #expect(shared.filter { $0 >= 3 << 20 }.count == 3)
            try await bench.transport.shutdown()
        }
    }
}
