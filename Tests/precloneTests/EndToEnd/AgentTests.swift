import Definitions
import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// An agent's host, by client libraries of other people: they start `preclone mcp` and call its tools.
struct AgentHost {
    /// Which library, and which of its ways to begin.
    enum Library: String, CaseIterable {
        case old = "mcp-1.9"
        case first = "mcp-1"
        case legacy = "mcp-2:legacy"
        case auto = "mcp-2:auto"
        case stateless = "mcp-2:2026-07-28"
        case fast = "fastmcp"

        var python: String {
            let folder = rawValue.split(separator: ":").first ?? ""
            return BuiltProgram.project.appending(path: ".venv/clients/\(folder)/bin/python").path
        }
    }

    struct Call {
        var tool: String
        var arguments: [String: ParameterValue] = [:]
    }

    /// What a session saw.
    struct Session {
        var version: String
        var tools: [String]
        var results: [Result]
        /// The texts of resources and prompts, by URI and by name.
        var read: [String: String]
        var prompts: [String: String]
        var templates: [String]
    }

    struct Result {
        var isError: Bool
        /// The text, read.
        var value: ParameterValue
        var structured: ParameterValue
        var progress: [ParameterValue]
    }

    static var isThere: Bool {
        Library.allCases.allSatisfy { FileManager.default.isExecutableFile(atPath: $0.python) }
    }

    let library: Library
    let command: [String]
    let environment: [String: String]

    /// `preclone mcp` against a sandbox.
    init(_ library: Library, _ world: RunningSandbox, _ options: String...) {
        self.init(
            library,
            command: [BuiltProgram.executable.path, "mcp", "--config", world.config] + options,
            world
        )
    }

    init(_ library: Library, command: [String], _ world: RunningSandbox) {
        self.library = library
        self.command = command
        environment = world.sandbox.addresses.environment.merging([
            "HOME": world.folder.path, "NO_PROXY": "*", "AWS_EC2_METADATA_DISABLED": "true", "PATH": "/usr/bin:/bin",
        ]) { $1 }
    }

    /// Calls tools one after the other, in one session.
    ///
    /// - Parameter looks: resources and prompts are read after it.
    func call(_ calls: [Call], looks: Bool = false) async throws -> Session {
        let list = ParameterValue.array(
            calls.map { .object(["tool": .string($0.tool), "arguments": .object($0.arguments)]) }
        )
        let script = BuiltProgram.project.appending(path: "Tests/Clients/agent_client.py").path
        let program = try RunningProgram(
            [script, library.rawValue] + command,
            program: URL(filePath: library.python),
            environment: environment.merging(["CALLS": list.line, "LOOK": looks ? "1" : ""]) { $1 }
        )
        let answer = await program.end()
        try #require(answer.code == 0, "\(library): \(answer.standardError.telling)")
        let document = try ParameterValue(json: Array(answer.standardOutput.utf8))
        let results = try (document["results"]?.array ?? []).map { result in
            let text = result["text"]?.string ?? ""
            return Result(
                isError: result["isError"] == .bool(true),
                value: (try? ParameterValue(json: Array(text.utf8))) ?? .string(text),
                structured: try #require(result["structured"]),
                progress: result["progress"]?.array ?? []
            )
        }
        return Session(
            version: document["version"]?.string ?? "",
            tools: document["tools"]?.array?.compactMap(\.string) ?? [],
            results: results,
            read: (document["read"]?.object ?? [:]).compactMapValues(\.string),
            prompts: (document["prompts"]?.object ?? [:]).compactMapValues(\.string),
            templates: document["templates"]?.array?.compactMap(\.string) ?? []
        )
    }
}

/// `preclone mcp` with real clients, a daemon and the sandbox.
@Suite("preclone mcp, end to end", .enabled(if: AgentHost.isThere, "needs .venv/clients, see .ci/test"))
struct AgentTests {
    private func untilItWorks(_ world: RunningSandbox) async throws {
        try await world.until("the daemon") {
            try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                && FileManager.default.fileExists(atPath: ControlSocket.path(record: world.record))
        }
    }

    /// Every tool at least once, each with whether it is to fail.
    private func calls(_ workflow: String, _ definition: String) -> [(AgentHost.Call, fails: Bool)] {
        func call(_ tool: String, _ arguments: [String: ParameterValue] = [:], fails: Bool = false)
            -> (AgentHost.Call, fails: Bool)
        { (.init(tool: tool, arguments: arguments), fails) }
        let image: [String: ParameterValue] = ["image": .string("quay.io/org/tool:1.0")]
        return [
            call("CloneContainerToECR", ["source_image": .string("quay.io/org/tool:1.0")]),
            call(
                "CheckContainerAvailability",
                ["repository_name": .string("quay/org/tool"), "image_tag": .string("1.0")]
            ),
            call("ListECRRepositories"), call("ListPullThroughCacheRules"), call("ValidateHealthOmicsECRConfig"),
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": .string("quay/org/tool")]),
            call("CreateContainerRegistryMap"), call("GetPrecloneStatus"), call("PlanImageClones"),
            call("GetImageHistory", image), call("RetryImages", ["all": .bool(true)]), call("ListPrecloneAudit"),
            call("CloneContainerToECR", ["source_image": .string("quay.io/org/missing:1")], fails: true),
            call("ListECRRepositories", ["max_result": .number("1")], fails: true),
            call("CreatePullThroughCacheForHealthOmics", ["upstream_registry": .string("ecr-public")]),
            call("InspectWorkflowImages", ["definition": .string(definition)]), call("ExplainImage", image),
            call("PrepareWorkflowImages", ["definition": .string(definition)]),
            call("GetRunImageReadiness", ["workflow_id": .string(workflow), "wait_seconds": .number("1")]),
            call("GetRunImageReadiness", ["images": .array([.string("quay.io/org/tool:1.0")])]),
        ]
    }

    @Test(
        "every client library calls every tool, and reads every resource and prompt",
        arguments: AgentHost.Library.allCases
    )
    func clients(library: AgentHost.Library) async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try world.addRule()
            let recipe = RunningSandbox.wdl("w", ["quay.io/org/tool:1.0"])
            let folder = world.folder.appending(path: "workflow")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in recipe.files { try Data(text.utf8).write(to: folder.appending(path: name)) }
            let workflow = world.sandbox.addWorkflow(recipe)
            let run = try world.sandbox.startRun(workflow: workflow, name: "r")
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                try await world.until("the run") {
                    try !world.rows("SELECT 1 FROM runs WHERE surveyed_at IS NOT NULL").isEmpty
                }
                let calls = calls(workflow, folder.path)
                let found = try await AgentHost(library, world).call(calls.map(\.0), looks: true)
                #expect(found.tools.sorted() == ToolCatalogue.all.map(\.name).sorted())
                #expect(Set(calls.map(\.0.tool)) == Set(found.tools))
                for ((call, fails), result) in zip(calls, found.results) {
                    #expect(result.isError == fails, "\(call.tool): \(result.value.line)")
                }
                let cloned = found.results[0].value
                #expect(cloned["success"] == .bool(true))
                #expect(cloned["state"]?.string == "ready")
                #expect(cloned["healthomics_accessible"]?.string == "accessible")
                // Before 2025-06-18 there was only the text.
                if library != .old { #expect(found.results[0].structured == .object(["result": cloned])) }
                let progress = found.results[0].progress.compactMap { $0.array?.first }
                #expect(!progress.isEmpty)
                let available = found.results[1].value
                #expect(available["available"] == .bool(true) && available["is_pull_through_cache"] == .bool(true))
                #expect(found.results[3].value["rules"]?.array?.first?["healthomics_usable"] == .bool(false))
                #expect(found.results[4].value["valid"] == .bool(false), "the rule has no creation template")
                #expect(found.results[4].value["repositories_checked"]?.integer == 1)
                #expect(found.results[7].value["schemaVersion"] != nil)
                #expect(found.results[13].value["where"]?.string == "max_result")
                #expect(found.results[18].value["isReady"] == .bool(true), "\(found.results[18].value.line)")
                #expect(found.results[19].value["isReady"] == .bool(true))
                #expect(
                    found.read.keys.sorted() == [
                        "preclone://runs/\(run)", "preclone://status", "preclone://workflows/\(workflow)",
                    ]
                )
                for text in found.read.values {
                    #expect(try ParameterValue(json: Array(text.utf8))["health"] != nil)
                }
                #expect(found.templates.count == 3)
                #expect(found.prompts.keys.sorted() == ["prepare-workflow", "why-run-waits"])
                #expect(found.prompts.values.allSatisfy { $0.contains(#""42""#) })
                // What the library says of itself stands in the audit.
                let details = try world.rows("SELECT detail FROM audit WHERE action = 'requested'")
                #expect(!details.isEmpty)
                #expect(details.allSatisfy { $0["detail"]?.contains("calls itself") == true }, "\(details)")
            }
        }
    }

    @Test("the same is spoken at the control socket, but for what is on the caller's disk")
    func socket() async throws {
        let rule: SandboxJSON = [
            "name": "no-retries", "action": "deny", "match": ["caller": "user *", "tool": "RetryImages"],
        ]
        try await RunningSandbox.with(keys: ["policy": ["rules": [rule]]]) { world in
            try world.put("quay.io/org/tool:1.0")
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let python = BuiltProgram.project.appending(path: ".venv/bin/python").path
                let bridge = BuiltProgram.project.appending(path: "Tests/Clients/socket_bridge.py").path
                let path = ControlSocket.path(record: world.record)
                for library in [AgentHost.Library.old, .first, .stateless] {
                    let found = try await AgentHost(library, command: [python, bridge, path], world).call(
                        [
                            .init(
                                tool: "CloneContainerToECR",
                                arguments: ["source_image": .string("quay.io/org/tool:1.0")]
                            ),
                            .init(tool: "GetPrecloneStatus"), .init(tool: "ListECRRepositories"),
                            .init(tool: "RetryImages", arguments: ["all": .bool(true)]),
                            .init(tool: "PrepareWorkflowImages", arguments: ["definition": .string("/etc/shadow")]),
                            .init(tool: "ListECRRepositories", arguments: ["aws_profile": .string("root")]),
                        ],
                        looks: true
                    )
                    #expect(
                        found.results.map(\.isError) == [false, false, false, true, true, true],
                        "\(found.results.map(\.value.line))"
                    )
                    #expect(found.results[0].value["success"] == .bool(true))
                    #expect(found.results[3].value["kind"]?.string == "denied")
                    #expect(found.results[4].value["where"]?.string == "definition")
                    #expect(!found.tools.contains("InspectWorkflowImages"))
                    #expect(found.read["preclone://status"] != nil)
                }
                let user = PeerIdentity.thisProcess.description
                #expect(
                    try world.rows("SELECT DISTINCT caller FROM audit WHERE action = 'requested'") == [["caller": user]]
                )
                let hits = try await world.status().report.policy ?? []
                let denied = try #require(hits.first { $0.rule == "no-retries" })
                #expect(denied.denied == 3 && denied.allowed == 0)
            }
        }
    }

    @Test("an agent sees the tools that policy lets it call, and is refused the others")
    func agents() async throws {
        let user = PeerIdentity.thisProcess.userName
        let keys: [String: SandboxJSON] = [
            "policy": [
                "agents": [["name": "nightly", "users": [.string(user)], "tools": ["Clone*", "Get*", "ListECR*"]]]
            ]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let found = try await AgentHost(.auto, world, "--agent", "nightly").call(
                    [
                        .init(tool: "GetPrecloneStatus"), .init(tool: "ListECRRepositories"),
                        .init(tool: "ListPrecloneAudit"), .init(tool: "ListPullThroughCacheRules"),
                        .init(tool: "RetryImages", arguments: ["all": .bool(true)]),
                    ],
                    looks: true
                )
                #expect(
                    found.tools.sorted() == [
                        "CloneContainerToECR", "GetImageHistory", "GetPrecloneStatus", "GetRunImageReadiness",
                        "ListECRRepositories",
                    ]
                )
                #expect(found.results.map(\.isError) == [false, false, true, true, true])
                #expect(found.results.suffix(3).allSatisfy { $0.value["kind"]?.string == "denied" })
                #expect(found.prompts.isEmpty && found.read["preclone://status"] != nil)
                let hits = try await world.status().report.policy ?? []
                #expect(hits.first { $0.rule == "agents" }?.denied == 2)
            }
        }
    }

    @Test("of the demo's nine images each that there is, is brought; the one that is not there is refused, and why")
    func demo() async throws {
        try await RunningSandbox.with { world in
            let demo = try DemoWorld.load(into: world.sandbox, startingRuns: false)
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let found = try await AgentHost(.auto, world, "--tools", "predecessor").call(
                    demo.expectations.map {
                        .init(
                            tool: "CloneContainerToECR",
                            arguments: ["source_image": .string($0.image), "wait_seconds": .number("60")]
                        )
                    }
                )
                #expect(!found.tools.contains("GetPrecloneStatus"))
                for (expected, result) in zip(demo.expectations, found.results) {
                    let isReady = result.value["success"] == .bool(true)
                    // A person may ask for what no workflow's map reaches; it is told by the map's own tools.
                    let isThere = expected.upstreamDigest != nil
                    #expect(isReady == isThere, "\(expected.image): \(result.value.line)")
                    #expect(result.isError == !isThere)
                    #expect(result.value["message"]?.string?.isEmpty == false)
                }
            }
        }
    }

    @Test("what is not ready in time goes on; asking again joins it; killed at any point, it is done once")
    func waiting() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0", size: 1 << 20)
            world.sandbox.add(Fault(.delay, operation: "GetBlob", registry: "quay.io", seconds: 600))
            let clone = AgentHost.Call(
                tool: "CloneContainerToECR",
                arguments: ["source_image": .string("quay.io/org/tool:1.0"), "wait_seconds": .number("1")]
            )
            let daemon = try world.start("run")
            try await untilItWorks(world)
            let early = try await AgentHost(.auto, world).call([clone, clone])
            for result in early.results {
                #expect(!result.isError)
                #expect(result.value["success"] == .bool(false))
                #expect(["pending", "cloning"].contains(result.value["state"]?.string), "\(result.value.line)")
                #expect(result.value["retry_after_seconds"]?.integer ?? 0 > 0)
            }
            // The second question of the session was the first one again.
            #expect(early.results[0].value["request_id"] == early.results[1].value["request_id"])
            #expect(try world.rows("SELECT count(*) AS n FROM request") == [["n": "1"]])
            daemon.signal(SIGKILL)
            _ = await daemon.end()
            world.sandbox.clearFaults()
            // Nobody works: that is said, and what was asked is kept.
            let without = try await AgentHost(.auto, world).call([clone])
            #expect(without.results[0].isError)
            #expect(without.results[0].value["mend"]?.string?.contains("systemctl start preclone") == true)
            try await world.withDaemon { _ in
                try await world.until(["quay.io/org/tool:1.0": "ready"])
                try await world.until("the answer") {
                    try world.rows("SELECT state FROM request") == [["state": "done"]]
                }
            }
            #expect(world.count("PutManifest", registry: "ecr") == 1)
        }
    }

    @Test("without a daemon what changes nothing is answered, and the rest only by --alone")
    func alone() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            let clone = AgentHost.Call(
                tool: "CloneContainerToECR",
                arguments: ["source_image": .string("quay.io/org/tool:1.0")]
            )
            let thin = try await AgentHost(.auto, world).call([
                clone, .init(tool: "ListECRRepositories"), .init(tool: "GetPrecloneStatus"),
                .init(
                    tool: "GrantHealthOmicsRepositoryAccess",
                    arguments: ["repository_name": .string("quay/org/tool")]
                ),
            ])
            #expect(thin.results.map(\.isError) == [true, false, true, true])
            #expect(thin.results[0].value["mend"]?.string?.contains("--alone") == true)
            #expect(world.sandbox.privateRepositories.isEmpty)
            let found = try await AgentHost(.auto, world, "--alone").call([
                clone, clone,
                .init(
                    tool: "GrantHealthOmicsRepositoryAccess",
                    arguments: ["repository_name": .string("quay/org/tool")]
                ),
            ])
            #expect(found.results.allSatisfy { !$0.isError && $0.value["success"] == .bool(true) })
            #expect(world.count("PutManifest", registry: "ecr") == 1)
        }
    }

    @Test("one call finds a workflow's images, maps them, brings them, and says what no clone can mend")
    func prepares() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try world.put("docker.io/org/other:2")
            try world.addRule()
            let recipe = RunningSandbox.wdl("w", ["quay.io/org/tool:1.0", "org/other:2", "quay.io/org/missing:1"])
            let folder = world.folder.appending(path: "workflow")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in recipe.files { try Data(text.utf8).write(to: folder.appending(path: name)) }
            let workflow = world.sandbox.addWorkflow(recipe)
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let wait: [String: ParameterValue] = ["wait_seconds": .number("60")]
                let found = try await AgentHost(.auto, world).call([
                    .init(
                        tool: "PrepareWorkflowImages",
                        arguments: wait.merging(["definition": .string(folder.path)]) { $1 }
                    ),
                    .init(
                        tool: "PrepareWorkflowImages",
                        arguments: wait.merging(["workflow_id": .string(workflow)]) { $1 }
                    ),
                    .init(tool: "PrepareWorkflowImages"),
                    .init(tool: "GetRunImageReadiness", arguments: ["workflow_id": .string(workflow)]),
                    .init(tool: "ExplainImage", arguments: ["image": .string("quay.io/org/tool:1.0")]),
                ]).results
                #expect(found.map(\.isError) == [false, false, true, false, false], "\(found.map(\.value.line))")
                for result in found.prefix(2).map(\.value) {
                    #expect(result["ready"]?.integer == 2 && result["wanted"]?.integer == 3, "\(result.line)")
                    #expect(result["is_ready"] == .bool(false))
                    let states = (result["images"]?.array ?? []).map {
                        ($0["image"]?.string ?? "", $0["state"]?.string ?? "")
                    }
                    #expect(
                        Dictionary(states) { $1 }
                            == [
                                "quay.io/org/tool:1.0": "ready", "org/other:2": "ready",
                                "quay.io/org/missing:1": "blocked",
                            ]
                    )
                    let prefixes = result["container_registry_map"]?["registryMappings"]?.array?
                        .compactMap { $0["ecrRepositoryPrefix"]?.string }
                    #expect(prefixes?.sorted() == ["docker-hub", "quay"])
                }
                #expect(
                    world.sandbox.isWhole("quay/org/tool", "1.0") && world.sandbox.isWhole("docker-hub/org/other", "2")
                )
                #expect(found[3].value["ready"]?.integer == 2 && found[3].value["isReady"] == .bool(false))
                #expect(found[4].value["policy"]?["verdict"]?.string == "allow")
            }
        }
    }

    @Test("a pull-through cache rule is made as HealthOmics needs it, once")
    func makesRules() async throws {
        try await RunningSandbox.with { world in
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                func make(_ upstream: String) -> AgentHost.Call {
                    .init(
                        tool: "CreatePullThroughCacheForHealthOmics",
                        arguments: ["upstream_registry": .string(upstream)]
                    )
                }
                let found = try await AgentHost(.auto, world).call([
                    make("quay"), make("quay"), make("docker-hub"), make("example.org"),
                    .init(tool: "ListPullThroughCacheRules"), .init(tool: "ValidateHealthOmicsECRConfig"),
                ]).results
                #expect(found.map(\.isError) == [false, false, true, true, false, false], "\(found.map(\.value.line))")
                #expect(found[0].value["registry_policy_updated"] == .bool(true))
                #expect(found[0].value["repository_template_created"] == .bool(true))
                #expect(found[0].value["rule"]?["healthomics_usable"] == .bool(true))
                #expect(found[1].value["success"] == .bool(true))
                #expect(found[1].value["registry_policy_updated"] == .bool(false))
                #expect(found[4].value["rules"]?.array?.count == 1)
                #expect(found[5].value["valid"] == .bool(true))
                let callers = try world.rows(
                    "SELECT DISTINCT caller FROM audit WHERE action IN ('ruleCreated', 'registryChanged')"
                )
                #expect(callers == [["caller": PeerIdentity.thisProcess.description]])
            }
        }
    }
}
