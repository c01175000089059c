import Foundation
import NIOCore
import NIOHTTP1
import Names
import Remotes
import Synchronization
import Testing

/// How layers that several images share reach a destination that is unwilling in one way or another.
@Suite struct LayerShareTests {
    private let base = (0..<4).map { content(50_000, seed: 200 + UInt64($0)) }

    /// Copies six images of the same four layers at once.
    private func copySix(
        _ source: RegistryServer,
        _ destination: RegistryServer,
        share: LayerShare = LayerShare()
    ) async throws {
        for number in 0..<6 {
            source.putImage("a/tool\(number)", tag: "1", layers: base + [content(3_000, seed: UInt64(number) + 20)])
        }
        var bench = try CopyBench()
        bench.share = share
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                group.addTask { [bench] in
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
        for number in 0..<6 {
            for layer in base { #expect(destination.blob("b/tool\(number)", Digest.of(layer)) == layer) }
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [RegistryServer.Mounting.off, .forbidden])
    func aRegistryThatNeitherMountsNorShowsWhatNoManifestNames(_ mounting: RegistryServer.Mounting) async throws {
        try await RegistryServer.with { source, destination in
            destination.change {
                $0.mounting = mounting
                $0.readsAfterCommit = true
            }
            try await copySix(source, destination)
            for layer in base { #expect(source.count(.GET, Digest.of(layer).description) == 1) }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aRegistryThatForbidsMountsIsReadFrom() async throws {
        try await RegistryServer.with { source, destination in
            destination.change { $0.mounting = .forbidden }
            try await copySix(source, destination)
            for layer in base { #expect(source.count(.GET, Digest.of(layer).description) == 1) }
        }
    }

    @Test func aLayerThatIsGoneIsNoReasonNotToMountOthers() async throws {
        try await RegistryServer.with { source, destination in
            destination.change { $0.mounting = .afterCommit }
            let share = LayerShare()
            try await copySix(source, destination, share: share)
            // Deleted by somebody since.
            let gone = Digest.of(base[0])
            destination.change { state in
                for name in Array(state.blobs.keys) { state.blobs[name]?[gone.description] = nil }
            }
            var bench = try CopyBench()
            bench.share = share
            for (name, mounted) in [("next", 150_000), ("last", 200_000)] {
                source.putImage("a/\(name)", tag: "1", layers: base)
                let copy = try bench.copy(source, destination, repository: "a/\(name)", to: "b/\(name)")
                // The configuration is that of the others, too.
                let bytes = try await copy.run().transfer.bytesMounted
                #expect((mounted..<mounted + 200).contains(Int(bytes)))
                #expect(destination.blob("b/\(name)", gone) == base[0])
            }
        }
    }

    /// So many requests at one time, whatever they are for.
    private actor Places: RequestPacer {
        private let limit: Int
        private var busy = 0
        private var waiting: [CheckedContinuation<Void, Never>] = []

        init(_ limit: Int) { self.limit = limit }

        func acquire(_ kind: RequestKind, host: String) async throws {
            if busy < limit {
                busy += 1
                return
            }
            await withCheckedContinuation { waiting.append($0) }
        }

        func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {}

        func release(_ kind: RequestKind, host: String) async {
            if waiting.isEmpty { busy -= 1 } else { waiting.removeFirst().resume() }
        }

        var isFree: Bool { busy == 0 }
    }

    /// Upload and download are requests to the same host: none may wait for the other's place for ever.
    @Test(.timeLimit(.minutes(1)), arguments: [1, 2])
    func withinOneRegistryOfFewPlaces(_ limit: Int) async throws {
        let server = try await RegistryServer.start()
        let layers = (0..<8).map { content(40_000, seed: 400 + UInt64($0)) }
        let digest = server.putImage("a/tool", tag: "1", layers: layers)
        for layer in layers {
            let name = Digest.of(layer).description
            server.once({ $0.method == .GET && $0.uri.contains(name) }) {
                .init(status: .ok, body: layer, cutAfter: 10_000)
            }
        }
        let bench = try CopyBench()
        let places = Places(limit)
        let client = RegistryClient(
            endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
            transport: bench.transport,
            pacer: places,
            timeline: bench.time.timeline
        )
        let outcome = try await ImageCopy(
            source: .init(client: client, repository: "a/tool", reference: .tag("1")),
            destination: .init(client: client, repository: "b/tool", tag: "1"),
            share: LayerShare(slots: NamedSlots(limit))
        ).run()
        #expect(outcome.destinationDigest == digest)
        #expect(outcome.transfer.resumed == 8)
        #expect(outcome.transfer.restarted == 0)
        #expect(await places.isFree)
        await server.stop()
    }
}

/// What becomes of the other blobs when one cannot be had now.
@Suite struct UnfinishedCopyTests {
    @Test func whatIsUnderWayComesToItsEnd() async throws {
        try await RegistryServer.with { source, destination in
            let large = content(400_000, seed: 500)
            let small = content(900, seed: 501)
            source.putImage("a/tool", tag: "1", layers: [large, small])
            let (largeName, smallName) = (Digest.of(large).description, Digest.of(small).description)
            // It stands still while the other fails for good.
            source.once({ $0.method == .GET && $0.uri.contains(largeName) }) {
                .init(status: .ok, body: large, stallAfter: 100_000)
            }
            source.change {
                $0.faults.append { request in
                    request.method == .GET && request.uri.contains(smallName)
                        ? .init(status: .tooManyRequests, headers: ["retry-after": "3600"]) : nil
                }
            }
            var bench = try CopyBench()
            bench.patience = Patience(idle: .milliseconds(300))
            bench.share = LayerShare(slots: NamedSlots(2))
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { ($0 as? RegistryError)?.retryAfter == .seconds(3600) }
            #expect(destination.blob("b/tool", Digest.of(large)) == large)
            #expect(destination.count(.PUT, "/manifests/") == 0)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func anImageThatCannotBeHadNowDoesNotWaitForAnothersManifest() async throws {
        try await RegistryServer.with { source, destination in
            destination.change {
                $0.mounting = .afterCommit
                $0.readsAfterCommit = true
            }
            let base = content(20_000, seed: 510)
            let slow = content(300_000, seed: 511)
            let missing = content(700, seed: 512)
            source.putImage("a/one", tag: "1", layers: [base, slow])
            source.putImage("a/two", tag: "1", layers: [base, missing])
            let (slowName, missingName) = (Digest.of(slow).description, Digest.of(missing).description)
            source.once({ $0.method == .GET && $0.uri.contains(slowName) }) {
                .init(status: .ok, body: slow, stallAfter: 1_000)
            }
            source.change {
                $0.faults.append { request in
                    request.method == .GET && request.uri.contains(missingName)
                        ? .init(status: .tooManyRequests, headers: ["retry-after": "3600"]) : nil
                }
            }
            var bench = try CopyBench()
            // The first goes on to stall until it is cancelled.
            bench.patience = Patience(idle: .seconds(600))
            let first = try bench.copy(source, destination, repository: "a/one", to: "b/one")
            let second = try bench.copy(source, destination, repository: "a/two", to: "b/two")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await first.run() }
                while destination.blob("b/one", Digest.of(base)) == nil { await Task.yield() }
                await #expect {
                    try await second.run()
                } throws: { ($0 as? RegistryError)?.retryAfter == .seconds(3600) }
                #expect(destination.manifest("b/one", "1") == nil, "the first is still under way")
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test func aBlobThatEndsEarlyIsOfAnotherLengthAndNotCutForEver() async throws {
        try await RegistryServer.with { source, destination in
            let layer = content(5_000, seed: 502)
            source.putImage("a/tool", tag: "1", layers: [layer])
            let name = Digest.of(layer).description
            for supportsRange in [false, true] {
                source.change {
                    $0.faults = [
                        { request in
                            guard request.method == .GET, request.uri.contains(name) else { return nil }
                            if supportsRange, request.headers.contains(name: "range") {
                                return .init(status: .rangeNotSatisfiable)
                            }
                            return .init(status: .ok, body: Array(layer.prefix(3_000)), isChunked: true)
                        }
                    ]
                }
                let bench = try CopyBench()
                await #expect {
                    try await bench.copy(source, destination).run()
                } throws: { ($0 as? RegistryError)?.kind == .digestMismatch }
                #expect(destination.blob("b/tool", Digest.of(layer)) == nil)
            }
        }
    }
}
