import Definitions
import Testing

/// One construct of real workflows each, written for this project.
@Suite("WDLConstruct")
struct WDLConstructTests {
    private static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    /// Certain images, the others, and the number of mentions that stay open.
    private func check(
        _ text: String,
        _ parameters: [String: ParameterValue] = [:],
        certain: [String],
        alternative: [String] = [],
        inactive: [String] = [],
        open: Int = 0
    ) throws {
        let inspection = try inspectWDL(text, parameters)
        #expect(inspection.wdlTexts() == certain)
        #expect(inspection.wdlTexts(.alternative) == alternative)
        #expect(inspection.wdlTexts(.inactive) == inactive)
        #expect(inspection.unresolved.count == open)
        #expect(inspection.notes == [])
    }

    @Test("text with a member of a struct and a digest, and a comment behind it")
    func structAndDigest() throws {
        let text = """
            version 1.0
            struct Attributes { String registry  Int tries }
            workflow w {
              input { Attributes attributes = { "registry": "r.io/lab", "tries": 1 } }
              call t { input: attributes = attributes }
            }
            task t {
              input { Attributes attributes }
              command <<< >>>
              runtime {
                docker: "~{attributes.registry}/base@\(Self.digest)" # 1.2.3, "x"
                preemptible: attributes.tries
              }
            }
            """
        try check(text, certain: ["r.io/lab/base@\(Self.digest)"])
        let given = ParameterValue.object(["registry": .string("own.io"), "tries": .number("2")])
        try check(text, ["w.attributes": given], certain: ["own.io/base@\(Self.digest)"])
    }

    @Test("the image of an optional struct of attributes, else of the task's own")
    func overridingStruct() throws {
        let text = """
            version 1.0
            struct Attributes { String? docker  Int? cpu }
            workflow w { input { Attributes? override }  call t { input: override = override } }
            task t {
              input { Attributes? override }
              command { x }
              #########
              Attributes own = object { cpu: 2, docker: "own:1" }
              # chosen
              Attributes chosen = select_first([override, own])
              runtime { docker: select_first([chosen.docker, own.docker]) }
            }
            """
        try check(text, certain: ["own:1"])
        try check(text, ["w.override": .object(["cpu": .number("1")])], certain: ["own:1"])
        try check(text, ["w.override": .object(["docker": .string("o:2")])], certain: ["o:2"])
    }

    @Test("a struct of images that a workflow of constants gives out")
    func globals() throws {
        let text = """
            version 1.0
            import "globals.wdl" as G
            workflow w {
              call G.Globals as Globals
              Images images = Globals.images
              call t { input: docker = images.align }
              call t as other { input: docker = Globals.images.call }
            }

            """ + taskOfInput
        let globals = """
            version 1.0
            struct Images { String align  String call }
            workflow Globals {
              input { Images given = object { align: "align:1", call: "call:1" } }
              output { Images images = given }
            }
            """
        #expect(try inspectWDL(["main.wdl": text, "globals.wdl": globals]).wdlTexts() == ["align:1", "call:1"])
    }

    @Test("a backend that decides in conditionals which struct is chosen")
    func backend() throws {
        let text = """
            version 1.0
            struct Attributes { String registry }
            workflow w {
              input { String backend }
              if (backend == "GCP") { Attributes gcp = { "registry": "gcr.io/x" } }
              if (backend == "HPC" || backend == "AWS") { Attributes hpc = { "registry": "quay.io/x" } }
              Attributes chosen = select_first([gcp, hpc])
              call t { input: docker = chosen.registry + "/tool:1" }
            }

            """ + taskOfInput
        try check(text, ["w.backend": .string("AWS")], certain: ["quay.io/x/tool:1"])
        try check(text, ["backend": .string("GCP")], certain: ["gcr.io/x/tool:1"])
        try check(text, certain: [], alternative: ["gcr.io/x/tool:1", "quay.io/x/tool:1"], open: 1)
    }

    @Test("a prefix by the provider of the cloud, nested choices included")
    func provider() throws {
        let text = """
            version 1.0
            workflow w {
              input { String provider }
              String prefix = if provider == "gcp" then "gcr.io/a/" else if provider == "azure" then "acr.io/" else "x.io/"
              call t { input: docker = prefix + "tool:1" }
            }

            """ + taskOfInput
        try check(
            text,
            certain: [],
            alternative: ["acr.io/tool:1", "gcr.io/a/tool:1", "x.io/tool:1"],
            open: 1
        )
        try check(text, ["w.provider": .string("azure")], certain: ["acr.io/tool:1"])
    }

    @Test("an optional image that is passed down three levels and is nowhere given")
    func optionalThroughLevels() throws {
        let text = """
            version 1.0
            import "b.wdl" as b
            workflow w { input { String? docker }  call b.middle { input: docker = docker } }
            """
        let middle = """
            version 1.0
            import "c.wdl" as c
            workflow middle { input { String? docker }  call c.t { input: docker = docker } }
            """
        let task = "version 1.0\n" + taskOfInput
        let files = ["main.wdl": text, "b.wdl": middle, "c.wdl": task]
        #expect(try inspectWDL(files).wdlTexts() == ["task/default:1"])
        #expect(try inspectWDL(files, ["w.docker": .string("own:1")]).wdlTexts() == ["own:1"])
    }

    @Test("a branch that is switched off, with an empty image to hide its inputs")
    func emptyImage() throws {
        let text = """
            version 1.0
            workflow w {
              input { Boolean on = false }
              if (on) { call t { input: docker = "" }  call t as gpu { input: docker = "gpu:1" } }
            }

            """ + taskOfInput
        // Before any run, one may still switch it on.
        try check(text, certain: [], alternative: ["gpu:1"])
        try check(text, ["w.other": .null], certain: [], inactive: ["gpu:1"])
        try check(text, ["w.on": .string("true")], certain: ["gpu:1"])
    }

    @Test("a map of images that a task writes, unless the run gives the map")
    func mapFromTask() throws {
        let text = """
            version 1.0
            workflow w {
              input { File tags = "images.yml"  Map[String, String]? images }
              call convert { input: yaml = tags }
              Map[String, String] used = select_first([images, read_json(convert.json)])
              call t { input: docker = used["star"] }
            }
            task convert {
              input { File yaml }
              command <<< >>>
              output { File json = "images.json" }
              runtime { docker: "convert:1" }
            }

            """ + taskOfInput
        try check(text, certain: ["convert:1"], open: 1)
        let images = ParameterValue.object(["star": .string("star:2")])
        try check(text, ["w.images": images], certain: ["convert:1", "star:2"])
    }

    @Test("what strict readers refuse: Object, inputs given twice, outputs of one name, a scalar of another type")
    func lenient() throws {
        let text = """
            version 1.0
            workflow w {
              input { Object extra = object { docker: "o:1" }  Int tag = "7" }
              call t { input: docker = "first:1", docker = "second:1" }
              call t as u { input: docker = extra.docker, unknown = 1, }
              call t as v { input: docker = "v:" + tag }
              output { String same = t.docker  String same = u.docker }
            }

            """ + taskOfInput
        try check(text, certain: ["o:1", "second:1", "v:7"])
    }

    @Test("samples of the run, each with its own image")
    func samples() throws {
        let text = """
            version 1.1
            struct Sample { String name  String image }
            workflow w {
              input { Array[Sample] samples }
              scatter (sample in samples) { call t { input: docker = sample.image } }
            }

            """ + taskOfInput
        let samples = ParameterValue.array(
            ["a", "b"].map { .object(["name": .string($0), "image": .string("\($0):1")]) }
        )
        try check(text, ["w.samples": samples], certain: ["a:1", "b:1"])
        try check(text, certain: [], open: 1)
    }
}
