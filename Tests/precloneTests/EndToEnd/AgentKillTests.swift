import Definitions
import Foundation
import Precloning
import Sandbox
import Testing

/// Clients, `preclone mcp` and the daemon, killed in turn while images are asked for.
@Suite("preclone mcp, killed at any moment")
struct AgentKillTests {
    /// How often: PRECLONE_KILLS names another number.
    private static let count = ProcessInfo.processInfo.environment["PRECLONE_KILLS"].flatMap(Int.init) ?? 9

    @Test("no request is lost, and none is done twice")
    func kills() async throws {
        try await RunningSandbox.with { world in
            for number in 0..<Self.count { try world.put("quay.io/org/tool\(number):1", size: 64 << 10) }
            let script = BuiltProgram.project.appending(path: "Tests/Clients/agent_kills.py").path
            let python = BuiltProgram.project.appending(path: ".venv/bin/python")
            let said = try await RunningProgram(
                [script, "\(Self.count)", BuiltProgram.executable.path, world.config],
                program: python,
                environment: world.sandbox.addresses.environment.merging([
                    "HOME": world.folder.path, "NO_PROXY": "*", "PATH": "/usr/bin:/bin",
                ]) { $1 }
            ).end()
            try #require(said.code == 0, "\(said.standardError.telling) \(said.standardOutput)")
            let document = try ParameterValue(json: Array(said.standardOutput.utf8))
            let killed = (document["killed"]?.object ?? [:]).values.compactMap(\.integer).reduce(0, +)
            #expect(killed == Self.count)
            // What nobody asked for again, and was not answered when its asker died, the next daemon finds in the record.
            try await world.withDaemon { _ in
                let socket = ControlSocket.path(record: world.record)
                try await world.until("the daemon") { (try? UnixSocket(path: socket)) != nil }
                try await world.until("every answer", within: .seconds(120)) {
                    try world.rows("SELECT 1 FROM request WHERE state <> 'done'").isEmpty
                }
            }
            let rows = try world.rows("SELECT image, result FROM request")
            let asked = Set(rows.compactMap { $0["image"] })
            // Half of all were asked for until they were there.
            #expect(asked.count >= Self.count / 2)
            for row in rows {
                let result = try ParameterValue(json: Array((row["result"] ?? "").utf8))
                #expect(result["success"] == .bool(true), "\(row)")
            }
            let pushes = world.sandbox.requests.entries.filter {
                $0.call.operation == "PutManifest" && $0.call.registry == "ecr" && $0.status < 400
            }
            let times = Dictionary(pushes.map { ($0.call.repository ?? "", 1) }, uniquingKeysWith: +)
            #expect(times.values.allSatisfy { $0 == 1 }, "done twice: \(times.filter { $0.value > 1 })")
            #expect(times.count == asked.count)
            let changes = try world.rows("SELECT destination FROM audit WHERE action = 'imagePushed'")
            #expect(Set(changes.map { $0["destination"] }).count == changes.count)
        }
    }
}
