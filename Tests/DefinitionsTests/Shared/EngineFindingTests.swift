import Definitions
import Testing

@Suite("The engine that a definition shows")
struct EngineFindingTests {
    private func files(_ names: [String]) -> DefinitionFilesInMemory {
        DefinitionFilesInMemory(Dictionary(uniqueKeysWithValues: names.map { ($0, "") }))
    }

    @Test(
        "is told by what lies at the top, else in the only folder, else anywhere",
        arguments: [
            (["main.nf", "modules/a.nf", "tests/x.cwl"], .nextflow), (["nextflow.config", "flow.nf"], .nextflow),
            (["pipeline.wdl", "tasks/a.wdl", "docs/example.nf"], .wdl), (["tool.cwl", "job.yml"], .cwl),
            (["repo-1.0/main.nf", "repo-1.0/tools/a.wdl"], .nextflow), (["__MACOSX/._main.nf", "main.wdl"], .wdl),
            (["README.md", "workflows/a.wdl", "tasks/b.wdl"], .wdl),
        ] as [([String], WorkflowEngine)]
    )
    func found(names: [String], expected: WorkflowEngine) throws {
        #expect(try WorkflowDefinition.engine(of: files(names)) == expected)
    }

    @Test("of two engines or none is an error that says what to name")
    func errors() {
        func message(_ names: [String]) -> String {
            do {
                return "found \(try WorkflowDefinition.engine(of: files(names)))"
            } catch {
                return error.message
            }
        }
        let two = message(["main.nf", "alignment.wdl"])
        #expect(two.contains("main.nf (NEXTFLOW) and alignment.wdl (WDL)") && two.contains("--engine"))
        #expect(message(["a/x.cwl", "b/y.wdl"]).contains("b/y.wdl (WDL) and a/x.cwl (CWL)"))
        #expect(message(["README.md"]).contains("--engine"))
        #expect(message([]).contains("--engine"))
    }

    @Test("is the main file's where that is named")
    func main() throws {
        let two = files(["main.nf", "alignment.wdl", "packed.cwl"])
        #expect(try WorkflowDefinition.engine(of: two, main: "alignment.wdl") == .wdl)
        #expect(try WorkflowDefinition.engine(of: two, main: "packed.cwl#main") == .cwl)
        let packed = DefinitionFilesInMemory(["flow.json": #"{"cwlVersion": "v1.2", "$graph": []}"#, "x.json": "{}"])
        #expect(try WorkflowDefinition.engine(of: packed, main: "flow.json") == .cwl)
        #expect(throws: DefinitionError.self) { try WorkflowDefinition.engine(of: packed, main: "x.json") }
    }
}
