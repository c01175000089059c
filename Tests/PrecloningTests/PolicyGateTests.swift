import Foundation
import Remotes
import TestSupport
import Testing

@testable import Configuring
@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

@Suite struct PolicyGateTests {
    private let clock = ManualClock()
    private let ledger: Ledger
    private let home = HomeRegistry(
        account: "123456789012",
        region: "eu-west-1",
        suffix: "dkr.ecr.eu-west-1.amazonaws.com"
    )
    private let facts = ImageFacts(size: 100, layers: 1, created: nil, platforms: ["linux/amd64"])

    init() throws { ledger = try Ledger() }

    private func gate(_ rules: Configuration.Policy.Rule...) -> PolicyGate {
        var configuration = Configuration.defaults
        configuration.policy.rules = rules
        return PolicyGate(
            settings: Settings(configuration),
            record: ledger,
            now: { [clock] in clock.now }
        )
    }

    private func rule(
        _ name: String,
        _ action: Configuration.Policy.RuleAction,
        rate: Int? = nil,
        maxSize: Int64? = nil
    ) -> Configuration.Policy.Rule {
        var rule = Configuration.Policy.Rule(name: name, action: action)
        rule.rate = rate.map { PolicyRate(max: $0, window: .seconds(60)) }
        rule.facts.maxSize = maxSize.map { ByteCount($0) }
        return rule
    }

    private var audited: [AuditEntry] {
        get throws { try RecordReader(ledger).audit(since: .distantPast, after: 0).entries }
    }

    private func begin(_ gate: PolicyGate, _ tag: String, caller: String = "daemon") throws
        -> PolicyTicket
    {
        let ticket = PolicyTicket(caller: caller)
        try gate.begin(
            try ImageReference("quay.io/a/b:\(tag)"),
            destination: "d",
            ticket: ticket,
            home: home
        )
        return ticket
    }

    @Test func ratesArePerCallerAndOnlyUsedPlacesCount() throws {
        let gate = gate(rule("slow", .allow, rate: 2))
        let first = try begin(gate, "1")
        let second = try begin(gate, "2")
        #expect(throws: PolicyGate.RateReached(rule: "slow", until: clock.now.addingTimeInterval(60))) {
            try begin(gate, "3")
        }
        #expect(try begin(gate, "3", caller: "user ann").isReserved)
        gate.end(first, wasUsed: false)
        let third = try begin(gate, "3")
        gate.end(second, wasUsed: true)
        gate.end(second, wasUsed: false)
        gate.end(third, wasUsed: true)
        #expect(throws: PolicyGate.RateReached.self) { try begin(gate, "4") }
        clock.advance(by: .seconds(60))
        #expect(try begin(gate, "4").isReserved)
    }

    @Test func aDecisionIsAuditedWhenItIsNew() throws {
        let allowing = gate(rule("yes", .allow))
        for caller in ["daemon", "user ann", "daemon", "user ann"] { _ = try begin(allowing, "1", caller: caller) }
        let denying = gate(rule("no", .deny))
        _ = try begin(denying, "1")
        let entries = try audited
        // Each caller's is a decision of its own.
        #expect(entries.map(\.caller) == ["daemon", "user ann", "daemon"])
        #expect(entries.map(\.rule) == ["yes", "yes", "no"])
        #expect(entries.map(\.after) == ["allow", "allow", "deny"])
        #expect(entries[2].before == "allow" && entries[2].source == "quay.io/a/b:1")
    }

    @Test func whatIsOpenIsDecidedAndCountedWithTheFacts() async throws {
        let gate = gate(rule("small", .allow, rate: 1, maxSize: 100), rule("big", .deny))
        let source = try ImageReference("quay.io/a/b:1")
        let decision = try await gate.byName(
            source,
            destination: home.location("quay/a/b", tag: "1", digest: nil),
            caller: "daemon",
            home: home
        )
        #expect(decision.factsNeeded && decision.denial == nil)
        let ticket = try begin(gate, "1")
        #expect(try audited.isEmpty && !ticket.isReserved)
        #expect(
            try gate.byFacts(source, facts: facts, destination: "d", ticket: ticket, home: home) == nil
        )
        #expect(ticket.isReserved && ticket.rule == "small")
        var large = facts
        large.size = 101
        let denial = try gate.byFacts(
            try ImageReference("quay.io/a/b:2"),
            facts: large,
            destination: "d",
            ticket: PolicyTicket(caller: "daemon"),
            home: home
        )
        #expect(denial?.rule == "big" && denial?.failureClass == .policy)
        #expect(throws: PolicyGate.RateReached.self) {
            try gate.byFacts(
                source,
                facts: facts,
                destination: "d",
                ticket: PolicyTicket(caller: "daemon"),
                home: home
            )
        }
        #expect(try audited.map(\.rule) == ["small", "big"])
    }
}

@Suite struct ImageRetryScheduleTests {
    private let schedule = ImageRetrySchedule(
        base: .seconds(30),
        ceiling: .seconds(3600),
        attempts: 12,
        total: .seconds(259_200)
    )
    private let now = Date(timeIntervalSince1970: 1_790_000_000)

    private func decide(
        _ failure: FailureClass,
        attempts: Int = 0,
        first: TimeInterval? = nil,
        failures: Int = 0,
        retryAfter: Duration? = nil,
        random: Double = 1,
        _ change: (inout CloneFailure) -> Void = { _ in }
    ) -> ImageRetrySchedule.Decision {
        var failed = CloneFailure(failure, message: "m", mend: "m")
        failed.retryAfter = retryAfter
        change(&failed)
        var image = ImageStanding()
        image.attempts = attempts
        image.firstAttemptAt = first.map { now.addingTimeInterval($0) }
        image.failures = failures
        let moment = ImageMoment(now: now, random: random, urgency: .version, schedule: schedule)
        return schedule.decide(failed, image, urgency: .version, moment)
    }

    private func wait(_ decision: ImageRetrySchedule.Decision) -> TimeInterval {
        decision.due.timeIntervalSince(now)
    }

    @Test func waitsDoubleToTheCeilingWithFullJitter() {
        // A failure that belongs to the host costs nothing, and is not asked about ever so fast either.
        for failure in [FailureClass.brokenAnswer, .unreachable, .throttled] {
            let waits = (0..<10).map { wait(decide(failure, failures: $0)) }
            #expect(waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600], "\(failure)")
            for random in [0, 0.25, 0.5, 0.999] {
                #expect(abs(wait(decide(failure, failures: 4, random: random)) - max(1, 480 * random)) < 0.01)
            }
        }
        #expect(wait(decide(.unreachable, failures: .max)) == 3600)
    }

    @Test func whatWasNeverSentWaitsForItsTimeOnly() {
        for failure in [FailureClass.unreachable, .throttled, .quota, .noCredentials] {
            let decision = decide(failure, attempts: 11, failures: 9, retryAfter: .seconds(61)) { $0.isHeldBack = true }
            #expect(!decision.isBlocked && !decision.counts, "\(failure)")
            #expect(wait(decision) == 61, "\(failure)")
        }
    }

    @Test func thatAWSDoesNotKnowUsBlocksNoImage() {
        let error = AWSError(operation: "DescribeImages", code: "ExpiredToken", message: "m", kind: .expiredCredentials)
        let failure = CloneFailure(error)
        #expect(failure.failureClass == .noCredentials && failure.belongsToHost)
        let decision = decide(.noCredentials, attempts: 11, failures: 1) { $0 = failure }
        #expect(!decision.isBlocked && !decision.counts && wait(decision) == 60)
        // What the role may not do needs a person, as a registry's own refusal does.
        let denied = AWSError(operation: "PutImage", code: "AccessDenied", message: "m", kind: .accessDenied)
        #expect(CloneFailure(denied).isPermanent)
        #expect(decide(.noCredentials).isBlocked)
    }

    @Test(arguments: FailureClass.allCases)
    func everyClassIsBlockedOrRetriedAsItShould(failure: FailureClass) {
        let decision = decide(failure, attempts: 3)
        #expect(decision.isBlocked == failure.isPermanent)
        #expect(decision.counts == !failure.belongsToHost)
        let clock: TimeInterval =
            switch failure.clock {
            case .notThere: 120
            case .access: 300
            case .decision: 86_400
            }
        if decision.isBlocked { #expect(decision.due.timeIntervalSince(now) == clock) }
        // A host that is down for days costs no image its place.
        let spent = decide(failure, attempts: 11, first: -400_000)
        #expect(spent.isBlocked == !failure.belongsToHost)
    }

    @Test func attemptsAndTimeAreBounded() {
        #expect(!decide(.brokenAnswer, attempts: 10).isBlocked)
        #expect(decide(.brokenAnswer, attempts: 11).gaveUp)
        #expect(!decide(.brokenAnswer, attempts: 1, first: -259_199).isBlocked)
        #expect(decide(.brokenAnswer, attempts: 1, first: -259_200).gaveUp)
    }

    @Test func aLongerRetryAfterHolds() {
        #expect(decide(.throttled, retryAfter: .seconds(7200)).due.timeIntervalSince(now) == 7200)
        #expect(decide(.quota, retryAfter: .seconds(1)).due.timeIntervalSince(now) == 30)
    }
}
