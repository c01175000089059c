/// The images of a CWL definition.
package enum CWLDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        throw DefinitionError("CWL is not read yet")
    }
}
