import ArgumentParser
import Foundation
import Simulation

@main
struct PrecloneSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone-simulate",
        abstract: "Days of the whole daemon in a simulated world, by a seed.",
        discussion: """
            The same seed gives the same days, to the last step. Exit codes: 0 nothing broke, 1 something did, 2 the \
            same seed gave two different runs.
            """
    )

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, one after the other.")
    var seeds: UInt64 = 1

    @Option(help: "How many days each of them has; parts of one too.")
    var days = 1.0

    @Option(help: "Hours at the end in which nothing goes wrong, after which all that can be ready must be; 0: none.")
    var bound = 26.0

    @Flag(help: "Few workflows, images and runs, as in the tests.")
    var small = false

    @Flag(help: "Run each seed twice and compare.")
    var twice = false

    @Flag(help: "Print everything that happens.")
    var trace = false

    func validate() throws {
        guard days > 0 else { throw ValidationError("--days \(days): give more than 0.") }
        guard bound >= 0 else { throw ValidationError("--bound \(bound): give at least 0.") }
        guard seeds > 0 else { throw ValidationError("--seeds 0: give at least 1.") }
    }

    func run() throws {
        try DeterministicProcess.enter()
        // In memory where that can be had: the record is written at every step.
        let memory = FileManager.default.isWritableFile(atPath: "/dev/shm") ? URL(filePath: "/dev/shm") : nil
        let folder = (memory ?? FileManager.default.temporaryDirectory).appending(
            path: "preclone-simulate-\(ProcessInfo.processInfo.processIdentifier)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Paths inside are then the same in every process.
        guard FileManager.default.changeCurrentDirectoryPath(folder.path) else {
            throw ValidationError("\(folder.path) cannot be entered")
        }
        var isBroken = false
        for seed in seed..<(seed + seeds) {
            let first = try once(seed, folder)
            isBroken = isBroken || !first.violations.isEmpty
            if twice {
                let second = try once(seed, folder)
                if first.trace != second.trace {
                    print("seed \(seed): two runs differ")
                    throw ExitCode(2)
                }
            }
        }
        if isBroken { throw ExitCode(1) }
    }

    private func once(_ seed: UInt64, _ folder: URL) throws -> Simulation.Result {
        let clock = ContinuousClock()
        let start = clock.now
        let tell: (@Sendable (String) -> Void)? = trace ? { @Sendable line in Swift.print(line) } : nil
        let story = StoryGenerator.story(seed: seed, days: days, scale: small ? .small : .whole)
        let result = try Simulation(story, bound: .seconds(bound * 3_600)).run(folder: "definitions", tell: tell)
        let hash = String(result.trace, radix: 16)
        let (seconds, attoseconds) = (clock.now - start).components
        let spent = "\(seconds).\(String(1000 + attoseconds / 1_000_000_000_000_000).dropFirst())"
        print(
            "seed \(seed): trace \(hash), \(result.days.formatted(.number.precision(.fractionLength(1)))) days, "
                + "\(result.requests) requests, \(result.picks) jobs, \(spent) s"
        )
        for violation in result.violations { print("\(violation)") }
        return result
    }
}
