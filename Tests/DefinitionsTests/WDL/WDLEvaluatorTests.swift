import Definitions
import Testing

@Suite("WDLEvaluator")
struct WDLEvaluatorTests {
    /// A workflow whose one image is an expression, below some declarations.
    private func inspect(
        _ expression: String,
        declarations: String = "",
        _ parameters: [String: ParameterValue] = [:]
    ) throws -> Inspection {
        let text = """
            version 1.1
            struct Images { String gatk  String? spare }
            workflow w {
              input {
                String required
                String? optional
                Boolean flag
                Array[String] list = ["l0:1", "l1:1"]
              }
              \(declarations)
              call t { input: docker = \(expression) }
              call probe
            }
            task probe {
              input { String image = "kept:1" }
              command <<< >>>
              output { String computed = read_string(stdout())  String passed = image }
            }

            """ + taskOfInput
        let inspection = try inspectWDL(text, parameters)
        #expect(inspection.notes == [])
        return inspection
    }

    @Test(
        "knows the value of an expression",
        arguments: [
            (#""a:" + 1"#, "a:1"),
            (#""a:~{1 + 2 * 3 - 4 / 2}""#, "a:5"),
            (#""a:~{7 % 4}-~{-2 * -3}""#, "a:3-6"),
            (#""a:" + 1.5"#, "a:1.500000"),
            (#"'a:${"b" + "~{'c'}"}'"#, "a:bc"),
            (#""\x61\u0062:\061""#, "ab:1"),
            (#"if 1 < 2 && !(3 <= 2) then "a:1" else "b:1""#, "a:1"),
            (#"if 2 == 2.0 || false then "a:1" else "b:1""#, "a:1"),
            (#"if "x" != "x" then "a:1" else if true then "b:1" else "c:1""#, "b:1"),
            (#"select_first([optional, "a:1"])"#, "a:1"),
            (#"select_first([None, optional], "a:1")"#, "a:1"),
            (#"select_all([optional, "a:1"])[0]"#, "a:1"),
            (#"if defined(optional) then "a:1" else "b:1""#, "b:1"),
            (#""a~{"-" + optional}:1""#, "a:1"),
            (#""a:~{default="2" optional}""#, "a:2"),
            (#""a:~{true="y" false='n' length(list) == 2}""#, "a:y"),
            (#""a:~{sep="-" ["1", "2"]}""#, "a:1-2"),
            (#""a:~{sep("-", prefix("x", [1, 2]))}""#, "a:x1-x2"),
            (#""a:~{sep("-", suffix("x", ["1", "2"]))}""#, "a:1x-2x"),
            (#"list[1]"#, "l1:1"),
            (#"flatten([["a:1"], list])[2]"#, "l1:1"),
            (#"zip(["k"], ["a:1"])[0].right"#, "a:1"),
            (#"cross(["k"], list)[1].right"#, "l1:1"),
            (#"transpose([["a:1", "b:1"], ["c:1", "d:1"]])[1][0]"#, "b:1"),
            (#"unzip([("k", "a:1")]).right[0]"#, "a:1"),
            (#"chunk(list, 1)[1][0]"#, "l1:1"),
            (#"("k", "a:1").right"#, "a:1"),
            (#"{"x": "a:1", "y": "b:1"}["y"]"#, "b:1"),
            (#"{"x": "a:1"}.x"#, "a:1"),
            (#"as_map([("x", "a:1")])["x"]"#, "a:1"),
            (#"collect_by_key([("x", "a:1"), ("x", "b:1")])["x"][1]"#, "b:1"),
            (#"keys({"a:1": 1})[0]"#, "a:1"),
            (#"values({"x": "a:1"})[0]"#, "a:1"),
            (#"as_pairs({"x": "a:1"})[0].right"#, "a:1"),
            (#"if contains_key({"x": 1}, "x") then "a:1" else "b:1""#, "a:1"),
            (#"if contains(list, "l0:1") then "a:1" else "b:1""#, "a:1"),
            (#"object { gatk: "a:1", other: 2 }.gatk"#, "a:1"),
            (#"Images { gatk: "a:1" }.gatk"#, "a:1"),
            (#"select_first([Images { gatk: "a:1" }.spare, "b:1"])"#, "b:1"),
            (#""a:~{range(3)[2]}""#, "a:2"),
            (#""a:~{floor(2.7)}~{ceil(2.2)}~{round(2.5)}~{min(4, 5)}~{max(6, 5)}""#, "a:23346"),
            (#"basename("/x/y/a.bam", ".bam") + ":1""#, "a:1"),
            (#"basename("gs://b/c.tar") + ":1""#, "c.tar:1"),
            (#"sub("a-b-c", "-", "_") + ":1""#, "a_b_c:1"),
            (#"sub("v1.2.3", "^v([0-9]+)\\..*$", "a:$1")"#, "a:1"),
            (#"join_paths("quay.io", "a:1")"#, "quay.io/a:1"),
            (#"join_paths(["quay.io/", "a:1"])"#, "quay.io/a:1"),
            (#"split("a:1,b:1", ",")[1]"#, "b:1"),
            (#"if matches("abc", "b.$") then "a:1" else "b:1""#, "a:1"),
            (#"select_first([find("xx12", "[0-9]+"), ""]) + "0:1""#, "120:1"),
            (#"read_json("images.json")"#, "read_json"),
            (#"<<< a:1 >>>"#, "a:1"),
            (#"probe.passed"#, "kept:1"),
            (#""a:" + (if flag && false then 1 else 2)"#, "a:2"),
            (#""a:" + (if flag || true then 1 else 2)"#, "a:1"),
        ]
    )
    func values(_ expression: String, _ image: String) throws {
        let inspection = try inspect(expression)
        if image == "read_json" {
            #expect(inspection.missing == ["file images.json is not in the definition"])
        } else {
            #expect(inspection.wdlTexts() == [image])
            #expect(inspection.unresolved == [])
        }
    }

    @Test(
        "says why a value is not known",
        arguments: [
            ("required", "input `w.required` has no default and is not given"),
            ("\"a:~{required}\"", "input `w.required` has no default and is not given"),
            ("probe.computed", "output `w.probe.computed` is known only when the task has run"),
            ("probe.absent", "`absent` is not an output of `probe`"),
            ("nowhere", "`nowhere` is declared nowhere in w"),
            ("select_first([optional])", "select_first finds only nulls, of main.wdl:6"),
            ("{\"x\": \"a:1\"}[\"y\"]", "a map has no key \"y\""),
            ("list[2]", "an array of 2 has no element 2"),
            ("mystery(1)", "`mystery()` is known only in the run"),
            ("loop", "`loop` refers to itself"),
        ]
    )
    func unknowns(_ expression: String, _ missing: String) throws {
        let inspection = try inspect(expression, declarations: "String loop = loop2\n  String loop2 = loop")
        #expect(inspection.missing == [missing])
        #expect(inspection.images == [])
    }

    @Test("gives both values of a choice that is not known, and what it depends on")
    func choice() throws {
        let inspection = try inspect("if flag then \"a:1\" else \"b:1\"")
        #expect(inspection.wdlTexts(.alternative) == ["a:1", "b:1"])
        let reason = "which of 2 values holds depends on this: input `w.flag` has no default and is not given"
        #expect(inspection.images.map(\.reason) == [reason, reason])
        #expect(inspection.missing == [reason])
        #expect(try inspect("if flag then \"a:1\" else \"a:1\"").wdlTexts() == ["a:1"])
        #expect(try inspect("if flag then \"a:1\" else \"b:1\"", ["w.flag": .bool(false)]).wdlTexts() == ["b:1"])
    }

    @Test(
        "makes of a conditional block a null where it is false, and perhaps one where it is not known",
        arguments: [
            ("false", ["late:1"], []), ("true", ["early:1"], []), ("flag", [], ["early:1", "late:1"]),
            ("flag && false", ["late:1"], []),
        ] as [(String, [String], [String])]
    )
    func conditional(_ condition: String, _ certain: [String], _ alternative: [String]) throws {
        let inspection = try inspect(
            "select_first([chosen, \"late:1\"])",
            declarations: "if (\(condition)) { String chosen = \"early:1\" }"
        )
        #expect(inspection.wdlTexts() == certain)
        #expect(inspection.wdlTexts(.alternative) == alternative)
    }

    @Test("reads run parameters as structs, maps and lists")
    func structures() throws {
        let declarations = "input { Images images  Map[String, String] map = {} }"
        let images = ParameterValue.object(["gatk": .string("g:1")])
        #expect(try inspect("images.gatk", declarations: declarations, ["w.images": images]).wdlTexts() == ["g:1"])
        #expect(try inspect("map[\"gatk\"]", declarations: declarations, ["map": images]).wdlTexts() == ["g:1"])
        let list = ParameterValue.array([.string("g:1")])
        #expect(try inspect("list[0]", ["w.list": list]).wdlTexts() == ["g:1"])
    }

    @Test(
        "takes the default for a null where the input is not optional",
        arguments: [
            ("String docker = \"default:1\"", ["default:1"]), ("String? docker = \"default:1\"", []),
            ("String? docker", []),
        ] as [(String, [String])]
    )
    func nulls(_ declaration: String, _ images: [String]) throws {
        let inspection = try inspectWDL(
            """
            version 1.0
            workflow w {
              input { String? image }
              call t { input: docker = image }
            }
            task t {
              input { \(declaration) }
              command <<< >>>
              runtime { docker: docker }
            }
            """
        )
        #expect(inspection.wdlTexts() == images)
        #expect(inspection.missing.isEmpty == !images.isEmpty)
    }

    @Test("visits each element of a known array, and none of an empty one")
    func scatter() throws {
        let text = """
            version 1.0
            workflow w {
              input { Array[String] tags = ["1", "2"]  Array[String] none = []  Array[String] unknown }
              scatter (tag in tags) {
                String image = "a:" + tag
                call t { input: docker = image }
              }
              scatter (tag in none) { call t as empty { input: docker = "b:1" } }
              scatter (tag in unknown) { call t as open { input: docker = "c:1" } }
              call t as outside { input: docker = image[1] + "-x" }
            }

            """ + taskOfInput
        #expect(try inspectWDL(text).wdlTexts(.alternative) == ["b:1"])
        let inspection = try inspectWDL(text, ["unknown": .array([.string("3")])])
        #expect(inspection.wdlTexts() == ["a:1", "a:2", "a:2-x", "c:1"])
        #expect(inspection.wdlTexts(.inactive) == ["b:1"])
        #expect(
            inspection.images.first { $0.text == "b:1" }?.reason == "the scatter at main.wdl:8 goes over an empty array"
        )
        #expect(inspection.unresolved == [])
    }

    @Test("follows `if`, `else if` and `else`")
    func otherwise() throws {
        let text = """
            version 1.3
            workflow w {
              input { Int n = 2 }
              if (n == 1) { call t as one { input: docker = "one:1" } }
              else if (n == 2) { call t as two { input: docker = "two:1" }  String chosen = "b:1" }
              else { call t as more { input: docker = "more:1" }  String chosen = "c:1" }
              call t { input: docker = select_first([chosen]) }
            }

            """ + taskOfInput
        #expect(try inspectWDL(text).wdlTexts() == ["b:1", "two:1"])
        #expect(try inspectWDL(text).wdlTexts(.alternative) == ["more:1", "one:1"])
        #expect(try inspectWDL(text, ["n": .number("2")]).wdlTexts(.inactive) == ["more:1", "one:1"])
        #expect(try inspectWDL(text, ["n": .number("7")]).wdlTexts() == ["c:1", "more:1"])
    }

    @Test("keeps the strongest certainty of an image, with all its tasks")
    func strongest() throws {
        let text = "version 1.0\nworkflow w {\n if (false) { call t as a }\n call t as b\n}\n" + wdlTask("t", "x:1")
        let image = try #require(try inspectWDL(text).images.first)
        #expect(image.certainty == .certain && image.reason == nil)
        #expect(image.tasks == ["w.a", "w.b"])
    }

    @Test("leaves what is missing below a false condition alone")
    func deadBranch() throws {
        let text = """
            version 1.0
            workflow w {
              input { String image  Boolean use = false }
              if (use) { call t { input: docker = image } }
            }

            """ + taskOfInput
        #expect(try inspectWDL(text, ["use": .bool(false)]).unresolved == [])
        #expect(try inspectWDL(text).unresolved.count == 1)
        #expect(try inspectWDL(text, ["use": .bool(true)]).unresolved.count == 1)
        #expect(try inspectWDL(text).relevantParameters.contains("w.use"))
    }

    @Test("knows of a task's files nothing, and of its optional outputs not whether they are there")
    func outputs() throws {
        let text = """
            version 1.0
            workflow w {
              call probe
              if (defined(probe.perhaps)) { call t as some { input: docker = "some:1" } }
              if (!defined(probe.perhaps)) { call t as none { input: docker = "none:1" } }
              if (!defined(probe.always)) { call t as never { input: docker = "never:1" } }
              call t as name { input: docker = probe.always }
            }
            task probe {
              command <<< >>>
              output { File? perhaps = "a.txt"  File always = "b.txt" }
            }

            """ + taskOfInput
        let inspection = try inspectWDL(text)
        #expect(inspection.wdlTexts(.alternative) == ["none:1", "some:1"])
        #expect(inspection.wdlTexts(.inactive) == ["never:1"])
        #expect(
            inspection.images.first { $0.text == "some:1" }?.reason
                == "the condition at main.wdl:4 depends on this: "
                + "output `w.probe.perhaps` is known only when the task has run"
        )
        #expect(inspection.missing == ["output `w.probe.always` is known only when the task has run"])
    }

    @Test("reads a file of the definition that a literal names")
    func dataFile() throws {
        let files = [
            "wf/main.wdl": "version 1.0\nworkflow w {\n  Map[String, String] m = read_json(\"images.json\")\n"
                + "  call t { input: docker = m[\"a\"] }\n}\n" + taskOfInput,
            "wf/images.json": "{\"a\": \"x:1\"}",
        ]
        #expect(try inspectWDL(files, main: "wf/main.wdl").wdlTexts() == ["x:1"])
    }
}
