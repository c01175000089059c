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
    func call(_ calls: [Call]) async throws -> (version: String, tools: [String], results: [Result]) {
        let list = ParameterValue.array(
            calls.map { .object(["tool": .string($0.tool), "arguments": .object($0.arguments)]) }
        )
        let script = BuiltProgram.project.appending(path: "Tests/Clients/agent_client.py").path
        let program = try RunningProgram(
            [script, library.rawValue] + command,
            program: URL(filePath: library.python),
            environment: environment.merging(["CALLS": list.line]) { $1 }
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
        return (document["version"]?.string ?? "", document["tools"]?.array?.compactMap(\.string) ?? [], results)
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

    @Test(
        "every client library lists the tools and is content with what they give",
        arguments: AgentHost.Library.allCases
    )
    func clients(library: AgentHost.Library) async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try world.addRule()
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let found = try await AgentHost(library, world).call([
                    .init(tool: "CloneContainerToECR", arguments: ["source_image": .string("quay.io/org/tool:1.0")]),
                    .init(
                        tool: "CheckContainerAvailability",
                        arguments: ["repository_name": .string("quay/org/tool"), "image_tag": .string("1.0")]
                    ),
                    .init(tool: "ListECRRepositories"), .init(tool: "ListPullThroughCacheRules"),
                    .init(tool: "ValidateHealthOmicsECRConfig"),
                    .init(
                        tool: "GrantHealthOmicsRepositoryAccess",
                        arguments: ["repository_name": .string("quay/org/tool")]
                    ),
                    .init(tool: "CreateContainerRegistryMap"), .init(tool: "GetPrecloneStatus"),
                    .init(tool: "PlanImageClones"),
                    .init(tool: "GetImageHistory", arguments: ["image": .string("quay.io/org/tool:1.0")]),
                    .init(tool: "RetryImages", arguments: ["all": .bool(true)]), .init(tool: "ListPrecloneAudit"),
                    .init(tool: "CloneContainerToECR", arguments: ["source_image": .string("quay.io/org/missing:1")]),
                    .init(tool: "ListECRRepositories", arguments: ["max_result": .number("1")]),
                ])
                #expect(found.tools.sorted() == ToolCatalogue.all.map(\.name).sorted())
                #expect(found.results.map(\.isError) == Array(repeating: false, count: 12) + [true, true])
                let cloned = found.results[0].value
                #expect(cloned["success"] == .bool(true))
                #expect(cloned["state"]?.string == "ready")
                #expect(cloned["healthomics_accessible"]?.string == "accessible")
                #expect(found.results[0].structured == .object(["result": cloned]))
                let progress = found.results[0].progress.compactMap { $0.array?.first }
                #expect(!progress.isEmpty)
                let available = found.results[1].value
                #expect(available["available"] == .bool(true) && available["is_pull_through_cache"] == .bool(true))
                #expect(found.results[3].value["rules"]?.array?.first?["healthomics_usable"] == .bool(false))
                #expect(found.results[4].value["valid"] == .bool(false), "the rule has no creation template")
                #expect(found.results[4].value["repositories_checked"]?.integer == 1)
                #expect(found.results[7].structured["schemaVersion"] != nil)
                #expect(found.results[13].value["where"]?.string == "max_result")
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

    // MARK: The predecessor

    /// Fields whose values differ, with the reason; `*` stands for every tool. All others are the same.
    private static let reviewed: [String: String] = [
        "* message": "our own words",
        "* created_at": "to the second", "* updated_at": "to the second", "* pushed_at": "to the second",
        "* instruction": "our own words", "* usage_hint": "our own words",
        "* next_token": "ours also says a place within a page", "* nextToken": "the same",
        "* remediation": "our own words", "* json_output": "keys sorted", "* error": "our own words",
        "CheckContainerAvailability healthomics_accessible": "ours reads the policy also where the image is missing",
        "CheckContainerAvailability missing_permissions": "the same",
        "CheckContainerAvailability repository_exists": "not known where the question was refused",
        "CheckContainerAvailability is_pull_through_cache": "not known where the question was refused",
        "ValidateHealthOmicsECRConfig repositories_checked": "theirs is always 0",
        "ValidateHealthOmicsECRConfig issues": "theirs says as an issue that there is none",
        "CloneContainerToECR source_digest": "theirs knows it for copies alone",
        "CloneContainerToECR source_image": "theirs is missing where the question was refused",
        "CloneContainerToECR ecr_uri": "ours is where a run looks for it, by its tag, also before it is there",
        "CloneContainerToECR used_pull_through_cache": "ours: whether it was used now, and nothing had to be brought",
        "CloneContainerToECR pull_through_cache_prefix": "the same",
    ]

    @Test(
        "every field of the predecessor's answers is there, and the same or reviewed",
        .enabled(if: FileManager.default.isExecutableFile(atPath: Self.predecessor), "needs .venv/clients/predecessor")
    )
    func differential() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try world.put("quay.io/org/other:1.0")
            try world.addRule()
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                for image in ["quay.io/org/tool:1.0", "quay.io/org/other:1.0"] {
                    #expect(try await world.run("clone", image).code == 0)
                }
                let calls = try Self.differentialCalls(world)
                let theirs = try await AgentHost(.auto, command: [Self.predecessor], world).call(calls).results
                let ours = try await AgentHost(.auto, world).call(calls).results
                for (call, (old, new)) in zip(calls, zip(theirs, ours)) {
                    let differences = Self.differences(old.value, new.value, at: "")
                    for field in differences where Self.reviewed["* \(field)"] == nil {
                        #expect(
                            Self.reviewed["\(call.tool) \(field)"] != nil,
                            "\(call.tool) \(call.arguments): \(field): \(old.value.line) or \(new.value.line)"
                        )
                    }
                    // Theirs is an answer as any other where it failed.
                    if old.isError { #expect(new.isError) }
                    if old.value["success"] == .bool(false) || old.value["error"] != nil { #expect(new.isError) }
                    #expect(new.structured == .object(["result": new.value]))
                }
            }
        }
    }

    private static func differentialCalls(_ world: RunningSandbox) throws -> [AgentHost.Call] {
        func call(_ tool: String, _ arguments: [String: ParameterValue] = [:]) -> AgentHost.Call {
            .init(tool: tool, arguments: arguments)
        }
        let name = ParameterValue.string("quay/org/tool")
        let destination = "\(world.sandbox.addresses.ecrName)/quay/org/tool:1.0"
        let digest = try #require(world.sandbox.privateTags("quay/org/tool")?["1.0"])
        return [
            call("CheckContainerAvailability", ["repository_name": name, "image_tag": .string("1.0")]),
            call("CheckContainerAvailability", ["repository_name": name]),
            call("CheckContainerAvailability", ["repository_name": name, "image_digest": .string(digest)]),
            call("CheckContainerAvailability", ["repository_name": name, "image_digest": .string("md5:1")]),
            call("CheckContainerAvailability", ["repository_name": .string("no/such")]),
            call("ListECRRepositories"), call("ListECRRepositories", ["max_results": .number("1")]),
            call("ListECRRepositories", ["filter_healthomics_accessible": .bool(true)]),
            call("ListPullThroughCacheRules"), call("ListPullThroughCacheRules", ["max_results": .number("1")]),
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": name]),
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": .string("no/such")]),
            call("ValidateHealthOmicsECRConfig"), call("CreateContainerRegistryMap"),
            call("CreateContainerRegistryMap", ["ecr_account_id": .string("123456789012")]),
            call(
                "CreateContainerRegistryMap",
                [
                    "include_pull_through_caches": .bool(false),
                    "image_mappings": .array([
                        .object(["sourceImage": .string("a"), "destinationImage": .string(destination)])
                    ]),
                ]
            ),
            call("CloneContainerToECR", ["source_image": .string("quay.io/org/tool:1.0")]),
            call("CloneContainerToECR", ["source_image": .string(" ")]),
            call("CloneContainerToECR", ["source_image": .string("quay.io/org/missing:1")]),
        ]
    }

    static var predecessor: String {
        BuiltProgram.project.appending(path: ".venv/clients/predecessor/bin/awslabs.aws-healthomics-mcp-server").path
    }

    /// The names of fields that are missing in the second, or another.
    private static func differences(_ old: ParameterValue, _ new: ParameterValue, at name: String) -> Set<String> {
        switch (old, new) {
        case (.object(let before), .object(let after)):
            before.reduce(into: []) { names, member in
                guard let found = after[member.key] else { return _ = names.insert(member.key) }
                names.formUnion(differences(member.value, found, at: member.key))
            }
        case (.array(let before), .array(let after)) where before.count == after.count:
            zip(before, after).reduce(into: []) { $0.formUnion(differences($1.0, $1.1, at: name)) }
        default: old == new ? [] : [name]
        }
    }
}
