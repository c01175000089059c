import Foundation
import Precloning
import Sandbox
import Testing

/// `preclone ready` as a process: a look, alone, and beside a daemon.
@Suite("preclone ready, end to end")
struct ReadyTests {
    private func answer(_ answer: BuiltProgram.Answer) throws -> ReadyAnswer {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(ReadyAnswer.self, from: Data(answer.standardOutput.utf8))
    }

    @Test("a look alone changes nothing; with a wait what is missing is brought, to where the workflow's map leads")
    func alone() async throws {
        try await RunningSandbox.with { world in
            let images = ["quay.io/org/tool:1", "ghcr.io/org/other:2"]
            for image in images { try world.put(image) }
            var recipe = RunningSandbox.wdl("one", images)
            recipe.registryMap = [
                "registryMappings": [
                    ["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "lab"],
                    ["upstreamRegistryUrl": "ghcr.io", "ecrRepositoryPrefix": "ghcr"],
                ]
            ]
            let workflow = world.sandbox.addWorkflow(recipe)
            let look = try await world.run("ready", "--workflow", workflow, "--format", "json")
            #expect(look.code == 75, "\(look.standardError)")
            #expect(try answer(look).images.map(\.state) == [.missing, .missing])
            #expect(world.sandbox.privateRepositories.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: world.record))

            let brought = try await world.run("ready", "--workflow", workflow, "--wait", "60s", "--format", "json")
            #expect(brought.code == 0, "\(brought.standardError)\(brought.standardOutput)")
            let all = try answer(brought)
            #expect(all.isReady && all.ready == 2 && all.wanted == 2)
            #expect(world.sandbox.isWhole("lab/org/tool", "1") && world.sandbox.isWhole("ghcr/org/other", "2"))
            // Not where it would go without the map.
            #expect(world.sandbox.privateRepositories == ["ghcr/org/other", "lab/org/tool"])

            // All there: one look, no request to an upstream, no pull.
            world.sandbox.forgetRequests()
            let again = try await world.run("ready", "--workflow", workflow)
            #expect(again.code == 0)
            #expect(again.standardOutput == "workflow \(workflow): 2 of 2 ready\n")
            let counts = world.sandbox.requests.counts
            #expect(counts["ecr/DescribeImages"] == 2)
            #expect(counts["ecr/BatchGetImage"] == nil)
            #expect(world.sandbox.requests.entries.allSatisfy { $0.call.registry == nil })

            // ECR is believed, and not the record.
            try world.sandbox.ecr(
                "BatchDeleteImage",
                ["repositoryName": "lab/org/tool", "imageIds": [["imageTag": "1"]]]
            )
            let run = try world.sandbox.startRun(workflow: workflow, name: "one")
            let gone = try await world.run("ready", "--run", run, "--format", "json")
            #expect(gone.code == 75)
            #expect(try answer(gone).subject == "run \(run)")
            #expect(try answer(gone).images.map(\.state) == [.ready, .missing])
            #expect(try await world.run("ready", "--run", run, "--wait", "60s").code == 0)
        }
    }

    @Test("of whole indexes too: one DescribeImages for all images of a repository, and no pull")
    func indexes() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            let images = ["quay.io/org/tool:1", "quay.io/org/tool:2", "quay.io/org/tool:3"]
            for image in images { try world.put(image, platforms: ["linux/amd64", "linux/arm64"]) }
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", images))
            let brought = try await world.run("ready", "--workflow", workflow, "--wait", "60s")
            #expect(brought.code == 0, "\(brought.standardError)\(brought.standardOutput)")
            world.sandbox.forgetRequests()
            #expect(try await world.run("ready", "--workflow", workflow).code == 0)
            let counts = world.sandbox.requests.counts
            #expect(counts["ecr/DescribeImages"] == 1)
            #expect(counts["ecr/BatchGetImage"] == nil)
            #expect(world.sandbox.requests.entries.allSatisfy { $0.call.registry == nil })
            // A part that is gone is seen all the same.
            let part = try #require(world.sandbox.holding("quay/org/tool", "2")?.platformDigest)
            world.sandbox.dropImage(part, repository: "quay/org/tool")
            let gone = try await world.run("ready", "--workflow", workflow)
            #expect(gone.code == 75)
            #expect(gone.standardOutput.contains("missing  quay.io/org/tool:2: "))
            #expect(gone.standardOutput.contains("2 of 3 ready"))
        }
    }

    @Test("it never waits longer than it was asked to, also where AWS does not answer")
    func silence() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", ["quay.io/org/tool:1"]))
            for service in ["omics", "ecr"] {
                world.sandbox.add(Fault(.delay, service: service, seconds: 600))
                let answer = try await world.run("ready", "--workflow", workflow, "--wait", "2s")
                #expect(answer.code == 75, "\(service): \(answer.standardError)\(answer.standardOutput)")
                world.sandbox.clearFaults()
            }
        }
    }

    @Test("what can't be is said and ends with 4: no mapping, no such image, and with --strict what nobody knows")
    func cannotBe() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            let workflow = world.sandbox.addWorkflow(
                RunningSandbox.wdl("one", ["quay.io/org/tool:1", "quay.io/org/missing:1", "public.ecr.aws/x/y:1"])
            )
            let answer = try await world.run("ready", "--workflow", workflow, "--wait", "60s")
            #expect(answer.code == 4, "\(answer.standardError)\(answer.standardOutput)")
            #expect(
                answer.standardOutput.contains("blocked  public.ecr.aws/x/y:1: the workflow's container registry map")
            )
            #expect(answer.standardOutput.contains("blocked  quay.io/org/missing:1: "))
            #expect(answer.standardOutput.hasSuffix("workflow \(workflow): 1 of 3 ready, 2 blocked\n"))

            let folder = world.folder.appending(path: "definition")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let text = """
                version 1.1
                workflow w { input { String image } call a call b { input: image = image } }
                task a { command <<< true >>> runtime { container: "quay.io/org/tool:1" } }
                task b { input { String image } command <<< true >>> runtime { container: image } }
                """
            try Data(text.utf8).write(to: folder.appending(path: "main.wdl"))
            let open = try await world.run("ready", "--definition", folder.path)
            #expect(open.code == 0, "\(open.standardError)")
            #expect(open.standardOutput.contains("unresolved main.wdl:4 image: "))
            #expect(open.standardOutput.contains("the one that `preclone map` writes is taken"))
            #expect(try await world.run("ready", "--definition", folder.path, "--strict").code == 4)
            let parameters = world.folder.appending(path: "run.json")
            try Data(#"{"w.image": "quay.io/org/later:1"}"#.utf8).write(to: parameters)
            let given = try await world.run(
                "ready",
                "--definition",
                folder.path,
                "--parameters",
                parameters.path,
                "--strict"
            )
            #expect(given.code == 75)
            #expect(given.standardOutput.contains("missing  quay.io/org/later:1: "))

            #expect(try await world.run("ready", "--workflow", "4711").code == 1)
            #expect(try await world.run("ready", "--run", "4711").code == 1)
            #expect(try await world.run("ready", "--run", "1", "--workflow", "2").code == 2)
            #expect(try await world.run("ready", "--run", "1", "--wait", "soon").code == 2)
        }
    }

    @Test("beside a daemon it asks with a run's urgency, and what does not come in time ends it with 75")
    func beside() async throws {
        try await RunningSandbox.with { world in
            let images = ["quay.io/org/tool:1", "quay.io/org/slow:1"]
            try world.put(images[0])
            try world.put(images[1], size: 64 << 20)
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", images))
            try await world.withDaemon { daemon in
                try await world.until("the daemon") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 16))
                let late = try await world.run("ready", "--workflow", workflow, "--wait", "3s", "--format", "json")
                #expect(late.code == 75, "\(late.standardError)\(late.standardOutput)")
                #expect(try answer(late).images.first { $0.image == images[1] }?.state != .ready)
                #expect(try !world.rows("SELECT 1 FROM image WHERE urgency = 0").isEmpty)
                world.sandbox.clearFaults()
                let ready = try await world.run("ready", "--workflow", workflow, "--wait", "60s")
                #expect(ready.code == 0, "\(ready.standardError)\(ready.standardOutput)")
                // The daemon did the work.
                #expect(try world.rows("SELECT pid FROM daemon") == [["pid": "\(daemon.id)"]])
                #expect(daemon.isRunning)
            }
        }
    }
}
