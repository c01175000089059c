/// The images of a Nextflow definition.
package enum NextflowDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        throw DefinitionError("Nextflow is not read yet")
    }
}
