/// Much of everything, made cheaply, for tests of how work grows.
extension Sandbox {
    /// Registers `count` workflows with `versions` versions each, all of one definition, named `workflow N` and `vN`.
    ///
    /// - Returns: their ids.
    @discardableResult
    package func addWorkflows(_ count: Int, versions: Int, like recipe: WorkflowRecipe) -> [String] {
        let definition = recipe.definition
        let digest = definition.digest
        return world.with { state in
            let now = state.now
            return (0..<count).map { number in
                var workflow = state.workflow(recipe, name: "workflow \(number)", digest: digest)
                workflow.versions = (0..<versions).map { version in
                    OmicsState.Version(
                        name: "v\(version)",
                        uuid: state.uuid(),
                        status: recipe.status,
                        digest: digest,
                        definition: definition,
                        createdAt: now
                    )
                }
                state.omics.workflows[workflow.id] = workflow
                return workflow.id
            }
        }
    }

    /// Moves every run of a batch to a status; no events are sent.
    package func setBatch(_ id: String, status: String) {
        world.with { state in
            for entry in state.omics.batches[id]?.runs ?? [] { state.omics.runs[entry.runID]?.status = status }
        }
    }
}
