import Foundation
import Remotes
import TestSupport
import Testing

/// Our clients against moto, an emulator that other people wrote, where it covers a service.
@Suite("Clients against moto", .serialized)
final class MotoTests {
    private let server: ServerProcess
    private let transport: LiveTransport
    private static let account = "123456789012"

    init() throws {
        var project = URL(filePath: #filePath)
        for _ in 0..<4 { project.deleteLastPathComponent() }
        server = try ServerProcess(
            project.appending(path: ".venv/bin/moto_server"),
            ["-H", "127.0.0.1", "-p", "0"],
            environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"],
            mend: "run .ci/test, which installs Tests/requirements.txt into .venv"
        )
        transport = try LiveTransport()
    }

    private func client(
        _ service: String,
        signing: String? = nil,
        credentials: AWSCredentials = AWSClientTests.keys
    ) -> AWSClient {
        AWSClient(
            endpoint: .init(service: service, signingName: signing ?? service, url: "http://127.0.0.1:\(server.port)"),
            region: "us-east-1",
            transport: transport,
            credentials: { _ in credentials },
            timeline: .system
        )
    }

    /// What our product never does and the test needs done.
    private func prepare(
        _ service: String,
        target: String,
        version: String = "1.1",
        _ operation: String,
        _ input: [String: JSONValue]
    ) async throws -> JSONValue {
        try await client(service).json(operation, target: target, version: version, input, as: JSONValue.self)
    }

    @Test("SNS and EventBridge: a notice arrives at whoever subscribes")
    func notices() async throws {
        let made = try await prepare(
            "sqs",
            target: "AmazonSQS",
            version: "1.0",
            "CreateQueue",
            ["QueueName": .string("told")]
        )
        guard case .object(let fields) = made, case .string(let url) = fields["QueueUrl"] else {
            Issue.record("\(made)")
            return
        }
        let sqs = SQSClient(client: client("sqs"), queueURL: url)
        let queue = "arn:aws:sqs:us-east-1:\(Self.account):told"
        func form(_ text: String) async throws {
            _ = try await client("sns").call(
                "Prepare",
                method: "POST",
                path: "/",
                headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded")],
                body: CallBody(Data(text.utf8))
            )
        }
        try await form("Action=CreateTopic&Version=2010-03-31&Name=told")
        let topic = "arn:aws:sns:us-east-1:\(Self.account):told"
        try await form("Action=Subscribe&Version=2010-03-31&TopicArn=\(topic)&Protocol=sqs&Endpoint=\(queue)")
        try await SNSClient(client: client("sns")).publish(
            topicARN: topic,
            id: "1-2",
            subject: "an image, wanted by a run\nis blocked \u{1F600}",
            message: #"{"id":"1-2","text":"a + b & c = 5 %"}"#
        )
        let first = try await sqs.receiveMessages(waitSeconds: 0)
        #expect(first.count == 1)
        #expect(first.first?.body.contains(#"{\"id\":\"1-2\",\"text\":\"a + b & c = 5 %\"}"#) == true, "\(first)")
        #expect(first.first?.body.contains("an image, wanted by a run is blocked") == true)

        let rule: [String: JSONValue] = ["Name": .string("told"), "EventPattern": .string(#"{"source":["preclone"]}"#)]
        _ = try await prepare("events", target: "AWSEvents", "PutRule", rule)
        let targets: JSONValue = .array([.object(["Id": .string("1"), "Arn": .string(queue)])])
        _ = try await prepare(
            "events",
            target: "AWSEvents",
            "PutTargets",
            ["Rule": .string("told"), "Targets": targets]
        )
        let bus = EventBridgeClient(client: client("events"))
        try await bus.putEvent(bus: "default", source: "preclone", detailType: "preclone ready", detail: #"{"id":"3"}"#)
        let second = try await sqs.receiveMessages(waitSeconds: 0)
        #expect(second.first?.body.contains("preclone ready") == true, "\(second)")
        await #expect(throws: AWSError.self) {
            try await bus.putEvent(bus: "nowhere", source: "preclone", detailType: "x", detail: "no JSON")
        }
    }

    @Test("ECR: repositories, policies, images, a token")
    func ecr() async throws {
        let ecr = ECRClient(client: client("ecr"))
        await #expect {
            try await ecr.describeRepositories(repositoryNames: ["a/tool"])
        } throws: { ($0 as? AWSError)?.code == "RepositoryNotFoundException" }

        let made = try await ecr.createRepository(
            CreateRepositoryRequest(
                repositoryName: "a/tool",
                imageTagMutability: "IMMUTABLE",
                tags: ["created-by": "preclone"]
            )
        )
        #expect(made.repository.repositoryArn == "arn:aws:ecr:us-east-1:\(Self.account):repository/a/tool")
        #expect(made.requestID?.isEmpty == false)
        #expect(
            try await ecr.describeRepositories(repositoryNames: ["a/tool"]).first?.imageTagMutability == "IMMUTABLE"
        )
        let tags = try await prepare(
            "ecr",
            target: "AmazonEC2ContainerRegistry_V20150921",
            "ListTagsForResource",
            ["resourceArn": .string(made.repository.repositoryArn ?? "")]
        )
        #expect(
            tags == .object(["tags": .array([.object(["Key": .string("created-by"), "Value": .string("preclone")])])])
        )
        await #expect {
            try await ecr.createRepository(
                CreateRepositoryRequest(repositoryName: "a/tool", imageTagMutability: "MUTABLE")
            )
        } throws: { ($0 as? AWSError)?.code == "RepositoryAlreadyExistsException" }

        #expect(try await ecr.getRepositoryPolicy(repositoryName: "a/tool") == nil)
        let granted = RepositoryPolicy().grantingHealthOmics()
        _ = try await ecr.setRepositoryPolicy(repositoryName: "a/tool", policyText: granted.json)
        let read = try #require(try await ecr.getRepositoryPolicy(repositoryName: "a/tool"))
        #expect(try RepositoryPolicy(json: read).healthOmicsVerdict.isAccessible)

        let manifest =
            #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":"#
            + #"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:"#
            + String(repeating: "a", count: 64) + #""},"layers":[]}"#
        _ = try await prepare(
            "ecr",
            target: "AmazonEC2ContainerRegistry_V20150921",
            "PutImage",
            ["repositoryName": .string("a/tool"), "imageManifest": .string(manifest), "imageTag": .string("1")]
        )
        let images = try await ecr.describeImages(repositoryName: "a/tool", imageIds: [.init(imageTag: "1")])
        #expect(images.first?.imageTags == ["1"])
        #expect(images.first?.imagePushedAt.map { abs($0.timeIntervalSinceNow) < 3600 } == true)
        let answer = try await ecr.batchGetImage(
            repositoryName: "a/tool",
            imageIds: [.init(imageTag: "1"), .init(imageTag: "none")],
            acceptedMediaTypes: ["application/vnd.oci.image.manifest.v1+json"]
        )
        #expect(answer.images?.map(\.imageManifest) == [manifest])
        #expect(answer.failures?.map(\.failureCode) == ["ImageNotFound"])

        let token = try await ecr.getAuthorizationToken()
        // A fixed day of 2015 there, as seconds since 1970.
        #expect(token.expires == Date(timeIntervalSince1970: 1_420_070_400))
        #expect(token.proxyEndpoint?.contains("dkr.ecr.us-east-1") == true)

        await #expect {
            try await ecr.deleteRepository(repositoryName: "a/tool")
        } throws: { ($0 as? AWSError)?.code == "RepositoryNotEmptyException" }
    }

    @Test("STS: who we are, a role, a role by web identity")
    func sts() async throws {
        let sts = STSClient(client: client("sts"))
        #expect(try await sts.getCallerIdentity().account == Self.account)
        let arn = "arn:aws:iam::\(Self.account):role/cloner"
        let session = STSClient.sessionName("preclone@host")
        let role = try await sts.assumeRole(roleARN: arn, sessionName: session, provider: "test")
        #expect(role.sessionToken?.isEmpty == false)
        #expect((role.expiration ?? .distantPast).timeIntervalSinceNow > 600)
        let asRole = STSClient(client: client("sts", credentials: role))
        #expect(try await asRole.getCallerIdentity().arn.hasSuffix("assumed-role/cloner/\(session)"))
        // A token that only looks like one: moto does not ask the issuer.
        let token = ["{\"alg\":\"none\"}", "{\"sub\":\"s\"}", "x"].map { Data($0.utf8).base64EncodedString() }
            .joined(separator: ".")
        let web = try await sts.assumeRoleWithWebIdentity(
            roleARN: arn,
            sessionName: session,
            webIdentityToken: token,
            provider: "test"
        )
        #expect(web.accessKeyID.hasPrefix("ASIA"))
    }

    @Test("SQS: receive, hide, delete, and entries that fail")
    func sqs() async throws {
        let made = try await prepare(
            "sqs",
            target: "AmazonSQS",
            version: "1.0",
            "CreateQueue",
            ["QueueName": .string("events")]
        )
        guard case .object(let fields) = made, case .string(let url) = fields["QueueUrl"] else {
            Issue.record("no queue: \(made)")
            return
        }
        let queue = SQSClient(client: client("sqs"), queueURL: url)
        #expect(try await queue.receiveMessages(waitSeconds: 0).isEmpty)
        for number in 1...3 {
            _ = try await prepare(
                "sqs",
                target: "AmazonSQS",
                version: "1.0",
                "SendMessage",
                ["QueueUrl": .string(url), "MessageBody": .string("{\"n\":\(number)}")]
            )
        }
        let messages = try await queue.receiveMessages(waitSeconds: 1, visibilitySeconds: 600)
        #expect(messages.map(\.body).sorted() == [#"{"n":1}"#, #"{"n":2}"#, #"{"n":3}"#])
        #expect(messages.allSatisfy { $0.receiveCount == 1 })
        #expect(try await queue.receiveMessages(waitSeconds: 0).isEmpty)
        let handles = messages.map(\.receiptHandle)
        #expect(try await queue.changeVisibility([handles[0]], seconds: 0).isEmpty)
        #expect(try await queue.receiveMessages(waitSeconds: 0).map(\.receiveCount) == [2])
        let failed = try await queue.deleteMessages([handles[1], "no such handle", handles[2]])
        #expect(failed.keys.sorted() == ["no such handle"])
        #expect(try await queue.queueAttributes()["ApproximateNumberOfMessagesNotVisible"] == "1")
        let gone = SQSClient(client: client("sqs"), queueURL: url + "-gone")
        await #expect(throws: AWSError.self) { try await gone.receiveMessages(waitSeconds: 0) }
    }

    @Test("Secrets Manager: text, and what is no text or not there")
    func secrets() async throws {
        let secrets = SecretsManagerClient(client: client("secretsmanager"))
        for (name, key, value) in [("login", "SecretString", #"{"username":"u"}"#), ("key", "SecretBinary", "AAEC")] {
            _ = try await prepare(
                "secretsmanager",
                target: "secretsmanager",
                "CreateSecret",
                ["Name": .string(name), key: .string(value), "ClientRequestToken": .string(UUID().uuidString)]
            )
        }
        let value = try await secrets.getSecretValue(secretId: "login")
        #expect(value.text == #"{"username":"u"}"#)
        #expect(value.arn.hasPrefix("arn:aws:secretsmanager:us-east-1:\(Self.account):secret:login-"))
        await #expect {
            try await secrets.getSecretValue(secretId: "key")
        } throws: { ($0 as? AWSError)?.code == "BinarySecret" }
        await #expect {
            try await secrets.getSecretValue(secretId: "none")
        } throws: { ($0 as? AWSError)?.code == "ResourceNotFoundException" }
    }
}
