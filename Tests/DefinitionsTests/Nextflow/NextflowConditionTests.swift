import Definitions
import Testing

@Suite("Nextflow: conditions on what is known")
struct NextflowConditionTests {
    /// A script with processes A to D, whose images are `q.io/a:1` to `q.io/d:1`, and how sure each image is.
    struct Example: CustomTestStringConvertible, Sendable {
        let what: String
        var script: String
        var config = ""
        var files: [String: String] = [:]
        var parameters: [String: ParameterValue] = ["run": .bool(true)]
        var profiles: [String] = []
        var certain = ""
        var alternative = ""
        var inactive = ""
        /// Parameters that it has to depend on.
        var relevant: [String] = []

        var testDescription: String { what }

        static func process(_ letter: String, _ more: String = "") -> String {
            """
            process \(letter.uppercased()) {
             container 'q.io/\(letter):1'
             input:
             val x
            \(more)
             script:
             'x'
            }

            """
        }

        static let processes = ["a", "b", "c", "d"].map { process($0) }.joined()

        func inspect() throws -> Inspection {
            let script = script.contains("process A") ? script : Self.processes + script
            let all = files.merging(["main.nf": script, "nextflow.config": config]) { own, _ in own }
            return try WorkflowDefinition.inspect(
                DefinitionFilesInMemory(all),
                DefinitionRequest(engine: .nextflow, parameters: parameters, profiles: profiles)
            )
        }

        func check() throws {
            let result = try inspect()
            for certainty in Certainty.allCases {
                let found = result.images.filter { $0.certainty == certainty }.map(\.text).sorted()
                let wanted =
                    switch certainty {
                    case .certain: certain
                    case .alternative: alternative
                    case .inactive: inactive
                    }
                #expect(found == wanted.map { "q.io/\($0):1" }, "\(certainty)")
            }
            #expect(result.images.allSatisfy { ($0.reason == nil) == ($0.certainty == .certain) })
            #expect(Set(result.relevantParameters).isSuperset(of: relevant))
        }
    }

    static let calls: [Example] = [
        Example(
            what: "if and else",
            script: "workflow { if (params.x == 'a') { A(1) } else if (params.x == 'b') { B(1) } else { C(1) } }",
            config: "params.x = 'b'",
            certain: "b",
            inactive: "ac",
            relevant: ["x"]
        ),
        Example(
            what: "if without braces",
            script: "workflow {\n if (params.x)\n  A(1)\n else\n  B(1)\n C(1)\n}",
            certain: "bc",
            inactive: "a"
        ),
        Example(
            what: "the run's value over the configuration's",
            script: "workflow { if (params.x) A(1) else B(1) }",
            config: "params.x = false",
            parameters: ["x": .bool(true)],
            certain: "a",
            inactive: "b"
        ),
        Example(
            what: "the text false is true",
            script: "workflow { if (params.x) A(1) else B(1) }",
            parameters: ["x": .string("false")],
            certain: "a",
            inactive: "b"
        ),
        Example(
            what: "a channel decides",
            script: "workflow { ch = channel.of(1)\n if (ch.count() > 1) A(1) else B(1)\n C(1) }",
            certain: "c",
            alternative: "ab"
        ),
        Example(
            what: "short circuits on the side that is known",
            script: """
                workflow {
                 if (params.no && ch) A(1)
                 if (ch && params.no) B(1)
                 if (params.yes || ch) C(1)
                 if (!(ch || params.yes)) D(1)
                }
                """,
            config: "params { no = false; yes = true }",
            certain: "c",
            inactive: "abd",
            relevant: ["no", "yes"]
        ),
        Example(
            what: "what only one side leaves open",
            script: "workflow { if (params.yes && ch) A(1)\n if (ch || params.no) B(1)\n if (!ch) C(1) }",
            config: "params { no = false; yes = true }",
            alternative: "abc"
        ),
        Example(
            what: "ternaries, elvis and operators around calls",
            script: """
                workflow {
                 x = params.no ? A(1) : B(1)
                 y = params.no ?: C(1)
                 params.no && D(1)
                }
                """,
            config: "params.no = false",
            certain: "bc",
            inactive: "ad"
        ),
        Example(
            what: "switch",
            script: """
                workflow {
                 switch (params.x) {
                  case 'a': A(1); break
                  case ['b', 'c']: B(1); break
                  default: C(1)
                 }
                }
                """,
            config: "params.x = 'c'",
            certain: "b",
            inactive: "ac"
        ),
        Example(
            what: "switch that falls through",
            script: """
                workflow {
                 switch (params.x) {
                  case 'a': A(1)
                  case 'b': B(1); break
                  case ~/c.*/: C(1); break
                  default: D(1)
                 }
                }
                """,
            config: "params.x = 'a'",
            certain: "ab",
            inactive: "cd"
        ),
        Example(
            what: "switch on a pattern, a list of other values and the default",
            script: """
                workflow {
                 switch (params.x) {
                  case 'a': A(1); break
                  case ~/c.*/: C(1); break
                  default: D(1)
                 }
                 switch (params.y) { case 1: B(1); break }
                }
                """,
            config: "params { x = 'cc'; y = 2 }",
            certain: "c",
            inactive: "abd"
        ),
        Example(
            what: "switch on what is not known",
            script: "workflow { switch (ch) { case 'a': A(1); break\n default: B(1) } }",
            alternative: "ab"
        ),
        Example(
            what: "a break below a condition",
            script: """
                workflow {
                 switch (params.x) {
                  case 'a':
                   if (ch) break
                   A(1)
                  case 'b': B(1)
                 }
                }
                """,
            config: "params.x = 'a'",
            alternative: "",
            inactive: ""
        ),
        Example(
            what: "early return",
            script: "workflow { A(1)\n if (params.stop) { B(1)\n return }\n C(1) }",
            config: "params.stop = true",
            certain: "ab",
            inactive: "c",
            relevant: ["stop"]
        ),
        Example(
            what: "no early return",
            script: "workflow { A(1)\n if (params.stop) { B(1)\n return }\n C(1) }",
            config: "params.stop = false",
            certain: "ac",
            inactive: "b"
        ),
        Example(
            what: "a return that is not known",
            script: "workflow { A(1)\n if (ch) { return }\n C(1) }",
            certain: "a",
            alternative: "c"
        ),
        Example(
            what: "the run ends",
            script: "workflow { A(1)\n if (params.stop) { System.exit(0) }\n C(1) }",
            config: "params.stop = true",
            certain: "a",
            inactive: "c"
        ),
        Example(
            what: "an error that ends a run leaves what follows, since else nothing is needed",
            script: "workflow { A(1)\n if (ch) { error 'no' }\n C(1) }",
            certain: "ac"
        ),
        Example(
            what: "the script ends before any workflow",
            script: "if (params.help) { log.info 'x'\n exit 0 }\nworkflow { A(1) }",
            config: "params.help = true",
            inactive: "a"
        ),
        Example(
            what: "the script does not end",
            script: "if (params.help) { log.info 'x'\n exit 0 }\nworkflow { A(1) }",
            config: "params.help = false",
            certain: "a"
        ),
        Example(
            what: "lists and texts",
            script: """
                workflow {
                 if (params.tools.split(',').contains('x')) A(1)
                 if (params.tools && params.tools.tokenize(',').any { it == 'z' }) B(1)
                 if (params.step in ['one', 'two']) C(1)
                 if (!(params.step in ['one', 'two']) || params.step.toLowerCase().startsWith('T')) D(1)
                }
                """,
            config: "params { tools = 'x,y'; step = 'one' }",
            certain: "ac",
            inactive: "bd",
            relevant: ["tools", "step"]
        ),
        Example(
            what: "a text in a text is not `in`",
            script: "workflow { if ('x' in params.tools) A(1) else B(1) }",
            config: "params.tools = 'x,y'",
            certain: "b",
            inactive: "a"
        ),
        Example(
            what: "a text with placeholders in a list of plain ones",
            script: "workflow { if (\"${params.x}\" in ['x']) A(1) else B(1) }",
            config: "params.x = 'x'",
            alternative: "ab"
        ),
        Example(
            what: "variables on the way",
            script: """
                workflow {
                 def tools = params.tools ? params.tools.split(',') : []
                 def isOn = false
                 if ('a' in tools) { isOn = true }
                 if (isOn) A(1)
                 def count = 0
                 tools.each { count++ }
                 if (count > 1) B(1)
                }
                """,
            config: "params.tools = 'c'",
            inactive: "ab",
            relevant: ["tools"]
        ),
        Example(
            what: "variables that what is not known may change",
            script: """
                workflow {
                 def one = false
                 def two = []
                 def three = false
                 def four = false
                 ch.map { one = true }
                 for (x in ch) { two << x }
                 while (four) { three = true }
                 try { four = check() } catch (e) { four = true }
                 if (one) A(1)
                 if (two) B(1)
                 if (three) C(1)
                 if (four) D(1)
                }
                """,
            alternative: "abcd"
        ),
        Example(
            what: "a loop with a way out",
            script: """
                workflow {
                 def last = 0
                 for (n in [1, 2, 3]) { if (n == 2) break
                  last = n }
                 if (last == 3) A(1)
                 for (n in []) { B(1) }
                 for (n in [1]) { C(1) }
                }
                """,
            certain: "c",
            alternative: "a",
            inactive: "b"
        ),
        Example(
            what: "loops over what is known, round by round",
            script: """
                def go(what) { if (what == 'a') { A(1) } else if (what == 'd') { D(1) } }
                workflow {
                 params.tools.split(',').each { tool ->
                  if (tool == 'b') { B(1) }
                  if (tool == 'c') { C(1) }
                  go(tool)
                 }
                 for (tool in params.tools.tokenize(',')) { if (tool == 'x') { D(1) } }
                }
                """,
            config: "params.tools = 'a,b,e,f,g'",
            certain: "ab",
            alternative: "d",
            inactive: "c",
            relevant: ["tools"]
        ),
        Example(
            what: "a loop over nothing that is known",
            script: "workflow { [].each { A(1) }\n ch.each { B(1) } }",
            certain: "b",
            inactive: "a"
        ),
        Example(
            what: "functions that answer by parameters",
            script: """
                def wants(name) {
                 if (params.all) { return true }
                 return params.tools.contains(name)
                }
                workflow { if (wants('a')) A(1)
                 if (wants('b')) B(1) }
                """,
            config: "params { all = false; tools = ['b'] }",
            certain: "b",
            inactive: "a",
            relevant: ["all", "tools"]
        ),
        Example(
            what: "calls from functions, by their arguments",
            script: """
                def go(what) { if (what == 'a') { A(1) } else { B(1) } }
                workflow { go('a')
                 if (params.no) go('b') }
                """,
            config: "params.no = false",
            certain: "a",
            inactive: "b"
        ),
        Example(
            what: "a function that is called with several arguments",
            script: """
                def go(what) { if (what == 'a') { A(1) } else { B(1) } }
                workflow { go('a')
                 go('b') }
                """,
            certain: "ab"
        ),
        Example(
            what: "what a workflow is called with",
            script: """
                workflow W {
                 take: ch
                 tool
                 main:
                 if (tool == 'a') { A(ch) }
                 if (ch) { B(1) }
                 emit:
                 x = params.no ? C(1) : 1
                }
                workflow { W(channel.of(1), params.tool) }
                """,
            config: "params { tool = 'z'; no = false }",
            alternative: "b",
            inactive: "ac"
        ),
        Example(
            what: "a workflow that is called from several places has its surest standing",
            script: """
                workflow W { A(1) }
                workflow { if (params.no) { W() } else { W() }
                 if (params.no) B(1)
                 if (ch) B(1) }
                """,
            config: "params.no = false",
            certain: "a",
            alternative: "b"
        ),
        Example(
            what: "a workflow below conditions",
            script: """
                workflow W { A(1)
                 if (ch) B(1)
                 if (params.no) C(1) }
                workflow V { D(1) }
                workflow { if (ch) W()
                 if (params.no) V() }
                """,
            config: "params.no = false",
            alternative: "ab",
            inactive: "cd"
        ),
        Example(
            what: "profiles",
            script: """
                workflow { if (workflow.profile.contains('big')) A(1)
                 if (params.x) B(1) else C(1) }
                """,
            config: "profiles { big { params.x = true } }",
            parameters: [:],
            profiles: ["big"],
            certain: "ab",
            inactive: "c"
        ),
        Example(
            what: "a statement that cannot be read",
            script: """
                workflow {
                 def on = false
                 on = ? 7
                 if (on) A(1)
                 if (params.no) B(1)
                }
                """,
            config: "params.no = false",
            alternative: "a",
            inactive: "b"
        ),
        Example(
            what: "functions of one name",
            script: """
                def wants(a) { false }
                def wants(a, b) { B(1)
                 true }
                workflow { if (wants(1, 2)) A(1) }
                """,
            certain: "b",
            alternative: "a"
        ),
        Example(
            what: "what a file is asked",
            script: "workflow { if (file(params.x).isEmpty()) A(1)\n if (params.y.toBoolean()) B(1) }",
            parameters: ["x": .string("s3://a/b"), "y": .bool(false)],
            alternative: "a",
            inactive: "b"
        ),
        Example(
            what: "a parameter that a workflow sets",
            script: """
                workflow { params.late = 'x'
                 if (params.late) A(1)
                 if (params.x) B(1) }
                """,
            alternative: "a",
            inactive: "b"
        ),
        Example(
            what: "named workflows alone run nothing",
            script: "workflow W { A(1) }\nworkflow V { B(1) }"
        ),
    ]

    @Test("decide calls", arguments: calls.filter { $0.what != "a break below a condition" })
    func decidesCalls(_ example: Example) throws { try example.check() }

    static let definitions: [Example] = [
        Example(
            what: "an include below a false condition is not followed",
            script: """
                if (params.x) {
                 include { B } from './b'
                }
                process A {
                 container 'q.io/a:1'
                 script:
                 'x'
                }
                workflow { A(1)
                 if (params.x) { B(1) } }
                """,
            config: "params.x = false",
            files: ["b.nf": Example.process("b")],
            certain: "a"
        ),
        Example(
            what: "an include in a workflow's branch that is not taken",
            script: """
                process A {
                 container 'q.io/a:1'
                 script:
                 'x'
                }
                workflow { A(1)
                 if (params.x) {
                  include { B } from './b'
                  B(1)
                 } else {
                  include { C } from './c'
                  C(1)
                 } }
                """,
            config: "params.x = false",
            files: ["b.nf": Example.process("b"), "c.nf": Example.process("c")],
            certain: "ac"
        ),
        Example(
            what: "processes of one name in two branches",
            script: """
                if (params.x) {
                 process A {
                  container 'q.io/a:1'
                  script:
                  'x'
                 }
                } else {
                 process A {
                  container 'q.io/b:1'
                  script:
                  'x'
                 }
                }
                workflow { A(1) }
                """,
            config: "params.x = false",
            certain: "b"
        ),
        Example(
            what: "processes of a script without workflow",
            script: """
                if (params.x) {
                 process A {
                  container 'q.io/a:1'
                  script:
                  'x'
                 }
                } else {
                 process B {
                  container 'q.io/b:1'
                  script:
                  'x'
                 }
                }
                """,
            config: "params.x = false",
            certain: "b",
            inactive: "a"
        ),
        Example(
            what: "what is set in a branch that is not taken",
            script: """
                tool = 'a'
                if (params.x) {
                 tool = 'b'
                 include { B } from './b'
                }
                process A {
                 container "q.io/${tool}:1"
                 script:
                 'x'
                }
                workflow { A(1) }
                """,
            config: "params.x = false",
            files: ["b.nf": Example.process("b")],
            certain: "a"
        ),
    ]

    @Test("decide definitions", arguments: definitions)
    func decidesDefinitions(_ example: Example) throws { try example.check() }

    static let processes: [Example] = [
        Example(
            what: "when",
            script: Example.process("a", " when:\n params.x == 'a'") + Example.process("b", " when:\n !params.x")
                + Example.process("c", " when: x.size() > 1") + Example.process("d", " when:\n params.x && x")
                + "workflow { A(1); B(1); C(1); D(1) }",
            config: "params.x = 'a'",
            certain: "a",
            alternative: "cd",
            inactive: "b",
            relevant: ["x"]
        ),
        Example(
            what: "ext.when",
            script: ["a", "b", "c", "d"].map {
                Example.process($0, " when:\n task.ext.when == null || task.ext.when")
            }.joined() + "workflow { A(1); B(1); C(1); D(1) }",
            config: """
                params.no = false
                process {
                 withName: 'A' { ext.when = { params.no } }
                 withName: 'B' { ext.when = { !params.no } }
                 withName: 'C' { ext.when = { meta.id } }
                }
                """,
            certain: "bd",
            alternative: "c",
            inactive: "a",
            relevant: ["no"]
        ),
        Example(
            what: "an input that hides a variable",
            script: "flag = false\n" + Example.process("a", " val flag\n when:\n flag") + "workflow { A(1, 2) }",
            alternative: "a"
        ),
    ]

    @Test("decide processes", arguments: processes)
    func decidesProcesses(_ example: Example) throws { try example.check() }

    private static let schema = """
        {"$defs": {"io": {"required": ["input"], "properties": {
         "input": {"type": "string", "format": "file-path"}, "tool": {"type": "string"},
         "registry": {"type": "string"}}}}}
        """

    static let anyRun: [Example] = [
        Example(
            what: "nothing given, without a schema: what has a value has it, what has none may be given",
            script: "workflow { if (params.input) A(1)\n if (params.no) B(1)\n if (params.yes) C(1) else D(1) }",
            config: "params { input = null; no = false; yes = true }",
            parameters: [:],
            certain: "c",
            alternative: "a",
            inactive: "bd"
        ),
        Example(
            what: "nothing given, with a schema: what it declares may be given",
            script: """
                workflow { if (params.input) A(1)
                 if (params.tool == 'b') B(1) else C(1)
                 if (params.no) D(1) }
                """,
            config: "params { tool = 'c'; no = false }",
            files: ["nextflow_schema.json": schema],
            parameters: [:],
            certain: "c",
            alternative: "ab",
            inactive: "d"
        ),
        Example(
            what: "only what decides no call, with a schema",
            script: "workflow { if (params.tool == 'b') B(1) else C(1) }",
            config: "params.tool = 'c'",
            files: ["nextflow_schema.json": schema],
            parameters: ["registry": .string("q.io")],
            certain: "c",
            alternative: "b"
        ),
        Example(
            what: "a run's data, with a schema",
            script: "workflow { if (params.tool == 'b') B(1) else C(1) }",
            config: "params.tool = 'c'",
            files: ["nextflow_schema.json": schema],
            parameters: ["input": .string("s3://x")],
            certain: "c",
            inactive: "b"
        ),
        Example(
            what: "what decides a call, with a schema",
            script: "workflow { if (params.tool == 'b') B(1) else C(1) }",
            config: "params.tool = 'c'",
            files: ["nextflow_schema.json": schema],
            parameters: ["tool": .string("b")],
            certain: "b",
            inactive: "c"
        ),
        Example(
            what: "variables that an open parameter decides",
            script: """
                workflow {
                 def on = false
                 if (params.tool == 'b') { on = true }
                 if (on) B(1)
                 if (params.tool != 'c') { return }
                 C(1)
                }
                """,
            config: "params.tool = 'c'",
            files: ["nextflow_schema.json": schema],
            parameters: [:],
            certain: "c",
            alternative: "b"
        ),
    ]

    @Test("leave open before any run which profiles it names")
    func profiles() throws {
        var example = Example(
            what: "",
            script: "workflow { if (workflow.profile == 'big') A(1) }",
            parameters: [:],
            alternative: "a"
        )
        try example.check()
        #expect(try example.inspect().relevantParameters.isEmpty)
        example.parameters = ["run": .bool(true)]
        example.alternative = ""
        example.inactive = "a"
        try example.check()
    }

    @Test("keep before any run what a run may turn on", arguments: anyRun)
    func keepsBeforeAnyRun(_ example: Example) throws { try example.check() }

    @Test("never make a call inactive that a `break` leaves open")
    func staysOpen() throws {
        let example = try #require(Self.calls.first { $0.what == "a break below a condition" })
        let images = try example.inspect().images
        #expect(images.map(\.text) == ["q.io/a:1", "q.io/b:1"])
        #expect(images.allSatisfy { $0.certainty != .inactive })
    }

    @Test("say what decides, and where")
    func reasons() throws {
        let example = Example(
            what: "",
            script: "workflow {\n if (params.x == 'a') A(1)\n if (ch) B(1) }",
            config: "params.x = 'b'"
        )
        let images = try example.inspect().images
        let place = Example.processes.split(separator: "\n", omittingEmptySubsequences: false).count + 1
        #expect(images[0].reason == "`params.x == 'a'` (main.nf:\(place)) is false")
        #expect(images[1].reason?.hasPrefix("whether `ch` (main.nf:\(place + 1)) is true: ") == true)
    }
}
