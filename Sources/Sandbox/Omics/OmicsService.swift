import Foundation

/// The HealthOmics API (REST-JSON, omics/2022-11-28): the operations on workflows, runs and batches.
struct OmicsService: Sendable {
    let world: World

    /// The operation a method and path name, with the path's parameters; nil when there is none.
    static func operation(_ method: String, _ segments: [String]) -> (name: String, parameters: [String])? {
        switch (method, segments.first, segments.count) {
        case ("GET", "run", 1): ("ListRuns", [])
        case ("POST", "run", 1): ("StartRun", [])
        case ("GET", "run", 2): ("GetRun", [segments[1]])
        case ("DELETE", "run", 2): ("DeleteRun", [segments[1]])
        case ("POST", "run", 3) where segments[2] == "cancel": ("CancelRun", [segments[1]])
        case ("GET", "run", 3) where segments[2] == "task": ("ListRunTasks", [segments[1]])
        case ("GET", "run", 4) where segments[2] == "task": ("GetRunTask", [segments[1], segments[3]])
        case ("GET", "workflow", 1): ("ListWorkflows", [])
        case ("POST", "workflow", 1): ("CreateWorkflow", [])
        case ("GET", "workflow", 2): ("GetWorkflow", [segments[1]])
        case ("DELETE", "workflow", 2): ("DeleteWorkflow", [segments[1]])
        case ("GET", "workflow", 3) where segments[2] == "version": ("ListWorkflowVersions", [segments[1]])
        case ("POST", "workflow", 3) where segments[2] == "version": ("CreateWorkflowVersion", [segments[1]])
        case ("GET", "workflow", 4) where segments[2] == "version": ("GetWorkflowVersion", [segments[1], segments[3]])
        case ("POST", "runBatch", 1): ("StartRunBatch", [])
        case ("GET", "runBatch", 2): ("GetBatch", [segments[1]])
        case ("GET", "runBatch", 3) where segments[2] == "run": ("ListRunsInBatch", [segments[1]])
        default: nil
        }
    }

    func answer(_ operation: String, _ parameters: [String], _ request: Incoming, _ body: Data) throws -> Reply {
        let input = request.method == "POST" ? try SandboxJSON(json: body) : .object([:])
        return try world.with { state in
            switch operation {
            case "ListRuns": .json(try state.listRuns(request))
            case "StartRun": .json(try state.startRun(input), status: 201)
            case "GetRun": .json(try state.getRun(parameters[0]))
            case "CancelRun": try Self.accepted(state.stopRun(parameters[0], deleting: false))
            case "DeleteRun": try Self.accepted(state.stopRun(parameters[0], deleting: true))
            case "ListRunTasks": .json(try state.listTasks(parameters[0], request))
            case "GetRunTask": .json(try state.getTask(parameters[0], parameters[1]))
            case "ListWorkflows": .json(try state.listWorkflows(request))
            case "CreateWorkflow": .json(try state.createWorkflow(input), status: 201)
            case "GetWorkflow": .json(try state.getWorkflow(parameters[0], request))
            case "DeleteWorkflow": try Self.accepted(state.deleteWorkflow(parameters[0]))
            case "ListWorkflowVersions": .json(try state.listVersions(parameters[0], request))
            case "CreateWorkflowVersion": .json(try state.createVersion(parameters[0], input), status: 201)
            case "GetWorkflowVersion": .json(try state.getVersion(parameters[0], parameters[1], request))
            case "StartRunBatch": .json(try state.startBatch(input), status: 201)
            case "GetBatch": .json(try state.getBatch(parameters[0]))
            case "ListRunsInBatch": .json(try state.listBatchRuns(parameters[0], request))
            default: throw AWSFailure("ResourceNotFoundException", "No such operation.", status: 404)
            }
        }
    }

    private static func accepted(_ done: Void) -> Reply { Reply(202) }
}

extension WorldState {
    func omicsARN(_ path: String) -> String { "arn:aws:omics:\(configuration.region):\(accountID):\(path)" }

    static func notFound(_ what: String) -> AWSFailure {
        AWSFailure("ResourceNotFoundException", "\(what) was not found.", status: 404)
    }

    static func invalid(_ message: String) -> AWSFailure { AWSFailure("ValidationException", message) }

    /// Puts an event where EventBridge would: into the queue `healthomics-events`, when there is one.
    mutating func event(_ type: String, resource: String, detail: [String: SandboxJSON]) {
        guard queues["healthomics-events"] != nil else { return }
        var members = detail
        members["omicsVersion"] = "1.0.0"
        members["arn"] = .string(resource)
        let event: SandboxJSON = [
            "version": "0",
            "id": .string(uuid()),
            "detail-type": .string(type),
            "source": "aws.omics",
            "account": .string(accountID),
            "time": .string(now.formatted(.iso8601)),
            "region": .string(configuration.region),
            "resources": [.string(resource)],
            "detail": .object(members),
        ]
        send(String(decoding: event.data, as: UTF8.self), to: "healthomics-events", delay: 0)
    }

    mutating func runEvent(_ run: OmicsState.Run) {
        let workflow = omics.workflows[run.workflowID]?.name
        event(
            "Run Status Change",
            resource: omicsARN("run/\(run.id)"),
            detail: [
                "status": .string(run.status), "uuid": .string(run.uuid), "runId": .string(run.id),
                "runName": .string(run.name ?? ""), "workflowId": .string(run.workflowID),
                "workflowName": .string(workflow ?? ""),
            ]
        )
    }
}
