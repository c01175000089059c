import Definitions
import Testing

@Suite("WDL imports")
struct WDLImportTests {
    private static let library = "version 1.0\n" + wdlTask("t", "lib:1") + wdlTask("unused", "unused:1")

    @Test(
        "lead to tasks, by name, alias and path",
        arguments: [
            ("wf/main.wdl", "import \"tools.wdl\"", "tools.t", "wf/tools.wdl"),
            ("wf/main.wdl", "import \"../tasks/tools.wdl\" as x", "x.t", "tasks/tools.wdl"),
            ("wf/main.wdl", "import './a/b.wdl' as x alias S as T alias U as V", "x.t", "wf/a/b.wdl"),
            ("wf/main.wdl", "import \"tasks/tools.wdl\" as x", "x.t", "tasks/tools.wdl"),
            ("main.wdl", "import \"bio-tools.v1.wdl\" as x", "x.t", "bio-tools.v1.wdl"),
        ]
    )
    func paths(_ main: String, _ statement: String, _ target: String, _ path: String) throws {
        let text = "version 1.0\n\(statement)\nworkflow w { call \(target) as c }\n"
        let inspection = try inspectWDL([main: text, path: Self.library], main: main)
        #expect(inspection.wdlTexts() == ["lib:1"])
        #expect(inspection.images.first?.tasks == ["w.c"])
        #expect(inspection.notes == [])
    }

    @Test("pass inputs through sub-workflows of any depth, and images back through outputs")
    func depth() throws {
        let files = [
            "main.wdl": """
            version 1.0
            import "one.wdl" as one
            workflow w {
              input { String registry = "r.io" }
              call one.level { input: prefix = registry + "/x" }
              call t { input: docker = level.image }
              if (false) { call t as dead { input: docker = level.images["b"] } }
            }

            """ + taskOfInput,
            "one.wdl": """
            version 1.0
            import "two.wdl" as two
            workflow level {
              input { String prefix }
              call two.level as next { input: prefix = prefix }
              output {
                String image = next.image
                Map[String, String] images = {"a": image, "b": "~{image}-b"}
              }
            }
            """,
            "two.wdl": """
            version 1.0
            workflow level {
              input { String prefix String tag = "9" }
              output { String image = "~{prefix}:~{tag}" }
            }
            """,
        ]
        let inspection = try inspectWDL(files)
        #expect(inspection.wdlTexts() == ["r.io/x:9"])
        #expect(inspection.wdlTexts(.inactive) == ["r.io/x:9-b"])
        #expect(inspection.images.last?.reason == "the condition at main.wdl:7 is false")
        let given: [String: ParameterValue] = ["w.level.next.tag": .string("10")]
        #expect(try inspectWDL(files, given).wdlTexts() == ["r.io/x:10"])
    }

    @Test("are noted and not fetched where remote; an image is missing only where one hangs on it")
    func remote() throws {
        let address = "https://example.org/tasks.wdl"
        let start = "version 1.0\nimport \"\(address)\" as far\n"
        let unused = try inspectWDL(start + "workflow w { call t }\n" + wdlTask("t", "a:1"))
        #expect(unused.wdlTexts() == ["a:1"])
        #expect(unused.unresolved == [])
        let message = "remote import \(address) is not fetched"
        #expect(unused.notes == [DefinitionNote(place: .source(file: "main.wdl", line: 2), message: message)])
        let used = try inspectWDL(start + "workflow w {\n  call far.t\n  if (false) { call far.u }\n}\n")
        let mention = UnresolvedMention(
            place: .source(file: "main.wdl", line: 4),
            expression: "call far.t",
            missing: message,
            tasks: ["w.t"]
        )
        #expect(used.unresolved == [mention])
    }

    @Test(
        "never leave the definition, and say so",
        arguments: [
            ("../../secret.wdl", "leaves the definition"), ("/etc/secret.wdl", "leaves the definition"),
            ("file:///etc/secret.wdl", "leaves the definition"), ("gone.wdl", "is not in the definition"),
        ]
    )
    func outside(_ reference: String, _ why: String) throws {
        let text = "version 1.0\nimport \"\(reference)\" as s\nworkflow w { call s.t  call t }\n" + wdlTask("t", "a:1")
        let inspection = try inspectWDL(text)
        #expect(inspection.wdlTexts() == ["a:1"])
        #expect(inspection.missing == ["import \(reference) \(why)"])
        #expect(inspection.notes.map(\.message) == inspection.missing)
        let unused = try inspectWDL(text.replacing("call s.t ", with: "")).notes.map(\.message)
        #expect(unused == (why.hasPrefix("leaves") ? inspection.missing : []))
    }

    @Test("that go in a circle end")
    func circle() throws {
        let files = [
            "main.wdl": "version 1.0\nimport \"b.wdl\"\nworkflow a { call b.b call t }\n" + wdlTask("t", "a:1"),
            "b.wdl": "version 1.0\nimport \"main.wdl\" as m\nworkflow b { call m.a }\n",
        ]
        let inspection = try inspectWDL(files)
        #expect(inspection.wdlTexts() == ["a:1"])
        #expect(inspection.missing.allSatisfy { $0.contains("circle") })
        #expect(!inspection.unresolved.isEmpty)
    }

    @Test("of a broken file give what can be read of it, and the rest goes on")
    func broken() throws {
        let files = [
            "main.wdl": """
            version 1.0
            import "broken.wdl" as b
            import "gone.wdl" as gone
            workflow w {
              call b.good
              call b.after
              String x = )
              call t
            }
            """ + "\n" + wdlTask("t", "t:1"),
            "broken.wdl": "version 1.0\n" + wdlTask("good", "good:1")
                + "task bad {\n  command <<< >>>\n  runtime { docker: \"bad:1 }\n}\n" + wdlTask("after", "after:1"),
        ]
        let inspection = try inspectWDL(files)
        #expect(inspection.wdlTexts() == ["after:1", "good:1", "t:1"])
        #expect(inspection.notes.contains { $0.place == .source(file: "main.wdl", line: 7) })
        #expect(inspection.notes.contains { $0.place == .source(file: "broken.wdl", line: 8) })
    }

    @Test("are read only where something called stands in them")
    func lazy() throws {
        let files = [
            "main.wdl": "version 1.0\nimport \"x.wdl\"\nimport \"y.wdl\"\nworkflow w { call x.t }\n",
            "x.wdl": Self.library, "y.wdl": "task {{{",
        ]
        let inspection = try inspectWDL(files)
        #expect(inspection.wdlTexts() == ["lib:1"])
        #expect(inspection.notes == [])
    }

    @Test("tell a workflow from a task of the same name")
    func sameName() throws {
        let files = [
            "main.wdl": "version 1.0\nimport \"x.wdl\" as x\nworkflow w { call x.x }\n",
            "x.wdl": "version 1.0\n" + wdlTask("x", "x:1") + "workflow x { call x  call y }\n" + wdlTask("y", "y:1"),
        ]
        #expect(try inspectWDL(files).wdlTexts() == ["x:1", "y:1"])
    }
}
