import Configuring
import Foundation
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

/// What is asked of ECR, and how often.
@Suite("ECR as a destination")
struct ECRViewTests {
    private func withBench(_ body: @escaping @Sendable (CloneBench, ECRView) async throws -> Void) async throws {
        try await withSandbox { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            let view = ECRView(ecr: bench.ecr) { location, descriptor in
                try await bench.registries.client(for: location.registry).readBlob(location.repository, descriptor)
            }
            try await body(bench, view)
            try await bench.transport.shutdown()
        }
    }

    /// Puts so many images into one repository, each with a layer of its own.
    private func fill(_ bench: CloneBench, _ count: Int) throws -> [ECRView.Wanted] {
        for number in 0..<count {
            try bench.sandbox.putPrivateImage(
                ImageRecipe("tool \(number)", platforms: ["linux/amd64", "linux/arm64"]),
                repository: "org/tool",
                tags: ["\(number)"]
            )
        }
        return (0..<count).map { ECRView.Wanted(bench.location("org/tool", "\($0)")) }
    }

    private func asked(_ bench: CloneBench, _ operation: String) -> Int {
        bench.sandbox.requests.counts["ecr/\(operation)"] ?? 0
    }

    @Test("images of one repository are looked at together, a hundred ids in a call")
    func together() async throws {
        try await withBench { bench, view in
            let wanted = try fill(bench, 130)
            let holdings = try await view.look(at: wanted)
            #expect(holdings.count == 130)
            #expect(holdings.allSatisfy { $0.isComplete && $0.access == .notAccessible })
            #expect(Set(holdings.map(\.digest)).count == 130)
            #expect(asked(bench, "DescribeImages") == 2)
            // The indexes, and of each the manifest for linux/amd64.
            #expect(asked(bench, "BatchGetImage") == 4)
            #expect(asked(bench, "GetRepositoryPolicy") == 1)
            let blobs = Set(holdings.compactMap(\.platformDigest)).count
            #expect(asked(bench, "BatchCheckLayerAvailability") <= (blobs * 3 + 99) / 100)
        }
    }

    @Test("one that is missing, archived or without a layer does not hide the others")
    func apart() async throws {
        try await withBench { bench, view in
            var wanted = try fill(bench, 3)
            wanted.append(ECRView.Wanted(bench.location("org/tool", "none")))
            try bench.sandbox.ecr(
                "UpdateImageStorageClass",
                ["repositoryName": "org/tool", "imageId": ["imageTag": "1"], "targetStorageClass": "ARCHIVE"]
            )
            let whole = try await view.look(at: bench.location("org/tool", "2"))
            #expect(whole.isComplete)
            let holdings = try await view.look(at: wanted)
            #expect(holdings.map(\.presence) == [.held, .archived, .held, .noImage])
            #expect(holdings.map(\.isComplete) == [true, false, true, false])
            let nowhere = try await view.look(at: [ECRView.Wanted(bench.location("org/none", "1"))])
            #expect(nowhere.map(\.presence) == [.noRepository])
        }
    }

    @Test("one missing image among many is found by halves, not by a call for each")
    func halves() async throws {
        try await withBench { bench, view in
            var wanted = try fill(bench, 63)
            wanted.insert(ECRView.Wanted(bench.location("org/tool", "none")), at: 20)
            let holdings = try await view.look(at: wanted)
            #expect(holdings.map(\.presence).filter { $0 == .noImage }.count == 1)
            #expect(holdings[20].presence == .noImage)
            // The whole, and two for each of six halvings.
            #expect(asked(bench, "DescribeImages") == 13)
        }
    }

    @Test("without the permission to read or to change a policy the image is not lost: access is unknown, or told")
    func deniedPolicies() async throws {
        try await withBench { bench, _ in
            try bench.sandbox.putPrivateImage(ImageRecipe("tool"), repository: "org/tool", tags: ["1"])
            let preparation = RepositoryPreparation(ecr: bench.ecr)
            let location = bench.location("org/tool", "1")
            bench.sandbox.deny(["ecr:GetRepositoryPolicy"])
            let unread = try await preparation.grant(location)
            #expect(unread.access == .unknown && unread.change == nil)
            #expect(unread.reason?.contains("ecr:GetRepositoryPolicy") == true)
            let row = try bench.image("quay.io/org/tool:1", to: location)
            try bench.sandbox.putImage(ImageRecipe("tool"), registry: "quay.io", repository: "org/tool", tags: ["1"])
            guard case .ready(let holding) = await bench.cloner.clone(row).end else {
                Issue.record("it is there")
                return
            }
            #expect(holding.access == .unknown)
            bench.sandbox.deny(["ecr:SetRepositoryPolicy"])
            let unset = try await preparation.grant(location)
            #expect(unset.access == .notAccessible && unset.change == nil)
            #expect(unset.reason?.contains("ecr:SetRepositoryPolicy") == true)
        }
    }

    @Test("a statement for our account alone is enough, and is left as it is; one for another account is not widened")
    func conditionalPolicies() async throws {
        try await withBench { bench, _ in
            try bench.sandbox.putPrivateImage(ImageRecipe("tool"), repository: "org/tool", tags: ["1"])
            let location = bench.location("org/tool", "1")
            func policy(_ account: String) -> String {
                #"{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":{"Service":"omics.amazonaws.com"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringEquals":{"aws:SourceAccount":"\#(account)"}}}]}"#
            }
            let preparation = RepositoryPreparation(ecr: bench.ecr) {
                PolicyCircumstances(account: location.account, region: location.region, partition: .standard)
            }
            for (account, access) in [(location.account, HealthOmicsAccess.accessible), ("1", .notAccessible)] {
                let text = policy(account)
                try bench.sandbox.ecr(
                    "SetRepositoryPolicy",
                    ["repositoryName": "org/tool", "policyText": .string(text)]
                )
                let answer = try await preparation.grant(location)
                #expect(answer.access == access && answer.change == nil)
                #expect(answer.reason?.contains("`theirs`") == true)
                #expect(try await bench.ecr.getRepositoryPolicy(repositoryName: "org/tool") == text)
            }
        }
    }

    @Test(
        "a token is used as long as it holds, also a short one, and one whose end is not told or past",
        arguments: [(43_200.0, 39_600.0), (3600, 2700), (-1, 675), (nil, 675)] as [(Double?, Double)]
    )
    func tokens(lifetime: Double?, used: Double) async throws {
        let clock = ManualClock(start: Date(timeIntervalSince1970: 1_790_000_000))
        let end = lifetime.map { #","expiresAt":\#(1_790_000_000 + $0)"# } ?? ""
        let answer = ScriptedTransport.Step.answer(
            200,
            [],
            #"{"authorizationData":[{"authorizationToken":"QVdTOnB3"\#(end),"proxyEndpoint":"https://1.dkr.ecr.r.s/"}]}"#
        )
        let transport = ScriptedTransport([answer, answer])
        let home = HomeRegistry(account: "1", region: "r", suffix: "dkr.ecr.r.s")
        let client = ECRClient(
            client: AWSClient(
                endpoint: .init(service: "ecr", signingName: "ecr", url: "http://127.0.0.1:1"),
                region: "r",
                transport: transport,
                credentials: { _ in AWSCredentials(accessKeyID: "a", secretAccessKey: "b", provider: "test") },
                timeline: clock.timeline()
            )
        )
        let credentials = ECRCredentials(client: { _ in client }, home: { home }, now: { clock.now })
        #expect(try await credentials.endpoint(of: home.registry) == nil, "its own name, whatever slash it ends with")
        clock.advance(by: .seconds(used - 1))
        _ = try await credentials.credential(for: home.registry)
        #expect(transport.sent.count == 1)
        clock.advance(by: .seconds(2))
        _ = try await credentials.credential(for: home.registry)
        #expect(transport.sent.count == 2)
    }

    @Test("an archived image is absent, and comes back by being pushed again")
    func archived() async throws {
        try await withBench { bench, view in
            let source = "quay.io/org/tool:1"
            try bench.sandbox.putImage(ImageRecipe("tool"), registry: "quay.io", repository: "org/tool", tags: ["1"])
            let row = try bench.image(source, to: bench.location("org/tool", "1"))
            guard case .ready = await bench.cloner.clone(row).end else { throw CancellationError() }
            try bench.sandbox.ecr(
                "UpdateImageStorageClass",
                ["repositoryName": "org/tool", "imageId": ["imageTag": "1"], "targetStorageClass": "ARCHIVE"]
            )
            guard case .changed(let why)? = await bench.cloner.verify([row]).first else {
                Issue.record("it was not missed")
                return
            }
            #expect(why.contains("archived"))
            let again = await bench.cloner.clone(row)
            #expect(again.route == "copy")
            guard case .ready(let holding) = again.end else {
                Issue.record("\(again.end)")
                return
            }
            #expect(holding.isComplete)
            #expect(try await view.look(at: bench.location("org/tool", "1")).presence == .held)
        }
    }

    @Test("a repository is made as configured; who made it meanwhile is no failure")
    func creation() async throws {
        try await withBench { bench, _ in
            var settings = RepositorySettings()
            settings.mutability = .immutable
            settings.mutabilityExclusions = ["latest", "dev-*"]
            settings.kmsKey = "arn:aws:kms:us-east-1:123456789012:key/1"
            settings.tags = ["created-by": "preclone", "team": "genomics"]
            let preparation = RepositoryPreparation(ecr: bench.ecr)
            let location = bench.location("org/tool", "1")
            let made = try await preparation.create(location, settings: settings)
            #expect(made?.action == .repositoryCreated)
            #expect(made?.requestID?.isEmpty == false)
            let described = try bench.sandbox.ecr("DescribeRepositories", ["repositoryNames": ["org/tool"]])
            let repository = try #require(described["repositories"]?.array?.first)
            #expect(repository["imageTagMutability"]?.string == "IMMUTABLE_WITH_EXCLUSION")
            let filters = repository["imageTagMutabilityExclusionFilters"]?.array ?? []
            #expect(filters.map { $0["filter"]?.string } == ["latest", "dev-*"])
            #expect(repository["encryptionConfiguration"]?["kmsKey"]?.string == settings.kmsKey)
            let arn = repository["repositoryArn"] ?? .null
            let tags = try bench.sandbox.ecr("ListTagsForResource", ["resourceArn": arn])["tags"]?.array ?? []
            #expect(Set(tags.compactMap { $0["Key"]?.string }) == ["created-by", "team"])

            #expect(try await preparation.create(location, settings: settings) == nil, "it is there")
            // Somebody makes it between our look and our call.
            bench.sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "DescribeRepositories",
                    times: 1,
                    status: 400,
                    code: "RepositoryNotFoundException"
                )
            )
            let raced = try await preparation.create(location, settings: settings)
            #expect(raced == nil)
            #expect(asked(bench, "CreateRepository") == 2)
        }
    }

    @Test("an image that cannot be looked at rests, and keeps no other from its turn")
    func postponed() async throws {
        try await withBench { bench, _ in
            let old = Date(timeIntervalSinceNow: -200_000)
            for name in ["a", "b"] {
                try bench.sandbox.putPrivateImage(ImageRecipe(name), repository: "org/\(name)", tags: ["1"])
                let row = try bench.image("quay.io/org/\(name):1", to: bench.location("org/\(name)", "1"))
                let moment = AttemptMoment(now: old, random: 1, schedule: .standard, markAtStart: "", mark: "")
                try bench.ledger.finish(
                    row.id,
                    .ready(note: nil),
                    found: AttemptFindings(),
                    attempt: nil,
                    moment: moment
                )
            }
            bench.sandbox.add(
                Fault(
                    .error,
                    service: "ecr",
                    operation: "DescribeImages",
                    repository: "org/a",
                    status: 400,
                    code: "InvalidParameterException"
                )
            )
            let verifier = Verifier(
                ledger: bench.ledger,
                cloner: bench.cloner,
                timeline: bench.timeline,
                callsPerMinute: { 30 },
                reopened: {}
            )
            for _ in 0..<4 { _ = try await verifier.pass() }
            let verified = try bench.ledger.allImages().filter { ($0.verifiedAt ?? 0) > old.milliseconds }.map(\.source)
            #expect(verified == ["quay.io/org/b:1"])
            #expect(asked(bench, "DescribeImages") == 2)
        }
    }
}
