/// A workflow as a test describes it.
package struct WorkflowRecipe: Sendable, Hashable {
    package var name: String
    /// `WDL`, `WDL_LENIENT`, `NEXTFLOW` or `CWL`.
    package var engine: String
    package var main: String?
    /// Files of the definition, by path; stored in a zip. `zip` replaces it.
    package var files: [String: String]
    package var zip: [UInt8]?
    /// `containerRegistryMap` as the API writes it.
    package var registryMap: SandboxJSON?
    package var parameterTemplate: SandboxJSON?
    package var accelerators: String?
    /// `PRIVATE` or `READY2RUN`.
    package var type: String
    /// Another account for a workflow that is shared with this one.
    package var owner: String?
    package var status: String

    package init(
        _ name: String,
        engine: String,
        main: String? = nil,
        files: [String: String] = [:],
        zip: [UInt8]? = nil,
        registryMap: SandboxJSON? = nil,
        parameterTemplate: SandboxJSON? = nil,
        accelerators: String? = nil,
        type: String = "PRIVATE",
        owner: String? = nil,
        status: String = "ACTIVE"
    ) {
        self.name = name
        self.engine = engine
        self.main = main
        self.files = files
        self.zip = zip
        self.registryMap = registryMap
        self.parameterTemplate = parameterTemplate
        self.accelerators = accelerators
        self.type = type
        self.owner = owner
        self.status = status
    }

    var definition: OmicsState.Definition {
        OmicsState.Definition(
            engine: engine,
            main: main,
            zip: zip ?? StoredZip.archive(files),
            parameterTemplate: parameterTemplate,
            registryMap: registryMap,
            accelerators: accelerators
        )
    }
}

extension Sandbox {
    /// Registers a workflow.
    ///
    /// - Returns: its id.
    @discardableResult
    package func addWorkflow(_ recipe: WorkflowRecipe) -> String {
        let digest = recipe.definition.digest
        return world.with { state in
            let workflow = state.workflow(recipe, name: recipe.name, digest: digest)
            state.omics.workflows[workflow.id] = workflow
            state.event(
                "Workflow Status Change",
                resource: state.omicsARN("workflow/\(workflow.id)"),
                detail: ["status": "CREATION_SUCCESS", "workflowUuid": .string(workflow.uuid)]
            )
            return workflow.id
        }
    }

    /// Adds a version to a workflow; the recipe's name is the version's.
    package func addVersion(_ recipe: WorkflowRecipe, workflow id: String) {
        let definition = recipe.definition
        let digest = definition.digest
        world.with { state in
            let version = OmicsState.Version(
                name: recipe.name,
                uuid: state.uuid(),
                status: recipe.status,
                digest: digest,
                definition: definition,
                createdAt: state.now
            )
            state.omics.workflows[id]?.versions.append(version)
            state.event(
                "Workflow Status Change",
                resource: state.omicsARN("workflow/\(id)/version/\(recipe.name)"),
                detail: ["status": "CREATION_SUCCESS"]
            )
        }
    }

    /// Changes a workflow's registry map, as UpdateWorkflow may.
    package func setRegistryMap(_ map: SandboxJSON?, workflow id: String) {
        world.with { $0.omics.workflows[id]?.definition.registryMap = map }
    }

    package func setWorkflow(_ id: String, status: String) {
        world.with { $0.omics.workflows[id]?.status = status }
    }

    /// Stores the file of parameters that runs name by `parametersUri`.
    package func storeParameters(_ uri: String, _ bytes: [UInt8]) {
        world.with { $0.omics.parameterFiles[uri] = bytes }
    }

    /// Starts a run as StartRun does.
    ///
    /// - Parameter settings: further members of StartRun, such as `workflowVersionName` or `engineSettings`.
    /// - Returns: the run's id.
    /// - Throws: `AWSFailure`.
    @discardableResult
    package func startRun(
        workflow id: String,
        name: String = "run",
        parameters: SandboxJSON = [:],
        settings: [String: SandboxJSON] = [:]
    ) throws -> String {
        try world.with { state in
            var input = settings
            input["workflowId"] = .string(id)
            input["name"] = .string(name)
            input["parameters"] = parameters
            input["roleArn"] = .string("arn:aws:iam::\(state.accountID):role/omics-run")
            input["outputUri"] = "s3://sandbox-output/runs"
            input["requestId"] = .string(state.uuid())
            return try state.startRun(.object(input))["id"]?.string ?? ""
        }
    }

    /// Moves a run to another status; its event goes to the queue.
    package func setRun(_ id: String, status: String) throws {
        try world.with { try $0.setRun(id, status: status) }
    }

    /// Adds a task to a run, with the image that was used as GetRunTask tells it.
    ///
    /// - Returns: the task's id.
    @discardableResult
    package func addTask(
        run id: String,
        name: String,
        status: String = "COMPLETED",
        image: String? = nil,
        imageDigest: String? = nil,
        sourceImage: String? = nil,
        isCacheHit: Bool = false
    ) -> String {
        world.with { state in
            let task = OmicsState.Task(
                id: state.omics.nextID(),
                uuid: state.uuid(),
                name: name,
                status: status,
                isCacheHit: isCacheHit,
                createdAt: state.now,
                image: image,
                imageDigest: imageDigest,
                sourceImage: sourceImage
            )
            state.omics.runs[id]?.tasks.append(task)
            return task.id
        }
    }

    /// Starts a batch of `count` runs of one workflow that differ in nothing but their names.
    ///
    /// - Returns: the batch's id.
    /// - Throws: `AWSFailure`.
    @discardableResult
    package func startBatch(workflow id: String, count: Int, parameters: SandboxJSON = [:]) throws -> String {
        try world.with { state in
            let settings = (0..<count).map { number in
                SandboxJSON.object(["runSettingId": .string("s\(number)"), "name": .string("batch run \(number)")])
            }
            return try state.startBatch([
                "requestId": .string(state.uuid()),
                "defaultRunSetting": [
                    "workflowId": .string(id), "parameters": parameters,
                    "roleArn": .string("arn:aws:iam::\(state.accountID):role/omics-run"),
                    "outputUri": "s3://sandbox-output/runs",
                ],
                "batchRunSettings": ["inlineSettings": .array(settings)],
            ])["id"]?.string ?? ""
        }
    }
}

extension WorldState {
    /// - Parameter digest: Of the recipe's definition; computing it is slow.
    mutating func workflow(_ recipe: WorkflowRecipe, name: String, digest: String) -> OmicsState.Workflow {
        OmicsState.Workflow(
            id: omics.nextID(),
            name: name,
            uuid: uuid(),
            type: recipe.type,
            owner: recipe.owner ?? accountID,
            status: recipe.status,
            digest: digest,
            definition: recipe.definition,
            createdAt: now,
            tags: [:]
        )
    }
}
