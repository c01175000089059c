import Foundation
import NIOCore
import NIOHTTP1
import Names
import Remotes
import Synchronization
import TestSupport
import Testing

/// Bytes that do not repeat, different for every seed.
func content(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state)
    }
}

/// What the tests of copying have in common.
struct CopyBench {
    let transport: LiveTransport
    let time = HastyTime()
    var patience = Patience()
    var share = LayerShare()

    init(addressGuard: AddressGuard? = nil) throws {
        transport = try LiveTransport(.init(addressGuard: addressGuard))
    }

    func client(
        _ server: RegistryServer,
        credentials: any RegistryCredentialSource = AnonymousCredentials()
    ) throws -> RegistryClient {
        RegistryClient(
            endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
            transport: transport.trusting([server.origin]),
            credentials: credentials,
            timeline: time.timeline,
            patience: patience
        )
    }

    func copy(
        _ source: RegistryServer,
        _ destination: RegistryServer,
        repository: String = "a/tool",
        to: String = "b/tool",
        reference: ManifestReference = .tag("1"),
        platforms: [Platform]? = nil
    ) throws -> ImageCopy {
        ImageCopy(
            source: .init(client: try client(source), repository: repository, reference: reference),
            destination: .init(client: try client(destination), repository: to, tag: "1"),
            platforms: platforms,
            share: share
        )
    }
}

@Suite struct ImageCopyTests {
    @Test(arguments: [nil, [.linuxAMD64]] as [[Platform]?])
    func whereNothingCanBeTheSameTheManifestIsReadWithoutALook(_ platforms: [Platform]?) async throws {
        try await RegistryServer.with { source, destination in
            let amd = source.putImage("a/tool", tag: nil, layers: [[1]])
            source.putIndex("a/tool", tag: "1", [(amd, "linux/amd64")])
            var copy = try CopyBench().copy(source, destination, platforms: platforms)
            copy.source.looksFirst = false
            copy.asksForMovesFrom = ImageCopy.sizeWorthAsking
            for (standing, asked) in [
                (.absent, [.GET, .GET]), (.noRepository, [.GET, .GET]),
                (.unasked, platforms == nil ? [.HEAD] : [.HEAD, .GET, .GET]),
            ] as [(ImageCopy.Standing, [HTTPMethod])] {
                source.change { $0.log = [] }
                copy.destination.standing = standing
                copy.share = LayerShare()
                #expect(try await copy.run().wasPresent == (standing == .unasked))
                #expect(source.log.filter { $0.uri.contains("/manifests/") }.map(\.method) == asked)
            }
        }
    }

    @Test func copiesAnImageByteForByteWithThreeRequestsABlob() async throws {
        try await RegistryServer.with { source, destination in
            let layers = [content(300_000, seed: 1), content(5_000, seed: 2), []]
            let digest = source.putImage("a/tool", tag: "1", layers: layers)
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.sourceDigest == digest)
            #expect(outcome.destinationDigest == digest)
            #expect(!outcome.wasPresent)
            #expect(destination.manifest("b/tool", "1") == source.manifest("a/tool", "1"))
            for layer in layers { #expect(destination.blob("b/tool", Digest.of(layer)) == layer) }
            let blobs = destination.log.filter { $0.uri.contains("/blobs/") }
            #expect(blobs.count == 3 * 4, "HEAD, POST and PUT for three layers and the configuration")
            #expect(destination.log.last.map { $0.method == .PUT && $0.path.hasSuffix("/manifests/1") } == true)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
            #expect(outcome.transfer.blobsDone == 4)
        }
    }

    @Test func askOnceAtEachSideWhenItIsThere() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [content(100, seed: 3)])
            let bench = try CopyBench()
            _ = try await bench.copy(source, destination).run()
            let before = (source.log.count, destination.log.count)
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.wasPresent)
            #expect(source.log.count == before.0 + 1)
            #expect(destination.log.count == before.1 + 1)
            #expect(source.log.last?.method == .HEAD)
        }
    }

    @Test func stopsBetweenBlobsAndMovesNoneTwice() async throws {
        try await RegistryServer.with { source, destination in
            let layers = (0..<5).map { content(50_000 + $0, seed: UInt64(60 + $0)) }
            source.putImage("a/tool", tag: "1", layers: layers)
            let bench = try CopyBench()
            let asked = Mutex(0)
            var stopped = try bench.copy(source, destination)
            stopped.mayGoOn = { _ in
                asked.withLock { asked in
                    asked += 1
                    return asked <= 2
                }
            }
            await #expect(throws: ImageCopy.StoppedBetweenBlobs.self) { try await stopped.run() }
            func held() -> Int { layers.count { destination.blob("b/tool", Digest.of($0)) == $0 } }
            let before = destination.count(.PUT, "/blobs/uploads/")
            #expect(before == 2, "what was begun is brought to its end")
            #expect(destination.manifest("b/tool", "1") == nil)
            _ = try await bench.copy(source, destination).run()
            #expect(held() == 5)
            #expect(destination.count(.PUT, "/blobs/uploads/") == 6, "each blob once in both copies")
            #expect(destination.manifest("b/tool", "1") == source.manifest("a/tool", "1"))
        }
    }

    @Test func takesTheChildOfTheWantedPlatformOnly() async throws {
        try await RegistryServer.with { source, destination in
            let amd = source.putImage("a/tool", tag: nil, layers: [content(900, seed: 4)])
            let arm = source.putImage("a/tool", tag: nil, layers: [content(900, seed: 5)], architecture: "arm64")
            let index = source.putIndex("a/tool", tag: "1", [(arm, "linux/arm64"), (amd, "linux/amd64")])
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            #expect(outcome.sourceDigest == index)
            #expect(outcome.destinationDigest == amd)
            #expect(outcome.platformDigest == amd)
            #expect(destination.manifest("b/tool", arm.description) == nil)

            let whole = try await bench.copy(source, destination, to: "b/whole").run()
            #expect(whole.destinationDigest == index)
            #expect(destination.manifest("b/whole", arm.description) != nil)

            let pinned = try await bench.copy(
                source,
                destination,
                to: "b/pinned",
                reference: .digest(index),
                platforms: [.linuxAMD64]
            ).run()
            #expect(pinned.destinationDigest == index)
            #expect(pinned.platformDigest == amd)
            #expect(destination.manifest("b/pinned", arm.description) != nil)
        }
    }

    @Test func namesThePlatformsThatAreThere() async throws {
        try await RegistryServer.with { source, destination in
            let arm = source.putImage("a/tool", tag: "alone", layers: [[1]], architecture: "arm64")
            source.putIndex("a/tool", tag: "1", [(arm, "linux/arm64")])
            let bench = try CopyBench()
            for tag in ["1", "alone"] {
                await #expect {
                    try await bench.copy(
                        source,
                        destination,
                        reference: .tag(tag),
                        platforms: [.linuxAMD64]
                    ).run()
                } throws: { error in
                    let error = error as? RegistryError
                    return error?.kind == .platformMissing && error?.platforms.map(\.description) == ["linux/arm64"]
                }
            }
            #expect(destination.count(.POST, "uploads") == 0)
        }
    }

    @Test func asksTheHooksBeforeAnythingIsWritten() async throws {
        struct Refused: Error {}
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [content(4_000, seed: 6)])
            let bench = try CopyBench()
            let order = Mutex<[String]>([])
            var copy = try bench.copy(source, destination)
            copy.needsCreated = true
            copy.beforeFirstBlob = {
                #expect(destination.count(.POST, "/") == 0)
                order.withLock { $0.append("open") }
            }
            copy.onManifestKnown = { facts in
                #expect(facts.layers == 1)
                #expect(facts.size > 4_000)
                #expect(facts.created == Date(timeIntervalSince1970: 1_714_979_289))
                order.withLock { $0.append("facts") }
            }
            _ = try await copy.run()
            #expect(order.withLock { $0 } == ["facts", "open"])

            copy.destination.repository = "b/other"
            copy.onManifestKnown = { _ in throw Refused() }
            await #expect(throws: Refused.self) { try await copy.run() }
            #expect(destination.count(.POST, "b/other") == 0)
        }
    }

    @Test func doesNotMoveAnImmutableTag() async throws {
        try await RegistryServer.with { source, destination in
            let wanted = source.putImage("a/tool", tag: "1", layers: [[1, 2]])
            let there = destination.putImage("b/tool", tag: "1", layers: [[3, 4]])
            destination.change { $0.immutable = true }
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { error in
                let error = error as? RegistryError
                return error?.kind == .tagImmutable && error?.digests == .init(found: there, wanted: wanted)
            }
        }
    }

    /// As Quay and Harbor word it.
    @Test(arguments: [(HTTPResponseStatus.conflict, "TAG_IMMUTABLE"), (.preconditionFailed, "PRECONDITION")])
    func knowsAnImmutableTagInOtherWords(_ status: HTTPResponseStatus, _ code: String) async throws {
        try await RegistryServer.with { source, destination in
            let wanted = source.putImage("a/tool", tag: "1", layers: [[1, 2]])
            let there = destination.putImage("b/tool", tag: "1", layers: [[3, 4]])
            destination.once({ $0.method == .PUT && $0.uri.contains("/manifests/") }) {
                .error(status, code, "Failed to process request due to 'tool:1' configured as immutable.")
            }
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { error in
                let error = error as? RegistryError
                return error?.kind == .tagImmutable && error?.digests == .init(found: there, wanted: wanted)
            }
        }
    }

    @Test func anUploadIsStartedWhereARedirectLeads() async throws {
        try await RegistryServer.with { source, destination in
            let digest = source.putImage("a/tool", tag: "1", layers: [content(900, seed: 12)])
            destination.change {
                $0.faults.append { request in
                    request.method == .POST && request.uri.contains("/b/old/")
                        ? .init(
                            status: .temporaryRedirect,
                            headers: ["location": request.uri.replacing("/b/old/", with: "/b/new/")]
                        ) : nil
                }
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination, to: "b/old").run()
            #expect(outcome.destinationDigest == digest)
            #expect(destination.blob("b/new", Digest.of(content(900, seed: 12))) != nil)
        }
    }

    @Test func finishesTheDigestItBeganWhenTheTagMoves() async throws {
        try await RegistryServer.with { source, destination in
            let layer = content(2_000, seed: 7)
            let first = source.putImage("a/tool", tag: "1", layers: [layer])
            let bench = try CopyBench()
            var copy = try bench.copy(source, destination)
            copy.beforeFirstBlob = { source.putImage("a/tool", tag: "1", layers: [layer, [9]]) }
            let outcome = try await copy.run()
            #expect(outcome.destinationDigest == first)
            #expect(outcome.tagMovedTo == Digest.of(try #require(source.manifest("a/tool", "1"))))
        }
    }

    @Test(arguments: [RegistryServer.Mounting.off, .on, .afterCommit])
    func movesSharedLayersOnce(_ mounting: RegistryServer.Mounting) async throws {
        try await RegistryServer.with { source, destination in
            destination.change { $0.mounting = mounting }
            let base = (0..<4).map { content(50_000, seed: 100 + UInt64($0)) }
            for number in 0..<6 {
                source.putImage("a/tool\(number)", tag: "1", layers: base + [content(3_000, seed: UInt64(number) + 10)])
            }
            let bench = try CopyBench()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<6 {
                    group.addTask {
                        _ = try await bench.copy(
                            source,
                            destination,
                            repository: "a/tool\(number)",
                            to: "b/tool\(number)"
                        ).run()
                    }
                }
                try await group.waitForAll()
            }
            for layer in base {
                let digest = Digest.of(layer)
                #expect(source.count(.GET, digest.description) == 1)
                for number in 0..<6 { #expect(destination.blob("b/tool\(number)", digest) == layer) }
                let reread = destination.count(.GET, digest.description)
                #expect(mounting == .off ? reread == 5 : reread == 0)
            }
        }
    }

    @Test func refusesFormatsWithAReason() async throws {
        try await RegistryServer.with { source, destination in
            source.put(
                manifest: #"{"schemaVersion":1,"name":"a/tool","fsLayers":[]}"#,
                type: MediaType(rawValue: "application/vnd.docker.distribution.manifest.v1+prettyjws"),
                tag: "1",
                in: "a/tool"
            )
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { error in
                (error as? RegistryError)?.kind == .unsupported && "\(error)".contains("schema 1")
            }
            #expect(destination.count(.POST, "/") == 0)
        }
    }

    @Test func knowsWhatIsMissing() async throws {
        try await RegistryServer.with { source, destination in
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .notFound }
        }
    }
}

@Suite struct CopyFaultTests {
    private static func isBlob(_ request: RegistryServer.Request) -> Bool {
        request.method == .GET && request.uri.contains("/blobs/")
    }

    private let layer = content(400_000, seed: 42)

    @Test(arguments: [true, false])
    func goesOnAfterACutDownload(_ supportsRange: Bool) async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            source.change { $0.supportsRange = supportsRange }
            let digest = Digest.of(layer).description
            let layer = layer
            source.once({ $0.method == .GET && $0.uri.contains(digest) }) {
                .init(status: .ok, body: layer, cutAfter: 150_000)
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
            #expect(outcome.transfer.resumed == 1)
            #expect(destination.count(.PUT, Digest.of(layer).encoded) == 1, "the upload went on")
            let second = source.log.last { $0.uri.contains(digest) }
            #expect(second?.headers.first(name: "range")?.hasPrefix("bytes=") == true)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
        }
    }

    @Test func countsFailuresForEachBlob() async throws {
        try await RegistryServer.with { source, destination in
            let layers = (0..<8).map { content(20_000, seed: 60 + UInt64($0)) }
            source.putImage("a/tool", tag: "1", layers: layers)
            for layer in layers {
                let digest = Digest.of(layer).description
                for _ in 0..<4 {
                    source.once({ $0.method == .GET && $0.uri.contains(digest) }) {
                        .init(status: .serviceUnavailable)
                    }
                }
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.transfer.blobsDone == 9)
        }
    }

    @Test func restartsACutUploadOfThatBlobOnly() async throws {
        try await RegistryServer.with { source, destination in
            let small = content(700, seed: 8)
            source.putImage("a/tool", tag: "1", layers: [layer, small])
            destination.change { $0.cutUploadAfter = 100_000 }
            var bench = try CopyBench()
            bench.share = LayerShare(slots: NamedSlots(1))
            let outcome = try await bench.copy(source, destination).run()
            #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
            #expect(outcome.transfer.restarted == 1)
            #expect(destination.count(.PUT, Digest.of(small).encoded) == 1)
            #expect(outcome.transfer.bytesDone == outcome.transfer.bytesTotal)
        }
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)),
        ("Mon, 21 Sep 2026 14:13:30 GMT", .seconds(10)),
    ])
    func waitsAsLongAsItIsTold(_ value: String, _ expected: Duration) async throws {
        for status in [HTTPResponseStatus.tooManyRequests, .serviceUnavailable] {
            try await RegistryServer.with { source, destination in
                source.putImage("a/tool", tag: "1", layers: [[1]])
                source.once({ $0.method == .GET && $0.uri.contains("/manifests/") }) {
                    .init(status: status, headers: ["retry-after": value])
                }
                source.once(Self.isBlob) { .init(status: status, headers: ["retry-after": "11"]) }
                destination.once({ $0.method == .POST }) { .init(status: status, headers: ["retry-after": "3"]) }
                destination.once({ $0.method == .PUT && $0.uri.contains("/uploads/") }) {
                    .init(status: status, headers: ["retry-after": "13"])
                }
                destination.once({ $0.method == .PUT && $0.uri.contains("/manifests/") }) {
                    .init(status: status, headers: ["retry-after": "17"])
                }
                let bench = try CopyBench()
                _ = try await bench.copy(source, destination).run()
                #expect(bench.time.slept.first == expected)
                #expect(Set(bench.time.slept) == Set([expected] + [3, 11, 13, 17].map(Duration.seconds)))
            }
        }
    }

    @Test func parksWhatHasToWaitLong() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [[1]])
            source.once({ $0.uri.contains("/manifests/") }) {
                .init(status: .tooManyRequests, headers: ["retry-after": "3600"])
            }
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { error in
                let error = error as? RegistryError
                return error?.kind == .throttled && error?.retryAfter == .seconds(3600)
                    && error?.isWorthRetrying == true
            }
            #expect(bench.time.slept.isEmpty)
        }
    }

    @Test func neverClosesAnUploadOfWrongBytes() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            let digest = Digest.of(layer).description
            var wrong = layer
            wrong[399_999] ^= 1
            let bytes = wrong
            source.change {
                $0.faults.append { request in
                    request.method == .GET && request.uri.contains(digest) ? .init(status: .ok, body: bytes) : nil
                }
            }
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .digestMismatch && ($0 as? RegistryError)?.host == source.host }
            #expect(destination.blob("b/tool", Digest.of(layer)) == nil)
            #expect(destination.blob("b/tool", Digest.of(wrong)) == nil)
            #expect(destination.count(.PUT, "digest=") <= 1, "the configuration only")
            #expect(destination.count(.PUT, "/manifests/") == 0)
        }
    }

    @Test(arguments: [100, 500_000])
    func refusesAnotherLength(_ length: Int) async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            let digest = Digest.of(layer).description
            let bytes = content(length, seed: 1)
            source.change {
                $0.faults.append { request in
                    request.method == .GET && request.uri.contains(digest) ? .init(status: .ok, body: bytes) : nil
                }
            }
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .digestMismatch }
            #expect(destination.count(.PUT, "/manifests/") == 0)
        }
    }

    @Test func renewsATokenThatRunsOutInTheMiddle() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer, content(900, seed: 9)])
            source.change { $0.token = "none yet" }
            destination.change { $0.token = "none yet" }
            let ended = Mutex(false)
            destination.change {
                $0.faults.append { request in
                    // The first blob that arrives finds its token ended.
                    guard request.method == .PUT, request.uri.contains("/uploads/") else { return nil }
                    let isFirst = ended.withLock { ended -> Bool in
                        defer { ended = true }
                        return !ended
                    }
                    guard isFirst else { return nil }
                    var reply = RegistryServer.Reply.error(.unauthorized, "UNAUTHORIZED")
                    reply.headers.add(
                        name: "www-authenticate",
                        value: #"Bearer realm="http://\#(request.headers.first(name: "host") ?? "")/token",service="t""#
                    )
                    return reply
                }
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.transfer.blobsDone == 3)
            #expect(source.count(.GET, "/token") == 1)
            #expect(destination.count(.GET, "/token") >= 2)
            #expect(
                destination.log.filter { $0.uri.contains("/token") }.allSatisfy {
                    $0.uri.contains("scope=repository%3Ab%2Ftool%3A")
                }
            )
        }
    }

    @Test func beginsAnewWhenTheUploadIsGone() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            destination.once({ $0.method == .PUT && $0.uri.contains("/uploads/") }) {
                .error(.notFound, "BLOB_UPLOAD_UNKNOWN")
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.transfer.restarted == 1)
            #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
        }
    }

    @Test func aStalledPeerCountsAsACut() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            let digest = Digest.of(layer).description
            let layer = layer
            source.once({ $0.method == .GET && $0.uri.contains(digest) }) {
                .init(status: .ok, body: layer, stallAfter: 100_000)
            }
            var bench = try CopyBench()
            // Long enough that the destination of a busy machine is not taken for stalled.
            bench.patience = Patience(idle: .seconds(3))
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.transfer.resumed >= 1)
            #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
        }
    }

    @Test func movesABlobAgainThatTheRegistryLost() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [layer])
            destination.once({ $0.method == .PUT && $0.uri.contains("/manifests/") }) {
                .error(.badRequest, "MANIFEST_BLOB_UNKNOWN")
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.destinationDigest == outcome.sourceDigest)
            #expect(destination.count(.PUT, "/manifests/1") == 2)
        }
    }
}

@Suite struct CopySecurityTests {
    @Test func credentialsDoNotFollowARedirectOrALocation() async throws {
        try await RegistryServer.with { source, destination in
            let elsewhere = try await RegistryServer.start()
            let layer = content(1_000, seed: 11)
            source.putImage("a/tool", tag: "1", layers: [layer])
            elsewhere.put(blob: layer, in: "a/tool")
            elsewhere.change { $0.blobs["a/tool"] = source.change { $0.blobs["a/tool"] ?? [:] } }
            source.change {
                $0.token = "x"
                $0.blobHost = elsewhere.host
            }
            let hosts: Set<Int> = [elsewhere.port]
            let bench = try CopyBench(addressGuard: AddressGuard(isTrustedHost: { _, port in hosts.contains(port) }))
            let credential = FixedCredential(.basic(user: "u", password: "geheim"))
            let copy = ImageCopy(
                source: .init(
                    client: try bench.client(source, credentials: credential),
                    repository: "a/tool",
                    reference: .tag("1")
                ),
                destination: .init(client: try bench.client(destination), repository: "b/tool", tag: "1")
            )
            _ = try await copy.run()
            await elsewhere.stop()
            #expect(!elsewhere.log.isEmpty)
            #expect(elsewhere.log.allSatisfy { !$0.headers.contains(name: "authorization") })
            #expect(source.log.contains { $0.headers.first(name: "authorization")?.hasPrefix("Bearer ") == true })
            let token = source.log.first { $0.uri.contains("/token") }
            #expect(token?.headers.first(name: "authorization")?.hasPrefix("Basic ") == true)
        }
    }

    @Test func aRedirectToAPrivatePlaceIsNotFollowed() async throws {
        try await RegistryServer.with { source, destination in
            let elsewhere = try await RegistryServer.start()
            source.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
            source.change { $0.blobHost = elsewhere.host }
            let bench = try CopyBench(addressGuard: AddressGuard())
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .addressRefused }
            #expect(elsewhere.log.isEmpty)
            await elsewhere.stop()
        }
    }

    @Test func anUploadToAPrivatePlaceIsNotSent() async throws {
        try await RegistryServer.with { source, destination in
            let elsewhere = try await RegistryServer.start()
            source.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
            destination.change { $0.uploadHost = elsewhere.host }
            let bench = try CopyBench(addressGuard: AddressGuard())
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .addressRefused }
            #expect(elsewhere.log.isEmpty)
            await elsewhere.stop()
        }
    }

    @Test func aRealmAtAPrivatePlaceIsNotAsked() async throws {
        try await RegistryServer.with { source, destination in
            let elsewhere = try await RegistryServer.start()
            let realm = "http://\(elsewhere.host)/token"
            source.change {
                $0.faults.append { _ in
                    .init(status: .unauthorized, headers: ["www-authenticate": "Bearer realm=\"\(realm)\""])
                }
            }
            let bench = try CopyBench(addressGuard: AddressGuard())
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.kind == .addressRefused }
            #expect(elsewhere.log.isEmpty)
            await elsewhere.stop()
        }
    }
}
