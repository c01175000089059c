import Foundation
import NIOHTTP1
import Names
import Synchronization
import TestSupport
import Testing

@testable import Remotes

/// Signatures, bills of materials and attestations: they come with their image, from registries of every kind.
@Suite struct ReferrerTests {
    private static let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    private static let notation = "application/vnd.cncf.notary.signature"

    /// Something that refers to a manifest: by its subject, or, without an artifact type, by the tag that is given.
    @discardableResult
    private func sign(
        _ server: RegistryServer,
        _ digest: Digest,
        _ artifactType: String? = nil,
        tag: String? = nil,
        signatures: [UInt8] = [1],
        in repository: String = "a/tool"
    ) -> Digest {
        let config = Array("{}".utf8)
        server.put(blob: config, in: repository)
        let layers = signatures.map { number -> String in
            let bytes = Array("signature \(number) of \(digest) \(artifactType ?? "")".utf8)
            server.put(blob: bytes, in: repository)
            return #"{"mediaType":"application/x.signature","digest":"\#(Digest.of(bytes))","size":\#(bytes.count)}"#
        }
        let size = server.manifest(repository, digest.description)?.count ?? 0
        let subject =
            artifactType.map {
                #","artifactType":"\#($0)","subject":{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(digest)","#
                    + #""size":\#(size)}"#
            } ?? ""
        return server.put(
            manifest: """
                {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","config":{"mediaType":\
                "application/vnd.oci.empty.v1+json","digest":"\(Digest.of(config))","size":2},"layers":[\
                \(layers.joined(separator: ","))]\(subject)}
                """,
            type: .ociManifest,
            tag: tag,
            in: repository
        )
    }

    private func tag(_ digest: Digest, _ end: String = "") -> String { "sha256-\(digest.encoded)\(end)" }

    private func copy(
        _ bench: CopyBench,
        _ source: RegistryServer,
        _ destination: RegistryServer,
        platforms: [Platform]? = nil
    ) async throws -> ImageCopy.Outcome {
        var copy = try bench.copy(source, destination, platforms: platforms)
        copy.bringsReferrers = true
        return try await copy.run()
    }

    /// What a verifier at a registry finds.
    private func seen(_ bench: CopyBench, _ server: RegistryServer, _ digest: Digest) async throws -> Set<Referrer> {
        let client = try bench.client(server)
        let source = ImageCopy.Source(client: client, repository: "b/tool", reference: .digest(digest))
        return Set(try await source.referrers(of: digest))
    }

    /// An index of two platforms.
    private func putIndex(_ server: RegistryServer) -> (index: Digest, amd: Digest) {
        let amd = server.putImage("a/tool", tag: nil, layers: [[1]])
        let arm = server.putImage("a/tool", tag: nil, layers: [[2]], architecture: "arm64")
        return (server.putIndex("a/tool", tag: "1", [(amd, "linux/amd64"), (arm, "linux/arm64")]), amd)
    }

    @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
    func allComeWithTheIndexAndItsChildren(_ sourceLists: Bool, _ destinationLists: Bool) async throws {
        try await RegistryServer.with { source, destination in
            for (server, lists) in [(source, sourceLists), (destination, destinationLists)] {
                server.change {
                    $0.listsTags = true
                    $0.listsReferrers = lists
                    $0.referrersPage = 1
                }
            }
            let (index, amd) = putIndex(source)
            // cosign 2, cosign 3 and notation, an SBOM and its own signature.
            let sbom = sign(source, amd, tag: tag(amd, ".sbom"), signatures: [9])
            let tags = [tag(index, ".sig"), tag(amd, ".att"), tag(sbom, ".sig")]
            for (digest, name) in zip([index, amd, sbom], tags) { sign(source, digest, tag: name) }
            let named = [
                sign(source, index, Self.bundle), sign(source, index, Self.notation), sign(source, amd, Self.bundle),
            ]
            if !sourceLists {
                for (subject, digests) in [(index, named.prefix(2)), (amd, named.suffix(1))] {
                    let entries = digests.map { digest in
                        let size = source.manifest("a/tool", digest.description)?.count ?? 0
                        return #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(digest)","size":\#(size)}"#
                    }
                    source.put(
                        manifest: #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":["#
                            + entries.joined(separator: ",") + "]}",
                        type: .ociIndex,
                        tag: tag(subject),
                        in: "a/tool"
                    )
                }
            }
            let bench = try CopyBench()
            let outcome = try await copy(bench, source, destination)
            #expect(outcome.destinationDigest == index)
            #expect(outcome.referrers?.brought == 7)
            #expect(outcome.referrers?.failure == nil)
            #expect(outcome.referrers?.remarks == [])
            #expect(outcome.referrers?.leftBehind == 0)
            let ofIndex = try await seen(bench, destination, index)
            #expect(ofIndex == [.init(.tag(tags[0])), .init(.digest(named[0])), .init(.digest(named[1]))])
            let ofChild = try await seen(bench, destination, amd)
            #expect(ofChild == [.init(.tag(tags[1])), .init(.tag(tag(amd, ".sbom"))), .init(.digest(named[2]))])
            #expect(try await seen(bench, destination, sbom) == [.init(.tag(tags[2]))])
            #expect((destination.manifest("b/tool", tag(index)) == nil) == destinationLists)
            // Nothing is sent again, and nothing read.
            let before = (source.count(.GET, "/manifests/"), destination.count(.PUT, ""))
            let again = try await copy(bench, source, destination)
            #expect(again.referrers?.brought == 7)
            #expect(again.referrers?.bytesMoved == 0)
            #expect(destination.count(.PUT, "") == before.1)
            #expect(source.count(.GET, "/manifests/") <= before.0 + (sourceLists ? 0 : 2))
        }
    }

    @Test(arguments: [true, false])
    func anImageWithoutAnyCostsOneRequest(_ lists: Bool) async throws {
        try await RegistryServer.with { source, destination in
            source.change {
                $0.listsTags = true
                $0.listsReferrers = lists
            }
            let bench = try CopyBench()
            let client = try bench.client(source)
            var plain = 0
            for number in 1...4 {
                source.putImage("a/tool", tag: "\(number)", layers: [[UInt8(number)]])
                var copy = try bench.copy(source, destination, to: "b/\(number)", reference: .tag("\(number)"))
                copy.source.client = client
                copy.share = LayerShare()
                copy.bringsReferrers = number > 1
                let before = source.log.count
                #expect(try await copy.run().referrers?.isSilent != false)
                let spent = source.log.count - before
                switch number {
                case 1: plain = spent
                // The registry's first: whether it lists referrers, and the repository's tags.
                case 2: #expect(spent == plain + 2)
                default: #expect(spent == plain + (lists ? 1 : 0))
                }
            }
        }
    }

    /// What it costs at the source to look for signatures where there are none, beyond the image itself.
    @Test(
        arguments: [
            (lists: true, platforms: nil, requests: [4, 3, 4]), (true, [.linuxAMD64], [3, 2, 3]),
            (false, nil, [2, 0, 1]), (false, [.linuxAMD64], [2, 0, 1]),
        ] as [(Bool, [Platform]?, [Int])]
    )
    func anIndexCostsOneForEachManifestAndOneForItsRepository(
        _ lists: Bool,
        _ platforms: [Platform]?,
        _ requests: [Int]
    ) async throws {
        try await RegistryServer.with { source, destination in
            source.change {
                $0.listsTags = true
                $0.listsReferrers = lists
            }
            let client = try CopyBench().client(source)
            for (position, repository) in ["a/tool", "a/tool", "a/other"].enumerated() {
                let amd = source.putImage(repository, tag: nil, layers: [[1]])
                let arm = source.putImage(repository, tag: nil, layers: [[2]], architecture: "arm64")
                source.putIndex(repository, tag: "1", [(amd, "linux/amd64"), (arm, "linux/arm64")])
                let bench = try CopyBench()
                var spent: [Int] = []
                for brings in [false, true] {
                    var copy = try bench.copy(source, destination, to: "b/\(position)\(brings)", platforms: platforms)
                    copy.source.client = client
                    copy.source.repository = repository
                    copy.share = LayerShare()
                    copy.bringsReferrers = brings
                    let before = source.log.count
                    #expect(try await copy.run().referrers?.isSilent != false)
                    spent.append(source.log.count - before)
                }
                #expect(spent[1] - spent[0] == requests[position])
            }
        }
    }

    /// Of a repository with many tags only the part is read in which signatures are.
    @Test(arguments: [true, false])
    func ofManyTagsOnlyThoseAreReadThatMatter(_ knowsLast: Bool) async throws {
        try await RegistryServer.with { source, destination in
            source.change {
                $0.listsTags = true
                $0.tagsPage = 10
                $0.knowsLast = knowsLast
            }
            let image = source.putImage("a/tool", tag: "1", layers: [[1]])
            for number in 100..<150 { source.putImage("a/tool", tag: "\(number)", layers: [[1]]) }
            source.putImage("a/tool", tag: "v1", layers: [[1]])
            let other = source.putImage("a/tool", tag: "2", layers: [[2]])
            sign(source, image, tag: tag(image, ".sig"))
            let bench = try CopyBench()
            let client = try bench.client(source)
            for (number, digest) in [(1, image), (2, other)] {
                var copy = try bench.copy(source, destination, to: "b/\(number)", reference: .tag("\(number)"))
                copy.source.client = client
                copy.bringsReferrers = true
                #expect(try await copy.run().referrers?.brought == (digest == image ? 1 : 0))
                #expect(source.count(.GET, "/tags/list") == 2, "it is remembered")
                let looks = source.count(.HEAD, "/manifests/" + tag(digest))
                // The signature's tag is resolved; else each that there may be is asked for.
                #expect(looks == (knowsLast ? (digest == image ? 1 : 0) : (digest == image ? 5 : 4)))
            }
        }
    }

    @Test func whatStaysBehindWithTheIndexIsCounted() async throws {
        try await RegistryServer.with { source, destination in
            for server in [source, destination] {
                server.change {
                    $0.listsTags = true
                    $0.listsReferrers = true
                }
            }
            let (index, amd) = putIndex(source)
            sign(source, index, Self.bundle)
            sign(source, index, tag: tag(index, ".sig"))
            let own = sign(source, amd, Self.notation)
            let bench = try CopyBench()
            let outcome = try await copy(bench, source, destination, platforms: [.linuxAMD64])
            #expect(outcome.destinationDigest == amd)
            #expect(outcome.referrers?.brought == 1)
            #expect(outcome.referrers?.leftBehind == 2)
            #expect(try await seen(bench, destination, amd) == [.init(.digest(own))])
            #expect(destination.manifest("b/tool", tag(index, ".sig")) == nil)
        }
    }

    @Test func signaturesThatWereAddedAtTheDestinationStay() async throws {
        try await RegistryServer.with { source, destination in
            source.change { $0.listsTags = true }
            let image = source.putImage("a/tool", tag: "1", layers: [[1]])
            let name = tag(image, ".sig")
            sign(source, image, tag: name, signatures: [1])
            let bench = try CopyBench()
            #expect(try await copy(bench, source, destination).referrers?.brought == 1)
            // Upstream adds one: all are taken.
            let both = sign(source, image, tag: name, signatures: [1, 2])
            #expect(try await copy(bench, source, destination).referrers?.brought == 1)
            #expect(destination.manifest("b/tool", name).map { Digest.of($0) } == both)
            // Somebody here adds another.
            let own = sign(destination, image, tag: name, signatures: [1, 7], in: "b/tool")
            let outcome = try await copy(bench, source, destination)
            #expect(outcome.referrers?.brought == 0)
            #expect(outcome.referrers?.remarks.first?.contains("left alone") == true)
            #expect(destination.manifest("b/tool", name).map { Digest.of($0) } == own)
        }
    }

    @Test func aListThatOthersWroteIsAddedTo() async throws {
        try await RegistryServer.with { source, destination in
            source.change { $0.listsReferrers = true }
            destination.change { $0.listsTags = true }
            let image = source.putImage("a/tool", tag: "1", layers: [[1]])
            let ours = sign(source, image, Self.bundle)
            let theirs = sign(destination, image, Self.notation, in: "b/tool")
            destination.put(
                manifest: #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[{"mediaType":"#
                    + #""\#(MediaType.ociManifest)","digest":"\#(theirs)","size":9,"annotations":{"a":"b"}}]}"#,
                type: .ociIndex,
                tag: tag(image),
                in: "b/tool"
            )
            let bench = try CopyBench()
            #expect(try await copy(bench, source, destination).referrers?.brought == 1)
            #expect(try await seen(bench, destination, image) == [.init(.digest(ours)), .init(.digest(theirs))])
            let list = String(decoding: destination.manifest("b/tool", tag(image)) ?? [], as: UTF8.self)
            #expect(list.contains(#""annotations":{"a":"b"}"#))
            #expect(list.contains(#""artifactType":"\#(Self.bundle)""#))
        }
    }

    /// Counts what is pulled.
    private final class Count: PullBudget {
        let pulls = Mutex(0)
        func reserve(registry: String) async throws -> PullReservation { PullReservation(registry: registry, id: 1) }
        func commit(_ reservation: PullReservation) async { pulls.withLock { $0 += 1 } }
        func lose(_ reservation: PullReservation) async {}
        func release(_ reservation: PullReservation) async {}
        func exhaust(_ reservation: PullReservation, retryAfter: Duration?) async {}
    }

    @Test func eachManifestIsPulledOnce() async throws {
        try await RegistryServer.with { source, destination in
            source.change { $0.listsTags = true }
            let (index, amd) = putIndex(source)
            for digest in [index, amd] { sign(source, digest, tag: tag(digest, ".sig")) }
            let bench = try CopyBench()
            let count = Count()
            for expected in [5, 5] {
                var copy = try bench.copy(source, destination)
                copy.source.budget = count
                copy.bringsReferrers = true
                #expect(try await copy.run().referrers?.brought == 2)
                // The index, its two images, and a signature of each that has one.
                #expect(count.pulls.withLock { $0 } == expected)
            }
        }
    }

    private static let page = RegistryServer.Reply(
        status: .notFound,
        headers: ["content-type": "text/html"],
        body: Array("<html><title>Not Found</title></html>".utf8)
    )

    @Test(arguments: [
        page, .init(status: .notFound, body: Array("404 page not found\n".utf8)), .init(status: .methodNotAllowed),
        .error(.badRequest, "UNSUPPORTED"), .init(status: .notImplemented), .error(.forbidden, "DENIED"),
    ])
    func whereThereIsNoListTheTagsTell(_ reply: RegistryServer.Reply) async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: "1", layers: [[1]])
            sign(source, image, tag: tag(image, ".sig"))
            source.change {
                $0.faults.append { $0.uri.contains("/referrers/") || $0.uri.contains("/tags/list") ? reply : nil }
            }
            let bench = try CopyBench()
            let outcome = try await copy(bench, source, destination)
            #expect(outcome.referrers?.brought == 1)
            #expect(outcome.referrers?.failure == nil)
            #expect(bench.time.slept.isEmpty)
        }
    }

    @Test func whatMayBeDifferentInAMinuteIsSaidAndTheImageIsThere() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: "1", layers: [[1]])
            source.change {
                $0.listsReferrers = true
                $0.listsTags = true
            }
            let own = sign(source, image, Self.bundle)
            source.change {
                $0.faults.append { $0.uri.contains("/referrers/") ? .init(status: .serviceUnavailable) : nil }
            }
            let bench = try CopyBench()
            let first = try await copy(bench, source, destination)
            #expect(first.destinationDigest == image)
            #expect(first.referrers?.brought == 0)
            #expect(first.referrers?.failure?.isWorthRetrying == true)
            source.change { $0.faults = [] }
            let second = try await copy(bench, source, destination)
            #expect(second.wasPresent)
            #expect(second.referrers?.failure == nil)
            #expect(destination.manifest("b/tool", own.description) != nil)
        }
    }

    @Test func aListIsFollowedOnlyWhereItBegan() throws {
        let page = try #require(WebAddress("https://a.example/v2/x/referrers/y"))
        #expect(
            RegistryClient.next("</v2/x/referrers/y?last=z>; rel=\"next\"", from: page)?.target
                == "/v2/x/referrers/y?last=z"
        )
        #expect(RegistryClient.next("<https://b.example/v2/x>; rel=next", from: page) == nil)
        #expect(RegistryClient.next("</v2/x>; rel=\"prev\"", from: page) == nil)
        #expect(RegistryClient.next("</v2/a>; rel=prev, </v2/b>; rel=next", from: page)?.target == "/v2/b")
    }

    @Test func aRealRegistryKeepsThem() async throws {
        let server = try await RegistryServer.start()
        server.change { $0.listsReferrers = true }
        let registry = try DockerRegistry()
        let (index, amd) = putIndex(server)
        let named = sign(server, index, Self.bundle)
        sign(server, amd, tag: tag(amd, ".sig"))
        let bench = try CopyBench(addressGuard: AddressGuard())
        let endpoint = try RegistryEndpoint(registry: registry.host, insecure: true)
        let there = RegistryClient(endpoint: endpoint, transport: bench.transport.trusting([endpoint.origin]))
        var image = ImageCopy(
            source: .init(client: try bench.client(server), repository: "a/tool", reference: .tag("1")),
            destination: .init(client: there, repository: "b/tool", tag: "1")
        )
        image.bringsReferrers = true
        let outcome = try await image.run()
        #expect(outcome.referrers?.brought == 2)
        await server.stop()
        // docker-registry knows no subjects: the tag lists them.
        let raw = try runProgram(
            "/usr/bin/skopeo",
            ["inspect", "--raw", "--tls-verify=false", "docker://\(registry.host)/b/tool:\(tag(index))"]
        )
        #expect(raw.contains(named.description))
        let source = ImageCopy.Source(client: there, repository: "b/tool", reference: .tag("1"))
        #expect(try await source.referrers(of: index) == [Referrer(.digest(named))])
        #expect(try await source.referrers(of: amd) == [Referrer(.tag(tag(amd, ".sig")))])
    }
}
