import Foundation
import GRDB
import NIOHTTP1
import Remotes
import TestSupport
import Testing

@testable import Configuring
@testable import Model
@testable import Names
@testable import Precloning
@testable import Record

@Suite struct HostLimitsTests {
    private let clock = ManualClock()

    private func limits(_ ledger: Ledger) throws -> HostLimits {
        try HostLimits(
            record: ledger,
            timeline: clock.timeline(random: { 1 }),
            limit: { _, _ in
                HostLimit(
                    requestsPerSecond: 1000,
                    concurrentRequests: 10,
                    bytesPerSecond: nil,
                    longestWait: .seconds(60)
                )
            }
        )
    }

    /// What the dispatcher passes over, as the record has it.
    private func paused(_ ledger: Ledger) throws -> [String] {
        let now = clock.now.milliseconds
        return try ledger.hosts().filter {
            ($0.pausedUntil ?? 0) > now || ($0.breaker == "open" && ($0.breakerUntil ?? 0) > now)
        }.map(\.host)
    }

    private func request(
        _ limits: HostLimits,
        _ status: Int?,
        _ headers: HTTPHeaders = [:],
        host: String = "quay.io"
    ) async throws {
        try await limits.acquire(.manifestHead, host: host)
        if let status { await limits.observe(.manifestHead, host: host, status: status, headers: headers) }
        await limits.release(.manifestHead, host: host)
    }

    private func refusal(_ limits: HostLimits, host: String = "quay.io") async -> RegistryError? {
        do {
            try await limits.acquire(.blob, host: host)
            await limits.observe(.blob, host: host, status: 200, headers: [:])
            await limits.release(.blob, host: host)
            return nil
        } catch {
            return error as? RegistryError
        }
    }

    @Test func retryAfterInBothFormsPausesTheHostAndOnlyIt() async throws {
        let date = HTTPHeaders([("Retry-After", "Mon, 21 Sep 2026 15:13:20 GMT")])
        for headers in [["Retry-After": "3600"], date] {
            let ledger = try Ledger()
            let limits = try limits(ledger)
            try await request(limits, 429, headers)
            let error = try #require(await refusal(limits))
            #expect(error.kind == .throttled && error.retryAfter == .seconds(3600))
            #expect(await refusal(limits, host: "ghcr.io") == nil)
            #expect(try paused(ledger) == ["quay.io"])
            // A shorter word does not shorten a longer one, and a restart forgets neither.
            await limits.observe(.blob, host: "quay.io", status: 429, headers: ["retry-after": "1"])
            let again = try self.limits(ledger)
            #expect(await refusal(again)?.retryAfter == .seconds(3600))
        }
    }

    @Test func aPauseIsALengthOfTimeWhateverTheClockIsSetTo() async throws {
        for jump in [-86_400.0, 86_400] {
            let limits = try limits(try Ledger())
            try await request(limits, 429, ["retry-after": "3600"])
            clock.shiftWallClock(by: jump)
            #expect(await refusal(limits)?.retryAfter == .seconds(3600))
            clock.advance(by: .seconds(3600))
            #expect(await refusal(limits) == nil)
        }
    }

    @Test func refusalsWithoutATimeGrow() async throws {
        let ledger = try Ledger()
        let limits = try limits(ledger)
        var pauses: [Double] = []
        for _ in 0..<8 {
            await limits.observe(.blob, host: "quay.io", status: 429, headers: [:])
            let until = try #require(try ledger.hosts().first?.pausedUntil)
            pauses.append(Double(until - clock.now.milliseconds) / 1000)
            clock.advance(by: .seconds(600))
        }
        #expect(pauses == [5, 10, 20, 40, 80, 160, 300, 300])
        await limits.observe(.blob, host: "quay.io", status: 200, headers: [:])
        await limits.observe(.blob, host: "quay.io", status: 429, headers: [:])
        #expect(try ledger.hosts().first?.pausedUntil == clock.now.addingTimeInterval(5).milliseconds)
    }

    @Test(arguments: [nil, 500, 502])
    func aHostThatFailsForEverythingIsGivenUpForAWhile(status: Int?) async throws {
        let ledger = try Ledger()
        var limits = try limits(ledger)
        for _ in 0..<5 { try await request(limits, status) }
        let error = try #require(await refusal(limits))
        #expect(error.kind == .unreachable && error.belongsToHost)
        // Longer than a worker waits, so that the image is parked and the worker goes on.
        #expect(error.retryAfter == .seconds(61))
        #expect(await refusal(limits, host: "ghcr.io") == nil)
        #expect(try paused(ledger) == ["quay.io"])

        limits = try self.limits(ledger)
        #expect(await refusal(limits) != nil)
        clock.advance(by: .seconds(30))
        #expect(try paused(ledger).isEmpty)
        // The probe; nothing else passes while it is out.
        try await limits.acquire(.manifestHead, host: "quay.io")
        #expect(await refusal(limits) != nil)
        await limits.observe(.manifestHead, host: "quay.io", status: 401, headers: [:])
        await limits.release(.manifestHead, host: "quay.io")
        #expect(await refusal(limits) == nil)
        #expect(try ledger.hosts().first { $0.host == "quay.io" }?.breaker == "closed")
    }

    @Test func tokenRequestsAreNoProbe() async throws {
        let limits = try limits(try Ledger())
        for _ in 0..<5 { try await request(limits, nil) }
        clock.advance(by: .seconds(30))
        try await limits.acquire(.token, host: "quay.io")
        #expect(await refusal(limits) != nil)
        await limits.release(.token, host: "quay.io")
        #expect(await refusal(limits) == nil)
    }

    @Test func whatATokenEndpointComplainsOfHoldsForItsRegistry() async throws {
        let ledger = try Ledger()
        let limits = try limits(ledger)
        try await limits.acquire(.token, host: "quay.io")
        await limits.observe(.token, host: "quay.io", status: 429, headers: ["retry-after": "600"])
        await limits.release(.token, host: "quay.io")
        #expect(await refusal(limits)?.kind == .throttled)
        #expect(try paused(ledger) == ["quay.io"])
        #expect(await refusal(limits, host: "ghcr.io") == nil)
        for _ in 0..<5 {
            try await limits.acquire(.token, host: "ghcr.io")
            await limits.observe(.token, host: "ghcr.io", status: 500, headers: [:])
            await limits.release(.token, host: "ghcr.io")
        }
        #expect(await refusal(limits, host: "ghcr.io")?.kind == .unreachable)
    }

    @Test func aTokenThatIsGivenDoesNotSayThatTheRegistryIsBack() async throws {
        let limits = try limits(try Ledger())
        for _ in 0..<5 { try await request(limits, nil) }
        clock.advance(by: .seconds(30))
        try await limits.acquire(.token, host: "quay.io")
        await limits.observe(.token, host: "quay.io", status: 200, headers: [:])
        await limits.release(.token, host: "quay.io")
        // The next request is the probe, and its silence opens the breaker again.
        try await request(limits, nil)
        #expect(await refusal(limits)?.kind == .unreachable)
    }

    @Test func aPrivateECRIsPacedByActionUnlessConfigured() {
        var configuration = Configuration.defaults
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        let put = HostLimit(.manifestPut, host: host, in: configuration)
        #expect(put.isPerKind && put.requestsPerSecond == 2)
        #expect(HostLimit(.blob, host: host, in: configuration).requestsPerSecond == 200)
        #expect(HostLimit(.manifestHead, host: "public.ecr.aws", in: configuration).requestsPerSecond == 1)
        #expect(HostLimit(.blob, host: "public.ecr.aws", in: configuration).requestsPerSecond == .infinity)
        var entry = Configuration.Registries.Entry()
        entry.requestsPerSecond = 3
        configuration.registries.hosts[host] = entry
        let chosen = HostLimit(.manifestPut, host: host, in: configuration)
        #expect(!chosen.isPerKind && chosen.requestsPerSecond == 3)
    }

    @Test func answersOfAnyKindButServerFaultsKeepTheBreakerClosed() async throws {
        let limits = try limits(try Ledger())
        for _ in 0..<4 { try await request(limits, nil) }
        try await request(limits, 404)
        for _ in 0..<4 { try await request(limits, nil) }
        #expect(await refusal(limits) == nil)
    }

    @Test func refusedCredentialsStopTheirHostUntilSomebodyActs() async throws {
        let ledger = try Ledger()
        let limits = try limits(ledger)
        limits.credentialsRefused(host: "quay.io")
        let error = try #require(await refusal(limits))
        #expect(error.kind == .noCredentials && error.description.contains("registries.quay.io.credentials"))
        #expect(await refusal(limits, host: "ghcr.io") == nil)
        try ledger.endCredentialPauses()
        #expect(await refusal(limits) == nil)

        limits.credentialsRefused(host: "quay.io")
        try await ledger.database.write {
            try $0.execute(
                sql: """
                    INSERT INTO image (source, destination, registry, state, createdAt, updatedAt)
                    VALUES ('quay.io/a:1', '', 'quay.io', 'blocked', 1, 1)
                    """
            )
        }
        #expect(
            try ledger.retry(["quay.io/a:1"], caller: Caller(userID: 1000, userName: "ann"), now: clock.now).count == 1
        )
        #expect(try paused(ledger).isEmpty)
        #expect(await refusal(limits) == nil)
    }

    @Test func nobodyIsLeftAloneForMoreThanADay() async throws {
        let ledger = try Ledger()
        let limits = try limits(ledger)
        try await request(limits, 429, ["Retry-After": "31536000"])
        #expect(await refusal(limits)?.retryAfter == .seconds(86_400))
        // After the clock was set back by a month a pause ends within a day as well.
        clock.shiftWallClock(by: -30 * 86_400)
        let again = try self.limits(ledger)
        #expect(await refusal(again)?.retryAfter == .seconds(86_400))
        clock.advance(by: .seconds(86_400))
        #expect(await refusal(again) == nil)
    }

    @Test func whatOurLimitsHoldBackSaysSo() async throws {
        let limits = try limits(try Ledger())
        for _ in 0..<5 { try await request(limits, nil) }
        #expect(await refusal(limits)?.isHeldBack == true)
    }

    @Test func aReloadLosesNoPlaces() async throws {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        let settings = Settings(.defaults)
        let limits = try HostLimits(
            record: try Ledger(),
            timeline: clock.timeline(random: { 1 }),
            limit: {
                var limit = HostLimit($0, host: $1, in: settings.current)
                limit.concurrentRequests = 1
                return limit
            }
        )
        for _ in 0..<3 {
            // Let through by the pace of its action, over when the host has one of its own.
            try await limits.acquire(.manifestPut, host: host)
            await limits.observe(.manifestPut, host: host, status: 201, headers: [:])
            var changed = settings.current
            if changed.registries.hosts[host] == nil {
                changed.registries.hosts[host, default: .init()].requestsPerSecond = 1000
            } else {
                changed.registries.hosts[host] = nil
            }
            settings.replace(with: changed)
            await limits.release(.manifestPut, host: host)
            clock.advance(by: .seconds(60))
        }
        // Its one place is free on either side.
        for _ in 0..<2 {
            try await limits.acquire(.manifestPut, host: host)
            await limits.observe(.manifestPut, host: host, status: 201, headers: [:])
            await limits.release(.manifestPut, host: host)
            clock.advance(by: .seconds(60))
            settings.replace(with: .defaults)
        }
    }

    @Test func aRestartForgetsNoRestOfAPrivateECR() async throws {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        let ledger = try Ledger()
        func made() throws -> HostLimits {
            try HostLimits(
                record: ledger,
                timeline: clock.timeline(random: { 1 }),
                limit: { HostLimit($0, host: $1, in: .defaults) }
            )
        }
        var limits = try made()
        for _ in 0..<5 { try await request(limits, nil, host: host) }
        #expect(await refusal(limits, host: host) == nil, "blobs have a pace and a breaker of their own")
        limits = try made()
        #expect(await refusal(limits, host: host)?.kind == .unreachable)
        clock.advance(by: .seconds(30))
        #expect(await refusal(limits, host: host) == nil)
        #expect(try ledger.hosts().first?.breaker == "closed")
    }

    @Test func headersOfManifestsAreKept() async throws {
        let ledger = try Ledger()
        let limits = try limits(ledger)
        try await request(limits, 200, ["ratelimit-limit": "100;w=21600", "ratelimit-remaining": "7;w=21600"])
        let row = try #require(try ledger.hosts().first)
        #expect(row.quotaLimit == 100 && row.quotaRemaining == 7 && row.quotaWindow == 21_600)
        await limits.observe(
            .blob,
            host: "quay.io",
            status: 200,
            headers: ["ratelimit-limit": "5;w=1", "ratelimit-remaining": "1;w=1"]
        )
        #expect(try ledger.hosts().first?.quotaLimit == 100)
    }
}

@Suite struct LedgerPullBudgetTests {
    private let clock = ManualClock()
    private let quota = PullQuota(pulls: 20, per: .seconds(3600), keep: 4)

    private func budget(_ ledger: Ledger, quota: PullQuota?) -> LedgerPullBudget {
        LedgerPullBudget(ledger: ledger, timeline: clock.timeline(), quota: { _ in quota })
    }

    private func take(_ budget: LedgerPullBudget, urgency: Int = 0) async -> PullReservation? {
        await PullUrgency.$current.withValue(urgency) { try? await budget.reserve(registry: "docker.io") }
    }

    private func wait(_ budget: LedgerPullBudget, urgency: Int = 0) async -> Duration? {
        do {
            _ = try await PullUrgency.$current.withValue(urgency) {
                try await budget.reserve(registry: "docker.io")
            }
            return nil
        } catch {
            return (error as? RegistryError)?.retryAfter
        }
    }

    @Test func neverMoreThanTheQuotaInAnyWindowAlsoAcrossRestarts() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "quota-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "record.sqlite").path
        var generator = SplitMix(seed: 3)
        var counted: [Duration] = []
        for _ in 0..<12 {
            // A killed process leaves whatever it had reserved; the next one opens the same record.
            let budget = budget(try Ledger(path: path), quota: quota)
            for _ in 0..<20 {
                clock.advance(by: .seconds(Int64(generator.next() % 240)))
                guard let pull = await take(budget, urgency: Int(generator.next() % 4)) else { continue }
                switch generator.next() % 4 {
                case 0: await budget.release(pull)
                // Neither committed nor released: it may have been counted.
                case 1: counted.append(clock.elapsed)
                default:
                    counted.append(clock.elapsed)
                    await budget.commit(pull)
                    await budget.release(pull)
                }
            }
        }
        #expect(counted.count > 60)
        for index in counted.indices.dropFirst(quota.pulls) {
            #expect(counted[index] - counted[index - quota.pulls] >= .seconds(3600))
        }
    }

    @Test func whatIsLeftGoesByUrgency() async throws {
        let budget = budget(try Ledger(), quota: quota)
        // 20 in all: refreshes leave 4 + 5, versions 4 + 2, people 4, runs nothing.
        for (urgency, places) in [(3, 11), (2, 3), (1, 2), (0, 4)] {
            for _ in 0..<places { #expect(await take(budget, urgency: urgency) != nil, "\(urgency)") }
            #expect(await take(budget, urgency: urgency) == nil, "\(urgency)")
        }
        #expect(await wait(budget) == .seconds(3600))
    }

    @Test func aWaitEndsWhenEnoughIsFree() async throws {
        let budget = budget(try Ledger(), quota: quota)
        for _ in 0..<20 {
            #expect(await take(budget) != nil)
            clock.advance(by: .seconds(10))
        }
        // The first was 200 s ago; a person needs five more to be free than a run.
        #expect(await wait(budget, urgency: 0) == .seconds(3400))
        #expect(await wait(budget, urgency: 1) == .seconds(3440))
        clock.advance(by: .seconds(3440))
        #expect(await wait(budget, urgency: 1) == nil)
    }

    @Test func releasedPullsAreFreeAndLostOnesCount() async throws {
        let budget = budget(try Ledger(), quota: PullQuota(pulls: 2, per: .seconds(60)))
        let first = try #require(await take(budget))
        _ = try #require(await take(budget))
        #expect(await take(budget) == nil)
        await budget.release(first)
        #expect(await take(budget) != nil)
        #expect(await take(budget) == nil)
        clock.advance(by: .seconds(60))
        #expect(await take(budget) != nil)
    }

    @Test func theRegistrysWordOverrulesOurs() async throws {
        let ledger = try Ledger()
        let budget = budget(ledger, quota: quota)
        func said(_ remaining: Int) throws {
            try ledger.sawQuota(
                host: "docker.io",
                credential: "",
                RateLimitHeaders(limit: 200, remaining: remaining, window: .seconds(7200)),
                now: clock.now
            )
        }
        try said(150)
        for _ in 0..<100 { #expect(await take(budget, urgency: 1) != nil) }
        // Others on the same address used it up: our own count does not matter.
        try said(0)
        let wait = try #require(await self.wait(budget, urgency: 1))
        #expect(wait == .seconds(3600))
        // A waiting run may ask now and then, the others may not.
        #expect(await self.wait(budget, urgency: 0) == .seconds(900))
        clock.advance(by: .seconds(900))
        #expect(await take(budget, urgency: 1) == nil)
        #expect(await take(budget, urgency: 0) != nil)
        #expect(await take(budget, urgency: 0) == nil)
        // After its window the word is old, and our own count holds.
        clock.advance(by: .seconds(6300))
        #expect(await take(budget, urgency: 1) != nil)
    }

    @Test func hostsAndCredentialsAreCountedApart() async throws {
        let ledger = try Ledger()
        let small = PullQuota(pulls: 1, per: .seconds(60))
        let anonymous = LedgerPullBudget(ledger: ledger, timeline: clock.timeline(), quota: { _ in small })
        let named = LedgerPullBudget(
            ledger: ledger,
            timeline: clock.timeline(),
            quota: { _ in small },
            credential: { _ in "ann" }
        )
        #expect(await take(anonymous) != nil)
        #expect(await take(named) != nil)
        #expect(await take(anonymous) == nil)
        #expect(await take(named) == nil)
        let unlimited = budget(ledger, quota: nil)
        #expect(await (try? unlimited.reserve(registry: "ghcr.io")) != nil)
    }

    @Test func aClockJumpNeitherFreesNorBlocksForEver() async throws {
        let budget = budget(try Ledger(), quota: PullQuota(pulls: 1, per: .seconds(3600)))
        #expect(await take(budget) != nil)
        clock.shiftWallClock(by: -86_400)
        // Set back by a day: the pull lies in the future, and counts for one window from now at most.
        #expect(await wait(budget) == .seconds(3600))
        clock.advance(by: .seconds(3600))
        #expect(await take(budget) != nil)
        clock.shiftWallClock(by: 2 * 86_400)
        #expect(await take(budget) != nil)
    }
}

@Suite struct LedgerUploadJournalTests {
    @Test func keepsReplacesAndDrops() async throws {
        let journal = LedgerUploadJournal(ledger: try Ledger(), timeline: ManualClock().timeline())
        let digest = try Digest("sha256:" + String(repeating: "a", count: 64))
        #expect(await journal.load(registry: "r", repository: "p", digest: digest) == nil)
        var record = UploadRecord(
            registry: "r",
            repository: "p",
            digest: digest,
            uploadID: "u",
            partSize: 10,
            bytesSent: 20
        )
        await journal.save(record)
        record.bytesSent = 30
        await journal.save(record)
        #expect(await journal.load(registry: "r", repository: "p", digest: digest) == record)
        #expect(await journal.load(registry: "r", repository: "q", digest: digest) == nil)
        await journal.drop(registry: "r", repository: "p", digest: digest)
        #expect(await journal.load(registry: "r", repository: "p", digest: digest) == nil)
    }
}

@Suite struct WatchedCredentialsTests {
    @Test func theSameCredentialRefusedTwiceStopsTheRegistry() async {
        let clock = ManualClock()
        let stopped = Collected<String>()
        let watched = WatchedCredentials(
            FixedCredential(.anonymous),
            timeline: clock.timeline(),
            refused: { stopped.add($0) }
        )
        let old = RegistryCredential.basic(user: "ann", password: "old")
        let new = RegistryCredential.basic(user: "ann", password: "new")
        await watched.invalidate(old, for: "quay.io")
        await watched.invalidate(new, for: "quay.io")
        await watched.invalidate(new, for: "ghcr.io")
        await watched.invalidate(.anonymous, for: "docker.io")
        await watched.invalidate(.anonymous, for: "docker.io")
        clock.advance(by: .seconds(600))
        await watched.invalidate(new, for: "quay.io")
        #expect(stopped.all.isEmpty)
        await watched.invalidate(new, for: "quay.io")
        #expect(stopped.all == ["quay.io"])
    }
}
