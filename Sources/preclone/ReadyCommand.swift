import ArgumentParser
import Configuring
import Definitions
import Foundation
import Logging
import Model
import Names
import Precloning
import Record
import Remotes

/// `preclone ready`: the gate before StartRun.
struct ReadyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ready",
        abstract: "Say whether a run that starts now would find every image; with --wait, bring what is missing.",
        discussion: """
            ECR is looked at, the record is not believed. Without --wait nothing is changed. With it what is missing is cloned \
            with a run's urgency, by the daemon or, where none runs, by this command: \
            `preclone ready … --wait 30m && aws omics start-run …`. Exit codes: 0 all ready; 4 some can't be; 75 not yet, or \
            not within --wait.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @Option(help: "A run that HealthOmics knows.")
    var run: String?

    @Option(
        help: ArgumentHelp("A registered workflow or one of its versions, not started yet.", valueName: "id[/version]")
    )
    var workflow: String?

    @Option(
        name: .customLong("definition"),
        help: ArgumentHelp("A definition on disk: a zip archive, a folder, or the main file.", valueName: "path")
    )
    var definitionPath: String?

    @OptionGroup var request: DefinitionOptions

    @Option(help: ArgumentHelp("What a lock holds, by digest.", valueName: "file"))
    var lock: String?

    @Option(
        help: ArgumentHelp(
            "With --definition: its containerRegistryMap; without it, the one that `preclone map` writes.",
            valueName: "file"
        )
    )
    var registryMap: String?

    @Option(
        help: ArgumentHelp("Bring what is missing, and wait for it as long as this: 90s, 30m.", valueName: "duration")
    )
    var wait: String?

    @Flag(help: "An image that the definition does not tell counts as not ready.")
    var strict = false

    @Option(help: "text for people, json for programs.")
    var format: Format = .text

    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        guard [run, workflow, definitionPath, lock].compactMap(\.self).count == 1 else {
            throw ValidationError("name one of --run, --workflow, --definition and --lock")
        }
        if definitionPath == nil, request.engine != nil || request.main != nil || registryMap != nil {
            throw ValidationError("--engine, --main and --registry-map are for --definition")
        }
        if run != nil || lock != nil, request.parameters != nil || request.profileName != nil {
            throw ValidationError("--parameters and --profile-name are the run's or the lock's own")
        }
        if let wait, DurationText.parse(wait) == nil {
            throw ValidationError("--wait \(wait): write a number and a unit: 90s, 30m, 1h30m")
        }
    }

    func run() async throws {
        let timeline = Timeline.system
        let start = timeline.elapsed()
        let wait = wait.flatMap(DurationText.parse) ?? .zero
        let configuration = try configurationFile.load()
        let threshold = LogThreshold(max(configuration.log.level.level, .warning))
        let logger = ProcessLog.start(configuration.log, threshold: threshold)
        let answer: ReadyAnswer
        do {
            answer = try await asked(configuration, wait: wait, since: start, timeline, logger)
        } catch let error as AWSError where error.isWorthRetrying {
            throw CommandFailure("\(error)", ending: .temporary)
        } catch let error as NoAnswerInTime {
            throw CommandFailure("\(error)", ending: .temporary)
        }
        switch format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .text: for line in ReadyText.lines(answer) { try Terminal.print(StyledText(line).text) }
        }
        switch answer.verdict(isStrict: strict) {
        case .ready: return
        case .cannotBe: throw Ending.someNotReady.code
        case .notYet: throw Ending.temporary.code
        }
    }

    private func asked(
        _ configuration: Configuration,
        wait: Duration,
        since start: Duration,
        _ timeline: Timeline,
        _ logger: Logger
    ) async throws -> ReadyAnswer {
        var configuration = configuration
        let scratch = FileManager.default.temporaryDirectory.appending(path: "preclone-ready-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let asked = configuration
        // A look makes no record, and needs none; where this process may write one, manifests that it knows are not read again.
        let keeps = FileManager.default.isWritableFile(atPath: configuration.record.path)
        if !keeps { configuration.record.path = scratch.appending(path: "record.sqlite").path }
        let ledger = keeps ? try Ledger(path: configuration.record.path) : try Ledger()
        let subject = try subject()
        let interactive = format == .text && Terminal.isInteractive
        return try await Composition.with(configuration) { composition in
            let works = try composition.works(on: ledger)
            let session = CloneSession(configuration: asked, substitute: .waiting, logger: logger)
            return try await withLogger(logger) { _ in
                let answer = try await works.ready(
                    subject,
                    desk: wait > .zero ? SessionGateDesk(session: session, timeline: timeline) : nil,
                    wait: wait,
                    since: start,
                    known: { demand in
                        (try? ledger.images(source: demand.source))?
                            .first { $0.destination == demand.destination }.flatMap(KnownManifests.init)
                    },
                    told: { if interactive { Terminal.status($0.sentence) } }
                )
                if interactive { Terminal.status("") }
                return answer
            }
        }
    }

    /// - Throws: `CommandFailure` where a definition on disk cannot be read.
    private func subject() throws -> ReadySubject {
        if let run { return .run(run) }
        if let lock { return .lock(try LockFile.read(lock)) }
        if let workflow {
            return .workflow(
                try AccountReading.name(workflow),
                parameters: try request.readParameters(),
                profiles: request.profiles
            )
        }
        return .definition(try request.open(definitionPath ?? ".").reading(registryMap: registryMap))
    }
}

/// The gate's answer for people: what is not ready first, one line each, then the sum.
enum ReadyText {
    static func lines(_ answer: ReadyAnswer) -> [String] {
        var lines: [String] = []
        for image in answer.images where image.state != .ready {
            let why = [image.reason, image.mend].compactMap(\.self).joined(separator: "; ")
            let until = image.until.map { " (next try \($0.formatted(.iso8601)))" } ?? ""
            let state = image.state.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
            lines.append("\(state) \(image.image): \(why)\(until)")
        }
        lines += answer.unresolved.map { "unresolved \($0.place) \($0.expression): \($0.missing)" }
        if let trouble = answer.trouble { lines.append("not known: \(trouble)") }
        lines += answer.notes.map { "note: \($0)" }
        return lines + [answer.sentence]
    }
}
