import Foundation
import Remotes
import Synchronization
import TestSupport
import Testing

/// Instance metadata and container credentials over real sockets.
@Suite("Instance metadata and container credentials")
struct MetadataTests {
    private func chain(
        _ environment: [String: String],
        _ transport: LiveTransport,
        files: @escaping @Sendable (String) -> Data? = { _ in nil },
        clock: ManualClock = ManualClock()
    ) -> CredentialChain {
        CredentialChain(
            environment: environment,
            profiles: AWSProfiles(config: "", credentials: ""),
            profile: nil,
            readFile: files,
            transport: transport,
            timeline: AWSClientTests.timeline(clock)
        )
    }

    @Test("a role's credentials come by a session of version 2, and are fetched anew before they end")
    func role() async throws {
        try await MetadataServer.with { server, transport in
            let clock = ManualClock()
            let chain = chain(["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.address + "/"], transport, clock: clock)
            let found = try #require(try await chain.credentials())
            #expect(found.accessKeyID == "EC2" && found.sessionToken == "t")
            #expect(found.provider == "instance metadata")
            let path = "/latest/meta-data/iam/security-credentials/"
            #expect(server.log == ["PUT /latest/api/token", "GET \(path)", "GET \(path)preclone-role"])
            _ = try await chain.credentials()
            #expect(server.log.count == 3, "kept")
            // 20:00 is 5 h 46 min 40 s away; 15 min before, they are fetched again by a session of its own.
            clock.advance(by: .seconds(5 * 3600 + 2000))
            server.state.withLock { $0.expiration = "2026-09-22T02:00:00Z" }
            let fresh = try await chain.credentials()
            #expect(fresh?.expiration != found.expiration)
            #expect(server.log.count == 6)
        }
    }

    @Test("the Region is the instance's")
    func region() async throws {
        try await MetadataServer.with { server, transport in
            let environment = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.address]
            let metadata = try #require(InstanceMetadata(environment: environment, transport: transport))
            #expect(try await metadata.region() == "eu-central-1")
            server.state.withLock { $0.region = "<html>" }
            #expect(try await metadata.region() == nil, "not everything at that address is EC2")
        }
    }

    @Test("an instance without a role, and metadata one hop too far, are no credentials and no error")
    func none() async throws {
        try await MetadataServer.with { server, transport in
            let environment = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.address]
            server.state.withLock { $0.role = nil }
            #expect(try await chain(environment, transport).credentials() == nil)
            server.state.withLock { $0.isOutOfReach = true }
            #expect(try await chain(environment, transport).credentials() == nil)
            let metadata = try #require(InstanceMetadata(environment: environment, transport: transport))
            #expect(try await metadata.region() == nil)
        }
    }

    @Test("switched off, metadata is not asked")
    func disabled() async throws {
        try await MetadataServer.with { server, transport in
            let environment = [
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.address, "AWS_EC2_METADATA_DISABLED": "TRUE",
            ]
            let found = try await chain(environment, transport).credentials()
            #expect(found == nil && server.log.isEmpty)
        }
    }

    @Test("a container's token is read from its file at each refresh, and goes before the variable")
    func container() async throws {
        try await MetadataServer.with { server, transport in
            let clock = ManualClock()
            let environment = [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.address + "/creds/x",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/token",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "older",
                "AWS_EC2_METADATA_DISABLED": "true",
            ]
            let chain = chain(
                environment,
                transport,
                files: { path in
                    path == "/token" ? Data((server.state.withLock { $0.containerToken } + "\n").utf8) : nil
                },
                clock: clock
            )
            let found = try await chain.credentials()
            #expect(found?.accessKeyID == "CONTAINER" && found?.provider == "container")
            _ = try await chain.credentials()
            #expect(server.log == ["GET /creds/x"])
            server.state.withLock { $0.containerToken = "replaced" }
            clock.advance(by: .seconds(5 * 3600 + 2000))
            server.state.withLock { $0.expiration = "2026-09-22T02:00:00Z" }
            let fresh = try await chain.credentials()
            #expect(fresh?.expiration == Date(timeIntervalSince1970: 1_790_042_400))
        }
    }

    @Test("a container endpoint that fails is asked three times, a second apart; a refusal once")
    func failingContainer() async throws {
        try await MetadataServer.with { server, transport in
            let clock = ManualClock()
            var environment = [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.address + "/creds",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token",
            ]
            server.state.withLock { $0.failures = 2 }
            let found = try await chain(environment, transport, clock: clock).credentials()
            #expect(found?.accessKeyID == "CONTAINER")
            #expect(server.log.count == 3 && clock.elapsed == .seconds(2))
            environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "wrong"
            let refused = chain(environment, transport)
            await #expect(throws: AWSError.self) { try await refused.credentials() }
            #expect(server.log.count == 4)
            environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "a\r\nX-Evil: 1"
            let split = chain(environment, transport)
            await #expect(throws: AWSError.self) { try await split.credentials() }
            #expect(server.log.count == 4, "a line break in a header is never sent")
        }
    }
}
