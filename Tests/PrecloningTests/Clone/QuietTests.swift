import Foundation
import GRDB
import Model
import Names
import Precloning
import Remotes
import Sandbox
import TestSupport
import Testing

@testable import Record

/// What looking, waiting and starting again cost at ECR and at the registries.
@Suite("What is asked, and what is not")
struct QuietTests {
    /// Sleeping moves the clock; requests take no time on it, nor does a copy's own look at its progress, once a second
    /// while they are under way.
    private static func timeline(_ clock: ManualClock) -> Timeline {
        Timeline(
            elapsed: { clock.elapsed },
            sleep: { duration in
                try Task.checkCancellation()
                guard duration != .seconds(1) else { return try await Timeline.system.sleep(.milliseconds(5)) }
                clock.advance(by: duration)
                await Task.yield()
            },
            now: { clock.now },
            random: { 0.5 }
        )
    }

    private func withBench(
        _ settings: SandboxConfiguration = SandboxConfiguration(),
        _ body: @escaping @Sendable (CloneBench, ManualClock) async throws -> Void
    ) async throws {
        let clock = ManualClock(start: Date())
        try await withSandbox(settings) { sandbox in
            let bench = try CloneBench(sandbox, ledger: try Ledger(), timeline: Self.timeline(clock))
            try await body(bench, clock)
            try await bench.transport.shutdown()
        }
    }

    /// As after a restart: the record alone is left.
    private func again(_ bench: CloneBench, _ body: (CloneBench) async throws -> Void) async throws {
        let next = try CloneBench(bench.sandbox, ledger: bench.ledger, timeline: bench.timeline)
        try await body(next)
        try await next.transport.shutdown()
    }

    private func attemptAgain(_ bench: CloneBench, _ row: ImageRecord) async throws -> ImageState {
        var state = row.state
        try await again(bench) { state = try await $0.attempt(row).1.state }
        return state
    }

    private func count(_ bench: CloneBench, _ name: String) -> Int { bench.sandbox.requests.counts[name] ?? 0 }

    // MARK: Looking

    @Test("a quiet day of ready images is no pull, whatever form they have and who put them there")
    func quietDay() async throws {
        try await withBench { bench, clock in
            let both = ["linux/amd64", "linux/arm64"]
            for tag in 1...2 { try bench.publish("copied\(tag)", platforms: both) }
            try bench.publish("found", platforms: both)
            try bench.sandbox.putPrivateImage(ImageRecipe("found", platforms: both), repository: "x/found", tags: ["1"])
            var rows: [ImageRecord] = []
            for tag in 1...2 {
                let place = bench.location("x/copied", "\(tag)")
                rows.append(try bench.wanted("quay.io/org/copied\(tag):1", at: place, by: "r\(tag)"))
            }
            rows.append(try bench.wanted("quay.io/org/found:1", at: bench.location("x/found", "1"), by: "found"))
            for row in rows { #expect(try await bench.attempt(row).1.state == .ready) }
            bench.sandbox.forgetRequests()
            try await day(bench, clock)
            #expect(count(bench, "ecr/BatchGetImage") == 0)
            #expect(!bench.sandbox.requests.counts.keys.contains { $0.hasPrefix("registry:") })
            // At most every five minutes; once an hour the layers, and whether an index has its child.
            let looks = count(bench, "ecr/DescribeImages")
            #expect(looks >= 200 && looks <= rows.count * (288 + 26), "\(looks)")
            #expect(count(bench, "ecr/BatchCheckLayerAvailability") <= rows.count * 26)
            #expect(count(bench, "ecr/GetRepositoryPolicy") <= rows.count * 290)
            #expect(count(bench, "ecr/GetDownloadUrlForLayer") == 0)
            // Nor is a restart one.
            try await again(bench) { next in
                next.sandbox.forgetRequests()
                let images = try next.ledger.allImages()
                for image in images { _ = await next.cloner.verify([image]) }
                #expect(count(next, "ecr/BatchGetImage") == 0)
            }
        }
    }

    private func day(_ bench: CloneBench, _ clock: ManualClock) async throws {
        let verifier = Verifier(
            ledger: bench.ledger,
            cloner: bench.cloner,
            timeline: bench.timeline,
            callsPerMinute: { 30 },
            reopened: { Issue.record("nothing has changed") }
        )
        let end = clock.elapsed + .seconds(86_400)
        while clock.elapsed < end {
            let pause = try await verifier.pass()
            clock.advance(by: max(pause, .seconds(1)))
        }
    }

    @Test("what changes in ECR is seen all the same: another digest at once, a lost layer or child within an hour")
    func changes() async throws {
        try await withBench { bench, clock in
            let image = try bench.sandbox.putImage(
                ImageRecipe("a", layers: [.init("one"), .init("two")]),
                registry: "quay.io",
                repository: "org/a",
                tags: ["1"]
            )
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "r")
            let ready = try await bench.attempt(row).1
            func look() async -> String? {
                guard case .changed(let why)? = await bench.cloner.verify([ready]).first else { return nil }
                return why
            }
            #expect(await look() == nil)
            bench.sandbox.dropLayer(try #require(image.blobSizes.max { $0.value < $1.value }?.key), repository: "x/a")
            clock.advance(by: .seconds(3600))
            #expect(await look()?.contains("lacks 1 layers") == true)
            #expect(await look() != nil, "what is not whole is not forgotten")
            #expect(try await bench.attempt(row).1.state == .ready)
            #expect(await look() == nil)
            try bench.push("b", to: "x/a")
            #expect(await look() != nil)
        }
    }

    // MARK: Reading

    @Test("what was read before a crash is not read again")
    func readOnce() async throws {
        try await withBench { bench, _ in
            try bench.publish("a", platforms: ["linux/amd64", "linux/arm64"])
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "r")
            bench.sandbox.add(
                Fault(.error, service: "registry", operation: "GetBlob", registry: "quay.io", status: 500)
            )
            for _ in 0..<3 {
                #expect(try await attemptAgain(bench, row) == .retrying)
            }
            bench.sandbox.clearFaults()
            #expect(try await attemptAgain(bench, row) == .ready)
            // But for what was answered by the challenge.
            let read = bench.sandbox.requests.entries.filter { $0.call.operation == "GetManifest" && $0.status < 300 }
            #expect(read.count { $0.call.registry == "quay.io" } == 2, "the index and its child")
        }
    }

    @Test("a kept manifest that was spoilt is read anew, and a pinned one that is not there is not taken for there")
    func keptManifests() async throws {
        try await withBench { bench, _ in
            let image = try bench.publish("a")
            let first = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "r")
            #expect(try await bench.attempt(first).1.state == .ready)
            let stranger = "quay.io/org/other@\(image.root)"
            let place = ECRLocation(
                try ImageReference("\(bench.location("x/other", "1").registry)/x/other@\(image.root)")
            )
            let second = try bench.wanted(stranger, at: try #require(place), by: "s")
            guard case .failed(let failure) = try await bench.attempt(second).0.end else {
                Issue.record("it is in another repository")
                return
            }
            #expect(failure.failureClass == .notFound)
            try await bench.ledger.database.write {
                try $0.execute(sql: "UPDATE manifest SET content = CAST('{}' AS BLOB)")
            }
            bench.sandbox.forgetRequests()
            #expect(try await bench.attempt(first).1.state == .ready)
            #expect(count(bench, "ecr/BatchGetImage") == 1)
        }
    }

    @Test("manifests are kept within bounds: those used last")
    func bounds() throws {
        let ledger = try Ledger()
        let start = Date(timeIntervalSince1970: 1_790_000_000)
        for index in 0..<10 {
            let manifest = StoredManifest(mediaType: "m", content: Data(count: 100))
            try ledger.keep(manifest, digest: "d\(index)", now: start.addingTimeInterval(Double(index) * 86_400))
        }
        let now = start.addingTimeInterval(20 * 86_400)
        #expect(try ledger.manifest("d0", now: now) != nil)
        let isMore = try ledger.database.write { try Ledger.pruneManifests($0, to: 300, batch: 100) }
        #expect(!isMore)
        let left = try (0..<10).filter { try ledger.manifest("d\($0)", now: now) != nil }
        #expect(left == [0, 8, 9])
    }

    // MARK: Pushing

    @Test("manifests that a broken-off attempt stored are not stored again")
    func storedOnce() async throws {
        try await withBench { bench, _ in
            let image = try bench.publish("a", platforms: ["linux/amd64", "linux/arm64"])
            let source = "quay.io/org/a:1@\(image.root)"
            let row = try bench.wanted(source, at: bench.location("x/a", "1"), by: "r")
            bench.sandbox.add(
                Fault(.error, service: "registry", operation: "PutManifest", registry: "ecr", after: 2, status: 500)
            )
            #expect(try await bench.attempt(row).1.state == .retrying)
            bench.sandbox.clearFaults()
            #expect(try await attemptAgain(bench, row) == .ready)
            let stored = bench.sandbox.requests.entries
                .filter { $0.call.operation == "PutManifest" && $0.status < 300 }.map(\.call.reference)
            #expect(stored.count == 3 && Set(stored).count == 3, "\(stored)")
        }
    }

    // MARK: ECR's refusals

    /// A repository that is there, of which ECR does not tell all blobs at once.
    private func hasBlobsLookedFor(_ bench: CloneBench, _ repository: String) throws {
        try bench.sandbox.ecr("CreateRepository", ["repositoryName": .string(repository)])
        bench.sandbox.add(
            Fault(
                .error,
                service: "ecr",
                operation: "BatchCheckLayerAvailability",
                times: 1,
                status: 400,
                code: "AccessDeniedException"
            )
        )
    }

    @Test("a HEAD that is refused without a reason: a new token, once")
    func silentRefusal() async throws {
        try await withBench { bench, _ in
            try bench.publish("a")
            try bench.publish("b")
            // With its token at hand.
            let first = try bench.wanted("quay.io/org/b:1", at: bench.location("x/b", "1"), by: "b")
            #expect(try await bench.attempt(first).1.state == .ready)
            #expect(count(bench, "ecr/GetAuthorizationToken") == 1)
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "a")
            try hasBlobsLookedFor(bench, "x/a")
            bench.sandbox.add(
                Fault(.error, service: "registry", operation: "HeadBlob", registry: "ecr", times: 1, status: 403)
            )
            #expect(try await bench.attempt(row).1.state == .ready)
            #expect(count(bench, "ecr/GetAuthorizationToken") == 2)
        }
    }

    @Test("and where the new one is refused as well it passes: nobody is told to change rights")
    func silentRefusals() async throws {
        try await withBench { bench, _ in
            try bench.publish("a")
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "r")
            try hasBlobsLookedFor(bench, "x/a")
            bench.sandbox.add(Fault(.error, service: "registry", operation: "HeadBlob", registry: "ecr", status: 403))
            let (outcome, after) = try await bench.attempt(row)
            guard case .failed(let failure) = outcome.end else {
                Issue.record("\(outcome.end)")
                return
            }
            #expect(!failure.isPermanent)
            #expect(after.state == .retrying)
            bench.sandbox.clearFaults()
            #expect(try await bench.attempt(row).1.state == .ready)
        }
    }

    @Test(
        "ECR that asks for less holds no worker: the image is put off, and the reason can be told",
        arguments: [
            Fault(.throttle, service: "ecr"), Fault(.throttle, service: "ecr", operation: "CreateRepository"),
            Fault(.throttle, service: "registry", operation: "PutManifest", registry: "ecr"),
        ]
    )
    func throttled(fault: Fault) async throws {
        try await withBench { bench, clock in
            try bench.publish("a")
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("x/a", "1"), by: "r")
            bench.sandbox.add(fault)
            let begun = clock.elapsed
            let (outcome, after) = try await bench.attempt(row)
            guard case .later(let until, let why) = outcome.end else {
                Issue.record("\(outcome.end)")
                return
            }
            #expect(clock.elapsed - begun <= .seconds(60))
            #expect(why.hasPrefix("ECR throttles "))
            #expect(until > clock.now && until < clock.now.addingTimeInterval(120))
            #expect(after.state == .retrying && after.attempts == 0 && after.reason == why)
            let host = try #require(try bench.ledger.hosts().first { $0.host.contains(".dkr.ecr.") })
            #expect(host.pauseReason == why && (host.pausedUntil ?? 0) > clock.now.milliseconds)
            bench.sandbox.clearFaults()
            clock.advance(by: .seconds(120))
            #expect(try await bench.attempt(row).1.state == .ready)
        }
    }

    // MARK: ECR's imports

    @Test("an import whose layers are late holds no worker, is told as such, and is asked for once")
    func lateImport() async throws {
        let late = SandboxConfiguration(pullThrough: PullThroughSettings(layerDelay: 600))
        try await withBench(late) { bench, clock in
            let image = try bench.publish("a", platforms: ["linux/amd64", "linux/arm64"])
            try bench.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("quay/org/a", "1"), by: "r")
            // Nor do they come when they are asked for.
            for operation in ["GetBlob", "HeadBlob"] {
                bench.sandbox.add(
                    Fault(.error, service: "registry", operation: operation, registry: "ecr", status: 404)
                )
            }
            var intervals: [TimeInterval] = []
            while clock.elapsed < .seconds(590) {
                let begun = clock.elapsed
                let (outcome, after) = try await bench.attempt(row)
                guard case .later(let until, let why) = outcome.end else {
                    Issue.record("\(outcome.end)")
                    return
                }
                #expect(clock.elapsed - begun <= .seconds(10), "a worker is held")
                #expect(why.contains("ECR's import") && after.reason == why && after.state == .retrying)
                #expect(bench.cloner.awaitsImports)
                intervals.append(until.timeIntervalSince(clock.now))
                clock.advance(by: .seconds(intervals.last ?? 0))
            }
            #expect(intervals == intervals.sorted() && intervals.allSatisfy { $0 >= 1 && $0 <= 30 }, "\(intervals)")
            #expect(count(bench, "registry:ecr/GetManifest") <= 2)
            bench.sandbox.clearFaults()
            bench.sandbox.advance(by: 700)
            let (outcome, after) = try await bench.attempt(row)
            #expect(outcome.route == "pullThrough" && after.state == .ready)
            #expect(after.sourceDigest == image.root && after.movedDigest == nil)
            #expect(count(bench, "registry:ecr/GetManifest") <= 2)
            #expect(!bench.cloner.awaitsImports)
            let imports = try await bench.ledger.database.read {
                try Int.fetchOne($0, sql: "SELECT count(*) FROM auditEntry WHERE action = 'imageImported'")
            }
            #expect(imports == 1)
        }
    }

    @Test("an import that never ends is copied after a quarter of an hour")
    func deadImport() async throws {
        let dead = SandboxConfiguration(pullThrough: PullThroughSettings(layerDelay: 1e9))
        try await withBench(dead) { bench, clock in
            try bench.publish("a", platforms: ["linux/amd64", "linux/arm64"])
            try bench.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            let row = try bench.wanted("quay.io/org/a:1", at: bench.location("quay/org/a", "1"), by: "r")
            for operation in ["GetBlob", "HeadBlob"] {
                bench.sandbox.add(
                    Fault(.error, service: "registry", operation: operation, registry: "ecr", status: 404)
                )
            }
            var after = row
            for _ in 0..<100 where after.state != .ready {
                let outcome: CloneOutcome
                (outcome, after) = try await bench.attempt(row)
                if case .later(let until, _) = outcome.end {
                    clock.advance(by: .seconds(until.timeIntervalSince(clock.now)))
                }
            }
            #expect(after.state == .ready && after.route == "copy")
            #expect(clock.elapsed > .seconds(900) && clock.elapsed < .seconds(960))
        }
    }
}
