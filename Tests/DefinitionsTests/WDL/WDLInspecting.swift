import Definitions

/// What a WDL definition in memory needs.
func inspectWDL(
    _ files: [String: String],
    main: String? = nil,
    _ parameters: [String: ParameterValue] = [:]
) throws -> Inspection {
    let request = DefinitionRequest(engine: .wdl, main: main, parameters: parameters)
    return try WorkflowDefinition.inspect(DefinitionFilesInMemory(files), request)
}

/// The same for one file.
func inspectWDL(_ text: String, _ parameters: [String: ParameterValue] = [:]) throws -> Inspection {
    try inspectWDL(["main.wdl": text], main: "main.wdl", parameters)
}

/// A task `t` whose image is its input.
let taskOfInput = """
    task t {
      input { String docker = "task/default:1" }
      command <<< echo >>>
      runtime { docker: docker }
    }
    """

/// A task with a literal image.
func wdlTask(_ name: String, _ image: String) -> String {
    "task \(name) {\n  command <<< echo >>>\n  runtime { docker: \"\(image)\" }\n}\n"
}

extension Inspection {
    func wdlTexts(_ certainty: Certainty = .certain) -> [String] {
        images.filter { $0.certainty == certainty }.map(\.text)
    }

    var missing: [String] { unresolved.map(\.missing) }
}
