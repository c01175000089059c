import Foundation

extension WorldState {
    private static let statuses = [
        "PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "DELETED", "CANCELLED", "FAILED",
    ]

    private func run(_ id: String) throws -> OmicsState.Run {
        guard let run = omics.runs[id] else { throw Self.notFound("Run \(id)") }
        return run
    }

    mutating func startRun(_ input: SandboxJSON) throws -> SandboxJSON {
        for name in ["roleArn", "outputUri", "requestId"] where input[name]?.string == nil {
            throw Self.invalid("\(name) is required.")
        }
        if let known = input["requestId"]?.string.flatMap({ omics.requests[$0] }), let run = omics.runs[known] {
            return started(run)
        }
        let run = try makeRun(input, batch: nil)
        if let requestID = input["requestId"]?.string { omics.requests[requestID] = run.id }
        return started(run)
    }

    private func started(_ run: OmicsState.Run) -> SandboxJSON {
        .compact([
            "arn": .string(omicsARN("run/\(run.id)")), "id": .string(run.id), "status": .string(run.status),
            "tags": run.settings["tags"] ?? [:], "uuid": .string(run.uuid),
            "runOutputUri": run.settings["outputUri"]?.string.map { .string("\($0)/\(run.id)") },
        ])
    }

    private mutating func makeRun(_ input: SandboxJSON, batch: String?) throws -> OmicsState.Run {
        var settings = input.object ?? [:]
        if let old = input["runId"]?.string {
            // A rerun takes over what it does not name.
            let former = try run(old)
            settings.merge(former.settings) { new, _ in new }
            settings["workflowId"] = settings["workflowId"] ?? .string(former.workflowID)
        }
        guard let workflowID = settings["workflowId"]?.string else { throw Self.invalid("workflowId is required.") }
        let type = settings["workflowType"]?.string ?? "PRIVATE"
        let owner = settings["workflowOwnerId"]?.string
        guard let workflow = omics.workflows[workflowID], workflow.type == type,
            type == "READY2RUN" || workflow.owner == owner ?? accountID
        else { throw Self.notFound("Workflow \(workflowID)") }
        let version = settings["workflowVersionName"]?.string
        if let version, !workflow.versions.contains(where: { $0.name == version }) {
            throw Self.notFound("Version \(version) of workflow \(workflowID)")
        }
        if settings["parametersUri"] != nil, settings["parameters"]?.object?.isEmpty == false {
            throw Self.invalid("Specify either parameters or parametersUri, not both.")
        }
        if let parameters = settings["parameters"], case .object = parameters {
            guard parameters.data.count <= 50_000 else { throw Self.invalid("parameters exceed 50,000 bytes.") }
        } else if settings["parameters"] != nil {
            throw Self.invalid("parameters must be an object.")
        }
        let run = OmicsState.Run(
            id: omics.nextID(),
            uuid: uuid(),
            name: settings["name"]?.string,
            status: "PENDING",
            workflowID: workflowID,
            workflowType: type,
            versionName: version,
            ownerID: owner,
            batchID: batch,
            settings: settings,
            createdAt: now
        )
        omics.runs[run.id] = run
        runEvent(run)
        return run
    }

    mutating func listRuns(_ request: Incoming) throws -> SandboxJSON {
        let (status, name, batch) = (request.value("status"), request.value("name"), request.value("batchId"))
        if let status, !Self.statuses.contains(status) {
            throw Self.invalid("status must be one of \(Self.statuses).")
        }
        let group = request.value("runGroupId")
        // Once for each list that would show it: a page at a time is asked for.
        let hidden = omics.runs.values.filter { run in
            omics.hidden[run.id] != nil && (status.map { $0 == run.status } ?? true)
        }.map(\.id)
        if request.value("startingToken") == nil {
            for id in hidden { omics.hidden[id] = omics.hidden[id].flatMap { $0 > 1 ? $0 - 1 : nil } }
        }
        let shown = omics.runs.values.filter { run in
            !hidden.contains(run.id) && (status.map { $0 == run.status } ?? true)
                && (name.map { $0 == run.name } ?? true)
                && (batch.map { $0 == run.batchID } ?? true)
                && (group.map { $0 == run.settings["runGroupId"]?.string } ?? true)
        }
        return try OmicsPage.cut(
            shown.map { run in
                (
                    run.id,
                    .compact([
                        "arn": .string(omicsARN("run/\(run.id)")), "id": .string(run.id),
                        "status": .string(run.status), "workflowId": .string(run.workflowID),
                        "batchId": SandboxJSON.text(run.batchID), "name": SandboxJSON.text(run.name),
                        "priority": run.settings["priority"],
                        "storageCapacity": run.settings["storageCapacity"],
                        "creationTime": .iso8601(run.createdAt), "startTime": SandboxJSON.moment(run.startedAt),
                        "stopTime": SandboxJSON.moment(run.stoppedAt),
                        "storageType": run.settings["storageType"] ?? "STATIC",
                        "workflowVersionName": SandboxJSON.text(run.versionName),
                        "workflowName": SandboxJSON.text(omics.workflows[run.workflowID]?.name),
                    ])
                )
            },
            request
        )
    }

    mutating func getRun(_ id: String) throws -> SandboxJSON {
        let run = try run(id)
        let workflow = omics.workflows[run.workflowID]
        let version = workflow?.versions.first { $0.name == run.versionName }
        let definition = version?.definition ?? workflow?.definition
        var members: [String: SandboxJSON?] = [
            "arn": .string(omicsARN("run/\(id)")), "id": .string(id), "uuid": .string(run.uuid),
            "status": .string(run.status), "workflowId": .string(run.workflowID),
            "workflowType": .string(run.workflowType),
            "workflowVersionName": SandboxJSON.text(run.versionName),
            "workflowOwnerId": SandboxJSON.text(run.ownerID),
            "workflowUuid": SandboxJSON.text(workflow?.uuid), "batchId": SandboxJSON.text(run.batchID),
            "name": SandboxJSON.text(run.name), "digest": SandboxJSON.text(version?.digest ?? workflow?.digest),
            "engineVersion": definition?.engine == "NEXTFLOW" ? "24.10.8" : nil,
            "creationTime": .iso8601(run.createdAt), "startTime": SandboxJSON.moment(run.startedAt),
            "stopTime": SandboxJSON.moment(run.stoppedAt), "startedBy": .string(startedBy),
            "resourceDigests": [:], "storageType": run.settings["storageType"] ?? "STATIC",
            "tags": run.settings["tags"] ?? [:], "parameters": run.settings["parameters"] ?? [:],
        ]
        let told = [
            "roleArn", "runGroupId", "priority", "storageCapacity", "outputUri", "logLevel", "cacheId", "cacheBehavior",
            "retentionMode", "networkingMode", "engineSettings", "runId",
        ]
        for name in told { members[name] = run.settings[name] }
        if let uri = run.settings["parametersUri"]?.string {
            members["parameters"] = .some(nil)
            // HealthOmics gives its own copy as soon as it has one.
            let copy = omics.parameterFiles[uri].map { bytes in
                presigned(key: "omics-parameters/\(id).json", content: .bytes(bytes))
            }
            members["parametersUri"] = .string(copy ?? uri)
        }
        return .compact(members)
    }

    private var startedBy: String { keys[configuration.accessKeyID]?.principal ?? "" }

    mutating func stopRun(_ id: String, deleting: Bool) throws {
        let run = try run(id)
        let isLive = ["PENDING", "STARTING", "RUNNING"].contains(run.status)
        if deleting {
            guard !isLive else {
                throw AWSFailure("ConflictException", "The run \(id) is \(run.status).", status: 409)
            }
            omics.runs[id] = nil
        } else {
            guard isLive else {
                throw AWSFailure("ConflictException", "The run \(id) is \(run.status).", status: 409)
            }
            try setRun(id, status: "CANCELLED")
        }
    }

    /// Moves a run on, and tells the event queue.
    mutating func setRun(_ id: String, status: String) throws {
        var run = try run(id)
        guard Self.statuses.contains(status) else { throw Self.invalid("status must be one of \(Self.statuses).") }
        run.status = status
        if status == "RUNNING" { run.startedAt = now }
        if ["COMPLETED", "CANCELLED", "FAILED", "DELETED"].contains(status) { run.stoppedAt = now }
        omics.runs[id] = run
        runEvent(run)
    }

    // MARK: Tasks

    private func json(_ task: OmicsState.Task) -> [String: SandboxJSON] {
        [
            "taskId": .string(task.id), "uuid": .string(task.uuid), "name": .string(task.name),
            "status": .string(task.status), "cacheHit": .bool(task.isCacheHit), "cpus": 1, "memory": 2, "gpus": 0,
            "instanceType": "omics.c.large", "creationTime": .iso8601(task.createdAt),
            "startTime": ["PENDING", "STARTING"].contains(task.status) ? .null : .iso8601(task.createdAt),
        ]
    }

    func listTasks(_ id: String, _ request: Incoming) throws -> SandboxJSON {
        let status = request.value("status")
        let tasks = try run(id).tasks.filter { status == nil || $0.status == status }
        return try OmicsPage.cut(tasks.map { ($0.id, .object(json($0))) }, request)
    }

    func getTask(_ id: String, _ taskID: String) throws -> SandboxJSON {
        guard let task = try run(id).tasks.first(where: { $0.id == taskID }) else {
            throw Self.notFound("Task \(taskID) of run \(id)")
        }
        var members = json(task)
        if task.image != nil {
            members["imageDetails"] = .compact([
                "image": SandboxJSON.text(task.image), "imageDigest": SandboxJSON.text(task.imageDigest),
                "sourceImage": SandboxJSON.text(task.sourceImage),
            ])
        }
        return .object(members)
    }

    // MARK: Batches

    mutating func startBatch(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let requestID = input["requestId"]?.string else { throw Self.invalid("requestId is required.") }
        guard let defaults = input["defaultRunSetting"]?.object else {
            throw Self.invalid("defaultRunSetting is required.")
        }
        if let known = omics.batches.values.first(where: { $0.requestID == requestID }) { return batchStarted(known) }
        guard let settings = input["batchRunSettings"]?["inlineSettings"]?.array, !settings.isEmpty else {
            throw Self.invalid("The sandbox takes a batch's runs as inlineSettings only.")
        }
        var batch = OmicsState.Batch(
            id: omics.nextID(),
            uuid: uuid(),
            name: input["batchName"]?.string,
            status: "INPROGRESS",
            defaults: .object(defaults),
            createdAt: now
        )
        batch.requestID = requestID
        for setting in settings {
            guard let settingID = setting["runSettingId"]?.string else {
                throw Self.invalid("Every setting needs a runSettingId.")
            }
            var merged = defaults.merging(setting.object ?? [:]) { _, own in own }
            // Parameters of a run are laid over those of the batch.
            let parameters = (defaults["parameters"]?.object ?? [:])
                .merging(setting["parameters"]?.object ?? [:]) { _, own in own }
            merged["parameters"] = .object(parameters)
            let run = try makeRun(.object(merged), batch: batch.id)
            batch.runs.append((settingID, run.id))
        }
        omics.batches[batch.id] = batch
        return batchStarted(batch)
    }

    private func batchStarted(_ batch: OmicsState.Batch) -> SandboxJSON {
        [
            "id": .string(batch.id), "arn": .string(omicsARN("runBatch/\(batch.id)")),
            "status": .string(batch.status), "uuid": .string(batch.uuid), "tags": [:],
        ]
    }

    func getBatch(_ id: String) throws -> SandboxJSON {
        guard let batch = omics.batches[id] else { throw Self.notFound("Batch \(id)") }
        var counts: [String: Int64] = [:]
        for entry in batch.runs { counts[omics.runs[entry.runID]?.status ?? "DELETED", default: 0] += 1 }
        return .compact([
            "id": .string(id), "arn": .string(omicsARN("runBatch/\(id)")), "uuid": .string(batch.uuid),
            "name": SandboxJSON.text(batch.name), "status": .string(batch.status), "tags": [:],
            "totalRuns": .integer(Int64(batch.runs.count)), "defaultRunSetting": batch.defaults,
            "submissionSummary": ["successfulStartSubmissionCount": .integer(Int64(batch.runs.count))],
            "runSummary": .object(
                Dictionary(
                    uniqueKeysWithValues: Self.statuses.map {
                        ("\($0.lowercased())RunCount", .integer(counts[$0] ?? 0))
                    }
                )
            ),
            "creationTime": .iso8601(batch.createdAt), "submittedTime": .iso8601(batch.createdAt),
        ])
    }

    func listBatchRuns(_ id: String, _ request: Incoming) throws -> SandboxJSON {
        guard let batch = omics.batches[id] else { throw Self.notFound("Batch \(id)") }
        let page = try OmicsPage.cut(
            batch.runs.map { entry in
                (
                    entry.runID,
                    .compact([
                        "runSettingId": .string(entry.settingID), "runId": .string(entry.runID),
                        "runInternalUuid": SandboxJSON.text(omics.runs[entry.runID]?.uuid),
                        "runArn": .string(omicsARN("run/\(entry.runID)")), "submissionStatus": "SUCCESS",
                    ])
                )
            },
            request
        )
        return .compact(["runs": page["items"], "nextToken": page["nextToken"]])
    }
}
