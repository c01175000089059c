import Definitions
import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// The eight tools beside those of the tool that preclone replaces: the same calls, each in a world of its own that begins alike.
@Suite("The predecessor's tools, theirs and ours")
struct PredecessorTests {
    /// Fields whose values differ, with the reason; `*` stands for every tool. All others are the same.
    private static let reviewed: [String: String] = [
        "* message": "our own words", "* error": "our own words", "* usage_hint": "our own words",
        "* remediation": "our own words", "* instruction": "our own words",
        "* created_at": "to the second", "* updated_at": "to the second", "* pushed_at": "to the second",
        "* next_token": "ours also says a place within a page", "* nextToken": "the same",
        "CreateContainerRegistryMap json_output": "keys sorted",
        "CheckContainerAvailability healthomics_accessible": "ours reads the policy also where the image is missing",
        "CheckContainerAvailability available": "theirs brings nothing by a rule that HealthOmics cannot use by itself",
        "CheckContainerAvailability image": "the same", "CheckContainerAvailability pull_through_initiated": "the same",
        "CheckContainerAvailability pull_through_initiation_message": "the same",
        "CheckContainerAvailability repository_exists": "not known where the question was refused",
        "CheckContainerAvailability is_pull_through_cache": "not known where the question was refused",
        "ListECRRepositories ": "a bad argument is a bare text of theirs",
        "CreatePullThroughCacheForHealthOmics success": "theirs does not ask ECR whether the secret works",
        "CreatePullThroughCacheForHealthOmics healthomics_usable": "the same",
        "ValidateHealthOmicsECRConfig repositories_checked": "theirs is always 0",
        "CloneContainerToECR source_digest": "theirs knows it for copies alone",
        "CloneContainerToECR source_image": "theirs is missing where the question was refused",
        "CloneContainerToECR ecr_uri": "ours is where a run looks for it, by its tag, also before it is there",
        "CloneContainerToECR used_pull_through_cache": "ours: whether it was used now, and nothing had to be brought",
        "CloneContainerToECR pull_through_cache_prefix": "the same",
    ]

    private static var predecessor: String {
        BuiltProgram.project.appending(path: ".venv/clients/predecessor/bin/awslabs.aws-healthomics-mcp-server").path
    }

    private static let isThere = FileManager.default.isExecutableFile(atPath: predecessor) && AgentHost.isThere

    @Test("every argument of the eight is given in some call")
    func complete() throws {
        let calls = Self.first("d", "p") + Self.second("t")
        for tool in ToolCatalogue.all where tool.isPredecessors {
            let given = Set(calls.filter { $0.tool == tool.name }.flatMap { $0.arguments.keys })
            #expect(given.subtracting(["nothing"]) == Set(tool.parameters.map(\.name)).subtracting(["wait_seconds"]))
        }
    }

    @Test(
        "every field of the predecessor's answers is there, and the same or reviewed",
        .enabled(if: isThere, "needs .venv/clients")
    )
    func differential() async throws {
        let theirs = try await answers { AgentHost(.auto, command: [Self.predecessor], $0) }
        let ours = try await answers { AgentHost(.auto, $0, "--alone") }
        try #require(theirs.count == ours.count)
        var used: Set<String> = []
        for ((call, old), (_, new)) in zip(theirs, ours) {
            for field in Self.differences(old.value, new.value, at: "") {
                let reason = ["* \(field)", "\(call.tool) \(field)"].first { Self.reviewed[$0] != nil }
                if let reason { used.insert(reason) }
                #expect(
                    reason != nil,
                    "\(call.tool) \(call.arguments): \(field): \(old.value.line) or \(new.value.line)"
                )
            }
            // Theirs is an answer as any other where it failed.
            if old.isError { #expect(new.isError, "\(call.tool) \(call.arguments): \(new.value.line)") }
            if old.value["success"] == .bool(false) || old.value["error"] != nil {
                #expect(new.isError, "\(call.tool) \(call.arguments): \(new.value.line)")
            }
            #expect(new.structured == .object(["result": new.value]))
        }
        // What does not differ any more is struck off.
        #expect(Set(Self.reviewed.keys).subtracting(used).sorted() == [])
    }

    /// The calls and what came of them, in a new world.
    private func answers(
        by host: @Sendable (RunningSandbox) -> AgentHost
    ) async throws -> [(AgentHost.Call, AgentHost.Result)] {
        nonisolated(unsafe) var all: [(AgentHost.Call, AgentHost.Result)] = []
        try await RunningSandbox.with { world in
            for name in ["tool", "other", "fresh", "more", "third"] { try world.put("quay.io/org/\(name):1.0") }
            try world.addRule()
            try Self.writeProfile(world)
            try await world.withDaemon { _ in
                for image in ["quay.io/org/tool:1.0", "quay.io/org/other:1.0"] {
                    #expect(try await world.run("clone", image).code == 0)
                }
                let digest = try #require(world.sandbox.privateTags("quay/org/tool")?["1.0"])
                let calls = Self.first(digest, world.sandbox.addresses.ecrName)
                let first = try await host(world).call(calls).results
                all = Array(zip(calls, first))
                // The next page, by the token of its own.
                let page = zip(calls, first).first { $0.0.tool == "ListECRRepositories" && $0.0.arguments.count == 1 }
                let more = Self.second(page?.1.value["next_token"]?.string ?? "")
                all += zip(more, try await host(world).call(more).results)
            }
        }
        return all
    }

    /// A profile with the keys of the environment.
    private static func writeProfile(_ world: RunningSandbox) throws {
        let environment = world.sandbox.addresses.environment
        let folder = world.folder.appending(path: ".aws")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("[profile other]\nregion = us-east-1\n".utf8).write(to: folder.appending(path: "config"))
        let keys = """
            [other]
            aws_access_key_id = \(environment["AWS_ACCESS_KEY_ID"] ?? "")
            aws_secret_access_key = \(environment["AWS_SECRET_ACCESS_KEY"] ?? "")

            """
        try Data(keys.utf8).write(to: folder.appending(path: "credentials"))
    }

    private static func call(_ tool: String, _ arguments: [String: ParameterValue] = [:]) -> AgentHost.Call {
        .init(tool: tool, arguments: arguments)
    }

    private static let elsewhere: [String: ParameterValue] = [
        "aws_profile": .string("other"), "aws_region": .string("us-east-1"),
    ]

    /// - Parameters:
    ///   - digest: of quay/org/tool:1.0.
    ///   - registry: the account's.
    private static func first(_ digest: String, _ registry: String) -> [AgentHost.Call] {
        let name = ParameterValue.string("quay/org/tool")
        func image(_ text: String) -> ParameterValue { .string("quay.io/org/\(text)") }
        let mapping: ParameterValue = .object([
            "upstreamRegistryUrl": .string("ghcr.io"), "ecrRepositoryPrefix": .string("ghcr"),
        ])
        let pinned: ParameterValue = .object([
            "sourceImage": .string("a"), "destinationImage": .string("\(registry)/quay/org/tool:1.0"),
        ])
        return [
            // What is there.
            call("CheckContainerAvailability", ["repository_name": name, "image_tag": .string("1.0")]),
            call("CheckContainerAvailability", ["repository_name": name]),
            call("CheckContainerAvailability", ["repository_name": name, "image_digest": .string(digest)]),
            call("CheckContainerAvailability", ["repository_name": name, "image_digest": .string("md5:1")]),
            call("CheckContainerAvailability", ["repository_name": .string("no/such")]),
            call(
                "CheckContainerAvailability",
                ["repository_name": name, "image_tag": .string("1.0")].merging(elsewhere) { $1 }
            ),
            call(
                "CheckContainerAvailability",
                ["repository_name": name, "image_tag": .string("1.0"), "initiate_pull_through": .bool(true)]
            ),
            call("ListECRRepositories"), call("ListECRRepositories", ["max_results": .number("1")]),
            call("ListECRRepositories", ["max_results": .number("0")]),
            call("ListECRRepositories", ["filter_healthomics_accessible": .bool(true)]),
            call("ListECRRepositories", elsewhere),
            call("ListPullThroughCacheRules"), call("ListPullThroughCacheRules", ["max_results": .number("1")]),
            call("ListPullThroughCacheRules", elsewhere),
            call("ValidateHealthOmicsECRConfig"), call("ValidateHealthOmicsECRConfig", elsewhere),
            call("CreateContainerRegistryMap"),
            call("CreateContainerRegistryMap", ["ecr_account_id": .string("123456789012")]),
            call("CreateContainerRegistryMap", ["ecr_region": .string("us-east-1"), "output_format": .string("json")]),
            call(
                "CreateContainerRegistryMap",
                ["include_pull_through_caches": .bool(false), "image_mappings": .array([pinned])]
            ),
            call("CreateContainerRegistryMap", ["additional_registry_mappings": .array([mapping])]),
            call("CreateContainerRegistryMap", elsewhere),
            // Changes.
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": name]),
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": .string("no/such")]),
            call("GrantHealthOmicsRepositoryAccess", ["repository_name": name].merging(elsewhere) { $1 }),
            call("CreatePullThroughCacheForHealthOmics", ["upstream_registry": .string("ecr-public")]),
            call("CreatePullThroughCacheForHealthOmics", ["upstream_registry": .string("docker-hub")]),
            call("CreatePullThroughCacheForHealthOmics", ["upstream_registry": .string("nowhere")]),
            call(
                "CreatePullThroughCacheForHealthOmics",
                [
                    "upstream_registry": .string("docker-hub"), "ecr_repository_prefix": .string("hub"),
                    "credential_arn": .string(
                        "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/hub-AbCdEf"
                    ),
                ].merging(elsewhere) { $1 }
            ),
            call("CloneContainerToECR", ["source_image": image("tool:1.0")]),
            call("CloneContainerToECR", ["source_image": image("fresh:1.0")]),
            call("CloneContainerToECR", ["source_image": image("more:1.0")].merging(elsewhere) { $1 }),
            call(
                "CloneContainerToECR",
                [
                    "source_image": image("other:1.0"), "target_repository_name": .string("quay/org/other"),
                    "target_image_tag": .string("1.0"),
                ]
            ),
            call("CloneContainerToECR", ["source_image": .string(" ")]),
            call("CloneContainerToECR", ["source_image": image("missing:1")]),
            call(
                "CheckContainerAvailability",
                [
                    "repository_name": .string("quay/org/third"), "image_tag": .string("1.0"),
                    "initiate_pull_through": .bool(true),
                ]
            ),
        ]
    }

    /// - Parameter token: of the first page of one repository.
    private static func second(_ token: String) -> [AgentHost.Call] {
        [
            call("ListECRRepositories", ["max_results": .number("1"), "next_token": .string(token)]),
            call("ListECRRepositories", ["next_token": .string("nonsense")]),
            call("ListPullThroughCacheRules", ["next_token": .string("nonsense")]),
        ]
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
