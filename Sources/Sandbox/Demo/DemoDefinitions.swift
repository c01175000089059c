/// The three definitions of the demo, small but of the shapes that real ones have.
enum DemoDefinitions {
    static let all: [WorkflowRecipe] = [
        WorkflowRecipe(
            "variant-calling",
            engine: "WDL",
            main: "main.wdl",
            files: ["main.wdl": mainWDL, "tasks/reads.wdl": readsWDL]
        ),
        WorkflowRecipe(
            "read-quality",
            engine: "NEXTFLOW",
            main: "main.nf",
            files: [
                "main.nf": mainNextflow, "nextflow.config": nextflowConfig,
                "modules/fastqc/main.nf": fastqcNextflow, "modules/report/main.nf": reportNextflow,
            ]
        ),
        WorkflowRecipe(
            "alignment",
            engine: "CWL",
            main: "main.cwl",
            files: ["main.cwl": mainCWL, "tools/align.cwl": alignCWL, "tools/report.cwl": reportCWL]
        ),
    ]

    private static let mainWDL = """
        version 1.1

        import "tasks/reads.wdl" as reads

        workflow variant_calling {
          input {
            String sample = "NA12878"
            String bcftools_image = "community.wave.seqera.io/library/bcftools:1.21--4335bec1d7b44d11"
          }

          call reads.prepare { input: sample = sample }
          call reads.sort { input: text = prepare.text }
          call call_variants { input: sorted = sort.text, image = bcftools_image }
          call reads.annotate { input: text = call_variants.text }
          call reads.report { input: text = annotate.text }

          output {
            File summary = report.text
          }
        }

        task call_variants {
          input {
            File sorted
            String image
          }
          command <<<
            bcftools --version > variants.txt
          >>>
          output {
            File text = "variants.txt"
          }
          runtime {
            container: image
            cpu: 2
            memory: "4 GiB"
          }
        }

        """

    private static let readsWDL = """
        version 1.1

        task prepare {
          input {
            String sample
          }
          command <<<
            echo ~{sample} > sample.txt
          >>>
          output {
            File text = "sample.txt"
          }
          runtime {
            container: "ubuntu:24.04"
          }
        }

        task sort {
          input {
            File text
          }
          command <<<
            samtools --version > sorted.txt
          >>>
          output {
            File text = "sorted.txt"
          }
          runtime {
            container: "quay.io/biocontainers/samtools:1.21--h50ea8bc_0"
          }
        }

        task annotate {
          input {
            File text
          }
          command <<<
            cp ~{text} annotated.txt
          >>>
          output {
            File text = "annotated.txt"
          }
          runtime {
            container: "quay.io/biocontainers/nosuchtool:1.0"
          }
        }

        task report {
          input {
            File text
          }
          command <<<
            cp ~{text} report.txt
          >>>
          output {
            File text = "report.txt"
          }
          runtime {
            container: "ghcr.io/example/reporter:2.3"
          }
        }

        """

    private static let mainNextflow = """
        nextflow.enable.dsl = 2

        include { FASTQC } from './modules/fastqc/main'
        include { MULTIQC; ANNOTATE; REPORT } from './modules/report/main'

        process PREPARE {
            container 'ubuntu:24.04'

            input:
            val sample

            output:
            path 'sample.txt'

            script:
            \"""
            echo ${sample} > sample.txt
            \"""
        }

        workflow {
            PREPARE(Channel.of(params.sample))
            FASTQC(PREPARE.out)
            MULTIQC(FASTQC.out)
            ANNOTATE(MULTIQC.out)
            REPORT(ANNOTATE.out)
        }

        """

    private static let nextflowConfig = """
        params {
            sample = 'NA12878'
        }

        process {
            cpus = 1
            memory = '2 GB'
        }

        docker {
            enabled = true
        }

        """

    private static let fastqcNextflow = """
        process FASTQC {
            conda 'bioconda::fastqc=0.12.1'
            container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
                'https://depot.galaxyproject.org/singularity/fastqc:0.12.1--hdfd78af_0' :
                'quay.io/biocontainers/fastqc:0.12.1--hdfd78af_0' }"

            input:
            path reads

            output:
            path 'fastqc.txt'

            script:
            \"""
            fastqc --version > fastqc.txt
            \"""
        }

        """

    private static let reportNextflow = """
        process MULTIQC {
            container 'community.wave.seqera.io/library/multiqc:1.25--1a9c4b0b2a3c3d3f'

            input:
            path quality

            output:
            path 'multiqc.txt'

            script:
            \"""
            multiqc --version > multiqc.txt
            \"""
        }

        process ANNOTATE {
            container 'quay.io/biocontainers/nosuchtool:1.0'

            input:
            path text

            output:
            path 'annotated.txt'

            script:
            \"""
            cp ${text} annotated.txt
            \"""
        }

        process REPORT {
            container 'ghcr.io/example/reporter:2.3'

            input:
            path text

            output:
            path 'report.txt'

            script:
            \"""
            cp ${text} report.txt
            \"""
        }

        """

    private static let mainCWL = """
        cwlVersion: v1.2
        class: Workflow
        requirements:
          StepInputExpressionRequirement: {}
        inputs:
          sample:
            type: string
            default: NA12878
        outputs:
          summary:
            type: File
            outputSource: report/text
        steps:
          prepare:
            run:
              class: CommandLineTool
              requirements:
                DockerRequirement:
                  dockerPull: ubuntu:24.04
              baseCommand: echo
              stdout: sample.txt
              inputs:
                sample:
                  type: string
                  inputBinding: {position: 1}
              outputs:
                text: {type: stdout}
            in:
              sample: sample
            out: [text]
          align:
            run: tools/align.cwl
            in:
              reads: prepare/text
            out: [text]
          filter:
            run:
              class: CommandLineTool
              hints:
                - class: DockerRequirement
                  dockerPull: community.wave.seqera.io/library/seqkit:2.9.0--e0e29e1f0b8a1f23
              baseCommand: [seqkit, version]
              stdout: filtered.txt
              inputs:
                reads: File
              outputs:
                text: {type: stdout}
            in:
              reads: align/text
            out: [text]
          annotate:
            run:
              class: CommandLineTool
              requirements:
                DockerRequirement:
                  dockerPull: ubuntu:24.04
              baseCommand: cat
              stdout: annotated.txt
              inputs:
                text:
                  type: File
                  inputBinding: {position: 1}
              outputs:
                text: {type: stdout}
            in:
              text: filter/text
            out: [text]
          report:
            run: tools/report.cwl
            in:
              text: annotate/text
            out: [text]

        """

    private static let alignCWL = """
        cwlVersion: v1.2
        class: CommandLineTool
        requirements:
          DockerRequirement:
            dockerPull: quay.io/biocontainers/bwa:0.7.18--he4a0461_0
        baseCommand: [bwa]
        stdout: aligned.txt
        inputs:
          reads: File
        outputs:
          text: {type: stdout}

        """

    private static let reportCWL = """
        cwlVersion: v1.2
        class: CommandLineTool
        requirements:
          DockerRequirement:
            dockerPull: ubuntu:24.04
        baseCommand: [cat]
        stdout: report.txt
        inputs:
          text:
            type: File
            inputBinding: {position: 1}
        outputs:
          text: {type: stdout}

        """
}
