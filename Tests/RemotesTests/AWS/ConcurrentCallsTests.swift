import NIOCore
import NIOHTTP1
import Remotes
import Synchronization
import TestSupport
import Testing

@Suite("Calls of one operation at one time")
struct ConcurrentCallsTests {
    /// Answers only when told to, and knows how many requests wait.
    private final class HeldTransport: HTTPTransport {
        private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
        private let most = Mutex(0)

        var held: Int { waiting.withLock { $0.count } }
        /// The most that ever waited together.
        var peak: Int { most.withLock { $0 } }

        func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
            await withCheckedContinuation { continuation in
                let count = waiting.withLock { waiting in
                    waiting.append(continuation)
                    return waiting.count
                }
                most.withLock { $0 = max($0, count) }
            }
            let text = "<R><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/a</Arn></R>"
            return HTTPClientResponse(status: .ok, body: .bytes(ByteBuffer(string: text)))
        }

        func answerOne() {
            waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }?.resume()
        }
    }

    @Test("never more than allowed, a reload holds, and each comes to its turn", arguments: [1, 3])
    func bound(allowed: Int) async throws {
        let transport = HeldTransport()
        let limit = Mutex(allowed)
        let pacer = CallPacer(limit: { _ in 10_000 }, concurrent: { limit.withLock { $0 } })
        let sts = STSClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(service: "sts", signingName: "sts", url: "http://127.0.0.1:1"),
                region: "us-east-1",
                transport: transport,
                credentials: { _ in AWSClientTests.keys },
                timeline: AWSClientTests.timeline(ManualClock()),
                pacer: pacer
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await sts.getCallerIdentity() } }
            while transport.held < allowed { await Task.yield() }
            #expect(transport.peak == allowed)
            limit.withLock { $0 = allowed + 1 }
            // An end makes room for two: the place itself, and the one that the reload allowed.
            transport.answerOne()
            while transport.held < allowed + 1 { await Task.yield() }
            let feeder = Task {
                while !Task.isCancelled {
                    transport.answerOne()
                    await Task.yield()
                }
            }
            try await group.waitForAll()
            feeder.cancel()
            await feeder.value
        }
        #expect(transport.peak == allowed + 1)
    }

    @Test("a cancelled call that waits gives up, and its place is not lost")
    func cancelled() async throws {
        let pacer = CallPacer(limit: { _ in 1 }, concurrent: { 1 })
        let begun = Counter()
        try await pacer.withSlot("A") {
            let waiting = Task { try await pacer.withSlot("A") { begun.add() } }
            // Another operation is not held up.
            try await pacer.withSlot("B") {}
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        #expect(begun.value == 0)
        try await pacer.withSlot("A") { begun.add() }
        #expect(begun.value == 1)
    }
}
