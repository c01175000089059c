import ArgumentParser
import Configuring
import Foundation
import Model
import Names
import Precloning
import Record
import Remotes

/// `preclone check`: whether preclone can work here, and what is in the way.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether preclone can work here: who we are, what is permitted, what is missing.",
        discussion: """
            Changes nothing. Reading permissions are found by one call each; the others by IAM's policy simulation \
            where that is permitted, else they are not checked. --policy-case looks at policy alone: each case of the file, by \
            which rule it is decided and why (1: a case is decided otherwise than it expects). Variables of the service's \(EnvironmentFile.path) hold here \
            too, where they are not set otherwise. Exit codes: 0 preclone can work; 1 it cannot; 2 the configuration cannot be \
            used; 75 something it needs could not be found out.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @OptionGroup var configurationFile: ConfigurationOptions

    @Flag(help: "Look at the configuration and the files it names alone; nothing is asked of anybody.")
    var offline = false

    @Option(
        help: ArgumentHelp(
            "Cases of policy, each with what is expected of it: {\"cases\": [{\"caller\", \"tool\", \"image\", …, \"expect\"}]}.",
            valueName: "file"
        ),
        completion: .file(extensions: ["json"])
    )
    var policyCase: String?

    @Flag(name: .shortAndLong, help: "Show each permission, and the configuration as resolved, too.")
    var verbose = false

    @Option(help: "text for people, json for programs.")
    var format: Format = .text

    func run() async throws {
        let configuration = try configurationFile.load()
        if let policyCase { return try PolicyCaseFile.check(policyCase, configuration, format, verbose: verbose) }
        var report = CheckReport()
        report.add(.init("configuration", .good, configurationText))
        let (environment, line) = Self.environment()
        if let line { report.add(line) }
        if offline {
            try await Composition.with(configuration, needsRegion: false, environment: environment) { composition in
                await Self.addFiles(&report, composition, configuration, offline: true)
            }
        } else {
            try await Composition.with(configuration, environment: environment, attempts: 2) { composition in
                try await Self.addAccount(&report, composition, configuration)
                await Self.addFiles(&report, composition, configuration)
                await Self.addRegistries(&report, composition, configuration)
            }
        }
        try show(report, configuration)
        switch report.verdict {
        case .works: break
        case .cannotWork: throw Ending.failed.code
        case .couldNotTell: throw Ending.temporary.code
        }
    }

    private var configurationText: String {
        if let path = configurationFile.path { return path }
        let isThere = FileManager.default.fileExists(atPath: Configuration.defaultPath)
        return isThere ? Configuration.defaultPath : "no \(Configuration.defaultPath): the defaults hold"
    }

    // MARK: What is looked at

    /// What the service would find in its environment, and what is to be said of that.
    private static func environment() -> ([String: String], CheckReport.Line?) {
        let own = ProcessInfo.processInfo.environment
        // The service itself has been given it.
        guard own["INVOCATION_ID"] == nil, FileManager.default.fileExists(atPath: EnvironmentFile.path) else {
            return (own, nil)
        }
        guard let text = try? String(contentsOfFile: EnvironmentFile.path, encoding: .utf8) else {
            return (
                own,
                .init(
                    "environment",
                    .note,
                    "\(EnvironmentFile.path) cannot be read",
                    mend: "run it as root to see what the service sees"
                )
            )
        }
        let found = EnvironmentFile.variables(text)
        return (
            own.merging(found) { own, _ in own },
            .init("environment", .good, "\(found.count) variables of \(EnvironmentFile.path)")
        )
    }

    private static func addAccount(
        _ report: inout CheckReport,
        _ composition: Composition,
        _ configuration: Configuration
    ) async throws {
        let identity: STSClient.Identity
        do {
            identity = try await composition.sts.getCallerIdentity()
        } catch let error as AWSError {
            let isSilence = error.status == nil && error.kind != .noCredentials
            report.add(.init("identity", isSilence ? .unknown : .bad, "\(error)", mend: hint(error)))
            return
        }
        let provider = try await composition.credentials.credentials()?.provider ?? "-"
        report.account = identity.account
        report.identity = identity.arn
        report.region = composition.aws.region
        report.add(
            .init(
                "identity",
                .good,
                "\(identity.arn) (account \(identity.account), region \(composition.aws.region), credentials from \(provider))"
            )
        )
        let partition = identity.arn.split(separator: ":").dropFirst().first.map(String.init) ?? "aws"
        let findings = try await composition.permissions.findings(
            arn: identity.arn,
            repositories: "arn:\(partition):ecr:\(composition.aws.region):\(identity.account):repository/*",
            queueArn: queueArn(configuration.watch.events.queueUrl, partition: partition)
        )
        func those(_ prefix: String, changing: Bool = false) -> [PermissionCheck.Finding] {
            findings.filter { $0.action.hasPrefix(prefix) && PermissionCheck.changes($0.action) == changing }
        }
        report.add("HealthOmics", those("omics:"))
        report.add("ECR, reading", those("ecr:"))
        report.add("ECR, changing", those("ecr:", changing: true))
        report.add("events", those("sqs:"))
        await addRules(&report, composition.account)
    }

    /// What the account's ECR lacks for HealthOmics, as `preclone rules` says it.
    private static func addRules(_ report: inout CheckReport, _ account: AccountFacts) async {
        do {
            let answer = try await RulesVerb.list(account)
            for note in answer.notes { report.add(.init("rules", .note, note)) }
            if answer.rules.isEmpty, answer.notes.isEmpty {
                report.add(.init("rules", .note, "the account has no pull-through cache rules: images are copied"))
            }
            for rule in answer.rules { report.add(line(of: rule)) }
        } catch {
            report.add(.init("rules", .note, "the pull-through cache rules are not known: \(error)"))
        }
    }

    private static func line(of rule: RulesVerb.Standing) -> CheckReport.Line {
        let part = "rule \(rule.prefix)"
        let upstream = rule.upstream ?? "its upstream"
        guard let isUsable = rule.isUsable else {
            return .init(part, .note, "whether HealthOmics can pull \(upstream) through it is not known")
        }
        guard !isUsable, let problem = rule.problems.first else {
            return .init(part, .good, "HealthOmics can pull \(upstream) through it")
        }
        let more = rule.problems.count > 1 ? " (and \(rule.problems.count - 1) more: `preclone rules`)" : ""
        return .init(part, .warning, problem + more + (rule.obstacle == nil ? "" : "; preclone copies instead"))
    }

    /// The files and variables that the configuration names.
    private static func addFiles(
        _ report: inout CheckReport,
        _ composition: Composition,
        _ configuration: Configuration,
        offline: Bool = false
    ) async {
        report.add(RecordPlace.line(configuration.record.path))
        for host in configuration.registries.hosts.keys.sorted() {
            guard let source = configuration.registries.settings(for: host).credentials, !offline || source.isLocal
            else { continue }
            do {
                _ = try await composition.registryCredentials.credential(for: host)
                report.add(.init("credentials of \(host)", .good, source.name))
            } catch {
                report.add(.init("credentials of \(host)", .bad, "\(error)"))
            }
        }
    }

    /// Whether the registries answer that the configuration names or that images came from.
    private static func addRegistries(
        _ report: inout CheckReport,
        _ composition: Composition,
        _ configuration: Configuration
    ) async {
        let used = (try? RecordReader(path: configuration.record.path))?.registriesInUse() ?? []
        var hosts = Set(configuration.registries.hosts.keys).union(used)
        hosts = hosts.filter { (try? ImageReference("\($0)/x/y")).flatMap(ECRLocation.init) == nil }
        for host in hosts.sorted().prefix(20) {
            report.add(await composition.answer(of: host))
        }
    }

    // MARK: What is shown

    private func show(_ report: CheckReport, _ configuration: Configuration) throws {
        switch format {
        case .json: try Terminal.print(JSONOutput.text(report))
        case .text:
            let terminal = Terminal.current()
            try Terminal.write(Self.text(report, terminal).joined(separator: "\n") + "\n")
            if verbose { try showAll(report, configuration, terminal) }
        }
    }

    static func text(_ report: CheckReport, _ terminal: Terminal) -> [String] {
        let tone: Tone =
            switch report.verdict {
            case .works: .good
            case .cannotWork: .bad
            case .couldNotTell: .warning
            }
        var lines = [StyledText(report.headline, tone).rendered(for: terminal)]
        let width = report.lines.map { DisplayWidth.of($0.part) }.max() ?? 0
        for line in report.lines {
            let (sign, tone): (String, Tone) =
                switch line.mark {
                case .good: ("ok", .good)
                case .warning: (" !", .warning)
                case .bad: (" x", .bad)
                case .unknown: (" ?", .warning)
                case .note: (" -", .dim)
                }
            let name = line.part + String(repeating: " ", count: width - DisplayWidth.of(line.part))
            let indent = String(repeating: " ", count: width + 5)
            let room = terminal.width.map { max(20, $0 - width - 5) } ?? .max
            for (number, text) in DisplayWidth.wrapped(line.text, to: room).enumerated() {
                let head = number == 0 ? "\(StyledText(sign, tone).rendered(for: terminal)) \(name)  " : indent
                lines.append(head + StyledText(text).text)
            }
            if let mend = line.mend {
                lines += DisplayWidth.wrapped("mend: \(mend)", to: room).map { indent + StyledText($0).text }
            }
        }
        return lines
    }

    private func showAll(_ report: CheckReport, _ configuration: Configuration, _ terminal: Terminal) throws {
        var table = TextTable(columns: [
            .init(title: "PERMISSION"), .init(title: "VERDICT"), .init(title: "WITHOUT IT", cut: .end),
        ])
        for permission in report.permissions {
            let verdict: StyledText =
                switch permission.verdict {
                case "permitted": StyledText("permitted", .good)
                case "denied": StyledText("denied", permission.isNeeded ? .bad : .warning)
                default: StyledText("not checked", .dim)
                }
            table.add([StyledText(permission.action), verdict, StyledText(permission.detail ?? "")])
        }
        if !report.permissions.isEmpty { try Terminal.write("\n" + table.rendered(for: terminal)) }
        try Terminal.print("\n" + configuration.json(resolvingRegistries: true))
    }

    private static func hint(_ error: AWSError) -> String? {
        switch error.kind {
        case .noCredentials: "give it an instance or task role, or set AWS_PROFILE or keys in \(EnvironmentFile.path)"
        case .expiredCredentials: "renew the credentials"
        case .clockSkew: "set this machine's clock"
        case .accessDenied: "see that keys and profile are those that were meant"
        default: error.status == nil ? "see that AWS can be reached from here: network, proxy, the Region's name" : nil
        }
    }

    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` as an ARN; nil for a URL of another form.
    static func queueArn(_ url: String?, partition: String) -> String? {
        guard let url = url.flatMap(URL.init(string:)), let host = url.host() else { return nil }
        let labels = host.split(separator: ".")
        let path = url.path().split(separator: "/")
        guard path.count == 2, labels.count > 2, labels[0].hasPrefix("sqs") else { return nil }
        return "arn:\(partition):sqs:\(labels[1]):\(path[0]):\(path[1])"
    }
}

/// Whether a record can be where the configuration wants it.
enum RecordPlace {
    static func line(_ path: String) -> CheckReport.Line {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            return .init("record", .note, "\(folder) is not there yet: it is made when preclone starts")
        }
        if isFolder.boolValue, FileManager.default.isWritableFile(atPath: folder) {
            return .init("record", .good, path)
        }
        return .init(
            "record",
            .warning,
            isFolder.boolValue ? "\(folder) may not be written by you" : "\(folder) is no folder",
            mend: "make it a folder that user preclone may write, or name another record.path"
        )
    }
}
