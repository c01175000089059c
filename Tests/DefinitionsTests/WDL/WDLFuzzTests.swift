import Definitions
import Testing

@Suite("Damaged and hostile WDL")
struct WDLFuzzTests {
    private static let files = [
        "main.wdl": """
        version 1.1
        import "lib.wdl" as lib alias S as T
        workflow w {
          input { String tag = "1"  Boolean go  Array[String] l = ["a", "b"]  S? s }
          scatter (x in l) { call t { input: docker = "~{x}/y:" + tag } }
          if (go && defined(s)) { call lib.sub as c { input: map = {"k": "q.io/z:~{tag}"} } }
          call t as u { input: docker = select_first([c.image, sub("r.io/v-1", "-", ":")]) }
        }
        task t {
          input { String docker = 'd:1' }
          command <<< ~{docker} >>>
          runtime { container: [docker, "e/f:~{if true then 2 else 3}"] cpu: 1 }
        }
        """,
        "lib.wdl": """
        workflow sub {
          Map[String, String] map
          call t { input: i = map["k"] }
          output { String image = map["k"] }
        }
        task t { String i command { echo ${i} } runtime { docker: i } }
        """,
    ]

    @Test("ends with an answer or an error, and names no image that is none")
    func ends() {
        let seeds = Self.files.mapValues { Array($0.utf8) }
        let names = seeds.keys.sorted()
        var mutation = Mutation(
            seed: 4,
            tokens: [
                "{", "}", "(", ")", "[", "]", "\"", "'", "~{", "${", "<<<", ">>>", "command {", "call t ", "scatter (",
                "if (", "input {", "output {", "runtime {", "docker: ", " = ", " + ", "\n", "\\", "!", "-", ".", ",",
                "import \"main.wdl\" as ", "workflow ", "task ", "object {", "S {", "select_first(", "range(9999)",
                "sub(", "9223372036854775807", "1e999", "\u{0}", "é", "else ",
            ]
        )
        var images = 0
        for _ in 0..<fuzzCount {
            var files = seeds
            let name = names[mutation.next(below: names.count)]
            files[name] = mutation(files[name] ?? [])
            let request = DefinitionRequest(engine: .wdlLenient, main: "main.wdl")
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

    /// Texts that grow, nest or loop, each with what must be left of it.
    @Test(
        "ends for texts made to be endless",
        arguments: [
            "call t { input: docker = " + String(repeating: "(", count: 50_000),
            "call t { input: docker = " + String(repeating: "[", count: 50_000) + "}",
            "String x = " + String(repeating: "!", count: 50_000) + "true",
            "String x = \"" + String(repeating: "~{\"", count: 20_000),
            String(repeating: "if (true) { ", count: 20_000),
            String(repeating: "meta {\n", count: 30_000),
            String(repeating: "Array[\n", count: 30_000),
            String(repeating: "command { x }\n", count: 10_000),
            "command { " + String(repeating: "}#", count: 500_000),
            "String x = " + Array(repeating: "\"a\"", count: 40_000).joined(separator: " + "),
            "String x = " + String(repeating: "if true then ", count: 20_000),
            "String x = a" + String(repeating: ".b", count: 50_000),
            "String x = sub(\"" + String(repeating: "a", count: 5_000) + "\", \"(a*)*b|((a{9}){9}){9}\", \"\")\n"
                + "call t as v { input: docker = x }",
            "String x = sub(\"a\", \"" + String(repeating: "(?:", count: 30) + String(repeating: "){99}", count: 30)
                + "\", \"\")\ncall t as v { input: docker = x }",
            String(repeating: "scatter (i in range(2000)) { ", count: 6) + "call t as v",
        ]
    )
    func endless(_ text: String) throws {
        let inspection = try inspectWDL("version 1.1\n" + wdlTask("t", "kept:1") + "workflow w {\n call t\n\(text)\n")
        #expect(inspection.wdlTexts().contains("kept:1"))
    }

    @Test("ends for values that double, chains that are long, and workflows that call two of the next")
    func growth() throws {
        var declarations = "String s0 = \"aaaaaaaa\"\nArray[Array[String]] a0 = [[\"x\"]]\n"
        for index in 1..<60 {
            declarations += "String s\(index) = s\(index - 1) + s\(index - 1)\n"
            declarations += "Array[Array[String]] a\(index) = flatten([a\(index - 1), a\(index - 1)])\n"
            declarations += "Array[Array[String]] n\(index) = [n\(index - 1), n\(index - 1)]\n"
        }
        for index in 1..<3_000 { declarations += "String c\(index) = \"~{c\(index + 1)}x\"\n" }
        let uses = ["s59", "a59[0]", "n59", "c1", "if n59 == n58 then 'a:1' else 'b:1'"]
            .enumerated().map { "call t as t\($0) { input: docker = \($1) }\n" }.joined()
        let start = "version 1.1\nworkflow w {\nArray[Array[String]] n0 = [[\"x\"]]\nString c3000 = \"\"\n"
        let inspection = try inspectWDL(start + declarations + uses + "call t }\n" + taskOfInput)
        #expect(inspection.wdlTexts() == ["task/default:1"])
        #expect(!inspection.unresolved.isEmpty)

        var files = ["w24.wdl": "version 1.0\nworkflow w { call t }\n" + wdlTask("t", "deep:1")]
        for level in 0..<24 {
            files["w\(level).wdl"] =
                "version 1.0\nimport \"w\(level + 1).wdl\" as n\nworkflow w { call n.w as a  call n.w as b }\n"
        }
        let tree = try inspectWDL(files, main: "w0.wdl")
        #expect(tree.wdlTexts() == ["deep:1"])
        #expect(tree.notes.last?.message.contains("too large") == true)
    }
}
