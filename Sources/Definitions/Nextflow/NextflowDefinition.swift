/// The images of a Nextflow definition: configuration interpreted, scripts scanned, processes followed from the entry
/// workflow under every name they are called by.
package enum NextflowDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        let main = try files.mainFile(given: request.main, defaults: ["main.nf"], extensions: ["nf"])
        let evaluator = NextflowEvaluator(request.parameters)
        let root = DefinitionPath.folder(of: main)
        let beside = root.isEmpty ? "nextflow.config" : "\(root)/nextflow.config"
        let configuration = files.exists(beside) ? beside : "nextflow.config"
        let profiles = request.profiles.isEmpty ? ["standard"] : request.profiles
        let reader = NextflowConfigurationReader(files: files, evaluator: evaluator, active: profiles)
        if files.exists(configuration) { reader.read(configuration) }
        var graph = NextflowGraph(files: files, evaluator: evaluator, root: root)
        guard graph.load(main, from: nil) else {
            throw DefinitionError(graph.notes.first?.message ?? "\(main) cannot be read")
        }
        let calls = graph.calls(from: main)
        var images = NextflowImages(evaluator: evaluator, settings: reader.settings)
        for call in calls { images.add(call) }
        var notes = reader.settings.notes + graph.notes
        for profile in request.profiles where !reader.settings.profiles.contains(profile) {
            notes.append(
                DefinitionNote(place: nil, message: "profile `\(profile)` is in no configuration that was read")
            )
        }
        return Inspection(
            images: images.mentions,
            unresolved: images.unresolved,
            notes: notes,
            relevantParameters: evaluator.relevant.sorted()
        )
    }
}
