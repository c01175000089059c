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

/// `preclone lock`: a workflow's images by digest, and what is no longer so.
struct LockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract: "Write a workflow's images by digest, as ECR holds them now; or tell what is no longer so.",
        discussion: """
            The lock goes to standard output; equal locks have equal bytes (config/preclone-lock.schema.json explains it). Each \
            digest gets a tag of its own in ECR, so that rules for untagged images leave it alone. `clone --lock` brings all \
            of it back by digest, `ready --lock` asks for it, `map --pin` maps to it. Exit codes: 0 locked, or nothing drifted; \
            1 error; 2 usage; 4 an image cannot be locked (nothing is written then), or something drifted.
            """
    )

    @Argument(help: "A zip archive, a folder, or the main file.")
    var definition: String?

    @Option(help: ArgumentHelp("A registered workflow instead, or one of its versions.", valueName: "id[/version]"))
    var workflow: String?

    @OptionGroup var request: DefinitionOptions

    @Option(
        help: ArgumentHelp(
            "With a definition: its containerRegistryMap; without it, the one that `preclone map` writes.",
            valueName: "file"
        )
    )
    var registryMap: String?

    @Option(
        help: ArgumentHelp(
            "Tell what drifted since this lock was made: of its images, and of the definition where one is named.",
            valueName: "file"
        )
    )
    var check: String?

    @Flag(help: "Leave the tags in ECR as they are.")
    var noTags = false

    @OptionGroup var output: FormatOptions
    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if definition != nil, workflow != nil { throw ValidationError("a definition or --workflow, not both") }
        if definition == nil, workflow == nil, check == nil {
            throw ValidationError("name a definition, or a workflow with --workflow")
        }
        if definition == nil, request.engine != nil || request.main != nil || registryMap != nil {
            throw ValidationError("--engine, --main and --registry-map are for a definition on disk")
        }
        if check != nil, noTags { throw ValidationError("--check changes no tag") }
    }

    func run() async throws {
        let configuration = try configurationFile.load()
        let given = try check.map(LockFile.read)
        let name = try workflow.map(AccountReading.name)
        let onDisk = try definition.map { try request.open($0).reading(registryMap: registryMap) }
        let parameters = try request.readParameters()
        let (profiles, noTags) = (request.profiles, noTags)
        let audit = ChangeAudit(configuration, isMeant: given == nil && !noTags)
        let caller = configuration.policy.identity(of: PeerIdentity.thisProcess, agent: nil)
        try await AccountReading.with(configuration) { works, _ in
            var reading = onDisk
            if let name {
                reading = try await works.surveyor.reading(of: name, parameters: parameters, profiles: profiles)
            }
            let isRegistered = name != nil
            if let given {
                let answer = try await works.check(given, against: reading, isRegistered: isRegistered, as: caller)
                return try finish(answer)
            }
            guard let reading else { return }
            let made = try await works.lock(reading, isRegistered: isRegistered, as: caller)
            for mention in made.unresolved {
                Terminal.remark(
                    StyledText("unresolved: \(mention.place) \(mention.expression): \(mention.missing)").text + "\n"
                )
            }
            for note in made.notes { Terminal.note(note) }
            guard made.missing.isEmpty else {
                for missing in made.missing { Terminal.complain("not locked: \(missing)") }
                Terminal.remark("hint: `preclone ready … --wait 30m` brings what is missing\n")
                throw Ending.someNotReady.code
            }
            if !noTags { try await audit.keep(made.lock, works) }
            try Terminal.write(try made.lock.text)
        }
    }

    private func finish(_ answer: LockAnswer) throws {
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .table:
            for drift in answer.drifts {
                let change = "\(drift.locked ?? "-") -> \(drift.now ?? "-")"
                let why = drift.reason.map { ": \($0)" } ?? ""
                try Terminal.print(
                    StyledText("\(drift.kind.rawValue)  \(drift.image ?? "definition")  \(change)\(why)").text
                )
            }
            if answer.drifts.isEmpty { try Terminal.print("nothing drifted") }
            for note in answer.notes { Terminal.note(note) }
        }
        if !answer.drifts.isEmpty { throw Ending.someNotReady.code }
    }
}

/// Lock files that a command was given.
enum LockFile {
    /// - Throws: `CommandFailure` that ends with code 2.
    static func read(_ path: String) throws -> ImageLock {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("lock \(path): cannot be read", ending: .usage)
        }
        do { return try ImageLock(text: data, path: path) } catch let error as LedgerError {
            throw CommandFailure("\(error)", ending: .usage)
        }
    }
}
