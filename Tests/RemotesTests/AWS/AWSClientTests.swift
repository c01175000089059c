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
        let half = await #expect(throws: AWSError.self) {
            try await ecr([.answer(200, [request], #"{"pullThroughCacheRules":[{"#)]).describePullThroughCacheRules()
        }
        #expect(half?.code == "BrokenAnswer" && half?.requestID == "r9")
        let missing = await #expect(throws: AWSError.self) {
            try await ecr([.answer(200, [], #"{"pullThroughCacheRules":[{"x":1}]}"#)]).describePullThroughCacheRules()
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
}
