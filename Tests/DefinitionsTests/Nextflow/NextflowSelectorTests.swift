import Definitions
import Testing

@Suite("Nextflow: selectors that are regular expressions")
struct NextflowSelectorTests {
    private func inspected(_ pattern: String, kind: String = "withName", label: String = "") throws -> Inspection {
        let script = NextflowExample.process("\(label)\ncontainer 'q.io/own:1'", name: "SORT_BAM")
        let config = "process { \(kind): '\(pattern)' { container = 'q.io/set:1'\n ext.container = 'q.io/ext:1' } }"
        let files = DefinitionFilesInMemory([
            "main.nf": script + "workflow MAIN { SORT_BAM(1) }\nworkflow { MAIN() }\n", "nextflow.config": config,
        ])
        return try WorkflowDefinition.inspect(files, DefinitionRequest(engine: .nextflow))
    }

    @Test(
        "select what Java's would",
        arguments: [
            ("(?!.*SORT).*BAM", false), ("(?i)sort_bam", true), ("SORT_(?!BAM).*", false), (".*(?<=:)SORT_BAM", true),
            ("[A-Z&&[^Q]]+_BAM", true), (#"\\QSORT_BAM\\E"#, true), (#"\\p{Upper}+_BAM"#, true), ("SORT_*+BAM", true),
            ("SORT_.*+BAM", false), (#"(?<w>S)ORT_BAM\\k<w>"#, false), ("!(?i).*sort.*", false),
        ]
    )
    func known(_ row: (pattern: String, isSelected: Bool)) throws {
        let images = try inspected(row.pattern).images
        #expect(images.map(\.text) == [row.isSelected ? "q.io/set:1" : "q.io/own:1"])
        #expect(images.map(\.certainty) == [.certain])
    }

    @Test(
        "that are not understood set what they set perhaps",
        arguments: [
            ("(?U)SORT.*", ["withName", "withLabel"]), ("SORT_BAM)", ["withName", "withLabel"]),
            (#"\\p{IsLatin}+_BAM"#, ["withName", "withLabel"]), ("!(?U)SORT.*", ["withName", "withLabel"]),
            // Known of the name, too much work for the label.
            (#"(S+S+)+(Y)?\\2.*"#, ["withLabel"]),
        ]
    )
    func unknown(_ row: (pattern: String, kinds: [String])) throws {
        for kind in row.kinds {
            let images = try inspected(
                row.pattern,
                kind: kind,
                label: "label 'SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS'"
            )
            .images
            #expect(images.map(\.text) == ["q.io/own:1", "q.io/set:1"])
            #expect(images.allSatisfy { $0.certainty == .alternative && $0.reason?.contains(kind) == true })
        }
    }
}
