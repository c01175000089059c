/// The images of a CWL definition, v1.0 to v1.2, in YAML or JSON, packed or not.
package enum CWLDefinition {
    /// See `WorkflowDefinition.inspect`.
    ///
    /// Expressions see `inputs` and `self` as far as parameters, defaults and literals decide them; `runtime`, files and
    /// outputs of tools are known only to a run. See `Certainty` for what holds without parameters.
    ///
    /// A packed document's process is `main`, its only one, or the one that the request names as `FILE#ID`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        var given = request.main
        var fragment: String?
        if let name = given, let hash = name.lastIndex(of: "#"), !files.exists(name) {
            fragment = String(name[name.index(after: hash)...])
            given = hash == name.startIndex ? nil : String(name[..<hash])
        }
        let path = try files.mainFile(given: given, defaults: ["main.cwl"], extensions: ["cwl"])
        var loader = CWLLoader(files)
        let main: CWLNode
        do throws(CWLLoader.Fault) {
            let document = try loader.document(path)
            if let fragment {
                guard let part = loader.part(fragment, of: document) else {
                    throw CWLLoader.Fault(reason: "\(path) holds nothing with the id `\(fragment)`")
                }
                main = part
            } else {
                main = try loader.main(of: document)
            }
        } catch {
            throw DefinitionError(error.reason)
        }
        guard main.isMapping, main["class"] != nil || main["$import"] != nil else {
            throw DefinitionError("\(path):\(main.line): this is no CWL process: it has no `class`")
        }
        var walker = CWLWalker(loader: loader, parameters: request.parameters, explains: request.explains)
        var context = CWLWalker.Context()
        if main["class"]?.string?.hasSuffix("Workflow") != true {
            context.path = [main["id"]?.string.map(CWLWalker.lastName) ?? path]
        }
        walker.walk(main, bound: walker.parameterValues(), context)
        return walker.inspection()
    }
}
