import Foundation
import NIOHTTP1
import Names
import Remotes
import Synchronization
import TestSupport
import Testing

/// What becomes of a pull that was reserved, by what became of the request: every sending is one.
@Suite struct PullBudgetTests {
    private final class Budget: PullBudget {
        struct Tally: Equatable {
            var reserved = 0
            var committed = 0
            var released = 0
            var lost = 0
            var exhausted = 0
        }

        private let state = Mutex(Tally())

        var tally: Tally { state.withLock { $0 } }

        func reserve(registry: String) async throws -> PullReservation {
            state.withLock {
                $0.reserved += 1
                return PullReservation(registry: registry, id: Int64($0.reserved))
            }
        }

        func commit(_ reservation: PullReservation) async { state.withLock { $0.committed += 1 } }
        func lose(_ reservation: PullReservation) async { state.withLock { $0.lost += 1 } }
        func release(_ reservation: PullReservation) async { state.withLock { $0.released += 1 } }

        func exhaust(_ reservation: PullReservation, retryAfter: Duration?) async {
            state.withLock { $0.exhausted += 1 }
        }
    }

    /// Lets nothing through.
    private struct Closed: RequestPacer {
        func acquire(_ kind: RequestKind, host: String) async throws {
            throw RegistryError(.unreachable, host: host, retryAfter: .seconds(61), detail: "left alone")
        }

        func observe(_ kind: RequestKind, host: String, status: Int, headers: HTTPHeaders) async {}
    }

    static let manifest = #"{"schemaVersion":2,"config":{},"layers":[]}"#

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var steps: [ScriptedTransport.Step]
        var committed = 0
        var released = 0
        /// It may have been counted, nobody knows.
        var lost = 0
        /// The registry said that nothing is left.
        var exhausted = 0

        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "answered", steps: [.answer(200, [], manifest)], committed: 1),
        // Docker Hub counts requests for what is not there.
        Case(name: "not there", steps: [.answer(404, [], "")], committed: 1),
        Case(name: "denied", steps: [.answer(403, [], "")], released: 1),
        Case(name: "too fast", steps: [.answer(429, [("Retry-After", "3600")], "")], released: 1),
        Case(
            name: "over the limit",
            steps: [
                .answer(
                    429,
                    [],
                    #"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#
                )
            ],
            exhausted: 1
        ),
        Case(
            name: "three faults and an answer",
            steps: [.answer(500, [], ""), .answer(503, [], ""), .answer(502, [], ""), .answer(200, [], manifest)],
            committed: 1,
            released: 3
        ),
        Case(name: "cut, then answered", steps: [.failure(.cut), .answer(200, [], manifest)], committed: 1, lost: 1),
        Case(
            name: "stalled twice",
            steps: [.failure(.stalled), .failure(.stalled), .failure(.tls)],
            released: 1,
            lost: 2
        ),
        Case(
            name: "never sent",
            steps: [
                .failure(.connect), .failure(.nameResolution), .failure(.proxy), .failure(.resources), .failure(.tls),
            ],
            released: 5
        ),
        Case(
            name: "sent elsewhere",
            steps: [.answer(307, [("Location", "https://cdn.example/m")], ""), .answer(200, [], manifest)],
            committed: 1
        ),
        Case(
            name: "sent elsewhere, where it is not",
            steps: [
                .answer(307, [("Location", "https://cdn.example/m")], ""), .answer(404, [], ""),
                .answer(200, [], manifest),
            ],
            committed: 2
        ),
        Case(name: "the body breaks off", steps: [.cut("{"), .answer(200, [], manifest)], committed: 2),
    ]

    private func client(_ transport: ScriptedTransport, pacer: any RequestPacer = UnpacedRequests()) throws
        -> RegistryClient
    {
        let time = Timeline(elapsed: { .zero }, sleep: { _ in }, now: { .distantPast }, random: { 0 })
        return RegistryClient(
            endpoint: try RegistryEndpoint(registry: "registry.example"),
            transport: transport,
            credentials: AnonymousCredentials(),
            pacer: pacer,
            timeline: time
        )
    }

    @Test(arguments: cases)
    func everySendingIsSettledForItself(test: Case) async throws {
        let budget = Budget()
        let transport = ScriptedTransport(test.steps)
        _ = try? await client(transport).getManifest("a/b", .tag("1"), budget: budget)
        #expect(transport.sent.count == test.steps.count)
        let tally = budget.tally
        #expect(tally.committed == test.committed && tally.released == test.released, "\(tally)")
        #expect(tally.lost == test.lost && tally.exhausted == test.exhausted, "\(tally)")
        #expect(tally.reserved == test.committed + test.released + test.lost + test.exhausted, "\(tally)")
    }

    @Test func aRequestThatIsNotLetThroughCostsNothing() async throws {
        let budget = Budget()
        let transport = ScriptedTransport([])
        await #expect(throws: RegistryError.self) {
            _ = try await client(transport, pacer: Closed()).getManifest("a/b", .tag("1"), budget: budget)
        }
        #expect(transport.sent.isEmpty)
        #expect(budget.tally == Budget.Tally(reserved: 1, committed: 0, released: 1))
    }

    @Test func theIdOfTheRequestIsHandedOn() async throws {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        let type = "application/vnd.oci.image.config.v1+json"
        let manifest =
            #"{"schemaVersion":2,"config":{"mediaType":"\#(type)","digest":"\#(digest)","size":2},"layers":[]}"#
        let transport = ScriptedTransport([
            .answer(
                200,
                [("x-amzn-RequestId", "r-1"), ("Content-Type", "application/vnd.oci.image.manifest.v1+json")],
                manifest
            )
        ])
        #expect(try await client(transport).readManifest("a/b", .tag("1")).requestID == "r-1")
    }

    @Test func aHeadCostsNothing() async throws {
        let transport = ScriptedTransport([.answer(200, [], "")])
        _ = try await client(transport).headManifest("a/b", .tag("1"))
        #expect(transport.sent.map(\.method) == ["HEAD"])
    }
}
