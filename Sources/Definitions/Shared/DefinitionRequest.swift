/// The workflow language of a definition, by HealthOmics' names.
package enum WorkflowEngine: String, Sendable, Codable, CaseIterable {
    case wdl = "WDL"
    case wdlLenient = "WDL_LENIENT"
    case nextflow = "NEXTFLOW"
    case cwl = "CWL"

    /// Accepts the name in any case, as `preclone inspect` does.
    package init?(name: String) {
        self.init(rawValue: name.uppercased())
    }
}

/// What decides the images of a definition besides its files. Everything the evaluator may see is here; it never looks
/// at the process's own environment, clock or file system.
package struct DefinitionRequest: Sendable {
    package var engine: WorkflowEngine
    /// The main file, relative to the root; nil: the engine's own default (`main.nf`, the only WDL with a workflow,
    /// `main.cwl`).
    package var main: String?
    /// The run's parameters, an object; empty for "any run".
    package var parameters: [String: ParameterValue]
    /// Nextflow profiles of the engine settings; empty: `standard` where it is defined.
    package var profiles: [String]
    /// The engine's version as the run names it (Nextflow only), which decides the order of profiles.
    package var engineVersion: String?
    /// Whether the inspection keeps the way to every use of an image.
    package var explains: Bool

    package init(
        engine: WorkflowEngine,
        main: String? = nil,
        parameters: [String: ParameterValue] = [:],
        profiles: [String] = [],
        engineVersion: String? = nil,
        explains: Bool = false
    ) {
        self.engine = engine
        self.main = main
        self.parameters = parameters
        self.profiles = profiles
        self.engineVersion = engineVersion
        self.explains = explains
    }
}

/// A JSON value with numbers kept as written.
package indirect enum ParameterValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number's text (`1`, `2.5e3`).
    case number(String)
    case string(String)
    case array([ParameterValue])
    case object([String: ParameterValue])
}

/// The one entry into Definitions: bytes of a workflow in, image mentions out.
package enum WorkflowDefinition {
    /// The images that a definition needs for a request.
    ///
    /// - Throws: `DefinitionError` when the main file cannot be found or read at all; everything less is a note or an
    ///   unresolved mention in the result.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        var inspection: Inspection
        do throws(DefinitionError) {
            inspection =
                switch request.engine {
                case .wdl, .wdlLenient: try WDLDefinition.inspect(files, request)
                case .nextflow: try NextflowDefinition.inspect(files, request)
                case .cwl: try CWLDefinition.inspect(files, request)
                }
        } catch {
            // What was left out of an archive may be just the file that is missed.
            guard let note = files.notes.first else { throw error }
            throw DefinitionError("\(error.message) (\(note.message))")
        }
        inspection.notes += files.notes
        return inspection
    }
}
