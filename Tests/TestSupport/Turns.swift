import Remotes
package import Sandbox

/// So many sandboxes at a time: all tests at once would have more files and sockets open than the process may have.
private let turns = NamedSlots(20)

/// Runs a sandbox for a test when it is its turn.
package func withSandbox<Value: Sendable>(
    _ configuration: SandboxConfiguration = SandboxConfiguration(),
    _ body: @Sendable (Sandbox) async throws -> Value
) async throws -> Value {
    try await turns.with(["sandbox"]) { try await Sandbox.withSandbox(configuration, body) }
}
