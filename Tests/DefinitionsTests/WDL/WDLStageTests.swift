import Definitions
import Testing

@Suite("WDL: order and conditions")
struct WDLStageTests {
    private static let task = """

        task t {
          input { String docker  String? v  Array[String]? all }
          command <<< >>>
          output { String out = read_string(stdout()) }
          runtime { docker: docker }
        }
        """

    private func depths(_ inspection: Inspection) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: inspection.images.map { ($0.text, $0.depth) })
    }

    @Test("counts the tasks that a call waits for, through scatters, sub-workflows, conditions and `after`")
    func stages() throws {
        let main = """
            version 1.1
            import "sub.wdl" as lib
            workflow w {
              call t as late { input: docker = "late:1", v = e.out }
              call t as a { input: docker = "a:1" }
              scatter (x in [a.out]) { String y = x + "!"  call t as b { input: docker = "b:1", v = y } }
              call lib.s { input: all = b.out }
              call t as e { input: docker = "e:1", v = s.out }
              call t as f after e { input: docker = "f:1" }
              if (a.out == "go") { call t as h { input: docker = "h:1" } }
              if (false) { call t as never { input: docker = "never:1", v = e.out } }
              call t as i { input: docker = "i:1", v = select_first([never.out, "x"]) }
              call t as again { input: docker = "a:1", v = e.out }
            }
            """
        let sub = """
            version 1.1
            workflow s {
              input { Array[String] all }
              call t as d { input: docker = "d:1", v = c.out }
              call t as c { input: docker = "c:1", all = all }
              output { String out = c.out }
            }
            """
        let inspection = try inspectWDL(["main.wdl": main + Self.task, "sub.wdl": sub + Self.task], main: "main.wdl")
        #expect(
            depths(inspection) == [
                "a:1": 0, "b:1": 1, "c:1": 2, "d:1": 3, "e:1": 4, "f:1": 5, "late:1": 5, "h:1": 1, "never:1": 5,
                "i:1": 0,
            ]
        )
    }

    @Test("ends where calls wait for each other, and in a chain of thousands")
    func chains() throws {
        let circle = """
            version 1.0
            workflow w {
              call t as a { input: docker = "a:1", v = b.out }
              call t as b { input: docker = "b:1", v = a.out }
            }
            """
        #expect(try inspectWDL(circle + Self.task).images.count == 2)
        var chain = "version 1.0\nworkflow w {\n  call t as c0 { input: docker = \"first:1\" }\n"
        for number in 1...3000 {
            chain += "  call t as c\(number) { input: docker = \"\(number == 3000 ? "last" : "next"):1\", "
            chain += "v = c\(number - 1).out }\n"
        }
        #expect(depths(try inspectWDL(chain + "}" + Self.task)) == ["first:1": 0, "next:1": 1, "last:1": 3000])
    }

    private static let optional = """
        version 1.0
        workflow w {
          input { File? reads  Boolean qc = true  String mode = "fast" }
          if (defined(reads)) { call t as reading { input: docker = "reads:1" } }
          if (!defined(reads)) { call t as other { input: docker = "other:1" } }
          if (qc) { call t as checking { input: docker = "qc:1" } }
          if (mode == "slow" || !qc) { call t as slow { input: docker = "slow:1" } }
          if (false && qc) { call t as never { input: docker = "never:1" } }
        }
        """

    @Test("leaves open before any run what a run may decide, and knows with a run's parameters")
    func conditions() throws {
        let text = Self.optional + Self.task
        let any = try inspectWDL(text)
        #expect(any.wdlTexts() == ["other:1", "qc:1"])
        #expect(any.wdlTexts(.alternative) == ["reads:1", "slow:1"])
        #expect(any.wdlTexts(.inactive) == ["never:1"])
        let reason = any.images.first { $0.text == "reads:1" }?.reason
        #expect(reason == "the condition at main.wdl:4 is false unless a run gives input `w.reads`")
        let run = try inspectWDL(text, ["w.mode": .string("fast")])
        #expect(run.wdlTexts() == ["other:1", "qc:1"])
        #expect(run.wdlTexts(.inactive) == ["never:1", "reads:1", "slow:1"])
        let other = try inspectWDL(text, ["reads": .string("s3://b/r.fq"), "qc": .bool(false)])
        #expect(other.wdlTexts() == ["reads:1", "slow:1"])
    }

    @Test("leaves open what an input of a sub-workflow decides that its caller does not give")
    func nested() throws {
        let main = """
            version 1.0
            import "sub.wdl" as lib
            workflow w { call lib.s  call lib.s as off { input: on = false } }
            """
        let sub = """
            version 1.0
            workflow s {
              input { Boolean on = false }
              if (on) { call t { input: docker = "t:1" } }
            }
            """
        let files = ["main.wdl": main, "sub.wdl": sub + Self.task]
        #expect(try inspectWDL(files, main: "main.wdl").wdlTexts(.alternative) == ["t:1"])
        #expect(try inspectWDL(files, main: "main.wdl", ["x": .null]).wdlTexts(.inactive) == ["t:1"])
        #expect(try inspectWDL(files, main: "main.wdl", ["s.on": .bool(true)]).wdlTexts() == ["t:1"])
    }

    @Test(
        "writes a number only as the engine would",
        arguments: [
            ("Int", .number("7"), "i:7", "i:7"), ("String", .number("7"), "i:7", "i:7"),
            ("String", .string("1.10"), "i:1.10", "i:1.10"), ("String", .number("1.10"), nil, nil),
            ("String", .number("1e3"), nil, nil), ("Float", .number("1.10"), "i:1.100000", nil),
            ("Int", .number("12345678901234567890"), nil, nil),
            ("Boolean", .bool(true), "i:true", "i:true"),
        ] as [(String, ParameterValue, String?, String?)]
    )
    func numbers(_ type: String, _ given: ParameterValue, _ image: String?, _ lenient: String?) throws {
        let text =
            "version 1.0\nworkflow w {\n input { \(type) tag }\n call t { input: docker = \"i:~{tag}\" }\n}" + Self.task
        for (engine, expected) in [(WorkflowEngine.wdl, image), (.wdlLenient, lenient)] {
            let request = DefinitionRequest(engine: engine, main: "main.wdl", parameters: ["tag": given])
            let inspection = try WorkflowDefinition.inspect(DefinitionFilesInMemory(["main.wdl": text]), request)
            #expect(inspection.wdlTexts() == (expected.map { [$0] } ?? []))
            #expect(inspection.unresolved.count == (expected == nil ? 1 : 0))
        }
    }

    @Test("does not guess what a literal number is where engines differ", arguments: ["010", "99999999999999999999"])
    func literals(_ number: String) throws {
        let text = "version 1.0\nworkflow w { call t { input: docker = \"i:\" + \(number) } }" + Self.task
        #expect(try inspectWDL(text).images == [])
        #expect(try inspectWDL(text).unresolved.count == 1)
    }
}
