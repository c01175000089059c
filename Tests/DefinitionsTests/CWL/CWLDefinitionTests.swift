import Definitions
import Testing

/// What a CWL definition in memory needs.
private func inspect(
    _ files: [String: String],
    main: String? = nil,
    _ parameters: [String: ParameterValue] = [:]
) throws -> Inspection {
    let request = DefinitionRequest(engine: .cwl, main: main, parameters: parameters)
    return try WorkflowDefinition.inspect(DefinitionFilesInMemory(files), request)
}

extension Inspection {
    fileprivate func texts(_ certainty: Certainty = .certain) -> [String] {
        images.filter { $0.certainty == certainty }.map(\.text)
    }
}

/// A tool with an image.
private func tool(_ image: String, extra: String = "") -> String {
    """
    cwlVersion: v1.2
    class: CommandLineTool
    requirements:
      DockerRequirement:
        dockerPull: \(image)
    inputs: {}
    outputs: {}
    \(extra)
    """
}

@Suite("CWLDefinition")
struct CWLDefinitionTests {
    @Test(
        "finds the requirement in every form",
        arguments: [
            "requirements:\n  - class: DockerRequirement\n    dockerPull: \"a/b:1\"",
            "requirements:\n  DockerRequirement:\n    dockerPull: a/b:1",
            "hints:\n- class: DockerRequirement\n  dockerPull: 'a/b:1 '",
            "hints: {DockerRequirement: {dockerPull:\n  a/b:1\n }}",
            "hints:\n- class: cwl:DockerRequirement\n  dockerPull: a/b:1",
            "hints:\n- class: https://w3id.org/cwl/cwl#DockerRequirement\n  dockerPull: a/b:1",
            "hints:\n- $import: docker.yml",
            "hints:\n  $import: list.yml",
            "hints:\n- $import: list.yml",
            "hints:\n  DockerRequirement:\n    $import: map.yml",
            "hints:\n- class: DockerRequirement\n  dockerPull:\n    $include: image.txt",
            "hints:\n- class: DockerRequirement\n  dockerPull: x/y\nrequirements:\n- class: DockerRequirement\n  dockerPull: a/b:1",
            "hints:\n- class: DockerRequirement\n  dockerPull: a/b:1\n  dockerImageId: other",
            "hints:\n- class: DockerRequirement\n  dockerPull: docker://a/b:1",
            "hints:\n- class: DockerRequirement\n  dockerPull: >-\n    a/b:1\n\n",
            "hints:\n- class: DockerRequirement\n  dockerPull: |\n\n    a/b:1\n",
            "hints:\n- class: DockerRequirement\n  dockerPull: x/y:1\n  dockerPull: a/b:1",
            "hints: [{\"class\": \"DockerRequirement\", \"dockerPull\": \"a\\u002fb:1\"}]",
            "x: &d {dockerPull: a/b:1}\nhints: {DockerRequirement: *d}",
            "x: &d {dockerPull: a/b:1}\nhints: {DockerRequirement: {<<: *d, dockerOutputDirectory: /o}}",
        ]
    )
    func forms(_ requirements: String) throws {
        let inspection = try inspect([
            "main.cwl": "cwlVersion: v1.0\nclass: CommandLineTool\ninputs: []\noutputs: []\n\(requirements)\n",
            "docker.yml": "class: DockerRequirement\ndockerPull: a/b:1\n",
            "list.yml": "- $import: docker.yml\n- class: InlineJavascriptRequirement\n",
            "map.yml": "dockerPull: a/b:1\n",
            "image.txt": "a/b:1\n",
        ])
        #expect(inspection.texts() == ["a/b:1"])
        #expect(inspection.unresolved == [])
        #expect(inspection.notes == [])
    }

    @Test("follows every form of run, with places and tasks")
    func runs() throws {
        let inspection = try inspect([
            "main.cwl": """
            cwlVersion: v1.2
            class: Workflow
            inputs: []
            outputs: []
            steps:
              file:
                run: tools/a.cwl
                in: []
                out: []
              up: {run: "tools/../b%20b.cwl", in: [], out: []}
              part: {run: "packed.json#second", in: [], out: []}
              whole: {run: packed.json, in: [], out: []}
              imported: {run: {$import: tools/a.cwl}, in: [], out: []}
              inline:
                in: []
                out: []
                run:
                  class: Workflow
                  inputs: []
                  outputs: []
                  steps:
                    - id: "#inner"
                      run:
                        class: CommandLineTool
                        hints: [{class: DockerRequirement, dockerPull: in/line}]
                        inputs: []
                        outputs: []
                      in: []
                      out: []
              script: {run: {class: ExpressionTool, inputs: [], outputs: [], expression: "$(1)",
                hints: [{class: DockerRequirement, dockerPull: not/needed}]}, in: [], out: []}
            """,
            "tools/a.cwl": tool("a/a:1"),
            "b b.cwl": tool("b/b:2"),
            "packed.json": """
            {"cwlVersion": "v1.0", "$graph": [
              {"id": "#second", "class": "CommandLineTool", "inputs": [], "outputs": [],
               "hints": [{"class": "DockerRequirement", "dockerPull": "p/second"}]},
              {"id": "#main", "class": "Workflow", "inputs": [], "outputs": [], "steps": [
                {"id": "#main/s", "run": "#third", "in": [], "out": []}]},
              {"id": "#third", "class": "CommandLineTool", "inputs": [], "outputs": [],
               "requirements": [{"class": "DockerRequirement", "dockerPull": "p/third"}]}
            ]}
            """,
        ])
        #expect(inspection.texts() == ["a/a:1", "b/b:2", "in/line", "p/second", "p/third"])
        #expect(inspection.images[0].tasks == ["file", "imported"])
        #expect(inspection.images[0].places == [.source(file: "tools/a.cwl", line: 5)])
        #expect(inspection.images[2].tasks == ["inline/inner"])
        #expect(inspection.images[4].tasks == ["whole/s"])
        #expect(inspection.images[4].places == [.source(file: "packed.json", line: 7)])
        #expect(inspection.unresolved == [])
    }

    @Test("takes a process of a packed document by name, `main`, or as the only one")
    func packed() throws {
        let graph = """
            $graph:
            - {id: one, class: CommandLineTool, inputs: [], outputs: [], hints: [{class: DockerRequirement, dockerPull: i/one}]}
            - {id: two, class: CommandLineTool, inputs: [], outputs: [], hints: [{class: DockerRequirement, dockerPull: i/two}]}
            """
        #expect(try inspect(["main.cwl": graph], main: "main.cwl#two").texts() == ["i/two"])
        #expect(try inspect(["main.cwl": graph], main: "#one").texts() == ["i/one"])
        let parts = [
            "main.cwl": "$graph: [{$import: a.cwl}, {$import: b.cwl}]",
            "a.cwl":
                "{id: main, class: Workflow, inputs: [], outputs: [], steps: {s: {run: main.cwl#b, in: [], out: []}}}",
            "b.cwl":
                "{id: b, class: CommandLineTool, inputs: [], outputs: [], hints: {DockerRequirement: {dockerPull: i/b}}}",
        ]
        #expect(try inspect(parts).texts() == ["i/b"])
        #expect(try inspect(["x/main.cwl": graph.replacing("id: two", with: "id: \"#main\"")]).texts() == ["i/two"])
        #expect(
            throws: DefinitionError(
                "main.cwl holds several processes and none is `main`; name one as main.cwl#ID: one, two"
            )
        ) { try inspect(["main.cwl": graph]) }
        #expect(throws: DefinitionError("main.cwl holds nothing with the id `three`")) {
            try inspect(["main.cwl": graph], main: "main.cwl#three")
        }
    }

    @Test(
        "inherits: the most specific requirement, else the most specific hint",
        arguments: [
            (("hints: w", "", ""), "i/w"),
            (("requirements: w", "", "hints: t"), "i/w"),
            (("requirements: w", "requirements: s", ""), "i/s"),
            (("requirements: w", "requirements: s", "requirements: t"), "i/t"),
            (("hints: w", "hints: s", "hints: t"), "i/t"),
            (("hints: w", "hints: s", ""), "i/s"),
            (("", "requirements: s", "hints: t"), "i/s"),
        ]
    )
    func inheritance(_ levels: (String, String, String), _ expected: String) throws {
        func block(_ level: String, _ indentation: String) -> String {
            let parts = level.split(separator: ": ")
            guard parts.count == 2 else { return "" }
            return "\(indentation)\(parts[0]): {DockerRequirement: {dockerPull: i/\(parts[1])}}\n"
        }
        let inspection = try inspect([
            "main.cwl": "class: Workflow\ninputs: []\noutputs: []\n" + block(levels.0, "")
                + "steps:\n  s:\n    run: t.cwl\n    in: []\n    out: []\n" + block(levels.1, "    "),
            "t.cwl": "class: CommandLineTool\ninputs: []\noutputs: []\n" + block(levels.2, ""),
        ])
        #expect(inspection.texts() == [expected])
    }

    private static let registry = [
        "main.cwl": """
        cwlVersion: v1.2
        class: Workflow
        inputs:
          registry: string
          repo: {type: string, default: "gatk:4"}
          tag: string?
        outputs: []
        steps:
          s:
            run: sub.cwl
            in:
              registry: registry
              repo: repo
              image: {valueFrom: "$(inputs.registry + '/' + inputs.repo)"}
            out: []
        """,
        "sub.cwl": """
        class: Workflow
        inputs: [{id: image, type: string}, {id: "#sub/other", type: string, default: o/ther}]
        outputs: []
        steps:
          - id: t
            run: t.cwl
            in: [{id: docker, source: image}, {id: second, source: "#sub/other"}]
            out: []
        """,
        "t.cwl": tool("$(inputs.docker)").replacing("inputs: {}", with: "inputs: {docker: string}"),
    ]

    @Test("fills references from parameters, defaults and steps")
    func references() throws {
        let inspection = try inspect(Self.registry, ["registry": .string("ecr")])
        #expect(inspection.texts() == ["ecr/gatk:4"])
        #expect(
            inspection.images[0].places == [
                .source(file: "main.cwl", line: 5), .source(file: "t.cwl", line: 5), .parameter(path: "registry"),
            ]
        )
        #expect(inspection.images[0].tasks == ["s/t"])
        #expect(inspection.relevantParameters == ["registry", "repo"])
        let other = try inspect(Self.registry, ["registry": .string("ecr"), "repo": .string("bwa")])
        #expect(other.texts() == ["ecr/bwa"])
    }

    @Test("reports what is missing, and where")
    func missing() throws {
        let inspection = try inspect(Self.registry)
        #expect(inspection.images == [])
        #expect(
            inspection.unresolved == [
                UnresolvedMention(
                    place: .source(file: "t.cwl", line: 5),
                    expression: "$(inputs.docker)",
                    missing: "input `registry` has no default",
                    tasks: ["s/t"]
                )
            ]
        )
        #expect(inspection.relevantParameters == ["registry", "repo"])
    }

    @Test("takes each element of a scattered list, and picks of several sources")
    func scatter() throws {
        let main = """
            class: Workflow
            inputs:
              images: {type: "string[]", default: [i/a, i/b, i/a]}
              first: string?
              second: {type: string, default: i/c}
            outputs: []
            steps:
              each:
                run: t.cwl
                scatter: docker
                in: {docker: images}
                out: []
              pick:
                run: t.cwl
                in:
                  docker: {source: [first, second], pickValue: first_non_null}
                out: []
              output:
                run: t.cwl
                in: {docker: each/name}
                out: []
            """
        let inspection = try inspect(["main.cwl": main, "t.cwl": Self.registry["t.cwl"] ?? ""], ["x": .null])
        #expect(inspection.texts() == ["i/a", "i/b", "i/c"])
        #expect(inspection.unresolved.map(\.missing) == ["output `name` of step `each` is known only when it has run"])
    }

    @Test("works out outputs of steps that need no run")
    func outputs() throws {
        let main = """
            class: Workflow
            inputs: {repo: {type: string, default: r.io}}
            outputs: []
            steps:
              name:
                run:
                  class: ExpressionTool
                  inputs: {repo: string}
                  outputs: {image: string}
                  expression: "${ var tag = '1'; return {'image': inputs.repo + '/x:' + tag, other: [1]}; }"
                in: {repo: repo}
                out: [image]
              sub:
                run:
                  class: Workflow
                  inputs: {a: string}
                  outputs: {b: {type: string, outputSource: eval/c}}
                  steps:
                    eval:
                      run:
                        class: CommandLineTool
                        hints: {DockerRequirement: {dockerPull: e/val}}
                        inputs: {a: string}
                        outputs: {c: {type: string, outputBinding: {outputEval: $(inputs.a + '2')}}}
                      in: {a: a}
                      out: [c]
                in: {a: name/image}
                out: [b]
              one: {run: t.cwl, in: {docker: name/image}, out: []}
              two: {run: t.cwl, in: {docker: sub/b}, out: []}
              three: {run: t.cwl, in: {docker: loop/b}, out: []}
              loop: {run: t.cwl, in: {docker: loop/b}, out: [b]}
            """
        let inspection = try inspect(["main.cwl": main, "t.cwl": Self.registry["t.cwl"] ?? ""])
        #expect(inspection.texts() == ["e/val", "r.io/x:1", "r.io/x:12"])
        #expect(inspection.relevantParameters == ["repo"])
        #expect(inspection.unresolved.flatMap(\.tasks) == ["loop", "three"])
    }

    private static let conditional = [
        "main.cwl": """
        cwlVersion: v1.2
        class: Workflow
        inputs:
          go: {type: boolean, default: false}
          open: boolean
        outputs: []
        steps:
          a: {run: a.cwl, when: $(inputs.go), in: {go: go}, out: []}
          b: {run: b.cwl, when: $(!inputs.go), in: {go: go}, out: []}
          c: {run: c.cwl, when: $(inputs.open), in: {open: open}, out: []}
          d: {run: d.cwl, when: "$(inputs.kind == 'x')", in: {kind: {default: y}}, out: []}
        """,
        "a.cwl": tool("i/a"), "b.cwl": tool("i/b"), "c.cwl": tool("i/c"), "d.cwl": tool("i/d"),
    ]

    @Test("knows what lies below a false condition")
    func conditions() throws {
        let any = try inspect(Self.conditional)
        #expect(any.texts() == ["i/b"])
        #expect(any.texts(.alternative) == ["i/a", "i/c"])
        #expect(any.images[2].reason == "the condition at main.cwl:10 depends on this: input `open` has no default")
        #expect(any.images[0].reason == "the condition at main.cwl:8 is false by a default that a run may change")
        #expect(any.texts(.inactive) == ["i/d"])
        #expect(any.relevantParameters == ["go", "open"])
        let run = try inspect(Self.conditional, ["open": .bool(false)])
        #expect(run.texts() == ["i/b"])
        #expect(run.texts(.inactive) == ["i/a", "i/c", "i/d"])
        #expect(run.images[0].reason == "the condition at main.cwl:8 is false")
        let other = try inspect(Self.conditional, ["open": .bool(true), "go": .bool(true)])
        #expect(other.texts() == ["i/a", "i/c"])
    }

    @Test("takes a list without elements for a step that does not run")
    func emptyScatter() throws {
        let main = """
            cwlVersion: v1.2
            class: Workflow
            inputs: {tags: {type: "string[]", default: []}, go: boolean?}
            outputs: []
            steps:
              a: {run: a.cwl, scatter: tag, in: {tag: tags}, out: []}
            """
        let files = ["main.cwl": main, "a.cwl": tool("i/a")]
        #expect(try inspect(files).texts(.alternative) == ["i/a"])
        #expect(try inspect(files, ["go": .null]).texts(.inactive) == ["i/a"])
        #expect(try inspect(files, ["tags": .array([.string("1")])]).texts() == ["i/a"])
    }

    @Test(
        "writes numbers only as every engine would",
        arguments: [
            ("3", "i:3"), ("1.5", "i:1.5"), ("'1.10'", "i:1.10"), ("1.10.2", "i:1.10.2"),
            ("2020-01-02", "i:2020-01-02"),
            ("true", "i:true"), ("1.10", nil), ("1.0", nil), ("010", nil), ("0x1F", nil), ("0o17", nil), ("1e3", nil),
            ("7e10", nil), ("2020_01", nil), ("+5", nil), ("12345678901234567890", nil), ("-0", nil),
        ]
    )
    func numbers(_ written: String, _ image: String?) throws {
        let given = tool("i:$(inputs.tag)").replacing(
            "inputs: {}",
            with: "inputs: {tag: {type: Any, default: \(written)}}"
        )
        let inspection = try inspect(["main.cwl": given])
        #expect(inspection.texts() == (image.map { [$0] } ?? []))
        #expect(inspection.unresolved.count == (image == nil ? 1 : 0))
        if image == nil {
            let mend = "the number \(written) in a text, which engines write in different ways; put it in quotes"
            #expect(inspection.unresolved[0].missing == mend)
        }
    }

    @Test("has the image that a run's requirements ask for beside the definition's own")
    func givenRequirements() throws {
        let asked = ParameterValue.array([
            .object(["class": .string("DockerRequirement"), "dockerPull": .string("i/given")])
        ])
        let own = tool("i/own")
        let run = try inspect(["main.cwl": own], ["cwl:requirements": asked])
        #expect(run.texts(.alternative) == ["i/given", "i/own"])
        #expect(run.images[0].places == [.parameter(path: "cwl:requirements")])
        #expect(run.images[0].reason?.contains("not documented") == true)
        #expect(run.relevantParameters == ["cwl:requirements"])
        // Version 1.0 knows none, and what is nearer to the tool holds.
        let old = own.replacing("v1.2", with: "v1.0")
        #expect(try inspect(["main.cwl": old], ["cwl:requirements": asked]).texts() == ["i/own"])
        let step =
            "cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\nsteps: {s: {run: t.cwl, in: [], out: []}}\n"
        let nearer = own.replacing("hints", with: "requirements")
        #expect(try inspect(["main.cwl": step, "t.cwl": nearer], ["cwl:requirements": asked]).texts() == ["i/own"])
    }

    @Test("counts the tasks that a step waits for")
    func stages() throws {
        let main = """
            cwlVersion: v1.2
            class: Workflow
            inputs: {go: {type: boolean, default: true}}
            outputs: []
            steps:
              last: {run: t5.cwl, in: {x: [sub/out, side/out]}, out: []}
              side: {run: t4.cwl, in: [], out: [out]}
              sub: {run: sub.cwl, in: {y: first/out}, out: [out]}
              skipped: {run: t6.cwl, when: $(false), in: {x: first/out}, out: [out]}
              after: {run: t7.cwl, in: {x: {source: skipped/out}}, out: []}
              first: {run: t1.cwl, in: [], out: [out]}
            """
        let sub = """
            cwlVersion: v1.2
            class: Workflow
            inputs: {y: Any}
            outputs: {out: {type: Any, outputSource: b/out}}
            steps:
              a: {run: t2.cwl, in: [], out: [out]}
              b: {run: t3.cwl, in: {x: a/out}, out: [out]}
            """
        var files = ["main.cwl": main, "sub.cwl": sub]
        for number in 1...7 { files["t\(number).cwl"] = tool("i/t\(number)") }
        let depths = try inspect(files).images.map(\.depth)
        #expect(depths == [0, 1, 2, 0, 3, 1, 0])
    }

    @Test("names both images of an open choice, and neither as certain")
    func choice() throws {
        let main = tool("$(inputs.gpu ? 'i/gpu' : 'i/cpu')").replacing("inputs: {}", with: "inputs: {gpu: boolean}")
        let inspection = try inspect(["main.cwl": main])
        #expect(inspection.texts(.alternative) == ["i/cpu", "i/gpu"])
        #expect(inspection.images[0].reason == "one of 2 values: input `gpu` has no default")
        #expect(try inspect(["main.cwl": main], ["gpu": .bool(true)]).texts() == ["i/gpu"])
    }

    @Test(
        "reports what is no image",
        arguments: [
            ("dockerFile: FROM x", "only `dockerFile` is given: there is no image to pull"),
            ("dockerImageId: x", "only `dockerImageId` is given: there is no image to pull"),
            ("dockerOutputDirectory: /x", "`dockerPull` is not given"),
            ("dockerPull: '{{ repo }}/x:1'", "`{{ repo }}/x:1` is a template; fill it in before the workflow is made"),
            ("dockerPull: https://depot.example.org/x", "`https://depot.example.org/x` is not an image name"),
            ("dockerPull: $(inputs.none)", "there is no input `none`"),
            ("dockerPull: $(null)", "the expression gives null"),
            ("dockerPull: {$include: none.txt}", "its file cannot be read; see the notes"),
        ]
    )
    func noImage(_ requirement: String, _ missing: String) throws {
        let inspection = try inspect([
            "main.cwl":
                "class: CommandLineTool\ninputs: []\noutputs: []\nhints:\n  DockerRequirement:\n    \(requirement)\n"
        ])
        #expect(inspection.images == [])
        #expect(inspection.unresolved.map(\.missing) == [missing])
    }

    @Test("goes on beside what is broken, remote or outside")
    func broken() throws {
        let inspection = try inspect([
            "main.cwl": """
            class: Workflow
            inputs: []
            outputs: []
            steps:
              a: {run: a.cwl, in: [], out: []}
              b: {run: bad.cwl, in: [], out: []}
              c: {run: https://example.org/t.cwl, in: [], out: []}
              d: {run: ../secret.cwl, in: [], out: []}
              e: {run: none.cwl, in: [], out: []}
              f: {run: data.cwl, in: [], out: []}
              g: {in: [], out: []}
              h: {run: main.cwl, in: [], out: []}
              i: {run: broken-import.cwl, in: [], out: []}
              j: {run: bare.cwl, in: [], out: []}
            """,
            "a.cwl": tool("i/a"),
            "bad.cwl": "class: [\n",
            "data.cwl": "x: y\n",
            "broken-import.cwl": "class: CommandLineTool\ninputs: []\noutputs: []\nhints:\n- $import: /etc/passwd\n",
            "bare.cwl": "class: CommandLineTool\ninputs: []\noutputs: []\n",
        ])
        #expect(inspection.texts() == ["i/a"])
        #expect(
            inspection.unresolved.map { "\($0.place) \($0.expression): \($0.missing)" } == [
                "broken-import.cwl:5 $import: requirements that cannot be read; see the notes",
                "data.cwl:1 run: this is no CWL process: it has no `class`",
                "main.cwl:6 run: bad.cwl: bad.cwl:2 is not YAML: a bracket is not closed",
                "main.cwl:7 run: https://example.org/t.cwl: `https://example.org/t.cwl` is remote or absolute and is never read",
                "main.cwl:8 run: ../secret.cwl: `../secret.cwl` leads out of the definition and is not read",
                "main.cwl:9 run: none.cwl: none.cwl is not in the definition",
                "main.cwl:11 run: the step runs nothing: `run` is not given",
                "main.cwl:12 run: main.cwl: main.cwl refers to itself",
            ]
        )
        #expect(
            inspection.notes == [
                DefinitionNote(
                    place: .source(file: "broken-import.cwl", line: 5),
                    message: "$import: `/etc/passwd` leads out of the definition and is not read"
                ),
                DefinitionNote(place: .source(file: "bare.cwl", line: 1), message: "the tool names no container"),
            ]
        )
    }

    @Test(
        "says why a definition cannot be read at all",
        arguments: [
            (["main.cwl": "a: [\n"], "main.cwl:2 is not YAML: a bracket is not closed"),
            (["main.cwl": "a: b\n"], "main.cwl:1: this is no CWL process: it has no `class`"),
            (["main.cwl": ""], "main.cwl:1: this is no CWL process: it has no `class`"),
            (["main.cwl": "$graph: [{name: r, type: record}]"], "main.cwl holds no process in its `$graph`"),
            (["x.txt": ""], "main file (main.cwl): not in the definition, and no .cwl file is"),
        ]
    )
    func unreadable(_ files: [String: String], _ message: String) {
        #expect(throws: DefinitionError(message)) { try inspect(files) }
    }

    @Test("ends with cycles, imports of themselves and exponential nesting")
    func hostile() throws {
        var files = [
            "main.cwl":
                "class: Workflow\nsteps:\n  a: {run: b.cwl}\n  b: {run: loop.cwl}\n  c: {run: w0.cwl}\n  d: {run: t.cwl}\n",
            "b.cwl": "class: Workflow\nsteps:\n  a: {run: main.cwl}\n",
            "loop.cwl": "$import: loop2.cwl\n",
            "loop2.cwl": "$import: loop.cwl\n",
            "t.cwl": tool("i/t"),
        ]
        for level in 0..<40 {
            files["w\(level).cwl"] =
                "class: Workflow\nsteps:\n  a: {run: w\(level + 1).cwl}\n  b: {run: w\(level + 1).cwl}\n"
        }
        files["w40.cwl"] = tool("i/deep")
        let inspection = try inspect(files)
        #expect(inspection.texts() == ["i/deep"])
        #expect(inspection.unresolved.contains { $0.missing.hasPrefix("more than 20000 steps, or") })
        #expect(inspection.notes.contains { $0.message == "the workflow runs itself; this step is not followed" })
        #expect(inspection.notes.contains { $0.message == "$import leads through more than 20 files" })
    }

    @Test("ends where few bytes ask for much work")
    func work() throws {
        // Each of 400 steps runs a workflow of 400 inputs whose condition is a long text.
        var main = "class: Workflow\ninputs: []\noutputs: []\nsteps:\n"
        for step in 0..<400 { main += "  s\(step): {run: wide.cwl, in: [], out: []}\n" }
        var wide = "class: Workflow\noutputs: []\ninputs:\n"
        for input in 0..<400 { wide += "  i\(input): {type: int, default: [1, 2, 3]}\n" }
        let long = String(repeating: " ", count: 18_000)
        wide += "steps:\n  t: {run: t.cwl, in: [], out: [], when: \"$(true)\(long)\"}\n"
        let inspection = try inspect(["main.cwl": main, "wide.cwl": wide, "t.cwl": tool("i/t")])
        #expect(inspection.texts() == ["i/t"])
        #expect(inspection.unresolved.contains { $0.missing.contains("too much in them") })
        let properties = String(repeating: "&a ", count: 200_000)
        #expect(throws: DefinitionError("main.cwl:1 is not YAML: more than one anchor and one tag for a value")) {
            try inspect(["main.cwl": properties])
        }
    }

    @Test(
        "ends where packed documents import one another, in a circle or without end",
        arguments: [
            ["main.cwl": "$graph: [{$import: b.cwl}]", "b.cwl": "$graph: [{$import: main.cwl}]"],
            ["main.cwl": "$graph: [{$import: \"main.cwl#x\"}]"],
            Dictionary(
                uniqueKeysWithValues: (0..<3_000).map { index in
                    (index == 0 ? "main.cwl" : "n\(index).cwl", "$graph: [{$import: n\(index + 1).cwl}]")
                }
            ),
            Dictionary(
                uniqueKeysWithValues: (0..<12).map { index in
                    let imports = (0..<12).map { "{$import: \($0 == 0 ? "main" : "n\($0)").cwl}" }
                    return (index == 0 ? "main.cwl" : "n\(index).cwl", "$graph: [\(imports.joined(separator: ", "))]")
                }
            ),
        ]
    )
    func importedGraphs(_ files: [String: String]) {
        #expect(throws: DefinitionError.self) { try inspect(files) }
    }

    @Test("ends where requirements are lists of aliases of lists, and finds what stands among the first")
    func aliasedRequirements() throws {
        var main = "class: CommandLineTool\ninputs: []\noutputs: []\nx0: &a0 [{class: InlineJavascriptRequirement}]\n"
        for level in 1...11 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            main += "x\(level): &a\(level) [\(aliases)]\n"
        }
        let found = try inspect([
            "main.cwl": main + "requirements: [{class: DockerRequirement, dockerPull: i/t}, *a11]\n"
        ])
        #expect(found.texts() == ["i/t"])
        #expect(found.notes.map(\.message) == ["more than 2000 entries; the others are not looked at"])
        let missing = try inspect(["main.cwl": main + "requirements: *a11\n"])
        #expect(missing.texts() == [] && missing.unresolved.count == 1)
    }

    @Test("ends where thousands of steps look for parts of a long packed document")
    func longGraph() throws {
        var graph = "$graph:\n"
        for index in 0..<5_000 { graph += "- {class: Operation, id: o\(index), inputs: [], outputs: []}\n" }
        graph +=
            "- {class: CommandLineTool, id: main, inputs: [], outputs: [], hints: {DockerRequirement: {dockerPull: i/t}}}\n"
        var main = "class: Workflow\ninputs: []\noutputs: []\nsteps:\n"
        for step in 0..<1_500 { main += "  s\(step): {run: graph.cwl}\n  m\(step): {run: \"graph.cwl#no\(step)\"}\n" }
        let inspection = try inspect(["main.cwl": main, "graph.cwl": graph])
        #expect(inspection.texts() == ["i/t"])
        #expect(inspection.images.first?.tasks.count == 1_500)
    }
}
