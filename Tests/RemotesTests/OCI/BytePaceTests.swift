import NIOHTTP1
import Remotes
import Synchronization
import Testing

/// Bytes take their time by the limit of where they come from, and by that of where they go.
@Suite struct BytePaceTests {
    private final class Passed: RequestPacer {
        private let bytes = Mutex([String: Int]())

        func acquire(_ kind: RequestKind, host: String) async throws {}
        func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {}
        func pass(bytes count: Int, host: String) async throws { bytes.withLock { $0[host, default: 0] += count } }

        subscript(host: String) -> Int { bytes.withLock { $0[host, default: 0] } }
    }

    @Test func everyByteOfALayerPassesBothEnds() async throws {
        try await RegistryServer.with { source, destination in
            let layers = [content(300_000, seed: 1), content(5_000, seed: 2)]
            source.putImage("a/tool", tag: "1", layers: layers)
            let bench = try CopyBench()
            let pacer = Passed()
            func client(_ server: RegistryServer) throws -> RegistryClient {
                RegistryClient(
                    endpoint: try RegistryEndpoint(registry: server.host, insecure: true),
                    transport: bench.transport.trusting([server.origin]),
                    pacer: pacer,
                    timeline: bench.time.timeline
                )
            }
            let copy = ImageCopy(
                source: .init(client: try client(source), repository: "a/tool", reference: .tag("1")),
                destination: .init(client: try client(destination), repository: "b/tool", tag: "1"),
                platforms: nil,
                share: LayerShare()
            )
            _ = try await copy.run()
            #expect(pacer[source.host] >= 305_000)
            #expect(pacer[destination.host] == pacer[source.host])
        }
    }
}
