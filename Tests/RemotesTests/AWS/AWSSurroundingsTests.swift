import Crypto
import Foundation
import NIOHTTP1
import Remotes
import Synchronization
import TestSupport
import Testing

/// What the environment gives that ends up on the wire.
@Suite("AWS and its surroundings")
struct AWSSurroundingsTests {
    @Test(
        "nothing of the environment breaks a header, and the variable is named",
        arguments: [
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        ]
    )
    func headers(name: String) async {
        for evil in ["a\r\nX-Evil: 1", "a\nb", "a\u{0}b", "a\u{7f}"] {
            let keys = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"]
            var environment = name.hasPrefix("AWS_CONTAINER") ? [:] : keys
            environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/"
            environment[name] = evil
            let transport = ScriptedTransport([])
            let chain = AWSCredentialChainTests.chain(transport, environment: environment)
            let error = await #expect(throws: AWSError.self) { try await chain.credentials() }
            #expect(error?.message.contains("`\(name)`") == true)
            #expect(transport.sent.isEmpty)
        }
    }

    @Test(
        "an endpoint is signed for as it is sent, however it is spelt",
        arguments: [
            ("http://LocalHost:8080", "localhost:8080"), ("HTTPS://Api.Example.:443/", "api.example"),
            ("http://[FD00::1]:80", "[fd00::1]"),
        ]
    )
    func spelling(url: String, host: String) async throws {
        let transport = ScriptedTransport([.answer(200, [], "{}")])
        let client = AWSClient(
            endpoint: AWSClient.Endpoint(service: "omics", signingName: "omics", url: url),
            region: "us-east-1",
            transport: transport,
            credentials: { _ in AWSClientTests.keys },
            timeline: AWSClientTests.timeline(ManualClock(start: Date(timeIntervalSince1970: 1_790_000_000)))
        )
        _ = try await client.call("GetRun", method: "GET", path: "/run/1")
        let sent = try #require(transport.sent.first)
        #expect(WebAddress(sent.url)?.origin.authority == host)
        let expected = SigV4(region: "us-east-1", service: "omics").headers(
            for: SigV4.Request(
                method: "GET",
                path: "/run/1",
                headers: [(name: "Host", value: host)],
                bodyHash: SigV4.emptyBodyHash
            ),
            credentials: AWSClientTests.keys,
            at: Date(timeIntervalSince1970: 1_790_000_000)
        )
        #expect(sent.headers.first(name: "Authorization") == expected.last?.value)
    }

    @Test(
        "an endpoint that is none is refused with the name of what to correct",
        arguments: [
            ("AWS_ENDPOINT_URL", "ftp://x"), ("AWS_ENDPOINT_URL_ECR", "rub bish"),
            ("AWS_ENDPOINT_URL_OMICS", "http://u:p@h"),
            ("AWS_ENDPOINT_URL", "http://h/?x=1"), ("AWS_ENDPOINT_URL_SSO_OIDC", "http://a\r\nb"),
        ]
    )
    func endpoints(name: String, url: String) {
        #expect {
            try AWSSettings(region: "us-east-1", environment: [name: url]).validate()
        } throws: { ($0 as? TransportError)?.host == name }
        #expect(throws: TransportError.self) { try AWSSettings(region: "us-east-1\r\nX: y").validate() }
        #expect(throws: Never.self) {
            try AWSSettings(region: "us-east-1", environment: ["AWS_ENDPOINT_URL": "http://LocalHost:1/a"]).validate()
        }
    }

    @Test(
        "a way to AWS that is not acceptable is no image's fault",
        arguments: [
            TransportError.Kind.tls, .addressRefused, .invalidRequest,
        ]
    )
    func unreachable(kind: TransportError.Kind) async {
        let error = await #expect(throws: AWSError.self) {
            try await AWSClientTests.sts(ScriptedTransport([.failure(kind)])).getCallerIdentity()
        }
        #expect(error?.kind == .unreachable)
        #expect(error?.isOfCredentials == true)
    }

    @Test("a refusal that AWS does not name is not AWS's", arguments: [403, 404, 400, 405])
    func unnamed(status: Int) async {
        let page = "<html><head><title>Blocked by the proxy</title></head></html>"
        let steps = Array(repeating: ScriptedTransport.Step.answer(status, [], page), count: 5)
        let error = await #expect(throws: AWSError.self) {
            try await AWSClientTests.sts(ScriptedTransport(steps)).getCallerIdentity()
        }
        #expect(error?.isWorthRetrying == true)
        #expect(error?.message.contains("titled “Blocked by the proxy”") == true)
    }

    // MARK: IAM Identity Center

    private static let config = """
        [profile app]
        sso_session = corp
        sso_account_id = 111122223333
        sso_role_name = Reader
        [sso-session corp]
        sso_region = eu-central-1
        sso_start_url = https://corp.awsapps.com/start
        """
    private static let path =
        "/home/me/.aws/sso/cache/"
        + Insecure.SHA1.hash(data: Data("corp".utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        + ".json"
    private static let keys = ScriptedTransport.Step.answer(
        200,
        [],
        #"{"roleCredentials":{"accessKeyId":"SSO","secretAccessKey":"s","sessionToken":"t","expiration":1790000900000}}"#
    )
    private static let renewed = ScriptedTransport.Step.answer(
        200,
        [],
        #"{"accessToken":"new-token","expiresIn":3600,"refreshToken":"next","tokenType":"Bearer"}"#
    )

    private static func login(_ end: String, registration: String = "2027-01-01T00:00:00Z") -> String {
        #"{"accessToken":"old-token","expiresAt":"\#(end)","clientId":"c","clientSecret":"geheim","#
            + #""registrationExpiresAt":"\#(registration)","refreshToken":"first"}"#
    }

    private func chain(
        _ transport: ScriptedTransport,
        _ login: String,
        clock: ManualClock = ManualClock(),
        write: @escaping @Sendable (String, Data) -> Bool = { _, _ in false }
    ) -> CredentialChain {
        CredentialChain(
            environment: ["HOME": "/home/me"],
            profiles: AWSProfiles(config: Self.config, credentials: ""),
            profile: "app",
            settings: AWSSettings(region: "eu-west-1"),
            readFile: { $0 == Self.path ? Data(login.utf8) : nil },
            transport: transport,
            writeFile: write,
            timeline: AWSClientTests.timeline(clock)
        )
    }

    @Test("a login that has ended, or nearly, is renewed and kept")
    func renewal() async throws {
        // The clock stands at 2026-09-21T14:13:20Z.
        for end in ["2026-09-21T14:00:00Z", "2026-09-21T14:20:00Z"] {
            let transport = ScriptedTransport([Self.renewed, Self.keys, Self.keys])
            let written = Mutex<[String: Data]>([:])
            let clock = ManualClock()
            let chain = chain(transport, Self.login(end), clock: clock) { path, data in
                written.withLock { $0[path] = data }
                return false
            }
            #expect(try await chain.credentials()?.accessKeyID == "SSO")
            #expect(transport.sent.first?.url == "https://oidc.eu-central-1.amazonaws.com/token")
            #expect(transport.sent.last?.headers.first(name: "x-amz-sso_bearer_token") == "new-token")
            let text = String(decoding: try #require(written.withLock { $0[Self.path] }), as: UTF8.self)
            #expect(text.contains(#""refreshToken":"next""#) && text.contains(#""accessToken":"new-token""#))
            // The file could not be written: what was learned holds all the same.
            clock.advance(by: .seconds(60))
            #expect(try await chain.credentials(refresh: true)?.accessKeyID == "SSO")
            #expect(transport.sent.count == 3)
        }
    }

    @Test("a login that is not renewed serves while it lasts, and then a person is asked")
    func refusedRenewal() async throws {
        let refused = ScriptedTransport.Step.answer(
            400,
            [],
            #"{"error":"invalid_grant","__type":"InvalidGrantException"}"#
        )
        let lasting = ScriptedTransport([refused, Self.keys])
        #expect(try await chain(lasting, Self.login("2026-09-21T14:20:00Z")).credentials()?.accessKeyID == "SSO")
        let error = await #expect(throws: AWSError.self) {
            try await chain(ScriptedTransport([refused]), Self.login("2026-09-21T14:00:00Z")).credentials()
        }
        #expect(error?.message.contains("aws sso login --profile app") == true)
        #expect(error?.message.contains("geheim") == false)
        // Nobody is sent to a keyboard by a network that fails.
        let faults = Array(repeating: ScriptedTransport.Step.failure(.connect), count: 3)
        let fault = await #expect(throws: AWSError.self) {
            try await chain(ScriptedTransport(faults), Self.login("2026-09-21T14:00:00Z")).credentials()
        }
        #expect(fault?.message.contains("aws sso login") == false)
        #expect(fault?.isWorthRetrying == true)
        let unregistered = ScriptedTransport([])
        await #expect(throws: AWSError.self) {
            let login = Self.login("2026-09-21T14:00:00Z", registration: "2026-09-01T00:00:00Z")
            return try await chain(unregistered, login).credentials()
        }
        #expect(unregistered.sent.isEmpty)
    }
}
