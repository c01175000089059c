import Foundation
import NIOHTTP1
import Remotes
import TestSupport
import Testing

@Suite("AWSClient")
struct AWSClientTests {
    static let keys = AWSCredentials(accessKeyID: "AKID", secretAccessKey: "secret", provider: "test")
    static let identity = ScriptedTransport.Step.answer(
        200,
        [],
        "<R><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/a</Arn></R>"
    )

    /// A timeline on which sleeping takes no time but is recorded.
    static func timeline(_ clock: ManualClock) -> Timeline {
        Timeline(
            elapsed: { clock.elapsed },
            sleep: {
                try Task.checkCancellation()
                clock.advance(by: $0)
            },
            now: { clock.now },
            random: { 0.5 }
        )
    }

    static func sts(
        _ transport: ScriptedTransport,
        clock: ManualClock = ManualClock(),
        attempts: Int = 5,
        quota: RetryQuota = RetryQuota(),
        credentials: @escaping AWSClient.CredentialSource = { _ in Self.keys }
    ) -> STSClient {
        STSClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(service: "sts", signingName: "sts", url: "http://127.0.0.1:1"),
                region: "us-east-1",
                transport: transport,
                credentials: credentials,
                timeline: timeline(clock),
                attempts: attempts,
                quota: quota
            )
        )
    }

    static func refused(_ status: Int, _ code: String, _ headers: [(String, String)] = []) -> ScriptedTransport.Step {
        .answer(
            status,
            headers,
            "<E><Error><Code>\(code)</Code><Message>m</Message></Error><RequestId>r1</RequestId></E>"
        )
    }

    @Test(
        "what passes is tried again",
        arguments: [
            [AWSClientTests.refused(400, "Throttling"), AWSClientTests.refused(429, "Other"), AWSClientTests.identity],
            [
                AWSClientTests.refused(500, "InternalFailure"), AWSClientTests.refused(503, "ServiceUnavailable"),
                AWSClientTests.identity,
            ],
            [.failure(.connect), .failure(.stalled), AWSClientTests.identity],
            [.cut("<R><Acc"), AWSClientTests.identity],
        ] as [[ScriptedTransport.Step]]
    )
    func retries(steps: [ScriptedTransport.Step]) async throws {
        let transport = ScriptedTransport(steps)
        let who = try await Self.sts(transport).getCallerIdentity()
        #expect(who.account == "111122223333")
        #expect(transport.sent.count == steps.count)
    }

    @Test("what stays is said once, with code, status and request")
    func permanent() async {
        let transport = ScriptedTransport([Self.refused(403, "AccessDenied")])
        let error = await #expect(throws: AWSError.self) { try await Self.sts(transport).getCallerIdentity() }
        #expect(error?.description == "sts:GetCallerIdentity: AccessDenied: m (HTTP 403, request r1)")
        #expect(error?.isAccessDenied == true)
        #expect(transport.sent.count == 1)
    }

    @Test("an address the guard refuses is not asked again")
    func refusedAddress() async {
        let transport = ScriptedTransport([.failure(.addressRefused)])
        await #expect(throws: AWSError.self) { try await Self.sts(transport).getCallerIdentity() }
        #expect(transport.sent.count == 1)
    }

    @Test("waits double, at half chance 0.5 s, 1 s, 2 s, 4 s, and end with the attempts")
    func waits() async {
        let clock = ManualClock()
        let transport = ScriptedTransport(Array(repeating: Self.refused(500, "InternalError"), count: 5))
        await #expect(throws: AWSError.self) { try await Self.sts(transport, clock: clock).getCallerIdentity() }
        #expect(transport.sent.count == 5)
        #expect(clock.elapsed == .milliseconds(7500))
    }

    @Test(
        "the wait a service asks for is kept, up to 20 s",
        arguments: [("Retry-After", "3", 3.0), ("Retry-After", "20", 20), ("x-amz-retry-after", "1500", 1.5)]
    )
    func retryAfter(header: String, asked: String, seconds: Double) async throws {
        let clock = ManualClock()
        let step = Self.refused(503, "SlowDown", [(header, asked)])
        _ = try await Self.sts(ScriptedTransport([step, Self.identity]), clock: clock).getCallerIdentity()
        #expect(clock.elapsed == .seconds(seconds))
    }

    @Test(
        "a longer wait is the caller's: no sleep, no second attempt, the wait in the error, an hour at most",
        arguments: [("21", 21), ("600", 600), ("999999", 3600)]
    )
    func longRetryAfter(asked: String, seconds: Int) async {
        let clock = ManualClock()
        let transport = ScriptedTransport([Self.refused(503, "SlowDown", [("Retry-After", asked)]), Self.identity])
        let error = await #expect(throws: AWSError.self) {
            try await Self.sts(transport, clock: clock).getCallerIdentity()
        }
        #expect(error?.retryAfter == .seconds(seconds))
        #expect(error?.isWorthRetrying == true)
        #expect(transport.sent.count == 1)
        #expect(clock.elapsed == .zero)
    }

    @Test("a date to come back at is told by the service's clock")
    func retryDate() async throws {
        let clock = ManualClock()
        let headers = [("Date", "Mon, 21 Sep 2026 14:23:20 GMT"), ("Retry-After", "Mon, 21 Sep 2026 14:23:27 GMT")]
        let transport = ScriptedTransport([Self.refused(503, "SlowDown", headers), Self.identity])
        _ = try await Self.sts(transport, clock: clock).getCallerIdentity()
        #expect(clock.elapsed == .seconds(7))
    }

    @Test("a service that fails everybody runs out of retries, and success gives them back")
    func quota() async throws {
        let quota = RetryQuota(capacity: 10)
        let transport = ScriptedTransport(Array(repeating: Self.refused(500, "InternalError"), count: 9))
        await #expect(throws: AWSError.self) { try await Self.sts(transport, quota: quota).getCallerIdentity() }
        #expect(transport.sent.count == 3)
        #expect(quota.remaining == 0)
        await #expect(throws: AWSError.self) { try await Self.sts(transport, quota: quota).getCallerIdentity() }
        #expect(transport.sent.count == 4)
        _ = try await Self.sts(ScriptedTransport([Self.identity]), quota: quota).getCallerIdentity()
        #expect(quota.remaining == 1)
    }

    @Test("expired credentials are refreshed once")
    func expired() async throws {
        let refreshes = Counter()
        let source: AWSClient.CredentialSource = { refresh in
            if refresh { refreshes.add() }
            return Self.keys
        }
        let expired = Self.refused(403, "ExpiredToken")
        _ = try await Self.sts(ScriptedTransport([expired, Self.identity]), credentials: source).getCallerIdentity()
        #expect(refreshes.value == 1)
        let twice = ScriptedTransport([expired, expired, Self.identity])
        let error = await #expect(throws: AWSError.self) {
            try await Self.sts(twice, credentials: source).getCallerIdentity()
        }
        #expect(error?.kind == .expiredCredentials)
        #expect(twice.sent.count == 2)
    }

    @Test("a clock ten minutes off is corrected by the service's, once; a small difference is no cure")
    func skew() async throws {
        // 1_790_000_000 is 2026-09-21 14:13:20 UTC.
        let clock = ManualClock(start: Date(timeIntervalSince1970: 1_790_000_000))
        let step = Self.refused(403, "SignatureDoesNotMatch", [("Date", "Mon, 21 Sep 2026 14:23:20 GMT")])
        let transport = ScriptedTransport([step, Self.identity])
        _ = try await Self.sts(transport, clock: clock).getCallerIdentity()
        let stamps = transport.sent.map { $0.headers.first(name: "X-Amz-Date") }
        #expect(stamps == ["20260921T141320Z", "20260921T142320Z"])
        let near = Self.refused(403, "SignatureDoesNotMatch", [("Date", "Mon, 21 Sep 2026 14:14:20 GMT")])
        let other = ScriptedTransport([near, Self.identity])
        await #expect(throws: AWSError.self) { try await Self.sts(other, clock: clock).getCallerIdentity() }
        #expect(other.sent.count == 1)
    }

    @Test("an answer that cannot be read names what is missing, and a repeated page token ends the list")
    func brokenAnswers() async throws {
        func ecr(_ steps: [ScriptedTransport.Step]) -> ECRClient {
            ECRClient(
                client: AWSClient(
                    endpoint: AWSClient.Endpoint(service: "ecr", signingName: "ecr", url: "http://127.0.0.1:1"),
                    region: "us-east-1",
                    transport: ScriptedTransport(steps),
                    credentials: { _ in Self.keys },
                    timeline: Self.timeline(ManualClock())
                )
            )
        }
        let request = ("x-amzn-RequestId", "r9")
        func thrice(_ step: ScriptedTransport.Step) -> [ScriptedTransport.Step] { [step, step, step] }
        let torn = ScriptedTransport.Step.answer(200, [request], #"{"pullThroughCacheRules":[{"#)
        let half = await #expect(throws: AWSError.self) {
            try await ecr(thrice(torn)).describePullThroughCacheRules()
        }
        #expect(half?.code == "BrokenAnswer" && half?.requestID == "r9")
        let whole = ScriptedTransport.Step.answer(200, [], #"{"pullThroughCacheRules":[{"ecrRepositoryPrefix":"q"}]}"#)
        #expect(
            try await ecr([torn, torn, whole]).describePullThroughCacheRules().count == 1,
            "asking changes nothing"
        )
        // What changes something is not sent twice.
        let once = await #expect(throws: AWSError.self) {
            try await ecr([torn, .answer(200, [], "{}")]).deleteRepository(repositoryName: "a")
        }
        #expect(once?.kind == .brokenAnswer)
        let missing = await #expect(throws: AWSError.self) {
            try await ecr(thrice(.answer(200, [], #"{"pullThroughCacheRules":[{"x":1}]}"#)))
                .describePullThroughCacheRules()
        }
        #expect(missing?.message.contains("`ecrRepositoryPrefix` is missing at `pullThroughCacheRules.0`") == true)
        let page = ScriptedTransport.Step.answer(200, [], #"{"pullThroughCacheRules":[],"nextToken":"t"}"#)
        let circle = await #expect(throws: AWSError.self) {
            try await ecr([page, page, page]).describePullThroughCacheRules()
        }
        #expect(circle?.code == "RepeatedToken")
        // A quota that is reached is not throttling.
        let limit = ScriptedTransport.Step.answer(400, [], #"{"__type":"x#LimitExceededException","message":"full"}"#)
        let full = await #expect(throws: AWSError.self) { try await ecr([limit]).getRegistryPolicy() }
        #expect(full?.kind == .permanent && full?.code == "LimitExceededException")
    }

    private static func omics(
        _ transport: ScriptedTransport,
        url: String = "http://127.0.0.1:1",
        credentials: @escaping AWSClient.CredentialSource = { _ in Self.keys }
    ) -> HealthOmicsClient {
        HealthOmicsClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(service: "omics", signingName: "omics", url: url),
                region: "us-east-1",
                transport: transport,
                credentials: credentials,
                timeline: timeline(ManualClock(start: Date(timeIntervalSince1970: 1_790_000_000)))
            ),
            transport: transport
        )
    }

    @Test("below a base path the whole path is sent and signed, and the root is the base")
    func basePath() async throws {
        let transport = ScriptedTransport([.answer(200, [], #"{"id":"1"}"#), Self.identity])
        _ = try await Self.omics(transport, url: "http://127.0.0.1:1/aws/v1").getRun(id: "a b")
        let sent = try #require(transport.sent.first)
        #expect(sent.url == "http://127.0.0.1:1/aws/v1/run/a%20b")
        let expected = SigV4(region: "us-east-1", service: "omics").headers(
            for: SigV4.Request(
                method: "GET",
                path: "/aws/v1/run/a%20b",
                headers: [(name: "Host", value: "127.0.0.1:1")],
                bodyHash: SigV4.emptyBodyHash
            ),
            credentials: Self.keys,
            at: Date(timeIntervalSince1970: 1_790_000_000)
        )
        #expect(sent.headers.first(name: "Authorization") == expected.last?.value)
        let sts = STSClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(service: "sts", signingName: "sts", url: "http://127.0.0.1:1/aws"),
                region: "us-east-1",
                transport: transport,
                credentials: { _ in Self.keys },
                timeline: Self.timeline(ManualClock())
            )
        )
        _ = try await sts.getCallerIdentity()
        #expect(transport.sent.last?.url == "http://127.0.0.1:1/aws")
    }

    @Test(
        "what keeps us from having credentials is never taken for the service's answer",
        arguments: [AWSError.Kind.notFound, .accessDenied, .expiredCredentials, .clockSkew, .permanent]
    )
    func credentialsFail(kind: AWSError.Kind) async {
        let transport = ScriptedTransport([])
        let failure = AWSError(operation: "sts:AssumeRole", code: "X", message: "m", status: 404, kind: kind)
        let error = await #expect(throws: AWSError.self) {
            // A run that is not there would be nil.
            try await Self.omics(transport) { _ in throw failure }.getRun(id: "1")
        }
        #expect(error?.kind == .noCredentials && error?.operation == "sts:AssumeRole")
        #expect(transport.sent.isEmpty)
    }

    @Test("unknown members and values pass, missing and null ones too, a page token may be empty or null")
    func tolerance() async throws {
        let run = #"{"id":"1","status":"THINKING","creationTime":null,"new":{"a":[1,2.5,null]},"batchId":null}"#
        let first = #"{"items":[\#(run)],"nextToken":"t","future":1}"#
        let last = #"{"items":[{"id":"2","creationTime":"2026-09-21T14:13:20.123456+00:00"}],"nextToken":""}"#
        for end in [last, last.replacing(#""nextToken":"""#, with: #""nextToken":null"#)] {
            var items: [RunListItem] = []
            let transport = ScriptedTransport([.answer(200, [], first), .answer(200, [], end)])
            try await Self.omics(transport).eachPageOfRuns(status: nil) { items += $0 }
            #expect(items.map(\.id) == ["1", "2"])
            #expect(items.first?.status?.rawValue == "THINKING")
            #expect(transport.sent.last?.url.hasSuffix("/run?maxResults=100&startingToken=t") == true)
        }
    }
}
