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

    @Test("finds the engine by itself, and does not choose between two")
    func engine() throws {
        try withDefinition { folder in
            let answer = try BuiltProgram.run(["inspect", folder.path])
            #expect(answer.code == 0)
            #expect(answer.standardOutput == "quay.io/a/b:1\n")
            try Data().write(to: folder.appendingPathComponent("main.nf"))
            let two = try BuiltProgram.run(["inspect", folder.path])
            #expect(two.code == 2)
            #expect(two.standardError.contains("main.nf (NEXTFLOW) and main.cwl (CWL); name the one with --engine"))
            #expect(try BuiltProgram.run(["inspect", folder.path, "--engine", "cwl"]).code == 0)
        }
    }

    @Test("says why an image is needed, or what became of one that is not")
    func why() throws {
        try withDefinition { folder in
            let parameters = folder.appendingPathComponent("run.json").path
            let asked = ["inspect", folder.path, "--engine", "cwl", "--parameters", parameters, "--why"]
            let needed = try BuiltProgram.run(asked + ["c/d:2"])
            #expect(needed.code == 0 && needed.standardError == "")
            #expect(needed.standardOutput.hasPrefix("c/d:2 is certain\ndepth 0, used by 1 task\n\ntask b, certain\n"))
            #expect(needed.standardOutput.contains("  parameter image  = \"c/d:2\"\n"))
            let absent = try BuiltProgram.run(asked + ["quay.io/a/b:2", "--format", "json"])
            #expect(absent.code == 0 && absent.standardOutput.contains("quay.io/a/b:1 (another tag; certain, a)"))
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

    @Test("shows source and destination under a registry map")
    func registryMap() throws {
        try withDefinition { folder in
            let map = folder.appendingPathComponent("map.json")
            let ours = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
            let text = """
                {"registryMappings": [{"upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "quay"}],
                 "imageMappings": [{"sourceImage": "c/d:2", "destinationImage": "\(ours)/tools/d:2"}]}
                """
            try Data(text.utf8).write(to: map)
            let arguments = [
                "inspect", folder.path, "--engine", "cwl", "--registry-map", map.path, "--format", "table",
                "--parameters",
            ]
            let answer = try BuiltProgram.run(arguments + [folder.appendingPathComponent("run.json").path])
            let rows = answer.standardOutput.split(separator: "\n").map { $0.split(separator: " ").prefix(3) }
            #expect(answer.code == 0)
            #expect(
                rows == [
                    ["IMAGE", "SOURCE", "DESTINATION"],
                    ["c/d:2", "docker.io/c/d:2", "\(ours)/tools/d:2"],
                    ["quay.io/a/b:1", "quay.io/a/b:1", "ACCOUNT.dkr.ecr.eu-west-1.amazonaws.com/quay/a/b:1"],
                ]
            )

            try Data(#"{"containerRegistryMap": {"imageMappings": null, "registryMappings": []}}"#.utf8).write(to: map)
            let wrong = try BuiltProgram.run(arguments + ["/dev/null"])
            #expect(wrong.code == 2)
            #expect(wrong.standardError == "error: registry map \(map.path): `imageMappings`: must be an array\n")

            try Data(#"{"registryMappings": []}"#.utf8).write(to: map)
            let none = try BuiltProgram.run(arguments + ["/dev/null"])
            #expect(none.standardOutput.contains("  not mapped "))
            #expect(none.standardOutput.contains("unmapped: quay.io/a/b:1: the workflow's container registry map"))
        }
    }

    @Test("says what is wrong with a registry map, all at once")
    func wrongMap() throws {
        try withDefinition { folder in
            let map = folder.appendingPathComponent("map.json")
            let text = """
                {"registryMappings": [{"upstreamRegistryURL": "quay.io", "ecrRepositoryPrefix": 7}], "imageMapping": [],
                 "imageMappings": [1]}
                """
            try Data(text.utf8).write(to: map)
            let answer = try BuiltProgram.run(["inspect", folder.path, "--engine", "cwl", "--registry-map", map.path])
            #expect(answer.code == 2)
            #expect(answer.standardOutput == "")
            #expect(
                answer.standardError == """
                    error: registry map \(map.path): `imageMapping`: no such key; a map has registryMappings and \
                    imageMappings; `imageMappings[0]`: must be an object; `registryMappings[0].upstreamRegistryUrl`: is \
                    missing; `registryMappings[0].ecrRepositoryPrefix`: must be a string; \
                    `registryMappings[0].upstreamRegistryURL`: no such key

                    """
            )
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
                (["--format", "xml"], 2, "error: The value 'xml' is invalid"),
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
