import ArgumentParser
import Definitions
import Foundation
import Names
import Precloning

/// What decides the images of a definition besides its files: `--engine`, `--main`, `--parameters`, `--profile-name`.
struct DefinitionOptions: ParsableArguments {
    @Option(
        help: """
            The language: WDL, WDL_LENIENT, NEXTFLOW or CWL, in any case; without it, as the definition shows (main.nf or \
            nextflow.config, .wdl, .cwl).
            """
    )
    var engine: WorkflowEngine?

    @Option(help: "The main file, relative to the definition's root; without it, the engine's own name.")
    var main: String?

    @Option(help: "A JSON file with the run's parameters; an empty file means none.")
    var parameters: String?

    @Option(help: "Nextflow profiles, separated by commas; without them, `standard` where it is defined.")
    var profileName: String?

    var profiles: [String] { profileName.map { $0.split(separator: ",").map(String.init) } ?? [] }

    /// - Throws: `CommandFailure` that ends with code 2.
    func readParameters() throws -> [String: ParameterValue] {
        try parameters.map { try JSONFile.object($0, called: "parameters file") } ?? [:]
    }

    /// A definition on disk, and what is asked of it.
    ///
    /// - Throws: `CommandFailure` where nothing is there, or its engine cannot be told.
    func open(_ path: String, explains: Bool = false) throws -> RequestedDefinition {
        let parameters = try readParameters()
        let opened: OpenedDefinition
        do { opened = try WorkflowDefinition.open(path) } catch { throw CommandFailure(error.message) }
        let main = main ?? opened.main
        let shown: WorkflowEngine
        do {
            shown = try engine ?? WorkflowDefinition.engine(of: opened.files, main: main)
        } catch {
            throw CommandFailure("\(path): \(error)", ending: .usage)
        }
        var request = DefinitionRequest(engine: shown, main: main, parameters: parameters, profiles: profiles)
        request.explains = explains
        return RequestedDefinition(path: path, files: opened.files, request: request)
    }
}

/// A definition on disk, and what is asked of it.
struct RequestedDefinition {
    var path: String
    var files: any DefinitionFiles
    var request: DefinitionRequest

    /// - Throws: `CommandFailure` where its main file cannot be read.
    func inspection() throws -> Inspection {
        do { return try WorkflowDefinition.inspect(files, request) } catch { throw CommandFailure(error.message) }
    }

    /// What it needs, with the registry map of a file and a digest of its own.
    ///
    /// - Throws: `CommandFailure` where one of both cannot be read.
    func reading(registryMap: String?) throws -> SubjectReading {
        SubjectReading(
            label: path,
            engine: request.engine.rawValue,
            main: request.main,
            digest: DefinitionDigest.of(path, files).description,
            map: try registryMap.map(RegistryMapFile.read),
            inspection: try inspection()
        )
    }
}

extension WorkflowEngine: ExpressibleByArgument {
    init?(argument: String) { self.init(name: argument) }
}
