import Foundation
import Remotes

/// The one address of all AWS services: tells them apart, checks signatures, and serves the sandbox's own pages.
struct AWSFront: Sendable {
    let world: World

    func respond(to request: Incoming) async throws -> Reply {
        if request.segments.first == "_sandbox" {
            return await AdminPages(world: world).respond(to: request, path: Array(request.segments.dropFirst()))
        }
        var reply = try await serve(request)
        // Whoever asks for help names this; SDKs show it with every error.
        reply.headers.append((name: "x-amzn-RequestId", value: world.with { $0.uuid() }))
        return reply
    }

    private func serve(_ request: Incoming) async throws -> Reply {
        let segments = request.segments
        let body = try await request.wholeBody()
        if let target = request.headers["x-amz-target"] { return try await json(request, body, target) }
        if request.headers["content-type"]?.hasPrefix("application/x-www-form-urlencoded") == true {
            return try await query(request, body)
        }
        guard let (operation, parameters) = OmicsService.operation(request.method, segments) else {
            return Wire.restJSON.reply(
                AWSFailure(
                    "ResourceNotFoundException",
                    "The sandbox has no \(request.method) \(request.path).",
                    status: 404
                )
            )
        }
        let call = Call(service: "omics", operation: operation, reference: parameters.first)
        return try await world.serve(call, wire: .restJSON) {
            _ = try authorize(request, body, service: "omics", operation: operation, wire: .restJSON)
            return try OmicsService(world: world).answer(operation, parameters, request, body)
        }
    }

    private func json(_ request: Incoming, _ body: Data, _ target: String) async throws -> Reply {
        let parts = target.split(separator: ".", maxSplits: 1).map(String.init)
        let operation = parts.last ?? ""
        switch parts.first {
        case "AmazonEC2ContainerRegistry_V20150921":
            let repository = (try? SandboxJSON(json: body))?["repositoryName"]?.string
            let call = Call(service: "ecr", operation: operation, repository: repository)
            return try await world.serve(call, wire: .json11) {
                _ = try authorize(request, body, service: "ecr", operation: operation, wire: .json11)
                let output = try ECRService(world: world).answer(operation, SandboxJSON(json: body))
                return .json(output, type: "application/x-amz-json-1.1")
            }
        case "AmazonSQS":
            return try await world.serve(Call(service: "sqs", operation: operation), wire: .json10) {
                _ = try authorize(request, body, service: "sqs", operation: operation, wire: .json10)
                let output = try await QueueService(world: world).answer(operation, SandboxJSON(json: body))
                return .json(output, type: "application/x-amz-json-1.0")
            }
        case "secretsmanager":
            return try await world.serve(Call(service: "secretsmanager", operation: operation), wire: .json11) {
                _ = try authorize(request, body, service: "secretsmanager", operation: operation, wire: .json11)
                let input = try SandboxJSON(json: body)
                let output = try world.with { try $0.secretsManager(operation, input) }
                return .json(output, type: "application/x-amz-json-1.1")
            }
        default:
            return Wire.json11.reply(AWSFailure("UnknownOperationException", "The sandbox has no target \(target)."))
        }
    }

    private func query(_ request: Incoming, _ body: Data) async throws -> Reply {
        let form = PercentCoding.form(String(decoding: body, as: UTF8.self))
        let action = form["Action"] ?? ""
        let isIAM = form["Version"] == "2010-05-08"
        let call = Call(service: isIAM ? "iam" : "sts", operation: action)
        return try await world.serve(call, wire: .query) {
            // Whoever brings a web identity token has no keys yet.
            let isUnsigned = action == "AssumeRoleWithWebIdentity"
            let caller =
                isUnsigned
                ? nil : try authorize(request, body, service: call.service, operation: action, wire: .query)
            return .xml(
                try world.with { state in
                    try isIAM ? state.iam(action, form) : state.sts(action, form, caller: caller)
                }
            )
        }
    }

    /// Checks the signature, and whether the sandbox was told to deny the action.
    private func authorize(
        _ request: Incoming,
        _ body: Data,
        service: String,
        operation: String,
        wire: Wire
    ) throws -> Caller {
        let (check, denied) = world.with { state in
            (
                SignatureCheck(
                    keys: state.keys,
                    region: state.configuration.region,
                    machineNow: state.configuration.timeline.now(),
                    sandboxNow: state.now
                ), state.deniedActions
            )
        }
        let caller = try check.caller(of: request, body: body, wire: wire)
        guard caller.service == service else {
            throw AWSFailure(
                wire == .query ? "SignatureDoesNotMatch" : "InvalidSignatureException",
                "Credential should be scoped to correct service: '\(service)', not '\(caller.service)'.",
                status: 403
            )
        }
        guard !denied.contains("\(service):\(operation)") else {
            throw AWSFailure(
                wire == .query ? "AccessDenied" : "AccessDeniedException",
                "User: \(caller.principal) is not authorized to perform: \(service):\(operation) because no "
                    + "identity-based policy allows the \(service):\(operation) action",
                status: wire == .json11 || wire == .json10 ? 400 : 403
            )
        }
        return caller
    }
}
