import Definitions
import Testing

@Suite("Nextflow: the configuration")
struct NextflowConfigurationTests {
    private static func process(_ head: String, name: String = "A") -> String {
        NextflowExample.process(head, name: name)
    }

    static let examples: [NextflowExample] = [
        NextflowExample(
            "labels with alternatives",
            script: process("label 'big'") + "workflow { A(1) }\n",
            config: "process { withLabel: 'gpu|big' { container='q.io/l:1' } }",
            images: ["q.io/l:1"]
        ),
        NextflowExample(
            "a selector that is negated",
            script: process("") + process("", name: "B") + """
                workflow { A(1)
                B(1) }
                """,
            config: """
                process { withName: '!(B|C)' { container='q.io/a:1' }
                withName: B { container = 'q.io/b:1' } }
                """,
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "a selector that matches no label",
            config: "process { withLabel: '.*' { container='q.io/l:1' } }",
            images: ["q.io/l:1"]
        ),
        NextflowExample(
            "a qualified name",
            script: """
                include { W1 } from './w'
                workflow { W1() }
                """,
            config: "process { withName: '.*W1:A' { container='q.io/q:1' } }",
            files: [
                "w.nf": process("container 'q.io/o:1'") + """
                    workflow W1 { main:
                     A(1)
                    }
                    """
            ],
            images: ["q.io/q:1"]
        ),
        NextflowExample(
            "includes below the project folder",
            config: """
                includeConfig "${projectDir}/conf/a.config"
                includeConfig "$baseDir/conf/b.config"
                """,
            files: ["conf/a.config": "params.v='2'", "conf/b.config": #"process.container = "q.io/b:${params.v}""#],
            images: ["q.io/b:2"]
        ),
        NextflowExample(
            "a function",
            config: """
                def img(n, v='1') { return "q.io/${n}:${v}" }
                process { withName: A { container = img('a') } }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a parameter without a default",
            config: "process { withName: A { container = params.a } }",
            images: [],
            unresolved: 1
        ),
        NextflowExample(
            "a parameter without a default in a text",
            config: #"process { withName: A { container = "${params.a}/x:1" } }"#,
            images: [],
            unresolved: 1
        ),
        NextflowExample(
            "a map, by member",
            script: process(#"container "${params.images.a}""#) + "workflow { A(1) }\n",
            config: "params.images = [a: 'q.io/a:1']",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a map, by key",
            script: process("container params.images['a']") + "workflow { A(1) }\n",
            config: "params.images = [a: 'q.io/a:1']",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a map, by method",
            script: process("container params.images.get('a')") + "workflow { A(1) }\n",
            config: "params { images { a = 'q.io/a:1' } }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the run's own map",
            script: process("container params.images.a") + "workflow { A(1) }\n",
            config: "params { images { a = 'q.io/a:1' } }",
            parameters: ["images": .object(["a": .string("q.io/z:9")])],
            images: ["q.io/z:9"]
        ),
        NextflowExample(
            "a registry that is not given",
            script: process("container 'x/y:1'") + "workflow { A(1) }\n",
            config: "docker.registry = params.ecr_registry",
            images: ["x/y:1"]
        ),
        NextflowExample(
            "a registry that the run gives",
            script: process("container 'x/y:1'") + "workflow { A(1) }\n",
            config: "docker { registry = params.ecr_registry }",
            parameters: ["ecr_registry": .string("123.dkr.ecr.us-east-1.amazonaws.com")],
            images: ["123.dkr.ecr.us-east-1.amazonaws.com/x/y:1"]
        ),
        NextflowExample(
            "a container taken away",
            script: process("container 'q.io/o:1'") + "workflow { A(1) }\n",
            config: "process { withName: A { container = null } }",
            images: []
        ),
        NextflowExample("semicolons", config: "process { cpus = 1; container = 'q.io/a:1' }", images: ["q.io/a:1"]),
        NextflowExample(
            "an include in a profile",
            config: "profiles { standard { includeConfig 'conf/s.config' } }",
            files: ["conf/s.config": "process.container='q.io/s:1'"],
            images: ["q.io/s:1"]
        ),
        NextflowExample(
            "a remote include in try",
            config: """
                try { includeConfig 'https://x/y.config' } catch (Exception e) { System.err.println('x') }
                process.container='q.io/a:1'
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a variable of the environment that is not set",
            config:
                "if (System.getenv('FOO') == null) { process.container='q.io/a:1' } else { process.container='q.io/b:1' }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the function for the environment",
            config: "process.container = env('FOO') ?: 'q.io/a:1'",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the variable that HealthOmics sets",
            config: "if (env('AWS_WORKFLOW_RUN')) { process.container = 'q.io/a:1' }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the process's name",
            config: #"process.container = { "q.io/${task.process.tokenize(':')[-1].toLowerCase()}:1" }"#,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a map by the process's name",
            config: """
                def images = [A: 'q.io/a:1', B: 'q.io/b:1']
                process { withName: '.*' { container = { images[task.process.tokenize(':').last()] } } }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the manifest",
            config: """
                manifest { version = "1.2" }
                process.container = "q.io/a:${manifest.version}"
                """,
            images: ["q.io/a:1.2"]
        ),
        NextflowExample(
            "joined texts",
            config: """
                params.t = 'v' + '1'
                process.container = 'q.io/a:' + params.t
                """,
            images: ["q.io/a:v1"]
        ),
        NextflowExample(
            "a profile above the same selector behind it",
            config: """
                profiles { standard { process { withName: A { container='q.io/p:1' } } } }
                process { withName: A { container='q.io/c:1' } }
                """,
            images: ["q.io/p:1"]
        ),
        NextflowExample(
            "a profile of engine 26, in its place",
            config: """
                profiles { standard { process { withName: A { container='q.io/p:1' } } } }
                process { withName: A { container='q.io/c:1' } }
                """,
            engineVersion: "26.04.0",
            images: ["q.io/c:1"]
        ),
        NextflowExample(
            "a condition that is not known: both ways",
            config: """
                process.container='q.io/a:1'
                if (new File('x').exists()) { process.container='q.io/b:1' }
                """,
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "a registry in front",
            script: process(
                """
                container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
                 'https://depot.x/y' :
                 'biocontainers/x:1' }"
                """
            ) + "workflow { A(1) }\n",
            config: "docker.registry='quay.io'",
            images: ["quay.io/biocontainers/x:1"]
        ),
        NextflowExample(
            "ext through a closure for all",
            script: process(#"container "${task.ext.container}""#) + "workflow { A(1) }\n",
            config: """
                process { withName: '.*' { ext.container = { -> params.y ? task.ext.image : task.ext.docker } }
                withName: A { ext.docker = 'q.io/e:1' } }
                """,
            images: ["q.io/e:1"]
        ),
        NextflowExample(
            "methods of texts",
            config: "process.container = 'q.io/A b:1'.toLowerCase().replaceAll(' ', '-').replace('q.io','r.io')",
            images: ["r.io/a-b:1"]
        ),
        NextflowExample(
            "methods of lists",
            config: "process.container = ['q.io','a','b:1'].join('/')",
            images: ["q.io/a/b:1"]
        ),
        NextflowExample(
            "a regular expression",
            config: """
                params.re = ~/a.*b/
                process.container='q.io/a:1'
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a closure that fills a map",
            config: """
                params.tools=['a','b']
                def m = [:]
                params.tools.each { m[it] = "q.io/${it}:1" }
                process { withName: A { container = m['a'] } }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a scope that is overwritten by nonsense",
            config: """
                process { withName: A { container = 'q.io/a:1' } }
                process.withName = 1
                """ + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a closure with a variable",
            config: """
                process.container = { def v = params.v ?: '2'
                 "q.io/a:$v" }
                """,
            images: ["q.io/a:2"]
        ),
        NextflowExample(
            "the profile's name",
            config: "process.container = workflow.profile.contains('standard') ? 'q.io/s:1' : 'q.io/o:1'",
            images: ["q.io/s:1"]
        ),
        NextflowExample(
            "a profile by dots",
            config: "profiles.standard.process.container = 'q.io/a:1'",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "two profiles",
            config: """
                profiles {
                 docker { docker.enabled = true
                 docker.registry='r.io' }
                 aws { process { container = 'a/b:1' } }
                }
                """,
            profiles: ["docker", "aws"],
            images: ["r.io/a/b:1"]
        ),
        NextflowExample(
            "a selector on its own line",
            config: """
                process {
                 withName:
                 'A|B' {
                 container = 'q.io/a:1'
                 }
                }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a selector with a placeholder",
            config: """
                params.n='A'
                process { withName: "${params.n}" { container = 'q.io/a:1' } }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a selector between slashes",
            config: "process { withName: /A|B/ { container = 'q.io/a:1' } }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "two blocks of one scope",
            script: process("label 'x'") + "workflow { A(1) }\n",
            config: """
                process { container = 'q.io/a:1' }
                process { withLabel: x { container = 'q.io/b:1' } }
                """,
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a chain of conditions",
            config: """
                params.p='b'
                if (params.p == 'a') { process.container='q.io/a:1' } else if (params.p == 'b') { process.container='q.io/b:1' } else { process.container='q.io/c:1' }
                """,
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a switch with breaks",
            config: """
                params.m='b'
                def pick(m) {
                 def r = ''
                 switch(m) {
                 case 'a':
                  r = 'q.io/a:1'
                  break
                 case ['b','c']:
                  r = 'q.io/b:1'
                  break
                 default:
                  r='q.io/d:1'
                 }
                 return r
                }
                process.container = pick(params.m)
                """,
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a map in a closure",
            config: """
                process {
                  withName: 'A' {
                    container = { [ 'x': 'q.io/x:1', 'y': 'q.io/y:1' ].get(params.k, 'q.io/z:1') }
                  }
                }
                params.k = 'y'
                """ + "\n",
            images: ["q.io/y:1"]
        ),
        NextflowExample(
            "a file that is asked for",
            script: process("container 'q.io/a:1'") + "workflow { A(1) }\n",
            config: "if (file('x').exists()) { process.cpus = 2 }",
            images: ["q.io/a:1"]
        ),
    ]

    @Test("reads", arguments: examples)
    func reads(_ example: NextflowExample) throws { try example.check() }
}
