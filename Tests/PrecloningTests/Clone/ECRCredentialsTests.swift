import Foundation
import Model
import NIOHTTP1
import Precloning
import Remotes
import TestSupport
import Testing

/// Logins that AWS gives for its registries.
@Suite("Logins of ECR")
struct ECRCredentialsTests {
    private let clock = ManualClock()

    private func client(_ transport: ScriptedTransport, _ service: String, region: String) -> AWSClient {
        AWSClient(
            endpoint: AWSClient.Endpoint(service: service, signingName: service, url: "http://127.0.0.1:1"),
            region: region,
            transport: transport,
            credentials: { _ in AWSCredentials(accessKeyID: "AKID", secretAccessKey: "secret", provider: "test") },
            timeline: Timeline(
                elapsed: { clock.elapsed },
                sleep: { clock.advance(by: $0) },
                now: { clock.now },
                random: { 0.5 }
            )
        )
    }

    private func token(_ password: String) -> String { Data("AWS:\(password)".utf8).base64EncodedString() }

    private func answer(_ password: String) -> ScriptedTransport.Step {
        let end = clock.now.addingTimeInterval(12 * 3600).timeIntervalSince1970
        return .answer(
            200,
            [],
            #"{"authorizationData":[{"authorizationToken":"\#(token(password))","expiresAt":\#(end)}]}"#
        )
    }

    @Test("a registry of another Region is opened by that Region's token, and each token is asked for once")
    func regions() async throws {
        let transport = ScriptedTransport(["one", "two", "three"].map(answer))
        let home = HomeRegistry(
            account: "111122223333",
            region: "us-east-1",
            suffix: "dkr.ecr.us-east-1.amazonaws.com"
        )
        let source = ECRCredentials(
            client: { ECRClient(client: client(transport, "ecr", region: $0)) },
            home: { home },
            now: { clock.now }
        )
        func password(_ registry: String) async throws -> String {
            guard case .basic("AWS", let password) = try await source.credential(for: registry) else { return "" }
            return password
        }
        let other = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
        let far = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
        #expect(try await password(home.registry) == "one")
        #expect(try await password(other) == "one", "one token opens the registries of all accounts")
        #expect(try await password(far) == "two")
        #expect(try await password(far) == "two")
        await source.invalidate(.basic(user: "AWS", password: "two"), for: far)
        #expect(try await password(home.registry) == "one")
        #expect(try await password(far) == "three")
        let scopes = transport.sent.compactMap { $0.headers.first(name: "authorization") }
        #expect(zip(scopes, ["us-east-1", "eu-west-1", "eu-west-1"]).allSatisfy { $0.contains("/\($1)/ecr/") })
        #expect(scopes.count == 3)
    }

    @Test("ECR Public's login is asked for in its Region, and one that is none is told")
    func ecrPublic() async throws {
        let end = clock.now.addingTimeInterval(3600).timeIntervalSince1970
        let login = #"{"authorizationData":{"authorizationToken":"\#(token("open"))","expiresAt":\#(end)}}"#
        let transport = ScriptedTransport([.answer(200, [], login), .answer(200, [], #"{"authorizationData":{}}"#)])
        let source = ECRPublicClient(
            client: client(transport, "ecr-public", region: ECRPublicClient.region)
        )
        let found = try await source.credential()
        #expect(found.credential == .basic(user: "AWS", password: "open"))
        #expect(found.expires?.timeIntervalSince1970 == end)
        #expect(
            transport.sent.first?.headers.first(name: "x-amz-target")
                == "SpencerFrontendService.GetAuthorizationToken"
        )
        await #expect(throws: AWSError.self) { try await source.credential() }
    }
}
