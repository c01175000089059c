import Foundation
import Names
import Record
import Remotes
import Testing

@testable import Configuring
@testable import Model
@testable import Precloning

/// Policy against an evaluator of its own, written from README alone: rules in order, the first that applies decides.
@Suite("Policy, by a second evaluator")
struct PolicyReferenceTests {
    private typealias Policy = Configuration.Policy
    private let now = Date(timeIntervalSince1970: 1_790_000_000)
    /// How many policies, each with five calls: PRECLONE_POLICIES names another number.
    private static let count = ProcessInfo.processInfo.environment["PRECLONE_POLICIES"].flatMap(Int.init) ?? 1_000

    // MARK: The second evaluator

    /// `*` is any text, `?` one character.
    private func covers(_ pattern: Substring, _ text: Substring) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            return covers(pattern.dropFirst(), text) || !text.isEmpty && covers(pattern, text.dropFirst())
        }
        guard let other = text.first, first == "?" || first == other else { return false }
        return covers(pattern.dropFirst(), text.dropFirst())
    }

    private func meets(_ globs: [Glob], _ text: String?) -> Bool {
        globs.isEmpty || text.map { text in globs.contains { covers(Substring($0.pattern), Substring(text)) } } ?? false
    }

    private func meets(_ part: Policy.Part, _ text: String?) -> Bool {
        switch part {
        case .any: true
        case .present: text != nil
        case .absent: text == nil
        case .matching(let globs): text != nil && meets(globs, text)
        }
    }

    private func keepsLimits(_ rule: Policy.Rule, _ facts: ImageFacts) -> Bool {
        if let size = rule.facts.maxSize, facts.size > size.bytes { return false }
        if let layers = rule.facts.maxLayers, facts.layers > layers { return false }
        if let budget = rule.budget, facts.size > budget.bytes.bytes { return false }
        return true
    }

    private func decide(_ policy: Policy, _ image: PolicyImage, _ facts: ImageFacts) -> (String, Bool, [String]) {
        var warned: [String] = []
        for rule in policy.rules {
            let match = rule.match
            guard meets(match.reference, image.reference), meets(match.registry, image.registry),
                meets(match.repository, image.repository), meets(match.tag, image.tag),
                meets(match.digest, image.digest),
                meets(match.caller, image.caller), meets(match.tool, image.tool),
                meets(match.destination, image.destination?.repository),
                meets(match.account, image.destination?.account), meets(match.region, image.destination?.region)
            else { continue }
            let hasLimits = !rule.facts.isEmpty
            switch rule.action {
            case .allow:
                if keepsLimits(rule, facts) { return (rule.name, true, warned) }
            case .deny:
                if !hasLimits || !keepsLimits(rule, facts) { return (rule.name, false, warned) }
            case .warn:
                if !hasLimits || !keepsLimits(rule, facts) { warned.append(rule.name) }
            }
        }
        return ("default", policy.default == .allow, warned)
    }

    /// A call of a tool: only rules that name tools, and those on images only where it is for one.
    private func decide(_ policy: Policy, _ tool: String, _ caller: Caller, _ image: PolicyImage?) -> (
        String?, Bool, [String]
    ) {
        if let agent = caller.agent {
            let grants = policy.agents.filter {
                meets([$0.name], agent) && meets($0.users, caller.userName) && !$0.users.isEmpty
            }
            guard grants.contains(where: { !$0.tools.isEmpty && meets($0.tools, tool) }) else {
                return ("agents", false, [])
            }
        }
        var warned: [String] = []
        for rule in policy.rules {
            let match = rule.match
            guard !match.tool.isEmpty, meets(match.tool, tool), meets(match.caller, caller.description) else {
                continue
            }
            let isOnImages =
                !(match.reference + match.registry + match.repository).isEmpty || match.tag != .any
                || match.digest != .any
            if isOnImages {
                guard let image, meets(match.reference, image.reference), meets(match.registry, image.registry),
                    meets(match.repository, image.repository), meets(match.tag, image.tag),
                    meets(match.digest, image.digest)
                else { continue }
            }
            switch rule.action {
            case .allow: return (rule.name, true, warned)
            case .deny: return (rule.name, false, warned)
            case .warn: warned.append(rule.name)
            }
        }
        return (nil, true, warned)
    }

    // MARK: Pairs of policy and call

    private func globs(_ words: [String], _ chance: inout SystemRandomNumberGenerator) -> [Glob] {
        guard Int.random(in: 0..<3, using: &chance) == 0 else { return [] }
        return (0..<Int.random(in: 1...2, using: &chance)).compactMap { _ in
            Glob(words: words.randomElement(using: &chance) ?? "*")
        }
    }

    private func rule(_ number: Int, _ chance: inout SystemRandomNumberGenerator) -> Policy.Rule {
        var rule = Policy.Rule(
            name: "r\(number)",
            action: Policy.RuleAction.allCases.randomElement(using: &chance) ?? .deny
        )
        rule.match.reference = globs(["*", "quay.io/*", "*:1", "docker.io/a/?", "*@sha256:*"], &chance)
        rule.match.registry = globs(["quay.io", "*.io", "ghcr.io", "?uay.io"], &chance)
        rule.match.repository = globs(["a/b", "a/*", "*/b", "library/*"], &chance)
        rule.match.caller = globs(["daemon", "user *", "user ann", "agent * of user *", "agent ci-?*"], &chance)
        rule.match.destination = globs(["quay/*", "mine/*", "*", "*b"], &chance)
        rule.match.account = globs(["123456789012", "1*"], &chance)
        rule.match.region = globs(["us-east-1", "eu-*"], &chance)
        rule.match.tag =
            [.any, .any, .present, .absent, .matching(globs(["1", "lat*"], &chance))].randomElement(using: &chance)
            ?? .any
        if case .matching(let list) = rule.match.tag, list.isEmpty { rule.match.tag = .any }
        if Int.random(in: 0..<4, using: &chance) == 0 {
            // Nothing of a place or of facts is known when a tool is called.
            rule.match.tool = globs(["*", "Clone*", "RetryImages", "List?CRRepositories"], &chance)
            if !rule.match.tool.isEmpty {
                (rule.match.destination, rule.match.account, rule.match.region) = ([], [], [])
                return rule
            }
        }
        if Int.random(in: 0..<4, using: &chance) == 0 { rule.facts.maxSize = ByteCount(parsing: "10B") }
        if Int.random(in: 0..<4, using: &chance) == 0 { rule.facts.maxLayers = 3 }
        if rule.action == .allow, Int.random(in: 0..<4, using: &chance) == 0, let bytes = ByteCount(parsing: "15B") {
            rule.budget = PolicyBudget(bytes: bytes, window: .seconds(60))
        }
        return rule
    }

    private func image(_ chance: inout SystemRandomNumberGenerator) throws -> PolicyImage {
        let names = [
            "quay.io/a/b:1", "quay.io/a/c:latest", "docker.io/a/b:1", "ubuntu:1",
            "ghcr.io/x/b@sha256:\(String(repeating: "a", count: 64))",
        ]
        var image = PolicyImage(try ImageReference(names.randomElement(using: &chance) ?? ""))
        image.caller =
            ["daemon", "user ann", "user bob", "agent ci-7 of user ann", nil].randomElement(using: &chance) ?? nil
        let repository = ["quay/a/b", "mine/b", "other/x", nil].randomElement(using: &chance) ?? nil
        image.destination = repository.map {
            HomeRegistry(account: "123456789012", region: "us-east-1", suffix: "dkr.ecr.us-east-1.amazonaws.com")
                .location($0, tag: "1", digest: nil)
        }
        return image
    }

    @Test("agrees over random policies and calls, with facts and before them")
    func pairs() throws {
        var chance = SystemRandomNumberGenerator()
        let agents: [Policy.Agent] = [
            .init(
                name: try #require(Glob("ci-*")),
                users: [try #require(Glob("ann"))],
                tools: [try #require(Glob("Clone*")), try #require(Glob("List*"))]
            )
        ]
        for _ in 0..<Self.count {
            var policy = Configuration.defaults.policy
            policy.default = Bool.random(using: &chance) ? .allow : .deny
            policy.rules = (0..<Int.random(in: 0...6, using: &chance)).map { rule($0, &chance) }
            policy.agents = Bool.random(using: &chance) ? agents : []
            let engine = ImagePolicy(policy)
            let tools = ToolPolicy(policy)
            for _ in 0..<5 {
                let image = try image(&chance)
                let tool =
                    ["CloneContainerToECR", "RetryImages", "ListECRRepositories"].randomElement(using: &chance) ?? ""
                let caller = Caller(
                    userID: 1,
                    userName: Bool.random(using: &chance) ? "ann" : "bob",
                    agent: [nil, "ci-7", "other"].randomElement(using: &chance) ?? nil
                )
                let about = Bool.random(using: &chance) ? image : nil
                let asked = decide(policy, tool, caller, about)
                let called = tools.decide(tool, caller: caller, image: about)
                try #require(
                    (called.rule, called.denial == nil) == (asked.0, asked.1)
                        && called.warnings.map(\.rule) == asked.2,
                    "\(policy.rules) \(tool) \(caller): \(called), not \(asked)"
                )
                // Rule by rule, the one that decided is named, and no other.
                let deciders = tools.lines(for: tool, caller: caller, image: about, decision: called)
                    .filter { $0.standing == .decides }.map(\.name)
                try #require(deciders == (asked.0 == "agents" ? [] : [asked.0].compactMap(\.self)))
                let early = engine.decide(image, now: now)
                for (size, layers) in [(5, 1), (12, 1), (20, 1), (5, 9), (20, 9)] {
                    let facts = ImageFacts(size: Int64(size), layers: layers, created: nil, platforms: ["linux/amd64"])
                    let expected = decide(policy, image, facts)
                    let found = engine.decide(image, facts: facts, now: now)
                    try #require(
                        (found.rule, found.isAllowed) == (expected.0, expected.1)
                            && found.warnings.map(\.rule) == expected.2,
                        "\(policy.rules) \(image) \(facts): \(found), not \(expected)"
                    )
                    // What is decided by the name alone stays so, whatever the facts are.
                    if !early.factsNeeded {
                        try #require(early.isAllowed == found.isAllowed, "\(policy.rules) \(image)")
                    }
                    if !early.isAllowed { try #require(!found.isAllowed, "\(policy.rules) \(image)") }
                }
            }
        }
    }

    @Test("a rule on tools decides when a tool is called, and nothing else")
    func tools() throws {
        var deny = Policy.Rule(name: "no clones by agents", action: .deny)
        deny.match.tool = [try #require(Glob("Clone*"))]
        deny.match.caller = [try #require(Glob(words: "agent *"))]
        var warn = Policy.Rule(name: "shadow", action: .warn)
        warn.match.tool = [try #require(Glob("*"))]
        var quay = Policy.Rule(name: "retries of quay", action: .deny)
        quay.match.tool = [try #require(Glob("RetryImages"))]
        quay.match.registry = [try #require(Glob("quay.io"))]
        var policy = Configuration.defaults.policy
        policy.rules = [warn, deny, quay]
        policy.agents = [
            .init(name: try #require(Glob("*")), users: [try #require(Glob("ann"))], tools: [try #require(Glob("*"))])
        ]
        let tools = ToolPolicy(policy)
        let ann = Caller(userID: 1, userName: "ann")
        let agent = Caller(userID: 1, userName: "ann", agent: "ci")
        let image = PolicyImage(try ImageReference("quay.io/a/b:1"))
        #expect(tools.decide("CloneContainerToECR", caller: ann, image: image).denial == nil)
        #expect(tools.decide("CloneContainerToECR", caller: agent, image: image).rule == "no clones by agents")
        #expect(tools.decide("CloneContainerToECR", caller: agent, image: nil).denial != nil)
        #expect(tools.decide("RetryImages", caller: ann, image: image).rule == "retries of quay")
        #expect(tools.decide("RetryImages", caller: ann, image: nil).denial == nil)
        #expect(tools.decide("RetryImages", caller: ann, image: nil).warnings.map(\.rule) == ["shadow"])
        // Bob may not speak for it at all.
        #expect(
            tools.decide("RetryImages", caller: Caller(userID: 2, userName: "bob", agent: "ci"), image: nil).denial
                != nil
        )
        #expect(ImagePolicy(policy).decide(image, now: now).rule == "default")
    }
}

@Suite("Budgets of bytes")
struct PolicyBudgetTests {
    private let start = Date(timeIntervalSince1970: 1_790_000_000)

    @Test("are per caller, slide, and are given back when nothing moved")
    func budget() throws {
        let ledger = try Ledger()
        let budget = PolicyBudget(bytes: try #require(ByteCount(parsing: "100B")), window: .seconds(60))
        func reserve(_ bytes: Int64, _ caller: String, at second: Double) throws -> RuleAnswer {
            try ledger.reserve(
                rule: "r",
                rate: nil,
                budget: budget,
                bytes: bytes,
                caller: caller,
                now: start.addingTimeInterval(second)
            )
        }
        func held(_ answer: RuleAnswer) throws -> RuleReservation {
            guard case .reserved(let place) = answer else { throw LedgerError("waits: \(answer)") }
            return place
        }
        try ledger.commit(try held(reserve(40, "user ann", at: 0)))
        let second = try held(reserve(50, "user ann", at: 10))
        // The first 40 are enough to leave room for 20.
        #expect(try reserve(20, "user ann", at: 20) == .later(until: start.addingTimeInterval(60)))
        // For 60 the second must leave too.
        #expect(try reserve(60, "user ann", at: 20) == .later(until: start.addingTimeInterval(70)))
        _ = try held(reserve(100, "user bob", at: 20))
        try ledger.release(second)
        _ = try held(reserve(60, "user ann", at: 20))
        #expect(try reserve(1, "user ann", at: 59.9) == .later(until: start.addingTimeInterval(60)))
        _ = try held(reserve(40, "user ann", at: 60.1))
    }
}
