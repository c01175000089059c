import Foundation
import Precloning
import Sandbox
import Testing

/// Bad input at every door: a message that names what, where and the mend, the code of the design, and nothing lost.
@Suite("Bad input, end to end")
struct BadInputTests {
    @Test(
        "a bad configuration ends every command with 2, and names the file and the key",
        arguments: [
            (#"{ "version": 1, "clone": { "concurency": 4 } }"#, ["clone.concurency"]),
            (#"{ "version": 1, "clone": { "concurrency": "four" } }"#, ["clone.concurrency"]),
            (#"{ "version": 1, "watch": { "pollInterval": "soon" } }"#, ["watch.pollInterval"]),
            (#"{ "version": 2 }"#, ["version"]),
            ("{ \"version\": 1,\n  \"log\": }", ["line 2, column 10"]),
            ("version: 1", ["line 1, column 1"]),
            ("", ["line 1"]),
            (
                #"{ "version": 1, "registries": { "quay.io": { "endpoint": "http://example.com" } } }"#,
                ["registries", "quay.io"]
            ),
            (#"{ "version": 1, "version": 1 }"#, ["version", "already stands"]),
        ]
    )
    func configuration(text: String, named: [String]) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        for command in [["run"], ["plan"], ["clone", "quay.io/org/tool:1"]] {
            let answer = try await RunningProgram(command + ["--config", file.path]).end()
            #expect(answer.code == 2, "\(command): \(answer.standardError)")
            #expect(answer.standardOutput == "")
            #expect(answer.standardError.hasPrefix("error: \(file.path)"), "\(answer.standardError)")
            for name in named { #expect(answer.standardError.contains(name), "\(answer.standardError)") }
        }
    }

    @Test("a name that no image has is refused with its reason, and the others are cloned")
    func name() async throws {
        let names = [
            ("https://quay.io/org/tool:1", "https"), ("oras://quay.io/org/tool:1", "oras"),
            ("quay.io/org/Tool:1", "lower case"), ("quay.io/org/tool:", "tag"), ("quay.io/org/${name}:1", "$"),
            ("", "empty"),
        ]
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/good:1")
            let answer = try await world.start(["clone"] + names.map(\.0) + ["quay.io/org/good:1"]).end()
            #expect(answer.code == 4, "\(answer.standardError)")
            let lines = answer.standardOutput.split(separator: "\n")
            #expect(lines.count == names.count + 1)
            for ((text, reason), line) in zip(names, lines) {
                #expect(line.hasPrefix("blocked  \(text)"), "\(line)")
                #expect(line.lowercased().contains(reason), "\(line)")
            }
            #expect(lines.last?.hasPrefix("ready ") == true)
        }
    }

    @Test("a record that cannot be read stops every command with what, where and the mend, and stays as it is")
    func record() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            #expect(try await world.run("clone", "quay.io/org/tool:1").code == 0)
            let file = URL(filePath: world.record)
            try world.change("PRAGMA wal_checkpoint(TRUNCATE)")
            let good = try Data(contentsOf: file)
            var newer = good
            newer[63] = 99
            var damaged = good
            damaged.replaceSubrange(1024..<good.count, with: Data(repeating: 0x5A, count: good.count - 1024))
            let cases: [(Data, String, String)] = [
                (newer, "newer preclone (record version 99", "install"),
                (Data("this is no database, but somebody's notes".utf8), "not a database", "move it away"),
                (damaged, "malformed", "move it away"),
            ]
            for (bytes, what, mend) in cases {
                for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: world.record + suffix) }
                try bytes.write(to: file)
                for command in [
                    ["run"], ["run", "--once"], ["clone", "quay.io/org/tool:1"], ["status"],
                    ["history", "quay.io/org/tool:1"],
                    ["audit"], ["retry", "--all"],
                ] {
                    let answer = try await world.start(command).end()
                    #expect(answer.code == 1, "\(command) \(what): \(answer.standardOutput)\(answer.standardError)")
                    #expect(answer.standardError.contains(world.record), "\(command): \(answer.standardError)")
                    #expect(answer.standardError.contains(what), "\(command): \(answer.standardError)")
                    #expect(answer.standardError.contains(mend), "\(command): \(answer.standardError)")
                }
                #expect(try Data(contentsOf: file) == bytes, "\(what)")
            }
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: world.record + suffix) }
            try good.write(to: file)
            #expect(try world.states() == ["quay.io/org/tool:1": "ready"])
        }
    }

    /// Each answer comes spoilt once; nothing that was asked for may be lost by it.
    @Test("an answer that is broken or cut short delays what was asked for, and loses nothing")
    func answers() async throws {
        let spoilt = [
            ("omics", "ListRuns"), ("omics", "GetRun"), ("omics", "ListWorkflows"), ("omics", "GetWorkflow"),
            ("storage", "GetObject"), ("sts", "GetCallerIdentity"), ("ecr", "GetAuthorizationToken"),
            ("ecr", "DescribeImages"), ("ecr", "BatchGetImage"), ("ecr", "BatchCheckLayerAvailability"),
            ("ecr", "CreateRepository"), ("ecr", "GetRepositoryPolicy"), ("ecr", "SetRepositoryPolicy"),
            ("registry", "Token"), ("registry", "GetManifest"), ("registry", "GetBlob"),
        ]
        try await RunningSandbox.with { world in
            let image = try world.put("quay.io/org/tool:1", size: 300_000)
            for (service, operation) in spoilt {
                world.sandbox.add(Fault(.cut, service: service, operation: operation, times: 1, bytes: 10))
                // What a presigned address gives is nowhere named by a digest.
                guard service != "storage" else { continue }
                world.sandbox.add(Fault(.corrupt, service: service, operation: operation, times: 1, after: 1))
            }
            let run = try world.startRun("one", of: ["quay.io/org/tool:1"])
            try await world.withDaemon { _ in
                try await world.until(["quay.io/org/tool:1": "ready"], within: .seconds(180))
                try await world.until("the run", within: .seconds(90)) {
                    try await world.status("--run", run).code == 0
                }
            }
            #expect(world.sandbox.isWhole("quay/org/tool", "1"))
            #expect(world.sandbox.privateTags("quay/org/tool") == ["1": image.root])
            #expect(try world.granted("quay/org/tool") == RunningSandbox.omicsActions)
        }
    }

    @Test("a manifest that is none, and layers that are not what their digest says, never become ready")
    func manifests() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/manifest:1")
            try world.put("quay.io/org/layer:1")
            try world.put("quay.io/org/good:1")
            for (operation, repository) in [("GetManifest", "org/manifest"), ("GetBlob", "org/layer")] {
                world.sandbox.add(
                    Fault(.corrupt, operation: operation, registry: "quay.io", repository: repository)
                )
            }
            try world.startRun("all", of: ["quay.io/org/manifest:1", "quay.io/org/layer:1", "quay.io/org/good:1"])
            let answer = try await world.run("run", "--once")
            #expect(answer.code == 75, "\(answer.standardError.telling)")
            let states = try world.states()
            #expect(states["quay.io/org/good:1"] == "ready")
            for name in ["manifest", "layer"] {
                #expect(states["quay.io/org/\(name):1"] == "retrying")
                // What was made for it does not outlive the failure.
                #expect(world.sandbox.privateTags("quay/org/\(name)") == nil, "\(name)")
            }
            let reasons = try world.rows("SELECT reason, mend FROM images WHERE state = 'retrying'")
            #expect(reasons.allSatisfy { $0["reason"]?.contains("quay.io") == true }, "\(reasons)")
        }
    }
}
