import Definitions
import Testing

@Suite("ImageExplanation")
struct ImageExplanationTests {
    private func explained(
        _ image: String,
        _ engine: WorkflowEngine,
        _ files: [String: String],
        _ parameters: [String: ParameterValue] = [:]
    ) throws -> ImageExplanation {
        let files = DefinitionFilesInMemory(files)
        let main = files.paths.first { $0.hasPrefix("main.") }
        let request = DefinitionRequest(engine: engine, main: main, parameters: parameters, explains: true)
        let inspection = try WorkflowDefinition.inspect(files, request)
        return ImageExplanation(of: image, in: inspection, request, files: files)
    }

    private static let wdl = [
        "main.wdl": """
        version 1.0
        import "sub.wdl" as lib
        workflow w {
          input { String registry = "q.io/lab"  Boolean more = false }
          String base = registry + "/tools"
          if (true) {
            call lib.s { input: image = base + "/align:1.2" }
          }
          if (more) { call lib.t as extra { input: image = "q.io/extra:1" } }
        }
        """,
        "sub.wdl": """
        version 1.0
        workflow s {
          input { String image }
          call t { input: image = image }
        }
        task t {
          input { String image = "q.io/own:1" }
          command <<< >>>
          # once it was q.io/old:1
          runtime { docker: "~{image}" }
        }
        task unused { command <<< >>> runtime { docker: "q.io/unused:1" } }
        """,
    ]

    @Test("leads from the main workflow over calls to a WDL task, and back to the values of its container")
    func wdl() throws {
        let text = try explained("q.io/lab/tools/align:1.2", .wdl, Self.wdl).text
        #expect(
            text == """
                q.io/lab/tools/align:1.2 is certain
                depth 0, used by 1 task

                task w.s.t, certain
                  main.wdl:3  workflow w {
                  main.wdl:6  if (true) {
                  main.wdl:7  call lib.s { input: image = base + "/align:1.2" }
                  sub.wdl:2   workflow s {
                  sub.wdl:4   call t { input: image = image }
                  sub.wdl:6   task t {
                  sub.wdl:10  runtime { docker: "~{image}" }
                  sub.wdl:4   call t { input: image = image }    → image = "q.io/lab/tools/align:1.2"
                  main.wdl:7  call lib.s { input: image = base + "/align:1.2" }    → image = "q.io/lab/tools/align:1.2"
                  main.wdl:5  String base = registry + "/tools"    → base = "q.io/lab/tools"
                  main.wdl:4  input { String registry = "q.io/lab"  Boolean more = false }    → registry = "q.io/lab"

                """
        )
        let extra = try explained("docker.io/q.io/extra:1", .wdl, Self.wdl).text
        #expect(extra.hasPrefix("q.io/extra:1 is alternative: the condition at main.wdl:9 is false unless a run gives"))
    }

    @Test("says what became of an image that a WDL definition names and does not use")
    func wdlAbsent() throws {
        let own = try explained("q.io/own:1", .wdl, Self.wdl)
        #expect(own.mention == nil && own.namings.map(\.step.place) == [.source(file: "sub.wdl", line: 7)])
        #expect(
            own.namings[0].outcome.hasPrefix("in task t: task w.s.t has q.io/lab/tools/align:1.2 (certain, decided at ")
        )
        #expect(try explained("q.io/unused:1", .wdl, Self.wdl).namings.map(\.outcome) == ["task unused is not reached"])
        #expect(try explained("q.io/old:1", .wdl, Self.wdl).namings.map(\.outcome) == ["a comment"])
        let tag = try explained("q.io/lab/tools/align:1.3", .wdl, Self.wdl)
        #expect(tag.nearest == ["q.io/lab/tools/align:1.2 (another tag; certain, w.s.t)"])
        let spelt = try explained("q.io/lab/tool/allign:1.2", .wdl, Self.wdl)
        #expect(spelt.nearest == ["q.io/lab/tools/align:1.2 (spelt nearly so; certain, w.s.t)"])
        #expect(try explained("other.io/x", .wdl, Self.wdl).text.contains("no file names it"))
    }

    private static let cwl = [
        "main.cwl": """
        cwlVersion: v1.2
        class: Workflow
        inputs:
          tag: {type: string, default: "1"}
          go: boolean
        outputs: []
        hints:
          DockerRequirement: {dockerPull: q.io/hint:1}
        steps:
          first: {run: t.cwl, in: {version: tag}, when: $(inputs.go), out: []}
        """,
        "t.cwl": """
        cwlVersion: v1.2
        class: CommandLineTool
        inputs: {version: string, go: boolean?}
        outputs: []
        requirements:
          DockerRequirement:
            dockerPull: q.io/t:$(inputs.version)
        """,
    ]

    @Test("leads from the main workflow over steps to a CWL tool and the inputs of its image")
    func cwl() throws {
        let explanation = try explained("q.io/t:1", .cwl, Self.cwl)
        #expect(explanation.uses.map(\.task) == ["first"])
        #expect(
            explanation.uses[0].steps.map(\.place.description)
                == ["main.cwl:1", "main.cwl:10", "main.cwl:10", "t.cwl:1", "t.cwl:7", "main.cwl:4"]
        )
        #expect(explanation.uses[0].steps.last?.note == "version = \"1\"")
        let hint = try explained("q.io/hint:1", .cwl, Self.cwl)
        #expect(hint.namings[0].outcome.hasPrefix("task first has q.io/t:1"))
    }

    private static let nextflow = [
        "main.nf": """
        include { ALIGN as BWA } from './align'
        workflow { BWA(1) }
        """,
        "align.nf": """
        process ALIGN {
          container 'q.io/own:1'
          input:
          val x
          script:
          'true'
        }
        process OTHER { container 'q.io/other:1'
          script: 'true' }
        """,
        "nextflow.config": """
        params.tag = '2'
        process {
          withName: BWA { container = "q.io/set:${params.tag}" }
          withName: NONE { container = 'q.io/none:1' }
        }
        """,
    ]

    @Test("leads to a Nextflow process, and names the selector that holds over its own container")
    func nextflow() throws {
        let explanation = try explained("q.io/set:2", .nextflow, Self.nextflow)
        #expect(explanation.uses.map(\.task) == ["BWA"])
        let places = explanation.uses[0].steps.map(\.place.description)
        #expect(
            places.contains("align.nf:1") && places.contains("nextflow.config:3")
                && places.contains("nextflow.config:1")
        )
        let own = try explained("q.io/own:1", .nextflow, Self.nextflow)
        #expect(
            own.namings[0].outcome.hasPrefix("something stronger holds: task BWA has q.io/set:2 (certain, decided at ")
        )
        #expect(
            try explained("q.io/other:1", .nextflow, Self.nextflow).namings[0].outcome == "process OTHER is not reached"
        )
        let none = try explained("q.io/none:1", .nextflow, Self.nextflow)
        #expect(none.namings[0].outcome == "nothing that is reached uses this line")
    }

    @Test("shows of parameters only what stands in the image")
    func secrets() throws {
        let secret = "planted-secret-value"
        var seen = ""
        let files = [
            "main.wdl": """
            version 1.0
            workflow w {
              input { String token  String tag }
              String derived = "x" + token
              String image = if (derived == "xy") then "q.io/a:1" else "q.io/b:" + tag
              call t { input: image = image }
            }
            task t { input { String image } command <<< >>> runtime { docker: image } }
            """
        ]
        let given: [String: ParameterValue] = ["token": .string(secret), "tag": .string("7"), "other": .string(secret)]
        for image in ["q.io/b:7", "q.io/a:1", "q.io/none:1"] {
            let explanation = try explained(image, .wdl, files, given)
            seen += explanation.text + explanation.json
        }
        #expect(seen.contains("parameter tag   = \"7\"") || seen.contains("= \"7\""))
        let cwl = try explained(
            "q.io/t:9",
            .cwl,
            Self.cwl,
            ["tag": .string("9"), "go": .bool(true), "token": .string(secret)]
        )
        seen += cwl.text + cwl.json
        #expect(cwl.text.contains("= \"9\""))
        let nextflow = try explained(
            "q.io/set:3",
            .nextflow,
            Self.nextflow,
            ["tag": .string("3"), "token": .string(secret)]
        )
        seen += nextflow.text + nextflow.json
        #expect(nextflow.text.contains("= \"3\""))
        #expect(!seen.contains(secret))
    }

    @Test("is bounded, and free of control characters")
    func bounded() throws {
        var main = "version 1.0\nworkflow w {\n"
        for number in 0..<500 { main += "call t as c\(number) { input: image = \"q.io/a:1\" }\n" }
        main += "}\ntask t { input { String image } command <<< >>> runtime { docker: image } # \u{1B}[31m\n}\n"
        for number in 0..<500 { main += "# q.io/b:\(number) \(String(repeating: "x", count: 500))\n" }
        let found = try explained("q.io/a:1", .wdl, ["main.wdl": main])
        #expect(found.uses.count == 10 && found.mention?.tasks.count == 500)
        #expect(found.text.utf8.count < 20_000 && !found.text.contains("\u{1B}") && !found.json.contains("\u{1B}"))
        let absent = try explained("q.io/b:x", .wdl, ["main.wdl": main])
        #expect(absent.namings.count == 20 && absent.text.utf8.count < 20_000)
    }
}
