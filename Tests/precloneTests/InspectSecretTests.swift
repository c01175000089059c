import Foundation
import Testing

/// A secret in the environment and one in files beside the root, and definitions that reach for both.
@Suite("preclone inspect and secrets")
struct InspectSecretTests {
    private static let variable = "PRECLONE_TEST_SECRET"

    /// A definition and how often it reaches for a secret.
    private struct Trap {
        var engine: String
        var main: String
        var text: String
        var mentions: Int
    }

    private static func traps(folder: String) -> [Trap] { [wdl(folder), cwl(folder), nextflow(folder)] }

    private static func paths(_ folder: String, _ file: String) -> [String] {
        [
            "../\(file)", "link-\(file)", "up/\(file)", "\(folder)/\(file)", "file://\(folder)/\(file)",
            "a/../../\(file)",
        ]
    }

    private static func wdl(_ folder: String) -> Trap {
        let imports = paths(folder, "secret.wdl")
        var text = "version 1.0\n" + imports.enumerated().map { "import \"\($1)\" as i\($0)\n" }.joined()
        text += "workflow w {\n"
        text += imports.indices.map { "  call i\($0).t as c\($0)\n" }.joined()
        let images =
            (paths(folder, "secret.txt") + ["/proc/self/environ"]).map { "read_string(\"\($0)\")" }
            + ["\"~{\(variable)}\"", "\"$\(variable)\"", "read_string(\"$\(variable)\")"]
        text += images.enumerated().map { "  call t as t\($0) { input: image = \($1) }\n" }.joined()
        text += "}\ntask t { input { String image } command { } runtime { docker: image } }\n"
        return Trap(engine: "WDL", main: "main.wdl", text: text, mentions: imports.count + images.count)
    }

    private static func cwl(_ folder: String) -> Trap {
        let runs = paths(folder, "secret.cwl")
        let hints =
            paths(folder, "secret.yml").map { "{$import: '\($0)'}" }
            + (paths(folder, "secret.txt") + ["/proc/self/environ"]).map {
                "{class: DockerRequirement, dockerPull: {$include: '\($0)'}}"
            }
            + ["$(env.\(variable))", "$\(variable)", "${ return process.env.\(variable); }"].map {
                "{class: DockerRequirement, dockerPull: '\($0)'}"
            }
        var text = "cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\n"
        text += "requirements: [{class: InlineJavascriptRequirement}]\nsteps:\n"
        text += runs.enumerated().map { "  r\($0): {run: '\($1)', in: [], out: []}\n" }.joined()
        text += hints.enumerated().map { index, hint in
            "  h\(index): {in: [], out: [], run: {class: CommandLineTool, inputs: [], outputs: [], hints: [\(hint)]}}\n"
        }.joined()
        return Trap(engine: "CWL", main: "main.cwl", text: text, mentions: runs.count + hints.count)
    }

    private static func nextflow(_ folder: String) -> Trap {
        let modules = paths(folder, "secret.nf")
        var text = modules.enumerated().map { "include { P as I\($0) } from '\($1)'\n" }.joined()
        let images = [
            "\"${System.getenv('\(variable)')}\"", "System.getenv().\(variable)", "\"$\(variable)\"",
            "\"${env.\(variable)}\"", "new File('../secret.txt').text", "file('\(folder)/secret.txt').text",
            "\"${file('up/secret.txt').text}\"", "\"${secrets.\(variable)}\"",
            "\"printenv \(variable)\".execute().text",
        ]
        text += images.enumerated().map { "process Q\($0) {\n container \($1)\n script: 'true'\n}\n" }.joined()
        text += "workflow {\n" + modules.indices.map { " I\($0)()\n" }.joined()
        text += images.indices.map { " Q\($0)()\n" }.joined() + "}\n"
        return Trap(engine: "NEXTFLOW", main: "main.nf", text: text, mentions: 0)
    }

    private func withTraps(_ body: (_ secret: String, _ folder: String, _ root: String) throws -> Void) throws {
        let secret = "planted-\(UUID().uuidString.lowercased())"
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("secrets-\(UUID().uuidString)")
        let folder = url.path
        let root = folder + "/definition"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        var files = [
            "secret.txt": secret,
            "secret.wdl": "version 1.0\ntask t { command {} runtime { docker: \"\(secret)\" } }\n",
            "secret.yml": "class: DockerRequirement\ndockerPull: \(secret)\n",
            "secret.cwl": """
            class: CommandLineTool
            inputs: []
            outputs: []
            hints: [{class: DockerRequirement, dockerPull: "\(secret)"}]
            """,
            "secret.nf": "process P {\n container '\(secret)'\n script: 'true'\n}\n",
            "secret.config": "process.container = '\(secret)'\nparams.image = '\(secret)'\n",
            "definition/nextflow.config": Self.paths(folder, "secret.config")
                .map { "try { includeConfig '\($0)' } catch (Exception e) { }\n" }.joined(),
        ]
        for trap in Self.traps(folder: folder) { files["definition/" + trap.main] = trap.text }
        for (name, text) in files { try Data(text.utf8).write(to: url.appendingPathComponent(name)) }
        for name in files.keys where name.hasPrefix("secret.") {
            try FileManager.default.createSymbolicLink(
                atPath: "\(root)/link-\(name)",
                withDestinationPath: "\(folder)/\(name)"
            )
        }
        try FileManager.default.createSymbolicLink(atPath: root + "/up", withDestinationPath: folder)
        try body(secret, folder, root)
    }

    @Test("show no secret of the environment, nor of a file beside the root", arguments: ["lines", "table", "json"])
    func planted(_ format: String) throws {
        try withTraps { secret, folder, root in
            for trap in Self.traps(folder: folder) {
                let answer = try BuiltProgram.run(
                    ["inspect", root, "--engine", trap.engine, "--main", trap.main, "--format", format],
                    environment: [Self.variable: secret]
                )
                #expect(answer.code == 0, "\(trap.engine): \(answer.standardError)")
                #expect(!answer.standardOutput.contains(secret), "\(trap.engine)")
                #expect(!answer.standardError.contains(secret), "\(trap.engine)")
                // Every trap was looked at: it stands among what is unresolved.
                let text = answer.standardOutput + answer.standardError
                let unresolved =
                    text.components(separatedBy: format == "json" ? "\"missing\"" : "unresolved: ").count - 1
                #expect(unresolved >= trap.mentions, "\(trap.engine): \(text)")
            }
        }
    }

    @Test("find the secret where it is inside the root: the traps do reach their files")
    func reachable() throws {
        try withTraps { secret, folder, root in
            for (file, main, engine) in [
                ("secret.wdl", "import \"secret.wdl\" as s workflow w { call s.t }", "WDL"),
                (
                    "secret.cwl",
                    "{class: Workflow, inputs: [], outputs: [], steps: {a: {run: secret.cwl, in: [], out: []}}}", "CWL"
                ),
                ("secret.nf", "include { P } from './secret.nf'\nworkflow { P() }\n", "NEXTFLOW"),
            ] {
                try FileManager.default.copyItem(atPath: "\(folder)/\(file)", toPath: "\(root)/\(file)")
                let name = "inside." + file.split(separator: ".")[1]
                try Data(main.utf8).write(to: URL(fileURLWithPath: "\(root)/\(name)"))
                let answer = try BuiltProgram.run(["inspect", root, "--engine", engine, "--main", name])
                #expect(answer.standardOutput.contains(secret), "\(engine): \(answer.standardError)")
            }
        }
    }
}
