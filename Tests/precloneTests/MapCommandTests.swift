import Foundation
import Names
import Sandbox
import Testing

@Suite("preclone map")
struct MapCommandTests {
    private static let wdl = """
        version 1.1
        workflow w {
          call a
          call b
          call c
        }
        task a { command <<< true >>> runtime { container: "quay.io/org/tool:1" } }
        task b { command <<< true >>> runtime { container: "ubuntu" } }
        task c { input { String image } command <<< true >>> runtime { container: image } }
        """

    private func withDefinition(_ files: [String: String], _ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "map-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        try await body(folder)
    }

    private static let byAlias = ContainerRegistryMap(registryMappings: [
        RegistryMapping(upstreamRegistryUrl: "quay.io", ecrRepositoryPrefix: "quay"),
        RegistryMapping(upstreamRegistryUrl: "registry-1.docker.io", ecrRepositoryPrefix: "docker-hub"),
    ])

    @Test("without an account it says so, and follows clone.destination or the rules it is given")
    func offline() async throws {
        try await withDefinition(["main.wdl": Self.wdl]) { folder in
            // No engine is named, and no Region or credentials are there.
            let answer = try BuiltProgram.run(["map", folder.path])
            #expect(answer.code == 0, "\(answer.standardError)")
            let map = try JSONDecoder().decode(ContainerRegistryMap.self, from: Data(answer.standardOutput.utf8))
            #expect(map == Self.byAlias)
            #expect(
                answer.standardError.contains("the account's pull-through rules are not known (AWS was not reached")
            )
            #expect(answer.standardError.contains("unresolved: main.wdl:"))
            #expect(answer.standardError.contains("aws omics create-workflow-version --workflow-id WORKFLOW"))
            #expect(try BuiltProgram.run(["map", folder.path, "--offline", "--strict"]).code == 4)

            let rules = folder.appending(path: "rules.json")
            try Data(
                #"{"pullThroughCacheRules": [{"ecrRepositoryPrefix": "cache", "upstreamRegistryUrl": "quay.io"}]}"#.utf8
            ).write(to: rules)
            let ruled = try BuiltProgram.run(["map", folder.path, "--rules", rules.path, "--format", "table"])
            #expect(ruled.code == 0)
            #expect(ruled.standardOutput.contains("ACCOUNT.dkr.ecr.REGION.amazonaws.com/cache/org/tool:1"))
            #expect(!ruled.standardError.contains("not known"))
        }
    }

    @Test("what no map can reach ends it with 4, two engines and what is no map with 2")
    func badInput() async throws {
        let far = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/a/b:1"
        let text = Self.wdl.replacing("\"ubuntu\"", with: "\"\(far)\"")
        try await withDefinition(["main.wdl": text, "main.nf": ""]) { folder in
            let two = try BuiltProgram.run(["map", folder.path, "--offline"])
            #expect(two.code == 2)
            #expect(two.standardError.contains("main.nf (NEXTFLOW) and main.wdl (WDL)"))
            let registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
            let unreached = try BuiltProgram.run(["map", folder.path, "--engine", "wdl", "--registry", registry])
            #expect(unreached.code == 4)
            #expect(unreached.standardError.contains("unmapped: \(far): "))
            #expect(unreached.standardError.contains("HealthOmics pulls only from the workflow's Region"))
            let map = folder.appending(path: "map.json")
            try Data(#"{"registryMapping": []}"#.utf8).write(to: map)
            let noMap = try BuiltProgram.run(["map", folder.path, "--engine", "wdl", "--offline", "--check", map.path])
            #expect(noMap.code == 2)
            #expect(noMap.standardError.contains("`registryMapping`: no such key"))
            #expect(try BuiltProgram.run(["map", folder.path, "--engine", "wdl", "--rules", map.path]).code == 2)
            #expect(try BuiltProgram.run(["map"]).code == 2)
            #expect(try BuiltProgram.run(["map", "--workflow", "x/y"]).code == 2)
        }
    }

    @Test(
        "in an account it leads into its rules, for a registered workflow too, and finds nothing wrong with its own map"
    )
    func account() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            try world.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "pub", "upstreamRegistryUrl": "public.ecr.aws"]
            )
            var recipe = RunningSandbox.wdl("one", ["quay.io/org/tool:1", "public.ecr.aws/x/y:1", "ghcr.io/z/w:1"])
            recipe.registryMap = nil
            let workflow = world.sandbox.addWorkflow(recipe)
            world.sandbox.addVersion(RunningSandbox.wdl("v2", ["quay.io/org/tool:2"]), workflow: workflow)
            let answer = try await world.run("map", "--workflow", workflow)
            #expect(answer.code == 0, "\(answer.standardError)")
            let map = try JSONDecoder().decode(ContainerRegistryMap.self, from: Data(answer.standardOutput.utf8))
            #expect(
                map.registryMappings?.map { "\($0.upstreamRegistryUrl ?? "") \($0.ecrRepositoryPrefix ?? "")" }
                    == ["ghcr.io ghcr", "public.ecr.aws pub", "quay.io quay"]
            )
            #expect(answer.standardError.contains("aws omics get-workflow --id \(workflow) --export DEFINITION"))
            #expect(
                answer.standardError.contains(
                    "aws omics create-workflow-version --workflow-id \(workflow) --version-name VERSION --engine WDL "
                        + "--main main.wdl --definition-zip fileb://definition.zip --container-registry-map file://map.json"
                )
            )
            let file = world.folder.appending(path: "map.json")
            try Data(answer.standardOutput.utf8).write(to: file)
            let own = try await world.run("map", "--workflow", workflow, "--check", file.path, "--format", "json")
            #expect(own.code == 0, "\(own.standardError)")
            let found = try JSONSerialization.jsonObject(with: Data(own.standardOutput.utf8)) as? [String: Any]
            #expect(found?["isComplete"] as? Bool == true)
            #expect((found?["unused"] as? [Any])?.isEmpty == true)
            // The other version needs only one of them.
            let other = try await world.run(
                "map",
                "--workflow",
                "\(workflow)/v2",
                "--check",
                file.path,
                "--format",
                "table"
            )
            #expect(other.code == 0)
            #expect(other.standardOutput.contains("never used: registryMappings[0] (ghcr.io -> ghcr)"))
            // With the map the workflow's runs find their images.
            world.sandbox.setRegistryMap(try SandboxJSON(json: Data(answer.standardOutput.utf8)), workflow: workflow)
            for image in ["quay.io/org/tool:1", "quay.io/org/tool:2", "public.ecr.aws/x/y:1", "ghcr.io/z/w:1"] {
                try world.put(image)
            }
            try world.sandbox.startRun(workflow: workflow, name: "one")
            #expect(try await world.run("run", "--once").code == 0)
            #expect(try world.states().filter { $0.value != "ready" }.isEmpty)
            #expect(world.sandbox.isWhole("pub/x/y", "1"))
            let missing = try await world.run("map", "--workflow", "4711")
            #expect(missing.code == 1)
            #expect(missing.standardError.contains("no workflow 4711 of this account"))
        }
    }
}
