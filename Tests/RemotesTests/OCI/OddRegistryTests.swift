import Foundation
import NIOHTTP1
import Names
import Remotes
import Synchronization
import TestSupport
import Testing

/// Registries as they are: what they answer besides the specification, and what of that is final.
@Suite struct OddRegistryTests {
    private static func isManifest(_ request: RegistryServer.Request) -> Bool { request.uri.contains("/manifests/") }
    private static func isBlob(_ request: RegistryServer.Request) -> Bool {
        request.method == .GET && request.uri.contains("/blobs/")
    }

    private func client(
        _ server: RegistryServer,
        _ bench: CopyBench,
        _ credentials: any RegistryCredentialSource = AnonymousCredentials(),
        also origins: [WebAddress.Origin] = []
    ) throws -> RegistryClient {
        RegistryClient(
            endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
            transport: bench.transport.trusting(Set([server.origin] + origins)),
            credentials: credentials,
            timeline: bench.time.timeline
        )
    }

    private func failure(_ body: () async throws -> Void) async -> RegistryError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? RegistryError
        }
    }

    // MARK: HEAD

    static let refusedLooks: [HTTPResponseStatus] = [
        .methodNotAllowed, .forbidden, .badRequest, .notImplemented, .internalServerError,
    ]

    @Test(arguments: refusedLooks)
    func whereHEADIsRefusedGETDecides(_ status: HTTPResponseStatus) async throws {
        try await RegistryServer.with { source, destination in
            let digest = source.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
            for server in [source, destination] {
                server.change {
                    $0.faults.append { $0.method == .HEAD && Self.isManifest($0) ? .init(status: status) : nil }
                }
            }
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.destinationDigest == digest)
            #expect(source.count(.GET, "/manifests/") == 1, "one pull")
            // And what is not there, GET says too.
            let missing = await failure { _ = try await bench.copy(source, destination, reference: .tag("2")).run() }
            #expect(missing?.kind == .notFound)
        }
    }

    @Test(arguments: [403, 404, 405])
    func aStoreThatAllowsGETAlone(_ status: Int) async throws {
        try await RegistryServer.with { source, destination in
            try await RegistryServer.with { store, _ in
                let digest = source.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
                store.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
                store.change {
                    $0.faults.append { $0.method == .HEAD ? .init(status: .init(statusCode: status)) : nil }
                }
                let host = store.host
                source.change {
                    $0.faults.append { request in
                        guard Self.isManifest(request) else { return nil }
                        return .init(
                            status: .temporaryRedirect,
                            headers: ["location": "http://\(host)\(request.uri)"]
                        )
                    }
                }
                let bench = try CopyBench()
                #expect(try await bench.copy(source, destination).run().sourceDigest == digest)
                #expect(store.count(.GET, "/manifests/") == 1)
                #expect(bench.time.slept.isEmpty)
            }
        }
    }

    @Test(arguments: [405, 400, 501])
    func aBlobThatCannotBeLookedForIsSent(_ status: Int) async throws {
        try await RegistryServer.with { source, destination in
            let digest = source.putImage("a/tool", tag: "1", layers: [[1, 2, 3]])
            destination.change {
                $0.faults.append { request in
                    guard request.method == .HEAD, request.uri.contains("/blobs/") else { return nil }
                    return .init(status: .init(statusCode: status))
                }
            }
            let bench = try CopyBench()
            #expect(try await bench.copy(source, destination).run().destinationDigest == digest)
            #expect(destination.blob("b/tool", Digest.of([1, 2, 3])) == [1, 2, 3])
            #expect(bench.time.slept.isEmpty)
        }
    }

    @Test func aDeadTokenIsReplacedOnceAndThenWaitedFor() async throws {
        final class Tokens: RegistryCredentialSource {
            let number = Mutex(1)
            func credential(for registry: String) async throws -> RegistryCredential {
                .basic(user: "AWS", password: "\(number.withLock { $0 })")
            }
            func invalidate(_ credential: RegistryCredential, for registry: String) async {
                number.withLock { if credential == .basic(user: "AWS", password: "\($0)") { $0 += 1 } }
            }
        }
        try await RegistryServer.with { server, _ in
            let digest = server.put(blob: [1, 2, 3], in: "a/tool")
            let firstGood = Mutex(2)
            server.change {
                $0.faults.append { request in
                    guard let shown = request.headers.first(name: "authorization") else {
                        return .init(status: .unauthorized, headers: ["www-authenticate": "Basic realm=\"x\""])
                    }
                    let good = firstGood.withLock { $0 }
                    let isGood = (good..<9).contains {
                        shown == "Basic " + Data("AWS:\($0)".utf8).base64EncodedString()
                    }
                    // To a HEAD nothing else can be said.
                    return isGood ? nil : .init(status: .forbidden)
                }
            }
            let bench = try CopyBench()
            let tokens = Tokens()
            let client = try client(server, bench, tokens)
            #expect(try await client.blobExists("a/tool", digest))
            #expect(tokens.number.withLock { $0 } == 2)
            // One that is as new as can be had is refused as well: that proves nothing about rights.
            firstGood.withLock { $0 = 9 }
            let seen = await failure { _ = try await client.blobExists("a/tool", digest) }
            #expect(seen?.isWorthRetrying == true)
            #expect(seen?.kind != .denied)
        }
    }

    // MARK: Where a registry leads

    @Test func anAddressThatRanOutIsAskedForAgain() async throws {
        try await RegistryServer.with { source, destination in
            try await RegistryServer.with { store, _ in
                let layer = content(5_000, seed: 1)
                for server in [source, store] { server.putImage("a/tool", tag: "1", layers: [layer]) }
                source.change { $0.blobHost = store.host }
                for (status, code) in [
                    (400, "ExpiredToken"), (403, "AccessDenied"), (404, "NoSuchKey"), (503, "SlowDown"),
                ] {
                    store.once({ $0.uri.contains("\(Digest.of(layer))") }) {
                        .init(
                            status: .init(statusCode: status),
                            headers: ["content-type": "application/xml"],
                            body: Array("<Error><Code>\(code)</Code><Message>no</Message></Error>".utf8)
                        )
                    }
                }
                let bench = try CopyBench()
                let copy = ImageCopy(
                    source: .init(
                        client: try client(source, bench, also: [store.origin]),
                        repository: "a/tool",
                        reference: .tag("1")
                    ),
                    destination: .init(client: try bench.client(destination), repository: "b/tool", tag: "1")
                )
                _ = try await copy.run()
                #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
                #expect(source.count(.GET, "\(Digest.of(layer))") == 5, "the registry itself is asked again")
            }
        }
    }

    @Test func aStoreThatNeverGivesIsNoWordAboutTheImage() async throws {
        try await RegistryServer.with { source, store in
            let descriptor = Descriptor(mediaType: .ociConfig, digest: source.put(blob: [1, 2], in: "a"), size: 2)
            source.change { $0.blobHost = store.host }
            store.change { $0.faults.append { _ in .init(status: .forbidden) } }
            let bench = try CopyBench()
            let client = try client(source, bench, also: [store.origin])
            let seen = await failure { _ = try await client.readBlob("a", descriptor) }
            #expect(seen?.kind == .storeFault)
            #expect(seen?.isWorthRetrying == true)
            #expect(seen?.description.contains(store.host) == true)
            #expect(source.count(.GET, "/blobs/") == 5)
        }
    }

    @Test(arguments: [9, 10, 11])
    func tenRedirectsAreFollowed(_ count: Int) async throws {
        try await RegistryServer.with { source, _ in
            let digest = source.putImage("a/tool", tag: "1", layers: [[1]])
            let bytes = try #require(source.manifest("a/tool", "1"))
            source.change {
                $0.faults.append { request in
                    guard Self.isManifest(request) else { return nil }
                    let hop = request.query("hop").flatMap { Int($0) } ?? 0
                    if hop == count {
                        return .init(
                            status: .ok,
                            headers: ["content-type": MediaType.ociManifest.rawValue],
                            body: bytes
                        )
                    }
                    return .init(status: .found, headers: ["location": "\(request.path)?hop=\(hop + 1)"])
                }
            }
            let bench = try CopyBench()
            let found = try? await client(source, bench).getManifest("a/tool", .tag("1")).digest
            #expect(found == (count <= 10 ? digest : nil))
        }
    }

    // MARK: Blobs

    @Test func aBlobThatIsMissingOnceIsNoReasonToGiveUp() async throws {
        try await RegistryServer.with { source, destination in
            let layer = content(2_000, seed: 4)
            source.putImage("a/tool", tag: "1", layers: [layer])
            source.once(Self.isBlob) { .error(.notFound, "BLOB_UNKNOWN") }
            let bench = try CopyBench()
            _ = try await bench.copy(source, destination).run()
            #expect(destination.blob("b/tool", Digest.of(layer)) == layer)
            // One that stays away is the registry's fault, and its name is right.
            source.change { $0.blobs["a/tool"]?[Digest.of(layer).description] = nil }
            let next = try CopyBench()
            let seen = await failure { _ = try await next.copy(source, destination, to: "c/tool").run() }
            #expect(seen?.kind == .incomplete)
            #expect(seen?.isWorthRetrying == true)
            #expect(seen?.mend.contains("check the name") == false)
        }
    }

    @Test func aBlobIsAskedForAsOftenAsTheRuleSaysAndNoMore() async throws {
        try await RegistryServer.with { source, destination in
            let bench = try CopyBench()
            for platforms in [nil, [Platform.linuxAMD64]] {
                source.putImage("a/tool", tag: "1", layers: [])
                source.change {
                    $0.log = []
                    $0.faults = [{ Self.isBlob($0) ? .init(status: .serviceUnavailable) : nil }]
                }
                let seen = await failure {
                    _ = try await bench.copy(source, destination, to: "c/tool", platforms: platforms).run()
                }
                #expect(seen?.kind == .serverFault)
                #expect(source.count(.GET, "/blobs/") == 5)
                source.change {
                    $0.log = []
                    $0.faults = [
                        { Self.isBlob($0) ? .init(status: .tooManyRequests, headers: ["retry-after": "3600"]) : nil }
                    ]
                }
                let asked = await failure {
                    _ = try await bench.copy(source, destination, to: "c/tool", platforms: platforms).run()
                }
                #expect(asked?.retryAfter == .seconds(3600))
                #expect(source.count(.GET, "/blobs/") == 1)
            }
        }
    }

    @Test func anUploadIsBegunAsOftenAsTheRuleSaysAndNoMore() async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [])
            destination.change { $0.faults = [{ $0.method == .POST ? .init(status: .serviceUnavailable) : nil }] }
            let bench = try CopyBench()
            let seen = await failure { _ = try await bench.copy(source, destination).run() }
            #expect(seen?.kind == .serverFault)
            #expect(destination.count(.POST, "/uploads/") == 5)
        }
    }

    // MARK: Manifests

    @Test func aManifestCutInItsBodyIsReadAgain() async throws {
        try await RegistryServer.with { source, _ in
            let digest = source.putImage("a/tool", tag: "1", layers: [[1], [2]])
            let bytes = try #require(source.manifest("a/tool", "1"))
            let bench = try CopyBench()
            source.once({ $0.method == .GET }) { .init(status: .ok, body: bytes, cutAfter: 40) }
            let client = try client(source, bench)
            #expect(try await client.getManifest("a/tool", .tag("1")).digest == digest)
            source.change {
                $0.faults.append { $0.method == .GET ? .init(status: .ok, body: bytes, cutAfter: 40) : nil }
            }
            let seen = await failure { _ = try await client.getManifest("a/tool", .tag("1")) }
            #expect(seen?.kind == .unreachable)
            #expect(seen?.transport == .cut)
            #expect(seen?.description.contains("not HTTP") == false)
        }
    }

    @Test(arguments: [200, 403, 404, 405, 502])
    func aWebPageIsOfSomethingInBetween(_ status: Int) async throws {
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [[1]])
            let page = "<!DOCTYPE html><html><head><title>Down for\n maintenance</title></head></html>"
            for type in ["text/html; charset=utf-8", "application/json"] {
                for server in [source, destination] {
                    server.change {
                        $0.faults = [
                            { _ in
                                .init(
                                    status: .init(statusCode: status),
                                    headers: ["content-type": type],
                                    body: Array(page.utf8)
                                )
                            }
                        ]
                    }
                }
                let bench = try CopyBench()
                let client = try client(source, bench)
                for attempt in [
                    { _ = try await client.getManifest("a/tool", .tag("1")) },
                    { _ = try await client.startUpload("a/tool") },
                ] as [() async throws -> Void] {
                    let seen = await failure(attempt)
                    // Without its header nothing tells a page from an answer that opens an upload.
                    guard type.hasPrefix("text") || seen?.kind != .brokenAnswer else { continue }
                    #expect(seen?.belongsToHost == true, "\(String(describing: seen))")
                    #expect(seen?.description.contains("titled “Down for maintenance”") == true)
                }
            }
        }
    }

    @Test func whatIsNoManifestIsHeldAgainstTheImageOnlyWhenItIsProven() async throws {
        try await RegistryServer.with { source, _ in
            let text = #"{"nothing":"here"}"#
            let digest = Digest.of(Array(text.utf8))
            let bench = try CopyBench()
            let client = try client(source, bench)
            source.change { $0.faults = [{ Self.isManifest($0) ? .init(status: .ok, body: Array(text.utf8)) : nil }] }
            let unproven = await failure { _ = try await client.getManifest("a", .tag("1")) }
            #expect(unproven?.isWorthRetrying == true)
            let proven = await failure { _ = try await client.getManifest("a", .digest(digest)) }
            #expect(proven?.kind == .unsupported)
        }
    }

    @Test func aManifestCompressedUnaskedIsRead() async throws {
        try await RegistryServer.with { source, _ in
            let digest = source.putImage("a/tool", tag: "1", layers: [content(100, seed: 9)])
            let bytes = try #require(source.manifest("a/tool", "1"))
            let packed = try gzipped(bytes)
            source.change {
                $0.faults.append { request in
                    guard request.method == .GET, Self.isManifest(request) else { return nil }
                    return .init(
                        status: .ok,
                        headers: ["content-encoding": "gzip", "content-type": MediaType.ociManifest.rawValue],
                        body: packed
                    )
                }
            }
            let bench = try CopyBench()
            #expect(try await client(source, bench).getManifest("a/tool", .digest(digest)).bytes == bytes)
            #expect(source.log.allSatisfy { $0.headers.first(name: "accept-encoding") == "identity" })
        }
    }

    /// What gzip makes of bytes.
    private func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("x")
        try Data(bytes).write(to: file)
        try runProgram("/usr/bin/gzip", [file.path])
        return Array(try Data(contentsOf: file.appendingPathExtension("gz")))
    }

    // MARK: Indexes

    private func entry(_ digest: Digest, size: Int, type: String, platform: String?) -> String {
        let parts = (platform ?? "").split(separator: "/")
        let place = platform.map { _ in #","platform":{"os":"\#(parts[0])","architecture":"\#(parts[1])"}"# } ?? ""
        return #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(size)\#(place)}"#
    }

    private func putIndex(_ server: RegistryServer, _ entries: [String]) -> Digest {
        server.put(
            manifest:
                #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(entries.joined(separator: ","))]}"#,
            type: .ociIndex,
            tag: "1",
            in: "a/tool"
        )
    }

    private func entry(_ server: RegistryServer, _ digest: Digest, _ platform: String?) -> String {
        let size = server.manifest("a/tool", digest.description)?.count ?? 700
        return entry(digest, size: size, type: MediaType.ociManifest.rawValue, platform: platform)
    }

    @Test func aChildOfUnknownTypeIsPassedOver() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1]])
            let other = source.put(manifest: "{}", type: .ociManifest, tag: nil, in: "a/tool")
            let index = putIndex(
                source,
                [
                    entry(other, size: 2, type: "application/vnd.example.thing+json", platform: nil),
                    entry(source, image, "linux/amd64"),
                ]
            )
            let bench = try CopyBench()
            let child = try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            #expect(child.destinationDigest == image)
            let whole = try await bench.copy(source, destination, to: "c/tool", reference: .digest(index)).run()
            #expect(whole.destinationDigest == index)
        }
    }

    @Test func layersThatAreNotToBeDistributedStayWhereTheyAre() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1]])
            let config = source.put(blob: [7], in: "a/tool")
            let foreign = Digest.of([9, 9])
            let windows = source.put(
                manifest: """
                    {"schemaVersion":2,"mediaType":"\(MediaType.dockerManifest)","config":\
                    {"mediaType":"\(MediaType.dockerConfig)","digest":"\(config)","size":1},"layers":[{"mediaType":\
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"\(foreign)","size":2,\
                    "urls":["https://169.254.169.254/x"]}]}
                    """,
                type: .dockerManifest,
                tag: nil,
                in: "a/tool"
            )
            let index = putIndex(
                source,
                [entry(source, image, "linux/amd64"), entry(source, windows, "windows/amd64")]
            )
            let bench = try CopyBench()
            let outcome = try await bench.copy(
                source,
                destination,
                reference: .digest(index),
                platforms: [.linuxAMD64]
            ).run()
            #expect(outcome.destinationDigest == index)
            #expect(destination.manifest("b/tool", windows.description) != nil)
            #expect(source.count(.GET, "\(foreign)") == 0)
            // To run an image all its layers are needed.
            let seen = await failure {
                _ = try await bench.copy(
                    source,
                    destination,
                    reference: .digest(windows),
                    platforms: [Platform(operatingSystem: "windows", architecture: "amd64")]
                ).run()
            }
            #expect(seen?.kind == .unsupported)
        }
    }

    @Test func anIndexThatNamesWhatIsMissingIsBroken() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1]])
            let gone = Digest.of([1, 2, 3, 4])
            let bench = try CopyBench()
            _ = putIndex(source, [entry(source, gone, "linux/amd64"), entry(source, image, "linux/arm64")])
            let seen = await failure {
                _ = try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            }
            #expect(seen?.kind == .incomplete)
            #expect(seen?.description.contains("is broken") == true)
            #expect(seen?.description.contains("\(gone)") == true)
            #expect(seen?.mend.contains("check the name") == false)
            // An attestation is nothing that runs.
            let index = putIndex(source, [entry(source, image, "linux/amd64"), entry(source, gone, "unknown/unknown")])
            let outcome = try await bench.copy(source, destination, reference: .digest(index)).run()
            #expect(outcome.destinationDigest == index)
        }
    }

    @Test func aChildHasTheSizeOfItsDescriptor() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1]])
            _ = putIndex(
                source,
                [entry(image, size: 20, type: MediaType.ociManifest.rawValue, platform: "linux/amd64")]
            )
            let bench = try CopyBench()
            let seen = await failure {
                _ = try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            }
            #expect(seen?.kind == .digestMismatch)
            #expect(seen?.description.contains("20 bytes") == true)
        }
    }

    @Test func whatRegistriesSayIsBounded() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1]])
            let entries = (0..<900).map { number in
                entry(source, image, "os\(number)\(String(repeating: "x", count: number < 450 ? 20 : 3_000))/mips")
            }
            _ = putIndex(source, entries)
            let bench = try CopyBench()
            let seen = await failure {
                _ = try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            }
            #expect(seen?.kind == .platformMissing)
            #expect((seen?.description.utf8.count ?? 0) < 4_000)
            #expect((seen?.mend.utf8.count ?? 0) < 4_000)
        }
    }

    // MARK: What a person is told

    @Test func dockersFirstSchemaNamesWhatToUse() async throws {
        try await RegistryServer.with { source, destination in
            let old = #"{"schemaVersion":1,"name":"a/tool","tag":"1.3.0--py35_0","fsLayers":[],"history":[]}"#
            source.put(
                manifest: old,
                type: MediaType(rawValue: "application/vnd.docker.distribution.manifest.v1+prettyjws"),
                tag: "1.3.0--py35_0",
                in: "a/tool"
            )
            let newer = source.putImage("a/tool", tag: "1.3.0--py39_2", layers: [[1]])
            source.change {
                $0.faults.append { request in
                    guard request.path.hasSuffix("/tags/list") else { return nil }
                    let tags = #""1.3.0--py35_0","1.3.0--py39_2","1.3.01--0","1.2.0--py35_9","latest""#
                    return .init(status: .ok, body: Array(#"{"name":"a/tool","tags":[\#(tags)]}"#.utf8))
                }
            }
            let bench = try CopyBench()
            let seen = await failure {
                _ = try await client(source, bench).getManifest("a/tool", .tag("1.3.0--py35_0"))
            }
            // A copy may know the digest before it reads.
            let copied = await failure {
                _ = try await bench.copy(source, destination, reference: .tag("1.3.0--py35_0")).run()
            }
            for seen in [seen, copied] {
                #expect(seen?.kind == .unsupported)
                #expect(seen?.mend.contains("a/tool:1.3.0--py39_2") == true)
                #expect(seen?.mend.contains("\(newer)") == true)
                #expect(seen?.mend.contains("skopeo copy --format v2s2") == true)
                #expect(seen?.mend.contains("a/tool:1.3.0--py35_0 docker://") == true)
            }
        }
    }

    @Test(arguments: [401, 403])
    func whoAsksWithoutCredentialsIsToldBoth(_ status: Int) async throws {
        try await RegistryServer.with { source, _ in
            source.change {
                $0.token = "needed"
                $0.faults.append { request in
                    guard request.headers.contains(name: "authorization") else { return nil }
                    return .error(.init(statusCode: status), "DENIED", "requested access to the resource is denied")
                }
            }
            let bench = try CopyBench()
            let seen = await failure { _ = try await client(source, bench).headManifest("a/tool", .tag("1")) }
            let read = await failure { _ = try await client(source, bench).getManifest("a/tool", .tag("1")) }
            for seen in [status == 401 ? seen : read, read] {
                #expect(seen?.mend.contains("does not exist") == true)
                #expect(seen?.mend.contains("configure credentials") == true)
            }
        }
    }

    @Test func aTokenEndpointIsAskedAsOftenAsAnythingElse() async throws {
        try await RegistryServer.with { source, _ in
            source.putImage("a/tool", tag: "1", layers: [[1]])
            source.change {
                $0.token = "needed"
                $0.faults = [{ $0.path == "/token" ? .init(status: .serviceUnavailable) : nil }]
            }
            let bench = try CopyBench()
            let seen = await failure { _ = try await client(source, bench).getManifest("a/tool", .tag("1")) }
            #expect(seen?.kind == .serverFault)
            #expect(source.count(.GET, "/token") == 5)
        }
    }

    @Test func whatComesCompressedUnaskedIsRead() async throws {
        let token = try gzipped(Array(#"{"token":"token-1"}"#.utf8))
        let refusal = try gzipped(
            Array(#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#.utf8)
        )
        try await RegistryServer.with { source, _ in
            source.putImage("a/tool", tag: "1", layers: [[1]])
            source.change {
                $0.token = "needed"
                $0.tokensGiven = 1
                $0.faults = [
                    {
                        $0.path == "/token"
                            ? .init(status: .ok, headers: ["content-encoding": "gzip"], body: token) : nil
                    },
                    { request in
                        guard request.uri.hasSuffix("/2"), request.headers.contains(name: "authorization") else {
                            return nil
                        }
                        return .init(status: .tooManyRequests, headers: ["content-encoding": "gzip"], body: refusal)
                    },
                ]
            }
            let bench = try CopyBench()
            let client = try client(source, bench)
            #expect(try await client.getManifest("a/tool", .tag("1")).mediaType == .ociManifest)
            let seen = await failure { _ = try await client.getManifest("a/tool", .tag("2")) }
            #expect(seen?.kind == .quotaExhausted)
        }
    }

    @Test func aTokenEndpointSaysNothingAboutTheImage() async throws {
        try await RegistryServer.with { source, _ in
            source.putImage("a/tool", tag: "1", layers: [[1]])
            for status in [HTTPResponseStatus.notFound, .badRequest, .gone] {
                source.change {
                    $0.token = "needed"
                    $0.faults = [{ $0.path == "/token" ? .error(status, "NOT_FOUND") : nil }]
                }
                let bench = try CopyBench()
                let seen = await failure { _ = try await client(source, bench).getManifest("a/tool", .tag("1")) }
                #expect(seen?.isWorthRetrying == true, "\(String(describing: seen))")
            }
        }
    }

    @Test(arguments: [
        ("registry-1.docker.io", "https://auth.docker.io/token", true), ("quay.io", "https://quay.io/v2/auth", true),
        ("quay.io", "https://evil.example/token", false), ("registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
        ("nvcr.io", "https://authn.nvidia.com/token", true), ("harbor.a.example", "https://sso.a.example/t", true),
        ("harbor.a.example", "https://sso.b.example/t", false), ("shop.co.uk", "https://evil.co.uk/t", false),
        ("quay.io", "https://quay.io.evil.example/t", false), ("a.b.example", "https://login.own.example/t", true),
    ])
    func aLoginGoesToTheRegistrysOwnDomain(_ registry: String, _ realm: String, _ isTrusted: Bool) async throws {
        let transport = ScriptedTransport([
            .answer(401, [("www-authenticate", #"Bearer realm="\#(realm)",service="s""#)], ""),
            .answer(200, [], #"{"token":"t"}"#), .answer(404, [], ""),
        ])
        func client(_ credentials: any RegistryCredentialSource) throws -> RegistryClient {
            RegistryClient(
                endpoint: try RegistryEndpoint(registry: registry, tokenRealm: "https://login.own.example"),
                transport: transport,
                credentials: credentials,
                timeline: HastyTime().timeline
            )
        }
        let login = FixedCredential(.basic(user: "u", password: "geheim"))
        let seen = await failure { _ = try await client(login).headManifest("a/b", .tag("1")) }
        #expect(transport.sent.contains { $0.headers.contains(name: "authorization") } == isTrusted)
        #expect((seen?.kind == .addressRefused) == !isTrusted)
        if !isTrusted { #expect(seen?.mend.contains("credentials") == true) }
    }

    @Test func withoutALoginAnyEndpointWillDo() async throws {
        let transport = ScriptedTransport([
            .answer(401, [("www-authenticate", #"Bearer realm="https://elsewhere.example/t""#)], ""),
            .answer(200, [], #"{"token":"t"}"#), .answer(404, [], ""),
        ])
        let client = RegistryClient(
            endpoint: try RegistryEndpoint(registry: "quay.io"),
            transport: transport,
            timeline: HastyTime().timeline
        )
        #expect(try await client.headManifest("a/b", .tag("1")) == nil)
        #expect(transport.sent.count == 3)
    }
}
