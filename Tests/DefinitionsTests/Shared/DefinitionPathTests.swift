import Definitions
import Testing

@Suite("DefinitionPath")
struct DefinitionPathTests {
    @Test(
        "resolves a reference from the file that holds it",
        arguments: [
            ("b.cwl", "a.cwl", "b.cwl"),
            ("./b.cwl", "x/a.cwl", "x/b.cwl"),
            ("../b.cwl", "x/a.cwl", "b.cwl"),
            ("..//y/./b.cwl", "x/z/a.cwl", "x/y/b.cwl"),
            ("../../b.cwl", "x/a.cwl", nil),
            ("/etc/passwd", "x/a.cwl", nil),
            ("..", "x/a.cwl", nil),
            ("", "a.cwl", nil),
            ("a\0b", "a.cwl", nil),
        ] as [(String, String, String?)]
    )
    func resolves(_ reference: String, _ base: String, _ expected: String?) {
        #expect(DefinitionPath.resolve(reference, from: base) == expected)
    }

    @Test(
        "finds the main file as HealthOmics does",
        arguments: [
            (["main.cwl", "b.cwl"], nil, "main.cwl"),
            (["b.cwl", "main.cwl", "sub/main.cwl"], "sub/main.cwl", "sub/main.cwl"),
            (["wf/main.cwl", "wf/tools/t.cwl"], nil, "wf/main.cwl"),
            (["wf/main.cwl", "wf/tools/t.cwl"], "tools/t.cwl", "wf/tools/t.cwl"),
            (["README.md", "flow.cwl"], nil, "flow.cwl"),
            (["main.cwl"], "./main.cwl", "main.cwl"),
            (["wf/main.cwl", "__MACOSX/wf/._main.cwl"], nil, "wf/main.cwl"),
            (["wf/t/a.cwl", "__MACOSX/._wf", ".DS_Store", "wf/t/._a.cwl"], "t/a.cwl", "wf/t/a.cwl"),
            (["flow.cwl", "._flow.cwl"], nil, "flow.cwl"),
        ] as [([String], String?, String)]
    )
    func main(_ paths: [String], _ given: String?, _ expected: String) throws {
        let files = DefinitionFilesInMemory(Dictionary(uniqueKeysWithValues: paths.map { ($0, "") }))
        #expect(try files.mainFile(given: given, defaults: ["main.cwl"], extensions: ["cwl"]) == expected)
    }

    @Test(
        "says what is there when the main file is not",
        arguments: [
            (
                ["a.cwl", "b.cwl"], nil,
                "main file (main.cwl): not in the definition; name the main file, perhaps one of a.cwl, b.cwl"
            ),
            (["a.txt"], nil, "main file (main.cwl): not in the definition, and no .cwl file is"),
            (["a.cwl"], "../a.cwl", "main file ../a.cwl: the path must be relative and stay inside the definition"),
            (
                ["a/x.cwl", "b/main.cwl"], "x.cwl",
                "main file x.cwl: not in the definition; name the main file, perhaps one of a/x.cwl, b/main.cwl"
            ),
        ] as [([String], String?, String)]
    )
    func mainMissing(_ paths: [String], _ given: String?, _ message: String) {
        let files = DefinitionFilesInMemory(Dictionary(uniqueKeysWithValues: paths.map { ($0, "") }))
        #expect(throws: DefinitionError(message)) {
            try files.mainFile(given: given, defaults: ["main.cwl"], extensions: ["cwl"])
        }
    }
}
