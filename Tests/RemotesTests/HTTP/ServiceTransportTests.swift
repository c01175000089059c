import Remotes
import Synchronization
import TestSupport
import Testing

@Suite("A service that answers nobody")
struct ServiceTransportTests {
    @Test("is told from the third failure in a row on, of any kind, and that it answers again")
    func told() async throws {
        let answer = ScriptedTransport.Step.answer
        let inner = ScriptedTransport([
            answer(503, [], ""), answer(503, [], ""), answer(403, [], ""), .failure(.connect), answer(500, [], ""),
            answer(503, [], ""), .failure(.connect), answer(200, [], ""), answer(200, [], ""),
        ])
        let told = Mutex<[String]>([])
        let failures = ServiceTransport.FailureCount()
        for _ in 0..<9 {
            // Each client of a service has a transport of its own.
            let transport = ServiceTransport(inner, failures: failures) { what in
                told.withLock { $0.append(what ?? "-") }
            }
            _ = try? await transport.send(HTTPClientRequest(url: "https://test/"), patience: Patience())
        }
        let all = told.withLock { $0 }
        #expect(all.count == 3)
        #expect(all.first == "does not answer: HTTP 503")
        #expect(all.last == "-")
    }
}
