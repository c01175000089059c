import Definitions
import Testing

@Suite("Damaged CWL")
struct CWLFuzzTests {
    private static let files = [
        "main.cwl": """
        cwlVersion: v1.2
        class: Workflow
        requirements: [{class: InlineJavascriptRequirement}]
        inputs:
          registry: {type: string, default: r.io}
          go: boolean?
        outputs: []
        steps:
          a:
            run: tool.cwl
            when: $(inputs.go != false)
            in: {go: go, image: {source: registry, valueFrom: "$(self + '/x:' + 1)"}}
            out: []
          b: &b
            run:
              class: CommandLineTool
              hints:
                - $import: docker.yml
              inputs: []
              outputs: []
            in: []
            out: []
          c:
            <<: *b
        """,
        "tool.cwl": """
        {"class": "CommandLineTool", "inputs": [{"id": "image", "type": "string"}], "outputs": [],
         "requirements": {"DockerRequirement": {"dockerPull": "${ if (inputs.image) { return inputs.image; } return 'd/e'; }"}}}
        """,
        "docker.yml": "class: DockerRequirement\ndockerPull: |\n  quay.io/a/b:1\n",
    ]

    @Test("ends with an answer or an error, and names no image that is none")
    func ends() {
        let seeds = Self.files.mapValues { Array($0.utf8) }
        let names = seeds.keys.sorted()
        var mutation = Mutation(
            seed: 3,
            tokens: [
                ": ", "- ", "\n", "  ", "[", "]", "{", "}", "'", "\"", "$(", ")", "${", "&a ", "*a ", "*b", "<<: ",
                "|\n", ">+\n",
                "? ", "# ", "!!str ", "$import: main.cwl", "run: main.cwl", "inputs.", "((", "1+", "é", "\u{0}",
                "---\n",
            ]
        )
        var images = 0
        for _ in 0..<fuzzCount {
            var files = seeds
            let name = names[mutation.next(below: names.count)]
            files[name] = mutation(files[name] ?? [])
            let request = DefinitionRequest(engine: .cwl)
            guard let inspection = try? WorkflowDefinition.inspect(DefinitionFilesInMemory(bytes: files), request)
            else {
                continue
            }
            images += inspection.images.count
            for image in inspection.images {
                #expect(ImageText.isReference(image.text))
                #expect(!image.places.isEmpty && !image.tasks.isEmpty)
                #expect((image.reason == nil) == (image.certainty == .certain))
            }
            #expect(inspection.images.map(\.text) == inspection.images.map(\.text).sorted())
            #expect(inspection.unresolved.allSatisfy { $0.expression.count <= 200 && !$0.missing.isEmpty })
        }
        #expect(images > fuzzCount / 10)
    }
}
