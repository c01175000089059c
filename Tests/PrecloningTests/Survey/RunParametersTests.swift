import Foundation
import GRDB
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// A run that was started with a file of parameters: GetRun says where it is, and images are in it.
@Suite("Files of run parameters")
struct RunParametersTests {
    private static let uri = "s3://bucket/parameters.json"
    private static let recipe = WorkflowRecipe(
        "w",
        engine: "WDL",
        files: [
            "main.wdl": """
            version 1.0
            workflow w { input { String image } call t { input: image = image } }
            task t { input { String image } command {} runtime { docker: image } }
            """
        ]
    )

    private static func sources(_ works: SandboxWorks) throws -> [String] { try works.ledger.allImages().map(\.source) }

    private static func trouble(_ works: SandboxWorks) throws -> String? {
        try works.ledger.database.read { try String.fetchOne($0, sql: "SELECT trouble FROM run") }
    }

    private static func with(_ body: @Sendable (SandboxWorks) async throws -> Void) async throws {
        try await SandboxWorks.with(quotaShare: 1) { works in
            let workflow = works.sandbox.addWorkflow(recipe)
            try works.sandbox.startRun(workflow: workflow, settings: ["parametersUri": .string(uri)])
            try await body(works)
        }
    }

    private static func pass(_ works: SandboxWorks) async throws {
        try await works.withTimePassing {
            _ = try await works.runs.pass()
            _ = try await works.surveys.pass()
        }
    }

    @Test("is read from its presigned address, unsigned")
    func read() async throws {
        try await Self.with { works in
            works.sandbox.storeParameters(Self.uri, Array(#"{"w.image":"quay.io/org/tool:1.0"}"#.utf8))
            try await Self.pass(works)
            #expect(try Self.sources(works) == ["quay.io/org/tool:1.0"])
            #expect(try Self.trouble(works) == nil)
            // The run's file and the definition.
            #expect(works.sandbox.requests.counts["storage/GetObject"] == 2)
        }
    }

    @Test("is waited for until HealthOmics has stored it, after a quarter of an hour less and less often")
    func awaited() async throws {
        try await Self.with { works in
            try await Self.pass(works)
            #expect(try Self.sources(works).isEmpty)
            #expect(try Self.trouble(works) == "HealthOmics has not stored the run's parameters yet")
            works.sandbox.storeParameters(Self.uri, Array(#"{"w.image":"quay.io/org/tool:1.0"}"#.utf8))
            works.clock.advance(by: .seconds(31))
            try await Self.pass(works)
            #expect(try Self.sources(works) == ["quay.io/org/tool:1.0"])
            #expect(try Self.trouble(works) == nil)
        }
        try await Self.with { works in
            for _ in 0..<12 {
                try await Self.pass(works)
                works.clock.advance(by: .seconds(901))
            }
            works.sandbox.forgetRequests()
            for _ in 0..<4 {
                works.clock.advance(by: .seconds(901))
                try await works.withTimePassing { _ = try await works.surveys.pass() }
            }
            #expect((1...2).contains(works.calls("GetRun")))
            works.sandbox.storeParameters(Self.uri, Array(#"{"w.image":"quay.io/org/tool:1.0"}"#.utf8))
            works.clock.advance(by: .seconds(3601))
            try await Self.pass(works)
            #expect(try Self.sources(works) == ["quay.io/org/tool:1.0"])
        }
    }

    @Test("that is no JSON object is told, and the rest of the run is worked out")
    func broken() async throws {
        try await Self.with { works in
            works.sandbox.storeParameters(Self.uri, Array("[]".utf8))
            try await Self.pass(works)
            #expect(try Self.trouble(works) == "the run's file of parameters is not a JSON object")
            let unresolved = try await works.ledger.database.read {
                try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM unresolved")
            }
            #expect(unresolved == 1)
        }
    }
}
