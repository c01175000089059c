import Definitions
import Testing

@Suite("Nextflow: a process's container")
struct NextflowDirectiveTests {
    private static func process(_ head: String, name: String = "A") -> String {
        NextflowExample.process(head, name: name)
    }

    static let examples: [NextflowExample] = [
        NextflowExample(
            "a variable of the script",
            script: "def img = 'q.io/a:1'\n" + process(#"container "${img}""#) + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a variable without def, and no quotes",
            script: "img = 'q.io/a:1'\n" + process("container img") + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a closure",
            script: process("container { params.gpu ? 'q.io/g:1' : 'q.io/c:1' }") + "workflow { A(1) }\n",
            images: ["q.io/c:1"]
        ),
        NextflowExample(
            "a parameter of the script",
            script: "params.img='q.io/a:1'\n" + process("container params.img") + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "placeholders with and without braces",
            script: """
                params.reg='q.io'
                params.v='3'
                """ + "\n" + process(#"container "${params.reg}/foo:$params.v""#) + "workflow { A(1) }\n",
            images: ["q.io/foo:3"]
        ),
        NextflowExample(
            "the scheme of docker",
            script: process("container 'docker://q.io/x/y:1'") + "workflow { A(1) }\n",
            images: ["q.io/x/y:1"]
        ),
        NextflowExample(
            "a switch in a closure",
            script: process(
                "container { switch(params.m) { case 'a': return 'q.io/a:1'; case 'b': return 'q.io/b:1'; default: return 'q.io/d:1' } }"
            ) + "workflow { A(1) }\n",
            config: "params.m='b'",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "an accelerator of the configuration",
            script: process(
                """
                label 'gpu'
                container "${task.accelerator ? 'q.io/g:1' : 'q.io/c:1'}"
                """
            ) + "workflow { A(1) }\n",
            config: "process { withLabel: gpu { accelerator = 1 } }",
            images: ["q.io/g:1"]
        ),
        NextflowExample(
            "an accelerator of the process",
            script: process(
                """
                accelerator 1, type: 'nvidia'
                container "${task.accelerator ? 'q.io/g:1' : 'q.io/c:1'}"
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/g:1"]
        ),
        NextflowExample(
            "no accelerator",
            script: process(#"container "${task.accelerator ? 'q.io/g:1' : 'q.io/c:1'}""#) + "workflow { A(1) }\n",
            images: ["q.io/c:1"]
        ),
        NextflowExample(
            "an accelerator that a closure denies",
            script: process(
                """
                accelerator { params.use_gpu ? 1 : null }
                container "${task.accelerator ? 'q.io/g:1' : 'q.io/c:1'}"
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/c:1"]
        ),
        NextflowExample(
            "what only the task knows: both ways",
            script: process(#"container "${task.hash ? 'q.io/a:1' : 'q.io/b:1'}""#) + "workflow { A(1) }\n",
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "all attempts",
            script: process("container { task.attempt > 1 ? 'q.io/a:1' : 'q.io/b:1' }") + "workflow { A(1) }\n",
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "the last of two directives",
            script: process(
                """
                container 'q.io/a:1'
                container 'q.io/b:1'
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a condition without quotes",
            script: process("container workflow.containerEngine == 'docker' ? 'q.io/a:1' : 'q.io/b:1'")
                + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "brackets",
            script: process("container(params.x ? 'q.io/a:1' : 'q.io/b:1')") + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "brackets behind a space",
            script: process("container (params.x ? 'q.io/a:1' : 'q.io/b:1')") + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "branches without braces",
            script: process(
                """
                if (params.x)
                 container 'q.io/a:1'
                else
                 container 'q.io/b:1'
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a fallback for task.ext",
            script: process("container task.ext.container ?: 'q.io/d:1'") + "workflow { A(1) }\n",
            images: ["q.io/d:1"]
        ),
        NextflowExample(
            "a fallback in a placeholder",
            script: process(#"container "${ params.use ?: 'q.io/foo' }:latest""#) + "workflow { A(1) }\n",
            images: ["q.io/foo:latest"]
        ),
        NextflowExample(
            "ext of the process",
            script: process(
                """
                ext tool: 'bwa'
                container "q.io/${task.ext.tool}:1"
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/bwa:1"]
        ),
        NextflowExample(
            "a ternary in a ternary",
            script: process(
                #"container "${ task.ext.use_gpu ? 'q.io/g:1' : workflow.containerEngine in ['singularity','apptainer'] ? 'https://x' : 'q.io/c:1' }""#
            ) + "workflow { A(1) }\n",
            images: ["q.io/c:1"]
        ),
        NextflowExample(
            "a function of the script",
            script: "def getImg(n) { return \"q.io/${n}:1\" }\n" + process("container getImg('a')")
                + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a function with named arguments and a default",
            script: """
                def getImg(Map o = [:]) {
                 def m = [a: 'q.io/a:1']
                 m.containsKey(o.k) ? m[o.k] : 'q.io/d:1'
                }
                """ + "\n" + process(#"container "${getImg(k: 'a')}""#) + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a function of another script",
            script: "include { getImg } from './lib'\n" + process("container getImg('a')") + "workflow { A(1) }\n",
            files: ["lib.nf": "def getImg(n) { 'q.io/' + n + ':1' }"],
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a function with types and defaults",
            script: """
                def f(x: Integer, y: String = 'a') -> String {
                 return 'q.io/' + y + ':' + x
                }
                """ + "\n" + process("container f(1)") + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "quotes in a placeholder",
            script: process(#"container "q.io/${params.a ? "x:${params.a}" : "y:1"}""#) + "workflow { A(1) }\n",
            images: ["q.io/y:1"]
        ),
        NextflowExample(
            "the architecture",
            script: process(
                """
                arch 'linux/x86_64'
                container "q.io/a:${task.arch == 'linux/arm64' ? 'arm' : 'amd'}"
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/a:amd"]
        ),
        NextflowExample(
            "comments",
            script: process(
                """
                /* container 'q.io/n:1' */
                // container 'q.io/n:2'
                container 'q.io/a:1' // c
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a condition that is known",
            script: process(#"container "${false ? 'q.io/a:1' : 'q.io/b:1'}""#) + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "a process without sections",
            script: #"""
                process A {
                 container 'q.io/a:1'
                 """
                 echo
                 """
                }
                workflow { A(1) }
                """# + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a variable of the script section",
            script: """
                process A {
                 container 'q.io/a:1'
                 script:
                 container = 'q.io/no:1'
                 'x'
                }
                workflow { A(1) }
                """ + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "an exec section",
            script: """
                process A {
                 container 'q.io/a:1'
                 exec:
                 println 'x'
                }
                workflow { A(1) }
                """ + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a shell section",
            script: """
                process A {
                 container 'q.io/a:1'
                 when:
                 params.x
                 shell:
                 '''
                 !{x}
                 '''
                }
                workflow { A(1) }
                """ + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "directives around it",
            script: process(
                """
                container 'q.io/a:1'
                secret 'X'
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "directives with closures and named arguments",
            script: process(
                """
                pod [[label: 'x', value: 'y'], [env: 'a', value: 'b']]
                publishDir { 'x' }, pattern: '*.txt', mode: 'copy'
                container 'q.io/a:1'
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "carriage returns",
            script:
                "process A {\r\ncontainer 'q.io/a:1'\r\ninput:\r\nval x\r\nscript:\r\n\"\"\"\r\necho $x\r\n\"\"\"\r\n}\r\nworkflow { A(1) }\r\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a text that is not closed",
            script: process(
                """
                container 'q.io/a:1
                container 'q.io/b:1'
                """
            ) + "workflow { A(1) }\n",
            images: ["q.io/b:1"]
        ),
        NextflowExample("conda alone", script: process("conda 'bioconda::x'") + "workflow { A(1) }\n", images: []),
        NextflowExample(
            "a name in quotes",
            script: """
                process 'A' {
                container 'q.io/a:1'
                script:
                'x'
                }
                workflow { A() }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the env scope of the configuration",
            script: process(#"container "${IMG}""#) + "workflow { A(1) }\n",
            config: "env { IMG = 'q.io/a:1' }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "the manifest",
            script: process(#"container "q.io/a:${workflow.manifest.version}""#) + "workflow { A(1) }\n",
            config: #"manifest { version = "1.2" }"#,
            images: ["q.io/a:1.2"]
        ),
        NextflowExample(
            "a value of the input's metadata",
            script: process(#"container "${meta.image}""#) + "workflow { A(1) }\n",
            images: [],
            unresolved: 1
        ),
        NextflowExample(
            "an input",
            script: process(#"container "${x}""#) + "workflow { A(1) }\n",
            images: [],
            unresolved: 1
        ),
        NextflowExample(
            "a class of the lib folder",
            script: process("container Utils.image()") + "workflow { A(1) }\n",
            files: ["lib/Utils.groovy": "class Utils { static String image() { 'q.io/a:1' } }"],
            images: [],
            unresolved: 1
        ),
    ]

    @Test("reads", arguments: examples)
    func reads(_ example: NextflowExample) throws { try example.check() }
}
