import ArgumentParser
import Definitions
import Foundation
import Model
import Precloning

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

    @OptionGroup var request: DefinitionOptions

    @Option(
        help: ArgumentHelp(
            "A JSON file with the workflow's containerRegistryMap: shows what each image is cloned from and where to. "
                + "ACCOUNT and REGION stand for the workflow's own, which are not known offline.",
            valueName: "file"
        )
    )
    var registryMap: String?

    @Option(
        help: ArgumentHelp(
            "Say how the definition comes to need this image, line by line, or what became of it where it does not.",
            valueName: "image"
        )
    )
    var why: String?

    @Flag(help: "Exit with 4 where an image is unresolved.")
    var strict = false

    @Option(help: "lines (certain and alternative images, one a line), table or json; with --why, text or json.")
    var format: InspectionText.Format = .lines

    func run() async throws {
        let placement = try registryMap.map { OfflinePlacement(map: try RegistryMapFile.read($0)) }
        let opened = try request.open(definition, explains: why != nil)
        let inspection = try opened.inspection()
        let explanation = why.map { ImageExplanation(of: $0, in: inspection, opened.request, files: opened.files) }
        if let explanation {
            let text = format == .json ? explanation.json : explanation.text
            FileHandle.standardOutput.write(Data(text.utf8))
            if strict, !inspection.unresolved.isEmpty { throw Ending.someNotReady.code }
            return
        }
        let text = InspectionText(
            inspection,
            format: format,
            placement: placement.map { placement in
                { image in
                    let answer = placement.answer(for: image)
                    return InspectionText.Placement(
                        source: answer.source,
                        destination: answer.destination,
                        problem: answer.problem
                    )
                }
            }
        )
        try Terminal.write(text.standardOutput)
        try StandardStream.error.write(text.standardError)
        if strict, !inspection.unresolved.isEmpty { throw Ending.someNotReady.code }
    }
}

extension InspectionText.Format: ExpressibleByArgument {}
