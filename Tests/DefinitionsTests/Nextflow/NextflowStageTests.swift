import Definitions
import Testing

@Suite("Nextflow: the order of processes")
struct NextflowStageTests {
    private func depths(_ workflows: String, _ names: [String], _ parameters: [String: ParameterValue] = [:]) throws
        -> [String: Int]
    {
        var files: [String: String] = [:]
        var modules = ""
        var includes = ""
        for name in names {
            modules += "process \(name) { container 'q.io/\(name.lowercased()):1'\n input:\n val x\n output:\n val x\n"
            modules += "script: 'true' }\n"
            includes += "include { \(name) } from './modules'\n"
        }
        files["modules.nf"] = modules
        files["main.nf"] = includes + workflows
        let request = DefinitionRequest(engine: .nextflow, parameters: parameters)
        let images = try WorkflowDefinition.inspect(DefinitionFilesInMemory(files), request).images
        return Dictionary(
            uniqueKeysWithValues: images.map { ($0.text.dropFirst(5).dropLast(2).uppercased(), $0.depth) }
        )
    }

    @Test("is that of the channels between them, whatever the order of the text")
    func channels() throws {
        let workflows = """
            workflow {
              ch_input = Channel.fromPath(params.input)
              A(ch_input)
              B(A.out.bam.map { x -> [x, 1] })
              ch_all = Channel.empty()
              ch_all = ch_all.mix(A.out.log)
              ch_all = ch_all.mix(B.out)
              D(ch_all.collect().ifEmpty([]))
              C(ch_input)
              C.out.groupTuple().set { grouped }
              E(grouped, D.out)
              ch_input | F | view
              A.out.bam | (G & H)
            }
            """
        #expect(
            try depths(workflows, ["A", "B", "C", "D", "E", "F", "G", "H"])
                == ["A": 0, "B": 1, "C": 0, "D": 2, "E": 3, "F": 0, "G": 1, "H": 1]
        )
    }

    @Test("leads through what workflows take and emit, and under several names")
    func workflows() throws {
        let workflows = """
            include { A as FIRST; A as SECOND } from './modules'
            workflow SUB {
              take:
              reads
              index
              main:
              B(reads)
              C(B.out, index)
              emit:
              early = B.out
              late = C.out
            }
            workflow {
              FIRST(1)
              D(FIRST.out)
              SUB(FIRST.out, D.out)
              E(SUB.out.early)
              F(SUB.out.late)
              result = SUB.out
              G(result.late)
              SECOND(SUB.out)
            }
            """
        #expect(
            try depths(workflows, ["A", "B", "C", "D", "E", "F", "G"])
                == ["A": 0, "B": 1, "C": 2, "D": 1, "E": 2, "F": 3, "G": 3]
        )
    }

    @Test("counts what is surely not called for nothing, and the later of two ways")
    func conditions() throws {
        let workflows = """
            workflow {
              reads = Channel.of(1)
              if (params.trim) {
                A(reads)
                reads = A.out
              }
              if (params.filter) {
                B(reads)
                reads = B.out
              } else {
                reads = reads.map { it }
              }
              C(reads)
            }
            """
        #expect(
            try depths(workflows, ["A", "B", "C"], ["trim": .bool(false), "filter": .bool(true)]) == [
                "A": 0, "B": 0, "C": 1,
            ]
        )
        #expect(
            try depths(workflows, ["A", "B", "C"], ["trim": .bool(true), "filter": .bool(true)]) == [
                "A": 0, "B": 1, "C": 2,
            ]
        )
    }

    @Test("ends for workflows that call each other twice, or themselves")
    func hostile() throws {
        var workflows = "workflow W0 {\n take: x\n main: A(x)\n emit: A.out\n}\n"
        for number in 1...40 {
            workflows +=
                "workflow W\(number) {\n take: x\n main:\n W\(number - 1)(x)\n y = W\(number - 1)(W\(number - 1).out)\n"
            workflows += " W\(number)(y)\n emit: y\n}\n"
        }
        #expect(try depths(workflows + "workflow { W40(1) }", ["A"])["A"] == 0)
    }
}
