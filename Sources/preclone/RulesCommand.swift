import ArgumentParser
import Configuring
import Foundation
import Model
import Names
import Precloning
import Record
import Remotes

/// `preclone rules`: the account's pull-through cache rules, and what would let HealthOmics use them.
struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract:
            "Show the pull-through cache rules and whether HealthOmics can use them; make what is missing when asked.",
        discussion: """
            Without --create and --template nothing is changed and nothing proposed. --create makes rule, creation template and \
            the narrowest statement of the registry's policy; --dry-run shows them only. --template prints the same as \
            CloudFormation; without an UPSTREAM it is for what the images in the record need. Exit codes: 0 done; 1 error; \
            2 usage; 4 something cannot be done, which is said.
            """
    )

    @Argument(
        help: ArgumentHelp("Registries, as UPSTREAM or UPSTREAM=PREFIX: quay.io ecr-public=pub.", valueName: "upstream")
    )
    var upstreams: [String] = []

    @Flag(help: "Make what these upstreams lack.")
    var create = false

    @Flag(help: "With --create: show the changes, make none.")
    var dryRun = false

    @Flag(help: "Print what these upstreams lack as a CloudFormation template.")
    var template = false

    @Option(
        help: ArgumentHelp(
            "The secret for an upstream that needs one; may be given several times.",
            valueName: "upstream=arn"
        )
    )
    var secret: [String] = []

    @OptionGroup var output: FormatOptions
    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if create, template { throw ValidationError("--create or --template, not both") }
        if create, upstreams.isEmpty { throw ValidationError("--create: name the upstreams") }
        if !create, !template, !upstreams.isEmpty {
            throw ValidationError("say what to do for these upstreams: --create or --template")
        }
        if dryRun, !create { throw ValidationError("--dry-run is for --create") }
        if !create, !template, !secret.isEmpty { throw ValidationError("--secret is for --create and --template") }
        _ = try secrets()
    }

    func run() async throws {
        let configuration = try configurationFile.load()
        if template { return try await printTemplate(configuration) }
        if create { return try await make(configuration) }
        let answer = try await AccountReading.verbs(configuration) { try await $0.rules() }
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .table: try Self.show(answer)
        }
    }

    private func secrets() throws -> [String: String] {
        var secrets: [String: String] = [:]
        for text in secret {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("--secret \(text): write UPSTREAM=ARN") }
            secrets[PullThroughUpstream.registry(named: parts[0])] = parts[1]
        }
        return secrets
    }

    private func wishes(_ named: [String]) throws -> [RuleWish] {
        let secrets = try secrets()
        return named.map { text in
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            let registry = PullThroughUpstream.registry(named: parts.first ?? text)
            return RuleWish(registry, prefix: parts.count == 2 ? parts[1] : nil, secret: secrets[registry])
        }
    }

    // MARK: Showing

    private static func show(_ answer: RulesVerb.Answer) throws {
        var table = TextTable(columns: [
            .init(title: "PREFIX"), .init(title: "UPSTREAM"), .init(title: "HEALTHOMICS"),
            .init(title: "WHY NOT", cut: .end),
        ])
        for rule in answer.rules {
            let usable: StyledText =
                switch rule.isUsable {
                case true?: StyledText("usable", .good)
                case false?: StyledText("not usable", .bad)
                case nil: StyledText("not known", .dim)
                }
            let upstream = [rule.upstream ?? "-", rule.upstreamPrefix].compactMap(\.self).joined(separator: "/")
            table.add([
                StyledText(rule.prefix), StyledText(upstream), usable,
                StyledText(rule.problems.joined(separator: "; ")),
            ])
        }
        try Terminal.write(
            answer.rules.isEmpty
                ? "\(answer.registry) has no pull-through cache rules\n" : table.rendered(for: .current())
        )
        for note in answer.notes { Terminal.note(note) }
    }

    // MARK: Making

    private func make(_ configuration: Configuration) async throws {
        let wishes = try wishes(upstreams)
        let audit = ChangeAudit(configuration, isMeant: !dryRun)
        let dryRun = dryRun
        let creation = try await AccountReading.verbs(configuration, audit: audit) { verbs in
            try await verbs.createRules(wishes, by: audit.caller, isDryRun: dryRun)
        }
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(creation))
        case .table:
            for change in creation.changes {
                let verb = change.isDone ? "done" : "would"
                let before = change.before.map { "\n  before: \($0)" } ?? ""
                try Terminal.print(
                    "\(verb): \(change.kind) \(StyledText(change.name).text)\(before)\n  after:  \(change.after)"
                )
            }
            if creation.changes.isEmpty, creation.refusals.isEmpty { try Terminal.print("nothing to do") }
        }
        for note in creation.notes { Terminal.note(note) }
        for refusal in creation.refusals { Terminal.complain(refusal) }
        if !creation.refusals.isEmpty { throw Ending.someNotReady.code }
    }

    private func printTemplate(_ configuration: Configuration) async throws {
        let named = upstreams.isEmpty ? try Self.wanted(configuration.record.path) : upstreams
        let wishes = try wishes(named)
        var setup: RegistrySetup?
        do {
            setup = try await AccountReading.answer(within: .seconds(10)) {
                try await AccountReading.with(configuration) { works, _ in try await works.account.setup() }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            Terminal.note("what the account has already is not known, and not left out: \(error)")
        }
        let template = try RulesTemplate(wishes, in: setup)
        try Terminal.print(template.text)
        for note in template.notes { Terminal.note(note) }
        for refusal in template.refusals { Terminal.complain(refusal) }
        if !template.refusals.isEmpty { throw Ending.someNotReady.code }
    }

    /// The registries of images that somebody wants, as far as a cache of them can be.
    ///
    /// - Throws: `CommandFailure` where no record tells it.
    private static func wanted(_ record: String) throws -> [String] {
        let reader: RecordReader
        do { reader = try RecordReader(path: record) } catch {
            throw CommandFailure(
                "no record tells which registries are needed (\(error))",
                hint: "name the upstreams",
                ending: .usage
            )
        }
        let all = try reader.wantedRegistries()
        let cached = all.filter { PullThroughUpstream($0) != nil }
        guard !cached.isEmpty else {
            throw CommandFailure(
                all.isEmpty
                    ? "no image in the record is wanted" : "none of the wanted registries has a pull-through cache",
                hint: "name the upstreams",
                ending: .usage
            )
        }
        return cached
    }
}

/// Changes that a person makes to AWS, in the record's audit where there is one.
struct ChangeAudit {
    private let ledger: Ledger?
    let caller: Caller

    /// - Parameter isMeant: false where nothing is changed.
    init(_ configuration: Configuration, isMeant: Bool) {
        let record = configuration.record.path
        caller = configuration.policy.identity(of: PeerIdentity.thisProcess, agent: nil)
        // A record is never made for this.
        ledger = isMeant && FileManager.default.isWritableFile(atPath: record) ? try? Ledger(path: record) : nil
        if isMeant, ledger == nil { Terminal.note("no record at \(record) takes the audit of these changes") }
    }

    func keep(_ entry: AuditEntry) throws { try ledger?.audit(entry) }

    /// Gives what a lock holds tags of its own in ECR, and notes each; what could not be tagged is told.
    func keep(_ lock: ImageLock, _ works: Works) async throws {
        let problems = try await works.keep(lock) { image, tag, requestID in
            var entry = AuditEntry(.imagePushed, by: caller, detail: "locked as \(tag)", at: Date())
            entry.destination = image.destination
            entry.after = image.ecrDigest.description
            entry.requestID = requestID
            try keep(entry)
        }
        for problem in problems { Terminal.note("no tag of its own: \(problem)") }
    }
}
