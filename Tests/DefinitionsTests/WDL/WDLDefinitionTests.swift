import Definitions
import Testing

@Suite("WDLDefinition")
struct WDLDefinitionTests {
    @Test(
        "finds the attribute in every version",
        arguments: [
            "runtime { docker: \"a/b:1\" }",
            "runtime { container: \"a/b:1\" }",
            "runtime { cpu: 1 + 1, memory: \"4 GB\" docker: 'a/b:1' }",
            "runtime {\n    docker : \"docker://a/b:1\"\n    \"cpu\": 2\n  }",
            "requirements { container: \"a/b:1\" }",
            "runtime { docker: \"old:1\" }\n  requirements { container: \"a/b:1\" }",
            "runtime { docker: \"old:1\"\n    container: \"a/b:1\" }",
            "runtime { docker: \"~{\"a\"}/b:${1}\" }",
            "runtime { docker: \" a/b:1 \" } # end",
            "hints { docker: \"no/no:1\" }\n  runtime { docker: \"a/b:1\" }",
            "meta { docker: \"no/no:1\" }\n  parameter_meta { x: { docker: \"no:1\" } }\n  runtime { docker: \"a/b:1\" }",
        ]
    )
    func attribute(_ section: String) throws {
        for command in ["command <<< echo ~{\"}\"} >>>", "command { awk '{print $1}' ${\"x\"} }", "command {}"] {
            let text = "version 1.1\nworkflow w { call t }\ntask t {\n  \(command)\n  \(section)\n}\n"
            let inspection = try inspectWDL(text)
            #expect(inspection.wdlTexts() == ["a/b:1"])
            #expect(inspection.unresolved == [])
            #expect(inspection.images.first?.tasks == ["w.t"])
        }
    }

    @Test(
        "ends a command where the task goes on",
        arguments: [
            "command { x }\n  RuntimeAttr d = object { docker: \"n/n:1\" }",
            "command { x }\n  # a comment }\n  my_struct d = object { a: 1 }",
            "command { x }\n  Array[String?]+ d = [\"}\"]",
            "command { x }\n  Map[String, Array[Int]] d",
            "command { x ~{sep=\"}\" [\"}\", '{']} ${object { a: 1 }.a} }\n  Int d = 1",
            "command { awk '{ print; }' x | sed 's/}/{/' > y\n  } output.txt }\n  Int d = 1",
            "command { if x; then { y } fi; z=1 }",
            "command <<< echo \\>>> x } >>>\n  Int d = 1",
        ]
    )
    func command(_ command: String) throws {
        let text = "version 1.1\nworkflow w { call t }\ntask t {\n  \(command)\n  runtime { docker: \"a/b:1\" }\n}\n"
        let inspection = try inspectWDL(text)
        #expect(inspection.wdlTexts() == ["a/b:1"])
        #expect(inspection.notes == [])
    }

    @Test(
        "names no image where there is none",
        arguments: ["runtime { cpu: 1 }", "runtime { docker: \"\" }", "requirements { container: \"*\" }", ""]
    )
    func none(_ section: String) throws {
        let inspection = try inspectWDL("version 1.2\nworkflow w { call t }\ntask t { command <<< >>> \(section) }")
        #expect(inspection.images == [])
        #expect(inspection.unresolved == [])
    }

    @Test(
        "lets no other text pass as an image",
        arguments: [
            "https://depot.example.org/x", "oras://a/b", "/data/x.sif", "a b", "{{registry}}/x", "<image>", "shub://x",
        ]
    )
    func noImage(_ text: String) throws {
        let inspection = try inspectWDL("version 1.0\nworkflow w { call t }\n" + wdlTask("t", text))
        #expect(inspection.images == [])
        #expect(inspection.unresolved.map(\.place) == [.source(file: "main.wdl", line: 5)])
        #expect(inspection.missing.first?.contains(text) == true)
    }

    @Test("takes the first of a list, and the others as alternatives")
    func list() throws {
        let inspection = try inspectWDL(
            """
            version 1.1
            workflow w { call t }
            task t {
              command <<< >>>
              runtime { container: ["a/one:1", "docker://b/two:2", "c/three:3"] }
            }
            """
        )
        #expect(inspection.wdlTexts() == ["a/one:1"])
        #expect(inspection.wdlTexts(.alternative) == ["b/two:2", "c/three:3"])
        #expect(inspection.unresolved == [])
        #expect(inspection.images.last?.reason?.contains("first image") == true)
    }

    @Test("names every place that decided an image")
    func places() throws {
        let inspection = try inspectWDL(
            """
            version 1.0
            workflow w {
              input {
                String tag
                String image = "a/b"
              }
              call t as one {
                input:
                  docker = image + ":" + tag
              }
            }

            """ + taskOfInput,
            ["w.tag": .string("7")]
        )
        let image = try #require(inspection.images.first)
        #expect(image.text == "a/b:7")
        #expect(image.tasks == ["w.one"])
        let lines = [5, 9, 15].map { Evidence.source(file: "main.wdl", line: $0) }
        #expect(Set(image.places) == Set(lines + [.parameter(path: "w.tag")]))
        #expect(
            inspection.relevantParameters == [
                "image", "one.requirements.container", "one.runtime.container",
                "one.runtime.docker", "tag", "w.image", "w.one.requirements.container", "w.one.runtime.container",
                "w.one.runtime.docker", "w.tag",
            ]
        )
    }

    @Test(
        "takes run parameters by every form of their names",
        arguments: [
            ("image", ["top:1", "inner:0"]), ("w.image", ["top:1", "inner:0"]),
            ("s.t.docker", ["top:0", "top:1"]), ("w.s.t.docker", ["top:0", "top:1"]),
            ("w.s.t.runtime.docker", ["top:0", "top:1"]), ("other.image", ["top:0", "inner:0"]),
        ] as [(String, [String])]
    )
    func parameters(_ key: String, _ expected: [String]) throws {
        let text = """
            version 1.0
            workflow w {
              input { String image = "top:0" }
              call t { input: docker = image }
              call inner.s
            }
            """
        let inner = "version 1.0\nworkflow s { call t }\n" + taskOfInput.replacing("task/default:1", with: "inner:0")
        let files = ["main.wdl": "import \"inner.wdl\"\n" + text + "\n" + taskOfInput, "inner.wdl": inner]
        let inspection = try inspectWDL(files, [key: .string("top:1")])
        #expect(inspection.wdlTexts() == expected.sorted())
    }

    @Test("lets the full name of a parameter hold over the short one")
    func names() throws {
        let text = "version 1.0\nworkflow w {\n input { String i }\n call t { input: docker = i }\n}\n" + taskOfInput
        let given: [String: ParameterValue] = ["i": .string("short:1"), "w.i": .string("full:1")]
        #expect(try inspectWDL(text, given).wdlTexts() == ["full:1"])
    }

    @Test("says which input is missing, where, and for which tasks")
    func missing() throws {
        let inspection = try inspectWDL(
            """
            version 1.0
            workflow w {
              input { String ecr_registry }
              String image = ecr_registry + "/x:1"
              call t { input: docker = image }
              call u
            }
            task u {
              input { String tool }
              command <<< >>>
              runtime { docker: "~{tool}" }
            }

            """ + taskOfInput
        )
        #expect(inspection.images == [])
        #expect(
            inspection.unresolved == [
                UnresolvedMention(
                    place: .source(file: "main.wdl", line: 11),
                    expression: "\"~{tool}\"",
                    missing: "input `w.u.tool` has no default and is not given",
                    tasks: ["w.u"]
                ),
                UnresolvedMention(
                    place: .source(file: "main.wdl", line: 16),
                    expression: "docker",
                    missing: "input `w.ecr_registry` has no default and is not given",
                    tasks: ["w.t"]
                ),
            ]
        )
    }

    @Test("reads draft-2: declarations are inputs, `${}` in strings, commands in braces")
    func draft2() throws {
        let text = """
            task align {
              String registry = "quay.io"
              File input_file
              String? tag
              command { bwa ${input_file} ${sep=' ' tag} | awk '{ print $1 }' }
              runtime { docker: "${registry}/bwa:${default="1" tag}" }
              output { File out = stdout() }
            }
            workflow w {
              String registry = "ghcr.io"
              Array[File]+ files
              scatter (f in files) { call align { input: registry = registry, input_file = f } }
              output { align.out  align.* }
            }
            """
        #expect(try inspectWDL(text).wdlTexts() == ["ghcr.io/bwa:1"])
        let given: [String: ParameterValue] = ["w.align.tag": .number("2"), "w.registry": .string("r.io")]
        #expect(try inspectWDL(text, given).wdlTexts() == ["r.io/bwa:2"])
        #expect(try inspectWDL(text, given).notes == [])
    }

    @Test("runs a task where there is no workflow, and names it")
    func onlyTask() throws {
        let inspection = try inspectWDL("version 1.0\n" + taskOfInput, ["t.docker": .string("x/y:1")])
        #expect(inspection.images.map(\.text) == ["x/y:1"])
        #expect(inspection.images.first?.tasks == ["t"])
    }

    @Test("finds the main file: by name, as the only one, as the only one with a workflow")
    func main() throws {
        let workflow = "version 1.0\nworkflow w { call t }\n" + wdlTask("t", "a:1")
        let other = "version 1.0\nworkflow v { call t }\n" + wdlTask("t", "b:1")
        #expect(try inspectWDL(["main.wdl": workflow, "b.wdl": other]).wdlTexts() == ["a:1"])
        #expect(try inspectWDL(["flow.wdl": workflow]).wdlTexts() == ["a:1"])
        #expect(try inspectWDL(["flow.wdl": workflow, "tasks.wdl": wdlTask("t", "b:1")]).wdlTexts() == ["a:1"])
        #expect(try inspectWDL(["a.wdl": wdlTask("t", "b:1"), "flow.wdl": workflow]).wdlTexts() == ["a:1"])
        #expect(throws: DefinitionError.self) { try inspectWDL(["a.wdl": workflow, "b.wdl": other]) }
        #expect(throws: DefinitionError.self) { try inspectWDL(["a.wdl": workflow], main: "c.wdl") }
        let error = try #require(throws: DefinitionError.self) { try inspectWDL("version 1.0\nstruct S { Int x }\n}") }
        #expect(error.message.hasPrefix("main file main.wdl: it holds no workflow; line 3: "))
        let packed = ["wf/flow.wdl": workflow, "wf/tasks.wdl": wdlTask("t", "b:1"), "__MACOSX/wf/._flow.wdl": workflow]
        #expect(try inspectWDL(packed).wdlTexts() == ["a:1"])
        let wide = DefinitionFilesInMemory(bytes: ["main.wdl": [0xFF, 0xFE] + workflow.utf8.flatMap { [$0, 0] }])
        let message = "main file main.wdl: it holds no workflow; line 1: the text is UTF-16; save it as UTF-8"
        #expect(throws: DefinitionError(message)) {
            try WorkflowDefinition.inspect(wide, DefinitionRequest(engine: .wdl))
        }
    }
}
