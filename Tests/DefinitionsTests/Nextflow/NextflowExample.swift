import Definitions
import Testing

/// A small definition and what a run of it needs.
struct NextflowExample: CustomTestStringConvertible, Sendable {
    let what: String
    private let files: [String: String]
    private let parameters: [String: ParameterValue]
    private let profiles: [String]
    private let engineVersion: String?
    private let images: [String]
    private let unresolved: Int
    private let tasks: [String]?

    init(
        _ what: String,
        script: String = NextflowExample.process("") + "workflow { A(1) }\n",
        config: String = "",
        files: [String: String] = [:],
        parameters: [String: ParameterValue] = [:],
        profiles: [String] = [],
        engineVersion: String? = nil,
        images: [String],
        unresolved: Int = 0,
        tasks: [String]? = nil
    ) {
        self.what = what
        self.files = files.merging(["main.nf": script, "nextflow.config": config]) { _, new in new }
        self.parameters = parameters
        self.profiles = profiles
        self.engineVersion = engineVersion
        self.images = images
        self.unresolved = unresolved
        self.tasks = tasks
    }

    var testDescription: String { what }

    /// A process with an input and a script below its directives.
    static func process(_ head: String, name: String = "A") -> String {
        "process \(name) {\n\(head)\ninput:\nval x\nscript:\n\"\"\"\necho $x\n\"\"\"\n}\n"
    }

    func check() throws {
        let request = DefinitionRequest(
            engine: .nextflow,
            parameters: parameters,
            profiles: profiles,
            engineVersion: engineVersion
        )
        let result = try WorkflowDefinition.inspect(DefinitionFilesInMemory(files), request)
        #expect(result.images.map(\.text) == images)
        #expect(result.unresolved.count == unresolved)
        #expect(result.unresolved.allSatisfy { !$0.missing.isEmpty && !$0.expression.isEmpty })
        if let tasks { #expect(result.images.flatMap(\.tasks).sorted() == tasks) }
    }
}
