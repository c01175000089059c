import Foundation
import Testing

@Suite("preclone inspect")
struct InspectCommandTests {
    /// A definition of two tools, one of them without a value.
    private func withDefinition(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("inspect-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let main = """
            cwlVersion: v1.2
            class: Workflow
            inputs: {image: string}
            outputs: []
            steps:
              a: {in: [], out: [], run: {class: CommandLineTool, inputs: [], outputs: [],
                hints: [{class: DockerRequirement, dockerPull: "quay.io/a/b:1"}]}}
              b: {in: {image: image}, out: [], run: {class: CommandLineTool, inputs: {image: string}, outputs: [],
                hints: [{class: DockerRequirement, dockerPull: $(inputs.image)}]}}
            """
        try Data(main.utf8).write(to: folder.appendingPathComponent("main.cwl"))
        try Data(#"{"image": "c/d:2"}"#.utf8).write(to: folder.appendingPathComponent("run.json"))
        try Data(#"{"image": }"#.utf8).write(to: folder.appendingPathComponent("bad.json"))
        try body(folder)
    }

    @Test("prints images alone on standard output, and what is missing on standard error")
    func lines() throws {
        try withDefinition { folder in
            let answer = try BuiltProgram.run(["inspect", folder.path, "--engine", "cwl", "--parameters", "/dev/null"])
            #expect(answer.code == 0)
            #expect(answer.standardOutput == "quay.io/a/b:1\n")
            #expect(
                answer.standardError == "unresolved: main.cwl:9 $(inputs.image): input `image` has no default\n"
            )
            let strict = try BuiltProgram.run(["inspect", folder.path, "--engine", "CWL", "--strict"])
            #expect(strict.code == 4)
            #expect(strict.standardOutput == "quay.io/a/b:1\n")
        }
    }

    @Test("takes parameters, and a file instead of a folder")
    func parameters() throws {
        try withDefinition { folder in
            let parameters = folder.appendingPathComponent("run.json").path
            let answer = try BuiltProgram.run([
                "inspect", folder.appendingPathComponent("main.cwl").path, "--engine", "cwl", "--parameters",
                parameters,
                "--strict",
            ])
            #expect(answer.code == 0)
            #expect(answer.standardOutput == "c/d:2\nquay.io/a/b:1\n")
            #expect(answer.standardError == "")
        }
    }

    @Test("says what is wrong with the definition or the parameters")
    func wrong() throws {
        try withDefinition { folder in
            let bad = folder.appendingPathComponent("bad.json").path
            let cases: [([String], Int32, String)] = [
                (["--main", "x.cwl"], 1, "error: main file x.cwl: not in the definition"),
                (["--parameters", bad], 2, "error: parameters file \(bad): JSON, line 1, column 11: a value"),
                (["--parameters", "/nonexistent"], 2, "error: parameters file /nonexistent: cannot be read\n"),
                (["--format", "xml"], 2, "Error: The value 'xml' is invalid"),
            ]
            for (arguments, code, message) in cases {
                let answer = try BuiltProgram.run(["inspect", folder.path, "--engine", "cwl"] + arguments)
                #expect(answer.code == code)
                #expect(answer.standardOutput == "")
                #expect(answer.standardError.hasPrefix(message), "\(answer.standardError)")
            }
            let none = try BuiltProgram.run(["inspect", "/nonexistent", "--engine", "cwl"])
            #expect(none.code == 1)
            #expect(none.standardError == "error: /nonexistent: No such file or directory\n")
        }
    }
}
