import Foundation
import Precloning
import Sandbox
import Testing

/// Generated sessions, good and bad, against the protocol's own schemas. These are no part of this project: PRECLONE_MCP_SCHEMAS
/// names a folder with the schema of each revision (2024-11-05.json ...), PRECLONE_MCP_SESSIONS how many sessions (100).
@Suite("The Model Context Protocol's schemas")
struct AgentSchemaTests {
    private static let folder = ProcessInfo.processInfo.environment["PRECLONE_MCP_SCHEMAS"]
    private static let count = ProcessInfo.processInfo.environment["PRECLONE_MCP_SESSIONS"] ?? "100"

    @Test(
        "every line that is said is valid, on standard output and on the socket",
        .enabled(if: folder != nil, "needs the schemas: PRECLONE_MCP_SCHEMAS"),
        arguments: [false, true]
    )
    func sessions(overSocket: Bool) async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try world.addRule()
            try world.startRun("r", of: ["quay.io/org/tool:1.0"])
            try await world.withDaemon { daemon in
                let socket = ControlSocket.path(record: world.record)
                try await world.until("the daemon") { FileManager.default.fileExists(atPath: socket) }
                try await world.until(["quay.io/org/tool:1.0": "ready"])
                let script = BuiltProgram.project.appending(path: "Tests/Clients/agent_schema.py").path
                let command =
                    overSocket
                    ? ["unix:" + socket] : [BuiltProgram.executable.path, "mcp", "--config", world.config]
                let said = try await RunningProgram(
                    [script, Self.folder ?? "", Self.count] + command,
                    program: BuiltProgram.project.appending(path: ".venv/bin/python"),
                    environment: world.sandbox.addresses.environment.merging([
                        "HOME": world.folder.path, "NO_PROXY": "*", "PATH": "/usr/bin:/bin",
                    ]) { $1 }
                ).end()
                #expect(said.code == 0, "\(said.standardOutput.suffix(6000))\(said.standardError.telling)")
                #expect(said.standardOutput.contains("all valid"))
                #expect(daemon.isRunning)
            }
        }
    }
}
