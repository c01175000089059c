/// The images of a WDL definition.
package enum WDLDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        throw DefinitionError("WDL is not read yet")
    }
}
