import Foundation
import Testing

/// `preclone copy` in a network namespace of its own, led towards places where no registry may send it.
@Suite("Refused addresses")
struct RefusedAddressTests {
    private struct Report: Decodable {
        struct Outcome: Decodable {
            var place: String
            var kind: String
            var code: Int32
            var said: String
        }
        struct Control: Decodable {
            var code: Int32
            var said: String
        }
        var reachable: Int
        var outcomes: [Outcome]
        var arrivals: [String: Int]
        var trusted: [String: Int]
        var neighbours: [String: Int]
        var control: Control
    }

    /// As root it fails where it cannot run.
    @Test("nobody arrives there, by realm, redirect or upload", .enabled(if: geteuid() == 0, "needs root"))
    func nobodyArrives() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments = [
            "--net", "--mount", "python3",
            BuiltProgram.project.appending(path: "Tests/Clients/refused_addresses.py").path,
            BuiltProgram.executable.path,
        ]
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        let said = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        let report = try JSONDecoder().decode(Report.self, from: data)
        #expect(report.reachable == 15)
        #expect(report.outcomes.count == 48)
        for outcome in report.outcomes {
            #expect(outcome.code == 1, "\(outcome)")
            #expect(outcome.said.contains("network.trustedHosts"), "\(outcome)")
        }
        #expect(report.arrivals.isEmpty)
        // What a configuration trusts is reached, but for link-local and metadata addresses: the count can count.
        #expect(report.trusted.keys.sorted() == ["10.1.2.3"])
        #expect(report.neighbours.isEmpty)
        #expect(report.control.code == 0, "\(report.control.said)")
    }
}
