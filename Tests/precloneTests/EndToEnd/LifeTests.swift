import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// The life of an image between the good days, as its users meet it.
@Suite("an image's life, end to end")
struct LifeTests {
    private struct Output: Decodable {
        var results: [CloneResult]
    }

    private func results(_ answer: BuiltProgram.Answer) throws -> [CloneResult] {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(Output.self, from: Data(answer.standardOutput.utf8)).results
    }

    @Test("what was not there is there for the next run, and for the first one by itself")
    func comesLate() async throws {
        try await RunningSandbox.with { world in
            let own = "\(world.sandbox.addresses.ecrName)/team/tool:1"
            let images = [own, "quay.io/a/missing:1"]
            try world.startRun("first", of: images)
            try await world.withDaemon { _ in
                try await world.until([own: "blocked", "quay.io/a/missing:1": "blocked"])
                // What waits for a run is looked for again within seconds.
                let rows = try world.rows(
                    "SELECT (dueAt - updatedAt) / 1000 AS wait FROM image WHERE state = 'blocked'"
                )
                #expect(rows.allSatisfy { Int($0["wait"] ?? "").map { $0 <= 60 } == true }, "\(rows)")
                try world.sandbox.putPrivateImage(ImageRecipe("tool"), repository: "team/tool", tags: ["1"])
                try world.put("quay.io/a/missing:1")
                try world.startRun("second", of: images)
                try await world.until([own: "ready", "quay.io/a/missing:1": "ready"])
            }
        }
    }

    @Test("run --once looks again at what was ready, and does all that is due")
    func once() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            try world.startRun("first", of: ["quay.io/org/tool:1"])
            #expect(try await world.run("run", "--once").code == 0)
            try world.sandbox.ecr(
                "BatchDeleteImage",
                ["repositoryName": "quay/org/tool", "imageIds": [["imageTag": "1"]]]
            )
            try world.startRun("second", of: ["quay.io/org/tool:1"])
            #expect(try await world.run("run", "--once").code == 0)
            #expect(world.sandbox.isWhole("quay/org/tool", "1"))
        }
    }

    @Test(
        "an answer is of an attempt that began after the question, beside a daemon and alone",
        arguments: [true, false]
    )
    func fresh(besideDaemon: Bool) async throws {
        try await RunningSandbox.with { world in
            try world.configure(["clone": ["concurrency": 2]])
            let images = (0..<8).map { "quay.io/org/late:\($0)" }
            func ask() async throws {
                let before = try await world.start(["clone", "--format", "json"] + images).end()
                #expect(before.code == 4, "\(before.standardError)")
                for image in images { try world.put(image) }
                let after = try await world.start(["clone", "--format", "json"] + images).end()
                #expect(after.code == 0, "\(after.standardError)")
                #expect(try results(after).map(\.state) == images.map { _ in .ready })
            }
            if besideDaemon { try await world.withDaemon { _ in try await ask() } } else { try await ask() }
        }
    }

    @Test("a resting registry is answered with until when, and holds up no other")
    func resting() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            try world.put("ghcr.io/org/tool:1")
            world.sandbox.add(Fault(.throttle, service: "registry", registry: "quay.io", retryAfter: 3600))
            try await world.withDaemon { _ in
                for attempt in 1...2 {
                    let waits = try await world.run("clone", "quay.io/org/tool:1", "--format", "json")
                    #expect(waits.code == 75, "attempt \(attempt): \(waits.standardOutput)")
                    let result = try #require(try results(waits).first)
                    #expect(result.due.map { $0.timeIntervalSinceNow > 600 } == true, "\(result.message)")
                }
                #expect(try await world.run("clone", "ghcr.io/org/tool:1").code == 0)
            }
        }
    }

    @Test("several people may ask at once without a daemon")
    func together() async throws {
        try await RunningSandbox.with { world in
            let images = (0..<4).map { "quay.io/org/tool:\($0)" }
            for image in images { try world.put(image) }
            let asked = try images.map { try world.start(["clone", $0]) }
            for program in asked {
                let answer = await program.end()
                #expect(answer.code == 0, "\(answer.standardOutput) \(answer.standardError)")
            }
        }
    }

    @Test("nobody's image moves no byte, counts for nothing, and is not retried")
    func nobody() async throws {
        try await RunningSandbox.with { world in
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("w", ["quay.io/org/tool:1"]))
            let run = try world.sandbox.startRun(workflow: workflow, name: "r")
            // It is tried, fails, and is wanted by a run that then ends.
            #expect(try await world.run("run", "--once").code == 4)
            try world.sandbox.setRun(run, status: "CANCELLED")
            world.sandbox.setWorkflow(workflow, status: "DELETED")
            try world.put("quay.io/org/tool:1")
            _ = try await world.run("run", "--once")
            let retried = try await world.run("retry", "--all")
            #expect(retried.standardOutput.contains("nothing to do"), "\(retried.standardOutput)")
            world.sandbox.forgetRequests()
            #expect(try await world.run("run", "--once").code == 0)
            #expect(world.count("GetBlob", registry: "quay.io") == 0)
        }
    }

    @Test("of the fifty images of a run those that it uses first are there first")
    func orderOfNeed() async throws {
        try await RunningSandbox.with(keys: ["registries": ["quay.io": ["requestsPerSecond": 1000]]]) { world in
            // By their names the last comes first.
            let images = (0..<50).map { "quay.io/org/tool:\(999 - $0)" }
            for image in images { try world.put(image) }
            let tasks = images.enumerated().map { number, image in
                """
                task t\(number) {
                  input { File? before }
                  command <<< touch out >>>
                  output { File out = "out" }
                  runtime { container: "\(image)" }
                }
                """
            }
            let calls = images.indices.reversed().map { number in
                number == 0 ? "  call t0" : "  call t\(number) { input: before = t\(number - 1).out }"
            }
            let main =
                "version 1.1\nworkflow w {\n\(calls.joined(separator: "\n"))\n}\n" + tasks.joined(separator: "\n")
            let recipe = WorkflowRecipe(
                "chain",
                engine: "WDL",
                main: "main.wdl",
                files: ["main.wdl": main],
                registryMap: RunningSandbox.registryMap
            )
            let run = try world.sandbox.startRun(workflow: world.sandbox.addWorkflow(recipe), name: "chain")
            let once = try await world.run("run", "--once")
            #expect(once.code == 0, "\(once.standardError.telling)")
            let ready = try world.rows("SELECT source FROM images ORDER BY ready_at, id").compactMap { $0["source"] }
            #expect(ready.count == 50)
            #expect(Set(ready.prefix(10)).intersection(images.prefix(10)).count >= 9, "\(ready)")
            let shown = try #require(try await world.status("--run", run).report.focus?.images)
            #expect(shown.map(\.source) == images && shown.map(\.depth) == Array(0..<50))
        }
    }
}
