import ArgumentParser
import Foundation
import Simulation

@main
struct PrecloneSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone-simulate",
        abstract: "Days of the whole daemon in a simulated world, by a seed.",
        discussion: """
            The same seed gives the same days, to the last step. What breaks is told with the story of the image or run \
            that it is about. Exit codes: 0 nothing broke, 1 something did, 2 the same seed gave two different runs.
            """
    )

    enum Size: String, CaseIterable, ExpressibleByArgument {
        case tiny, small, whole, gates

        var scale: StoryGenerator.Scale {
            switch self {
            case .tiny: .tiny
            case .small: .small
            case .whole: .whole
            case .gates: .gates
            }
        }
    }

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, one after the other.")
    var seeds: UInt64 = 1

    @Option(help: "How many days each of them has; parts of one too.")
    var days = 1.0

    @Option(help: "Hours at the end in which nothing goes wrong, after which all that can be ready must be; 0: none.")
    var bound = 26.0

    @Option(
        help:
            "How much there is: tiny (2 workflows, 6 runs a day), small (6, 20), whole (50, 200); gates (3, 8, and 100 questions of `ready`)."
    )
    var size = Size.whole

    @Flag(help: "Run each seed twice and compare.")
    var twice = false

    @Flag(help: "Print everything that happens.")
    var trace = false

    @Flag(help: "Tell what breaks without its story.")
    var brief = false

    @Flag(help: "Look for the shortest story that still breaks the first promise that broke.")
    var shrink = false

    @Option(help: "How many stories to try at most for the shortest one.")
    var trials = 120

    @Flag(help: "Fail by promises too that today's daemon is known to break.")
    var all = false

    func validate() throws {
        guard days > 0 else { throw ValidationError("--days \(days): give more than 0.") }
        guard bound >= 0 else { throw ValidationError("--bound \(bound): give at least 0.") }
        guard seeds > 0 else { throw ValidationError("--seeds 0: give at least 1.") }
        guard trials > 0 else { throw ValidationError("--trials \(trials): give at least 1.") }
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
            let story = StoryGenerator.story(seed: seed, days: days, scale: size.scale)
            let result = try once(story)
            if twice, try once(story).trace != result.trace {
                print("seed \(seed): two runs differ")
                throw ExitCode(2)
            }
            let failing = result.violations.filter { all || !Invariant.outstanding.contains($0.invariant) }
            for violation in result.violations {
                let isKnown = !failing.contains(violation)
                print(isKnown ? "known fault: \(violation)" : "\(violation)")
            }
            guard let first = failing.first else { continue }
            isBroken = true
            if !brief { try explain(story, first) }
        }
        if isBroken { throw ExitCode(1) }
    }

    private func once(_ story: Story) throws -> Simulation.Result {
        let clock = ContinuousClock()
        let start = clock.now
        let tell: (@Sendable (String) -> Void)? = trace ? { @Sendable line in Swift.print(line) } : nil
        let result = try play(story, tell)
        let (seconds, attoseconds) = (clock.now - start).components
        let spent = Double(seconds) + Double(attoseconds) * 1e-18
        func short(_ number: Double) -> String { "\((number * 100).rounded() / 100)" }
        print(
            "seed \(story.seed): trace \(String(result.trace, radix: 16)), \(short(result.days)) days, "
                + "\(result.requests) requests, \(result.gates) gates (\(result.gatesOpen) open), \(result.picks) jobs, \(short(spent)) s, \(short(spent / result.days)) s a day"
        )
        return result
    }

    private func play(_ story: Story, _ tell: (@Sendable (String) -> Void)?) throws -> Simulation.Result {
        try? FileManager.default.removeItem(atPath: "definitions")
        return try Simulation(story, bound: .seconds(bound * 3_600)).run(folder: "definitions", tell: tell)
    }

    /// The story of what broke: in short, or its shortest form.
    private func explain(_ story: Story, _ violation: Violation) throws {
        if shrink {
            let shrinker = Shrinker(
                trials: trials,
                play: { try play($0, nil).violations },
                tell: { print("  \($0) events left") }
            )
            let shortest = try shrinker.shrink(story, breaking: violation.invariant)
            print("the shortest story that breaks it has \(shortest.steps.count) events:")
            for choice in shortest.choices { print("  configured: \(choice)") }
            for step in shortest.steps { print("  \(step)") }
            for found in try play(shortest, nil).violations where found.invariant == violation.invariant {
                print("\(found)")
            }
        } else {
            let name = violation.subject
            print("the story of \(name):")
            _ = try play(story) { line in
                if line.contains(name), !line.contains("broken") { Swift.print("  \(line)") }
            }
        }
    }
}
