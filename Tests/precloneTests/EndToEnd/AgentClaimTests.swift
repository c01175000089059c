import Definitions
import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// Ways to claim to be somebody else, each by a real connection or process of a user who is nobody.
@Suite("Claims to be somebody else")
struct AgentClaimTests {
    private static let setpriv = URL(filePath: "/usr/bin/setpriv")

    private static let canBeAnother =
        getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
        && FileManager.default.isReadableFile(atPath: BuiltProgram.executable.path)

    /// Runs a program as a user, in the group that may ask.
    private func run(_ identity: [String], _ arguments: [String], _ world: RunningSandbox) async throws
        -> BuiltProgram.Answer
    {
        try await RunningProgram(
            identity + ["--regid=0", "--clear-groups"] + arguments,
            program: Self.setpriv,
            environment: world.sandbox.addresses.environment.merging(["NO_PROXY": "*"]) { $1 }
        ).end()
    }

    @Test(
        "none of a hundred succeeds: who asked is the kernel's word, in answers, record and audit",
        .enabled(if: canBeAnother, "needs root, to be another user")
    )
    func claims() async throws {
        let keys: [String: SandboxJSON] = [
            "policy": [
                "agents": [["name": "nightly", "users": ["root"], "tools": ["*"]]],
                "rules": [
                    [
                        "name": "nobody", "action": "deny",
                        "match": ["caller": "user nobody", "tool": "RetryImages"],
                    ]
                ],
            ]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            try world.put("quay.io/org/tool:1.0")
            try FileManager.default.createDirectory(
                at: URL(filePath: world.record).deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o2750]
            )
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: world.folder.path)
            try await world.withDaemon { _ in
                let socket = ControlSocket.path(record: world.record)
                try await world.until("the daemon") { FileManager.default.fileExists(atPath: socket) }
                let script = BuiltProgram.project.appending(path: "Tests/Clients/agent_claims.py").path
                let python = BuiltProgram.project.appending(path: ".venv/bin/python").path
                let said = try await run(
                    ["--reuid=65534"],
                    [python, script, BuiltProgram.executable.path, world.config],
                    world
                )
                try #require(said.code == 0, "\(said.standardError.telling)")
                let claims = try #require(try ParameterValue(json: Array(said.standardOutput.utf8)).array)
                #expect(claims.count >= 100)
                for claim in claims {
                    let (way, came) = (claim.array?.first?.string ?? "", claim.array?.last?.string ?? "")
                    #expect(
                        came.hasPrefix("refused:") || came.trimmingCharacters(in: .newlines) == "user nobody",
                        "\(way): \(came)"
                    )
                }
                // Users with other numbers are those users: also one that is called as the daemon is, or has no name.
                for (number, name) in [("1", "user daemon"), ("23456", "user 23456")] {
                    let hello =
                        "import json,socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);"
                        + "s.sendall(b'{\"version\":1,\"verb\":\"hello\",\"agent\":\"nightly\"}\\n');"
                        + "print(json.loads(s.makefile().readline())['result']['caller'])"
                    for identity in [["--reuid=\(number)"], ["--ruid=0", "--euid=\(number)"]] {
                        let answer = try await run(identity, [python, "-c", hello, socket], world)
                        #expect(answer.standardOutput == name + "\n", "\(identity): \(answer.standardError.telling)")
                    }
                }
                let callers = try world.rows("SELECT DISTINCT caller FROM audit WHERE action <> 'configReloaded'")
                #expect(callers == [["caller": "user nobody"]])
                #expect(try world.rows("SELECT 1 FROM audit WHERE action = 'retried'").isEmpty)
                #expect(try world.rows("SELECT 1 FROM request WHERE userID <> 65534 OR agent IS NOT NULL").isEmpty)
                // What a client says of itself is in the audit, and nowhere else.
                let details = try world.rows("SELECT detail FROM audit WHERE detail LIKE '%calls itself%'")
                #expect(!details.isEmpty)
            }
        }
    }
}
