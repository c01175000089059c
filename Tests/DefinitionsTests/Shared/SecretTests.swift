import Definitions
import Foundation
import Testing

@Suite("Secrets around a definition")
struct SecretTests {
    @Test("appear in no form of output, whatever the definition reaches for", arguments: InspectionText.Format.allCases)
    func planted(_ format: InspectionText.Format) throws {
        let secret = "planted-\(UUID().uuidString.lowercased())"
        setenv("PRECLONE_TEST_SECRET", secret, 1)
        defer { unsetenv("PRECLONE_TEST_SECRET") }
        try withFolder { folder in
            let root = folder + "/definition"
            try writeFile("class: DockerRequirement\ndockerPull: \(secret)\n", to: folder + "/secret.yml")
            try writeFile(secret, to: folder + "/secret.txt")
            try makeLink(root: root, "link.yml", to: folder + "/secret.yml")
            try makeLink(root: root, "link.txt", to: folder + "/secret.txt")
            try makeLink(root: root, "up", to: folder)
            var steps = ""
            let imports = [
                "../secret.yml", "link.yml", "up/secret.yml", "\(folder)/secret.yml", "file://\(folder)/secret.yml",
            ]
            let includes = ["../secret.txt", "link.txt", "up/secret.txt", "\(folder)/secret.txt", "/proc/self/environ"]
            let texts = [
                "$PRECLONE_TEST_SECRET", "${PRECLONE_TEST_SECRET}", "$(env.PRECLONE_TEST_SECRET)", "$(process.env)",
            ]
            let requirements =
                imports.map { "{$import: '\($0)'}" }
                + includes.map { "{class: DockerRequirement, dockerPull: {$include: '\($0)'}}" }
                + texts.map { "{class: DockerRequirement, dockerPull: '\($0)'}" }
            for (index, requirement) in requirements.enumerated() {
                steps += "  s\(index): {in: [], out: [], run: {class: CommandLineTool, inputs: [], outputs: [], "
                steps += "hints: [\(requirement)]}}\n"
            }
            for (index, path) in imports.enumerated() { steps += "  r\(index): {run: '\(path)', in: [], out: []}\n" }
            try writeFile("class: Workflow\ninputs: []\noutputs: []\nsteps:\n\(steps)", to: root + "/main.cwl")

            let opened = try WorkflowDefinition.open(root)
            let inspection = try WorkflowDefinition.inspect(opened.files, DefinitionRequest(engine: .cwl))
            let text = InspectionText(inspection, format: format)
            #expect(!(text.standardOutput + text.standardError).contains(secret))
            #expect(inspection.images == [])
            // Every step was looked at, and none of them gave an image.
            #expect(Set(inspection.unresolved.flatMap(\.tasks)).count == requirements.count + imports.count)
        }
    }

    private func makeLink(root: String, _ name: String, to target: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: root + "/" + name, withDestinationPath: target)
    }
}
