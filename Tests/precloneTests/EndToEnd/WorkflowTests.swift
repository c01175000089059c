import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// Workflows of every kind that the service may give, through the whole of `preclone run --once`.
@Suite("Workflows, end to end")
struct WorkflowTests {
    private struct Flaw: Sendable {
        var name: String
        var recipe: WorkflowRecipe
        var trouble: String
    }

    private static var flaws: [Flaw] {
        func wdl(_ name: String, zip: [UInt8]) -> WorkflowRecipe {
            WorkflowRecipe(name, engine: "WDL", main: "main.wdl", zip: zip, registryMap: RunningSandbox.registryMap)
        }
        let good = StoredZip.archive(["main.wdl": "version 1.1\nworkflow w {}\n"])
        // A directory of so many empty entries, with the zip64 end record, its locator and the end record.
        let size = 46 * 100_001
        var tooMany = [UInt8](repeating: 0, count: size)
        func put(_ value: Int, _ count: Int) {
            for shift in 0..<count { tooMany.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
        }
        for (value, count) in [(0x0606_4B50, 4), (44, 8), (45, 2), (45, 2), (0, 8), (100_001, 8), (100_001, 8)] {
            put(value, count)
        }
        for (value, count) in [(size, 8), (0, 8), (0x0706_4B50, 4), (0, 4), (size, 8), (1, 4)] { put(value, count) }
        for (value, count) in [(0x0605_4B50, 4), (0, 4), (0xFFFF, 2), (0xFFFF, 2), (size, 4), (0, 4), (0, 2)] {
            put(value, count)
        }
        var damaged = good
        damaged[40] ^= 0x55
        return [
            Flaw(name: "no zip", recipe: wdl("no zip", zip: Array("hello".utf8)), trouble: "not a zip"),
            Flaw(name: "cut", recipe: wdl("cut", zip: Array(good.dropLast(30))), trouble: "zip"),
            Flaw(name: "many", recipe: wdl("many", zip: tooMany), trouble: "100001 entries; at most 100000"),
            Flaw(name: "damaged", recipe: wdl("damaged", zip: damaged), trouble: "checksum"),
            Flaw(
                name: "large",
                recipe: wdl(
                    "large",
                    zip: StoredZip.archive(["main.wdl": String(repeating: "# x\n", count: 5 << 20)])
                ),
                trouble: "at most 16777216"
            ),
            Flaw(
                name: "no main",
                recipe: WorkflowRecipe("no main", engine: "WDL", main: "other.wdl", zip: good),
                trouble: "other.wdl"
            ),
            Flaw(
                name: "engine",
                recipe: WorkflowRecipe("engine", engine: "SNAKEMAKE", main: "Snakefile", files: ["Snakefile": ""]),
                trouble: "SNAKEMAKE"
            ),
            Flaw(
                name: "syntax",
                recipe: WorkflowRecipe("syntax", engine: "WDL", main: "main.wdl", files: ["main.wdl": "workflow {"]),
                trouble: "main.wdl: it holds no workflow; line 1"
            ),
        ]
    }

    @Test("a definition that cannot be read is named with its fault, and holds up no other")
    func flaws() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/good:1")
            var runs: [(flaw: Flaw, id: String)] = []
            for flaw in Self.flaws {
                let id = try world.sandbox.startRun(workflow: world.sandbox.addWorkflow(flaw.recipe), name: flaw.name)
                runs.append((flaw, id))
            }
            try world.startRun("good", of: ["quay.io/org/good:1"])
            let answer = try await world.run("run", "--once")
            #expect(try world.states() == ["quay.io/org/good:1": "ready"], "\(answer.standardError.telling)")
            #expect(answer.code == 4)
            for (flaw, id) in runs {
                let row = try #require(try world.rows("SELECT * FROM runs WHERE id = '\(id)'").first)
                #expect(row["trouble"]?.contains(flaw.trouble) == true, "\(flaw.name): \(row)")
                let status = try await world.status("--run", id)
                #expect(status.code == 4, "\(flaw.name)")
                #expect(status.report.focus?.sentence.contains(flaw.trouble) == true, "\(flaw.name)")
            }
            let plan = try await world.run("plan", "--format", "json")
            #expect(plan.code == 0, "\(plan.standardError)")
            #expect(plan.standardOutput.contains("quay.io/org/good:1"))
        }
    }

    @Test("a definition that cannot be fetched now is tried again, and holds up no other")
    func unfetched() async throws {
        try await RunningSandbox.with { world in
            let names = (0..<4).map { "quay.io/org/tool\($0):1" }
            for name in names { try world.put(name) }
            try await world.withDaemon { _ in
                // Workflows that are older than the first start and in no use are left alone.
                try await world.until("the first poll") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                // Numbers follow each other; the faults are there before the workflows are.
                let before = try #require(Int(world.sandbox.addWorkflow(RunningSandbox.wdl("first", []))))
                for number in 1...3 {
                    world.sandbox.add(
                        Fault(
                            .error,
                            operation: "GetObject",
                            repository: "workflow/\(before + number).zip",
                            status: 500
                        )
                    )
                }
                let ids = names.map { world.sandbox.addWorkflow(RunningSandbox.wdl($0, [$0])) }
                #expect(ids.first == "\(before + 1)")
                let run = try world.sandbox.startRun(workflow: ids[0], name: "run")
                try await world.until([names[3]: "ready"])
                try await world.until("the run's trouble") {
                    let status = try? await world.status("--run", run)
                    return status?.code == 4 && status?.report.focus?.sentence.contains("HTTP 500") == true
                }
                #expect(try world.states().count == 1)
                world.sandbox.clearFaults()
                try await world.until(Dictionary(uniqueKeysWithValues: names.map { ($0, "ready") }))
            }
        }
    }

    @Test("Ready2Run and shared workflows are not read; what their tasks used is learned")
    func foreign() async throws {
        try await RunningSandbox.with { world in
            var ready = RunningSandbox.wdl("ready2run", ["quay.io/aws/tool:1"])
            ready.type = "READY2RUN"
            let theirs = try world.sandbox.startRun(
                workflow: world.sandbox.addWorkflow(ready),
                settings: ["workflowType": "READY2RUN"]
            )
            var recipe = RunningSandbox.wdl("shared", ["quay.io/org/unseen:1"])
            recipe.owner = "999988887777"
            let workflow = world.sandbox.addWorkflow(recipe)
            let owner: [String: SandboxJSON] = ["workflowOwnerId": "999988887777"]
            let first = try world.sandbox.startRun(workflow: workflow, name: "first", settings: owner)
            let before = try await world.run("run", "--once")
            #expect(before.code == 4, "\(before.standardError.telling)")
            #expect(try world.states().isEmpty)
            let own = try await world.status("--run", theirs)
            #expect(own.report.focus?.sentence.contains("AWS supplies its images") == true)
            #expect(own.code == 0)
            let shared = try await world.status("--run", first)
            #expect(shared.report.focus?.sentence.contains("999988887777") == true)
            #expect(shared.code == 4)

            try world.put("quay.io/org/learned:1")
            let name = "\(world.sandbox.addresses.ecrName)/quay/org/learned:1"
            world.sandbox.addTask(run: first, name: "t", image: name, sourceImage: "quay.io/org/learned:1")
            try world.sandbox.setRun(first, status: "COMPLETED")
            let second = try world.sandbox.startRun(workflow: workflow, name: "second", settings: owner)
            let after = try await world.run("run", "--once")
            // The second run was looked at before the first one's tasks were: its own images are not known yet.
            #expect(after.code == 4, "\(after.standardError.telling)")
            #expect(try world.states() == ["quay.io/org/learned:1": "ready"])
            #expect(world.sandbox.isWhole("quay/org/learned", "1"))
            let third = try world.sandbox.startRun(workflow: workflow, name: "third", settings: owner)
            _ = try await world.run("run", "--once")
            let known = try await world.status("--run", third)
            #expect(known.report.focus?.images.map(\.state) == ["ready"])
            // What another run used is no proof that this one needs nothing else.
            #expect(known.code == 4)
            #expect(try await world.status("--run", second).code == 4)
        }
    }

    @Test("an image that nobody can work out is reported with file and line, and the others are cloned")
    func unresolved() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/known:1")
            let text = """
                version 1.1
                workflow w {
                  input { String image }
                  call a { input: image = image }
                  call b
                }
                task a {
                  input { String image }
                  command <<< true >>>
                  runtime { container: image }
                }
                task b {
                  command <<< true >>>
                  runtime { container: "quay.io/org/known:1" }
                }
                """
            let workflow = world.sandbox.addWorkflow(
                WorkflowRecipe(
                    "half",
                    engine: "WDL",
                    main: "main.wdl",
                    files: ["main.wdl": text],
                    registryMap: RunningSandbox.registryMap
                )
            )
            let bare = try world.sandbox.startRun(workflow: workflow, name: "bare")
            try world.put("quay.io/org/given:2")
            let given = try world.sandbox.startRun(
                workflow: workflow,
                name: "given",
                parameters: ["image": "quay.io/org/given:2"]
            )
            let answer = try await world.run("run", "--once")
            #expect(answer.code == 4, "\(answer.standardError.telling)")
            #expect(try world.states() == ["quay.io/org/known:1": "ready", "quay.io/org/given:2": "ready"])
            let status = try await world.status("--run", bare)
            #expect(status.code == 4)
            #expect(status.report.focus?.unresolved.map(\.place) == ["main.wdl:10"])
            #expect(try await world.status("--run", given).code == 0)
        }
    }
}
