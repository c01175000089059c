import Foundation
import NIOHTTP1
import Names
import Remotes
import TestSupport
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// What a registry says of its allowance, in whatever form, overrules what we counted.
@Suite struct QuotaWordTests {
    private let clock = ManualClock()
    private let quota = PullQuota(pulls: 20, per: .seconds(3600), keep: 0)

    // MARK: Headers

    struct Form: Sendable, CustomTestStringConvertible {
        var headers: [(String, String)]
        var limit: Int?
        var remaining: Int
        var window: Int64?

        var testDescription: String { headers.map { "\($0): \($1)" }.joined(separator: " | ") }
    }

    static let forms = [
        Form(
            headers: [("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "76;w=21600")],
            limit: 100,
            remaining: 76,
            window: 21_600
        ),
        Form(
            headers: [("ratelimit-limit", " 100 ; w = 21600 "), ("ratelimit-remaining", "0")],
            limit: 100,
            remaining: 0,
            window: 21_600
        ),
        Form(
            headers: [("ratelimit-limit", "200"), ("ratelimit-remaining", "3; W=60")],
            limit: 200,
            remaining: 3,
            window: 60
        ),
        // The number in force, then the policies.
        Form(
            headers: [("ratelimit-limit", "10, 10;w=1, 100;w=60"), ("ratelimit-remaining", "9")],
            limit: 10,
            remaining: 9,
            window: 1
        ),
        Form(
            headers: [
                ("ratelimit-limit", "100"), ("ratelimit-limit", "100;w=3600"), ("ratelimit-remaining", "120"),
            ],
            limit: 100,
            remaining: 100,
            window: 3600
        ),
        Form(
            headers: [("ratelimit-limit", "50"), ("ratelimit-remaining", "5"), ("ratelimit-reset", "90")],
            limit: 50,
            remaining: 5,
            window: 90
        ),
        Form(
            headers: [("ratelimit-limit", "50"), ("ratelimit-remaining", "5"), ("ratelimit-reset", "1790000300")],
            limit: 50,
            remaining: 5,
            window: 300
        ),
        Form(headers: [("ratelimit-limit", "50;w=0"), ("ratelimit-remaining", "5")], limit: 50, remaining: 5),
        Form(headers: [("ratelimit-remaining", "0;w=21600")], remaining: 0, window: 21_600),
    ]

    @Test(arguments: forms)
    func everyFormOfTheHeadersIsRead(form: Form) throws {
        let now = Date(timeIntervalSince1970: 1_790_000_000)
        let said = try #require(RateLimitHeaders(HTTPHeaders(form.headers), now: now))
        #expect(said.limit == form.limit && said.remaining == form.remaining)
        #expect(said.window == form.window.map { .seconds($0) })
    }

    @Test(arguments: [
        [], [("ratelimit-limit", "100;w=21600")], [("ratelimit-limit", "100"), ("ratelimit-remaining", "many")],
        [("ratelimit-remaining", "-1")], [("ratelimit-remaining", "99999999999999999999")],
    ])
    func anAnswerThatDoesNotSayWhatRemainsSaysNothing(headers: [(String, String)]) {
        #expect(RateLimitHeaders(HTTPHeaders(headers), now: clock.now) == nil)
    }

    @Test func whatTheHeadersLeaveOutIsTheConfigurationsToSay() async throws {
        let ledger = try Ledger()
        let budget = budget(ledger)
        _ = try await budget.reserve(registry: "docker.io")
        try ledger.sawQuota(
            host: "docker.io",
            credential: "",
            RateLimitHeaders(limit: nil, remaining: 0, window: nil),
            now: clock.now
        )
        let row = try #require(try ledger.hosts().first)
        #expect(row.quotaLimit == 20 && row.quotaRemaining == 0 && row.quotaWindow == 3600)
        #expect(await wait(budget, urgency: 2) == .seconds(3600))
    }

    // MARK: Refusals

    private func budget(_ ledger: Ledger, quota: PullQuota? = PullQuota(pulls: 20, per: .seconds(3600)))
        -> LedgerPullBudget
    {
        LedgerPullBudget(ledger: ledger, timeline: clock.timeline(), quota: { _ in quota })
    }

    private func wait(_ budget: LedgerPullBudget, urgency: Int) async -> Duration? {
        do {
            let pull = try await PullUrgency.$current.withValue(urgency) {
                try await budget.reserve(registry: "docker.io")
            }
            await budget.release(pull)
            return nil
        } catch {
            #expect((error as? RegistryError)?.isHeldBack == true)
            return (error as? RegistryError)?.retryAfter
        }
    }

    @Test(arguments: [nil, Duration.seconds(1800)])
    func aRefusalSaysThatNothingIsLeftWhateverWeCounted(retryAfter: Duration?) async throws {
        let ledger = try Ledger()
        let budget = budget(ledger)
        let pull = try await budget.reserve(registry: "docker.io")
        await budget.exhaust(pull, retryAfter: retryAfter)
        let window = retryAfter ?? .seconds(3600)
        #expect(await wait(budget, urgency: 2) == window)
        // A waiting run may ask now and then.
        #expect(await wait(budget, urgency: 0) == .seconds(900))
        #expect(
            try StatusReport.read(from: RecordReader(ledger), now: clock.now) { _ in true }.registries.map(\.left) == [
                0
            ]
        )
        clock.advance(by: window)
        #expect(await wait(budget, urgency: 2) == nil)
    }

    @Test func whereNobodyNamesALimitARefusalIsBelievedForAnHour() async throws {
        let ledger = try Ledger()
        let budget = budget(ledger, quota: nil)
        await budget.exhaust(try await budget.reserve(registry: "docker.io"), retryAfter: nil)
        #expect(await wait(budget, urgency: 3) == .seconds(3600))
        let told = try StatusReport.read(from: RecordReader(ledger), now: clock.now) { _ in true }.registries
        #expect(told.first?.sentence(now: clock.now, zone: .gmt).contains("no pulls left, all back by") == true)
    }

    @Test func theHeadersOfTheSameAnswerSayMoreThanTheRefusal() async throws {
        let ledger = try Ledger()
        let budget = budget(ledger)
        let pull = try await budget.reserve(registry: "docker.io")
        let said = RateLimitHeaders(limit: 200, remaining: 0, window: .seconds(21_600))
        try ledger.sawQuota(host: "docker.io", credential: "", said, now: clock.now)
        await budget.exhaust(pull, retryAfter: nil)
        let row = try #require(try ledger.hosts().first)
        #expect(row.quotaLimit == 200 && row.quotaWindow == 21_600)
    }

    // MARK: Pulls without an answer

    private func left(_ ledger: Ledger) throws -> Int? {
        try StatusReport.read(from: RecordReader(ledger), now: clock.now) { _ in true }.registries.first?.left
    }

    /// Counted from the loss on, and no longer than until the registry says what it counted.
    @Test(arguments: [true, false])
    func aLostPullCountsUntilTheRegistrySaysWhatItCounted(isKilled: Bool) async throws {
        let ledger = try Ledger()
        let budget = budget(ledger)
        let pull = try await budget.reserve(registry: "docker.io")
        clock.advance(by: .seconds(10))
        // Another answer, on the way meanwhile.
        func said(_ remaining: Int) throws {
            let said = RateLimitHeaders(limit: 100, remaining: remaining, window: .seconds(21_600))
            try ledger.sawQuota(host: "docker.io", credential: "", said, now: clock.now)
        }
        try said(90)
        #expect(try left(ledger) == 89)
        clock.advance(by: .seconds(10))
        if isKilled { try ledger.recoverInterrupted(now: clock.now) } else { await budget.lose(pull) }
        #expect(try left(ledger) == 89)
        clock.advance(by: .seconds(10))
        try said(89)
        #expect(try left(ledger) == 89, "the registry's word holds, and the lost one is in it or never came")
        // A second restart makes nothing young again.
        clock.advance(by: .seconds(10))
        try ledger.recoverInterrupted(now: clock.now)
        #expect(try left(ledger) == 89)
    }

    @Test func aLostPullLeavesOurOwnCountWithItsWindow() async throws {
        let ledger = try Ledger()
        let budget = budget(ledger)
        let pull = try await budget.reserve(registry: "docker.io")
        await budget.lose(pull)
        await budget.release(pull)
        #expect(try left(ledger) == 19)
        clock.advance(by: .seconds(3600))
        #expect(try left(ledger) == 20)
    }
}
