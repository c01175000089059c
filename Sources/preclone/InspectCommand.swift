import ArgumentParser
import Definitions
import Foundation

/// `preclone inspect`: the images of a definition, offline.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print the images that a workflow definition needs, without a network or an account.",
        discussion: """
            Exit codes: 0 done, also with unresolved images; 1 the main file cannot be read; 2 usage; 4 with --strict, \
            some images are unresolved.
            """
    )

    @Argument(help: "A zip archive, a folder, or the main file.")
    var definition: String

    @Option(help: "The language: WDL, WDL_LENIENT, NEXTFLOW or CWL, in any case.")
    var engine: WorkflowEngine

    @Option(help: "The main file, relative to the definition's root; without it, the engine's own name.")
    var main: String?

    @Option(help: "A JSON file with the run's parameters; an empty file means none.")
    var parameters: String?

    @Option(help: "Nextflow profiles, separated by commas; without them, `standard` where it is defined.")
    var profileName: String?

    @Flag(help: "Exit with 4 where an image is unresolved.")
    var strict = false

    @Option(help: "lines (certain and alternative images, one a line), table or json.")
    var format: InspectionText.Format = .lines

    func run() async throws {
        var request = DefinitionRequest(engine: engine, main: main)
        request.profiles = profileName.map { $0.split(separator: ",").map(String.init) } ?? []
        if let parameters { request.parameters = try Self.parameters(of: parameters) }
        let inspection: Inspection
        do {
            let opened = try WorkflowDefinition.open(definition)
            request.main = main ?? opened.main
            inspection = try WorkflowDefinition.inspect(opened.files, request)
        } catch {
            throw CommandFailure(error.message)
        }
        let text = InspectionText(inspection, format: format)
        FileHandle.standardOutput.write(Data(text.standardOutput.utf8))
        FileHandle.standardError.write(Data(text.standardError.utf8))
        if strict, !inspection.unresolved.isEmpty { throw Ending.someNotReady.code }
    }

    private static func parameters(of path: String) throws -> [String: ParameterValue] {
        let data: Data
        do {
            // By a handle: the file may be a device or a pipe.
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw CommandFailure("parameters file \(path): cannot be read", ending: .usage)
        }
        do {
            guard case .object(let members) = try ParameterValue(json: Array(data)) else {
                throw DefinitionError("the file must hold one JSON object: parameter names and values")
            }
            return members
        } catch {
            throw CommandFailure("parameters file \(path): \(error)", ending: .usage)
        }
    }
}

extension WorkflowEngine: ExpressibleByArgument {
    init?(argument: String) { self.init(name: argument) }
}

extension InspectionText.Format: ExpressibleByArgument {}
