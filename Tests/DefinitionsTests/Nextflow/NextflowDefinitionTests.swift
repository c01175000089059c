import Definitions
import Testing

@Suite("NextflowDefinition")
struct NextflowDefinitionTests {
    static func inspect(
        _ files: [String: String],
        main: String? = nil,
        _ parameters: [String: ParameterValue] = [:],
        profiles: [String] = [],
        engineVersion: String? = nil
    ) throws -> Inspection {
        try WorkflowDefinition.inspect(
            DefinitionFilesInMemory(files),
            DefinitionRequest(
                engine: .nextflow,
                main: main,
                parameters: parameters,
                profiles: profiles,
                engineVersion: engineVersion
            )
        )
    }

    static func process(_ head: String, name: String = "A") -> String {
        "process \(name) {\n\(head)\ninput:\npath x\nscript:\n\"\"\"\ncat '$x' { \"\"\"\n}\n"
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var what: String
        var script = NextflowDefinitionTests.process("") + "workflow { A(channel.of(1)) }"
        var config = ""
        var images: [String]
        var testDescription: String { what }
    }

    static let cases: [Case] = [
        Case(what: "plain text", script: process("container 'q.io/a:1'") + "workflow { A() }", images: ["q.io/a:1"]),
        Case(
            what: "a ternary on the engine over several lines, below a registry",
            script: process(
                """
                container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
                    'https://depot.io/a' :
                    'bio/a:1' }"
                """
            ) + "workflow { A() }",
            config: "docker.registry = 'quay.io'",
            images: ["quay.io/bio/a:1"]
        ),
        Case(
            what: "a ternary with in",
            script: process(
                "container \"${workflow.containerEngine in ['singularity', 'apptainer'] ? 'x' : 'q.io/b:2'}\""
            )
                + "workflow { A() }",
            images: ["q.io/b:2"]
        ),
        Case(what: "process.container", config: "process.container = 'q.io/d:1'", images: ["q.io/d:1"]),
        Case(
            what: "a profile that is not named",
            config: "profiles { standard { process.container = 'q.io/s:1' }\n"
                + "docker { process.container = 'q.io/x:1' } }",
            images: ["q.io/s:1"]
        ),
        Case(
            what: "labels below names",
            script: process("label 'big'\ncontainer 'q.io/o:1'") + "workflow { A() }",
            config: "process { withName: 'A|B' { container = 'q.io/n:1' }\nwithLabel:big { container = 'q.io/l:1' } }",
            images: ["q.io/n:1"]
        ),
        Case(
            what: "a qualified name above an alias above a name",
            script: process("container 'q.io/o:1'") + "workflow W { A() }\nworkflow { W() \n A() }",
            config: "process { withName: '.*:A' { container = 'q.io/w:1' }\nwithName: A { container = 'q.io/n:1' } }",
            images: ["q.io/n:1", "q.io/w:1"]
        ),
        Case(
            what: "a closure of the configuration with task.ext",
            config: "process { ext.image = 'q.io/e:1'\nwithName: '!B' { container = { task.ext.image } } }",
            images: ["q.io/e:1"]
        ),
        Case(
            what: "parameters in nested scopes",
            config: "params { wf { tag = '7' } }\nprocess.container = \"q.io/p:${params.wf.tag}\"",
            images: ["q.io/p:7"]
        ),
        Case(
            what: "directives in branches",
            script: process("if (params.gpu) {\ncontainer 'q.io/g:1'\n} else {\ncontainer 'q.io/c:1'\n}")
                + "workflow { A() }",
            config: "params.gpu = false",
            images: ["q.io/c:1"]
        ),
        Case(
            what: "a pipe",
            script: process("container 'q.io/a:1'") + "workflow { channel.of(1) | A | view }",
            images: ["q.io/a:1"]
        ),
        Case(
            what: "a call from a function",
            script: process("container 'q.io/a:1'") + "def f(Map m) {\n return A(m.x)\n}\nworkflow { f([x: 1]) }",
            images: ["q.io/a:1"]
        ),
        Case(
            what: "a process that is never called",
            script: process("container 'q.io/a:1'") + process("container 'q.io/b:1'", name: "B") + "workflow { A() }",
            images: ["q.io/a:1"]
        ),
        Case(what: "a script without workflow", script: process("container 'q.io/a:1'"), images: ["q.io/a:1"]),
        Case(
            what: "the environment HealthOmics sets",
            config: "if (\"$AWS_WORKFLOW_RUN\") { process.container = 'q.io/h:1' }\nelse { process.container = 'n:1' }",
            images: ["q.io/h:1"]
        ),
        Case(
            what: "a registry in place of another",
            config: "process.container = 'q.io/a/b:1'\ndocker { registry = 'r.io'\nregistryOverride = true }",
            images: ["r.io/a/b:1"]
        ),
        Case(
            what: "a value known only in the run: both ways",
            script: process("container \"${task.hash ? 'q.io/a:1' : 'q.io/b:1'}\"") + "workflow { A() }",
            images: ["q.io/a:1", "q.io/b:1"]
        ),
    ]

    @Test("reads", arguments: cases)
    func reads(_ example: Case) throws {
        let result = try Self.inspect(["main.nf": example.script, "nextflow.config": example.config])
        #expect(result.images.map(\.text) == example.images)
        #expect(result.unresolved.isEmpty)
    }

    @Test("follows includes under aliases, and configurations beside the main file")
    func follows() throws {
        let result = try Self.inspect(
            [
                "wf/main.nf": "include { A as ONE; A as TWO } from './lib/a'\nworkflow {\n ONE()\n TWO()\n}",
                "wf/lib/a/main.nf": Self.process("container 'q.io/a:1'"),
                "wf/nextflow.config": "includeConfig 'conf/x.config'",
                "wf/conf/x.config": "process { withName: 'TWO' { container = 'q.io/two:1' } }",
                "nextflow.config": "process.container = 'q.io/wrong:1'",
            ],
            main: "wf/main.nf"
        )
        #expect(result.images.map(\.text) == ["q.io/a:1", "q.io/two:1"])
        #expect(result.images.map(\.tasks) == [["ONE"], ["TWO"]])
        #expect(result.images[0].places.contains(.source(file: "wf/lib/a/main.nf", line: 2)))
    }

    @Test("lets the run's parameters win, and names what is missing")
    func parameters() throws {
        let files = [
            "main.nf": Self.process("") + "workflow { A() }",
            "nextflow.config": "params.tag = null\nprocess.container = \"q.io/p:${params.tag}\"",
        ]
        let without = try Self.inspect(files)
        #expect(without.images.isEmpty)
        #expect(without.unresolved.map(\.place) == [.source(file: "nextflow.config", line: 2)])
        #expect(without.unresolved.first?.missing.contains("`tag`") == true)
        let with = try Self.inspect(files, ["tag": .string("9")])
        #expect(with.images.map(\.text) == ["q.io/p:9"])
        #expect(with.relevantParameters == ["tag"])
    }

    @Test("applies profiles in the configuration's order before 26", arguments: [("25.10.0", "b"), ("26.04.0", "a")])
    func profiles(_ version: String, _ winner: String) throws {
        let config =
            "profiles { a { process.container = 'q.io/a:1' }\n b { process.container = 'q.io/b:1' } }"
        let result = try Self.inspect(
            ["main.nf": Self.process("") + "workflow { A() }", "nextflow.config": config],
            profiles: ["b", "a"],
            engineVersion: version
        )
        #expect(result.images.map(\.text) == ["q.io/\(winner):1"])
    }

    @Test("notes what is remote or outside, and reads on")
    func notes() throws {
        let result = try Self.inspect([
            "main.nf": Self.process("container 'q.io/a:1'") + "workflow { A() }",
            "nextflow.config": "includeConfig 'https://x.io/a.config'\nincludeConfig '../../secret'\n}}} = (\n",
        ])
        #expect(result.images.map(\.text) == ["q.io/a:1"])
        #expect(result.notes.contains { $0.message.contains("remote") })
        #expect(result.notes.contains { $0.message.contains("outside") })
    }

    @Test(
        "says why an image cannot be known",
        arguments: [
            ("container params.image", "parameter `image` has no default"),
            ("container task.ext.image", "`task.ext.image` is not set for A"),
            ("container \"${workflow.sessionId}\"", "`workflow.sessionId` is known only when the run is under way"),
            ("container (((", "it could not be read"),
            ("container 'https://depot.io/a'", "is not an image reference"),
            ("container 'images/a.sif'", "is not an image reference"),
            ("container '{{a:latest}}'", "is not an image reference"),
        ]
    )
    func missing(_ head: String, _ why: String) throws {
        let result = try Self.inspect(["main.nf": Self.process(head) + "workflow { A() }"])
        #expect(result.images.isEmpty)
        #expect(result.unresolved.map(\.place) == [.source(file: "main.nf", line: 2)])
        #expect(result.unresolved.map(\.tasks) == [["A"]])
        #expect(result.unresolved.first?.missing.contains(why) == true)
    }

    @Test("does not take an older value where a setting of the container cannot be read")
    func brokenSetting() throws {
        let result = try Self.inspect([
            "main.nf": Self.process("container 'q.io/a:1'") + "workflow { A() }",
            "nextflow.config": "process { withName: A { container = ((( } }",
        ])
        #expect(result.images.isEmpty)
        #expect(result.unresolved.map(\.place) == [.source(file: "nextflow.config", line: 1)])
    }

    @Test("names every place that decided an image")
    func places() throws {
        let result = try Self.inspect(
            [
                "main.nf": Self.process("container \"${task.ext.image}\"") + "workflow { A() }",
                "nextflow.config": "includeConfig 'b.config'\ndocker.registry = params.registry",
                "b.config": "process {\n withName: A {\n ext.image = 'a/b:1'\n }\n}",
            ],
            ["registry": .string("r.io")]
        )
        #expect(result.images.map(\.text) == ["r.io/a/b:1"])
        let places = Set(result.images.first?.places ?? [])
        #expect(
            places.isSuperset(of: [
                .source(file: "main.nf", line: 2), .source(file: "b.config", line: 3),
                .source(file: "nextflow.config", line: 2), .parameter(path: "registry"),
            ])
        )
        #expect(result.relevantParameters == ["registry"])
    }

    @Test(
        "does not guess images that Wave would make",
        arguments: [
            ("wave.enabled = true\nwave.strategy = 'conda,container'", 0, 1),
            ("wave.enabled = true\nwave.strategy = ['container', 'conda']", 1, 0),
            ("wave.enabled = true", 1, 0),
            ("wave.strategy = 'conda'", 1, 0),
        ]
    )
    func wave(_ config: String, _ images: Int, _ unresolved: Int) throws {
        let result = try Self.inspect([
            "main.nf": Self.process("conda 'bioconda::a'\ncontainer 'q.io/a:1'") + "workflow { A() }",
            "nextflow.config": config,
        ])
        #expect(result.images.count == images)
        #expect(result.unresolved.count == unresolved)
    }

    @Test(
        "reports a call of what a script would define that is not read",
        arguments: [
            "https://x.io/b.nf", "../outside/b", "./none", "${workflow.start}",
        ]
    )
    func unread(_ path: String) throws {
        let result = try Self.inspect([
            "main.nf": "include { B ; C } from \"\(path)\"\n" + Self.process("container 'q.io/a:1'")
                + "workflow {\n A()\n B()\n}"
        ])
        #expect(result.images.map(\.text) == ["q.io/a:1"])
        #expect(result.unresolved.map(\.place) == [.source(file: "main.nf", line: 1)])
        #expect(result.unresolved.map(\.tasks) == [["B"]])
        #expect(result.unresolved.first?.missing.contains("script") == true)
        #expect(result.notes.count == 1)
    }
}
