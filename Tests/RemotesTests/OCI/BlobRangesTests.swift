import NIOHTTP1
import Names
import Testing

@testable import Remotes

/// A long blob comes over several connections, in order, and whole whatever becomes of one of them.
@Suite struct BlobRangesTests {
    private static let shape = BlobRanges.Shape(size: 1_000, width: 4, capacity: 3_000, threshold: 10_000)
    private static let layer = (0..<100_500).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    private static let digest = Digest.of(layer)

    private static func isPart(_ request: RegistryServer.Request) -> Bool {
        request.headers.first(name: "range").map { !$0.hasSuffix("-") } ?? false
    }

    /// Copies an image of one long layer, from a registry that leads to a store.
    private func copy(
        pacer: any RequestPacer = UnpacedRequests(),
        _ prepare: (_ registry: RegistryServer, _ store: RegistryServer) -> Void = { _, _ in },
        check: (_ registry: RegistryServer, _ store: RegistryServer, ImageCopy.Outcome) throws -> Void
    ) async throws {
        let store = try await RegistryServer.start()
        try await RegistryServer.with { source, destination in
            source.putImage("a/tool", tag: "1", layers: [Self.layer])
            store.putImage("a/tool", tag: "1", layers: [Self.layer])
            source.change { $0.blobHost = store.host }
            prepare(source, store)
            let bench = try CopyBench()
            var copy = try bench.copy(source, destination)
            copy.share = LayerShare(ahead: Self.shape)
            copy.source.client = RegistryClient(
                endpoint: try RegistryEndpoint(registry: source.host, insecure: true),
                transport: bench.transport.trusting([source.origin]),
                pacer: pacer,
                timeline: bench.time.timeline
            )
            let outcome = try await copy.run()
            #expect(destination.blob("b/tool", Self.digest) == Self.layer)
            #expect(outcome.transfer.restarted == 0)
            try check(source, store, outcome)
        }
        await store.stop()
    }

    private static var path: String { "/blobs/\(digest)" }

    @Test func rangesComeFromWhereTheRegistryLeads() async throws {
        try await copy { registry, store, outcome in
            #expect(registry.count(.GET, Self.path) == 1, "it is asked where the blob is, once")
            #expect(store.log.filter { $0.uri.contains(Self.path) && Self.isPart($0) }.count == 101)
            #expect(outcome.transfer.resumed == 0)
            #expect(outcome.transfer.bytesMoved == outcome.transfer.bytesTotal)
        }
    }

    @Test(arguments: [0, 1, 400, 999])
    func aRangeThatBreaksOffIsGoneOnWith(_ bytes: Int) async throws {
        try await copy { _, store in
            for first in [0, 5_000, 100_000] {
                store.once({ $0.headers.first(name: "range")?.hasPrefix("bytes=\(first)-") == true }) {
                    .init(
                        status: .partialContent,
                        headers: ["content-range": "bytes \(first)-\(min(first + 999, 100_499))/100500"],
                        body: Array(Self.layer[first..<min(first + 1_000, 100_500)]),
                        cutAfter: min(bytes, 499)
                    )
                }
            }
        } check: { _, _, outcome in
            #expect(outcome.transfer.bytesMoved == outcome.transfer.bytesTotal)
        }
    }

    @Test func anAddressThatRanOutIsRenewed() async throws {
        try await copy { _, store in
            store.once({ $0.headers.first(name: "range")?.hasPrefix("bytes=50000-") == true }) {
                .error(.forbidden, "ExpiredToken")
            }
        } check: { registry, _, outcome in
            #expect(registry.count(.GET, Self.path) == 2)
            #expect(outcome.transfer.resumed == 0)
        }
    }

    /// One connection takes over from the first byte that is missing.
    @Test(arguments: [HTTPResponseStatus.forbidden, .ok, .notFound, .serviceUnavailable])
    func whereRangesEndOneConnectionGoesOn(_ status: HTTPResponseStatus) async throws {
        try await copy { _, store in
            store.change {
                $0.faults.append { request in
                    guard Self.isPart(request), let range = request.headers.first(name: "range"),
                        let first = Int(range.dropFirst(6).prefix { $0 != "-" }), first >= 40_000
                    else { return nil }
                    return .init(status: status, body: status == .ok ? Self.layer : [])
                }
            }
        } check: { _, _, outcome in
            #expect(outcome.transfer.resumed == 1)
            #expect(outcome.transfer.bytesMoved == outcome.transfer.bytesTotal)
        }
    }

    @Test func aStoreWithoutRangesSendsItWhole() async throws {
        try await copy { _, store in
            store.change { $0.supportsRange = false }
        } check: { _, store, outcome in
            #expect(store.count(.GET, Self.path) == 1)
            #expect(outcome.transfer.resumed == 0)
        }
    }

    /// Lets everything through, but is there.
    private struct Pacer: RequestPacer {
        func acquire(_ kind: RequestKind, host: String) async throws {}
        func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {}
    }

    @Test func aRegistryThatIsPacedIsAskedForNoRangesBesideEachOther() async throws {
        try await copy(pacer: Pacer()) { registry, _ in
            registry.change { $0.blobHost = nil }
        } check: { registry, _, outcome in
            #expect(registry.count(.GET, Self.path) == 2)
            #expect(outcome.transfer.resumed == 0)
        }
        // A store has its own limits.
        try await copy(pacer: Pacer()) { registry, store, _ in
            #expect(registry.count(.GET, Self.path) == 1)
            #expect(store.count(.GET, Self.path) == 101)
        }
    }

    @Test func wrongBytesAreFound() async throws {
        await #expect(throws: RegistryError.self) {
            try await copy { _, store in
                store.change {
                    $0.faults.append { request in
                        guard Self.isPart(request),
                            request.headers.first(name: "range")?.hasPrefix("bytes=7000-") == true
                        else { return nil }
                        return .init(
                            status: .partialContent,
                            headers: ["content-range": "bytes 7000-7999/100500"],
                            body: Array(repeating: 0, count: 1_000)
                        )
                    }
                }
            } check: { _, _, _ in
            }
        }
    }
}
