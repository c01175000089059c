/// A small AWS on loopback: HealthOmics, ECR with its registry, STS, SQS, Secrets Manager, IAM's simulator, presigned
/// storage, and the public registries images come from.
///
/// Everything is in memory and ends with the sandbox. What aws-facts say of the real services holds here: order, paging,
/// limits, error codes, timing of pull-through layers.
package struct Sandbox: Sendable {
    /// Where it listens.
    package let addresses: SandboxAddresses
    let world: World

    /// Starts a sandbox, runs `body` with it, and stops it.
    ///
    /// - Throws: what `body` throws, or the error that kept a listener from listening.
    package static func withSandbox<Result: Sendable>(
        _ configuration: SandboxConfiguration = SandboxConfiguration(),
        _ body: @Sendable (Sandbox) async throws -> Result
    ) async throws -> Result {
        let world = World(configuration: configuration)
        let (ports, continuation) = AsyncStream.makeStream(of: (name: String, port: Int).self)
        let listeners = Self.listeners(world) { name, port in continuation.yield((name, port)) }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in listeners {
                group.addTask {
                    do {
                        try await listener.run()
                    } catch {
                        // Whoever waits for the ports must not wait for ever.
                        continuation.finish()
                        throw error
                    }
                }
            }
            defer { group.cancelAll() }
            var bound: [String: Int] = [:]
            for await (name, port) in ports {
                bound[name] = port
                if bound.count == listeners.count { break }
            }
            guard bound.count == listeners.count else {
                try await group.next()
                throw SandboxStartError()
            }
            let addresses = world.with { state in
                state.addresses.aws = Self.address(bound["aws"])
                state.addresses.ecr = Self.address(bound["ecr"])
                state.addresses.storage = Self.address(bound["storage"])
                for host in state.upstreams.keys { state.addresses.registries[host] = Self.address(bound[host]) }
                return state.addresses
            }
            return try await body(Sandbox(addresses: addresses, world: world))
        }
    }

    private static func address(_ port: Int?) -> String { "http://127.0.0.1:\(port ?? 0)" }

    private static func listeners(
        _ world: World,
        _ onListening: @escaping @Sendable (String, Int) -> Void
    ) -> [Listener] {
        let fixed: [(String, Int, @Sendable (Incoming) async throws -> Reply)] = [
            ("aws", world.configuration.port, { try await AWSFront(world: world).respond(to: $0) }),
            ("ecr", 0, { try await ECRRegistry(world: world).respond(to: $0) }),
            ("storage", 0, { try await PresignedStorage(world: world).respond(to: $0) }),
        ]
        let upstreams = world.configuration.upstreams.keys.sorted().map { host in
            let answer: @Sendable (Incoming) async throws -> Reply = {
                try await UpstreamRegistry(world: world, host: host).respond(to: $0)
            }
            return (host, 0, answer)
        }
        return (fixed + upstreams).map { name, port, answer in
            Listener(port: port, answer: answer) { onListening(name, $0) }
        }
    }
}

/// A listener stopped before it listened.
struct SandboxStartError: Error, CustomStringConvertible {
    var description: String { "the sandbox could not listen on 127.0.0.1" }
}
