/// The images of a WDL definition, draft-2 to 1.2, read leniently: types are not checked.
package enum WDLDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        let main = try main(of: files, request)
        let library = try WDLLibrary(files, main: main)
        let callable = try target(in: library.documents[0])
        let parameters = WDLParameters(request.parameters, workflow: callable.name)
        let evaluator = WDLEvaluator(
            library: library,
            parameters: parameters,
            isLenient: request.engine == .wdlLenient
        )
        var survey = WDLSurvey(evaluator, explains: request.explains)
        survey.visit(WDLInstance(callable: callable, path: callable.name, key: "", depth: 0))
        return survey.inspection(main: main)
    }

    /// Without a name: `main.wdl`, the only WDL file, or the only one that holds a workflow.
    private static func main(
        of files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> String {
        let refusal: DefinitionError
        do throws(DefinitionError) {
            return try files.mainFile(given: request.main, defaults: ["main.wdl"], extensions: ["wdl"])
        } catch {
            refusal = error
        }
        guard request.main == nil else { throw refusal }
        let named = files.paths.filter { $0.hasSuffix(".wdl") && !DefinitionPath.isCompanion($0) }
        let candidates = named.prefix(200).filter { path in
            guard case .contents(let bytes) = files.read(path), bytes.count < 1 << 18 else { return false }
            var words = WDLLibrary.maximumWords
            return WDLParser.read(bytes, path: path, number: 0, words: &words)?.workflows.isEmpty == false
        }
        guard let found = candidates.first, candidates.count == 1 else { throw refusal }
        return found
    }

    private static func target(in document: WDLDocument) throws(DefinitionError) -> WDLCallable {
        if let workflow = document.workflows.first { return workflow }
        if document.tasks.count == 1, let task = document.tasks.values.first { return task }
        let fault = document.faults.first.map { "; line \($0.line): \($0.message)" } ?? ""
        throw DefinitionError("main file \(document.path): it holds no workflow\(fault)")
    }
}
