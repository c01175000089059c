import Definitions
import Testing

@Suite("Damaged and hostile Nextflow")
struct NextflowFuzzTests {
    private static let files = [
        "main.nf": """
        include { B as C } from './lib/b' addParams(u: 'w', *: params)
        if (params.none) { include { B } from './lib/b' } else { include { B } from './main' }
        m = [:]
        [1, 2].each { m[it] = "a${it}" }
        params.tag = '1'
        process A {
            label 'x'
            container "${ workflow.containerEngine == 'docker' ? "q.io/a:${params.tag}" : 'no' }"
            script:
            \"\"\"
            cat $x
            \"\"\"
        }
        def f(Map m) { return A(m.x ?: [1, 2].collect { it + 1 }) }
        workflow W { C() | view }
        workflow { f([x: 1]) ; W() }
        """,
        "lib/b.nf":
            "params.u = 'v'\ndef g(x = 1, y: String = 'z') { x }\nprocess B {\n container { task.ext.image }\n input:\n path x\n}",
        "nextflow.config": """
        params { wf { sha = 'a' } ; gpu = false }
        includeConfig params.gpu ? 'x.config' : '/dev/null'
        process {
            withName: '(.+:)?C|D' { ext.image = { "q.io/c:${params.wf.sha}" } }
            withLabel:x { cpus = 2 * 3 - 1 }
        }
        profiles { standard { docker { registry = 'r.io' } } }
        if (params.gpu && !System.getenv('X')) { process.container = 'e:1' } else { env.X = [a: 1] }
        """,
    ]

    @Test("a name that scripts include from themselves and each other, many times, is looked for once in each")
    func circles() throws {
        let own = String(
            repeating: "if (params.a) { include { B } from './main' } else { include { B } from './b' }\n",
            count: 9
        )
        let other = String(
            repeating: "if (params.a) { include { B } from './b' } else { include { B } from './main' }\n",
            count: 9
        )
        let files = DefinitionFilesInMemory(
            bytes: ["main.nf": Array((own + "workflow { B() }\n").utf8), "b.nf": Array(other.utf8)]
        )
        let found = try? WorkflowDefinition.inspect(files, DefinitionRequest(engine: .nextflow, main: "main.nf"))
        #expect(found?.images.isEmpty == true)
    }

    @Test("ends with an answer or an error, and names no image that is none")
    func ends() {
        let seeds = Self.files.mapValues { Array($0.utf8) }
        let names = seeds.keys.sorted()
        var mutation = Mutation(
            seed: 11,
            tokens: [
                "{", "}", "(", ")", "[", "]", "\"", "'", "\"\"\"", "'''", "${", "$", "/", "$/", "/$", "/*", "//", "->",
                "?:", "? ", " : ", " = ", "+=", "..", "*.", "?.", "\n", "\\", "!", "-", ".", ",", ";", "if (", "else ",
                "process A {", "workflow {", "include { A } from './main'", "includeConfig 'nextflow.config'", "def ",
                "withName: '(a|b)*' {", "switch (x) { case ", "for (x in 1..9) {", "9223372036854775807", "1e999",
                "\u{0}", "é", "container ", "params.x", "task.ext.y", " instanceof ", " as ", "return ", "try {",
            ]
        )
        var images = 0
        for _ in 0..<fuzzCount {
            var files = seeds
            let name = names[mutation.next(below: names.count)]
            files[name] = mutation(files[name] ?? [])
            let request = DefinitionRequest(engine: .nextflow, main: "main.nf")
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
            #expect(inspection.unresolved.allSatisfy { $0.expression.count <= 200 && !$0.missing.isEmpty })
        }
        #expect(images > fuzzCount / 2)
    }

    @Test(
        "ends for texts made to be endless",
        arguments: [
            "process.container = " + String(repeating: "(", count: 50_000),
            "process.container = " + String(repeating: "[", count: 50_000),
            "process.container = " + String(repeating: "!", count: 50_000) + "true",
            "process.container = \"" + String(repeating: "${\"", count: 20_000),
            "x = " + Array(repeating: "'a'", count: 50_000).joined(separator: " + "),
            "x = a" + String(repeating: ".b", count: 50_000),
            String(repeating: "if (x) { ", count: 20_000),
            String(repeating: "a { ", count: 20_000),
            "x = 'a'\n" + String(repeating: "x = x + x\n", count: 200) + "process.container = x",
            "f = { f() }\nprocess.container = { f() + f() }",
            "process { withName: '((a*)*)*b' { container = 'a:1' } }",
            "includeConfig 'nextflow.config'",
            "x = 1..9999\ny = x.collect { a -> x.collect { b -> x.collect { c -> a + b + c } } }",
            "def f(n) { f(n + 1) + f(n + 2) }\nprocess.container = f(1)",
            "process {\n" + (0..<20_000).map { "withName: '.*b\($0)' { container = 'x:\($0)' }\n" }.joined() + "}",
            "if (launchDir) { process.cpus = 1 } else { process.cpus = 2 }\n"
                + String(repeating: "a.b = 1\n", count: 99),
            "x = [" + String(repeating: "1,", count: 2_000_000) + "]",
            "x = \"" + String(repeating: "$a", count: 2_000_000) + "\"",
            "def f(a: " + String(repeating: "Map<", count: 50_000) + ") { }",
            "m = [:]\n" + String(repeating: "m[m] = m\n", count: 200),
        ]
    )
    func endless(_ config: String) throws {
        let result = try WorkflowDefinition.inspect(
            DefinitionFilesInMemory([
                "main.nf": "process A {\n container 'q.io/a:1'\n input:\n path x\n}\nworkflow { A() }",
                "nextflow.config": config,
            ]),
            DefinitionRequest(engine: .nextflow)
        )
        // What the script says plainly is found, whatever the configuration is.
        #expect(result.images.map(\.text) == ["q.io/a:1"])
    }

    @Test("ends for scripts that include each other with ever new parameters")
    func cycles() throws {
        let result = try WorkflowDefinition.inspect(
            DefinitionFilesInMemory([
                "main.nf": "include { A as X } from './m' addParams(n: 0)\nworkflow { X() }",
                "m.nf": """
                include { A as B } from './m' addParams(n: params.n + 1)
                include { A as C } from './m' addParams(n: params.n + 2)
                process A {
                    container 'q.io/a:1'
                    input:
                    path x
                }
                """,
            ]),
            DefinitionRequest(engine: .nextflow)
        )
        #expect(result.images.map(\.text) == ["q.io/a:1"])
        #expect(result.notes.contains { $0.message.contains("too many scripts") })
    }

    @Test("ends for workflows that call each other ever more often")
    func calls() throws {
        let workflows = (0..<70).map {
            "workflow W\($0) {\n W\($0 + 1)()\n V\($0)()\n}\nworkflow V\($0) { W\($0 + 1)() }\n"
        }
        let script =
            workflows.joined() + "process A {\n container 'q.io/a:1'\n input:\n path x\n}\n"
            + "workflow {\n A()\n W0()\n}"
        let result = try WorkflowDefinition.inspect(
            DefinitionFilesInMemory(["main.nf": script]),
            DefinitionRequest(engine: .nextflow)
        )
        #expect(result.images.map(\.text) == ["q.io/a:1"])
        #expect(result.notes.contains { $0.message.contains("calls are not followed further") })
    }
}
