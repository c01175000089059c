import Foundation

extension WorldState {
    private func workflow(_ id: String, type: String?, owner: String?) throws -> OmicsState.Workflow {
        guard let workflow = omics.workflows[id], workflow.type == type ?? "PRIVATE",
            workflow.owner == owner ?? (workflow.type == "READY2RUN" ? workflow.owner : accountID)
        else { throw Self.notFound("Workflow \(id)") }
        return workflow
    }

    mutating func createWorkflow(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let requestID = input["requestId"]?.string else { throw Self.invalid("requestId is required.") }
        if let known = omics.workflows.values.first(where: { $0.requestID == requestID }) {
            return workflowCreated(known)
        }
        let definition = try definition(input)
        var workflow = OmicsState.Workflow(
            id: omics.nextID(),
            name: input["name"]?.string ?? "workflow",
            uuid: uuid(),
            type: "PRIVATE",
            owner: accountID,
            status: "ACTIVE",
            digest: definition.digest,
            definition: definition,
            createdAt: now,
            tags: input["tags"] ?? [:]
        )
        workflow.requestID = requestID
        omics.workflows[workflow.id] = workflow
        event(
            "Workflow Status Change",
            resource: omicsARN("workflow/\(workflow.id)"),
            detail: ["status": "CREATION_SUCCESS", "workflowUuid": .string(workflow.uuid)]
        )
        return workflowCreated(workflow)
    }

    private func workflowCreated(_ workflow: OmicsState.Workflow) -> SandboxJSON {
        [
            "arn": .string(omicsARN("workflow/\(workflow.id)")), "id": .string(workflow.id), "status": "CREATING",
            "tags": workflow.tags, "uuid": .string(workflow.uuid),
        ]
    }

    private func definition(_ input: SandboxJSON) throws -> OmicsState.Definition {
        guard let text = input["definitionZip"]?.string, let data = Data(base64Encoded: text) else {
            throw Self.invalid("The sandbox takes a workflow's definition as definitionZip only.")
        }
        guard data.starts(with: [0x50, 0x4B]) else { throw Self.invalid("definitionZip is not a zip archive.") }
        let engine = input["engine"]?.string ?? "WDL"
        let engines = ["WDL", "WDL_LENIENT", "NEXTFLOW", "CWL"]
        guard engines.contains(engine) else { throw Self.invalid("engine must be one of \(engines).") }
        return OmicsState.Definition(
            engine: engine,
            main: input["main"]?.string,
            zip: Array(data),
            parameterTemplate: input["parameterTemplate"],
            registryMap: input["containerRegistryMap"],
            description: input["description"]?.string,
            accelerators: input["accelerators"]?.string
        )
    }

    mutating func createVersion(_ id: String, _ input: SandboxJSON) throws -> SandboxJSON {
        let workflow = try workflow(id, type: nil, owner: nil)
        guard let name = input["versionName"]?.string, !name.isEmpty else {
            throw Self.invalid("versionName is required.")
        }
        guard !workflow.versions.contains(where: { $0.name == name }) else {
            throw AWSFailure("ConflictException", "The version \(name) exists.", status: 409)
        }
        guard workflow.versions.count < 1000 else {
            throw AWSFailure("ServiceQuotaExceededException", "A workflow has at most 1000 versions.", status: 402)
        }
        var given = input.object ?? [:]
        given["engine"] = given["engine"] ?? .string(workflow.definition.engine)
        let definition = try definition(.object(given))
        let version = OmicsState.Version(
            name: name,
            uuid: uuid(),
            status: "ACTIVE",
            digest: definition.digest,
            definition: definition,
            createdAt: now
        )
        omics.workflows[id]?.versions.append(version)
        event(
            "Workflow Status Change",
            resource: omicsARN("workflow/\(id)/version/\(name)"),
            detail: ["status": "CREATION_SUCCESS", "workflowUuid": .string(workflow.uuid)]
        )
        return [
            "arn": .string(omicsARN("workflow/\(id)/version/\(name)")), "workflowId": .string(id),
            "versionName": .string(name), "status": "CREATING", "tags": input["tags"] ?? [:],
            "uuid": .string(version.uuid),
        ]
    }

    mutating func deleteWorkflow(_ id: String) throws {
        let workflow = try workflow(id, type: nil, owner: nil)
        omics.workflows[id] = nil
        event(
            "Workflow Status Change",
            resource: omicsARN("workflow/\(id)"),
            detail: ["status": "DELETION_SUCCESS", "workflowUuid": .string(workflow.uuid)]
        )
    }

    func listWorkflows(_ request: Incoming) throws -> SandboxJSON {
        let (type, name) = (request.value("type"), request.value("name"))
        let shown = omics.workflows.values.filter { workflow in
            (type.map { $0 == workflow.type } ?? true) && (name.map { $0 == workflow.name } ?? true)
                && (workflow.owner == accountID || workflow.type == "READY2RUN")
        }
        return try OmicsPage.cut(
            shown.map { workflow in
                (
                    workflow.id,
                    [
                        "arn": .string(omicsARN("workflow/\(workflow.id)")), "id": .string(workflow.id),
                        "name": .string(workflow.name), "status": .string(workflow.status),
                        "type": .string(workflow.type), "digest": .string(workflow.digest),
                        "creationTime": .iso8601(workflow.createdAt), "metadata": [:],
                    ]
                )
            },
            request
        )
    }

    func listVersions(_ id: String, _ request: Incoming) throws -> SandboxJSON {
        let workflow = try workflow(id, type: request.value("type"), owner: request.value("workflowOwnerId"))
        return try OmicsPage.cut(
            workflow.versions.map { version in
                (
                    version.name,
                    .compact([
                        "arn": .string(omicsARN("workflow/\(id)/version/\(version.name)")), "workflowId": .string(id),
                        "versionName": .string(version.name), "status": .string(version.status),
                        "type": .string(workflow.type), "digest": .string(version.digest),
                        "description": SandboxJSON.text(version.definition.description),
                        "creationTime": .iso8601(version.createdAt), "metadata": [:],
                    ])
                )
            },
            request
        )
    }

    mutating func getWorkflow(_ id: String, _ request: Incoming) throws -> SandboxJSON {
        let workflow = try workflow(id, type: request.value("type"), owner: request.value("workflowOwnerId"))
        var members = try described(workflow, workflow.definition, key: "workflow/\(id)", request)
        members["arn"] = .string(omicsARN("workflow/\(id)"))
        members["id"] = .string(id)
        members["name"] = .string(workflow.name)
        members["status"] = .string(workflow.status)
        members["digest"] = .string(workflow.digest)
        members["creationTime"] = .iso8601(workflow.createdAt)
        members["uuid"] = .string(workflow.uuid)
        members["tags"] = workflow.tags
        return .object(members)
    }

    mutating func getVersion(_ id: String, _ name: String, _ request: Incoming) throws -> SandboxJSON {
        let workflow = try workflow(id, type: request.value("type"), owner: request.value("workflowOwnerId"))
        guard let version = workflow.versions.first(where: { $0.name == name }) else {
            throw Self.notFound("Version \(name) of workflow \(id)")
        }
        var members = try described(workflow, version.definition, key: "workflow/\(id)/\(name)", request)
        members["arn"] = .string(omicsARN("workflow/\(id)/version/\(name)"))
        members["workflowId"] = .string(id)
        members["versionName"] = .string(name)
        members["status"] = .string(version.status)
        members["digest"] = .string(version.digest)
        members["creationTime"] = .iso8601(version.createdAt)
        members["uuid"] = .string(version.uuid)
        members["workflowBucketOwnerId"] = .string(workflow.owner)
        return .object(members)
    }

    /// What GetWorkflow and GetWorkflowVersion have in common; the definition as a presigned address when asked for.
    private mutating func described(
        _ workflow: OmicsState.Workflow,
        _ definition: OmicsState.Definition,
        key: String,
        _ request: Incoming
    ) throws -> [String: SandboxJSON] {
        var members: [String: SandboxJSON] = [
            "type": .string(workflow.type), "engine": .string(definition.engine), "metadata": [:],
        ]
        members["main"] = SandboxJSON.text(definition.main)
        members["parameterTemplate"] = definition.parameterTemplate
        members["containerRegistryMap"] = definition.registryMap
        members["description"] = SandboxJSON.text(definition.description)
        members["accelerators"] = SandboxJSON.text(definition.accelerators)
        if request.query.contains(where: { $0.name == "export" && $0.value == "DEFINITION" }) {
            guard workflow.owner == accountID, workflow.type == "PRIVATE" else {
                throw AWSFailure(
                    "AccessDeniedException",
                    "The definition of a workflow that is shared with you or READY2RUN cannot be exported.",
                    status: 403
                )
            }
            members["definition"] = .string(
                presigned(key: "omics-definitions/\(key).zip", content: .bytes(definition.zip))
            )
        }
        return members
    }
}
