import Foundation
import Names
import Precloning
import Sandbox
import Testing

/// `preclone lock`, `clone --lock`, `ready --lock` and `map --pin` as processes.
@Suite("preclone lock, end to end")
struct LockTests {
    private static let images = ["quay.io/org/tool:1", "ghcr.io/org/other:2"]

    /// A workflow whose images are ready.
    private func withWorkflow(_ body: @Sendable (RunningSandbox, String) async throws -> Void) async throws {
        try await RunningSandbox.with { world in
            try world.put(Self.images[0], platforms: ["linux/amd64", "linux/arm64"])
            try world.put(Self.images[1])
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", Self.images))
            let ready = try await world.run("ready", "--workflow", workflow, "--wait", "60s")
            #expect(ready.code == 0, "\(ready.standardOutput)\(ready.standardError)")
            try await body(world, workflow)
        }
    }

    @Test("brings everything back by digest after every tag has moved and ECR was emptied")
    func bringsBack() async throws {
        try await withWorkflow { world, workflow in
            let file = world.folder.appending(path: "lock.json")
            let made = try await world.run("lock", "--workflow", workflow)
            #expect(made.code == 0, "\(made.standardError)")
            try Data(made.standardOutput.utf8).write(to: file)
            // The same bytes again, and as the schema has it.
            #expect(try await world.run("lock", "--workflow", workflow).standardOutput == made.standardOutput)
            let valid = try await RunningProgram(
                [
                    "-c",
                    "import json, sys, jsonschema; jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))",
                    file.path, BuiltProgram.project.appendingPathComponent("config/preclone-lock.schema.json").path,
                ],
                program: BuiltProgram.project.appendingPathComponent(".venv/bin/python")
            ).end()
            #expect(valid.code == 0, "\(valid.standardError)")
            let lock = try ImageLock(text: Data(made.standardOutput.utf8), path: file.path)
            #expect(lock.images.map(\.image) == Self.images.sorted())
            for image in lock.images {
                let repository = try #require(ECRPlace(image.destination)?.repository)
                let tags = try #require(world.sandbox.privateTags(repository))
                #expect(tags["preclone-lock-\(image.ecrDigest.encoded.prefix(12))"] == image.ecrDigest.description)
            }
            #expect(
                try await world.run("lock", "--workflow", workflow, "--check", file.path).standardOutput
                    == "nothing drifted\n"
            )
            #expect(try await world.run("ready", "--lock", file.path).code == 0)

            // All tags move upstream, and ECR loses everything.
            try world.put(Self.images[0], size: 5000, platforms: ["linux/amd64", "linux/arm64"])
            try world.put(Self.images[1], size: 5000)
            for repository in world.sandbox.privateRepositories {
                try world.sandbox.ecr("DeleteRepository", ["repositoryName": .string(repository), "force": true])
            }
            let drifted = try await world.run("lock", "--workflow", workflow, "--check", file.path)
            #expect(drifted.code == 4)
            #expect(drifted.standardOutput.components(separatedBy: "upstreamMoved").count == 3)
            #expect(drifted.standardOutput.components(separatedBy: "ecrGone").count == 3)
            #expect(try await world.run("ready", "--lock", file.path).code == 75)

            let back = try await world.run("clone", "--lock", file.path)
            #expect(back.code == 0, "\(back.standardOutput)\(back.standardError)")
            for image in lock.images {
                let place = try #require(ECRPlace(image.destination))
                #expect(world.sandbox.holding(place.repository, place.tag)?.digest == image.ecrDigest.description)
                #expect(
                    world.sandbox.holding(place.repository, place.tag)?.platformDigest
                        == image.platformDigest.description
                )
                let tags = try #require(world.sandbox.privateTags(place.repository))
                #expect(tags["preclone-lock-\(image.ecrDigest.encoded.prefix(12))"] == image.ecrDigest.description)
            }
            #expect(try await world.run("ready", "--lock", file.path).code == 0)

            // Each image of the lock has an image mapping to its digest.
            let pinned = try await world.run("map", "--workflow", workflow, "--pin", file.path)
            #expect(pinned.code == 0, "\(pinned.standardError)")
            let map = try JSONDecoder().decode(ContainerRegistryMap.self, from: Data(pinned.standardOutput.utf8))
            #expect(map.registryMappings == nil)
            let expected = try lock.images.map { image in
                let place = try #require(ECRPlace(image.destination))
                return "\(world.sandbox.addresses.ecrName)/\(place.repository)@\(image.ecrDigest)"
            }
            #expect(map.imageMappings?.compactMap(\.destinationImage).sorted() == expected.sorted())
        }
    }

    @Test("asks nothing of a registry that policy denies, and says so")
    func denied() async throws {
        try await withWorkflow { world, workflow in
            let file = world.folder.appending(path: "lock.json")
            let made = try await world.run("lock", "--workflow", workflow, "--no-tags")
            try Data(made.standardOutput.utf8).write(to: file)
            try world.configure([
                "policy": ["rules": [["name": "no-ghcr", "action": "deny", "match": ["registry": "ghcr.io"]]]]
            ])
            world.sandbox.forgetRequests()
            let checked = try await world.run("lock", "--check", file.path)
            #expect(checked.code == 4)
            #expect(checked.standardOutput.contains("upstreamUnknown  ghcr.io/org/other:2"))
            #expect(checked.standardOutput.contains("no-ghcr"))
            #expect(!checked.standardOutput.contains("quay.io"))
            let again = try await world.run("lock", "--workflow", workflow, "--no-tags")
            #expect(again.code == 0)
            #expect(again.standardError.contains("what its registry names is not known: "))
            #expect(!world.sandbox.requests.entries.contains { $0.call.registry == "ghcr.io" })
        }
    }

    @Test("names what is gone for ever, what cannot be locked, and a lock of another account")
    func gone() async throws {
        try await withWorkflow { world, workflow in
            let file = world.folder.appending(path: "lock.json")
            let made = try await world.run("lock", "--workflow", workflow, "--no-tags")
            try Data(made.standardOutput.utf8).write(to: file)
            #expect(world.sandbox.privateTags("quay/org/tool")?.keys.sorted() == ["1"])
            // Gone upstream and in ECR.
            world.sandbox.removeUpstream("ghcr.io", "org/other", "2")
            for repository in world.sandbox.privateRepositories {
                try world.sandbox.ecr("DeleteRepository", ["repositoryName": .string(repository), "force": true])
            }
            world.sandbox.makePrivate("org/other", registry: "ghcr.io")
            let back = try await world.run("clone", "--lock", file.path)
            #expect(back.code == 4, "\(back.standardOutput)\(back.standardError)")
            #expect(back.standardOutput.contains("ready    quay.io/org/tool@sha256:"))
            #expect(back.standardOutput.contains("blocked  ghcr.io/org/other@sha256:"))

            let partial = try await world.run("lock", "--workflow", workflow)
            #expect(partial.code == 4 && partial.standardOutput.isEmpty)
            #expect(partial.standardError.contains("not locked: ghcr.io/org/other:2: "))

            let other = world.folder.appending(path: "other.json")
            try Data(made.standardOutput.replacing("\"123456789012\"", with: "\"999999999999\"").utf8).write(to: other)
            for command in [["lock", "--check"], ["ready", "--lock"], ["clone", "--lock"]] {
                let answer = try await world.start(command + [other.path]).end()
                #expect(answer.code == 1, "\(command)")
                #expect(answer.standardError.contains("the lock is of account 999999999999 in us-east-1"))
            }
            try Data("{}".utf8).write(to: other)
            #expect(try await world.run("clone", "--lock", other.path).code == 2)
            #expect(try await world.run("clone").code == 2)
        }
    }

    /// Repository and tag of an ECR URI.
    private struct ECRPlace {
        var repository: String
        var tag: String

        init?(_ text: String) {
            guard let slash = text.firstIndex(of: "/"), let colon = text.lastIndex(of: ":"), slash < colon else {
                return nil
            }
            repository = String(text[text.index(after: slash)..<colon])
            tag = String(text[text.index(after: colon)...])
        }
    }
}
