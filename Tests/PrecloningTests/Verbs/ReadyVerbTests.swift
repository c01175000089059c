import Foundation
import Remotes
import Sandbox
import Synchronization
import TestSupport
import Testing

@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

@Suite("The gate before a run")
struct ReadyVerbTests {
    private static let ours = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

    private static func demand(_ image: String, at repository: String, tag: String = "1") -> PlannedDemand {
        PlannedDemand(
            source: "quay.io/\(image)",
            destination: "\(ours)/\(repository):\(tag)",
            registry: "quay.io",
            mention: image,
            certainty: "certain"
        )
    }

    private static func whole() throws -> ECRHolding {
        var holding = ECRHolding(.held)
        holding.digest = try Digest("sha256:" + String(repeating: "a", count: 64))
        holding.platformDigest = holding.digest
        holding.access = .accessible
        return holding
    }

    /// ECR as a list of answers, one for each look; the last one holds on.
    private final class Looks: ECRLook {
        private let answers: Mutex<[ECRLookResult]>

        init(_ answers: [ECRLookResult]) { self.answers = Mutex(answers) }

        func holdings(at wanted: [ECRView.Wanted]) async throws -> [ECRLookResult] {
            let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return wanted.map { _ in answer }
        }
    }

    /// ECR that does not answer.
    private struct Silence: ECRLook {
        let timeline: Timeline

        func holdings(at wanted: [ECRView.Wanted]) async throws -> [ECRLookResult] {
            try await timeline.sleep(.seconds(1_000_000))
            return []
        }
    }

    /// A desk that gives one answer for everything, and counts how often it was asked.
    private final class Desk: GateDesk {
        let asked = Counter()
        private let state: ImageState?

        init(_ state: ImageState?) { self.state = state }

        func bring(_ demands: [PlannedDemand], until end: Duration) async throws -> [CloneResult?] {
            asked.add()
            return demands.map { demand in
                guard let state else { return nil }
                var result = CloneResult(
                    refused: demand.source,
                    registry: demand.registry,
                    Refusal(.notFound, reason: "quay.io has no such image", mend: "push it"),
                    elapsed: 0
                )
                result.state = state
                return result
            }
        }
    }

    @Test("without a wait it looks once, and asks for nothing")
    func look() async throws {
        let needs = ReadyNeeds(label: "workflow 1", demands: [Self.demand("a/b:1", at: "quay/a/b")])
        let clock = ManualClock()
        let there = ReadyVerb(look: Looks([.holding(try Self.whole())]), desk: nil, timeline: clock.timeline())
        let answer = try await there(needs)
        #expect(answer.isReady && answer.verdict(isStrict: true) == .ready)
        #expect(answer.sentence == "workflow 1: 1 of 1 ready")
        let gone = ReadyVerb(look: Looks([.holding(ECRHolding(.noImage))]), desk: nil, timeline: clock.timeline())
        let missing = try await gone(needs)
        #expect(missing.verdict(isStrict: false) == .notYet)
        #expect(missing.images.map(\.state) == [.missing])
        #expect(missing.images[0].reason?.contains("no such image") == true)
        let unknown = ReadyVerb(look: Looks([.unknown("ECR throttles")]), desk: nil, timeline: clock.timeline())
        #expect(try await unknown(needs).images.map(\.state) == [.unknown])
        #expect(try await unknown(needs).verdict(isStrict: false) == .notYet)
    }

    @Test("what is missing is asked for, and looked at again before it is called ready")
    func brings() async throws {
        let needs = ReadyNeeds(label: "run 1", demands: [Self.demand("a/b:1", at: "quay/a/b")])
        let clock = ManualClock()
        let desk = Desk(.ready)
        let looks = Looks([.holding(ECRHolding(.noRepository)), .holding(try Self.whole())])
        let verb = ReadyVerb(look: looks, desk: desk, timeline: clock.timeline())
        let answer = try await verb(needs, wait: .seconds(60))
        #expect(answer.isReady)
        #expect(desk.asked.value == 1)
        // An answer that ECR does not bear out is no answer.
        let liar = ReadyVerb(
            look: Looks([.holding(ECRHolding(.noImage))]),
            desk: Desk(.ready),
            timeline: clock.timeline()
        )
        async let never = liar(needs, wait: .seconds(60))
        for _ in 0..<60 {
            await clock.waitForSleepers(2)
            clock.advance(by: .seconds(1))
        }
        let missing = try await never
        #expect(!missing.isReady && missing.verdict(isStrict: false) == .notYet)
    }

    @Test("what needs a person ends the wait with 4, what nothing leads to a place is never asked for")
    func blocked() async throws {
        var unmapped = Self.demand("c/d:1", at: "x")
        unmapped.destination = ""
        unmapped.refusal = Refusal(.unmapped, reason: "no mapping reaches it", mend: "add one")
        let needs = ReadyNeeds(label: "run 1", demands: [Self.demand("a/b:1", at: "quay/a/b"), unmapped])
        let desk = Desk(.blocked)
        let verb = ReadyVerb(
            look: Looks([.holding(ECRHolding(.noImage))]),
            desk: desk,
            timeline: ManualClock().timeline()
        )
        let answer = try await verb(needs, wait: .seconds(60))
        #expect(answer.images.map(\.state) == [.blocked, .blocked])
        #expect(answer.images.map(\.reason) == ["quay.io has no such image; push it", "no mapping reaches it"])
        #expect(answer.verdict(isStrict: false) == .cannotBe)
        #expect(desk.asked.value == 1)
    }

    @Test("a mention that cannot be known is named, and counts with --strict; what is not known is never ready")
    func unknown() async throws {
        var needs = ReadyNeeds(
            label: "run 1",
            demands: [],
            unresolved: [UnresolvedDemand(place: "main.wdl:3", expression: "image", missing: "no default", tasks: [])]
        )
        let verb = ReadyVerb(look: Looks([.holding(try Self.whole())]), desk: nil, timeline: ManualClock().timeline())
        let answer = try await verb(needs)
        #expect(answer.verdict(isStrict: false) == .ready)
        #expect(answer.verdict(isStrict: true) == .cannotBe)
        needs.trouble = "HealthOmics does not answer"
        #expect(try await verb(needs).verdict(isStrict: false) == .notYet)
        needs.isTroubleFinal = true
        #expect(try await verb(needs).verdict(isStrict: false) == .cannotBe)
    }

    @Test("it never waits beyond its end, whatever does not answer", arguments: [0, 30])
    func silence(wait: Int) async throws {
        let clock = ManualClock()
        let verb = ReadyVerb(
            look: Silence(timeline: clock.timeline()),
            desk: Desk(nil),
            timeline: clock.timeline()
        )
        let needs = ReadyNeeds(label: "run 1", demands: [Self.demand("a/b:1", at: "quay/a/b")])
        async let asked = verb(needs, wait: .seconds(wait))
        await clock.waitForSleepers(2)
        clock.advance(by: .seconds(wait == 0 ? 120 : wait))
        let answer = try await asked
        #expect(answer.images.map(\.state) == [.unknown])
        #expect(answer.verdict(isStrict: false) == .notYet)
    }

    // MARK: Against the sandbox

    private static let rounds = ProcessInfo.processInfo.environment["PRECLONE_READY_ROUNDS"].flatMap(Int.init) ?? 150

    /// What happens to an image in ECR, and whether a run can pull it then.
    private enum Situation: CaseIterable {
        case whole, index, absent, noRepository, lacksLayer, archived, armAlone, noPolicy, denied, otherAccount,
            ownAccount

        var isPullable: Bool { [.whole, .index, .ownAccount].contains(self) }
    }

    private static func policy(_ condition: String = "", effect: String = "Allow") -> SandboxJSON {
        .string(
            """
            {"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"\(effect)","Principal":{"Service":\
            "omics.amazonaws.com"},"Action":"ecr:*"\(condition)}]}
            """
        )
    }

    private static func make(_ situation: Situation, _ repository: String, _ sandbox: Sandbox) throws {
        guard situation != .noRepository else { return }
        let platforms =
            switch situation {
            case .index: ["linux/amd64", "linux/arm64"]
            case .armAlone: ["linux/arm64"]
            default: ["linux/amd64"]
            }
        let image = try sandbox.putPrivateImage(
            ImageRecipe(repository, platforms: platforms),
            repository: repository,
            tags: [situation == .absent ? "2" : "1"]
        )
        let name = SandboxJSON.string(repository)
        switch situation {
        case .noPolicy: return
        case .denied:
            try sandbox.ecr("SetRepositoryPolicy", ["repositoryName": name, "policyText": policy(effect: "Deny")])
            return
        case .otherAccount, .ownAccount:
            let account = situation == .ownAccount ? "123456789012" : "999999999999"
            let condition = #","Condition":{"StringEquals":{"aws:SourceAccount":"\#(account)"}}"#
            try sandbox.ecr("SetRepositoryPolicy", ["repositoryName": name, "policyText": policy(condition)])
        default:
            try sandbox.ecr("SetRepositoryPolicy", ["repositoryName": name, "policyText": policy()])
        }
        switch situation {
        case .lacksLayer:
            let layer = try #require(image.blobSizes.keys.min())
            sandbox.dropLayer(layer, repository: repository)
        case .archived:
            try sandbox.ecr(
                "UpdateImageStorageClass",
                [
                    "repositoryName": name, "imageId": ["imageDigest": .string(image.root)],
                    "targetStorageClass": "ARCHIVE",
                ]
            )
        default: break
        }
    }

    @Test("it says 0 exactly when a run that starts now finds every image, in situations of all kinds")
    func situations() async throws {
        try await withSandbox { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger())
            let account = bench.cloner.account
            let view = ECRView(ecr: bench.ecr, circumstances: account.policyCircumstances) { location, descriptor in
                try await bench.registries.client(for: location.registry).readBlob(location.repository, descriptor)
            }
            let verb = ReadyVerb(look: view, desk: nil, timeline: .system)
            var number = 0
            var outcomes: [Bool: Int] = [:]
            for round in 0..<Self.rounds {
                // Mostly of one image, so that a round is ready often enough.
                let situations = (0..<(1 + round % 3)).map { place in
                    let all = Situation.allCases
                    return place == 0
                        ? all[round % all.count] : round.isMultiple(of: 2) ? .whole : all[round / 3 % all.count]
                }
                var demands: [PlannedDemand] = []
                for situation in situations {
                    number += 1
                    let repository = "org/tool\(number)"
                    try Self.make(situation, repository, sandbox)
                    demands.append(Self.demand("tool\(number)", at: repository))
                }
                let answer = try await verb(ReadyNeeds(label: "round \(round)", demands: demands))
                let isReady = answer.verdict(isStrict: false) == .ready
                let expected = situations.allSatisfy(\.isPullable)
                #expect(isReady == expected, "\(situations): \(answer.images)")
                outcomes[expected, default: 0] += 1
            }
            #expect(outcomes[true, default: 0] > 0 && outcomes[false, default: 0] > 0)
            try await bench.transport.shutdown()
        }
    }

    @Test("one DescribeImages for a hundred images of a repository, and no pull once their manifests are known")
    func cost() async throws {
        try await withSandbox { sandbox in
            let ledger = try Ledger()
            let bench = try CloneBench(sandbox, ledger: ledger)
            for number in 0..<130 {
                try sandbox.putPrivateImage(
                    ImageRecipe("tool \(number)", platforms: ["linux/amd64"]),
                    repository: "org/tool",
                    tags: ["\(number)"]
                )
            }
            try sandbox.ecr("SetRepositoryPolicy", ["repositoryName": "org/tool", "policyText": Self.policy()])
            let demands = (0..<130).map { Self.demand("tool:\($0)", at: "org/tool", tag: "\($0)") }
            func ask() async throws -> ReadyAnswer {
                let view = ECRView(
                    ecr: bench.ecr,
                    manifests: LedgerManifests(ledger: ledger, timeline: .system)
                ) { location, descriptor in
                    try await bench.registries.client(for: location.registry).readBlob(location.repository, descriptor)
                }
                return try await ReadyVerb(look: view, desk: nil, timeline: .system)(
                    ReadyNeeds(label: "workflow 1", demands: demands)
                )
            }
            #expect(try await ask().ready == 130)
            sandbox.forgetRequests()
            #expect(try await ask().ready == 130)
            #expect(sandbox.requests.counts["ecr/DescribeImages"] == 2)
            #expect(sandbox.requests.counts["ecr/BatchGetImage"] == nil)
            #expect(sandbox.requests.counts["ecr/GetRepositoryPolicy"] == 2)
            try await bench.transport.shutdown()
        }
    }
}
