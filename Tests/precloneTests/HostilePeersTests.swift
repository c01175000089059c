import Foundation
import Testing

/// What registries, AWS and definitions may send takes at most 64 MiB above what the same command takes otherwise, measured
/// in a memory cgroup for each. All of the cases take minutes: `PRECLONE_HOSTILE=all` runs them.
@Suite("Hostile answers take little memory")
struct HostilePeersTests {
    private static let usual = [
        "manifest of empty layers", "manifest of 99,000", "manifest that unpacks", "padded children", "lying children",
        "token answer of values", "error page without", "referrers of values", "identity of one text",
        "rules of values", "images of values", "error of one text", "WDL of aliased calls, 0.9", "WDL of an array, 1.9",
        "Nextflow of statements, 0.9", "Nextflow of a list, 0.9", "CWL of lines, 0.9", "100 includes",
    ]

    @Test func within64MiB() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let all = ProcessInfo.processInfo.environment["PRECLONE_HOSTILE"] == "all"
        process.arguments =
            [
                "python3", BuiltProgram.project.appending(path: "Tests/Clients/hostile_peers.py").path,
                BuiltProgram.executable.path,
            ] + (all ? [] : Self.usual)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(said.contains("MiB above") && said.contains("0 take too much"), "\(said)")
    }
}
