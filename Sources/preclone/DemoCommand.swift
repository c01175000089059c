import ArgumentParser
import Foundation
import Model
import Precloning
import Record
import Remotes

/// `preclone demo`: the sandbox, the daemon against it, a run of each of three workflows, and their status. No account;
/// nothing leaves loopback.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show preclone at work against a small AWS on loopback; no account is needed.",
        discussion: "Ends by itself. Exit code 0 when the end is the expected one."
    )

    /// Longer than it ever takes; then something is wrong.
    private static let patience = Duration.seconds(55)

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-demo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Terminal.print(
            "Starting a sandbox: HealthOmics, ECR and five registries on loopback, with three workflows."
        )
        let sandbox = try DemoProcess(try Self.sandboxProgram(), ["--demo"], environment: Self.bare(folder))
        defer { sandbox.stop() }
        let world = try DemoWorldReport(line: try sandbox.firstLine())
        let config = folder.appending(path: "config.json")
        try world.configuration(record: folder.appending(path: "record/record.sqlite").path).write(to: config)
        for workflow in world.workflows {
            try Terminal.print("  workflow \(workflow.id)  \(workflow.engine)  \(workflow.name)")
        }
        try Terminal.print("Runs \(world.runs.joined(separator: ", ")) were started. The daemon begins to watch.\n")
        let environment = Self.bare(folder).merging(world.environment) { _, new in new }
        let log = folder.appending(path: "daemon.log")
        let daemon = try DemoProcess(
            Self.ownProgram(),
            ["run", "--config", config.path],
            environment: environment,
            errors: log
        )
        defer { daemon.stop() }
        let record = folder.appending(path: "record/record.sqlite").path
        let isExpected = try await follow(record, world, daemon)
        try Terminal.print("")
        let status = try DemoProcess(
            Self.ownProgram(),
            ["status", "--config", config.path],
            environment: environment,
            inheritsOutput: true
        )
        status.wait()
        daemon.stop()
        if let images = try? RecordReader(path: record).glimpses() { try Self.show(images) }
        guard isExpected else {
            let tail = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
            throw CommandFailure(
                "the end is not the expected one:\n\(tail.suffix(3000))",
                hint: "run it again; if it stays, report it with these lines"
            )
        }
        try Terminal.print("\nThe end is the expected one: what could be cloned is ready, and what could not says why.")
    }

    /// Shows each image as it changes, until none moves any more.
    private func follow(_ record: String, _ world: DemoWorldReport, _ daemon: DemoProcess) async throws -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + Self.patience
        var shown: [String: String] = [:]
        while clock.now < end, daemon.isRunning {
            try await Task.sleep(for: .milliseconds(150))
            guard let images = try? RecordReader(path: record).glimpses() else { continue }
            for image in images {
                let line = image.line
                if shown[image.key] != line {
                    shown[image.key] = line
                    try Terminal.print("  " + PrintableText.stripped(line))
                }
            }
            if world.isReached(by: images) { return true }
        }
        return false
    }

    /// What came of each image, for which runs.
    private static func show(_ images: [ImageGlimpse]) throws {
        var table = TextTable(columns: [
            .init(title: "IMAGE", cut: .middle), .init(title: "STATE"), .init(title: "ROUTE"), .init(title: "DIGEST"),
            .init(title: "RUNS", cut: .end),
        ])
        for image in images.sorted(by: { ($0.state, $0.source) > ($1.state, $1.source) }) {
            table.add([
                StyledText(image.source), StyledText(image.state, image.state == "ready" ? .good : .bad),
                StyledText(image.route ?? ""), StyledText(image.digest.map { Phrase.short($0) } ?? ""),
                StyledText(image.runs.joined(separator: " ")),
            ])
        }
        try Terminal.print("\n" + table.rendered(for: .current()).trimmingCharacters(in: .newlines))
    }

    /// The environment of the demo's processes: nothing of the user's AWS or proxy settings.
    private static func bare(_ folder: URL) -> [String: String] {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return ["PATH": path, "HOME": folder.path, "TMPDIR": folder.path, "NO_PROXY": "*"]
    }

    private static func ownProgram() -> URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    }

    private static func sandboxProgram() throws -> URL {
        let beside = ownProgram().deletingLastPathComponent().appending(path: "preclone-sandbox")
        guard FileManager.default.isExecutableFile(atPath: beside.path) else {
            throw CommandFailure(
                "the sandbox is not beside this program (\(beside.path))",
                hint: "the package leaves it out: build it from source with `swift build --product preclone-sandbox`"
            )
        }
        return beside
    }
}
