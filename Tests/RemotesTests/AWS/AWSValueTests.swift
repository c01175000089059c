import Foundation
import Testing

@testable import Remotes

@Suite("AWS values")
struct AWSValueTests {
    @Test(
        "endpoints of partitions, FIPS and dual stack",
        arguments: [
            ("us-east-1", [:], AWSSettings.Service.omics, "https://workflows-omics.us-east-1.amazonaws.com"),
            (
                "us-east-1", ["AWS_USE_FIPS_ENDPOINT": "true"], .omics,
                "https://workflows-omics-fips.us-east-1.amazonaws.com"
            ),
            ("eu-west-1", ["AWS_USE_DUALSTACK_ENDPOINT": "true"], .omics, "https://workflows-omics.eu-west-1.api.aws"),
            (
                "us-east-1", ["AWS_DISABLE_HOST_PREFIX_INJECTION": "true"], .omics,
                "https://omics.us-east-1.amazonaws.com"
            ),
            ("us-east-1", [:], .ecr, "https://api.ecr.us-east-1.amazonaws.com"),
            ("us-east-1", ["AWS_USE_FIPS_ENDPOINT": "true"], .ecr, "https://ecr-fips.us-east-1.amazonaws.com"),
            ("us-east-1", ["AWS_USE_DUALSTACK_ENDPOINT": "true"], .ecr, "https://ecr.us-east-1.api.aws"),
            ("cn-north-1", [:], .ecr, "https://api.ecr.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", [:], .sts, "https://sts.eusc-de-east-1.amazonaws.eu"),
            ("us-gov-west-1", ["AWS_USE_FIPS_ENDPOINT": "true"], .sqs, "https://sqs.us-gov-west-1.amazonaws.com"),
            ("us-east-1", ["AWS_ENDPOINT_URL": "http://127.0.0.1:9/"], .omics, "http://127.0.0.1:9"),
            (
                "us-east-1",
                ["AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"],
                .secretsManager, "http://b"
            ),
            (
                "us-east-1",
                ["AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"],
                .sts, "https://sts.us-east-1.amazonaws.com"
            ),
        ] as [(String, [String: String], AWSSettings.Service, String)]
    )
    func endpoints(region: String, environment: [String: String], service: AWSSettings.Service, url: String) {
        #expect(AWSSettings(region: region, environment: environment).endpoint(of: service) == url)
    }

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
        let pacer = CallPacer(service: "omics", quotaShare: 0.2)
        pacer.observe("GetRun", isThrottled: true, at: .seconds(1))
        #expect(pacer.rate(of: "GetRun") == 1)
        #expect(pacer.rate(of: "ListRuns") == 2)
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

    static func statement(_ body: String) -> String { #"{"Version":"2012-10-17","Statement":[{\#(body)}]}"# }
    static let omics = #""Principal":{"Service":"omics.amazonaws.com"}"#
    static let pull = #""Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]"#

    @Test(
        "what a repository's policy says for HealthOmics",
        arguments: [
            (AWSValueTests.statement("\"Effect\":\"Allow\",\(AWSValueTests.omics),\(AWSValueTests.pull)"), true, true),
            (
                AWSValueTests.statement(
                    "\"Effect\":\"Allow\",\(AWSValueTests.omics),\"Action\":[\"ecr:Batch*\",\"ECR:getdownload*\"]"
                ), true, true
            ),
            (
                AWSValueTests.statement("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\""),
                true, true
            ),
            (
                AWSValueTests.statement("\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"ecr:*\""),
                true, true
            ),
            (
                AWSValueTests.statement("\"Effect\":\"Allow\",\(AWSValueTests.omics),\"NotAction\":\"ecr:PutImage\""),
                true, true
            ),
            (
                AWSValueTests.statement("\"Effect\":\"Allow\",\(AWSValueTests.omics),\"Action\":\"ecr:BatchGetImage\""),
                false, true
            ),
            (AWSValueTests.statement("\"Effect\":\"Deny\",\(AWSValueTests.omics),\(AWSValueTests.pull)"), false, false),
            (
                AWSValueTests.statement(
                    "\"Effect\":\"Allow\",\(AWSValueTests.omics),\(AWSValueTests.pull),\"Condition\":{\"StringEquals\":{\"a\":\"b\"}}"
                ),
                false, false
            ),
            (
                AWSValueTests.statement(
                    "\"Effect\":\"Allow\",\(AWSValueTests.omics),\(AWSValueTests.pull),\"Resource\":\"arn:aws:ecr:::x\""
                ), false, false
            ),
            (
                AWSValueTests.statement(
                    "\"Effect\":\"Allow\",\(AWSValueTests.omics),\(AWSValueTests.pull),\"NotResource\":\"arn:aws:ecr:::x\""
                ), false, false
            ),
        ] as [(String, Bool, Bool)]
    )
    func repositoryPolicy(json: String, isAccessible: Bool, canBeGranted: Bool) throws {
        let verdict = try RepositoryPolicy(json: json).healthOmicsVerdict
        #expect(verdict.isAccessible == isAccessible)
        #expect(verdict.canBeGranted == canBeGranted)
        #expect((verdict.reason == nil) == isAccessible)
    }

    @Test("granting adds our statement once and leaves the others as they are")
    func granting() throws {
        let other =
            #"{"Sid":"theirs","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"ecr:PutImage"}"#
        let policy = try RepositoryPolicy(json: #"{"Version":"2008-10-17","Statement":\#(other)}"#)
        let granted = policy.grantingHealthOmics().grantingHealthOmics()
        #expect(granted.healthOmicsVerdict.isAccessible)
        #expect(granted.json.components(separatedBy: "PrecloneHealthOmicsAccess").count == 2)
        #expect(granted.json.contains(#""Sid":"theirs""#) && granted.json.contains("2008-10-17"))
    }

    @Test("a pull-through rule is usable with registry policy and template, and says what is missing")
    func pullThrough() throws {
        let registry = "arn:aws:ecr:us-east-1:111122223333"
        let allow = Self.statement(
            "\"Effect\":\"Allow\",\(Self.omics),\"Action\":[\"ecr:CreateRepository\",\"ecr:BatchImportUpstreamImage\"],"
                + "\"Resource\":\"\(registry):repository/quay/*\""
        )
        let template = RepositoryCreationTemplate(
            prefix: "ROOT",
            repositoryPolicy: Self.statement("\"Effect\":\"Allow\",\(Self.omics),\(Self.pull)"),
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
            ("sqs", "RequestThrottled", 403, .throttled), ("s3", "SlowDown", 503, .throttled),
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
            ("ecr", "AccessDeniedException", 400, .accessDenied), ("omics", "", 403, .accessDenied),
            ("ecr", "RepositoryNotFoundException", 400, .notFound), ("omics", "", 404, .notFound),
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
        #expect(error.message == "m")
        #expect("\(error)".contains("r-1"))
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
}
