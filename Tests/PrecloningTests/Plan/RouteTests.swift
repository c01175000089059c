import Foundation
import Model
import Names
import Testing

@testable import Precloning

/// The planner's second function, fact by fact.
@Suite("The route of an image")
struct RouteTests {
    private static let home = HomeRegistry(
        account: "111122223333",
        region: "us-east-1",
        suffix: "dkr.ecr.us-east-1.amazonaws.com"
    )
    private static let held = Digest.of(Array("held".utf8))
    static let named = Digest.of(Array("named".utf8))
    private static let now = Date(timeIntervalSince1970: 1_790_000_000)
    private static let later = now.addingTimeInterval(600)
    private static let rule = PullThroughCacheRule(ecrRepositoryPrefix: "quay", upstreamRegistryUrl: "quay.io")

    private func place(
        _ source: String? = "quay.io/org/tool:1",
        tag: String? = "1",
        digest: Digest? = nil,
        rule: PullThroughCacheRule? = nil,
        isOurs: Bool = true
    ) throws -> Destination {
        Destination(
            source: try source.map { try ImageReference($0) },
            location: Self.home.location(
                "quay/org/tool",
                account: isOurs ? nil : "999999999999",
                tag: tag,
                digest: digest
            ),
            basis: .asWritten,
            rule: rule,
            isOurs: isOurs
        )
    }

    private func holding(_ presence: ECRHolding.Presence = .held, missing: Int = 0, platform: Bool = true) -> ECRHolding
    {
        var holding = ECRHolding(presence)
        if presence == .held || presence == .archived { holding.digest = Self.held }
        if presence == .held, platform { holding.platformDigest = Self.held }
        holding.missingBlobs = (0..<missing).map { Digest.of(Array("\($0)".utf8)) }
        return holding
    }

    private func facts(_ holding: ECRHolding, _ change: (inout RouteFacts) -> Void = { _ in }) -> RouteFacts {
        var facts = RouteFacts(holding: holding, midnight: Self.later)
        change(&facts)
        return facts
    }

    private func route(_ destination: Destination, _ facts: RouteFacts, _ urgency: Urgency = .version) -> String {
        switch Planner.route(destination, facts: facts, urgency: urgency) {
        case .copy(let takesWhole, _): takesWhole ? "copy whole" : "copy"
        case .refused(let refusal): "refused \(refusal.failureClass.rawValue)"
        case let route: route.name
        }
    }

    private var nowhere: [ECRHolding] {
        [holding(.noRepository), holding(.noImage), holding(.archived), holding(missing: 1), holding(platform: false)]
    }

    // MARK: What is not there, or not whole

    @Test("not there, archived, damaged or without linux/amd64: brought, by what leads there")
    func brought() throws {
        for holding in nowhere {
            let facts = facts(holding)
            #expect(route(try place(), facts) == "copy")
            #expect(
                route(try place("quay.io/org/tool:1@\(Self.named)"), facts) == "copy whole",
                "an index holds together"
            )
            #expect(route(try place(rule: Self.rule), facts) == "pullThrough")
            #expect(
                route(try place("quay.io/org/tool@\(Self.named)", tag: nil, rule: Self.rule), facts) == "copy whole"
            )
            #expect(route(try place(nil), facts) == "refused notFound")
            #expect(route(try place(isOurs: false), facts) == "refused notFound")
        }
    }

    @Test("a rule that cannot serve is gone around, whole, and its fault is said")
    func faultyRule() throws {
        let facts = facts(holding(.noImage)) { $0.ruleFault = "no permission" }
        guard
            case .copy(takesWhole: true, let why) = Planner.route(
                try place(rule: Self.rule),
                facts: facts,
                urgency: .run
            )
        else {
            Issue.record("it is copied")
            return
        }
        #expect(why == "no permission")
    }

    @Test("a denial holds for whatever would be brought, before every wait")
    func denied() throws {
        let denial = Refusal(.policy, reason: "no", mend: "ask", rule: "r")
        for holding in nowhere {
            let facts = facts(holding) {
                $0.denial = denial
                $0.sourcePausedUntil = (Self.later, why: "rest")
                $0.bytesLeftToday = 0
            }
            #expect(Planner.route(try place(), facts: facts, urgency: .run) == .refused(denial))
            #expect(Planner.route(try place(rule: Self.rule), facts: facts, urgency: .run) == .refused(denial))
        }
        let present = facts(holding()) {
            $0.denial = denial
            $0.comparison = .known
        }
        #expect(route(try place(), present) == "present", "what is there is not taken away")
    }

    @Test("a source that rests is waited for, whatever the urgency")
    func paused() throws {
        for urgency in [Urgency.run, .person, .version, .refresh] {
            let facts = facts(holding(.noImage)) { $0.sourcePausedUntil = (Self.later, why: "rest") }
            for destination in [try place(), try place(rule: Self.rule)] {
                #expect(
                    Planner.route(destination, facts: facts, urgency: urgency) == .later(until: Self.later, why: "rest")
                )
                #expect(route(destination, facts.unhindered) != "later")
            }
            #expect(route(try place(nil), facts) == "refused notFound", "it has no source")
        }
    }

    @Test(
        "the day's bytes hold back what nobody waits for",
        arguments: [
            (Urgency.run, Int64(0), "copy"), (.person, 0, "copy"), (.version, 0, "later"), (.refresh, -5, "later"),
            (.version, 1, "copy"), (.refresh, 1, "copy"),
        ]
    )
    func bytes(urgency: Urgency, left: Int64, wanted: String) throws {
        let facts = facts(holding(.noImage)) { $0.bytesLeftToday = left }
        #expect(route(try place(), facts, urgency) == wanted)
        #expect(route(try place(), facts.unhindered, urgency) == "copy")
    }

    // MARK: What is there and whole

    @Test("nothing to compare with: ECR alone knows it")
    func privateOnly() throws {
        #expect(route(try place(nil), facts(holding())) == "present")
        #expect(route(try place(nil, isOurs: false), facts(holding())) == "present")
    }

    @Test("the pinned digest is the expected one, and no other")
    func pinned() throws {
        for digest in [Self.held, Self.named] {
            let byTag = try place("quay.io/org/tool:1@\(digest)")
            let byDigest = try place("quay.io/org/tool@\(digest)", tag: nil, digest: digest)
            let wanted = digest == Self.held ? "present" : "copy whole"
            #expect(route(byTag, facts(holding())) == wanted)
            #expect(route(byDigest, facts(holding())) == wanted)
            // Its other form, as when the index is pinned and its child is held.
            #expect(route(byTag, facts(holding()) { $0.comparison = .same(Self.named) }) == wanted)
        }
    }

    @Test(
        "by tag: the comparison decides",
        arguments: [
            (Comparison.same(RouteTests.named), false, false, "present"),
            (.same(RouteTests.named), true, true, "present"),
            (.known, false, false, "present"), (.known, true, false, "present"), (.known, true, true, "copy"),
            (.gone, true, true, "present"), (.other(RouteTests.named), false, false, "present"),
            (.other(RouteTests.named), true, false, "copy"), (.other(RouteTests.named), true, true, "copy"),
        ] as [(Comparison, Bool, Bool, String)]
    )
    func compared(comparison: Comparison, follows: Bool, isMoved: Bool, wanted: String) throws {
        let facts = facts(holding()) {
            $0.comparison = comparison
            $0.follows = follows
            $0.isMoved = isMoved
        }
        #expect(route(try place(), facts) == wanted)
    }

    @Test("not compared since its source rests: it waits, and says that it is there")
    func notCompared() throws {
        let facts = facts(holding()) { $0.sourcePausedUntil = (Self.later, why: "rest") }
        guard case .later(Self.later, let why) = Planner.route(try place(), facts: facts, urgency: .run) else {
            Issue.record("it waits")
            return
        }
        #expect(why.contains("is there") && why.contains("rest"))
    }

    // MARK: Another's place

    private func claims(_ change: (inout PlaceClaims) -> Void) -> PlaceClaims {
        var claims = PlaceClaims()
        change(&claims)
        return claims
    }

    @Test("another's image, or a person's place, is no place for this one; its own older one is")
    func conflicts() throws {
        let held = claims { $0.holder = "quay.io/org/a:1" }
        let wanted = claims {
            $0.holder = "quay.io/org/a:1"
            $0.isHolderWanted = true
        }
        let rival = claims { $0.rivals = ["quay.io/org/a:1"] }
        let explicit = claims { $0.isExplicit = true }
        let own = claims {
            $0.isOwn = true
            $0.isExplicit = true
            $0.rivals = ["quay.io/org/a:1"]
        }
        let table: [(PlaceClaims, follows: Bool, String)] = [
            (held, false, "refused conflict"), (held, true, "copy"),
            (wanted, false, "refused conflict"), (wanted, true, "refused conflict"),
            (rival, false, "refused conflict"), (rival, true, "copy"),
            (explicit, false, "refused conflict"), (explicit, true, "refused conflict"),
            (own, false, "present"), (own, true, "copy"),
        ]
        for (claims, follows, wanted) in table {
            let facts = facts(holding()) {
                $0.comparison = .other(Self.named)
                $0.claims = claims
                $0.follows = follows
            }
            #expect(route(try place(), facts) == wanted, "\(claims) \(follows)")
            guard case .refused(let refusal) = Planner.route(try place(), facts: facts, urgency: .run) else { continue }
            for word in [Self.held.description, Self.named.description, "quay.io/org/tool:1"] {
                #expect(refusal.reason.contains(word), "\(refusal.reason)")
            }
            if claims.holder != nil || !claims.rivals.isEmpty { #expect(refusal.reason.contains("quay.io/org/a:1")) }
            #expect(!refusal.mend.isEmpty)
        }
        for comparison in [Comparison.same(Self.named), .known, .gone] {
            let facts = facts(holding()) {
                $0.comparison = comparison
                $0.claims = wanted
            }
            #expect(route(try place(), facts) == "present", "the same image has no rivals")
        }
    }

    @Test("a place of another's that is damaged is not taken over either")
    func damagedConflict() throws {
        for holding in [holding(.archived), holding(missing: 1)] {
            let facts = facts(holding) {
                $0.comparison = .other(Self.named)
                $0.claims.isExplicit = true
            }
            #expect(route(try place(), facts) == "refused conflict")
        }
    }
}
