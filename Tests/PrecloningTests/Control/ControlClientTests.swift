import Testing

@testable import Precloning

@Suite("Asking where nobody listens")
struct ControlClientTests {
    @Test("a path that no socket has, or that none can have, is nobody's", arguments: [60, 103, 104, 107, 108, 300])
    func paths(length: Int) async throws {
        let path = "/tmp/" + String(repeating: "x", count: length - 5)
        #expect(try await ControlClient(path: path).ask(ControlRequest(verb: .hello)) == nil)
    }
}
