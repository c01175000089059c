import ArgumentParser
import Configuring
import Definitions
import Foundation
import Logging
import Model
import Names
import Precloning

/// `preclone map`: a workflow's container registry map, written or compared.
struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Write the container registry map that lets a workflow's runs find every image.",
        discussion: """
            The map goes to standard output as `aws omics create-workflow-version` takes it; what no map can reach, what is \
            not known, and the command that makes the new version go to standard error. Nothing is changed. A definition is \
            read offline; the account is asked for its pull-through rules where it can be, else mappings follow \
            clone.destination, which is said. Exit codes: 0 every known image is reached; 1 the definition cannot be read; \
            2 usage; 4 an image is not reached (with --strict: or not known).
            """
    )

    @Argument(help: "A zip archive, a folder, or the main file.")
    var definition: String?

    @Option(help: ArgumentHelp("A registered workflow instead, or one of its versions.", valueName: "id[/version]"))
    var workflow: String?

    @OptionGroup var request: DefinitionOptions

    @Option(
        help: ArgumentHelp("Tell what this map leaves out, sends astray or never uses; write none.", valueName: "file")
    )
    var check: String?

    @Flag(help: "Do not ask the account for its pull-through rules.")
    var offline = false

    @Option(
        help: ArgumentHelp(
            "The pull-through rules, as `aws ecr describe-pull-through-cache-rules` prints them; the account is not asked.",
            valueName: "file"
        )
    )
    var rules: String?

    @Option(
        help: ArgumentHelp(
            "The registry of the workflow's account and Region, where the account is not asked.",
            valueName: "account.dkr.ecr.region.suffix"
        )
    )
    var registry: String?

    @Option(help: ArgumentHelp("Lead to this account's registry instead of the workflow's own.", valueName: "account"))
    var ecrAccount: String?

    @Option(
        help: ArgumentHelp("Map the images of this lock to their digests, each by an image mapping.", valueName: "lock")
    )
    var pin: String?

    @Flag(help: "Exit with 4 where an image is not known.")
    var strict = false

    @Option(help: "json for AWS, table for people.")
    var format: OutputFormat = .json

    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if (definition == nil) == (workflow == nil) {
            throw ValidationError("name a definition, or a workflow with --workflow")
        }
        if let ecrAccount, ecrAccount.count != 12 || !ecrAccount.allSatisfy(\.isNumber) {
            throw ValidationError("--ecr-account takes the 12 digits of an account")
        }
        if workflow != nil, request.engine != nil || request.main != nil {
            throw ValidationError("--engine and --main are the registered workflow's own")
        }
        if workflow != nil, offline || rules != nil || registry != nil {
            throw ValidationError("--offline, --rules and --registry are for a definition on disk")
        }
        if check != nil, ecrAccount != nil || pin != nil {
            throw ValidationError("--ecr-account and --pin are for a map that is written")
        }
    }

    func run() async throws {
        let configuration = try configurationFile.load()
        let given = try check.map(RegistryMapFile.read)
        if let workflow {
            let name = try AccountReading.name(workflow)
            let parameters = try request.readParameters()
            let (reading, basis) = try await AccountReading.with(configuration) { works, _ in
                let reading = try await works.surveyor.reading(
                    of: name,
                    parameters: parameters,
                    profiles: request.profiles
                )
                let rules = try await Self.rules(works.account, configuration)
                return (reading, MapBasis(rules: rules, isHomeKnown: true))
            }
            try answer(
                reading.inspection,
                basis,
                given,
                call: MapVerb.newVersion(of: name, engine: reading.engine, main: reading.main, path: nil)
            )
        } else if let definition {
            let opened = try request.open(definition)
            let inspection = try opened.inspection()
            let basis = try await basis(configuration)
            try answer(
                inspection,
                basis,
                given,
                call: MapVerb.newVersion(
                    of: nil,
                    engine: opened.request.engine.rawValue,
                    main: opened.request.main,
                    path: opened.path
                )
            )
        }
    }

    // MARK: The account

    private static func rules(
        _ account: AccountFacts,
        _ configuration: Configuration
    ) async throws -> PlacementRules {
        try await account.placement(template: configuration.clone.destination, clonesUnmapped: true)
    }

    /// What the account says, or what stands for it where it is not asked or does not answer.
    private func basis(_ configuration: Configuration) async throws -> MapBasis {
        let named = try registry.map { text in
            guard let reference = try? ImageReference("\(text)/a"), let location = ECRLocation(reference) else {
                throw CommandFailure(
                    "--registry \(text): write ACCOUNT.dkr.ecr.REGION.amazonaws.com, as ECR names it",
                    ending: .usage
                )
            }
            return location
        }
        func offline(_ reason: String, _ rules: [PullThroughCacheRule]? = nil) -> MapBasis {
            MapBasis(
                offline: configuration.clone.destination,
                pullThrough: rules,
                registry: named,
                reason: reason
            )
        }
        if let rules { return offline("", try RuleFile.read(rules)) }
        if self.offline || named != nil { return offline(self.offline ? "--offline" : "--registry was given") }
        do {
            return try await AccountReading.answer(within: .seconds(10)) {
                try await AccountReading.with(configuration) { works, _ in
                    let rules = try await Self.rules(works.account, configuration)
                    let trouble = await works.account.rulesTrouble
                    return MapBasis(
                        rules: rules,
                        isHomeKnown: true,
                        notes: trouble.map {
                            [
                                "the account's pull-through rules may not be read (\($0)): mappings follow clone.destination"
                            ]
                        } ?? []
                    )
                }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            return offline("AWS was not reached: \(error)")
        }
    }

    // MARK: Output

    private func answer(
        _ inspection: Inspection,
        _ basis: MapBasis,
        _ given: ContainerRegistryMap?,
        call: [String]
    ) throws {
        if let given { return try compare(given, inspection, basis) }
        let lock = try pin.map(LockFile.read)
        let answer = MapVerb.write(for: inspection, basis, account: ecrAccount, pins: lock?.pins ?? [:])
        switch format {
        case .json: try Terminal.print(JSONOutput.text(answer.map))
        case .table: try Terminal.write(Self.table(answer.images))
        }
        Self.remark(answer.images, answer.unresolved, answer.notes)
        Terminal.remark("# with the map in map.json, a new version of the workflow:\n")
        for line in call { Terminal.remark(line + "\n") }
        if !answer.isComplete || strict && !answer.unresolved.isEmpty { throw Ending.someNotReady.code }
    }

    private func compare(_ map: ContainerRegistryMap, _ inspection: Inspection, _ basis: MapBasis) throws {
        let found = MapVerb.check(map, for: inspection, basis)
        switch format {
        case .json: try Terminal.print(JSONOutput.text(found))
        case .table:
            try Terminal.write(Self.table(found.images))
            for fault in found.faults {
                try Terminal.print(
                    StyledText("wrong: \(fault.path) (\(fault.text)): \(fault.problem ?? "-")").text
                )
            }
            for entry in found.unused {
                try Terminal.print(StyledText("never used: \(entry.path) (\(entry.text))").text)
            }
        }
        Self.remark(found.images, found.unresolved, found.notes)
        if !found.isComplete || strict && !found.unresolved.isEmpty { throw Ending.someNotReady.code }
    }

    private static func table(_ images: [MappedImage]) -> String {
        var table = TextTable(columns: [
            .init(title: "IMAGE", cut: .middle), .init(title: "BY"), .init(title: "DESTINATION", cut: .middle),
            .init(title: "RULE"),
        ])
        for image in images {
            let basis =
                switch image.basis {
                case .asWritten: "as written"
                case .registryMapping: "registry mapping"
                case .imageMapping: "image mapping"
                case .none: "not reached"
                }
            table.add([
                StyledText(image.image), StyledText(basis, image.problem == nil ? .plain : .bad),
                StyledText(image.destination ?? ""), StyledText(image.rule ?? ""),
            ])
        }
        return images.isEmpty ? "no images\n" : table.rendered(for: .current())
    }

    /// What is not in the map, on standard error.
    private static func remark(
        _ images: [MappedImage],
        _ unresolved: [MapVerb.UnresolvedLine],
        _ notes: [String]
    ) {
        var lines = images.compactMap { image in
            image.problem.map { "unmapped: \(image.image): \($0)" + (image.mend.map { "; \($0)" } ?? "") }
        }
        lines += unresolved.map { "unresolved: \($0.place) \($0.expression): \($0.missing)" }
        lines += notes.map { "note: \($0)" }
        for line in lines { Terminal.remark(StyledText(line).text + "\n") }
    }
}

/// Pull-through rules in a file, as the AWS CLI prints them.
enum RuleFile {
    /// - Throws: `CommandFailure` that ends with code 2.
    static func read(_ path: String) throws -> [PullThroughCacheRule] {
        struct Document: Decodable { var pullThroughCacheRules: [PullThroughCacheRule] }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("rules \(path): cannot be read", ending: .usage)
        }
        do { return try JSONDecoder().decode(Document.self, from: data).pullThroughCacheRules } catch {
            throw CommandFailure(
                "rules \(path): this is not what `aws ecr describe-pull-through-cache-rules` prints, an object with "
                    + "`pullThroughCacheRules`",
                ending: .usage
            )
        }
    }
}
