import Foundation
import Precloning
import Sandbox
import Testing

/// Rules as their writer sees them work: before a byte is moved, for each caller, and told by name.
@Suite("Policy, end to end")
struct PolicyTests {
    private static let rules: SandboxJSON = [
        "policy": [
            "rules": [
                ["name": "no-latest", "action": "deny", "reason": "pin a version", "match": ["tag": "latest"]],
                ["name": "too-large", "action": "deny", "reason": "over 50 kB", "facts": ["maxSize": "50kB"]],
            ]
        ]
    ]

    private func row(_ source: String, _ world: RunningSandbox) throws -> [String: String] {
        try #require(try world.rows("SELECT * FROM images WHERE source = '\(source)'").first, "\(source)")
    }

    @Test("what a rule denies is blocked by name, before its repository, its first blob and the cache's first pull")
    func denied() async throws {
        guard case .object(let rules) = Self.rules else { return }
        try await RunningSandbox.with(keys: rules) { world in
            try world.addRule()
            let small = ["quay.io/org/small:1", "ghcr.io/org/small:1"]
            let large = ["quay.io/org/large:1", "ghcr.io/org/large:1"]
            let moving = "ghcr.io/org/tool:latest"
            for image in small { try world.put(image) }
            for image in large { try world.put(image, size: 70_000) }
            try world.put(moving)
            let run = try world.startRun("all", of: small + large + [moving])
            let answer = try await world.run("run", "--once")
            #expect(answer.code == 4, "\(answer.standardError.telling)")
            #expect(try world.states().filter { $0.value == "ready" }.keys.sorted() == small.sorted())
            for image in large {
                let row = try row(image, world)
                #expect(row["state"] == "blocked")
                #expect(row["rule"] == "too-large")
                #expect(row["reason"]?.contains("over 50 kB") == true, "\(row)")
                #expect(row["mend"]?.isEmpty == false)
            }
            let moved = try row(moving, world)
            #expect(moved["state"] == "blocked")
            #expect(moved["rule"] == "no-latest")
            #expect(world.sandbox.privateRepositories == ["ghcr/org/small", "quay/org/small"])
            let asked = world.sandbox.requests.entries.map(\.call)
            #expect(!asked.contains { $0.registry == "ecr" && $0.repository?.hasSuffix("/large") == true })
            #expect(!asked.contains { $0.registry == "ghcr.io" && $0.repository == "org/tool" })
            // Named in the audit, in the log and in status.
            let decided = try world.rows("SELECT source, rule, after FROM audit WHERE action = 'decided'")
            for image in large {
                #expect(
                    decided.contains { $0["source"] == image && $0["rule"] == "too-large" && $0["after"] == "deny" }
                )
            }
            #expect(answer.standardError.contains("policy.rule=too-large"))
            let status = try await world.run("status", "--run", run)
            #expect(status.code == 4)
            #expect(status.standardOutput.contains("pin a version"), "\(status.standardOutput)")
            #expect(status.standardOutput.contains("over 50 kB"))
        }
    }

    @Test("a registry on a private address is denied unless a rule allows it by name")
    func privateRegistries() async throws {
        try await RunningSandbox.with { world in
            let address = try #require(world.sandbox.addresses.registries["ghcr.io"]?.replacing("http://", with: ""))
            try world.put("ghcr.io/org/tool:1")
            let image = "\(address)/org/tool:1"
            var recipe = RunningSandbox.wdl("private", [image, "169.254.169.254/latest/meta-data:1"])
            recipe.registryMap = [
                "registryMappings": [
                    ["upstreamRegistryUrl": .string(address), "ecrRepositoryPrefix": "lab"],
                    ["upstreamRegistryUrl": "169.254.169.254", "ecrRepositoryPrefix": "meta"],
                ]
            ]
            try world.sandbox.startRun(workflow: world.sandbox.addWorkflow(recipe), name: "private")
            #expect(try await world.run("run", "--once").code == 4)
            for source in [image, "169.254.169.254/latest/meta-data:1"] {
                let row = try row(source, world)
                #expect(row["state"] == "blocked")
                #expect(row["rule"] == "private registries", "\(row)")
                #expect(row["mend"]?.contains("allow") == true, "\(row)")
            }
            #expect(!world.sandbox.requests.entries.contains { $0.call.registry == "ghcr.io" })

            try world.configure([
                "registries": [address: ["insecure": true]], "network": ["trustedHosts": [.string(address)]],
                "policy": [
                    "rules": [["name": "lab", "action": "allow", "match": ["registry": .string(address)]]]
                ],
            ])
            _ = try await world.run("retry", "--all")
            #expect(try await world.run("run", "--once").code == 4)
            let allowed = try row(image, world)
            #expect(allowed["state"] == "ready", "\(allowed)")
            #expect(allowed["rule"] == "lab")
            #expect(try row("169.254.169.254/latest/meta-data:1", world)["state"] == "blocked")
        }
    }

    @Test("a rate holds for each rule and caller")
    func rate() async throws {
        let keys: [String: SandboxJSON] = [
            "policy": [
                "rules": [
                    [
                        "name": "slowly", "action": "allow", "match": ["registry": "ghcr.io"],
                        "rate": ["max": 2, "window": "1h"],
                    ]
                ]
            ]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            let images = (0..<5).map { "ghcr.io/org/tool\($0):1" } + ["quay.io/org/other:1"]
            for image in images { try world.put(image) }
            try world.startRun("all", of: Array(images[..<3]) + ["quay.io/org/other:1"])
            #expect(try await world.run("run", "--once").code == 75)
            let states = try world.states()
            #expect(states.values.filter { $0 == "ready" }.count == 3)
            let waiting = try #require(states.first { $0.value == "retrying" }?.key)
            #expect(try row(waiting, world)["reason"]?.contains("slowly") == true)
            // Another caller has a window of its own.
            for (image, code) in [(images[3], 0), (images[4], 0), (waiting, 75)] {
                let answer = try await world.run("clone", image)
                #expect(answer.code == Int32(code), "\(image): \(answer.standardError.suffix(1000))")
            }
        }
    }

    @Test("a person's rate that is used up holds the person, and not the run that needs the same image")
    func ratesOfOthers() async throws {
        let rule: SandboxJSON = [
            "name": "slowly", "action": "allow", "match": ["registry": "ghcr.io"], "rate": ["max": 2, "window": "1h"],
        ]
        try await RunningSandbox.with(keys: ["policy": ["rules": [rule]]]) { world in
            let images = (0..<3).map { "ghcr.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            #expect(try await world.run("clone", images[0]).code == 0)
            #expect(try await world.run("clone", images[1]).code == 0)
            #expect(try await world.run("clone", images[2]).code == 75)
            try world.startRun("run", of: [images[2]])
            let once = try await world.run("run", "--once")
            #expect(once.code == 0, "\(once.standardError.telling)")
            #expect(try row(images[2], world)["state"] == "ready")
        }
    }
}
