import Foundation
import Remotes
import Testing

@testable import Configuring
@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

@Suite struct ImagePolicyTests {
    private typealias Settings = Configuration.Policy
    private let now = Date(timeIntervalSince1970: 1_790_000_000)

    private func image(_ text: String) throws -> PolicyImage { PolicyImage(try ImageReference(text)) }

    private func globs(_ patterns: String...) -> [Glob] { patterns.compactMap { Glob($0) } }

    private func rule(
        _ name: String,
        _ action: Settings.RuleAction,
        reference: String? = nil,
        registry: String? = nil,
        _ change: (inout Settings.Rule) -> Void = { _ in }
    ) -> Settings.Rule {
        var rule = Settings.Rule(name: name, action: action)
        if let reference { rule.match.reference = globs(reference) }
        if let registry { rule.match.registry = globs(registry) }
        change(&rule)
        return rule
    }

    private func policy(_ fallback: Settings.Action, _ rules: Settings.Rule...) -> ImagePolicy {
        var settings = Settings()
        settings.default = fallback
        settings.rules = rules
        return ImagePolicy(settings, exempt: ["123456789012.dkr.ecr.eu-west-1.amazonaws.com"])
    }

    @Test func theFirstRuleThatAppliesDecides() throws {
        let policy = policy(
            .deny,
            rule("no latest", .deny, reference: "*:latest") { $0.reason = "pin a version" },
            rule("tools", .allow, registry: "quay.io") { $0.match.repository = self.globs("biocontainers/*") },
            rule("hub", .allow, reference: "docker.io/library/*")
        )
        let cases: [(String, PolicyDecision.Verdict, String)] = [
            ("quay.io/biocontainers/samtools:1.20", .allow, "tools"),
            ("quay.io/biocontainers/samtools:latest", .deny, "no latest"),
            ("quay.io/other/samtools:1.20", .deny, "default"),
            ("ubuntu:22.04", .allow, "hub"),
            ("broadinstitute/gatk:4", .deny, "default"),
            ("notquay.io/biocontainers/samtools:1", .deny, "default"),
        ]
        for (text, verdict, name) in cases {
            let decision = policy.decide(try image(text), now: now)
            #expect(decision.verdict == verdict, "\(text)")
            #expect(decision.rule == name, "\(text)")
            #expect(!decision.factsNeeded)
            #expect((decision.mend == nil) == decision.isAllowed)
        }
        #expect(policy.decide(try image("ubuntu"), now: now).reason == "pin a version")
    }

    @Test func aStarCrossesSlashesAndAGlobCoversTheWhole() throws {
        let policy = policy(.deny, rule("deep", .allow, reference: "ghcr.io/*/tool:1.?"))
        #expect(policy.decide(try image("ghcr.io/a/b/c/tool:1.2"), now: now).isAllowed)
        #expect(!policy.decide(try image("ghcr.io/a/b/c/tool:1.22"), now: now).isAllowed)
        #expect(!policy.decide(try image("ghcr.io/a/b/c/tools:1.2"), now: now).isAllowed)
    }

    @Test func presenceOfTagAndDigest() throws {
        let pinned = "quay.io/a/b@sha256:" + String(repeating: "a", count: 64)
        let policy = policy(
            .deny,
            rule("pinned", .allow) { $0.match.digest = .present },
            rule("versions", .allow) { $0.match.tag = .matching(self.globs("v*")) }
        )
        #expect(policy.decide(try image(pinned), now: now).rule == "pinned")
        #expect(policy.decide(try image("quay.io/a/b:v1"), now: now).rule == "versions")
        #expect(!policy.decide(try image("quay.io/a/b:1"), now: now).isAllowed)
        let untagged = self.policy(.allow, rule("untagged", .deny) { $0.match.tag = .absent })
        #expect(!untagged.decide(try image(pinned), now: now).isAllowed)
        #expect(untagged.decide(try image("quay.io/a/b:1"), now: now).isAllowed)
    }

    @Test(arguments: [
        "127.0.0.1:5000/a:1", "169.254.169.254/latest/meta:1", "10.1.2.3/a:1", "172.16.0.1/a:1", "192.168.1.1/a:1",
        "8.8.8.8/a:1", "[::1]:5000/a:1", "[fd00:ec2::254]/a:1", "localhost/a:1", "localhost:5000/a:1",
        "registry.localhost/a:1", "registry:5000/a:1", "metadata.google.internal/a:1", "nas.local/a:1",
        "0x7f.1/a:1", "2130706433:80/a:1", "017700000001:80/a:1", "127.1/a:1", "harbor.corp:8443/a:1",
        "localhost.localdomain/a:1", "host.docker.internal:5000/a:1", "0x7f000001:5000/a:1", "0177.0.0.1/a:1",
        "169.254.169.254:80/a:1", "[::ffff:169.254.169.254]/a:1", "instance-data:80/a:1",
    ])
    func privateRegistriesAreDenied(text: String) throws {
        let image = try image(text)
        for policy in [policy(.allow), policy(.allow, rule("all", .allow, reference: "*", registry: "*"))] {
            let decision = policy.decide(image, now: now)
            #expect(!decision.isAllowed)
            #expect(decision.rule == PolicyDecision.privateRegistries)
            #expect(decision.mend?.contains(image.registry) == true)
        }
        let named = policy(.allow, rule("ours", .allow, registry: image.registry))
        #expect(named.decide(image, now: now).rule == "ours")
    }

    @Test func aPrivateRegistryIsNamedByRegistryNotByRepository() throws {
        let image = try image("10.0.0.5/tools/ubuntu:1")
        #expect(!policy(.allow, rule("a", .allow, reference: "*ubuntu*")).decide(image, now: now).isAllowed)
        #expect(!policy(.allow, rule("a", .allow, reference: "*/tools/*")).decide(image, now: now).isAllowed)
        #expect(policy(.allow, rule("a", .allow, reference: "10.0.0.*/tools/*")).decide(image, now: now).isAllowed)
        // A rule for everything does not hide the one that names it, and a denial before it holds.
        let later = policy(.allow, rule("all", .allow), rule("named", .allow, registry: "10.0.0.5"))
        #expect(later.decide(image, now: now).rule == "named")
        let before = policy(.allow, rule("none", .deny), rule("named", .allow, registry: "10.0.0.5"))
        #expect(before.decide(image, now: now).rule == "none")
    }

    @Test func publicNamesAndTheOwnRegistryAreNotPrivate() throws {
        for text in ["quay.io/a:1", "ubuntu", "registry.example.com:5000/a:1", "1.2.3.4.example.com/a:1"] {
            #expect(policy(.allow).decide(try image(text), now: now).isAllowed, "\(text)")
        }
        let own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1"
        #expect(policy(.allow).decide(try image(own), now: now).isAllowed)
        var settings = Settings()
        settings.default = .allow
        let exempt = ImagePolicy(settings, exempt: ["127.0.0.1:4566"])
        #expect(exempt.decide(try image("127.0.0.1:4566/a:1"), now: now).isAllowed)
    }

    private func facts(size: Int64 = 100, layers: Int = 3, days: Double? = 100) -> ImageFacts {
        ImageFacts(
            size: size,
            layers: layers,
            created: days.map { now.addingTimeInterval(-$0 * 86_400) },
            platforms: ["linux/amd64", "linux/arm64/v8"]
        )
    }

    @Test func aDenialOnFactsWaitsForThem() throws {
        let policy = policy(
            .allow,
            rule("small", .deny) {
                $0.facts.maxSize = ByteCount(1000)
                $0.facts.maxLayers = 10
                $0.facts.minAgeDays = 7
            }
        )
        let image = try image("quay.io/a/b:1")
        let first = policy.decide(image, now: now)
        #expect(first.isAllowed && first.factsNeeded)
        #expect(policy.decide(image, facts: facts(), now: now).rule == "default")
        for (bad, word) in [
            (facts(size: 1001), "1001 bytes"), (facts(layers: 11), "11 layers"), (facts(days: 6.9), "6 days"),
            (facts(days: nil), "does not say"),
        ] {
            let decision = policy.decide(image, facts: bad, now: now)
            #expect(!decision.isAllowed && decision.rule == "small" && !decision.factsNeeded)
            #expect(decision.reason.contains(word))
        }
        #expect(policy.decide(image, facts: facts(size: 1000, layers: 10, days: 7), now: now).isAllowed)
    }

    @Test func anAllowanceOnFactsIsTriedBeforeTheDefaultDenies() throws {
        let policy = policy(
            .deny,
            rule("arm", .allow) { $0.facts.platform = "linux/arm64" },
            rule("tiny", .allow) { $0.facts.maxSize = ByteCount(10) }
        )
        let image = try image("quay.io/a/b:1")
        let first = policy.decide(image, now: now)
        #expect(first.isAllowed && first.factsNeeded && first.rule == "arm")
        #expect(policy.decide(image, facts: facts(), now: now).rule == "arm")
        var other = facts()
        other.platforms = ["linux/amd64"]
        let denied = policy.decide(image, facts: other, now: now)
        #expect(!denied.isAllowed && denied.rule == "default")
        #expect(denied.reason.contains("`arm`") && denied.reason.contains("`tiny`"))
    }

    @Test func noFactsAreAskedForWhenTheyCannotSaveTheImage() throws {
        let policy = policy(
            .deny,
            rule("big", .deny) { $0.facts.maxSize = ByteCount(10) },
            rule("none", .deny, registry: "quay.io")
        )
        let decision = policy.decide(try image("quay.io/a/b:1"), now: now)
        #expect(!decision.isAllowed && !decision.factsNeeded && decision.rule == "none")
    }

    @Test func theRateOfTheDecidingRuleIsHandedOn() throws {
        let rate = PolicyRate(max: 10, window: .seconds(60))
        let policy = policy(.allow, rule("slow", .allow, registry: "quay.io") { $0.rate = rate })
        #expect(policy.decide(try image("quay.io/a/b:1"), now: now).rate == rate)
        #expect(policy.decide(try image("ghcr.io/a/b:1"), now: now).rate == nil)
    }
}

@Suite struct RuleRateTests {
    private let rate = PolicyRate(max: 3, window: .seconds(60))
    private let start = Date(timeIntervalSince1970: 1_790_000_000)

    private func reserve(_ ledger: Ledger, _ seconds: Double, caller: String = "daemon") throws -> RuleAnswer {
        try ledger.reserve(rule: "r", rate: rate, caller: caller, now: start.addingTimeInterval(seconds))
    }

    @Test func neverMoreThanTheRateInAnyWindow() throws {
        let ledger = try Ledger()
        var generator = SplitMix(seed: 7)
        var granted: [Double] = []
        var time = 0.0
        for _ in 0..<400 {
            time += Double(generator.next() % 20_000) / 1000
            if case .reserved(let reservation) = try reserve(ledger, time) {
                granted.append(time)
                if generator.next() % 2 == 0 { try ledger.commit(reservation) }
            }
        }
        for (index, at) in granted.enumerated() where index >= 3 {
            #expect(at - granted[index - 3] >= 60)
        }
        #expect(granted.count > 100)
    }

    @Test func releasedPlacesAreFreeAndUncommittedOnesCount() throws {
        let ledger = try Ledger()
        guard case .reserved(let first) = try reserve(ledger, 0), case .reserved(let second) = try reserve(ledger, 1),
            case .reserved = try reserve(ledger, 2)
        else {
            Issue.record("three places are free")
            return
        }
        #expect(try reserve(ledger, 3) == .later(until: start.addingTimeInterval(60)))
        try ledger.release(first)
        guard case .reserved = try reserve(ledger, 4) else {
            Issue.record("the released place is free")
            return
        }
        // A committed place is not given back.
        try ledger.commit(second)
        try ledger.release(second)
        #expect(try reserve(ledger, 5) == .later(until: start.addingTimeInterval(61)))
    }

    @Test func callersHaveTheirOwnWindows() throws {
        let ledger = try Ledger()
        for second in 0..<3 { _ = try reserve(ledger, Double(second)) }
        guard case .reserved = try reserve(ledger, 3, caller: "user ann") else {
            Issue.record("another caller is not held up")
            return
        }
    }
}

/// A generator with a seed, so that a failing property test can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
