import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes

/// `preclone clone`: images now, through the same planner, policy, limits and record as the daemon's.
struct CloneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Clone images into private ECR now.",
        discussion: """
            Beside a running daemon it asks the daemon and follows; alone it works itself. Exit codes: 0 all ready, \
            4 some blocked, 75 some wait (and until when).
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @Argument(help: "Images, as a workflow would name them.")
    var images: [String]

    @Option(help: "The ECR repository to copy to; one image only.")
    var targetRepository: String?

    @Option(help: "The tag to give it there; one image only.")
    var targetTag: String?

    @Option(help: "The AWS profile; with another than the daemon's it works alone on its own record.")
    var profile: String?

    @Option(help: "The AWS Region; with another than the daemon's it works alone on its own record.")
    var region: String?

    @Option(help: ArgumentHelp("The record to work on.", valueName: "file"))
    var record: String?

    @Option(help: "text for people, json for programs.")
    var format: Format = .text

    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if images.isEmpty { throw ValidationError("name at least one image") }
        if targetRepository != nil || targetTag != nil, images.count > 1 {
            throw ValidationError("--target-repository and --target-tag take one image")
        }
    }

    func run() async throws {
        var configuration = try configurationFile.load()
        if let record {
            configuration.record.path = record
        } else if profile != nil || region != nil {
            configuration.record.path = Self.ownRecord
            Terminal.note("works alone, on the record \(Self.ownRecord)")
        }
        let threshold = LogThreshold(max(configuration.log.level.level, .warning))
        let logger = ProcessLog.start(configuration.log, threshold: threshold)
        try RunCommand.makeFolder(configuration.record.path)
        let ledger = try Ledger(path: configuration.record.path)
        let ids = try images.map { image in
            try ledger.request(
                image,
                options: CloneOptions(targetRepository: targetRepository, targetTag: targetTag),
                userID: Int64(getuid()),
                userName: NSUserName(),
                now: Date()
            )
        }
        // Whoever holds the record works for all who ask; when it ends before everything is answered, the next one goes on.
        while try ids.contains(where: { try ledger.request(id: $0)?.state != "done" }) {
            do {
                let lock = try RecordLock(record: configuration.record.path, holder: "preclone clone")
                defer { lock.release() }
                try await Composition.with(configuration, profile: profile, region: region) { composition in
                    try await withLogger(logger) { _ in
                        try await work(try composition.works(on: ledger), ledger, ids, logger)
                    }
                }
            } catch is RecordLock.Held {
                try await follow(ledger, ids, record: configuration.record.path)
            }
        }
        try finish(try ids.compactMap { try ledger.request(id: $0)?.result }.map(CloneResult.init(json:)))
    }

    /// Alone: takes the requests and works until each has its answer; those of others that come meanwhile, too.
    private func work(_ works: Works, _ ledger: Ledger, _ ids: [Int64], _ logger: Logger) async throws {
        let pulse = LoopPulse(watchdog: nil, timeline: works.timeline, tell: {})
        let daemon = works.daemon(pulse: pulse, logger: logger)
        let desk = works.desk(demanded: { daemon.dispatcher.bell.ring() })
        try ledger.recoverInterrupted(now: works.timeline.now())
        _ = try await desk.pass()
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Only what was asked for: a person at a terminal does not wait for the daemon's other work.
            group.addTask {
                try await daemon.dispatcher.run(isMeant: { image in
                    (try? ledger.requestedImages().contains(image.id)) ?? false
                })
            }
            while try ids.contains(where: { try ledger.request(id: $0)?.state != "done" }) {
                try await works.timeline.sleep(.milliseconds(200))
                _ = try await desk.pass()
                showProgress(ledger, ids)
            }
            group.cancelAll()
        }
    }

    /// Beside another worker: waits for its answers, or for its end.
    private func follow(_ ledger: Ledger, _ ids: [Int64], record: String) async throws {
        var worry: String?
        while try ids.contains(where: { try ledger.request(id: $0)?.state != "done" }) {
            guard FileManager.default.fileExists(atPath: record) else {
                throw CommandFailure(
                    "\(record) was removed, and what was asked with it",
                    hint: "run the command again",
                    ending: .temporary
                )
            }
            guard RecordLock.holder(record: record) != nil else { return }
            try await Task.sleep(for: .milliseconds(300))
            let found = RecordCondition.worry(of: record, ledger, now: Date())
            // Said again when it is another one, and not for each second that it grows older.
            if let found, worry == nil { Terminal.note("it may take long: \(found)") }
            worry = found
            showProgress(ledger, ids)
        }
    }

    private func showProgress(_ ledger: Ledger, _ ids: [Int64]) {
        guard format == .text, Terminal.isInteractive else { return }
        let lines = ids.compactMap { id -> String? in
            guard let image = try? ledger.request(id: id)?.imageID, let line = try? ledger.progressLine(image) else {
                return nil
            }
            return line
        }
        if let line = lines.first { Terminal.status(line) }
    }

    private func finish(_ results: [CloneResult]) throws {
        switch format {
        case .json:
            struct Output: Encodable {
                var schemaVersion = 1
                var results: [CloneResult]
            }
            try Terminal.print(JSONOutput.text(Output(results: results)))
        case .text:
            for result in results { try Terminal.print(Self.line(result)) }
        }
        if results.contains(where: { $0.state == .blocked }) { throw Ending.someNotReady.code }
        if results.contains(where: { $0.state != .ready }) { throw Ending.temporary.code }
    }

    private static func line(_ result: CloneResult) -> String {
        let name = result.sourceImage
        switch result.state {
        case .ready:
            return "ready    \(name) -> \(result.ecrURI ?? "-") \(result.ecrDigest ?? "") (\(result.route ?? "-"))"
        case .blocked:
            return "blocked  \(name): \(result.message)"
        case .pending, .cloning, .retrying:
            let until = result.due.map { " (next try \($0.formatted(.iso8601)))" } ?? ""
            return "waits    \(name): \(result.message)\(until)"
        }
    }

    /// Where `clone` keeps its own record: below `$XDG_STATE_HOME`.
    private static var ownRecord: String {
        let environment = ProcessInfo.processInfo.environment
        let state = environment["XDG_STATE_HOME"] ?? "\(environment["HOME"] ?? NSHomeDirectory())/.local/state"
        return "\(state)/preclone/record.sqlite"
    }
}
