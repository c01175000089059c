import Foundation
import Precloning
import Sandbox
import Testing

/// The documents as programs get them: what is around the values, by name.
@Suite("JSON documents, end to end")
struct DocumentTests {
    private func keys(_ value: Any?) -> Set<String> { Set((value as? [String: Any])?.keys.map(\.self) ?? []) }

    @Test("each has its names")
    func names() async throws {
        try await RunningSandbox.with { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            let workflow = RunningSandbox.wdl("one", [image])
            try world.sandbox.startRun(workflow: world.sandbox.addWorkflow(workflow), name: "one")
            #expect(try await world.run("run", "--once").code == 0)
            func document(_ arguments: String...) async throws -> [String: Any] {
                let answer = try await world.start(arguments + ["--format", "json"]).end()
                #expect(answer.code == 0 || answer.code == 3, "\(arguments): \(answer.standardError)")
                let found = try JSONSerialization.jsonObject(with: Data(answer.standardOutput.utf8)) as? [String: Any]
                #expect(found?["schemaVersion"] as? Int == 1)
                return found ?? [:]
            }
            func first(_ value: Any?) -> Any? { (value as? [Any])?.first }

            let status = try await document("status")
            #expect(
                keys(status).isSuperset(of: [
                    "generatedAt", "health", "daemon", "images", "runs", "copying", "waiting", "blocked", "unresolved",
                    "moved", "registries",
                ])
            )
            let plan = try await document("plan")
            #expect(keys(plan) == ["schemaVersion", "images"])
            #expect(keys(first(plan["images"])).isSuperset(of: ["source", "destination", "route", "wantedBy"]))
            let history = try await document("history", image)
            #expect(keys(history) == ["schemaVersion", "histories"])
            #expect(keys(first(history["histories"])) == ["schemaVersion", "reference", "entries"])
            let audit = try await document("audit")
            #expect(keys(audit) == ["schemaVersion", "entries"])
            #expect(keys(first(audit["entries"])).isSuperset(of: ["at", "caller", "action"]))
            let clone = try await document("clone", image)
            #expect(keys(clone) == ["schemaVersion", "results"])
            #expect(keys(first(clone["results"])).contains("healthomics_accessible"))

            let folder = world.folder.appending(path: "definition")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in workflow.files {
                try Data(text.utf8).write(to: folder.appending(path: name))
            }
            let inspect = try await document("inspect", folder.path, "--engine", "WDL")
            #expect(
                keys(inspect).isSuperset(of: ["schemaVersion", "images", "unresolved", "notes", "relevantParameters"])
            )
            #expect(
                keys(first(inspect["images"])).isSuperset(of: ["image", "certainty", "reason", "places", "tasks"])
            )
        }
    }
}
