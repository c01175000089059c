import Foundation
import Names
import Synchronization
import Testing

@testable import Remotes

@Suite("AWS values")
struct AWSValueTests {
    @Test("an operation's pace: a second's worth at once, then evenly; throttling halves it, time gives it back")
    func pace() {
        var pace = CallPace(target: 2)
        let waits = (0..<4).map { _ in pace.reserve(at: .zero) }
        #expect(waits == [.zero, .zero, .milliseconds(500), .seconds(1)])
        pace.slowDown(at: .seconds(10))
        pace.slowDown(at: .milliseconds(10_500))
        #expect(pace.rate == 1)
        pace.recover(at: .seconds(15))
        #expect(pace.rate == 1)
        pace.recover(at: .seconds(30))
        #expect(pace.rate == 1.2)
        pace.recover(at: .seconds(3600))
        #expect(pace.rate == 2)
    }

    @Test("operations do not slow each other")
    func pacer() {
        let pacer = CallPacer { PublishedQuota.callsPerSecond("omics", $0) * 0.2 }
        pacer.observe("GetRun", isThrottled: true, at: .seconds(1))
        #expect(pacer.rate(of: "GetRun") == 1)
        #expect(pacer.rate(of: "ListRuns") == 2)
    }

    @Test("another limit holds from the next call on")
    func changed() {
        let share = Mutex(0.2)
        let pacer = CallPacer { _ in share.withLock { $0 } * 10 }
        #expect(pacer.rate(of: "GetRun") == 2)
        pacer.observe("GetRun", isThrottled: true, at: .seconds(1))
        share.withLock { $0 = 0.8 }
        // Throttled it stays, in proportion, and recovers to the new target.
        #expect(pacer.rate(of: "GetRun") == 4)
        #expect(pacer.rate(of: "ListRuns") == 8)
        pacer.observe("GetRun", isThrottled: false, at: .seconds(3600))
        #expect(pacer.rate(of: "GetRun") == 8)
        share.withLock { $0 = 0.1 }
        #expect(
            (0..<3).map { _ in pacer.reserve("ListRuns", mode: .standard, at: .seconds(1)) }
                == [.zero, .seconds(1), .seconds(2)]
        )
    }

    @Test("the adaptive rate is without limit until throttled, then never below half a call a second")
    func adaptive() {
        var rate = AdaptiveRate()
        #expect(rate.reserve(at: .zero) == .zero)
        for step in 1...20 { rate.observe(isThrottled: false, at: .milliseconds(Int64(step) * 100)) }
        #expect(rate.rate == nil)
        rate.observe(isThrottled: true, at: .seconds(2.1))
        let first = rate.rate ?? 0
        #expect(first >= 0.5 && first < 10)
        for step in 1...50 { rate.observe(isThrottled: true, at: .seconds(Double(step) + 3)) }
        #expect((rate.rate ?? 0) >= 0.5)
        #expect((rate.rate ?? 0) < first)
    }

    @Test("a pull-through rule is usable with registry policy and template, and says what is missing")
    func pullThrough() throws {
        let registry = "arn:aws:ecr:us-east-1:111122223333"
        let allow = RepositoryPolicyTests.statement(
            "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\"Action\":[\"ecr:CreateRepository\",\"ecr:BatchImportUpstreamImage\"],"
                + "\"Resource\":\"\(registry):repository/quay/*\""
        )
        let template = RepositoryCreationTemplate(
            prefix: "ROOT",
            repositoryPolicy: RepositoryPolicyTests.statement(
                "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull)"
            ),
            appliedFor: ["PULL_THROUGH_CACHE"]
        )
        func verdict(_ prefix: String, _ policy: String?, _ templates: [RepositoryCreationTemplate]) throws -> Int {
            try PullThroughVerdict(
                prefix: prefix,
                registry: registry,
                registryPolicy: policy,
                templates: templates
            ).problems.count
        }
        #expect(try verdict("quay", allow, [template]) == 0)
        #expect(try verdict("docker-hub", allow, [template]) == 1)
        #expect(try verdict("quay", nil, [template]) == 1)
        #expect(try verdict("quay", allow, []) == 1)
        // The longer prefix decides, also where it says less.
        let bare = RepositoryCreationTemplate(prefix: "quay", appliedFor: ["PULL_THROUGH_CACHE"])
        #expect(try verdict("quay", allow, [template, bare]) == 1)
        let forPush = RepositoryCreationTemplate(prefix: "quay", appliedFor: ["CREATE_ON_PUSH"])
        #expect(try verdict("quay", allow, [template, forPush]) == 0)
    }

    @Test(
        "a code or a status says whether to try again, and what else to do",
        arguments: [
            ("omics", "ThrottlingException", 400, .throttled), ("omics", "TooManyRequestsException", 429, .throttled),
            ("sqs", "RequestThrottled", 403, .throttled), ("sqs", "OverLimit", 403, .throttled),
            ("s3", "SlowDown", 503, .throttled),
            ("ecr", "", 429, .throttled), ("omics", "LimitExceededException", 400, .throttled),
            // A quota of ECR's, which no wait mends.
            ("ecr", "LimitExceededException", 400, .permanent),
            ("ecr", "KmsThrottled", 400, .transient), ("omics", "InternalServerException", 500, .transient),
            ("omics", "RequestTimeoutException", 408, .transient), ("sts", "IDPCommunicationError", 400, .transient),
            ("ecr", "", 500, .transient), ("ecr", "", 502, .transient), ("ecr", "", 503, .transient),
            ("ecr", "", 504, .transient), ("ecr", "", 501, .permanent),
            ("ecr", "ExpiredTokenException", 400, .expiredCredentials),
            ("sts", "ExpiredToken", 400, .expiredCredentials),
            ("ecr", "RequestTimeTooSkewed", 403, .clockSkew), ("sts", "SignatureDoesNotMatch", 403, .clockSkew),
            ("ecr", "AccessDeniedException", 400, .accessDenied), ("omics", "", 403, .brokenAnswer),
            ("ecr", "RepositoryNotFoundException", 400, .notFound), ("omics", "", 404, .brokenAnswer),
            ("omics", "ValidationException", 400, .permanent),
        ] as [(String, String, Int, AWSError.Kind)]
    )
    func kinds(service: String, code: String, status: Int, kind: AWSError.Kind) {
        #expect(AWSError.kind(service: service, code: code, status: status) == kind)
    }

    @Test(
        "the code is in a header or in the body, and only its name counts",
        arguments: [
            ([("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/")], #"{"message":"m"}"#),
            ([], #"{"__type":"com.amazonaws.ecr#ThrottlingException","message":"m"}"#),
            ([], #"{"code":"ThrottlingException","Message":"m"}"#),
            ([("x-amzn-query-error", "ThrottlingException;Sender")], #"{"__type":"x","message":"m"}"#),
            ([("X-AMZN-ERRORTYPE", "ThrottlingException")], ""),
            ([], #"{"Error":{"Code":"ThrottlingException","Message":"m"}}"#),
            ([], "<E><Error><Code>ThrottlingException</Code><Message>m</Message></Error></E>"),
        ] as [([(String, String)], String)]
    )
    func errorCodes(headers: [(String, String)], body: String) {
        let answer = AWSClient.Answer(
            status: 400,
            headers: headers,
            body: Data(body.utf8),
            requestID: "r-1"
        )
        let error = AWSClient.error("ecr:DescribeImages", service: "ecr", answer)
        #expect(error.code == "ThrottlingException")
        #expect(error.message == (body.isEmpty ? "" : "m"))
        #expect("\(error)".contains("r-1"))
    }

    @Test("a page of a gateway is told by its title, in one line; an operation that is not there is known as such")
    func pages() {
        func error(_ status: Int, _ body: String) -> AWSError {
            let answer = AWSClient.Answer(status: status, headers: [], body: Data(body.utf8), requestID: nil)
            return AWSClient.error("ecr:DescribeImages", service: "ecr", answer)
        }
        let page = error(
            502,
            "<!doctype html>\n<html><head>\n<title>502 Bad\n Gateway</title></head><body>x</body></html>"
        )
        #expect(page.message.hasSuffix("titled “502 Bad Gateway”") && page.kind == .transient)
        #expect(error(500, "oops\nagain").message == "oops again")
        #expect(error(400, #"{"__type":"UnknownOperationException"}"#).isUnknownOperation)
        #expect(error(501, "").isUnknownOperation && !page.isUnknownOperation)
    }

    @Test("attempts and mode come from the environment before the profile; what makes no sense is left out")
    func retrySettings() {
        func settings(_ environment: [String: String], _ profile: [String: String] = [:]) -> AWSSettings {
            AWSSettings(region: "us-east-1", environment: environment, profile: profile)
        }
        let profile = ["max_attempts": "7", "retry_mode": "adaptive"]
        #expect(settings([:], profile).maxAttempts == 7)
        #expect(settings([:], profile).retryMode == .adaptive)
        #expect(settings(["AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"], profile).maxAttempts == 2)
        #expect(settings(["AWS_RETRY_MODE": "standard"], profile).retryMode == .standard)
        for text in ["0", "-1", "many"] { #expect(settings(["AWS_MAX_ATTEMPTS": text]).maxAttempts == nil) }
        #expect(settings(["AWS_RETRY_MODE": "legacy"]).retryMode == .standard)
    }

    @Test(
        "every form of a time that AWS and its stand-ins write",
        arguments: [
            "2026-09-21T14:13:20Z", "2026-09-21T14:13:20.000Z", "2026-09-21T14:13:20.000000+00:00",
            "2026-09-21T16:13:20+0200", "2026-09-21T08:13:20.0-06:00", "2026-09-21T14:13:20", "2026-09-21 14:13:20",
            "2026-09-21T14:13:20UTC", "1790000000", "1790000000.0", "1790000000000", "Mon, 21 Sep 2026 14:13:20 GMT",
        ]
    )
    func times(text: String) throws {
        let date = Date(timeIntervalSince1970: 1_790_000_000)
        #expect(AWSDates.date(text) == date)
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom(AWSDates.decode)
        #expect(try decoder.decode([Date].self, from: Data("[\"\(text)\"]".utf8)) == [date])
        if Double(text) != nil {
            #expect(try decoder.decode([Date].self, from: Data("[\(text)]".utf8)) == [date])
        }
    }

    @Test("a fraction counts, and what is no time is none")
    func noTimes() throws {
        #expect(AWSDates.date("2026-09-21T14:13:20.25Z") == Date(timeIntervalSince1970: 1_790_000_000.25))
        for text in ["", "now", "2026-09-21", "2026-13-21T14:13:20Z", "2026-09-21T14:13:20.Z", "2026-09-21T14:13:20+9"]
        {
            #expect(AWSDates.date(text) == nil, "\(text)")
        }
    }
}
