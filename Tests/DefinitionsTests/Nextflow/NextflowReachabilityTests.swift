import Definitions
import Testing

@Suite("Nextflow: what is called")
struct NextflowReachabilityTests {
    private static func process(_ head: String, name: String = "A") -> String {
        NextflowExample.process(head, name: name)
    }

    static let examples: [NextflowExample] = [
        NextflowExample(
            "a block of typed parameters",
            script: """
                params {
                 img: String = 'q.io/a:1'
                 other: Path?
                 n: Integer = 3
                }
                """ + "\n" + process("container params.img") + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "pipes over several lines",
            script: process("container 'q.io/a:1'") + process("container 'q.io/b:1'", name: "B") + """
                workflow {
                 ch = channel.of(1)
                 ch
                  | A
                  | map { it }
                  | B
                }
                """,
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "several names, comments and semicolons",
            script: """
                include {
                 A // one
                 B as C; } from './m'
                workflow { A(1); C(2) }
                """,
            files: ["m.nf": process("container 'q.io/a:1'") + process("container 'q.io/b:1'", name: "B")],
            images: ["q.io/a:1", "q.io/b:1"],
            tasks: ["A", "C"]
        ),
        NextflowExample(
            "parameters added by an include",
            script: """
                params.v='0'
                include { A } from './m' addParams(v: '2')
                include { A as B } from './m' addParams(v: '3', o: [a:1])
                workflow { A(1); B(2) }
                """,
            files: ["m.nf": "params.v='1'\n" + process(#"container "q.io/a:${params.v}""#)],
            images: ["q.io/a:2", "q.io/a:3"]
        ),
        NextflowExample(
            "parameters added before the path",
            script: """
                include { A } addParams(v: '2') from './m'
                workflow { A(1) }
                """,
            files: ["m.nf": "params.v='1'\n" + process(#"container "q.io/a:${params.v}""#)],
            images: ["q.io/a:2"]
        ),
        NextflowExample(
            "everything of a script",
            script: """
                include './m'
                workflow { A(1) }
                """,
            files: ["m.nf": process("container 'q.io/a:1'")],
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "an include without braces",
            script: """
                include A as B from './m' params(v: '7')
                workflow { B(1) }
                """,
            files: ["m.nf": process(#"container "q.io/a:${params.v}""#)],
            images: ["q.io/a:7"]
        ),
        NextflowExample(
            "includes in a workflow's branches",
            script: """
                workflow {
                 if (params.x) {
                 include { B } from './n' addParams(v: '1')
                 B()
                 } else {
                 include { A } from './m' addParams(v: '2')
                 A(1)
                 }
                }
                """,
            files: [
                "m.nf": process(#"container "q.io/a:${params.v}""#),
                "n.nf": process(#"container "q.io/b:${params.v}""#, name: "B"),
            ],
            images: ["q.io/a:2", "q.io/b:1"]
        ),
        NextflowExample(
            "parameters replaced by an include",
            script: """
                params.v='0'
                params.k='9'
                include { A } from './m' params(k: '5')
                workflow { A(1) }
                """,
            files: ["m.nf": "params.v='1'\n" + process(#"container "q.io/a:${params.v}-${params.k}""#)],
            images: ["q.io/a:1-5"]
        ),
        NextflowExample(
            "parameters spread into those of an include",
            script: """
                params.v='1'
                params.w='2'
                more = [*:params, 'v': '3', *:(params.none ?: [:])]
                include { A } from './m' params(more)
                workflow { A(1) }
                """,
            files: [
                "m.nf": """
                params.v='8'
                params.w='9'
                """ + "\n" + process(#"container "q.io/a:${params.v}-${params.w}""#)
            ],
            images: ["q.io/a:3-2"]
        ),
        NextflowExample(
            "parameters of each script",
            script: """
                include { A } from './m'
                include { B } from './n'
                workflow { A(1); B(1) }
                """,
            files: [
                "m.nf": "params.v='1'\n" + process(#"container "q.io/a:${params.v}""#),
                "n.nf": "params.v='2'\n" + process(#"container "q.io/b:${params.v}""#, name: "B"),
            ],
            images: ["q.io/a:1", "q.io/b:2"]
        ),
        NextflowExample(
            "the including script's parameters first",
            script: """
                params.v='0'
                include { A } from './m'
                workflow { A(1) }
                """,
            files: ["m.nf": "params.v='1'\n" + process(#"container "q.io/a:${params.v}""#)],
            images: ["q.io/a:0"]
        ),
        NextflowExample(
            "a process passed on",
            script: """
                include { A } from './mid'
                workflow { A(1) }
                """,
            files: ["mid.nf": "include { A } from './m'", "m.nf": process("container 'q.io/a:1'")],
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a process in a condition, without workflow",
            script: """
                if (params.x) {
                 process B {
                 container 'q.io/b:1'
                 script:
                 'x'
                 }
                }
                process A {
                 container 'q.io/a:1'
                 script:
                 'y'
                }
                """ + "\n",
            config: "params.x=true",
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "a process that is not called",
            script: process("container 'q.io/a:1'") + process("container 'q.io/b:1'", name: "B")
                + "workflow { A(1) }\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "workflows in workflows",
            script: process("container 'q.io/a:1'") + """
                workflow X { take: ch
                 main:
                 A(ch)
                 emit:
                 A.out
                }
                workflow Y { X(1) }
                workflow { Y() }
                """,
            images: ["q.io/a:1"],
            tasks: ["Y:X:A"]
        ),
        NextflowExample(
            "a workflow in a pipe",
            script: process("container 'q.io/a:1'") + """
                workflow X { take: ch
                 main:
                 o = ch | A
                 emit:
                 o
                }
                workflow { channel.of(1) | X | view }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "recursion",
            script: process("container 'q.io/a:1'") + "workflow { A.recurse(1).times(3) }",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "both branches of a workflow",
            script: process("container 'q.io/a:1'") + process("container 'q.io/b:1'", name: "B")
                + "workflow { if (params.x) { A(1) } else { B(1) } }",
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "handlers",
            script: process("container 'q.io/a:1'") + """
                workflow { main:
                A(1)
                workflow.onComplete { println 'x' }
                }
                workflow.onError { println 'y' }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "published outputs",
            script: process("container 'q.io/a:1'") + """
                workflow { main:
                A(1)
                publish:
                res = A.out
                }
                output { res { path 'x'
                 index { path 'i.csv' } } }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "typed processes, records and enums",
            script: #"""
                nextflow.preview.types = true
                record Sample { id: String
                 reads: Path }
                enum Mode { X, Y }
                process A {
                 container 'q.io/a:1'
                 input:
                 (id, reads): Tuple<String,Path>
                 s: Sample
                 stage:
                 stageAs reads, 'r'
                 output:
                 out: Path = file('x')
                 topic:
                 tuple(1,2) >> 'v'
                 script:
                 """
                 x
                 """
                }
                workflow {
                 main:
                 ch: Channel<Path> = channel.of(1)
                 A(ch)
                }
                """#,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "typed workflows",
            script: """
                process A {
                 container 'q.io/a:1'
                 script:
                 'x'
                }
                workflow W {
                 take:
                 xs: Channel<Map<String,Path>>
                 main:
                 r = A(xs)
                 emit:
                 r: Channel<Path> = r
                }
                workflow { W(channel.empty()) }
                """,
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "a module of a registry",
            script: """
                include { A } from 'nf-core/fastqc'
                workflow { A(1) }
                """,
            files: ["modules/nf-core/fastqc/main.nf": process("container 'q.io/a:1'")],
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "brackets too many",
            script: process("container 'q.io/a:1'") + """
                workflow { A(1) }
                }}}
                """ + "\n",
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "two names for one process",
            script: """
                include { A as X; A as Y } from './m'
                workflow { X(1); Y(1) }
                """,
            config: "process { withName: 'Y' { container = 'q.io/y:1' } }",
            files: ["m.nf": process("container 'q.io/a:1'")],
            images: ["q.io/a:1", "q.io/y:1"]
        ),
        NextflowExample(
            "includes in branches that are known",
            script: """
                if (params.x == 'a') {
                 include { A } from './a'
                } else {
                 include { A } from './b'
                }
                workflow { A(1) }
                """,
            config: "params.x='b'",
            files: ["a.nf": process("container 'q.io/a:1'"), "b.nf": process("container 'q.io/b:1'")],
            images: ["q.io/b:1"]
        ),
        NextflowExample(
            "includes in the other branch",
            script: """
                if (params.x == 'a') {
                 include { A } from './a'
                } else {
                 include { A } from './b'
                }
                workflow { A(1) }
                """,
            config: "params.x='a'",
            files: ["a.nf": process("container 'q.io/a:1'"), "b.nf": process("container 'q.io/b:1'")],
            images: ["q.io/a:1"]
        ),
        NextflowExample(
            "includes in branches that are not known",
            script: """
                if (workflow.start) {
                 include { A } from './a'
                } else {
                 include { A } from './b'
                }
                workflow { A(1) }
                """,
            files: ["a.nf": process("container 'q.io/a:1'"), "b.nf": process("container 'q.io/b:1'")],
            images: ["q.io/a:1", "q.io/b:1"]
        ),
        NextflowExample(
            "an include with a placeholder",
            script: """
                params.d='a'
                include { A } from "./${params.d}"
                workflow { A(1) }
                """,
            files: ["a.nf": process("container 'q.io/a:1'")],
            images: ["q.io/a:1"]
        ),
    ]

    @Test("reads", arguments: examples)
    func reads(_ example: NextflowExample) throws { try example.check() }
}
